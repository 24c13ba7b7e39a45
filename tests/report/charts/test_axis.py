"""Values on one axis."""

from __future__ import annotations

import re
from math import inf, nan
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accmine.report.charts.axis import on_one_axis


def boxes(chart: str) -> list[tuple[float, float, float]]:
    """Left, right and height of every name and value."""
    found = []
    for text in ET.fromstring(chart).iter("text"):
        if text.get("class") in ("name", "big"):
            half = len(text.text or "") * (7.2 if text.get("class") == "name" else 9.3) / 2
            found.append((float(text.get("x", "")) - half, float(text.get("x", "")) + half, float(text.get("y", ""))))
    return found


@given(st.lists(st.floats(1e-6, 1e12), min_size=1, max_size=4))
def test_words_never_overlap(values: list[float]) -> None:
    marks = [(f"k{i}", f"value number {i}", value) for i, value in enumerate(values)]
    chart = on_one_axis(marks, "samples/s")
    words = boxes(chart)
    assert len(words) == 2 * len(values)
    assert all(abs(a[2] - b[2]) > 10 or a[1] <= b[0] or b[1] <= a[0] for i, a in enumerate(words) for b in words[:i])
    height = float(ET.fromstring(chart).get("height", ""))
    assert all(8 < y < height for _, _, y in words)


def test_the_gap_lies_between_its_ends() -> None:
    chart = on_one_axis([("best", "best", 90.0), ("bound", "bound", 100.0)], "x", ("best", "bound"), "gap 10 %")
    (gap,) = re.findall(r'class="gap" x="([\d.]+)" y="[\d.]+" width="([\d.]+)"', chart)
    ends = [float(x) for x in re.findall(r'class="mark \w+" x1="([\d.]+)"', chart)]
    assert float(gap[0]) == pytest.approx(ends[0], abs=0.1)
    assert float(gap[0]) + float(gap[1]) == pytest.approx(ends[1], abs=0.2)
    assert "gap 10 %" in chart


def test_axes_with_the_same_ends_are_alike() -> None:
    first, then = (on_one_axis([("a", "a", 50.0), ("b", "b", x)], "", ends=(50.0, 100.0)) for x in (100.0, 75.0))
    places = [re.findall(r'class="mark a" x1="([\d.]+)"', chart) for chart in (first, then)]
    assert places[0] == places[1]


def test_what_is_not_known_is_left_out() -> None:
    assert on_one_axis([("a", "a", nan), ("b", "b", inf)], "") == ""
    assert "bound" not in on_one_axis([("best", "best", 1.0), ("bound", "bound", nan)], "", ("best", "bound"))
