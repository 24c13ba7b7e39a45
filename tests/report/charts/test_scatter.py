"""Points over two axes."""

from __future__ import annotations

import math
from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from accmine.report.charts.scatter import Axis, Dot, Line, scatter

values = st.floats(allow_nan=True, allow_infinity=True, min_value=None, max_value=None) | st.floats(1e-3, 1e15)


def circles(chart: str) -> dict[int, tuple[float, float]]:
    return {
        int(dot.get("data-row", "")): (float(dot.get("cx", "")), float(dot.get("cy", "")))
        for dot in ET.fromstring(chart).iter("circle")
    }


def test_places_are_those_of_the_values() -> None:
    dots = [Dot(0, 1.0, 1.0, "a"), Dot(1, 100.0, 10.0, "a"), Dot(2, 10.0, 100.0, "a")]
    found = circles(scatter(dots, Axis("x", log=True), Axis("y", log=True), "all"))
    assert found[0][0] < found[2][0] < found[1][0]
    assert found[0][1] > found[1][1] > found[2][1]  # upwards
    assert math.isclose(found[2][0] - found[0][0], found[1][0] - found[2][0], abs_tol=0.2)
    assert math.isclose(found[0][1] - found[1][1], found[1][1] - found[2][1], abs_tol=0.2)


@given(st.lists(st.tuples(st.floats(-1e30, 1e30), st.floats(1e-30, 1e30)), max_size=8), st.booleans())
def test_it_is_always_well_formed(points: list[tuple[float, float]], log: bool) -> None:
    odd = [(math.nan, 1.0), (1.0, math.inf), (0.0, 1.0)]
    dots = [Dot(i, x, y, "a", label=f"<{i}>") for i, (x, y) in enumerate([*points, *odd])]
    chart = scatter(dots, Axis("x", log), Axis("y"), "a < b", [Line("", ((1.0, 1.0), (2.0, 2.0)), "n<")])
    if chart:
        found = circles(chart)
        assert all(-1 <= x <= 441 and -1 <= y <= 331 for x, y in found.values())
        assert {row for row, dot in enumerate(dots) if math.isfinite(dot.x + dot.y) and (dot.x > 0 or not log)} == set(
            found
        )
    else:
        assert log


def test_one_labelled_point_is_a_stop_of_the_keyboard() -> None:
    chart = scatter([Dot(i, i + 1.0, 1.0, "a", label=f"point {i}") for i in range(3)], Axis("x"), Axis("y"), "all")
    stops = [dot.get("tabindex") for dot in ET.fromstring(chart).iter("circle")]
    assert stops == ["0", "-1", "-1"]
    assert scatter([], Axis("x"), Axis("y"), "none") == ""
