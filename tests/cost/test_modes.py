"""Execution modes: what an operator holds and for how long."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.cost import HBM_SHARES, INVALID, RESOURCES, CostLibrary, ModeTable, splits_up_to
from accmine.cost.modes import hbm_capacity
from accmine.errors import InputError
from accmine.hardware import Calibration, Design
from accmine.problems.design_search.lowering import lower
from accmine.problems.operator_schedule import objective
from accmine.solvers.operator_schedule.critical_path import PORTFOLIO, quick
from tests.samples.search_sample import Shape, design, graph_of, shapes, technology

DESIGNS = st.builds(
    design,
    st.integers(1, 9),
    st.integers(1, 5),
    dim=st.sampled_from((4, 8, 16)),
    lanes=st.sampled_from((4, 16)),
    gbps=st.sampled_from((1, 7, 70, 700)),
)


def library(found: list[Shape], splits: tuple[int, ...] = (1, 2, 4, 8)) -> CostLibrary:
    return CostLibrary([graph_of(found)], splits, "tpu-like", technology())


def rows(table: ModeTable) -> list[tuple[int, ...]]:
    return [(int(d), *map(int, u)) for d, u in zip(table.duration, table.uses, strict=True)]


@pytest.mark.parametrize(("cores", "splits"), [(1, (1,)), (2, (1, 2)), (3, (1, 2)), (64, (1, 2, 4, 8, 16, 32, 64))])
def test_splits_are_powers_of_two(cores: int, splits: tuple[int, ...]) -> None:
    assert splits_up_to(cores) == splits


@settings(max_examples=30, deadline=None)
@given(shapes(), DESIGNS)
def test_a_mode_is_no_shorter_than_its_cycles_and_its_bytes(found: list[Shape], d: Design) -> None:
    lib = library(found)
    costs = lib.costs(d)
    assert costs.energy_pj is not None
    for w, table in enumerate(lib.modes(d)):
        held = set()
        for duration, cycles, (tensor, vector, rate), moved, energy in zip(
            table.duration, table.cycles, table.uses, table.hbm_bytes, table.energy_pj, strict=True
        ):
            split = max(int(tensor), int(vector))
            s = lib.splits.index(split)
            held.add(split)
            assert cycles == costs.cycles[w, s] < INVALID
            assert (tensor, vector) == (split * costs.uses_tensor[w], split * costs.uses_vector[w])
            assert moved == costs.hbm_bytes[w, s]
            assert energy == costs.energy_pj[w, s] > 0
            assert duration >= costs.cycles[w, s]
            assert duration * d.hbm_bytes_per_s >= moved * d.frequency_hz
            assert rate * duration >= moved
            assert rate <= hbm_capacity(d)
            compute_bound = moved <= costs.cycles[w, s] * hbm_capacity(d)
            assert not compute_bound or duration == costs.cycles[w, s], "no reason to run longer"
        assert 1 in held, "nothing holds less than one core"


@settings(max_examples=30, deadline=None)
@given(shapes(), DESIGNS)
def test_modes_are_sorted_and_none_is_dominated(found: list[Shape], d: Design) -> None:
    for table in library(found).modes(d):
        every = rows(table)
        assert every
        assert [row[0] for row in every] == sorted(row[0] for row in every)
        for i, a in enumerate(every):
            assert not any(i != j and all(x <= y for x, y in zip(b, a, strict=True)) for j, b in enumerate(every))


@settings(max_examples=30, deadline=None)
@given(shapes(), DESIGNS)
def test_the_fastest_mode_of_each_split_is_kept_unless_a_smaller_one_is_as_fast(found: list[Shape], d: Design) -> None:
    lib = library(found)
    costs = lib.costs(d)
    capacity = hbm_capacity(d)
    for w, table in enumerate(lib.modes(d)):
        for s, split in enumerate(lib.splits):
            if costs.cycles[w, s] >= INVALID:
                continue
            best = max(int(costs.cycles[w, s]), -(-int(costs.hbm_bytes[w, s]) // capacity))
            assert any(row[0] <= best and max(row[1], row[2]) <= split for row in rows(table))


@settings(max_examples=30, deadline=None)
@given(shapes(), DESIGNS, st.integers(1, 9), st.integers(1, 9))
def test_within_keeps_what_fits_and_nothing_else(found: list[Shape], d: Design, tensor: int, vector: int) -> None:
    for table in library(found).modes(d):
        kept = table.within(tensor, vector)
        keep = [k for k, u in enumerate(table.uses) if u[0] <= tensor and u[1] <= vector]
        assert rows(kept) == [rows(table)[k] for k in keep]
        assert kept.cycles.tolist() == [table.cycles[k] for k in keep]
        assert kept.hbm_bytes.tolist() == [table.hbm_bytes[k] for k in keep]
        assert kept.energy_pj.tolist() == [table.energy_pj[k] for k in keep]
        assert kept.uses.shape == (len(keep), len(RESOURCES))


@settings(max_examples=30)
@given(shapes(), DESIGNS, st.sampled_from(PORTFOLIO))
def test_every_schedule_keeps_the_bandwidth(found: list[Shape], d: Design, policy: str) -> None:
    part = lower(graph_of(found), library(found), d)
    solution = quick(part.problem, (policy,))
    makespan = objective(part.problem, solution)
    assert part.hbm_bytes(solution) * d.frequency_hz <= makespan * d.hbm_bytes_per_s


def test_operators_bound_by_memory_may_hold_part_of_the_bandwidth() -> None:
    lib = library([("vector", 64, ())])
    (slow,) = lib.modes(design(gbps=7))
    capacity = hbm_capacity(design(gbps=7))
    assert {int(rate) for rate in slow.uses[:, 2]} == {max(1, int(capacity * share)) for share in HBM_SHARES}
    (fast,) = lib.modes(design(gbps=7000))
    assert len(set(fast.uses[:, 1])) == len(fast.duration), "bound by computing: one mode per split"


def test_core_counts_do_not_change_modes_and_tables_are_computed_once() -> None:
    lib = library([("fused", 16, ())])
    assert lib.modes(design(1, 1)) is lib.modes(design(8, 3))
    assert lib.modes(design(gbps=70)) is not lib.modes(design(gbps=7))
    two = graph_of([("fused", 16, ()), ("fused", 16, (0,)), ("gemm", 5, (1,))])
    both = CostLibrary([two, graph_of([("gemm", 5, ())])], (1,), "tpu-like", technology())
    assert len(both.works) == 2
    assert both.index(two).tolist() == [0, 1]


def test_one_operator_one_core() -> None:
    for table in library([("fused", 300, ()), ("gemm", 300, ())], (1,)).modes(design()):
        assert table.uses[:, :2].max() == 1


def test_a_calibration_reaches_the_modes() -> None:
    lib, plain = library([("fused", 64, ()), ("vector", 64, (0,))]), design(gbps=7)
    assert lib.modes(plain) is not lib.modes(replace(plain, calibration=Calibration(launch_s=1e-6)))
    launched = replace(plain, calibration=Calibration(launch_s=1e-6))
    for before, after in zip(lib.modes(plain), lib.modes(launched), strict=True):
        assert after.duration[0] == before.duration[0] + launched.launch_cycles
        assert after.uses[0, 2] < before.uses[0, 2], "the same bytes in more time"
    slow = replace(plain, calibration=Calibration(hbm_efficiency=0.5))
    assert hbm_capacity(slow) == hbm_capacity(plain) // 2
    assert all(table.uses[:, 2].max() <= hbm_capacity(slow) for table in lib.modes(slow))


def test_less_than_a_byte_per_cycle_is_refused() -> None:
    slow = replace(design(), hbm_bytes_per_s=10**8)
    with pytest.raises(InputError, match="less than one byte"):
        library([("gemm", 5, ())]).modes(slow)


def test_energy_is_that_of_the_costs_even_for_a_slower_share() -> None:
    (table,) = library([("vector", 64, ())]).modes(design(gbps=7))
    by_split: dict[int, set[float]] = {}
    for uses, energy in zip(table.uses, table.energy_pj, strict=True):
        by_split.setdefault(int(uses[1]), set()).add(float(energy))
    assert all(len(values) == 1 for values in by_split.values())
    assert np.isfinite(table.energy_pj).all()
