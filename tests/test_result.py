"""Results: the gap of two values, and a header of plain JSON."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accmine.result import Result, Sense, Status, StopReason, gap

VALUES = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**15), 10**15)
POSITIVE = st.floats(1e-9, 1e12)


@given(VALUES, VALUES, st.sampled_from(Sense))
def test_a_gap_is_a_share(objective: float, bound: float, sense: Sense) -> None:
    found = gap(objective, bound, sense)
    assert found is not None
    assert 0.0 <= found <= 1.0
    crossed = objective <= bound if sense is Sense.MINIMIZE else objective >= bound
    assert (found == 0.0) or not crossed


@given(POSITIVE, st.floats(0, 1))
def test_it_is_the_distance_over_the_larger(value: float, share: float) -> None:
    assert gap(value, value * (1 - share)) == pytest.approx(share, abs=1e-12)
    assert gap(value * (1 - share), value, Sense.MAXIMIZE) == pytest.approx(share, abs=1e-12)


@given(POSITIVE, POSITIVE, POSITIVE)
def test_a_better_bound_never_widens_it(objective: float, one: float, two: float) -> None:
    low, high = sorted((one, two))
    assert (gap(objective, high) or 0) <= (gap(objective, low) or 0)
    assert (gap(objective, low, Sense.MAXIMIZE) or 0) <= (gap(objective, high, Sense.MAXIMIZE) or 0)


@pytest.mark.parametrize("value", [None, math.inf, -math.inf, math.nan])
def test_without_a_side_there_is_none(value: float | None) -> None:
    assert gap(value, 1.0) is None
    assert gap(1.0, value) is None


def test_zero_is_at_most_a_whole_gap() -> None:
    assert gap(0.0, 0.0) == 0.0
    assert gap(1.0, 0.0) == 1.0
    assert gap(1.0, -5.0) == 1.0
    assert gap(0, -3) == 1.0
    assert gap(-3, 0, Sense.MAXIMIZE) == 1.0


def test_a_header_is_plain_json() -> None:
    result: Result[str] = Result(
        "kind", "solver", Status.FEASIBLE, StopReason.TIME, 10, 8, "by hand", "x", 1.23456789, trace=((0.1, 10, None),)
    )
    header = json.loads(json.dumps(result.header()))
    assert header["gap"] == result.gap == pytest.approx(0.2)
    assert (header["status"], header["stop"], header["seconds"]) == ("feasible", "time", 1.234568)
    assert header["trace"] == [[0.1, 10, None]]
    assert "solution" not in header
