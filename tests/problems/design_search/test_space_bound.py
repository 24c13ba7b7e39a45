"""Bounds over the whole space: never above what any verified schedule of any design achieves."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from math import inf
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.hardware import Calibration, Template, count_feasible
from accmine.hardware.technology import area_mm2, tdp_w
from accmine.ports import Stop
from accmine.problems.design_search import Problem
from accmine.problems.design_search.lowering import lower
from accmine.problems.design_search.space_bound import block_of, blocks, phase_bounds, relative_value, scan
from accmine.solving import solve
from accmine.workload import OperatorGraph
from tests.samples.search_sample import (
    Shape,
    design,
    designs,
    everything,
    fits,
    graph_of,
    listed,
    paired,
    planned,
    search,
    shapes,
    task_of,
    technology,
    template,
)

SPLITS = st.sampled_from(("even", "powers", "none"))
ODD = template(tensor_cores=(1, 3, 5, 7), vector_cores=(1, 2, 6), hbm_bytes_per_s=(7 * 10**9, 70 * 10**9))
"""Unequal core counts, most of them no powers of two."""
WIDE = template(tensor_rows=(4, 8), vector_lanes=(4, 16), hbm_bytes_per_s=(7 * 10**9, 70 * 10**9))


def bound_of(problem: Problem, at: Any, *, paths: bool) -> list[list[float]]:
    """The bound of every phase of one design, in seconds."""
    block = block_of(problem, at)
    i = block.tensor_counts.tolist().index(at.tensor_cores)
    j = block.vector_counts.tolist().index(at.vector_cores)
    return [[float(phase[i, j]) for phase in own] for own in phase_bounds(problem, block, paths=paths)]


def rule_of(found: list[Shape], pair: bool) -> OperatorGraph:
    """The graph, under WHAM's rule for fused operators if ``pair``."""
    return paired(graph_of(found)) if pair else graph_of(found)


@settings(max_examples=15, deadline=None)
@given(shapes(7), SPLITS, st.booleans(), st.booleans(), st.sampled_from((WIDE, ODD)))
def test_no_list_schedule_is_below_the_bound(
    found: list[Shape], split: str, paths: bool, pair: bool, space: Template
) -> None:
    task = task_of(rule_of(found, pair), rule_of(found[:1], pair), repeats=(3, 1))
    problem = search([task], space, split=split)
    for d in designs(space):
        for cycles, bound in zip(listed(problem, d).cycles[0], bound_of(problem, d, paths=paths)[0], strict=True):
            assert bound * d.frequency_hz <= cycles * (1 + 1e-12)


@settings(max_examples=6, deadline=None)
@given(shapes(5), SPLITS, st.booleans(), st.sampled_from((7, 700)))
def test_no_optimal_schedule_is_below_the_bound(found: list[Shape], split: str, pair: bool, gbps: int) -> None:
    small = template(tensor_cores=(1, 3, 5), vector_cores=(1, 2), hbm_bytes_per_s=(gbps * 10**9,))
    problem = search([task_of(rule_of(found, pair))], small, split=split)
    for d in designs(small):
        part = lower(problem.tasks[0].phases[0].graph, problem.library, d)
        result = solve(part.problem, "cp-sat", stop=Stop(work=5), seed=0)
        assert result.objective is not None
        ((with_paths,),) = bound_of(problem, d, paths=True)
        ((without,),) = bound_of(problem, d, paths=False)
        assert without <= with_paths
        assert with_paths * d.frequency_hz <= result.objective * (1 + 1e-12)


@settings(max_examples=10, deadline=None)
@given(shapes(7), SPLITS, st.booleans(), st.sampled_from((7, 70, 7000)))
def test_no_schedule_of_a_calibrated_design_is_below_the_bound(
    found: list[Shape], split: str, pair: bool, gbps: int
) -> None:
    slow = replace(ODD, calibration=Calibration(1e-8, 0.7, 0.4, 0.6), hbm_bytes_per_s=(gbps * 10**9,))
    problem = search([task_of(rule_of(found, pair))], slow, split=split)
    for d in designs(slow):
        ((bound,),) = bound_of(problem, d, paths=True)
        assert bound * d.frequency_hz <= listed(problem, d).cycles[0][0] * (1 + 1e-12)


