"""Rules of a stage selection against the text of the definition, in fractions."""

from __future__ import annotations

import random
from dataclasses import replace
from fractions import Fraction
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.errors import InputError
from accmine.problems import stage_selection as problems
from accmine.problems.stage_selection import Candidate, Limits, Pipeline, Problem, Solution, Stage
from accmine.problems.stage_selection.integers import integers
from accmine.problems.stage_selection.rules import step_seconds
from accmine.result import Sense
from accmine.solving import solve
from accmine.system import SCHEDULES, step_bound, step_time, whole_stages
from tests.samples.selection_sample import COMBINATIONS, best_score, every_choice, tiny

SEEDS = st.integers(0, 10**6)


def defined(problem: Problem, solution: Solution) -> Fraction:
    """The value of a choice from the words of the problem, without rounding anything."""
    relative = []
    power = Fraction(0)
    longest = max(len(p.stages) for p in problem.pipelines)
    counted = False
    for pipeline, row in zip(problem.pipelines, solution.choice, strict=True):
        chosen = [stage.candidates[k] for stage, k in zip(pipeline.stages, row, strict=True)]
        f, b, u = ([Fraction(getattr(c, f"{phase}_s")) for c in chosen] for phase in ("forward", "backward", "update"))
        links = [(Fraction(there), Fraction(back)) for there, back in pipeline.transfer_s]
        if problem.objective == "bottleneck":
            slowest = max([x + y for x, y in zip(f, b, strict=True)] + [t for pair in links for t in pair])
            step = pipeline.microbatches * slowest
        else:
            step = Fraction(step_time(pipeline.schedule, f, b, u, links, pipeline.microbatches))
        relative.append(step / Fraction(pipeline.reference_s or 1))
        if not problem.time_shared or (len(row) == longest and not counted):
            power += sum(Fraction(c.tdp_w) for c in chosen)
            counted = counted or len(row) == longest
    weights = [Fraction(p.weight) for p in problem.pipelines]
    mean = sum((w * r for w, r in zip(weights, relative, strict=True)), Fraction(0)) / sum(weights)
    steps = max(relative) if problem.aggregate == "worst" else mean
    return 1 / (steps * power) if problem.objective == "throughput-per-tdp" else steps


@settings(max_examples=80, deadline=None)
@given(SEEDS, st.sampled_from(COMBINATIONS))
def test_the_value_is_the_defined_one(seed: int, words: tuple[str, str, str]) -> None:
    problem = tiny(seed, *words, most=3)
    choices = every_choice(problem)
    for solution in (choices[0], choices[-1], choices[seed % len(choices)]):
        assert problems.objective(problem, solution) == pytest.approx(float(defined(problem, solution)), rel=1e-5)


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.sampled_from(COMBINATIONS))
def test_scores_order_choices_as_the_sense_says(seed: int, words: tuple[str, str, str]) -> None:
    problem = tiny(seed, *words, most=3)
    choices = every_choice(problem)[:200]
    ordered = sorted(choices, key=lambda s: problems.score(problem, s))
    shown = [problems.objective(problem, s) for s in ordered]
    up = problems.sense(problem) is Sense.MINIMIZE
    assert shown == sorted(shown, reverse=not up)


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.sampled_from(COMBINATIONS))
def test_no_choice_is_below_the_bound(seed: int, words: tuple[str, str, str]) -> None:
    problem = tiny(seed, *words, most=3)
    best = best_score(problem)
    least, method = problems.bound(problem)
    assert method
    if least is None:
        assert best is None, "no bound says that there is no choice"
    elif best is not None:
        assert least <= best
        worse, better = problems.shown(problem, best), problems.shown_bound(problem, least)
        assert worse <= better if problems.sense(problem) is Sense.MAXIMIZE else better <= worse


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.sampled_from(COMBINATIONS))
def test_check_is_the_definition_of_the_limits(seed: int, words: tuple[str, str, str]) -> None:
    problem = tiny(seed, *words, most=3)
    for solution in every_choice(problem)[::7]:
        area, tdp = problems.totals(problem, solution)
        wrong = problems.check(problem, solution)
        limits = (problem.limits.area_mm2, problem.limits.tdp_w)
        over = [used > limit * (1 + 1e-8) for used, limit in zip((area, tdp), limits, strict=True) if limit is not None]
        under = [used < limit for used, limit in zip((area, tdp), limits, strict=True) if limit is not None]
        if any(over):
            assert any(text.startswith("limits.") for text in wrong)
        if all(under):
            assert not any(text.startswith("limits.") for text in wrong)
            slow = any(text.startswith("floor") for text in wrong)
            reached = 1 / step_of(problem, solution)
            if abs(reached - problem.least_throughput) > 1e-6 * reached:  # else it is a matter of rounding
                assert slow == (reached < problem.least_throughput)


