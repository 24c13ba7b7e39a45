"""Design search: the one design of a template that runs a set of tasks best under area and TDP limits.

Value of a design with step times T_i for tasks with references T0_i (step times of the baseline):

    r = max_i T_i/T0_i  (aggregate worst)   or   Σ w_i T_i/T0_i / Σ w_i  (aggregate mean)

or, with mixes m of the tasks, r = max_m Σ w_mi T_i/T0_i, whatever the aggregate.

``throughput`` minimises r; ``throughput-per-tdp`` minimises r · TDP subject to r ≤ 1/floor. References
make workloads comparable; for one task they change no order.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from accmine.cost import CostLibrary, Source, splits_for
from accmine.errors import InputError
from accmine.hardware import Design, Template
from accmine.hardware.technology import Technology, area_mm2, tdp_w
from accmine.problems import operator_schedule
from accmine.problems.design_search.lowering import Lowered, lower
from accmine.problems.limits import widened, within
from accmine.problems.stage_selection import AGGREGATES, OBJECTIVES
from accmine.workload import Task

__all__ = [
    "EXACT_DECIMALS",
    "KIND",
    "TIE",
    "Evaluation",
    "Problem",
    "Schedules",
    "Solution",
    "aggregate",
    "best",
    "by_value",
    "check",
    "check_claim",
    "cost_library",
    "evaluate",
    "evaluated",
    "fits",
    "lowered",
    "ranked",
    "score",
    "value_of",
]

KIND = "design-search"

EXACT_DECIMALS = False

TIE = 1e-3
"""Designs whose values differ by less are tied; lower TDP, then lower area, decides."""

FloatArray = npt.NDArray[np.float64]

Schedules = tuple[tuple[operator_schedule.Solution, ...], ...]
"""By task and phase."""


@dataclass(frozen=True, eq=False)
class Problem:
    """Tasks, the template, the limits of one chip, and the objective.

    Attributes
    ----------
    reference_s, weights
        Reference step time and weight of each task.
    library
        Costs of all operators of all tasks; its splits and timing are part of the problem.
    area_mm2, tdp_w
        Limits of one chip; ``inf`` for none.
    shares
        Tighter limits (area, TDP): a heuristic keeps the k best designs within each. The limits are shared
        by several chips, and the best designs at the whole budget would leave nothing to select.
    floor
        Least throughput relative to the references, for ``throughput-per-tdp``; 0 switches it off.
    mixes
        Weights of the tasks, a row for each mix; empty: the aggregate counts.
    first
        Designs to look at before all others, such as the baseline; those that do not fit are left out.
    """

    kind: ClassVar[str] = KIND

    tasks: tuple[Task, ...]
    reference_s: tuple[float, ...]
    weights: tuple[float, ...]
    template: Template
    technology: Technology
    library: CostLibrary
    area_mm2: float = inf
    tdp_w: float = inf
    objective: str = "throughput"
    aggregate: str = "worst"
    floor: float = 0.0
    shares: tuple[tuple[float, float], ...] = ()
    first: tuple[Design, ...] = ()
    mixes: tuple[tuple[float, ...], ...] = ()

    @property
    def per_tdp(self) -> bool:
        """Whether the value is relative to TDP."""
        return OBJECTIVES[self.objective].power

    @property
    def weighted(self) -> bool:
        """Whether the tasks' times are added up; else the slowest counts."""
        return AGGREGATES[self.aggregate].weighted or bool(self.mixes)

    @property
    def memory_bytes(self) -> int:
        """HBM capacity the tasks need."""
        return max((task.memory_bytes for task in self.tasks), default=0)


def cost_library(
    tasks: Sequence[Task],
    counts: Iterable[int],
    operator_split: str,
    timing: str,
    technology: Technology,
    source: Source | None = None,
    also: Sequence[int] = (),
) -> CostLibrary:
    """Costs of all operators of ``tasks``; ``counts``, ``operator_split`` and ``also`` as in ``splits_for``."""
    graphs = [phase.graph for task in tasks for phase in task.phases]
    splits = splits_for(counts, operator_split, (*also, *(() if source is None else source.cores)))
    return CostLibrary(graphs, splits, timing, technology, source)


