"""Columns, shares with bands, and steps."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from accmine.report.charts.columns import columns, shares_with_bands, steps


def rects(picture: str, kind: str) -> list[float]:
    ElementTree.fromstring(picture)
    return [float(value) for value in re.findall(rf'<rect class="{kind}" [^>]*height="([\d.]+)"><title>', picture)]


def test_columns_are_as_high_as_their_values() -> None:
    picture = columns([("a", 100.0, 50.0, False), ("b", 200.0, 20.0, True)], "cycles", "layers", "streams")
    (a,), (b,) = rects(picture, "s0"), rects(picture, "s3")
    assert b == pytest.approx(2 * a, abs=0.2)
    assert rects(picture, "s1") == pytest.approx([a / 2, b / 10], abs=0.2)


@pytest.mark.parametrize("rows", [[], [("a", 0.0, 0.0, False)]])
def test_nothing_to_draw(rows: list[tuple[str, float, float, bool]]) -> None:
    assert columns(rows, "cycles", "layers", "streams") == ""


def test_shares_with_bands_reach_as_far_as_the_farthest() -> None:
    picture = shares_with_bands([("lut", 0.8, 0.5, 1.3, 0.8), ("dsp", 0.5, 0.5, 0.5, 1.0)], "resources")
    ElementTree.fromstring(picture)
    wide, narrow = (float(value) for value in re.findall(r'<rect class="s0" [^>]*width="([\d.]+)"', picture))
    assert wide == pytest.approx(1.6 * narrow, abs=0.2)
    assert picture.count('class="line"') == 3, "one band, with two ends"
    assert max(float(value) for value in re.findall(r'x2="([\d.]+)"', picture)) < 480
    assert shares_with_bands([], "resources") == ""


def test_steps_keep_each_value_until_the_next() -> None:
    picture = steps([(0.0, 0.2), (5.0, 0.6), (10.0, 0.6)], "seconds", "share")
    ElementTree.fromstring(picture)
    assert "60 % at the end" in picture
    assert steps([(3.0, 0.5)], "seconds", "share") == steps([], "seconds", "share") == ""
