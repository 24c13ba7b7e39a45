"""The miner: what it proposes is in the space, and its options do what they say."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from math import inf
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.errors import InputError
from accmine.hardware.technology import area_mm2
from accmine.ports import NEVER, Stop
from accmine.problems.design_search import Evaluation, Problem, Solution, best, ranked
from accmine.problems.design_search.space_bound import scan
from accmine.record import Record
from accmine.registry import make_solver
from accmine.result import Result, Status, StopReason
from accmine.solvers.design_search.evaluator import Evaluator
from accmine.solvers.design_search.wham_like import Descent, Options
from accmine.solving import solve
from tests.samples.search_sample import (
    Shape,
    design,
    designs,
    everything,
    fits,
    graph_of,
    listed,
    mined,
    planned,
    search,
    shapes,
    task_of,
    template,
)

WIDE = template(
    tensor_cores=(1, 2, 3, 4, 6, 8),
    tensor_rows=(4, 8),
    tensor_cols=(4, 8),
    vector_cores=(1, 2, 3),
    vector_lanes=(4, 16),
)
BUSY: list[Shape] = [
    ("gemm", 300, ()),
    ("gemm", 64, ()),
    ("fused", 300, (0,)),
    ("vector", 300, (1,)),
    ("gemm", 64, (3,)),
]
OPTIONS: list[dict[str, Any]] = [
    {},
    {"start": "one"},
    {"growth": "one"},
    {"order": "best"},
    {"order": "breadth"},
    {"bound_pruning": False},
    {"hysteresis": 0},
    {"polish": 0, "top_k": 1},
    {"min_gain": 0.2},
]


def sample(space: Any = WIDE, **more: Any) -> Problem:
    return search([task_of(graph_of(BUSY), repeats=(3,)), task_of(graph_of(BUSY[:2]), name="u")], space, **more)


def limited(**more: Any) -> Problem:
    """With an area limit that cuts the space in two."""
    problem = sample(**more)
    areas = sorted(area_mm2(d, problem.technology) for d in designs(WIDE))
    return replace(problem, area_mm2=areas[len(areas) // 2])


def walked(problem: Problem, **options: Any) -> Descent:
    """The walk itself, to its end."""
    descent = Descent(problem, Options(**options), Evaluator(Record[Solution](problem)), NEVER, inf)
    descent.run()
    return descent


def top(found: Result[Solution], count: int = 10) -> list[Evaluation]:
    return ranked(found.pool, count)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("split", ["even", "none"])
def test_what_is_proposed_is_feasible_and_ranked(options: dict[str, Any], split: str) -> None:
    problem = limited(split=split)
    found = mined(problem, **options)
    assert found.finished
    assert found.pool
    assert all(fits(problem, e.design) and problem.template.contains(e.design) for e in found.pool)
    assert len({e.design for e in found.pool}) == len(found.pool)
    assert all(e == listed(problem, e.design) for e in found.pool[:10])
    assert found.verified
    assert found.solution is not None
    assert found.solution.design in {e.design for e in found.pool if e.value == found.pool[0].value}
    assert found.objective == found.pool[0].value
    assert scan(problem).value <= min(e.value for e in found.pool) * (1 + 1e-12)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_the_search_is_deterministic(options: dict[str, Any]) -> None:
    solver = make_solver("design-search", "wham-like", **options)
    runs = [solve(limited(), solver, seed=seed) for seed in (0, 1)]
    assert runs[0].pool == runs[1].pool
    assert runs[0].work == runs[1].work


SINGLE = {"vector_cores": (2,)}
EXHAUSTIVE: dict[str, Any] = {"hysteresis": 1000, "growth": "one", "start": "one", "min_gain": -1e9, "polish": 0}


@settings(max_examples=10, deadline=None)
@given(shapes(6), st.sampled_from(("bound", "best", "breadth")), st.sampled_from((1, 3)))
def test_with_nothing_left_out_it_is_brute_force(found: list[Shape], order: str, top_k: int) -> None:
    """One kind of core grows one at a time whatever it gains: every design is evaluated, or left out by its bound."""
    space = template(tensor_cores=(1, 2, 3, 4), tensor_rows=(4, 8), vector_lanes=(4, 16), **SINGLE)
    problem = search([task_of(graph_of(found))], space)
    every = everything(problem)
    whole = mined(problem, bound_pruning=False, order=order, top_k=top_k, **EXHAUSTIVE)
    assert {e.design for e in whole.pool} == {e.design for e in every}
    assert best(whole.pool) == best(every)
    pruned = mined(problem, order=order, top_k=top_k, **EXHAUSTIVE)
    values = sorted(e.value for e in every)
    assert sorted(e.value for e in pruned.pool)[:top_k] == values[:top_k], "only what cannot enter is left out"
    assert pruned.work <= whole.work
    bare = walked(problem, bound_pruning=False, order=order, top_k=top_k, **EXHAUSTIVE)
    some = walked(problem, order=order, top_k=top_k, **EXHAUSTIVE)
    assert bare.pruned == 0
    assert some.visited + some.pruned == bare.visited


@settings(max_examples=10, deadline=None)
@given(shapes(6), st.sampled_from(("one", "bound")), st.sampled_from(("one", "double")))
def test_the_order_does_not_matter_when_nothing_is_cut(found: list[Shape], start: str, growth: str) -> None:
    problem = search([task_of(graph_of(found))], WIDE)
    pools = [
        mined(problem, bound_pruning=False, hysteresis=1000, start=start, growth=growth, order=order).pool
        for order in ("bound", "best", "breadth")
    ]
    assert pools[0] == pools[1] == pools[2]


def counts(found: Result[Solution]) -> set[int]:
    return {e.design.tensor_cores for e in found.pool}


def test_growth() -> None:
    space = template(tensor_cores=tuple(range(1, 10)), vector_cores=(1,))
    problem = search([task_of(graph_of([("gemm", 300, ())] * 9))], space)
    free: dict[str, Any] = {"start": "one", "min_gain": -1e9, "polish": 0, "bound_pruning": False}
    assert counts(mined(problem, growth="one", **free)) == set(range(1, 10))
    assert counts(mined(problem, growth="double", **free)) == {1, 2, 4, 8, 9}
    assert counts(mined(problem, growth="double", **free | {"min_gain": 0.99})) == {1, 2}
    gaps = replace(problem, template=template(tensor_cores=(1, 3, 9), vector_cores=(1,)))
    assert counts(mined(gaps, growth="double", **free)) == {1, 3, 9}, "the next allowed count, if twice is not"


def test_start() -> None:
    space = template(tensor_cores=tuple(range(1, 10)), vector_cores=(1, 2))
    problem = search([task_of(graph_of([("gemm", 300, ())] * 9))], space)
    from_one = mined(problem, start="one", polish=0, bound_pruning=False)
    assert design(1, 1) in {e.design for e in from_one.pool}
    from_bound = mined(problem, start="bound", polish=0, bound_pruning=False)
    assert design(1, 1) not in {e.design for e in from_bound.pool}
    assert from_bound.work < from_one.work
    assert top(from_bound)[0].value <= top(from_one)[0].value


def test_hysteresis_goes_on_behind_worse_nodes() -> None:
    problem = sample()
    few = walked(problem, hysteresis=0, bound_pruning=False)
    many = walked(problem, hysteresis=1000, bound_pruning=False)
    assert few.visited < many.visited == 2 * 2 * 2
    assert set(few.found) < set(many.found)


def test_bound_pruning_saves_schedules() -> None:
    problem = sample()
    bare, pruned = walked(problem, bound_pruning=False, top_k=1), walked(problem, top_k=1)
    assert bare.pruned == 0 < pruned.pruned
    assert pruned.evaluate.record.work < bare.evaluate.record.work


def test_polish_tries_neighbours() -> None:
    problem = sample()
    bare, polished = mined(problem, polish=0), mined(problem, polish=1)
    assert {e.design for e in bare.pool} < {e.design for e in polished.pool}
    assert top(polished)[0].value <= top(bare)[0].value * (1 + 1e-3)
    best_three = {e.design for e in top(bare)[:3]}
    for e in polished.pool:
        if e.design not in {b.design for b in bare.pool}:
            near = [
                abs(e.design.tensor_cores - d.tensor_cores) + abs(e.design.vector_cores - d.vector_cores)
                for d in best_three
                if replace(d, tensor_cores=1, vector_cores=1) == replace(e.design, tensor_cores=1, vector_cores=1)
            ]
            assert min(near) <= 2


@pytest.mark.parametrize("work", [0, 1, 5, 20])
def test_the_work_limit_holds(work: int) -> None:
    problem = sample()
    found = mined(problem, Stop(work=work))
    phases = sum(len(task.phases) for task in problem.tasks)
    assert found.work <= max(0, work - 1) + 2 * phases * (work > 0)
    assert not found.finished
    assert found.stop is StopReason.TIME
    assert found.status is (Status.FEASIBLE if found.pool else Status.UNKNOWN)


def test_without_time_only_what_comes_first_is_evaluated() -> None:
    outside = design(5, 1)
    result = mined(replace(sample(), first=(design(2, 2, lanes=4), outside)), Stop(seconds=0))
    assert [e.design for e in result.pool] == [design(2, 2, lanes=4)]
    assert result.stop is StopReason.TIME


@given(st.sampled_from(designs(WIDE)))
@settings(max_examples=10, deadline=None)
def test_never_worse_than_what_comes_first(first: Any) -> None:
    problem = limited()
    result = mined(replace(problem, first=(first,)), Stop(work=8))
    assert result.objective is not None
    if fits(problem, first):
        assert first in {e.design for e in result.pool}
        assert result.objective <= listed(problem, first).value
    else:
        assert first not in {e.design for e in result.pool}


def test_progress_only_improves() -> None:
    heard: list[tuple[float, float | int | None, float | int | None]] = []
    result = solve(sample(), "wham-like", on_progress=lambda *row: heard.append(row))
    values = [float(row[1] or 0) for row in heard]
    assert tuple(heard) == result.trace
    assert all(a > b for a, b in pairwise(values))
    assert values[-1] == min(e.value for e in result.pool)
    assert result.bound is None


def shared(problem: Problem, parts: tuple[float, ...]) -> Problem:
    areas = sorted(area_mm2(d, problem.technology) for d in designs(WIDE))
    low, high = areas[0], areas[-1]
    return replace(problem, shares=tuple((low + f * (high - low), inf) for f in parts))


def test_every_share_has_its_best() -> None:
    problem = shared(sample(), (0.05, 0.3, 0.6, 1.0))
    found = mined(problem, top_k=3)
    least = []
    for area, _ in problem.shares:
        alone = mined(replace(problem, shares=(), area_mm2=area), top_k=3)
        own = min(e.value for e in found.pool if e.area_mm2 <= area)
        assert own <= top(alone)[0].value * (1 + 1e-3)
        least.append(own)
    assert least == sorted(least, reverse=True), "a larger share is no worse"
    everywhere = mined(replace(problem, shares=()), top_k=3)
    assert min(least) <= top(everywhere)[0].value * (1 + 1e-3)


def test_the_floor_keeps_slow_designs_out_of_the_ranking() -> None:
    problem = sample(objective="throughput-per-tdp")
    ratios = sorted(listed(problem, d).relative for d in designs(WIDE))
    floored = replace(problem, floor=1 / ratios[len(ratios) // 4])
    found = mined(floored)
    assert top(found)
    assert all(e.relative * floored.floor <= 1 + 1e-9 for e in top(found))
    assert scan(floored).value <= top(found)[0].value * (1 + 1e-12)
    impossible = mined(replace(problem, floor=1e9))
    assert top(impossible) == []
    assert impossible.solution is None


def test_nothing_fits() -> None:
    for problem in (replace(sample(), area_mm2=1.0), search([task_of(graph_of(BUSY), memory_bytes=1 << 50)], WIDE)):
        found = mined(problem)
        assert (found.solution, found.pool, found.work) == (None, (), 0.0)
        assert found.finished
        assert walked(problem).visited == 0


def test_memory_is_kept() -> None:
    space = template(hbm_bytes=(8 << 30, 16 << 30))
    problem = search([task_of(graph_of(BUSY), memory_bytes=9 << 30)], space)
    assert {e.design.hbm_bytes for e in mined(problem).pool} == {16 << 30}


@pytest.mark.parametrize("wrong", [{"growth": "triple"}, {"order": "random"}, {"start": "middle"}])
def test_unknown_options_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="must be one of"):
        make_solver("design-search", "wham-like", **wrong)


def test_a_real_model_is_mined_to_within_the_tie_of_brute_force() -> None:
    from accmine.search import search_problem

    plan, library = planned(models=("gpt",), limits={"area": "417 mm^2"})
    problem = search_problem(plan, plan.groups("heterogeneous")[0], 1, library)
    least = min(e.value for e in everything(problem))
    assert top(mined(problem))[0].value <= least * (1 + 1e-3)
