"""Gap over time: a picture of every run, valid XML, lines that never rise."""

from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from accmine.questions.gap.chart import gap_trace, plot
from accmine.questions.gap.record import GapRow
from tests.samples.gap_sample import KEYS, rows

ROW = GapRow("s & co", sense="maximize", seconds=4.0, trace=((0.0, None, 10.0), (1.0, 5.0, 10.0), (2.0, 8.0, 9.0)))


def paths(svg: str) -> list[str]:
    found = [item.attrib["d"] for item in ElementTree.fromstring(svg).iter() if item.tag.endswith("path")]
    return [path for path in found if "h24" not in path]


def test_the_gap_is_known_when_both_sides_are() -> None:
    assert gap_trace(ROW) == [(1.0, 0.5), (2.0, 1 / 9)]
    assert gap_trace(replace(ROW, trace=((0.0, None, 10.0),))) == []


def test_every_run_has_a_line_and_a_name() -> None:
    found = [row for case in KEYS for row in rows(case)]
    svg = plot(found)
    assert len(paths(svg)) == len(KEYS)
    for case in KEYS:
        assert f">{case} " in svg or f">{case}:" in svg


def test_names_say_what_differs() -> None:
    first = replace(ROW, options={"top_k": 3, "hysteresis": 0})
    svg = plot([first, replace(first, options={"top_k": 3, "hysteresis": 2}, seed=1)])
    assert "hysteresis=0" in svg
    assert "seed=1" in svg
    assert "top_k" not in svg
    assert "s &amp; co" in svg


def test_nothing_to_draw() -> None:
    assert plot([]) == ""
    assert plot([GapRow("s", note="needs tensor parallel")]) == ""


VALUES = st.floats(1e-6, 1e6)


@given(st.lists(st.tuples(st.floats(0.01, 10), VALUES, VALUES), min_size=1, max_size=8))
def test_lines_go_right_and_down_within_the_picture(moves: list[tuple[float, float, float]]) -> None:
    trace, now, best, bound = [], 0.0, 2e6, 1e-7
    for step, objective, low in moves:
        now, best = now + step, min(best, objective)
        bound = min(best, max(bound, min(low, best)))
        trace.append((now, best, bound))
    (path,) = paths(plot([GapRow("s", trace=tuple(trace), seconds=now + 1)]))
    x = [float(value) for value in re.findall(r"[MH](-?[\d.]+)", path)]
    y = [float(value) for value in re.findall(r"[V ](-?[\d.]+)", path)]
    assert x == sorted(x)
    assert y == sorted(y)  # the axis points down: a smaller gap is further down
    assert min(x) >= 0
    assert max(x) <= 900
    assert min(y) >= 0
    assert max(y) <= 432
