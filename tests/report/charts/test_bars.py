"""Bars divided by shares."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accmine.report import stacked_bars

shares = st.lists(st.floats(0, 1), min_size=3, max_size=3).map(lambda x: [v / max(1.0, sum(x)) for v in x])
words = st.text(st.characters(categories=("L", "P")), max_size=20)


@given(st.lists(st.tuples(words, shares), max_size=5))
def test_bars_are_as_long_as_their_shares(rows: list[tuple[str, list[float]]]) -> None:
    found = ET.fromstring(stacked_bars(rows, ["a", "b<", "c"]))
    bars = [node for node in found.iter("div") if node.get("class") == "parts"]
    assert [node.text for node in found.iter("b")] == [label or None for label, _ in rows]
    for bar, (label, row) in zip(bars, rows, strict=True):
        widths = [float(re.findall(r"flex:([\d.]+)", part.get("style", ""))[0]) for part in bar]
        mine = [width for width, part in zip(widths, bar, strict=True) if part.get("class") != "none"]
        assert mine == pytest.approx([share for share in row if share > 0], abs=1e-6)
        assert sum(widths) == pytest.approx(1.0, abs=1e-5) or sum(row) == 0
        assert (bar.get("aria-label") or "").startswith(f"{label}: ")


def test_a_legend_names_every_part_in_its_colour() -> None:
    found = ET.fromstring(stacked_bars([("x", (0.5, 0.0))], ["one", "two"], "what", ["s3", "s7"]))
    assert found.get("aria-label") == "what"
    assert [(item.find("i").get("class"), "".join(item.itertext())) for item in found.iter("li")] == [  # type: ignore[union-attr]
        ("s3", "one"),
        ("s7", "two"),
    ]
    assert [part.text for part in found.iter("span")] == ["50 %", None]
