"""Measured values in cost arrays: what takes them, what keeps its own, and what no measurement can push below."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.cost import INVALID, MeasuredRow, OperatorCosts, combine, no_corrections
from accmine.cost.measured.values import INTERPOLATED, MEASURED, MODELLED, Change, Values
from accmine.cost.operator_costs import TypeCosts
from accmine.hardware import Design, TensorCore, VectorCore

TENSOR = TensorCore(8, 8, 1 << 16)
DESIGN = Design(2, TENSOR, 2, VectorCore(8, 2, 1 << 15), 16 << 30, 70 * 10**9, 700 * 10**6)  # 100 bytes per cycle
LAUNCH = 10
PRODUCT, VECTOR, FUSED = range(3)


def table(rows: list[list[int]]) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    return np.array(rows, dtype=np.int64)


COMPULSORY = np.array([40_000, 10_000, 30_000], dtype=np.int64)
COMPULSORY_PJ = np.array([2.0, 1.0, 3.0])


def tensor_side() -> TypeCosts:
    """Of a product, a vector operator and a fused one, on one and two cores."""
    return TypeCosts(
        cycles=table([[400, 200], [0, 0], [500, 250]]),
        hbm_bytes=table([[60_000, 60_000], [10_000, 10_000], [32_000, 34_000]]),
        energy_pj=np.array([[3.0, 4.0], [0.0, 0.0], [4.0, 5.0]]),
        ideal_cycles=table([[100, 50], [0, 0], [90, 45]]),
        port_cycles=table([[150, 80], [0, 0], [70, 40]]),
        used=np.array([True, False, True]),
        compulsory_bytes=COMPULSORY,
        compulsory_pj=COMPULSORY_PJ,
        splits=(1, 2),
    )


def vector_side() -> TypeCosts:
    """Of the same; the vector operator fits only one core."""
    return TypeCosts(
        cycles=table([[0, 0], [300, INVALID], [200, 100]]),
        hbm_bytes=table([[40_000, 40_000], [20_000, 10_000], [31_000, 31_000]]),
        energy_pj=np.array([[0.0, 0.0], [6.0, np.inf], [1.0, 1.0]]),
        ideal_cycles=table([[0, 0], [80, 40], [60, 30]]),
        port_cycles=table([[0, 0], [60, 0], [20, 10]]),
        used=np.array([False, True, True]),
        compulsory_bytes=COMPULSORY,
        compulsory_pj=COMPULSORY_PJ,
        splits=(1, 2),
    )


def costs() -> OperatorCosts:
    """Both, behind a launch."""
    launched = replace(no_corrections(3), launch_cycles=np.full(3, LAUNCH))
    return combine(tensor_side(), vector_side(), launched)


def too_small() -> Change:
    """Of costs whose product has work for one core only."""
    tensor = tensor_side()
    tensor.cycles[PRODUCT, 1] = INVALID
    return Change(combine(tensor, vector_side()), DESIGN)


def differing(one: TypeCosts, other: TypeCosts) -> set[tuple[str, int, int]]:
    """Where two sides differ: (what, work, column)."""
    return {
        (name, int(work), int(column))
        for name in ("cycles", "hbm_bytes", "energy_pj", "port_cycles", "ideal_cycles")
        for work, column in np.argwhere(getattr(one, name) != getattr(other, name))
    }


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
    assert not differing(found.tensor, own.tensor) | differing(found.vector, own.vector)


def test_the_time_of_a_product_is_of_its_slowest_level() -> None:
    change = Change(costs(), DESIGN)
    assert change.product_cycles(np.array([PRODUCT, FUSED]), 0).tolist() == [LAUNCH + 600, LAUNCH + 500]
    assert too_small().product_cycles(np.array([PRODUCT]), 1).tolist() == [np.inf], "more cores than it has work for"


def test_a_measured_product() -> None:
    found, origin = put(PRODUCT, 0, values(410.2, 55_000, 12.0))
    assert found.cycles[PRODUCT, 0] + LAUNCH == 411, "launch included, rounded up"
    assert (found.hbm_bytes[PRODUCT, 0], found.energy_pj is not None and found.energy_pj[PRODUCT, 0]) == (55_000, 12)
    assert origin == [[MEASURED, MODELLED], [MODELLED, MODELLED], [MODELLED, MODELLED]]
    own = costs()
    assert differing(found.tensor, own.tensor) == {(name, PRODUCT, 0) for name in ("cycles", "hbm_bytes", "energy_pj")}
    assert not differing(found.vector, own.vector)
    assert not differing(own.tensor, tensor_side()), "the model itself is not changed"


def test_less_time_than_the_modelled_traffic_takes_is_less_traffic() -> None:
    found, _ = put(PRODUCT, 0, values(460))
    assert found.hbm_bytes[PRODUCT, 0] == 450 * 100
    assert found.energy_pj is not None
    assert found.energy_pj[PRODUCT, 0] == 5.0, "not measured, so modelled"


def test_a_measured_vector_operator() -> None:
    found, _ = put(VECTOR, 0, values(1000))
    assert (found.vector_cycles[VECTOR, 0], found.tensor_cycles[VECTOR, 0], found.cycles[VECTOR, 0]) == (990, 0, 990)
    assert found.hbm_bytes[VECTOR, 0] == 20_000
    assert differing(found.vector, costs().vector) == {("cycles", VECTOR, 0)}
    assert not differing(found.tensor, costs().tensor)
    full, _ = put(VECTOR, 0, values(1000, 17_000, 9.0))
    assert full.energy_pj is not None
    assert (full.hbm_bytes[VECTOR, 0], full.energy_pj[VECTOR, 0]) == (17_000, 9.0)


def test_more_cores_than_it_has_work_for_stay_so() -> None:
    change = too_small()
    change.scale(np.array([PRODUCT]), 1, np.array([[2.0], [np.nan], [np.nan]]), np.array([True]))
    change.put(np.array([PRODUCT]), 1, values(100, 50_000, 1.0), np.array([MEASURED], dtype=np.int8))
    assert not differing(change.result()[0].tensor, too_small().tensor)
    assert not change.origin.any()
    found, origin = put(VECTOR, 1, values(100, 12_000, 1.0))
    assert found.cycles[VECTOR, 1] == INVALID
    assert found.hbm_bytes[VECTOR, 1] == 10_000
    assert origin[VECTOR][1] == MODELLED


@pytest.mark.parametrize("column", [0, 1])
def test_a_fused_operator_takes_the_time_for_its_tensor_side(column: int) -> None:
    own = costs()
    found, origin = put(FUSED, column, values(110, 1, np.nan))
    # On as many tensor cores, whatever vector cores stand beside them; traffic and energy stay modelled.
    assert differing(found.tensor, own.tensor) == {("cycles", FUSED, column)}
    assert not differing(found.vector, own.vector)
    assert found.tensor.cycles[FUSED, column] == 110 - LAUNCH
    assert origin[FUSED][column] == MEASURED
    assert origin[FUSED][1 - column] == MODELLED
    assert found.cycles[FUSED].tolist() == [[200, 250], [500, 100]][column], "its vector side may be slower now"
    assert found.hbm_bytes[FUSED].tolist() == [33_000, 35_000], "each tensor once, and the re-reads of both sides"


def test_the_port_of_a_fused_operator_stays_a_bound() -> None:
    found, _ = put(FUSED, 0, values(LAUNCH + 90))
    assert (found.tensor.port_cycles[FUSED, 0], found.vector.port_cycles[FUSED, 0]) == (70, 20)
    alone, _ = put(PRODUCT, 0, values(LAUNCH + 110))
    assert alone.port_cycles[PRODUCT, 0] == 110, "measured with everything it waited for"


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
    for side in (found.tensor, found.vector):
        assert (side.hbm_bytes >= own.compulsory_bytes[:, None]).all()
        assert (side.cycles >= side.ideal_cycles).all()
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
    none = values(100, 1, 1.0).over(too_small(), np.array([PRODUCT]), 1)
    assert np.isnan(none).all(), "nothing modelled to compare with"
    tensor, vector = (replace(side, energy_pj=None, compulsory_pj=None) for side in (tensor_side(), vector_side()))
    plain = Change(combine(tensor, vector), DESIGN)
    assert np.isnan(values(1220, 30_000, 20.0).over(plain, np.array([PRODUCT]), 0)[2, 0])
    assert plain.result()[0].energy_pj is None