@settings(max_examples=15, deadline=None)
@given(st.sampled_from(("gemm", "vector", "fused")), st.sampled_from((1, 5, 16, 300)), SPLITS, st.booleans())
def test_the_bound_of_one_operator_is_its_fastest_pair_of_splits(kind: str, size: int, split: str, pair: bool) -> None:
    """By trying every pair of splits that fits, whether or not a design of these counts may hold it."""
    problem = search(
        [task_of(rule_of([(kind, size, ())], pair))], replace(ODD, hbm_bytes_per_s=(7 * 10**11,)), split=split
    )
    library = problem.library
    for d in designs(problem.template):
        costs = library.costs(d)
        least = min(
            max(int(costs.tensor.cycles[0, i]), int(costs.vector.cycles[0, j]))
            for (i, t), (j, v) in product(enumerate(library.splits), repeat=2)
            if (not costs.uses_tensor[0] or t <= d.tensor_cores)
            and (not costs.uses_vector[0] or v <= d.vector_cores)
            and (not pair or kind != "fused" or t == v)
        )
        ((bound,),) = bound_of(problem, d, paths=True)
        own = int(library.modes(d)[0].duration[0])
        assert round(bound * d.frequency_hz) == least <= own
        assert split == "even" or least == own


@settings(max_examples=15, deadline=None)
@given(shapes(7), st.sampled_from(("powers", "none")), st.booleans())
def test_paths_only_tighten_and_a_lone_chain_is_exact(found: list[Shape], split: str, pair: bool) -> None:
    chain: list[Shape] = [(kind, size, (i - 1,) if i else ()) for i, (kind, size, _) in enumerate(found)]
    space = replace(ODD, hbm_bytes_per_s=(7 * 10**11,))
    problem = search([task_of(rule_of(chain, pair))], space, split=split)
    for d in designs(problem.template):
        ((tight,),) = bound_of(problem, d, paths=True)
        ((loose,),) = bound_of(problem, d, paths=False)
        assert loose <= tight
        assert round(tight * d.frequency_hz) == listed(problem, d).cycles[0][0], (
            "one after the other, bound by computing"
        )


def value_of(problem: Problem, d: Any) -> float:
    """The full bound of the value of one design, from the words of the module."""
    block = block_of(problem, d)
    values = relative_value(problem)(phase_bounds(problem, block, paths=True), block)
    return float(
        values[block.tensor_counts.tolist().index(d.tensor_cores), block.vector_counts.tolist().index(d.vector_cores)]
    )


@settings(max_examples=10, deadline=None)
@given(shapes(6), shapes(4), SPLITS, st.sampled_from(("throughput", "throughput-per-tdp")), st.floats(0, 1), st.data())
def test_scan_is_the_least_bound_of_all_designs(
    one: list[Shape], two: list[Shape], split: str, objective: str, tightness: float, data: st.DataObject
) -> None:
    tasks = [task_of(graph_of(one), repeats=(4,)), task_of(graph_of(two), name="u")]
    free = search(
        tasks, WIDE, split=split, objective=objective, aggregate=data.draw(st.sampled_from(("worst", "mean")))
    )
    areas = sorted(area_mm2(d, free.technology) for d in designs(WIDE))
    limit = areas[int(tightness * (len(areas) - 1))]
    values = [e.relative for e in (listed(free, d) for d in designs(WIDE))]
    floor = data.draw(st.sampled_from((0.0, 1 / float(np.median(values))))) if objective != "throughput" else 0.0
    problem = replace(free, area_mm2=limit, floor=floor)
    within = [d for d in designs(WIDE) if fits(problem, d)]
    found = scan(problem)
    assert found.feasible == len(within) == count_feasible(WIDE, technology(), area_mm2=limit)
    assert found.value == pytest.approx(min(value_of(problem, d) for d in within), rel=1e-12)
    least = min(e.value for e in everything(problem))
    assert found.value <= least * (1 + 1e-12)
    if found.design is not None:
        assert found.design in within
        assert value_of(problem, found.design) == pytest.approx(found.value, rel=1e-12)
    else:
        assert found.value == inf == least


@settings(max_examples=10, deadline=None)
@given(shapes(6), st.lists(st.floats(0, 1), min_size=2, max_size=2))
def test_larger_limits_never_raise_the_bound(found: list[Shape], at: list[float]) -> None:
    problem = search([task_of(graph_of(found))], WIDE)
    tdps = sorted(tdp_w(d, problem.technology) for d in designs(WIDE))
    tight, loose = (tdps[int(x * (len(tdps) - 1))] for x in sorted(at))
    a, b = scan(replace(problem, tdp_w=tight)), scan(replace(problem, tdp_w=loose))
    assert b.value <= a.value
    assert b.feasible >= a.feasible >= 1


@settings(max_examples=10, deadline=None)
@given(shapes(7))
def test_names_of_operators_do_not_matter(found: list[Shape]) -> None:
    renamed = [f"another{i}" for i in range(len(found))]
    a = scan(search([task_of(graph_of(found))], WIDE))
    assert a == scan(search([task_of(graph_of(found, renamed))], WIDE))


