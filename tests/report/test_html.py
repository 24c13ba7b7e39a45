"""Reports as HTML pages, and their hand-made charts."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.errors import InputError
from accmine.questions.run.record import Outcome
from accmine.questions.run.report.tables import sections
from accmine.report import html
from accmine.report.charts import svg
from accmine.report.section import BULLET
from tests.samples.report_sample import common, odd, pipeline, single

VOID = {"meta"}


class _Page(HTMLParser):
    """Text of a page; refuses tags that do not close in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.text: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        values = dict(attrs)
        self.ids += [values["id"] or ""] if "id" in values else []
        self.links += [values["href"] or ""] if "href" in values else []
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.mark.parametrize("make", [single, pipeline, common])
def test_page_shows_every_section_whole(make: type) -> None:
    outcome = make()
    page = _Page(html.render(outcome))
    shown = set(page.text)
    for section in sections(outcome):
        assert section.key in page.ids
        cells = {section.title, *(cell for row in section.rows for cell in row if cell)}
        notes = {note.removeprefix(BULLET) for note in section.notes}
        assert cells | notes <= shown
    assert {link[1:] for link in page.links} <= set(page.ids)


def test_page_needs_nothing_else() -> None:
    page = html.render(pipeline(), svg='<?xml version="1.0"?><!DOCTYPE svg SYSTEM "http://x/y.dtd"><svg id="g"></svg>')
    assert not re.search(r"(src|href)\s*=\s*[\"'](?!#)|url\(|@import|<script|<link|http", page)
    assert '<svg id="g"></svg>' in page
    assert page.count("<!DOCTYPE") == 1
    with pytest.raises(InputError, match="no <svg element"):
        html.render(single(), svg="<p>no chart</p>")


def test_page_reads_in_light_and_dark() -> None:
    page = html.render(single())
    assert "color-scheme:light dark" in page
    assert "prefers-color-scheme:dark" in page
    used = set(re.findall(r"var\((--\w+)\)", page))
    assert used <= set(re.findall(r"(--\w+):", page))


def test_text_is_escaped() -> None:
    odd = '<script>alert("1")</script>&'
    outcome = replace(single(), study=odd, warnings=(odd,), versions={odd: odd}, stages=_named(odd))
    page = _Page(html.render(outcome))
    assert "script" not in page.tags
    assert odd in page.text


def _named(name: str) -> tuple:  # type: ignore[type-arg]
    return tuple(replace(stage, name=name) for stage in single().stages)


def test_design_files_are_inside() -> None:
    assert "tensor_cores: 4\nrows: 128 # <128>\n" in _Page(html.render(single())).text


@settings(max_examples=40, deadline=None)
@given(odd())
def test_any_outcome_has_a_page(outcome: Outcome) -> None:
    assert "answer" in _Page(html.render(outcome)).ids


shares = st.lists(st.floats(0, 1), min_size=3, max_size=3).map(lambda x: [v / max(1.0, sum(x)) for v in x])


@given(st.lists(st.tuples(st.text(st.characters(categories=("L", "P")), max_size=20), shares), max_size=5))
def test_bars_are_as_long_as_their_shares(rows: list[tuple[str, list[float]]]) -> None:
    chart = ET.fromstring(svg.stacked_bars(rows, ["a", "b<", "c"]))
    bars = [rect for rect in chart.iter("rect") if rect.get("height") == "20"]
    width, left = 760.0, 12 + 7.2 * max((len(label) for label, _ in rows), default=0)
    for i, (_, row) in enumerate(rows):
        mine = [rect for rect in bars if rect.get("y") == str(28 + 26 * i)]
        assert len(mine) == sum(share > 0 for share in row)
        total = sum(float(rect.get("width", "")) for rect in mine)
        assert total == pytest.approx((width - left - 4) * sum(row), abs=0.2)
        assert all(float(rect.get("x", "")) + float(rect.get("width", "")) <= width for rect in mine)


def test_page_draws_the_progress_of_the_objective() -> None:
    assert "value of the objective throughput, lower is better" in _Page(html.render(single())).text
    assert "value of the objective" not in html.render(common())  # no trace was kept


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


number = st.none() | st.floats(allow_nan=True, allow_infinity=True)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1e6), number, number), max_size=20))
def test_progress_is_always_well_formed(trace: list[tuple[float, float | None, float | None]]) -> None:
    chart = svg.progress(sorted(trace, key=lambda row: row[0]), "a < b")
    if chart:
        ET.fromstring(chart)
        assert "nan" not in chart
        assert "inf" not in chart