def step_of(problem: Problem, solution: Solution) -> float:
    """Aggregated relative step time."""
    plain = replace(problem, objective="throughput", floor=None)
    return float(defined(plain, solution))


def test_one_design_is_demanded_on_all_stages_only_where_the_mode_says_so() -> None:
    for mode, allowed in (("heterogeneous", 2), ("homogeneous", 1), ("common", 1)):
        for seed in range(8):
            problem = replace(tiny(seed, mode, "bottleneck", "worst"), limits=Limits())
            designs = [[c.design for c in s.candidates] for p in problem.pipelines for s in p.stages]
            if len(problem.pipelines[0].stages) < 2:
                continue
            lengths = [len(p.stages) for p in problem.pipelines]
            mixed = [tuple(i % 2 for i in range(n)) for n in lengths]
            assert len({names[i % 2] for i, names in enumerate(designs)}) == 2
            wrong = problems.check(problem, Solution(tuple(mixed)))
            assert bool(wrong) == (allowed == 1)
            assert problems.check(problem, Solution(tuple((0,) * n for n in lengths))) == ()


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.sampled_from(("homogeneous", "common")))
def test_time_shared_devices_are_counted_once(seed: int, mode: str) -> None:
    problem = replace(tiny(seed, mode, "bottleneck", "worst"), limits=Limits(), deployment=None)
    solution = Solution(tuple((0,) * len(p.stages) for p in problem.pipelines))
    one = problem.pipelines[0].stages[0].candidates[0]
    lengths = [len(p.stages) for p in problem.pipelines]
    devices = max(lengths) if mode == "common" else sum(lengths)
    assert problems.totals(problem, solution) == pytest.approx((devices * one.area_mm2, devices * one.tdp_w))


def test_wrong_shapes_and_candidates_are_told_not_raised() -> None:
    problem = tiny(0, "heterogeneous", "throughput", "worst")
    lengths = [len(p.stages) for p in problem.pipelines]
    for shape in product((0, 1), repeat=len(lengths)):
        choice = tuple((0,) * (n - cut) for n, cut in zip(lengths, shape, strict=True))
        wrong = problems.check(problem, Solution(choice))
        if any(shape):
            assert "one per stage" in wrong[0]
    count = len(problem.pipelines[0].stages[0].candidates)
    for pick in (-1, count):
        choice = ((pick, *(0,) * (lengths[0] - 1)), *((0,) * n for n in lengths[1:]))
        assert f"no candidate {pick}; 0 to {count - 1} exist" in problems.check(problem, Solution(choice))[0]


PHASES = ("forward", "backward", "update")


def selection_of(schedule: str, seed: int) -> Problem:
    """Three stages of three candidates each, under a limit of area."""
    rng = random.Random(f"{schedule} {seed}")

    def candidates() -> tuple[Candidate, ...]:
        sizes = sorted(rng.sample(range(1, 20), 3))
        return tuple(Candidate(f"d{a}", rng.random() / a, rng.random() / a, rng.random() / a, a, a) for a in sizes)

    stages = tuple(Stage(f"s{s}", candidates()) for s in range(3))
    links = ((0.01, 0.02), (0.0, 0.03))
    room = sum(stage.candidates[0].area_mm2 for stage in stages) + 8.0
    return Problem((Pipeline("p", stages, 6, schedule, links, reference_s=1.0),), Limits(room))


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_schedule_is_right_or_refused(schedule: str) -> None:
    if schedule not in whole_stages():
        with pytest.raises(InputError, match=f"'{schedule}' is not allowed; allowed: {', '.join(whole_stages())}"):
            selection_of(schedule, 0)
        return
    for seed in range(3):
        problem = selection_of(schedule, seed)
        best = solve(problem, "brute-force")
        numbers = integers(problem)
        for solver in ("auto", "highs", "cp-sat", "lagrangian"):
            found = solve(problem, solver)
            assert found.bound is not None
            assert best.objective is not None
            assert found.bound <= best.objective * (1 + 1e-9), (solver, schedule)
            assert found.objective == best.objective or solver == "lagrangian"
        assert best.solution is not None
        picks = best.solution.choice[0]
        chosen = [stage.candidates[c] for stage, c in zip(problem.pipelines[0].stages, picks, strict=True)]
        forward, backward, update = ([getattr(c, f"{phase}_s") for c in chosen] for phase in PHASES)
        links = list(problem.pipelines[0].transfer_s)
        step = step_time(schedule, forward, backward, update, links, 6)
        assert step_seconds(problem, best.solution) == (step,)
        assert step_bound(schedule, forward, backward, update, links, 6) <= step * (1 + 1e-12)
        assert numbers.pipelines[0].schedule == schedule
