"""Sections as text."""

from __future__ import annotations

import pytest

from accmine.errors import InputError
from accmine.report import Section, figures, render, table, terminal_width, texts
from accmine.report.text import MIN_WIDTH

WORDS = "a long text of many words that has to be broken into lines"
SECTION = Section(
    "x",
    "Title",
    (*texts("what", "why"), *figures("n")),
    (("one", WORDS, "1,234,567"), ("two", "", "2")),
    ("a note",),
    (1,),
)


def test_words_are_broken_and_numbers_are_not() -> None:
    lines = render([SECTION], width=40).splitlines()
    assert lines[0] == "── Title ───────────────────────────────"
    assert max(map(len, lines)) <= 40
    assert sum("1,234,567" in line for line in lines) == 1
    assert lines[-1] == "  a note"
    assert WORDS.split() == [
        word for line in lines[2:-2] for word in line.replace("one", "").split() if word[0].isalpha()
    ]


def test_a_whole_table_is_as_wide_as_it_needs() -> None:
    lines = render([SECTION, SECTION], width=40, whole=True).splitlines()
    assert sum(WORDS in line for line in lines) == 2
    assert lines.count("") == 1
    assert render([]) == ""


def test_marked_rows_are_bold_on_a_terminal() -> None:
    (bold,) = [line for line in render([SECTION], color=True).splitlines() if "two" in line]
    assert bold.startswith("\x1b[1m")
    assert "\x1b" not in render([SECTION])


def test_a_width_nothing_fits_is_refused() -> None:
    with pytest.raises(InputError, match="at least 40"):
        render([SECTION], width=MIN_WIDTH - 1)


def test_a_bare_table_has_columns_two_apart() -> None:
    assert table(Section("x", "X", (*texts("a", "b"), *figures("n")), (("one", "", "10"), ("x", "yy", "9")))) == (
        "a    b    n\none      10\nx    yy   9"
    )
    assert WORDS in table(SECTION)
    assert table(Section("x", "X", texts("a", "b"))) == "a  b"


def test_the_width_of_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    assert terminal_width() == MIN_WIDTH
    monkeypatch.setenv("COLUMNS", "200")
    assert terminal_width() == 200
