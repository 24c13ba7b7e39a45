"""The chart of a front beside its bound."""

from __future__ import annotations

import math
from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from accmine.report.charts.front import front_chart

POINTS = [(100.0, 10.0), (150.0, 20.0), (200.0, 25.0)]
BOUNDS = [(150.0, None, 30.0), (100.0, 150.0, 22.0), (100.0, 100.0, 11.0)]


def test_points_stand_below_the_steps_of_the_bound() -> None:
    chart = ET.fromstring(front_chart(POINTS, BOUNDS, "TDP, W", "samples/s"))
    circles = [(float(c.get("cx", "")), float(c.get("cy", ""))) for c in chart.iter("circle")]
    assert len(circles) == 3
    assert circles == sorted(circles, key=lambda at: (at[0], -at[1]))
    paths = {path.get("class"): path.get("d", "") for path in chart.iter("path") if "V" in path.get("d", "")}
    heights = [float(part.split("H")[0]) for part in paths["bound"].split("V")[1:]]
    assert len(heights) == 3
    assert heights == sorted(heights, reverse=True)
    assert heights[-1] < min(y for _, y in circles)
    titles = [title.text for title in chart.iter("title")]
    assert titles == ["10 samples/s at 100", "20 samples/s at 150", "25 samples/s at 200"]


def test_without_points_there_is_no_chart() -> None:
    assert front_chart([], BOUNDS, "a", "b") == ""


numbers = st.floats(0, 1e9)


@given(
    st.lists(st.tuples(numbers, numbers), min_size=1, max_size=6),
    st.lists(st.tuples(numbers, st.none() | numbers, numbers | st.sampled_from((math.inf, math.nan))), max_size=6),
)
def test_a_chart_is_always_well_formed(
    points: list[tuple[float, float]], bounds: list[tuple[float, float | None, float]]
) -> None:
    chart = front_chart(points, bounds, "a < b", "c & d")
    ET.fromstring(chart)
    assert "nan" not in chart
    assert "inf" not in chart