@dataclass(frozen=True)
class Evaluation:
    """A design with the makespans of its schedules.

    Attributes
    ----------
    cycles
        Makespan of each phase of each task.
    step_s
        Step time of each task on one device.
    relative, value
        Aggregated relative step time r, and the value that is minimised (``inf`` below the floor).
    schedules
        The schedules themselves, where they are kept.
    """

    design: Design
    cycles: tuple[tuple[int, ...], ...]
    step_s: tuple[float, ...]
    area_mm2: float
    tdp_w: float
    relative: float
    value: float
    schedules: Schedules | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, eq=False)
class Solution:
    """A design and a schedule of every phase of every task on it."""

    design: Design
    schedules: Schedules


def aggregate(
    relative: Sequence[Any], weights: Sequence[float], how: str, mixes: Sequence[Sequence[float]] = ()
) -> Any:
    """Aggregate relative step times of tasks (numbers, or arrays over designs); ``mixes`` as of a ``Problem``."""
    return AGGREGATES[how].of_relative(relative, weights, mixes)


def value_of(problem: Problem, relative: Any, tdp: Any) -> Any:
    """The value that is minimised (numbers or arrays over designs); ``inf`` where the throughput is below the floor."""
    if not problem.per_tdp:
        return relative
    if problem.floor <= 0:
        return relative * tdp
    # The floor is kept with the relative accuracy of floating point, so that the baseline itself meets it.
    return np.where(relative <= widened(1.0) / problem.floor, relative * tdp, inf)


def evaluate(problem: Problem, design: Design, cycles: Sequence[Sequence[int]]) -> Evaluation:
    """The evaluation of ``design`` from the makespans of its schedules."""
    step_s = tuple(
        sum(phase.repeats * c for phase, c in zip(task.phases, own, strict=True)) / design.frequency_hz
        for task, own in zip(problem.tasks, cycles, strict=True)
    )
    each = [t / t0 for t, t0 in zip(step_s, problem.reference_s, strict=True)]
    relative = float(aggregate(each, problem.weights, problem.aggregate, problem.mixes))
    tdp = tdp_w(design, problem.technology)
    return Evaluation(
        design,
        tuple(tuple(int(c) for c in own) for own in cycles),
        step_s,
        area_mm2(design, problem.technology),
        tdp,
        relative,
        float(value_of(problem, relative, tdp)),
    )


def evaluated(problem: Problem, solution: Solution) -> Evaluation:
    """The evaluation of a design from its schedules, whether or not they are valid.

    Raises
    ------
    InputError
        If an operator fits the design in no mode.
    IndexError, ValueError
        If a schedule is missing, or not one of these operators.
    """
    return evaluate(problem, solution.design, _cycles(lowered(problem, solution.design), solution))


def _cycles(parts: Sequence[Sequence[Lowered]], solution: Solution) -> list[list[int]]:
    return [
        [operator_schedule.objective(part.problem, schedule) for part, schedule in zip(own, row, strict=True)]
        for own, row in zip(parts, solution.schedules, strict=True)
    ]


def score(problem: Problem, solution: Solution) -> float:
    """The value of a solution; ``inf`` below the floor, and where there is none."""
    try:
        return evaluated(problem, solution).value
    except (InputError, IndexError, ValueError):
        return inf  # ``check`` says why


def by_value(evaluations: Iterable[Evaluation]) -> list[Evaluation]:
    """Best value first; of equals the least TDP, then area."""
    return sorted(evaluations, key=lambda e: (e.value, e.tdp_w, e.area_mm2, e.design.name))


