"""Numbers in reports."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accmine.report import UNKNOWN, cell, count, each, gibibytes, number, percent, seconds, si


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (333.0, "333"),
        (1324.94, "1,325"),
        (12345.6, "12,346"),
        (44.017, "44.02"),
        (0.6132, "0.6132"),
        (9.99996, "10.00"),
        (-4.2, "-4.200"),
        (0.00012345, "1.234e-04"),
        (2.5e9, "2.500e+09"),
        (None, UNKNOWN),
        (math.nan, UNKNOWN),
        (math.inf, UNKNOWN),
    ],
)
def test_number(value: float | None, text: str) -> None:
    assert number(value) == text


def test_units() -> None:
    assert seconds(0.727) == "727 ms"
    assert seconds(2.284e-6) == "2.284 µs"
    assert seconds(0.0) == "0 s"
    assert si(1612.4, "J") == "1.612 kJ"
    assert si(999.999, "J") == "1.000 kJ"
    assert si(math.inf, "J") == UNKNOWN
    assert count(2894) == "2,894"
    assert count(126_800_211) == "126.8 M"
    assert gibibytes(12_483_125_248) == "11.6 GiB"
    assert gibibytes(512) == "512 B"
    assert each((1.5, None)) == f"1.500 / {UNKNOWN}"
    assert each(()) == UNKNOWN


def test_a_small_gap_is_not_printed_as_none() -> None:
    assert percent(0.0) == "0 %"
    assert percent(1e-7) == "<0.01 %"
    assert percent(-1e-7) == "-<0.01 %"
    assert percent(0.0676) == "6.76 %"
    assert percent(1.0) == "100 %"
    assert percent(math.nan) == UNKNOWN


@given(st.floats(min_value=1e-9, max_value=1e17))
def test_four_digits_are_kept(value: float) -> None:
    plain = float(number(value).replace(",", ""))
    assert plain == pytest.approx(value, rel=5.1e-4)
    with_prefix = re.fullmatch(r"([0-9.,]+) ([nµmkMGTP]?)s", seconds(value))
    assert with_prefix
    factor = dict(zip("nµm kMGTP", (1e-9, 1e-6, 1e-3, 1, 1e3, 1e6, 1e9, 1e12, 1e15), strict=True))
    assert float(with_prefix[1].replace(",", "")) * factor[with_prefix[2] or " "] == pytest.approx(value, rel=5.1e-4)


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_every_float_has_a_short_text(value: float) -> None:
    assert 0 < len(number(value)) <= 12
    assert seconds(value)
    assert percent(value)
    assert gibibytes(value)


def test_cells_of_any_kind() -> None:
    assert [cell(v) for v in (None, True, 12345, 0.123456, "x")] == ["", "yes", "12,345", "0.1235", "x"]
