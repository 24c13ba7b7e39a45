"""Tables of figures as CSV and as data of a page."""

from __future__ import annotations

import json
from math import inf, nan
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from accmine.report import Figure, Table
from accmine.report.figure import packed

cells = (
    st.none()
    | st.booleans()
    | st.integers(-(10**9), 10**9)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)


def unpacked(text: str) -> list[list[Any]]:
    data = json.loads(text)
    columns = [[c["of"][i] for i in c["at"]] if "of" in c else c["values"] for c in data["columns"]]
    return [[column[i] for column in columns] for i in range(data["rows"])]


@given(st.lists(st.tuples(cells, st.floats(allow_nan=False, allow_infinity=False)), max_size=8))
def test_packed_data_comes_back(rows: list[tuple[Any, float]]) -> None:
    text = packed(Figure("k", "t", "p", "x", Table(("a", "b"), rows)))
    assert "</" not in text
    assert "<!--" not in text
    assert unpacked(text) == [list(row) for row in rows]


def test_what_is_not_finite_is_empty() -> None:
    table = Table(("a", "b"), [(nan, "x"), (inf, "y"), (1.5, "")])
    assert table.csv() == "a,b\n,x\n,y\n1.5,\n"
    assert unpacked(packed(Figure("k", "t", "p", "x", table))) == [[None, "x"], [None, "y"], [1.5, ""]]
    assert json.loads(packed(Figure("k", "t", "p", "x", Table(("a",), []))))["rows"] == 0
