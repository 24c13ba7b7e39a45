"""Execution modes: what an operator holds and for how long."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.cost import HBM_SHARES, INVALID, LEVELS, CostLibrary, ModeTable, hbm_capacity, splits_for
from accmine.cost.operator_costs import GAIN
from accmine.hardware import Calibration, Design
from accmine.problems.design_search.lowering import lower
from accmine.problems.operator_schedule import objective
from accmine.solvers.operator_schedule.critical_path import PORTFOLIO, quick
from tests.samples.search_sample import Shape, design, graph_of, paired, shapes, technology

DESIGNS = st.builds(
    design,
    st.integers(1, 9),
    st.integers(1, 5),
    dim=st.sampled_from((4, 8, 16)),
    lanes=st.sampled_from((4, 16)),
    gbps=st.sampled_from((1, 7, 70, 700)),
)
RULES = st.sampled_from(("even", "powers", "none"))


def library(found: list[Shape], counts: tuple[int, ...] = tuple(range(1, 10)), rule: str = "even") -> CostLibrary:
    return CostLibrary([graph_of(found)], splits_for(counts, rule), "tpu-like", technology())


def rows(table: ModeTable) -> list[tuple[int, ...]]:
    return [(int(d), *map(int, u)) for d, u in zip(table.duration, table.uses, strict=True)]


def column(lib: CostLibrary, cores: int) -> int:
    return lib.splits.index(max(1, cores))


def least(lib: CostLibrary, d: Design, work: int) -> int:
    """Shortest duration of a work over every pair of core counts of the table that fits, by plain arithmetic."""
    costs, best = lib.costs(d), INVALID
    launch = int(costs.corrections.launch_cycles[work])
    for (i, t), (j, v) in product(enumerate(lib.splits), repeat=2):
        if (t > d.tensor_cores and costs.uses_tensor[work]) or (v > d.vector_cores and costs.uses_vector[work]):
            continue
        if lib.works[work].paired and costs.uses_tensor[work] and costs.uses_vector[work] and t != v:
            continue
        sides = (costs.tensor.cycles[work, i], costs.vector.cycles[work, j])
        cycles = max(*map(int, sides), int(costs.tensor.port_cycles[work, i]), int(costs.vector.port_cycles[work, j]))
        if cycles == INVALID:
            continue
        moved = int(costs.tensor.hbm_bytes[work, i] + costs.vector.hbm_bytes[work, j] - costs.compulsory_bytes[work])
        best = min(best, launch + max(cycles, -(-moved // hbm_capacity(d))))
    return best


@settings(max_examples=30, deadline=None)
@given(shapes(), DESIGNS, RULES)
def test_a_mode_is_no_shorter_than_its_cycles_and_its_bytes(found: list[Shape], d: Design, rule: str) -> None:
    lib = library(found, rule=rule)
    costs = lib.costs(d)
    tensor, vector = costs.tensor, costs.vector
    assert tensor.energy_pj is not None
    assert vector.energy_pj is not None
    assert tensor.compulsory_pj is not None
    for w, table in enumerate(lib.modes(d)):
        for duration, cycles, (t, v, rate), moved, energy in zip(
            table.duration, table.cycles, table.uses, table.hbm_bytes, table.energy_pj, strict=True
        ):
            i, j = column(lib, int(t)), column(lib, int(v))
            assert (t > 0, v > 0) == (bool(costs.uses_tensor[w]), bool(costs.uses_vector[w]))
            assert t <= d.tensor_cores
            assert v <= d.vector_cores
            ports = max(tensor.port_cycles[w, i], vector.port_cycles[w, j])
            assert cycles == max(tensor.cycles[w, i], vector.cycles[w, j], ports) < INVALID
            assert moved == tensor.hbm_bytes[w, i] + vector.hbm_bytes[w, j] - costs.compulsory_bytes[w]
            own = tensor.energy_pj[w, i] + vector.energy_pj[w, j] + tensor.compulsory_pj[w]
            assert energy == pytest.approx(own, rel=1e-12)
            assert duration >= cycles
            assert duration * d.hbm_bytes_per_s >= moved * d.frequency_hz
            assert rate * duration >= moved
            assert rate <= hbm_capacity(d)
            compute_bound = moved <= cycles * hbm_capacity(d)
            assert not compute_bound or duration == cycles, "no reason to run longer"
        held = {(int(t), int(v)) for t, v, _ in table.uses}
        assert (int(costs.uses_tensor[w]), int(costs.uses_vector[w])) in held, "nothing holds less than one core"


@settings(max_examples=30, deadline=None)
@given(shapes(), DESIGNS, RULES, st.booleans())
def test_modes_are_sorted_none_is_dominated_and_the_fastest_is_there(
    found: list[Shape], d: Design, rule: str, pair: bool
) -> None:
    graph = paired(graph_of(found)) if pair else graph_of(found)
    lib = CostLibrary([graph], splits_for((d.tensor_cores, d.vector_cores), rule), "tpu-like", technology())
    for w, table in enumerate(lib.modes(d)):
        every = rows(table)
        assert every
        assert [row[0] for row in every] == sorted(row[0] for row in every)
        for i, a in enumerate(every):
            assert not any(i != j and all(x <= y for x, y in zip(b, a, strict=True)) for j, b in enumerate(every))
        own = least(lib, d, w)
        assert own <= every[0][0] <= own / (1 - GAIN) + 1, "more cores that save less than that are of no use"


@settings(max_examples=30, deadline=None)
@given(shapes(), DESIGNS, st.sampled_from(("even", "powers")))
def test_paired_sides_hold_equal_numbers_and_are_never_faster(found: list[Shape], d: Design, rule: str) -> None:
    graph = graph_of(found)
    free, bound = (
        CostLibrary([g], splits_for(range(1, 10), rule), "tpu-like", technology()) for g in (graph, paired(graph))
    )
    for w, (own, equal) in enumerate(zip(free.modes(d), bound.modes(d), strict=True)):
        assert own.duration[0] <= equal.duration[0] / (1 - GAIN) + 1
        if free.costs(d).uses_tensor[w] and free.costs(d).uses_vector[w]:
            assert (equal.uses[:, 0] == equal.uses[:, 1]).all()


@settings(max_examples=30, deadline=None)
@given(shapes(), DESIGNS, RULES, st.integers(0, 4), st.integers(0, 4), st.booleans())
def test_each_way_to_run_an_operator_is_one_on_more_cores_as_well(
    found: list[Shape], d: Design, rule: str, t: int, v: int, pair: bool
) -> None:
    graph = paired(graph_of(found)) if pair else graph_of(found)
    lib = CostLibrary([graph], splits_for(range(1, 14), rule), "tpu-like", technology())
    for few, many in zip(lib.modes(d), lib.modes(d.with_cores(d.tensor_cores + t, d.vector_cores + v)), strict=True):
        assert set(rows(few)) <= set(rows(many))
        held = {row for row in rows(many) if row[1] <= d.tensor_cores and row[2] <= d.vector_cores}
        assert set(rows(few)) == held, "a design has the modes that fit it, and no others"


@settings(max_examples=20, deadline=None)
@given(shapes(), DESIGNS, RULES, st.booleans())
def test_a_design_has_the_same_modes_alone_and_in_a_space(found: list[Shape], d: Design, rule: str, pair: bool) -> None:
    graph = paired(graph_of(found)) if pair else graph_of(found)
    alone, among = (
        CostLibrary([graph], splits_for(counts, rule), "tpu-like", technology())
        for counts in ((d.tensor_cores, d.vector_cores), (d.tensor_cores, d.vector_cores, 6, 7, 13))
    )
    for own, other in zip(alone.modes(d), among.modes(d), strict=True):
        assert rows(own) == rows(other)
        assert np.array_equal(own.energy_pj, other.energy_pj)


@settings(max_examples=20, deadline=None)
@given(shapes(), DESIGNS, st.floats(0.3, 1.0), st.floats(0.3, 1.0), st.floats(0.3, 1.0), st.floats(0, 1e-5))
def test_a_calibration_makes_nothing_faster(
    found: list[Shape], d: Design, array: float, vector: float, hbm: float, launch: float
) -> None:
    lib = library(found)
    slower = replace(d, calibration=Calibration(launch, array, vector, hbm))
    if slower.hbm_bytes_per_s * hbm < 2 * slower.frequency_hz:
        return  # less than a byte per cycle is refused
    for w, (before, after) in enumerate(zip(lib.modes(d), lib.modes(slower), strict=True)):
        assert after.duration[0] >= before.duration[0]
        assert least(lib, slower, w) >= least(lib, d, w)


@settings(max_examples=30)
@given(shapes(), DESIGNS, st.sampled_from(PORTFOLIO))
def test_every_schedule_keeps_the_bandwidth(found: list[Shape], d: Design, policy: str) -> None:
    part = lower(graph_of(found), library(found), d)
    solution = quick(part.problem, (policy,))
    makespan = objective(part.problem, solution)
    assert part.hbm_bytes(solution) * d.frequency_hz <= makespan * d.hbm_bytes_per_s


def test_a_fused_operator_takes_the_cores_that_each_side_needs() -> None:
    lib = library([("fused", 64, ())], (1, 2, 4, 8))
    chip = design(8, 8, dim=4, lanes=4, gbps=700)
    (table,) = lib.modes(chip)
    costs = lib.costs(chip)
    t, v = int(table.uses[0, 0]), int(table.uses[0, 1])
    slow = int(table.cycles[0])
    for side, cores in ((costs.tensor, t), (costs.vector, v)):
        fewer = [s for s in lib.splits if s < cores]
        assert side.cycles[0, column(lib, cores)] <= slow
        assert all(side.cycles[0, column(lib, s)] > slow for s in fewer), "fewer cores would do"
    assert t != v


def test_operators_bound_by_memory_may_hold_part_of_the_bandwidth() -> None:
    lib = library([("vector", 64, ())])
    (slow,) = lib.modes(design(gbps=7))
    capacity = hbm_capacity(design(gbps=7))
    assert {int(rate) for rate in slow.uses[:, 2]} == {max(1, int(capacity * share)) for share in HBM_SHARES}
    assert {LEVELS[level] for level in slow.level} == {"hbm"}
    (fast,) = lib.modes(design(gbps=7000))
    assert len(set(fast.uses[:, 1])) == len(fast.duration), "bound by computing: one mode per number of cores"
    assert {LEVELS[level] for level in fast.level} == {"vector"}


def test_energy_is_that_of_the_costs_even_for_a_slower_share() -> None:
    (table,) = library([("vector", 64, ())]).modes(design(gbps=7))
    by_split: dict[int, set[float]] = {}
    for uses, energy in zip(table.uses, table.energy_pj, strict=True):
        by_split.setdefault(int(uses[1]), set()).add(float(energy))
    assert all(len(values) == 1 for values in by_split.values())
    assert np.isfinite(table.energy_pj).all()


@settings(max_examples=30, deadline=None)
@given(st.sampled_from((1, 5, 16, 64, 300)), DESIGNS, st.floats(0, 1e-5))
def test_fused_is_never_slower_than_one_after_the_other(size: int, d: Design, launch: float) -> None:
    d = replace(d, calibration=Calibration(launch))
    graph = graph_of([("fused", size, ())])
    (whole,) = graph.works
    assert whole.gemm is not None
    between = whole.gemm.c_elements * 2
    product = replace(whole, vector=(), bytes_out=between)
    rest = replace(whole, gemm=None, bytes_in=between)
    apart = graph_of([("gemm", size, ()), ("vector", size, (0,))])
    works = (product, rest)
    apart = replace(apart, operators=tuple(replace(o, work=w) for o, w in zip(apart.operators, works, strict=True)))
    lib = CostLibrary([graph, apart], splits_for(range(1, 10), "even"), "tpu-like", technology())
    fastest = {work: int(table.duration[0]) for work, table in zip(lib.works, lib.modes(d), strict=True)}
    assert fastest[whole] <= fastest[product] + fastest[rest]
