"""Hand-made charts."""

from __future__ import annotations

import math
from xml.etree import ElementTree as ET

from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.report.charts import svg
from tests.samples.report_sample import single

number = st.none() | st.floats(allow_nan=True, allow_infinity=True)


def test_progress_shows_what_is_known() -> None:
    chart = ET.fromstring(svg.progress(single().trace, "throughput, samples/s"))
    paths = {path.get("class"): path.get("d", "") for path in chart.iter("path") if "V" in path.get("d", "")}
    assert paths["objective"].count("V") == 3
    assert paths["bound"].count("V") == 2
    texts = [text.text for text in chart.iter("text")]
    assert {"throughput, samples/s", "objective", "bound", "60", "38.20"} <= set(texts)
    assert svg.progress((), "x") == ""
    assert svg.progress(((1.0, 2.0, None),), "x") == ""
    assert svg.progress(((1.0, None, None), (2.0, math.inf, math.nan)), "x") == ""
    assert "bound" not in svg.progress(((1.0, 2.0, None), (2.0, 1.5, None)), "x").replace("and bound over", "")


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1e6), number, number), max_size=20))
def test_progress_is_always_well_formed(trace: list[tuple[float, float | None, float | None]]) -> None:
    chart = svg.progress(sorted(trace, key=lambda row: row[0]), "a < b")
    if chart:
        ET.fromstring(chart)
        assert "nan" not in chart
        assert "inf" not in chart


def test_a_frame_keeps_to_its_plot() -> None:
    frame = svg.Frame(10, 110, 20, 220, end=5, low=-1, high=1, room=20)
    assert (frame.x(0), frame.x(5), frame.x(9), frame.y(-1), frame.y(1), frame.y(0)) == (10, 90, 90, 220, 20, 120)
    assert frame.steps([(0, -1), (2.5, 0), (5, 1)]) == "M10.0 220.0H50.0V120.0H90.0V20.0"
    parts = ET.fromstring(f"<svg>{''.join(frame.axes([(0, '< 1 %')]))}</svg>")
    assert [item.text for item in parts.iter("text")] == ["< 1 %", "0 s", "2.500 s", "5 s"]
