"""The roofline: the lower of two ceilings, which meet at the ridge."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accmine.hardware import load_accelerator
from accmine.hardware.calibration import Calibration
from accmine.hardware.roofline import Roofline, roofline

ROOFS = st.builds(Roofline, st.floats(1, 1e15), st.floats(1, 1e15), st.floats(1, 1e13))


@given(ROOFS, st.floats(0, 1e6), st.floats(0, 1e6), st.booleans())
def test_it_rises_to_its_ceiling_and_never_falls(roof: Roofline, one: float, other: float, product: bool) -> None:
    low, high = sorted((one, other))
    ceiling = roof.tensor_flops_per_s if product else roof.vector_flops_per_s
    ridge = roof.tensor_ridge if product else roof.vector_ridge
    assert roof.attainable(low, product=product) <= roof.attainable(high, product=product) <= ceiling
    assert roof.attainable(ridge, product=product) == pytest.approx(ceiling)
    assert roof.attainable(ridge / 2, product=product) == pytest.approx(ceiling / 2)
    assert roof.attainable(0.0, product=product) == 0.0


def test_a_calibration_lowers_each_ceiling_by_its_share() -> None:
    design = load_accelerator("tpuv2-like")
    plain = roofline(design)
    assert plain.tensor_flops_per_s == design.peak_flops_per_s
    assert plain.hbm_bytes_per_s == design.hbm_bytes_per_s
    lower = roofline(replace(design, calibration=Calibration(1e-6, 0.5, 0.25, 0.8)))
    assert lower.tensor_flops_per_s == 0.5 * plain.tensor_flops_per_s
    assert lower.vector_flops_per_s == 0.25 * plain.vector_flops_per_s
    assert lower.hbm_bytes_per_s == 0.8 * plain.hbm_bytes_per_s
