"""Objects with known keys, and all complaints at once."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from accmine.errors import InputError
from accmine.problems.rows import Reader, join, near, whole_by_name


def said(reader: Reader) -> list[tuple[str, str, str]]:
    return [(c.where, c.field, c.message) for c in reader.complaints]


def test_everything_that_is_wrong_is_said() -> None:
    reader = Reader("f:1:1")
    row = reader.mapping({"nam": 1, "size": [2]}, "a", ("name", "size"), ("name",))
    assert row == {"nam": 1, "size": [2]}
    assert reader.rows(row["size"], "a.size") == [2]
    assert reader.rows(3, "a.rows") == []
    assert reader.text("x", "a.text") == "x"
    assert reader.text(4, "") == ""
    assert reader.mapping([], "", ("name",)) == {}
    assert said(reader) == [
        ("f:1:1", "a.nam", "unknown key; did you mean 'name'? allowed: name, size"),
        ("f:1:1", "a.name", "missing"),
        ("f:1:1", "a.rows", "3 is not allowed; a list is needed"),
        ("f:1:1", "", "4 is not allowed; a text is needed"),
        ("f:1:1", "", "[] is not allowed; an object with name is needed"),
    ]


def test_paths_and_guesses() -> None:
    assert join("", "a") == "a"
    assert join("a", "b") == "a.b"
    assert near("pipline", {"pipeline": 1, "data": 2}) == "; did you mean 'pipeline'?"
    assert near("x", ["pipeline"]) == ""


def test_the_numbers_of_a_solution_come_in_the_order_of_the_names() -> None:
    given = {"load": 3.5, "devices": {"b": -2, "a": 7}}
    assert whole_by_name(given, "f", "devices", ["a", "b"], ("load",)) == (7, -2)
    assert whole_by_name({"devices": {}}, "f", "devices", []) == ()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "f: devices: missing"),
        ([], "f: [] is not allowed; an object with devices, load is needed"),
        ({"devices": [1, 2]}, "f: devices: [1, 2] is not allowed; an object with a, b is needed"),
        ({"devices": {"a": 0, "c": 1}}, "f: devices.c: unknown key; allowed: a, b\nf: devices.b: missing"),
        (
            {"devices": {"a": True, "b": "1"}},
            "f: devices.a: True is not allowed; a whole number is needed\n"
            "f: devices.b: '1' is not allowed; a whole number is needed",
        ),
        ({"devices": {"a": Decimal("1.5"), "b": 1}}, "f: devices.a: 1.5 is not allowed; a whole number is needed"),
        ({"devices": {"a": 0, "b": 0}, "lod": 1}, "f: lod: unknown key; did you mean 'load'? allowed: devices, load"),
    ],
)
def test_what_no_solution_says(given: Any, said: str) -> None:
    with pytest.raises(InputError) as raised:
        whole_by_name(given, "f", "devices", ["a", "b"], ("load",))
    assert str(raised.value) == said
