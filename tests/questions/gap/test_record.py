"""Rows of a gap measurement: the JSON form, the range over options."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from accmine.errors import InputError
from accmine.questions.gap.record import GapRow, heuristic_range
from accmine.report import from_json

ROW = GapRow(
    study="s",
    metric="throughput",
    options={"top_k": 3},
    finished=True,
    heuristic=2.5,
    gap_before=0.25,
    designs=("a", "b"),
    trace=((0.5, None, 1.0), (1.0, 2.0, 1.0)),
    violations=("too large",),
)


def test_json_and_back() -> None:
    assert from_json(GapRow, json.loads(json.dumps(ROW.to_json()))) == ROW


@pytest.mark.parametrize("table", [{}, {"study": "s", "colour": "red"}])
def test_other_tables_are_refused(table: dict[str, str]) -> None:
    with pytest.raises(InputError, match=r"missing: study|unknown colour"):
        from_json(GapRow, table)


def test_the_range_is_over_runs_of_the_heuristic_on_the_whole() -> None:
    rows = [
        ROW,
        replace(ROW, gap_before=0.1),
        replace(ROW, gap_before=0.9, part="stage0"),
        replace(ROW, gap_before=0.9, finished=None),
        replace(ROW, gap_before=None),
        replace(ROW, study="t", gap_before=0.0),
    ]
    assert heuristic_range(rows) == {("s", "throughput"): (0.1, 0.25, 2), ("t", "throughput"): (0.0, 0.0, 1)}
