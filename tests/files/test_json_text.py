"""JSON: the refusals of YAML, each with its place, and places that are those of the text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accmine.errors import InputError
from accmine.files import Document, load_yaml, parse


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{\n\t"a": {"b": [1, {"c": 1,\n\t"c": 2}]}}', "f:3:2: a.b.1.c: duplicate key 'c', first given on line 2"),
        ('{"a": [1, NaN]}', "f:1:11: a.1: NaN is not a JSON number"),
        ('{"a": -Infinity}', "f:1:7: a: -Infinity is not a JSON number"),
        ('{"a": Infinity GB/s",\n "b": "5 us"}', "not valid JSON: us is no value"),
        ('{"a": 1e999}', "f:1:7: a: 1e999 is too large for a number"),
        ('{"a": {"b": ' + "9" * 5000 + "}}", "f:1:13: a.b: 9999999999999999999999999999999999999… has 5000 digits"),
        ('{"a": "\\ud800"}', "f:1:7: a: holds half of a surrogate pair"),
        ('{"\\ud800": 1}', "f:1:2: the key holds half of a surrogate pair"),
        ('{"a": ' + "[" * 100 + "]" * 100 + "}", "f:1:106: nested too deeply; allowed: 100 levels"),
        ("{" + '"a": {' * 3000, "nested too deeply"),
        ('{"a": 1,\n}', "f:2:1: not valid JSON"),
        ('{"a": 01}', "f:1:8: not valid JSON"),
        ('{"a": 1} x', "f:1:10: not valid JSON: Extra data"),
        ("", "f:1:1: not valid JSON"),
        ('{"a": NaN, "b": 1, "b": [}', "f:1:7: a: NaN is not"),
    ],
)
def test_refuses(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(text, "f", Path("f.json"))
    assert message in str(caught.value)


def test_everything_at_once() -> None:
    with pytest.raises(InputError) as caught:
        parse('{"a": NaN, "a": 1, "b": {"c": 1e999}}', "f")
    assert len(caught.value.complaints) == 3


def test_what_looks_suspect_and_is_not() -> None:
    text = json.dumps({"a": "9" * 400, "b": "\U0001f600", "c": [1, 2.5, "\\ud800"], "d": None})
    assert "\\ud83d" in text
    assert parse(text, "f", Path("f.json")).data == json.loads(text)
    assert parse('{"a": "[[[' + "[" * 200 + '"}').data == {"a": "[" * 203}


def test_byte_order_mark_and_line_ends(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_bytes(b'\xef\xbb\xbf{"a":\r\n 1, "b": 2}')
    document = load_yaml(file)
    assert document.data == {"a": 1, "b": 2}
    assert document.locate(("b",)) == f"{file}:2:10"
    assert parse('\ufeff{"a": 1}').data == {"a": 1}


_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=6), below, max_size=3),
    max_leaves=12,
)


def places(value: Any, place: tuple[str | int, ...] = ()) -> list[tuple[tuple[str | int, ...], Any]]:
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [(place, value), *(found for step, item in below for found in places(item, (*place, step)))]


@given(_VALUES, st.sampled_from([None, 1, "\t"]), st.booleans())
def test_every_value_stands_where_it_is_said_to(value: Any, indent: Any, ascii_only: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    document = parse(text, "f", Path("f.json"))
    assert document.data == value
    rows = text.split("\n")
    decoder = json.JSONDecoder()
    for place, found in places(value):
        _, line, column = document.locate(place).split(":")
        rest = "\n".join([rows[int(line) - 1][int(column) - 1 :], *rows[int(line) :]])
        assert decoder.raw_decode(rest)[0] == found


def test_data_of_another_text_has_no_places() -> None:
    assert Document({"a": 1}, "f", "", Path("f.json")).locate(("a",)) == "f"
    assert Document({"a": 1}, "f", "a: [", Path("f.yaml")).locate(("a",)) == "f"
