"""One cost from two sides: by hand, and laws of times, traffic and what binds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.cost import INVALID, LEVELS, Corrections, OperatorCosts, binding, combine, durations, no_corrections
from accmine.cost.operator_costs import GAIN, TensorCosts, TypeCosts
from accmine.errors import InputError

COMPULSORY = 1000


def side(
    cycles: int, hbm_bytes: int = COMPULSORY, port: int = 0, energy: float | None = None, **more: Any
) -> TypeCosts:
    """One side of one work on one core."""
    return replace(
        TypeCosts(
            np.array([[cycles]], dtype=np.int64),
            np.array([[hbm_bytes]], dtype=np.int64),
            None if energy is None else np.array([[energy]]),
            np.array([[0 if cycles == INVALID else cycles // 2]], dtype=np.int64),
            np.array([[port]], dtype=np.int64),
            np.array([cycles > 0]),
            np.array([COMPULSORY], dtype=np.int64),
            None if energy is None else np.array([10.0]),
            (1,),
        ),
        **more,
    )


def launched(cycles: int) -> Corrections:
    return replace(no_corrections(1), launch_cycles=np.array([cycles]))


def both(tensor: int, vector: int, port: int = 0, hbm_bytes: int = COMPULSORY, launch: int = 0) -> OperatorCosts:
    return combine(side(tensor, hbm_bytes, port), side(vector), launched(launch))


def test_two_sides_by_hand() -> None:
    found = combine(side(100, 1300, 20, 3.0), side(60, 1050, 120, 4.0), launched(7))
    assert found.cycles.tolist() == [[120]], "the port is the slowest"
    assert found.hbm_bytes.tolist() == [[1350]], "each tensor once, and the re-reads of both"
    assert found.energy_pj is not None
    assert found.energy_pj.tolist() == [[17.0]], "both sides, and the compulsory traffic once"
    assert found.ideal_cycles.tolist() == [[50]]
    assert found.mac_cycles.tolist() == [[50]]
    assert (found.uses_tensor.tolist(), found.uses_vector.tolist()) == ([True], [True])
    assert durations(found, 10.0).tolist() == [[7 + 135]]
    assert durations(found, 100.0).tolist() == [[7 + 120]]


amounts = st.integers(0, 10**6)


@settings(max_examples=40, deadline=None)
@given(amounts, amounts, amounts, amounts, st.floats(0.01, 1e4), st.integers(0, 1000))
def test_which_side_is_which_changes_no_total(
    first: int, second: int, port: int, more: int, bandwidth: float, launch: int
) -> None:
    a, b = side(first, COMPULSORY + more, port, 1.0), side(second, COMPULSORY, 5, 2.0)
    one, other = combine(a, b, launched(launch)), combine(b, a, launched(launch))
    for name in ("cycles", "hbm_bytes", "energy_pj", "ideal_cycles", "port_cycles"):
        assert np.array_equal(getattr(one, name), getattr(other, name)), name
    time = durations(one, bandwidth)
    assert np.array_equal(time, durations(other, bandwidth))
    assert (time - launch) * bandwidth >= one.hbm_bytes
    assert time >= one.cycles + launch
    assert time - launch <= np.maximum(one.cycles, np.ceil(one.hbm_bytes / bandwidth) + 1), "no longer than it must"
    assert durations(one, 2 * bandwidth) <= time


@settings(max_examples=40, deadline=None)
@given(amounts, amounts, amounts, amounts, st.floats(0.01, 1e4))
def test_what_binds_is_the_slowest(tensor: int, vector: int, port: int, more: int, bandwidth: float) -> None:
    found = both(tensor, vector, port, COMPULSORY + more)
    times = dict(zip(LEVELS, (tensor, vector, port, (COMPULSORY + more) / bandwidth), strict=True))
    level = LEVELS[int(binding(found, bandwidth)[0, 0])]
    assert times[level] == max(times.values())


def test_of_equally_slow_levels_the_first_binds() -> None:
    assert binding(both(10, 10, 10), 100.0).tolist() == [[0]]
    assert binding(both(9, 10, 10), 100.0).tolist() == [[1]]
    assert binding(both(9, 9, 10), 100.0).tolist() == [[2]]
    assert binding(both(9, 9, 9), 100.0).tolist() == [[3]]


@pytest.mark.parametrize("sides", [(INVALID, 5), (5, INVALID), (INVALID, INVALID)])
def test_one_side_on_too_many_cores_is_the_whole_on_too_many(sides: tuple[int, int]) -> None:
    found = both(*sides, hbm_bytes=5 * COMPULSORY, launch=3)
    assert found.cycles.tolist() == [[INVALID]]
    assert found.hbm_bytes.tolist() == [[COMPULSORY]]
    assert durations(found, 1.0).tolist() == [[INVALID]], "no launch is added to it"
    assert binding(found, 1.0).tolist() == [[-1]]


def test_division_that_rounds_down_leaves_no_traffic_above_the_bandwidth() -> None:
    bandwidth = 0.1
    for moved in range(1000, 1400):
        cycles = int(durations(both(0, 0, hbm_bytes=moved), bandwidth)[0, 0])
        assert cycles * bandwidth >= moved > (cycles - 2) * bandwidth


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"splits": (2,)}, "the same split factors"),
        ({"cycles": np.zeros((2, 1), dtype=np.int64)}, "of the same works"),
        ({"compulsory_bytes": np.array([7])}, "of different works"),
        ({"energy_pj": np.zeros((1, 1))}, "must both have a technology, or neither"),
    ],
)
def test_sides_of_other_works_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        combine(side(1), replace(side(2), **changes))


@pytest.mark.parametrize("bandwidth", [0.0, -1.0, float("nan"), float("inf"), 1e-300])
def test_bandwidths_that_are_none_are_refused(bandwidth: float) -> None:
    with pytest.raises(InputError, match="hbm_bytes_per_cycle"):
        durations(both(1, 1), bandwidth)


def empty(types: int, hbm_pj_per_byte: float | None = 2.0) -> TensorCosts:
    grids = np.array([[1, 1, 1, 1], [1, 2, 1, 3]], dtype=np.int64)
    compulsory = np.array([100, 7], dtype=np.int64)
    return TensorCosts.empty((2, types, 2), np.array([False, False]), compulsory, hbm_pj_per_byte, (1, 2), grids)


def test_a_table_without_products_moves_each_tensor_once() -> None:
    found = empty(3)
    assert found.hbm_bytes.shape == (2, 3, 2)
    assert np.all(found.hbm_bytes == np.array([100, 7])[:, None, None])
    assert found.compulsory_pj is not None
    assert found.compulsory_pj.tolist() == [200, 14]
    assert not found.cycles.any()
    assert found.cut(0, 0, 0) is None
    found.hbm_bytes[0, 0, 0] = 1
    assert found.hbm_bytes[0, 1, 0] == 100, "entries are filled in one by one"
    assert empty(1, None).energy_pj is None
    assert empty(1, None).compulsory_pj is None


def test_a_cut_is_that_of_the_chosen_grid() -> None:
    found = empty(2)
    found.grid[1, 0, 1] = 1
    assert found.cut(1, 0, 1) == (1, 2, 1, 3)
    assert found.cut(1, 1, 1) is None


def test_one_type_of_a_table() -> None:
    found = empty(2)
    found.cycles[:, 1] = 9
    assert np.all(found.of_type(1).cycles == 9)
    assert not found.of_type(0).cycles.any()
    with pytest.raises(InputError, match=r"costs of 2 core types: choose one with of_type"):
        combine(found, found.of_type(0))
    one = empty(1)
    assert np.array_equal(combine(one, one.of_type(0)).hbm_bytes, one.hbm_bytes[:, 0])


def test_of_use_is_what_gains_in_cycles_at_the_port_or_in_traffic() -> None:
    cycles = [[100, 50, 50, 49, 49, 48, INVALID]]
    port = [[10, 10, 5, 5, 5, 5, 1]]
    traffic = [[1000, 1000, 1000, 1000, 980, 980, 1]]
    splits = (1, 2, 3, 4, 5, 6, 7)
    cycles_, port_, traffic_ = (np.array(rows, dtype=np.int64) for rows in (cycles, port, traffic))
    own = replace(side(1), splits=splits, ideal_cycles=np.zeros((1, 7), dtype=np.int64))
    tensor = replace(own, cycles=cycles_, port_cycles=port_, hbm_bytes=traffic_)
    vector = replace(tensor, cycles=np.full((1, 7), 5), port_cycles=np.zeros((1, 7), dtype=np.int64))
    vector = replace(vector, hbm_bytes=np.full((1, 7), COMPULSORY))
    for efficiency in (1.0, 0.5):
        found = combine(tensor, vector, replace(no_corrections(1), array_efficiency=np.array([efficiency])))
        assert found.useful[0].tolist() == [[True, True, True, True, True, True, False]]
        assert found.useful[1].tolist() == [[True] + 6 * [False]]
    assert 49 <= (1 - GAIN) * 50 < 49.9
