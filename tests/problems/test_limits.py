"""Limits are met with one allowance everywhere."""

from __future__ import annotations

from fractions import Fraction
from math import inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accmine.problems.limits import ALLOWANCE, widened, within

SIZES = st.floats(1e-6, 1e9)


@given(SIZES, st.integers(1, 1000))
def test_a_limit_divided_by_devices_admits_what_it_was_computed_from(limit: float, devices: int) -> None:
    assert within(sum([limit / devices] * devices), limit)
    assert within(limit / devices * devices, limit)
    assert within(limit, limit)


@given(SIZES, st.floats(1e-8, 10))
def test_more_than_the_allowance_is_too_much(limit: float, excess: float) -> None:
    assert not within(limit * (1 + excess), limit)
    assert within(limit * (1 - excess), limit)


def test_no_limit_and_arrays() -> None:
    assert within(1e300, inf)
    assert widened(inf) == inf
    assert within(np.array([0.5, 1.0, 1.1]), 1.0).tolist() == [True, True, False]
    assert float(Fraction(widened(3.0)) / 3 - 1) == pytest.approx(ALLOWANCE)