def test_a_cheap_value_changes_nothing_but_the_time() -> None:
    problem = search([task_of(graph_of([("gemm", 64, ()), ("vector", 300, ()), ("fused", 16, (0, 1))]))], WIDE)
    value = relative_value(problem)
    calls = []

    def counted(seconds: Any, block: Any) -> Any:
        calls.append(block)
        return value(seconds, block)

    assert scan(problem, counted, lambda seconds, block: value(seconds, block) * 0.9) == scan(problem)
    assert len(calls) <= len(list(blocks(problem)))


def test_nothing_fits() -> None:
    problem = search([task_of(graph_of([("gemm", 5, ())]))], area_mm2=1.0)
    assert scan(problem) == type(scan(problem))(inf, None, 0)
    hungry = search([task_of(graph_of([("gemm", 5, ())]), memory_bytes=1 << 40)])
    assert scan(hungry).feasible == 0


def test_memory_leaves_out_blocks_with_less() -> None:
    sizes = template(hbm_bytes=(8 << 30, 16 << 30))
    problem = search([task_of(graph_of([("gemm", 5, ())]), memory_bytes=9 << 30)], sizes)
    assert {block.types.hbm_bytes for block in blocks(problem)} == {16 << 30}
    assert scan(problem).feasible == sizes.size // 2


def test_blocks_agree_with_designs() -> None:
    problem = search([task_of(graph_of([("gemm", 5, ())]))], WIDE)
    seen = []
    for block in blocks(problem):
        for flat in range(block.fits.size):
            d = block.design(flat)
            seen.append(d)
            assert block.area_mm2.flat[flat] == pytest.approx(area_mm2(d, problem.technology), rel=1e-12)
            assert block.tdp_w.flat[flat] == pytest.approx(tdp_w(d, problem.technology), rel=1e-12)
    assert sorted(seen) == sorted(designs(WIDE))


@pytest.mark.parametrize("fusion", ["elementwise", "paired"])
@pytest.mark.parametrize("split", ["even", "powers", "none"])
@pytest.mark.parametrize("models", [("mlp",), ("gpt",), ("mlp", "gpt")])
def test_training_graphs(models: tuple[str, ...], split: str, fusion: str) -> None:
    from accmine.search import search_problem

    plan, library = planned(models=models, mode="common", operator_split=split, workload={"fusion": fusion})
    problem = search_problem(plan, plan.groups("common")[0], 1, library)
    assert scan(problem).value <= min(e.value for e in everything(problem))
    assert scan(problem).feasible == count_feasible(plan.template, plan.technology)


def test_a_design_that_holds_more_cores_than_splits_has_no_wider_mode() -> None:
    task, space = task_of(graph_of([("gemm", 300, ())])), template(tensor_cores=(4, 5, 6, 7))

    def bounds(split: str) -> list[float]:
        problem = search([task], space, split=split)
        return [bound_of(problem, design(n), paths=True)[0][0] for n in (4, 5, 6, 7)]

    assert len(set(bounds("powers"))) == len(set(bounds("none"))) == 1
    even = bounds("even")
    assert sorted(even, reverse=True) == even
    assert len(set(even)) == 4, "each count is a split of its own"


@pytest.mark.parametrize("counts", [(1, 9, 11, 13, 63, 64), (57, 65, 71, 100), (128,), tuple(range(1, 80))])
def test_paths_of_few_counts_are_bounds_of_those_below(counts: tuple[int, ...]) -> None:
    """Counts without paths of their own take those of the next larger one, which is no slower; the largest its own."""
    space = template(tensor_cores=counts, vector_cores=(1,), tensor_rows=(4,), hbm_bytes_per_s=(7 * 10**11,))
    problem = search([task_of(graph_of([("gemm", 300, ())]))], space)
    splits = np.array(problem.library.splits)
    for d in designs(space):
        costs = problem.library.costs(d)
        ((bound,),) = bound_of(problem, d, paths=True)
        exact = int(costs.tensor.cycles[0, splits <= d.tensor_cores].min())
        assert round(bound * d.frequency_hz) <= exact
        assert d.tensor_cores not in (1, max(counts)) or round(bound * d.frequency_hz) == exact


@pytest.mark.full
@settings(max_examples=60, deadline=None)
@given(shapes(10), SPLITS, st.booleans())
def test_no_list_schedule_is_below_the_bound_in_a_larger_sample(found: list[Shape], split: str, pair: bool) -> None:
    problem = search([task_of(rule_of(found, pair))], ODD, split=split)
    for d in designs(ODD):
        ((bound,),) = bound_of(problem, d, paths=True)
        assert bound * d.frequency_hz <= listed(problem, d).cycles[0][0] * (1 + 1e-12)
