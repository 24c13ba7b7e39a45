"""Sections as text."""

from __future__ import annotations

from pathlib import Path

import pytest

from accmine.errors import InputError
from accmine.report import Section, asked_width, colored, figures, fitted, render, table, terminal_width, text, texts
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
    lines = render([SECTION, SECTION], width=None).splitlines()
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


def test_columns_that_do_not_fit_go_into_another_part_below_the_first_column_again() -> None:
    heads = (*texts("design"), *figures(*(f"figure {i} of it" for i in range(8))))
    row = ("tc8x128x64ws-2Mi_vc4x32x16-256Ki_sh0", *(f"{i},234,567,890" for i in range(8)))
    lines = table(Section("x", "X", heads, (row,)), 80).splitlines()
    assert max(map(len, lines)) <= 80
    parts = "\n".join(lines).split("\n\n")
    assert all("tc8x128x64ws-2Mi_" in part for part in parts), "broken behind a joint"
    assert [[f"{i},234,567,890" in part for i in range(8)] for part in parts] == [
        [3 * part <= i < 3 * part + 3 for i in range(8)] for part in range(3)
    ]


def test_headings_are_broken_before_columns_are_parted() -> None:
    heads = (*texts("a"), *figures("a long heading", "another heading", "the third heading"))
    lines = table(Section("x", "X", heads, (("one", "1", "22", "333"),)), 40).splitlines()
    assert [line.split() for line in lines] == [
        ["a", "a", "long", "another", "the", "third"],
        ["heading", "heading", "heading"],
        ["one", "1", "22", "333"],
    ]
    assert max(map(len, lines)) <= 40


def test_sentences_are_broken_under_their_indent() -> None:
    assert fitted("short\n  one two three four", 14) == "short\n  one two\n    three four"
    assert fitted("one two three four", None) == "one two three four"


@pytest.mark.parametrize(
    ("variables", "coloured"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False), ({"NO_COLOR": ""}, True)],
)
def test_no_escape_codes_where_none_are_wanted(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], coloured: bool
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert colored() is coloured


def test_nobody_else_asks_whether_there_is_a_terminal() -> None:
    """Else NO_COLOR and TERM=dumb would be forgotten there."""
    folder = Path(text.__file__).parents[1]
    asking = {file.name for file in folder.rglob("*.py") if "isatty" in file.read_text(encoding="utf-8")}
    assert asking == {"text.py", "progress.py"}


def test_the_width_of_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    assert terminal_width() == MIN_WIDTH
    monkeypatch.setenv("COLUMNS", "200")
    assert terminal_width() == 200
    monkeypatch.delenv("COLUMNS")
    monkeypatch.setattr("sys.__stdout__", None)
    assert asked_width() is None
    assert terminal_width() == 110
