"""The spine program bounds every schedule from below."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.cost import RESOURCES
from accmine.ports import Stop
from accmine.problems import operator_schedule
from accmine.problems.design_search.barriers import chain
from accmine.solvers.schedule_bounds.spine_bound import METHOD, SpineProgram, spine_bound
from accmine.solving import solve
from tests.samples.search_sample import Shape, graph_of, shapes
from tests.samples.spine_sample import COUNTS, GBPS, lowered, training


@settings(max_examples=8, deadline=None)
@given(training(), COUNTS, GBPS)
def test_no_optimal_schedule_is_below_any_program(found: list[Shape], counts: tuple[int, int], gbps: int) -> None:
    graph, problem = lowered(found, counts, gbps)
    best = solve(problem, "cp-sat", stop=Stop(work=5), seed=0)
    assert best.objective is not None
    assert operator_schedule.bound(problem)[0] <= spine_bound(problem, graph)[0] <= best.objective
    line = chain(graph)
    if line is not None:
        for sealed in (None, *(r for r in (0, 1) if counts[r] == 1)):
            assert SpineProgram(problem, line, sealed).value() <= best.objective


def by_hand(found: list[Shape], modes: list[tuple[int, tuple[int, int, int]]], bandwidth: int):  # type: ignore[no-untyped-def]
    """A graph with one mode per operator, on one core of each kind."""
    graph = graph_of(found)
    sets = tuple(operator_schedule.ModeSet(np.array([d]), np.array([uses], dtype=np.int64)) for d, uses in modes)
    names = tuple(f"o{i}" for i in range(len(modes)))
    capacity = np.array([1, 1, bandwidth])
    problem = operator_schedule.Problem(RESOURCES, capacity, names, sets, np.arange(len(modes)), graph.edges)
    return graph, problem


@pytest.mark.parametrize(("rate", "other"), [(900, 100), (800, 200), (550, 450), (100, 900), (500, 500)])
def test_rates_that_fill_the_bandwidth_exactly_run_side_by_side(rate: int, other: int) -> None:
    found: list[Shape] = [("gemm", 16, ()), ("gemm", 64, (0,)), ("vector", 64, (0,)), ("gemm", 16, (1, 2))]
    modes = [(10, (1, 0, 0)), (1000, (1, 0, rate)), (1000, (0, 1, other)), (10, (1, 0, 0))]
    graph, problem = by_hand(found, modes, 1000)
    assert spine_bound(problem, graph)[0] <= 1020
    line = chain(graph)
    if line is not None:
        assert max(SpineProgram(problem, line, sealed).value() for sealed in (None, 0, 1)) <= 1020


def test_what_takes_no_time_holds_no_core() -> None:
    found: list[Shape] = [("gemm", 16, ()), ("vector", 17, (0,)), ("gemm", 18, (1,)), ("vector", 19, (2,))]
    found += [("gemm", 20, (3,)), ("gemm", 64, (0,))]
    tensor, vector = (1, 0, 0), (0, 1, 0)
    modes = [(10, tensor), (10, vector), (0, tensor), (10, vector), (10, tensor), (20, tensor)]
    graph, problem = by_hand(found, modes, 97)
    assert spine_bound(problem, graph)[0] <= 40  # the last operator runs beside the three in the middle
    line = chain(graph)
    assert line is not None
    assert SpineProgram(problem, line, 0).value() <= 40


@settings(max_examples=6, deadline=None)
@given(shapes(7), COUNTS, GBPS, st.sampled_from(("even", "none")))
def test_it_holds_for_any_graph(found: list[Shape], counts: tuple[int, int], gbps: int, split: str) -> None:
    graph, problem = lowered(found, counts, gbps, split)
    best = solve(problem, "cp-sat", stop=Stop(work=5), seed=0)
    assert best.objective is not None
    assert spine_bound(problem, graph)[0] <= best.objective


def test_it_sees_that_one_weight_gradient_covers_one_gap() -> None:
    """Two short gaps, one long operator beside them: without the program it would fill both."""
    found: list[Shape] = [
        ("gemm", 300, ()),
        ("vector", 300, (0,)),
        ("gemm", 300, (1,)),
        ("vector", 300, (2,)),
        ("gemm", 300, (3,)),
        ("gemm", 300, (0,)),
    ]
    graph, problem = lowered(found, (1, 1), 700)
    value, method = spine_bound(problem, graph)
    best = solve(problem, "cp-sat", stop=Stop(work=20), seed=0)
    assert method == METHOD
    assert operator_schedule.bound(problem)[0] < value <= int(best.objective or 0)


def test_problems_that_are_no_lowered_graphs_are_left_alone() -> None:
    graph = graph_of([("vector", 16, ())])
    _, problem = lowered([("vector", 16, ())], (1, 1), 70)
    assert spine_bound(problem, graph) == operator_schedule.bound(problem)


@pytest.mark.full
@settings(max_examples=500, deadline=None)
@given(training(6), COUNTS, GBPS)
def test_five_hundred_optima_are_above_the_programs(found: list[Shape], counts: tuple[int, int], gbps: int) -> None:
    graph, problem = lowered(found, counts, gbps)
    best = solve(problem, "cp-sat", stop=Stop(work=5), seed=0)
    assert best.objective is not None
    assert spine_bound(problem, graph)[0] <= best.objective