def ranked(evaluations: Iterable[Evaluation], count: int) -> list[Evaluation]:
    """The ``count`` best that meet the floor, best value first, but for the first: that is the ``best``."""
    pool = by_value(e for e in evaluations if e.value < inf)
    winner = best(pool)
    return [] if winner is None else [winner, *(e for e in pool if e is not winner)][:count]


def best(evaluations: Iterable[Evaluation]) -> Evaluation | None:
    """The least value; among those within ``TIE`` of it the least TDP, then the least area."""
    pool = [e for e in evaluations if e.value < inf]
    if not pool:
        return None
    least = min(e.value for e in pool)
    return min(
        (e for e in pool if e.value <= least * (1 + TIE)), key=lambda e: (e.tdp_w, e.area_mm2, e.value, e.design.name)
    )


def fits(problem: Problem, design: Design) -> bool:
    """Whether a design is in the template, within the limits of one chip, and holds every task."""
    return (
        problem.template.contains(design)
        and design.hbm_bytes >= problem.memory_bytes
        and within(area_mm2(design, problem.technology), problem.area_mm2)
        and within(tdp_w(design, problem.technology), problem.tdp_w)
    )


def lowered(problem: Problem, design: Design) -> list[list[Lowered]]:
    """The schedule problem of every phase of every task on ``design``."""
    return [[lower(phase.graph, problem.library, design) for phase in task.phases] for task in problem.tasks]


def check(problem: Problem, solution: Solution) -> tuple[str, ...]:
    """Everything wrong with a solution; empty when it is valid.

    Recomputes the membership in the template, the limits (to a part in 1e9, as everywhere: a limit divided by
    the number of devices admits the design it was computed from), the memory, every schedule and the floor.
    """
    wrong, actual = _checked(problem, solution)
    if actual is not None and actual.value == inf:
        wrong.append(f"throughput is {1 / actual.relative} of the reference, the floor is {problem.floor}")
    return tuple(wrong)


def check_claim(problem: Problem, solution: Solution, claim: Evaluation) -> tuple[str, ...]:
    """Everything wrong with a solution, floor apart, and with what is claimed of it; empty when all holds."""
    wrong, actual = _checked(problem, solution)
    if actual is None:
        return tuple(wrong)
    if actual.cycles != claim.cycles or abs(actual.value - claim.value) > 1e-12 * abs(actual.value):
        wrong.append(f"claimed {claim.value}, {claim.cycles} cycles; recomputed {actual.value}, {actual.cycles} cycles")
    return tuple(wrong)


def _checked(problem: Problem, solution: Solution) -> tuple[list[str], Evaluation | None]:
    """What is wrong with the design and its schedules, and the evaluation where there is one."""
    wrong: list[str] = []
    design = solution.design
    if not problem.template.contains(design):
        wrong.append(f"{design.name} is not in the template")
    area, tdp = area_mm2(design, problem.technology), tdp_w(design, problem.technology)
    if not within(area, problem.area_mm2):
        wrong.append(f"area {area} mm2 exceeds {problem.area_mm2} mm2")
    if not within(tdp, problem.tdp_w):
        wrong.append(f"TDP {tdp} W exceeds {problem.tdp_w} W")
    if problem.memory_bytes > design.hbm_bytes:
        wrong.append(f"needs {problem.memory_bytes} bytes of HBM, {design.name} has {design.hbm_bytes}")
    try:
        parts = lowered(problem, design)
    except InputError as error:
        return [*wrong, str(error)], None
    if [len(row) for row in parts] != [len(row) for row in solution.schedules]:
        return [*wrong, "there is not one schedule of every phase of every task"], None
    for task, schedules, problems in zip(problem.tasks, solution.schedules, parts, strict=True):
        for phase, schedule, part in zip(task.phases, schedules, problems, strict=True):
            found = operator_schedule.check(part.problem, schedule)
            wrong += [f"{task.name}, {phase.name}: {text}" for text in found]
    try:
        return wrong, evaluate(problem, design, _cycles(parts, solution))
    except (IndexError, ValueError):  # wrong shape or mode: said above
        return wrong, None
