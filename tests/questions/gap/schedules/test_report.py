"""Solvers side by side as text, CSV and JSON."""

from __future__ import annotations

import csv
import json
from io import StringIO
from pathlib import Path

from accmine.questions.gap.schedules.report import COLUMNS, as_csv, as_json, sections
from accmine.report import render
from tests.questions.gap.schedules.test_record import found, row

PAGE = Path(__file__).resolve().parents[4] / "docs" / "gap.md"
ROWS = found(
    row("p", "ours"),
    row("p", "mine", makespan=125),
    row("p", "mine", seed=1, makespan=None),
    row("u", "ours", makespan=10, repeats=1, reused=True),
    row("u", "mine", makespan=8, repeats=1),
    row("u", "mine", seed=1, makespan=8, repeats=1, stages=(0, 3)),
    p=100,
    u=8,
).rows()


def text(*, by_problem: bool) -> str:
    return " ".join(render(sections(ROWS, {"s": "tensor parallel"}, by_problem=by_problem), width=120).split())


def test_csv_has_every_column_and_value_in_full() -> None:
    table = list(csv.DictReader(StringIO(as_csv(ROWS))))
    assert len(table) == len(ROWS)
    assert all(tuple(own) == COLUMNS for own in table)
    assert [own["failure"] for own in table] == ["", "", "raised", "", "", ""]
    assert [own["makespan"] for own in table] == ["100", "125", "", "10", "8", "8"]
    assert table[1]["gap"] == "0.2"
    assert table[5]["stages"] == "0 3"


def test_columns_are_documented() -> None:
    words = {
        word
        for line in PAGE.read_text(encoding="utf-8").splitlines()
        if line.startswith("| `")
        for word in line.split("|")[1].replace("`", "").replace(" ", "").split(",")
    }
    assert set(COLUMNS) <= words


def test_json_is_plain_and_whole() -> None:
    table = as_json(ROWS)
    assert json.loads(json.dumps(table, allow_nan=False)) == table
    assert len(table["rows"]) == 6
    assert [(own["method"], own["failures"], own["runs"]) for own in table["studies"]] == [
        ("ours", 0, 1),
        ("mine", 1, 2),
    ]
    assert [(own["problem"], own["method"]) for own in table["problems"]] == [
        ("p", "ours"),
        ("p", "mine"),
        ("u", "ours"),
        ("u", "mine"),
    ]
    assert [(own["what"], own["wins"], own["losses"], own["lost"]) for own in table["duels"]] == [
        ("study", 1, 0, []),
        ("problem", 1, 1, ["u"]),
    ]


def test_text_says_failures_losses_and_what_is_missing() -> None:
    shown = text(by_problem=False)
    assert "s ours 1/1 105 s 0.952 % 0.952 % 0.952 % – 2.0" in shown  # 2·0.5·100 + 0.5·10; bound 104
    assert "s mine 1/2 129 s 19.4 %" in shown
    assert "p, mine, seed 1: raised" in shown
    assert "ours loses to mine on u" in shown
    assert "1 of 6 rows read from their run folders" in shown
    assert "s: schedules of the model without tensor parallel" in shown
    assert "Problem by problem" not in shown
    assert "u mine 2/2 4 s 0 % 0 % 0 % 0 % 1.0" in text(by_problem=True)


def test_limits_get_a_column_where_they_differ() -> None:
    rows = found(row(), row(limit_s=9.0), p=100).rows()
    assert "limit [s]" in render(sections(rows, {}, by_problem=False))
    assert "limit [s]" not in render(sections(rows[:1], {}, by_problem=False))


def test_many_failures_are_counted() -> None:
    rows = found(*(row(seed=s, makespan=None) for s in range(20)), p=1).rows()
    shown = render(sections(rows, {}, by_problem=False))
    assert shown.count("raised") == 12
    assert "and 8 more" in shown
