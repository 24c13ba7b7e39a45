"""The table of designs leaves out only what cannot be better."""

from __future__ import annotations

from itertools import combinations
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.hardware import Design
from accmine.hardware.technology import area_mm2
from accmine.ports import Stop
from accmine.problems import design_search
from accmine.problems.design_search.lowering import lower
from accmine.result import Status
from accmine.solvers.design_search.design_table import DesignTable, width
from accmine.solving import solve
from accmine.workload import OperatorGraph
from tests.samples.search_sample import Shape, designs, everything, graph_of, listed, search, shapes, task_of, template

SPACE = template(
    tensor_cores=(1, 2, 4), tensor_rows=(4, 8), tensor_sram_bytes=(1 << 16, 1 << 20), hbm_bytes_per_s=(7 * 10**9,)
)


def _optima(problem: design_search.Problem, kept: list[Design]) -> list[float]:
    """Values of designs from schedules by CP-SAT, list schedules where it proves none."""
    values = []
    for d in kept:
        part = lower(problem.tasks[0].phases[0].graph, problem.library, d).problem
        found = solve(part, "cp-sat", stop=Stop(work=2), seed=0)
        values.append(design_search.evaluate(problem, d, [[int(found.objective or 0)]]).value)
    return values


@settings(max_examples=2, deadline=None)
@given(shapes(4), st.sampled_from(("throughput", "throughput-per-tdp")), st.sampled_from(("even", "none")))
def test_some_design_that_stays_is_at_least_as_good_as_any(one: list[Shape], objective: str, split: str) -> None:
    problem = search([task_of(graph_of(one))], SPACE, split=split, objective=objective)
    table = DesignTable(problem)
    kept = [table.design(i) for i in range(len(table))]
    assert len(set(kept)) == len(kept)
    assert table.feasible == len(designs(SPACE))
    values = {d: listed(problem, d).value for d in kept}
    least = min(_optima(problem, kept))
    # A schedule of a design that is left out is one of a design that stays, at the same or a lower value.
    for e in everything(problem):
        assert float(table.value.min()) <= e.value
        part = lower(problem.tasks[0].phases[0].graph, problem.library, e.design).problem
        best = solve(part, "cp-sat", stop=Stop(work=2), seed=0)
        assert best.bound is not None
        proven = design_search.evaluate(problem, e.design, [[int(best.bound)]]).value
        if best.status is Status.OPTIMAL:
            assert least <= proven * (1 + 1e-12)
    assert all(table.value[i] <= values[d] * (1 + 1e-12) for i, d in enumerate(kept))


@pytest.mark.parametrize("split", ["even", "powers", "none"])
def test_a_core_less_stays_where_it_may_be_faster(split: str) -> None:
    """A product that six cores suit best holds 7, 3, 2 or 1 of seven: its best design has six."""
    space = template(tensor_cores=(6, 7), tensor_rows=(4,), vector_cores=(1,), hbm_bytes_per_s=(7 * 10**11,))
    problem = search([task_of(graph_of([("gemm", 5, ())]))], space, split=split)
    table = DesignTable(problem)
    kept = {table.design(i).tensor_cores for i in range(len(table))}
    best = min(everything(problem), key=lambda e: (e.value, e.design.tensor_cores))
    assert best.design.tensor_cores == 6
    assert kept == {"even": {6, 7}, "powers": {7}, "none": {6}}[split]
    result = solve(problem, "best-first", stop=Stop(work=50), seed=0)
    assert result.bound is not None
    assert result.bound <= best.value
    assert result.objective == pytest.approx(best.value, rel=1e-12)


def test_memories_that_change_nothing_are_left_out_and_the_smallest_stays() -> None:
    problem = search([task_of(graph_of([("vector", 16, ())]))], SPACE, split="none")
    table = DesignTable(problem)
    kept = [table.design(i) for i in range(len(table))]
    # No tensor core matters, one vector core is enough: one design is left.
    assert [(d.tensor_cores, d.vector_cores) for d in kept] == [(1, 1)]
    cheapest = min(designs(SPACE), key=lambda d: area_mm2(d, problem.technology))
    assert kept == [cheapest]


@settings(max_examples=8, deadline=None)
@given(shapes(6))
def test_longest_paths_only_raise_bounds_and_all_are_reached(one: list[Shape]) -> None:
    problem = search([task_of(graph_of(one))], SPACE)
    table = DesignTable(problem)
    before = table.value.copy()
    seen: list[int] = []
    last = 0.0
    while table.unseen < inf:
        assert table.unseen >= last
        last = table.unseen
        seen += table.more(inf)
        table.advance()
    assert sorted(seen) == list(range(len(table)))
    assert (table.value >= before).all()


def widest(graph: OperatorGraph, kinds: tuple[str, ...], shapes_: list[Shape]) -> int:
    """The most operators of some kinds of which none is behind another, by trying all sets."""
    before: list[set[int]] = []
    for _, _, direct in shapes_:
        before.append(set(direct).union(*(before[p] for p in direct)))
    own = [i for i, (kind, _, _) in enumerate(shapes_) if kind in kinds]
    assert len(graph) == len(shapes_)
    for size in range(len(own), 0, -1):
        for chosen in combinations(own, size):
            if all(a not in before[b] for a, b in combinations(chosen, 2)):
                return size
    return 0


@settings(max_examples=40, deadline=None)
@given(shapes(9))
def test_width_is_never_too_small(one: list[Shape]) -> None:
    graph = graph_of(one)
    assert width(graph, "tensor") >= widest(graph, ("gemm", "fused"), one)
    assert width(graph, "vector") >= widest(graph, ("vector", "fused"), one)
    chain: list[Shape] = [(kind, size, (i - 1,) if i else ()) for i, (kind, size, _) in enumerate(one)]
    assert width(graph_of(chain), "tensor") <= 1
