"""Whole reports as text and as pages."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings

from accmine.questions.run.reading import page
from accmine.questions.run.record import Outcome
from accmine.questions.run.report import render, sections
from accmine.report import BULLET
from tests.samples.page_sample import Page
from tests.samples.report_sample import common, odd, pipeline, single

Make = Callable[[], Outcome]


def test_sections_stand_in_reading_order() -> None:
    keys = [section.key for section in sections(pipeline())]
    assert keys == [
        *("answer", "throughput", "limits", "baselines", "modes", "changes", "time", "nearest"),
        *("stages", "schedules", "certificate", "variant", "warnings", "run"),
    ]
    assert [key for key in keys if key != "modes"] == [section.key for section in sections(single())]


@pytest.mark.parametrize("make", [single, pipeline, common])
@pytest.mark.parametrize("width", [40, 80, 110, 300])
def test_no_number_is_cut_at_any_width(make: Make, width: int) -> None:
    outcome = make()
    lines = render(outcome, width=width).splitlines()
    for section in sections(outcome):
        numeric = [i for i, column in enumerate(section.columns) if column.numeric]
        for row in section.rows:
            for cell in filter(None, (row[i] for i in numeric)):
                whole = re.compile(rf"(?<!\S){re.escape(cell)}(?!\S)")
                assert any(whole.search(line) for line in lines), (section.key, cell)


@pytest.mark.parametrize("make", [single, pipeline, common])
def test_lines_fit_the_terminal_and_carry_no_codes(make: Make) -> None:
    plain = render(make())
    assert max(map(len, plain.splitlines())) <= 110
    assert "\x1b" not in plain
    assert not any(line != line.rstrip() for line in plain.splitlines())
    assert re.sub(r"\x1b\[[0-9;]*m", "", render(make(), color=True)).split() == plain.split()


def test_words_that_look_like_markup_are_printed_as_they_are() -> None:
    odd = replace(single(), study="[bold]:smile:[/bold]", warnings=("[red]hot[/red] [1]",))
    plain = render(odd, color=True)
    assert "[bold]:smile:[/bold]" in plain
    assert "[red]hot[/red] [1]" in plain


@settings(max_examples=40, deadline=None)
@given(odd())
def test_any_outcome_has_a_report(outcome: Outcome) -> None:
    shown = sections(outcome)
    assert {"answer", "certificate"} <= {section.key for section in shown}
    assert render(outcome).startswith("── Answer")


@pytest.mark.parametrize("make", [single, pipeline, common])
def test_page_shows_every_section_whole(make: Make) -> None:
    outcome = make()
    shown_page = Page(page(outcome))
    shown = set(shown_page.text)
    for section in sections(outcome):
        assert section.key in shown_page.ids
        cells = {section.title, *(cell for row in section.rows for cell in row if cell)}
        notes = {note.removeprefix(BULLET) for note in section.notes}
        assert cells | notes <= shown
    assert {link[1:] for link in shown_page.links} <= set(shown_page.ids)


def test_text_is_escaped() -> None:
    odd = '<script>alert("1")</script>&'
    outcome = replace(single(), study=odd, warnings=(odd,), versions={odd: odd}, stages=_named(odd))
    found = Page(page(outcome))
    assert found.tags.count("script") == Page(page(single())).tags.count("script")
    assert odd in found.text


def _named(name: str) -> tuple:  # type: ignore[type-arg]
    return tuple(replace(stage, name=name) for stage in single().stages)


def test_design_files_are_inside() -> None:
    assert "tensor_cores: 4\nrows: 128 # <128>\n" in Page(page(single())).text


@settings(max_examples=40, deadline=None)
@given(odd())
def test_any_outcome_has_a_page(outcome: Outcome) -> None:
    assert "answer" in Page(page(outcome)).ids


def test_page_draws_the_progress_of_the_objective() -> None:
    assert "value of the objective throughput, lower is better" in Page(page(single())).text
    assert "value of the objective" not in page(common())  # no trace was kept


@pytest.mark.parametrize("outcome", [single, pipeline, common])
@pytest.mark.parametrize("width", [80, 110])
def test_the_report_fits_a_narrow_terminal(outcome: Callable[[], Outcome], width: int) -> None:
    assert max(map(len, render(outcome(), width=width).splitlines())) <= width
