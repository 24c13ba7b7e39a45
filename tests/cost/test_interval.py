"""Intervals of sums of operators."""

from __future__ import annotations

import pytest

from accmine.cost.interval import worth_of
from accmine.hardware import Calibration, Constants
from accmine.workload import Vector
from accmine.workload.work import Work
from tests.samples.cost_sample import product

GELU = Work(None, (Vector("gelu", 64),), 1, 1, "bf16")
KINDS = (("product", Constants(interval=(0.9, 1.1))), ("elementwise", Constants(interval=(0.8, 1.4))))
OWN = Calibration(kinds=KINDS)


def test_bounds_are_averaged_by_time() -> None:
    found = worth_of([(OWN, product(8, 8, 8), 3.0), (OWN, GELU, 1.0)])
    assert found.bounds == pytest.approx((0.875, 1.175))
    assert "0.88 to 1.18 times" in found.text or "0.87 to 1.17" in found.text
    assert worth_of([(OWN, GELU, 2.0)]).bounds == pytest.approx((0.8, 1.4))


def test_without_an_interval_of_a_kind_there_is_none_and_it_is_said() -> None:
    norm = Work(None, (Vector("layer-norm", 64, 8),), 1, 1, "bf16")
    found = worth_of([(OWN, product(8, 8, 8), 3.0), (OWN, norm, 1.0)])
    assert found.bounds == ()
    assert found.text == "no interval: the calibration has none of norm"
    bare = worth_of([(Calibration(), GELU, 1.0)])
    assert bare.text == "no interval: the accelerator is not calibrated"
    assert worth_of([]).bounds == ()
