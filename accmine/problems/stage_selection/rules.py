"""What a choice is worth, what it violates, and the bound that needs no search."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache

from accmine.problems.limits import COSTS
from accmine.problems.stage_selection.integers import cost_limit, cost_up, integers
from accmine.problems.stage_selection.options import BOUND_METHOD, Floor, lower_bound, useful_options
from accmine.problems.stage_selection.problem import Candidate, Problem, Solution
from accmine.problems.stage_selection.rounding import UNIT
from accmine.result import Sense
from accmine.system import step_time

__all__ = ["bound", "check", "impossible", "objective", "score", "sense", "shown", "step_seconds", "totals"]


def sense(problem: Problem) -> Sense:
    """Direction of the objective."""
    return problem.value.sense


def score(problem: Problem, solution: Solution) -> int:
    """Exact integer value of a complete choice, minimised, whether or not it meets the limits."""
    return integers(problem).score(solution.choice)


def shown(problem: Problem, score: int) -> float:
    """A score in the unit of the objective; see the module for its definition."""
    return integers(problem).value(score)


def objective(problem: Problem, solution: Solution) -> float:
    """Value of a complete choice, whether or not it meets the limits."""
    return shown(problem, score(problem, solution))


def impossible(problem: Problem) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Nothing is known without solvers, which ``registry.WHY_NOT`` names."""
    del problem
    return (), ()


def bound(problem: Problem) -> tuple[int | None, str]:
    """(least score that is possible, how it is obtained) without search; ``None`` when no choice exists."""
    numbers = integers(problem)
    least = lower_bound(numbers, useful_options(numbers))
    return (None if least is None else least.score), BOUND_METHOD


def shown_bound(problem: Problem, score: int) -> float:
    """What a bound of the scores proves of times and TDPs as they are given, before they were rounded up.

    With at most u ticks and v power units added, and no choice below t ticks or p power units, every choice whose
    steps x power is at least S has S · (1 - u / t) · (1 - v / p) of them in real numbers.
    """
    numbers = integers(problem)
    if not numbers.objective.power:
        return max(0.0, numbers.value(score) - float(numbers.rounding / numbers.ticks))
    if not (numbers.rounding or numbers.power_rounding) or score <= 0:
        return numbers.value(score)
    least = _least(problem)
    if least is None or least.steps <= numbers.rounding or least.power <= numbers.power_rounding:
        return math.inf
    share = (1 - Fraction(numbers.rounding, least.steps)) * (1 - Fraction(numbers.power_rounding, least.power))
    return numbers.value(score * share)


@lru_cache(maxsize=16)
def _least(problem: Problem) -> Floor | None:
    """Steps and power that no choice is below, whatever the limits."""
    numbers = integers(problem)
    return lower_bound(numbers, [range(len(slot.options)) for slot in numbers.slots])


def step_seconds(problem: Problem, solution: Solution) -> tuple[float, ...]:
    """Simulated step time of each pipeline in s, from the unrounded times, whatever the objective."""
    steps = []
    for pipeline, picks in zip(problem.pipelines, solution.choice, strict=True):
        chosen = [stage.candidates[c] for stage, c in zip(pipeline.stages, picks, strict=True)]
        forward, backward, update = zip(*(c.phases for c in chosen), strict=True)
        step = step_time(pipeline.schedule, forward, backward, update, pipeline.transfer_s, pipeline.microbatches)
        steps.append(float(step))
    return tuple(steps)


def totals(problem: Problem, solution: Solution) -> tuple[float, ...]:
    """What the limits count, in the order of ``COSTS``: area in mm², TDP in W."""
    chosen = [
        [stage.candidates[c] for stage, c in zip(pipeline.stages, picks, strict=True)]
        for pipeline, picks in zip(problem.pipelines, solution.choice, strict=True)
    ]
    if problem.time_shared:  # one design on all devices, or one pipeline: the longest one shows every device
        chosen = [max(chosen, key=len)]
    counted = [c for picks in chosen for c in picks]
    return tuple(math.fsum(getattr(c, cost.name) for c in counted) for cost in COSTS)


def check(problem: Problem, solution: Solution) -> tuple[str, ...]:
    """Violations of a choice, in words; empty when it is valid. Exact, on the integer data."""
    shape = [len(p.stages) for p in problem.pipelines]
    if [len(picks) for picks in solution.choice] != shape:
        return (f"choice has {[len(picks) for picks in solution.choice]} entries; one per stage, {shape}, is needed",)
    chosen: list[list[Candidate]] = []
    for pipeline, picks in zip(problem.pipelines, solution.choice, strict=True):
        for stage, pick in zip(pipeline.stages, picks, strict=True):
            if not 0 <= pick < len(stage.candidates):
                return (f"{pipeline.name}.{stage.name}: no candidate {pick}; 0 to {len(stage.candidates) - 1} exist",)
        chosen.append([stage.candidates[c] for stage, c in zip(pipeline.stages, picks, strict=True)])
    wrong = []
    if problem.mode != "heterogeneous":
        for pipeline, picked in zip(problem.pipelines, chosen, strict=True):
            if len({c.design for c in picked}) > 1:
                wrong.append(f"{pipeline.name}: mode {problem.mode} needs one design on all stages")
    if problem.mode == "common" and len({c.design for picked in chosen for c in picked}) > 1:
        wrong.append("mode common needs one design in all pipelines")
    counted = max(chosen, key=len) if problem.time_shared else [c for picked in chosen for c in picked]
    for cost, limit in zip(COSTS, problem.limits.values, strict=True):
        if limit is not None:
            total = sum(cost_up(getattr(c, cost.name)) for c in counted)
            if total > cost_limit(limit):
                used = float(total * UNIT)
                wrong.append(f"limits.{cost.name}: {used:.9g} {cost.sign} in use, {limit:.9g} allowed")
    numbers = integers(problem)
    if numbers.step_limit is not None and not wrong:
        steps = numbers.steps(solution.choice)
        if steps > numbers.step_limit:
            reached = float(numbers.ticks / steps)
            wrong.append(f"floor: relative throughput {reached:.9g} reached, {problem.least_throughput:.9g} needed")
    return tuple(wrong)
