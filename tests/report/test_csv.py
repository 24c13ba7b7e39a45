"""Records as CSV."""

from __future__ import annotations

import csv
from typing import Any

from accmine.report.csv import render


def test_numbers_stand_in_full_and_what_is_missing_is_empty() -> None:
    rows: list[dict[str, Any]] = [{"a": 0.1 + 0.2, "b": None, "c": True}, {"a": 3, "d": 'x, "y"'}]
    text = render(rows)
    assert text.splitlines()[0] == "a,b,c,d"
    assert list(csv.reader(text.splitlines()))[1:] == [["0.30000000000000004", "", "true", ""], ["3", "", "", 'x, "y"']]


def test_columns_choose_and_order() -> None:
    assert render([{"a": 1, "b": 2, "c": 3}], ("c", "z", "a")) == "c,z,a\n3,,1\n"
    assert render([], ("a", "b")) == "a,b\n"
