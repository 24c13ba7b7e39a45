"""The reference of the keys: one row for every key of the schema, and what --set takes is what it names."""

from __future__ import annotations

import re
from typing import Any

from accmine.study import schema, study_reference

ROW = re.compile(r"^\| `([^`]+)` \| (.*?) \|(.*?)\| (.*) \|$", re.MULTILINE)
ROWS = {m[1]: (m[2], m[3].strip(), m[4]) for m in ROW.finditer(study_reference())}


def paths(node: dict[str, Any], defs: dict[str, Any], prefix: str = "") -> list[str]:
    """Paths of all keys that a JSON schema allows."""
    found = []
    for name, below in node.get("properties", {}).items():
        found.append(f"{prefix}{name}")
        options = [below, *below.get("anyOf", []), *below.get("oneOf", [])]
        items = [option["items"] for option in options if "items" in option]
        for option in (*options, *items):
            if "$ref" in option:
                step = f"{prefix}{name}.0." if option in items else f"{prefix}{name}."
                found += paths(defs[option["$ref"].rpartition("/")[2]], defs, step)
    return found


def test_the_keys_are_those_of_the_schema() -> None:
    table = schema()
    assert list(ROWS) == list(dict.fromkeys(paths(table, table["$defs"])))


def test_every_row_says_what_it_takes_and_means() -> None:
    for path, (takes, default, meaning) in ROWS.items():
        assert takes.strip(), path
        assert meaning.strip(), path
        assert "None" not in default, path
    assert ROWS["name"][1] == "required"
    assert "Unit: seconds" in ROWS["budget.seconds"][2] or "s" in ROWS["budget.seconds"][2]


def test_no_row_breaks_the_table() -> None:
    lines = [line for line in study_reference().splitlines() if line.startswith("| `")]
    assert len(lines) == len(ROWS)
    assert all(len(re.findall(r"(?<!\\)\|", line)) == 5 for line in lines)
