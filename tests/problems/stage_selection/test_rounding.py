"""Decimal numbers to integers: equal to exact fractions, whatever the digits."""

from __future__ import annotations

import math
from fractions import Fraction

from hypothesis import example, given, settings
from hypothesis import strategies as st

from accmine.problems.stage_selection.rounding import exact_value, needed_decimals, nice_scale, scaled_up

numbers = st.one_of(
    st.floats(0, 1e12, allow_subnormal=False),
    st.integers(0, 10**15),
    st.integers(0, 10**9).map(lambda i: i / 1000),
    st.integers(0, 10**15).map(lambda i: i / 10**9),
)
scales = st.one_of(
    st.integers(0, 12).map(lambda k: Fraction(10**k)),
    st.fractions(Fraction(1, 10**6), 10**9, max_denominator=10**6),
    st.floats(0.01, 100).map(lambda x: 10**7 / exact_value(x)),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(numbers, max_size=8), scales)
@example([400.000000001, 1e-9, 0.1 + 0.2, 0.3], Fraction(10**9))
@example([1 / 3, 3.0, 1e12], Fraction(3))
def test_scaled_up_is_the_exact_ceiling(values: list[float], scale: Fraction) -> None:
    assert scaled_up(values, scale) == [math.ceil(exact_value(v) * scale) for v in values]


def digits(value: float) -> int:
    denominator = exact_value(value).denominator
    return next(d for d in range(400) if 10**d % denominator == 0)


@settings(max_examples=200, deadline=None)
@given(st.lists(numbers, min_size=1, max_size=6), st.integers(0, 20))
def test_needed_decimals_are_those_of_the_longest(values: list[float], most: int) -> None:
    longest = max(map(digits, values))
    assert needed_decimals(values, most) == (longest if longest <= most else None)


@settings(max_examples=200, deadline=None)
@given(st.floats(1e-9, 1e9), st.lists(numbers, min_size=1, max_size=4), st.booleans())
def test_nice_scale_keeps_the_resolution(estimate: float, values: list[float], short: bool) -> None:
    scale = nice_scale(estimate, Fraction(1), values if short else None, 1 << 25)
    assert scale * Fraction(estimate) <= 1 << 25
    exact = Fraction(10 ** max(map(digits, values)))
    if short and exact * Fraction(estimate) <= 1 << 25:
        assert scale == exact  # the data are whole numbers of ticks
    else:
        assert scale * Fraction(estimate) > (1 << 25) / Fraction(5, 2) * Fraction(99, 100)
