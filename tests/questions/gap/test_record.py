"""Rows of a gap measurement: gaps of values and rates, the JSON form, the range over options."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accmine.errors import InputError
from accmine.questions.gap.record import GapRow, excess, heuristic_range
from accmine.report.as_json import from_json
from accmine.result import Sense, gap

POSITIVE = st.floats(1e-9, 1e12)


@given(POSITIVE, POSITIVE)
def test_the_gap_of_a_value_is_that_of_its_rate(a: float, b: float) -> None:
    bound, value = sorted((a, b))
    found = excess(value, bound)
    assert found == pytest.approx(gap(value, bound), abs=1e-12)
    assert found == pytest.approx(gap(1e3 / value, 1e3 / bound, Sense.MAXIMIZE), abs=1e-9)


@given(POSITIVE, POSITIVE, POSITIVE)
def test_parts_multiply(a: float, b: float, c: float) -> None:
    bound, own, value = sorted((a, b, c))
    whole, schedules, rest = excess(value, bound), excess(value, own), excess(own, bound)
    assert whole is not None
    assert schedules is not None
    assert rest is not None
    assert 1 - whole == pytest.approx((1 - schedules) * (1 - rest), abs=1e-12)
    assert max(schedules, rest) <= whole + 1e-12


@pytest.mark.parametrize(("value", "bound"), [(None, 1.0), (1.0, None), (float("inf"), 1.0), (0.0, 0.0)])
def test_what_is_not_known_has_no_gap(value: float | None, bound: float | None) -> None:
    assert excess(value, bound) is None


def test_a_value_at_its_bound_up_to_rounding_has_no_gap() -> None:
    assert excess(1.0, 1.0 + 1e-15) == 0.0


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
