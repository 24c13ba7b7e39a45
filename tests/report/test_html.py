"""Sections as an HTML page."""

from __future__ import annotations

import re

import pytest

from accmine.errors import InputError
from accmine.report import Section, figures, texts
from accmine.report.html import page
from tests.samples.page_sample import Page

FIRST = Section("answer", "Answer: it", (*texts("a"), *figures("b")), (("x", "1"), ("<y>", "2")), ("• one", "after"))
MORE = Section("more", "More, and more", notes=("a note",), files=(("design A", "rows: 4 # <4>"),))
SVG = '<?xml version="1.0"?><!DOCTYPE svg SYSTEM "http://x/y.dtd"><svg id="g"></svg>'


def test_page_needs_nothing_else() -> None:
    found = page("t", [FIRST, MORE], {"more": "<svg></svg>"}, {"Schedule": SVG})
    assert not re.search(r"(src|href)\s*=\s*[\"'](?!#)|url\(|@import|<script|<link|http", found)
    assert '<svg id="g"></svg>' in found
    assert found.count("<!DOCTYPE") == 1
    with pytest.raises(InputError, match="no <svg element"):
        page("t", [FIRST], drawings={"Schedule": "<p>no chart</p>"})


def test_page_reads_in_light_and_dark() -> None:
    found = page("t", [FIRST])
    assert "color-scheme:light dark" in found
    assert "prefers-color-scheme:dark" in found
    used = set(re.findall(r"var\((--\w+)\)", found))
    assert used <= set(re.findall(r"(--\w+):", found))


def test_everything_of_a_section_is_there() -> None:
    found = Page(page("<t>", [FIRST, MORE], {"more": "<svg></svg>"}, {"Gantt chart": SVG}))
    assert {"<t>", "Answer: it", "a", "b", "<y>", "2", "one", "after", "a note", "rows: 4 # <4>"} <= set(found.text)
    assert found.ids == ["answer", "more", "gantt-chart", "g"]
    assert found.links == ["#more", "#gantt-chart"]
    assert found.tags.index("svg") > found.tags.index("table")
    assert "li" in found.tags
    assert "script" not in Page(page("t", [Section("s", "<script>", notes=("<script>",))])).tags
