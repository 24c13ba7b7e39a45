"""The chart: the curve by hand, and well-formed SVG."""

from __future__ import annotations

from xml.etree import ElementTree

from accmine.questions.compare.chart import curve, plot
from tests.questions.compare.test_figures import FAST, SLOW, run


def test_the_curve_by_hand() -> None:
    moments = [0.0, 1.0, 4.0, 12.0]
    assert curve([(2.0, [FAST])], lambda m: m[0], moments) == [(0.0, 0.0), (1.0, 2 / 3), (4.0, 1.0), (12.0, 1.0)]
    both = curve([(2.0, [FAST, SLOW])], lambda m: m[1], [0.5, 30.0])
    assert both == [(0.5, 1 / 3), (30.0, 0.9)]


def test_the_picture_has_a_line_for_each_method_in_both_charts() -> None:
    drawn = plot([FAST, SLOW, run("random")])
    tree = ElementTree.fromstring(drawn)
    paths = [element for element in tree.iter() if element.tag.endswith("path")]
    assert len(paths) == 3 * 3, "two lines and one in the legend"
    assert "seconds of processor time" in drawn
    assert plot([run("random")]) == ""
