"""Quantities: what is read, what is refused, and that writing and reading agree."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accmine.errors import InputError
from accmine.files import allowed_units, format_quantity, parse_quantity
from accmine.files.units import DIMENSIONS


@pytest.mark.parametrize(
    ("text", "dimension", "value"),
    [
        ("400 mm^2", "mm2", 400.0),
        ("400 mm2", "mm2", 400.0),
        ("400mm²", "mm2", 400.0),
        ("1130 um^2", "mm2", 0.00113),
        ("4 cm^2", "mm2", 400.0),
        ("1.2 TB/s", "bytes/s", 1.2e12),
        ("1 GiB/s", "bytes/s", float(1 << 30)),
        ("32 GiB", "bytes", 32.0 * (1 << 30)),
        ("16 GB", "bytes", 16e9),
        ("16KB", "bytes", 16000.0),
        ("512 KiB", "bytes", 524288.0),
        ("700 MHz", "hertz", 7e8),
        ("0.94 GHz", "hertz", 9.4e8),
        ("900 W", "watt", 900.0),
        ("1e3 W", "watt", 1000.0),
        ("1_000 mW", "watt", 1.0),
        ("10 s", "seconds", 10.0),
        ("5 ms", "seconds", 0.005),
        ("3 µs", "seconds", 3e-6),
        ("2 min", "seconds", 120.0),
        ("0 s", "seconds", 0.0),
    ],
)
def test_reads(text: str, dimension: str, value: float) -> None:
    assert parse_quantity(text, dimension) == value


@pytest.mark.parametrize("value", [400, 400.0, "400", 0, " 7 "])
def test_a_bare_number_is_ambiguous(value: str | int | float) -> None:
    with pytest.raises(InputError, match=r"no unit, which is ambiguous; allowed units: um\^2, mm\^2, cm\^2"):
        parse_quantity(value, "mm2")


@pytest.mark.parametrize(
    ("text", "dimension", "message"),
    [
        ("400 mm", "mm2", "unknown unit 'mm'"),
        ("1 Gb/s", "bytes/s", "unknown unit 'Gb/s'"),
        ("1 gb", "bytes", "unknown unit 'gb'"),
        ("-4 W", "watt", "not be negative"),
        ("nan W", "watt", "must be a number with a unit"),
        ("inf W", "watt", "must be a number with a unit"),
        ("", "watt", "must be a number with a unit"),
        ("W", "watt", "must be a number with a unit"),
        ("1e999999999 W", "watt", "out of range"),
        ("1e300 PB", "bytes", "out of range"),
        ("9" * 5000 + " W", "watt", "out of range"),
        ("3 4 W", "watt", "unknown unit '4 W'"),
    ],
)
def test_refuses(text: str, dimension: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_quantity(text, dimension)


@pytest.mark.parametrize("value", [True, None, [1], {"a": 1}])
def test_refuses_other_types(value: object) -> None:
    with pytest.raises(InputError, match="must be a number with a unit"):
        parse_quantity(value, "watt")  # type: ignore[arg-type]


def test_unknown_dimension_is_a_programming_error() -> None:
    with pytest.raises(ValueError, match="known: bytes"):
        parse_quantity("1 m", "metre")


@pytest.mark.parametrize(
    ("value", "dimension", "text"),
    [
        (32.0 * (1 << 30), "bytes", "32 GiB"),
        (16e9, "bytes", "16 GB"),
        (7e11, "bytes/s", "700 GB/s"),
        (1.2e12, "bytes/s", "1.2 TB/s"),
        (7e8, "hertz", "700 MHz"),
        (858.0, "mm2", "858 mm^2"),
        (1600.0, "mm2", "1600 mm^2"),
        (800.0, "watt", "800 W"),
        (0.0, "watt", "0 W"),
        (0.005, "seconds", "5 ms"),
    ],
)
def test_writes(value: float, dimension: str, text: str) -> None:
    assert format_quantity(value, dimension) == text


@given(
    st.floats(min_value=0, max_value=1e30, allow_nan=False, allow_infinity=False), st.sampled_from(sorted(DIMENSIONS))
)
def test_written_quantities_are_read_back_exactly(value: float, dimension: str) -> None:
    assert parse_quantity(format_quantity(value, dimension), dimension) == value


@given(st.integers(0, 10**6), st.sampled_from(sorted(DIMENSIONS)), st.data())
def test_spaces_do_not_matter(number: int, dimension: str, data: st.DataObject) -> None:
    unit = data.draw(st.sampled_from(sorted(DIMENSIONS[dimension])))
    assert parse_quantity(f"{number}{unit}", dimension) == parse_quantity(f"  {number}   {unit} ", dimension)


@pytest.mark.parametrize("dimension", sorted(DIMENSIONS))
def test_messages_name_every_unit(dimension: str) -> None:
    assert set(allowed_units(dimension).split(", ")) == set(DIMENSIONS[dimension])


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")])
def test_writes_only_quantities(value: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        format_quantity(value, "watt")
