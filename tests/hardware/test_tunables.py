"""Tunables as they are written: one value, ranges, lists, and every refusal in words."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accmine.errors import InputError
from accmine.hardware import Template
from accmine.hardware.tunables import FIELDS, KEYS, OPTIONAL, PLAIN_HBM, STACKS, parse

COUNTS = [name for name, key in FIELDS.items() if key.dimension is None and name != "dataflow"]
SIZES = [name for name, key in FIELDS.items() if key.dimension == "bytes"]


def test_every_key_is_a_field_of_the_template() -> None:
    assert {key.attribute for key in FIELDS.values()} <= set(Template.__dataclass_fields__)
    assert set(OPTIONAL) <= set(FIELDS)
    assert set(PLAIN_HBM) <= set(FIELDS)
    assert set(KEYS) == {"use", "tensor_dim", *FIELDS, *STACKS}
    for name, text in OPTIONAL.items():
        assert parse(name, text), "what it means where it is left out can be written"


@given(st.sampled_from(COUNTS), st.lists(st.integers(1, 10**6), min_size=1, max_size=8))
def test_lists_are_sorted_and_hold_each_value_once(name: str, values: list[int]) -> None:
    assert parse(name, values) == tuple(sorted(set(values)))
    assert parse(name, [str(v) for v in values]) == parse(name, values)
    assert parse(name, [float(v) for v in values]) == parse(name, values)


@given(st.sampled_from(COUNTS), st.integers(1, 50), st.integers(0, 50))
def test_ranges_are_every_integer(name: str, low: int, more: int) -> None:
    assert parse(name, f"{low}..{low + more}") == tuple(range(low, low + more + 1))
    assert parse(name, [f"{low} .. {low + more}", low]) == tuple(range(low, low + more + 1))


@given(st.integers(1, 50), st.integers(2, 5), st.integers(0, 8))
def test_geometric_ranges_multiply(low: int, factor: int, steps: int) -> None:
    values = tuple(low * factor**k for k in range(steps + 1))
    assert parse("vector_lanes", f"{low}..{values[-1]} x{factor}") == values
    sizes = tuple(v * 1024 for v in values)
    assert parse("tensor_sram", f"{low} KiB..{values[-1]} KiB x{factor}") == sizes


@given(st.sampled_from(SIZES), st.integers(1, 10**6))
def test_quantities_are_in_base_units(name: str, mib: int) -> None:
    assert parse(name, f"{mib} MiB") == (mib << 20,)
    assert parse(name, mib << 20) == (mib << 20,)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("tensor_cores", [], "needs at least one value"),
        ("tensor_cores", 0, "must be at least 1, got 0"),
        ("tensor_cores", True, "must be a number, a range or a list of them, got True"),
        ("tensor_cores", None, "must be a number, a range or a list of them, got None"),
        ("tensor_cores", "many", "must be a whole number, a range such as 1..64 or a list, got 'many'"),
        ("tensor_cores", 1.5, "must be a whole number, got 1.5"),
        ("tensor_cores", "4..2", "range '4..2' is empty"),
        ("tensor_cores", "1..200000", "has more than 100,000 values"),
        ("tensor_cores", "1..8 x1", "needs a factor of at least 2 and a start above 0"),
        ("tensor_cores", "1..9 x2", "does not reach its end: … 8, 16"),
        ("tensor_sram", "1 MiB..2 MiB", "has no step; write '1 MiB..2 MiB x2' for doubling"),
        ("tensor_sram", 100, "must be at least 1024, got 100 bytes; write a unit, such as 32 GiB"),
        ("tensor_sram", "3 GHz", "GHz"),
        ("frequency", 5, "write a unit, such as 700 MHz"),
        ("dataflow", "xs", "unknown dataflow xs; allowed: ws, os, is, flexible"),
        ("dataflow", ["ws", 3], "unknown dataflow 3"),
        ("tensor_dim", 0, "must be at least 1"),
    ],
)
def test_refusals(name: str, value: Any, message: str) -> None:
    with pytest.raises(InputError) as error:
        parse(name, value)
    assert message in str(error.value)


def test_dataflows_have_one_order() -> None:
    assert parse("dataflow", ["is", "flexible", "ws", "is"]) == ("ws", "is", "flexible")
    assert parse("dataflow", "os") == ("os",)
