"""Tables of keys from JSON schemas: every key has a row that says what it takes and means, and in what unit."""

from __future__ import annotations

import re
from typing import Any

import pytest

from accmine.questions.study.key_table import key_table
from accmine.questions.study.schemas import schema_of

ROW = re.compile(r"^\| `([^`]+)` \| (.*?) \| (.*?) ?\| (.*) \|$", re.MULTILINE)
SCHEMA: dict[str, Any] = {
    "$defs": {
        "Tree": {
            "type": "object",
            "properties": {
                "size": {"type": "integer", "description": "How | big.", "unit": "bytes", "default": 3},
                "below": {"type": "array", "items": {"$ref": "#/$defs/Tree"}, "description": "Others."},
            },
            "required": ["below"],
        }
    },
    "type": "object",
    "properties": {
        "trees": {
            "type": "object",
            "additionalProperties": {"$ref": "#/$defs/Tree"},
            "description": "Name -> tree.",
        },
        "way": {"anyOf": [{"enum": ["up", "down"]}, {"type": "null"}], "default": None, "description": "Where to."},
        "one": {
            "if": {"required": ["a"]},
            "then": {
                "type": "object",
                "properties": {"a": {"type": "boolean", "description": "A."}},
                "required": ["a"],
            },
            "else": {"type": ["string", "null"]},
            "description": "Either.",
        },
    },
    "required": ["trees"],
}


def rows(table: str) -> dict[str, tuple[str, ...]]:
    return {m[1]: (m[2], m[3].strip(), m[4]) for m in ROW.finditer(table)}


def test_every_kind_of_key_has_its_row() -> None:
    table = key_table("tree", "trees", "More.", SCHEMA)
    assert table.startswith("# Keys of trees\n\nWritten by `accmine schema tree --markdown`; ")
    assert rows(table) == {
        "trees": ("mapping", "required", "Name -> tree."),
        "trees.NAME.size": ("whole number", "`3`", "How \\| big. Unit: bytes."),
        "trees.NAME.below": ("list: mapping", "required", "Others."),
        "way": ("`up`, `down`", "", "Where to."),
        "one": ("mapping or text", "", "Either."),
        "one.a": ("true or false", "", "A."),
    }


@pytest.mark.parametrize("what", ["architecture", "kernel"])
def test_keys_of_descriptions_say_their_units(what: str) -> None:
    table = key_table(what, what, "", schema_of(what))
    found = rows(table)
    assert len(found) == sum(line.startswith("| `") for line in table.splitlines())
    assert all(takes and meaning for takes, _, meaning in found.values())
    if what == "architecture":
        for key, unit in (
            ("frequency", "hertz"),
            ("stages.NAME.latency", "cycles"),
            ("units.NAME.interval", "cycles"),
            ("memories.NAME.bandwidth", "bytes/cycle"),
            ("memories.NAME.size", "bytes"),
        ):
            assert found[key][2].endswith(f"Unit: {unit}."), key
        assert found["stages.NAME.to"][1] == "required"
    else:
        assert {"body.0.loop", "body.0.repeat", "body.0.body", "body.0.NAME.reads"} <= found.keys()
