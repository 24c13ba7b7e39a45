"""Draws of constants: in their bands, centred on the files, repeatable, and nothing drawn that should not be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accmine.errors import InputError
from accmine.hardware import Calibration
from accmine.hardware.technology import Technology, load_technology
from accmine.questions.stability.draws import (
    NOT_DRAWN,
    RANGES,
    Constant,
    constants_of,
    drawn,
    factors,
    moved,
    swung,
    timing_constants,
)


@pytest.fixture(scope="module")
def technology() -> Technology:
    return load_technology("tpu-16nm")


@given(st.integers(0, 50), st.integers(1, 40))
def test_draws_lie_in_their_bands_and_repeat(seed: int, count: int) -> None:
    constants = constants_of(load_technology("tpu-16nm"), Calibration())
    rows = drawn(constants, count, seed)
    assert rows.shape == (count, len(constants))
    for constant, column in zip(constants, rows.T, strict=True):
        assert np.all((column >= constant.low * (1 - 1e-12)) & (column <= constant.high * (1 + 1e-12)))
    assert np.array_equal(rows, drawn(constants, count, seed))
    assert np.array_equal(rows[: count // 2], drawn(constants, count // 2, seed))


def test_factors_are_as_likely_up_as_down(technology: Technology) -> None:
    constants = constants_of(technology, Calibration())
    rows = drawn(constants, 4000, 1)
    for constant, column in zip(constants, rows.T, strict=True):
        if not constant.is_timing:
            assert abs(np.mean(column > 1) - 0.5) < 0.04, constant.name
            assert constant.low == pytest.approx(1 / constant.high)
    independent = np.asarray(np.corrcoef(rows.T))[~np.eye(len(constants), dtype=bool)]
    assert np.abs(independent).max() < 0.08


def test_what_is_drawn(technology: Technology) -> None:
    names = [c.name for c in constants_of(technology, Calibration())]
    banded = {c.name for c in technology.constants if c.band > 0}
    assert {name for name in names if not name.startswith("timing.")} == banded - set(NOT_DRAWN) - {"node_nm"}
    assert {name.removeprefix("timing.") for name in names if name.startswith("timing.")} == set(RANGES)
    assert "area.hbm_stack_bytes" not in names
    wide = replace(technology, constants=tuple(replace(c, band=0.3) for c in technology.constants))
    assert not set(NOT_DRAWN) & {c.name for c in constants_of(wide, Calibration())}


def test_no_band_at_all_is_an_error(technology: Technology) -> None:
    silent = replace(technology, constants=tuple(replace(c, band=0.0) for c in technology.constants))
    with pytest.raises(InputError, match=r"says nothing of its errors.*relative_error.*give a constant a band"):
        constants_of(silent, Calibration())


def test_swings_move_one_constant(technology: Technology) -> None:
    constants = constants_of(technology, Calibration())
    rows = swung(constants)
    nominal = np.array([c.nominal for c in constants])
    assert len(rows) == 2 * len(constants)
    for i, constant in enumerate(constants):
        for which, value in ((0, constant.low), (1, constant.high)):
            row = rows[2 * i + which]
            assert row[i] == value
            assert np.array_equal(np.delete(row, i), np.delete(nominal, i))


def test_factors_are_those_of_the_technology(technology: Technology) -> None:
    constants = constants_of(technology, Calibration())
    row = drawn(constants, 1, 0)[0]
    found = technology.perturbed(factors(constants, row))
    assert found.area.mac_um2 == pytest.approx(  # type: ignore[union-attr]
        technology.area.mac_um2 * row[[c.name for c in constants].index("area.mac_um2")]  # type: ignore[union-attr]
    )


def test_a_calibration_narrows_the_range() -> None:
    own = Calibration(launch_s=2e-5, array_efficiency=0.9, hbm_efficiency=0.99)
    found = {c.name: c for c in timing_constants(own)}
    assert (found["timing.array_efficiency"].low, found["timing.array_efficiency"].high) == pytest.approx(
        (0.855, 0.945)
    )
    assert found["timing.hbm_efficiency"].high == 1.0  # never above the peak
    assert (found["timing.launch_s"].low, found["timing.launch_s"].high) == pytest.approx((1.5e-5, 2.5e-5))
    assert found["timing.vector_efficiency"].low == RANGES["vector_efficiency"].low
    assert "calibration of the accelerator" in found["timing.launch_s"].source


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0.5, 1), st.floats(0, 1e-4))
def test_a_calibration_moves_along(a: float, b: float, efficiency: float, launch: float) -> None:
    nominal = Calibration()
    constants = timing_constants(nominal)
    quantile = [a, b, a, b]
    row = [c.at(q) for c, q in zip(constants, quantile, strict=True)]
    same = moved(nominal, constants, row)
    for constant, value in zip(constants, row, strict=True):
        assert getattr(same, constant.name.removeprefix("timing.")) == pytest.approx(value, abs=1e-15)
    other = moved(Calibration(launch_s=launch, array_efficiency=efficiency), constants, row)
    assert other.array_efficiency == pytest.approx(efficiency * row[0])
    assert other.launch_s == pytest.approx(launch + row[3])
    assert moved(nominal, constants, [c.nominal for c in constants]) == nominal


def test_a_band_of_zero_stays() -> None:
    constant = Constant("area.mac_um2", 1.0, 1.0, 1.0, "um2", "")
    assert np.array_equal(drawn([constant], 5, 0), np.ones((5, 1)))
