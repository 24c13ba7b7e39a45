"""Sections on why the answer won."""

from __future__ import annotations

from dataclasses import replace

import pytest

from accmine.questions.run.report import why
from accmine.questions.run.report.why import PARTS, split_shares
from tests.samples.report_sample import single


def test_changes_are_relative_to_the_one_before() -> None:
    rows = why.changes(single()).rows
    assert [row[2] for row in rows] == ["", "1.53", "0.993", "1.07", "1.01"]
    assert rows[1][5] == "no"


def test_time_split_is_in_per_cent_of_the_whole() -> None:
    rows = why.time_split(single()).rows
    assert sum(map(float, rows[0][2:])) == pytest.approx(100, abs=0.4)
    assert rows[0][2] == "56.7"
    split = single().stages[0].time_split
    idle = replace(single().stages[0], time_split=replace(split, **{field: 0.0 for field, _, _ in PARTS}))
    assert split_shares(idle) == (0.0,) * 6


def test_nearest_losing_design() -> None:
    notes = why.nearest(single()).notes
    assert "1.23 % worse in the objective, -4.200 W TDP, +1.060 mm². 64 columns" in notes[0]
    assert notes[-1] == "Within 1 % of the best: 7 of 412 evaluated designs."
