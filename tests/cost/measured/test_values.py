"""Measured values in cost arrays: what takes them, what keeps its own, and what no measurement can push below."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.cost import INVALID, MeasuredRow, OperatorCosts
from accmine.cost.measured.values import INTERPOLATED, MEASURED, MODELLED, Change, Values
from accmine.hardware import Design, TensorCore, VectorCore

TENSOR = TensorCore(8, 8, 1 << 16)
DESIGN = Design(2, TENSOR, 2, VectorCore(8, 2, 1 << 15), 16 << 30, 70 * 10**9, 700 * 10**6)  # 100 bytes per cycle
LAUNCH = 10
PRODUCT, VECTOR, FUSED = range(3)


def table(rows: list[list[int]]) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    return np.array(rows, dtype=np.int64)


def costs() -> OperatorCosts:
    """A product, a vector operator and a fused one, on one and two cores; the vector operator fits only one."""
    return OperatorCosts(
        cycles=table([[400, 200], [300, INVALID], [500, 250]]),
        hbm_bytes=table([[60_000, 60_000], [20_000, 10_000], [30_000, 30_000]]),
        energy_pj=np.array([[5.0, 6.0], [7.0, np.inf], [8.0, 9.0]]),
        ideal_cycles=table([[100, 50], [80, 40], [90, 45]]),
        mac_cycles=table([[100, 50], [0, 0], [90, 45]]),
        tensor_cycles=table([[400, 200], [0, 0], [500, 250]]),
        vector_cycles=table([[0, 0], [300, INVALID], [200, 100]]),
        port_cycles=table([[150, 80], [60, 30], [70, 40]]),
        uses_tensor=np.array([True, False, True]),
        uses_vector=np.array([False, True, True]),
        compulsory_bytes=np.array([40_000, 10_000, 30_000], dtype=np.int64),
        splits=(1, 2),
        launch_cycles=LAUNCH,
    )


def values(cycles: float, hbm_bytes: float = np.nan, picojoules: float = np.nan) -> Values:
    return Values(np.array([cycles]), np.array([hbm_bytes]), np.array([picojoules]))


def put(work: int, column: int, one: Values) -> tuple[OperatorCosts, list[list[int]]]:
    change = Change(costs(), DESIGN)
    change.put(np.array([work]), column, one, np.array([MEASURED], dtype=np.int8))
    found, origin = change.result()
    return found, origin.tolist()


def row(cycles: int, hbm_bytes: int | None, joules: float | None) -> MeasuredRow:
    return MeasuredRow("gemm", (8, 8, 8, 1), "bf16", TENSOR, 1, cycles, hbm_bytes, joules, "test", "test:1")


def test_rows_as_arrays() -> None:
    found = Values.of([row(100, 2048, 3e-9), row(7, None, None), row(9, 0, 0.0)])
    assert found.cycles.tolist() == [100, 7, 9]
    assert np.array_equal(found.hbm_bytes, [2048, np.nan, 0], equal_nan=True), "no bytes are not none measured"
    assert found.picojoules[0] == pytest.approx(3000)
    assert np.isnan(found.picojoules[1])
    assert found.picojoules[2] == 0
    assert Values.of([]).cycles.shape == (0,)


def test_bytes_and_energy_are_taken_only_with_all() -> None:
    found = Values.of([row(1, 10, 1e-12), row(2, 20, 2e-12), row(3, 30, 3e-12)])
    taken = found.take(np.array([2, 0, 2]), np.array([True, True, False]))
    assert taken.cycles.tolist() == [3, 1, 3]
    assert np.array_equal(taken.hbm_bytes, [30, 10, np.nan], equal_nan=True)
    assert np.allclose(taken.picojoules, [3, 1, np.nan], equal_nan=True)


def test_nothing_put_changes_nothing() -> None:
    own = costs()
    found, origin = Change(own, DESIGN).result()
    assert np.all(origin == MODELLED)
    for name in ("cycles", "tensor_cycles", "vector_cycles", "port_cycles", "hbm_bytes", "energy_pj"):
        assert np.array_equal(getattr(found, name), getattr(own, name)), name


def test_the_time_of_a_product_is_of_its_slowest_level() -> None:
    change = Change(costs(), DESIGN)
    assert change.product_cycles(np.array([PRODUCT, FUSED]), 0).tolist() == [LAUNCH + 600, LAUNCH + 500]
    assert change.product_cycles(np.array([VECTOR]), 1).tolist() == [np.inf], "more cores than it has work for"


def test_a_measured_product() -> None:
    found, origin = put(PRODUCT, 0, values(410.2, 55_000, 12.0))
    assert found.cycles[PRODUCT, 0] + LAUNCH == 411, "launch included, rounded up"
    assert (found.hbm_bytes[PRODUCT, 0], found.energy_pj is not None and found.energy_pj[PRODUCT, 0]) == (55_000, 12)
    assert origin == [[MEASURED, MODELLED], [MODELLED, MODELLED], [MODELLED, MODELLED]]
    own = costs()
    others = np.ones((3, 2), dtype=bool)
    others[PRODUCT, 0] = False
    for name in ("cycles", "tensor_cycles", "vector_cycles", "port_cycles", "hbm_bytes", "energy_pj"):
        assert np.array_equal(getattr(found, name)[others], getattr(own, name)[others]), name


def test_less_time_than_the_modelled_traffic_takes_is_less_traffic() -> None:
    found, _ = put(PRODUCT, 0, values(460))
    assert found.hbm_bytes[PRODUCT, 0] == 450 * 100
    assert found.energy_pj is not None
    assert found.energy_pj[PRODUCT, 0] == 5.0, "not measured, so modelled"


def test_a_measured_vector_operator() -> None:
    found, _ = put(VECTOR, 0, values(1000))
    assert (found.vector_cycles[VECTOR, 0], found.tensor_cycles[VECTOR, 0], found.cycles[VECTOR, 0]) == (990, 0, 990)
    assert found.hbm_bytes[VECTOR, 0] == 20_000


def test_more_cores_than_it_has_work_for_stay_so() -> None:
    found, origin = put(VECTOR, 1, values(100, 12_000, 1.0))
    assert found.cycles[VECTOR, 1] == INVALID
    assert found.hbm_bytes[VECTOR, 1] == 10_000
    assert origin[VECTOR][1] == MODELLED


def test_a_fused_operator_takes_the_time_for_its_tensor_side() -> None:
    found, _ = put(FUSED, 0, values(110, 1, np.nan))
    assert found.tensor_cycles[FUSED, 0] == 100
    assert (found.vector_cycles[FUSED, 0], found.port_cycles[FUSED, 0]) == (200, 70)
    assert found.cycles[FUSED, 0] == 200, "its vector side is slower now"
    assert found.hbm_bytes[FUSED, 0] == 30_000


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from([(PRODUCT, 0), (PRODUCT, 1), (VECTOR, 0), (FUSED, 0), (FUSED, 1)]),
    st.floats(1, 5000),
    st.one_of(st.just(np.nan), st.floats(0, 1e6)),
)
def test_no_measurement_is_below_the_arithmetic_or_below_each_tensor_once(
    at: tuple[int, int], cycles: float, moved: float
) -> None:
    own = costs()
    found, _ = put(*at, values(cycles, moved))
    assert found.cycles[at] >= own.ideal_cycles[at]
    assert found.cycles[at] == max(found.tensor_cycles[at], found.vector_cycles[at], found.port_cycles[at])
    assert found.hbm_bytes[at] >= own.compulsory_bytes[at[0]]
    if at[0] != FUSED:
        assert found.cycles[at] == max(np.ceil(cycles - 1e-6) - LAUNCH, own.ideal_cycles[at])
    slower, _ = put(*at, values(cycles + 100, moved))
    assert slower.cycles[at] >= found.cycles[at]


@settings(max_examples=40, deadline=None)
@given(st.sampled_from([0, 1]), st.integers(130, 5000), st.integers(40_000, 10**6), st.floats(0.1, 100))
def test_scaled_by_its_own_ratio_a_product_is_what_was_measured(
    column: int, cycles: int, moved: int, picojoules: float
) -> None:
    measured = values(cycles, moved, picojoules)
    change = Change(costs(), DESIGN)
    at = np.array([PRODUCT])
    change.scale(at, column, measured.over(change, at, column), np.array([True]))
    scaled, origin = change.result()
    exact, _ = put(PRODUCT, column, measured)
    assert origin[PRODUCT, column] == INTERPOLATED
    assert scaled.cycles[PRODUCT, column] == exact.cycles[PRODUCT, column]
    assert scaled.hbm_bytes[PRODUCT, column] == exact.hbm_bytes[PRODUCT, column]
    assert scaled.energy_pj is not None
    assert scaled.energy_pj[PRODUCT, column] == pytest.approx(picojoules)


def test_a_ratio_of_time_alone_keeps_the_energy() -> None:
    change = Change(costs(), DESIGN)
    at = np.array([PRODUCT])
    ratio = np.array([[2.0], [np.nan], [np.nan]])
    change.scale(at, 0, ratio, np.array([True]))
    found, _ = change.result()
    assert found.cycles[PRODUCT, 0] == 2 * (600 + LAUNCH) - LAUNCH
    assert found.hbm_bytes[PRODUCT, 0] == 60_000
    assert found.energy_pj is not None
    assert found.energy_pj[PRODUCT, 0] == 5.0


def test_ratios() -> None:
    change = Change(costs(), DESIGN)
    found = values(1220, 30_000, 20.0).over(change, np.array([PRODUCT]), 0)
    assert found[:, 0].tolist() == [2.0, 0.5, 4.0]
    assert np.isnan(values(1220).over(change, np.array([PRODUCT]), 0)[1:, 0]).all(), "not measured"
    assert np.isnan(values(100, 1, 1.0).over(change, np.array([VECTOR]), 1)).all(), "nothing modelled to compare with"
    plain = Change(replace(costs(), energy_pj=None), DESIGN)
    assert np.isnan(values(1220, 30_000, 20.0).over(plain, np.array([PRODUCT]), 0)[2, 0])
    assert plain.result()[0].energy_pj is None
