"""Schedules around the spine hold, repeat, and get no worse by moves."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.ports import Clock
from accmine.problems import operator_schedule
from accmine.problems.design_search.barriers import chain
from accmine.solvers.operator_schedule.critical_path import quick
from accmine.solvers.operator_schedule.spine_schedule import spine_schedule
from accmine.solvers.schedule_bounds.spine_bound import spine_bound
from tests.samples.graph_sample import unit
from tests.samples.search_sample import Shape, graph_of
from tests.samples.spine_sample import COUNTS, GBPS, lowered, training


@settings(max_examples=8, deadline=None)
@given(training(6), COUNTS, GBPS, st.integers(0, 3))
def test_schedules_around_the_spine_hold_and_repeat(
    found: list[Shape], counts: tuple[int, int], gbps: int, seed: int
) -> None:
    graph, problem = lowered(found, counts, gbps)
    first = spine_schedule(problem, graph, tries=5, seed=seed)
    second = spine_schedule(problem, graph, tries=5, seed=seed)
    assert (first[0] is None) == (chain(graph) is None)
    if first[0] is None:
        return
    assert second[0] is not None
    assert operator_schedule.check(problem, first[0]) == ()
    assert operator_schedule.objective(problem, first[0]) >= spine_bound(problem, graph)[0]
    assert first[1] == second[1]
    assert (first[0].start == second[0].start).all()


def test_moves_never_make_it_worse_and_time_ends_them() -> None:
    found: list[Shape] = [("gemm", 64, ()), ("vector", 64, (0,)), ("gemm", 64, (1,)), ("gemm", 300, (0,))]
    graph, problem = lowered(found, (1, 1), 20)
    none, _ = spine_schedule(problem, graph, tries=0)
    some, _ = spine_schedule(problem, graph, tries=50)
    late, made = spine_schedule(problem, graph, tries=10**6, clock=Clock(0.0))
    assert none is not None
    assert some is not None
    assert late is not None
    assert operator_schedule.objective(problem, some) <= operator_schedule.objective(problem, none)
    assert made < 100


def test_problems_that_are_no_lowered_graphs_are_left_alone() -> None:
    graph = graph_of([("vector", 16, ())])
    _, problem = lowered([("vector", 16, ())], (1, 1), 70)
    assert spine_schedule(problem, graph, tries=5) == (None, 0)
    assert spine_schedule(unit(1, 5), graph, tries=5) == (None, 0)


@settings(max_examples=8, deadline=None)
@given(training(6), COUNTS, GBPS)
def test_a_schedule_to_start_from_and_a_bound_to_end_at(found: list[Shape], counts: tuple[int, int], gbps: int) -> None:
    graph, problem = lowered(found, counts, gbps)
    if chain(graph) is None:
        return
    start = quick(problem)
    solution, made = spine_schedule(problem, graph, tries=20, start=start)
    assert solution is not None
    assert operator_schedule.check(problem, solution) == ()
    value = operator_schedule.objective(problem, solution)
    again, fewer = spine_schedule(problem, graph, tries=20, start=start, bound=value)
    assert again is not None
    assert operator_schedule.objective(problem, again) <= value, "a bound ends the moves once it is met"
    assert fewer <= made
