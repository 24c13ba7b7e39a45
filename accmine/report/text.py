"""The report of a run as plain text for a terminal."""

from __future__ import annotations

import textwrap
from io import StringIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from accmine.errors import InputError
from accmine.questions.run.record import Outcome
from accmine.questions.run.report.tables import sections
from accmine.report.section import BULLET, Section

__all__ = ["MIN_WIDTH", "render"]

MIN_WIDTH = 40
"""Narrowest text, in characters."""

_NARROWEST_WORDS = 8  # a column of words is broken into lines rather than made narrower


def render(outcome: Outcome, *, width: int = 110, color: bool = False) -> str:
    """The whole report as text.

    Parameters
    ----------
    width
        Columns of the terminal, at least ``MIN_WIDTH``. A table whose numbers do not fit becomes wider
        rather than losing digits.
    color
        Whether to use the colour codes of a terminal.

    Raises
    ------
    InputError
        If ``width`` is too small.
    """
    if width < MIN_WIDTH:
        raise InputError(f"width {width}; at least {MIN_WIDTH} characters are needed", field="width")
    blocks = [_section(section, width, color) for section in sections(outcome)]
    return "\n\n".join(blocks) + "\n"


def _section(section: Section, width: int, color: bool) -> str:
    title = f"── {section.title} "
    lines = [_plain(Text(title.ljust(width, "─"), style="bold"), max(width, len(title)), color)]
    if section.rows:
        lines.append(_plain(_table(section), max(width, _least_width(section)), color))
    lines += [_note(note, width) for note in section.notes]
    return "\n".join(lines)


def _note(note: str, width: int) -> str:
    inner = "    " if note.startswith(BULLET) else "  "
    return textwrap.fill(note, width, initial_indent="  ", subsequent_indent=inner, break_on_hyphens=False)


def _table(section: Section) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim" if section.rows else "")
    table.add_column("", width=0)  # indents the table like the notes
    for column in section.columns:
        table.add_column(
            Text(column.title),
            justify="right" if column.numeric else "left",
            no_wrap=column.numeric,
            overflow="fold",
        )
    for index, row in enumerate(section.rows):
        table.add_row("", *(Text(cell) for cell in row), style="bold" if index in section.marked else "")
    return table


def _least_width(section: Section) -> int:
    """Width at which no number is cut and words still have room."""
    total = 2
    for position, column in enumerate(section.columns):
        longest = max(len(cell) for cell in (column.title, *(row[position] for row in section.rows)))
        total += 2 + (longest if column.numeric else min(longest, _NARROWEST_WORDS))
    return total


def _plain(item: Table | Text, width: int, color: bool) -> str:
    out = StringIO()
    console = Console(
        file=out,
        width=width,
        color_system="standard" if color else None,
        force_terminal=color,
        highlight=False,
        emoji=False,
        markup=False,
        legacy_windows=False,
    )
    console.print(item, soft_wrap=isinstance(item, Text))
    return "\n".join(line.rstrip() for line in out.getvalue().rstrip("\n").split("\n"))
