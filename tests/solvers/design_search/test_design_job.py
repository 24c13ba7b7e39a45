"""Levels of effort on one design: schedules only get shorter, bounds only higher, and they never cross."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.ports import Stop
from accmine.problems import operator_schedule
from accmine.problems.design_search import Problem
from accmine.problems.design_search.lowering import lower
from accmine.solvers.design_search.design_job import FIRST_LOOK, LEVELS, Outcome, work_on
from accmine.solving import solve
from tests.samples.search_sample import Shape, design, graph_of, search, task_of
from tests.samples.spine_sample import training

INF = float("inf")


def effort(problem: Problem, level: int, known: Outcome | None, target: float = INF) -> Outcome:
    targets = [[target] * len(task.phases) for task in problem.tasks]
    return work_on(problem, design(2, 1), level, known, targets, None, 0)


@settings(max_examples=6, deadline=None)
@given(training(5))
def test_levels_close_in_on_the_optimum(found: list[Shape]) -> None:
    problem = search([task_of(graph_of(found))])
    schedule = lower(problem.tasks[0].phases[0].graph, problem.library, design(2, 1)).problem
    best = solve(schedule, "cp-sat", stop=Stop(work=5)).objective
    assert best is not None
    known = None
    for level in range(LEVELS):
        outcome = effort(problem, level, known)
        part = outcome.parts[0][0]
        assert part.bound <= best
        if part.cycles is not None:
            assert part.solution is not None
            assert operator_schedule.check(schedule, part.solution) == ()
            assert operator_schedule.objective(schedule, part.solution) == part.cycles >= best
        if known is not None:
            before = known.parts[0][0]
            assert part.bound >= before.bound
            assert before.cycles is None or (part.cycles is not None and part.cycles <= before.cycles)
        known = outcome
    assert known is not None
    assert known.parts[0][0].cycles == known.parts[0][0].bound == best, "CP-SAT decides what is tiny"


def test_the_first_look_has_schedules_and_level_0_has_none() -> None:
    problem = search([task_of(graph_of([("gemm", 64, ()), ("vector", 64, (0,))]))])
    first, zero = effort(problem, FIRST_LOOK, None), effort(problem, 0, None)
    assert first.parts[0][0].cycles is not None
    assert zero.parts[0][0].cycles is None
    assert first.parts[0][0].bound == zero.parts[0][0].bound
    assert (first.made > 0, zero.made) == (True, 0)


def test_what_is_settled_and_equal_tasks_are_not_worked_on_again() -> None:
    shape: list[Shape] = [("gemm", 64, ())]
    twins = [task_of(graph_of(shape), name=name) for name in ("a", "b")]
    problem = search(twins)
    outcome = effort(problem, FIRST_LOOK, None)
    assert outcome.parts[0] is outcome.parts[1]
    assert outcome.made == effort(search(twins[:1]), FIRST_LOOK, None).made
    part = outcome.parts[0][0]
    assert part.cycles == part.bound, "one operator is settled at once"
    again = effort(problem, 3, outcome)
    assert again.parts[0][0] is part
    assert again.made == 0


@settings(max_examples=6, deadline=None)
@given(training(5), st.floats(0.0, 1.0))
def test_a_bound_above_the_target_is_enough(found: list[Shape], share: float) -> None:
    problem = search([task_of(graph_of(found))])
    target = share * effort(problem, 0, None).parts[0][0].bound
    outcome = effort(problem, 2, None, target)
    assert outcome.parts[0][0].bound >= target
    assert outcome.made == 0, "no schedule is made of what cannot win"
