"""Sections as an HTML page."""

from __future__ import annotations

import json
import re
from dataclasses import replace

from accmine.report import Figure, Section, Table, figures, texts
from accmine.report.html import page
from tests.samples.page_sample import Page

FIRST = Section("answer", "Answer: it", (*texts("a"), *figures("b")), (("x", "1"), ("<y>", "2")), ("• one", "after"))
MORE = Section("more", "More, and more", notes=("a note",), files=(("design A", "rows: 4 # <4>"),))
ODD = "</script><!-- <b>\u2028"
FIGURE = Figure("f1", "A <figure>", '<svg id="g"></svg>', "what it shows", Table(("x", "y"), [(1.5, ODD)]), "points")


def test_page_needs_nothing_else() -> None:
    found = page("t", [FIRST, MORE], {"more": [FIGURE]}, lead="so it is", hero=[FIGURE], warnings=["mind <this>"])
    assert not re.search(r"(src|href)\s*=\s*[\"'](?!#)|[^.\w]url\(|@import|<link|fetch\(|XMLHttp|import\(", found)
    assert set(re.findall(r"https?://[^\"' ]+", found)) == {"http://www.w3.org/2000/svg"}  # a name, never asked for
    assert found.count('<svg id="g"></svg>') == 2
    assert found.count("<!DOCTYPE") == 1


def test_the_data_of_a_figure_comes_back_whole() -> None:
    found = page("t", [MORE], {"more": [FIGURE]})
    text = found.partition('id="data-f1">')[2].partition("</script>")[0]
    data = json.loads(text)
    assert data["rows"] == 1
    assert [column["name"] for column in data["columns"]] == ["x", "y"]
    assert data["columns"][0]["values"] == [1.5]
    assert data["columns"][1]["of"][data["columns"][1]["at"][0]] == ODD
    assert Page(found).tags.count("script") == 2


def test_a_figure_without_a_picture_is_left_out() -> None:
    assert "fig-f1" not in page("t", [MORE], {"more": [replace(FIGURE, picture="")]})


def test_page_reads_in_light_and_dark() -> None:
    found = page("t", [FIRST])
    assert "color-scheme:light dark" in found
    assert "prefers-color-scheme:dark" in found
    used = set(re.findall(r"var\((--\w+)\)", found))
    assert used <= set(re.findall(r"(--\w+):", found))


def test_everything_of_a_section_is_there() -> None:
    found = Page(page("<t>", [FIRST, MORE], {"more": [FIGURE]}, lead="so < it", warnings=["mind <this>"]))
    assert {"<t>", "Answer: it", "a", "b", "<y>", "2", "one", "after", "a note", "rows: 4 # <4>"} <= set(found.text)
    assert {"so < it", "mind <this>", "A <figure>"} <= set(found.text)
    assert found.ids == ["warnings", "main", "answer", "more", "fig-f1", "g", "panel-f1", "data-f1", "tip"]
    assert found.links == ["#main", "#answer", "#more"]
    assert found.tags.index("svg") > found.tags.index("table")
    assert "li" in found.tags
    assert Page(page("t", [Section("s", "<script>", notes=("<script>",))])).tags.count("script") == 1
