"""Sections as plain text for a terminal."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Sequence
from io import StringIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from accmine.errors import InputError
from accmine.report.section import BULLET, Section

__all__ = ["MIN_WIDTH", "render", "table", "terminal_width"]

MIN_WIDTH = 40
"""Narrowest text, in characters."""

_NARROWEST_WORDS = 8  # a column of words is broken into lines rather than made narrower


def terminal_width() -> int:
    """Characters of a line of the terminal, or what ``render`` takes by default where there is none."""
    return max(MIN_WIDTH, shutil.get_terminal_size((110, 24)).columns)


def render(sections: Sequence[Section], *, width: int = 110, color: bool = False, whole: bool = False) -> str:
    """All sections as text, one below the other.

    Parameters
    ----------
    width
        Columns of the terminal, at least ``MIN_WIDTH``. A table whose numbers do not fit becomes wider
        rather than losing digits.
    color
        Whether to use the colour codes of a terminal.
    whole
        Whether a table becomes wider also where words do not fit: for tables of many short ones.

    Raises
    ------
    InputError
        If ``width`` is too small.
    """
    if width < MIN_WIDTH:
        raise InputError(f"width {width}; at least {MIN_WIDTH} characters are needed", field="width")
    blocks = [
        _section(s, max(width, 2 * len(s.columns) + sum(_widths(s))) if whole else width, color) for s in sections
    ]
    return "\n\n".join(blocks) + "\n" if blocks else ""


def table(section: Section) -> str:
    """The table of a section alone, never broken: for files, and for tables of thousands of rows, which rich lays out
    in minutes.
    """
    widths = _widths(section)
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column.numeric else cell.ljust(width)
            for cell, width, column in zip(row, widths, section.columns, strict=True)
        ).rstrip()
        for row in ([column.title for column in section.columns], *section.rows)
    )


def _widths(section: Section) -> list[int]:
    """Of the widest cell of every column."""
    return [max(map(len, cells)) for cells in zip([c.title for c in section.columns], *section.rows, strict=True)]


def _section(section: Section, width: int, color: bool) -> str:
    title = f"── {section.title} "
    lines = [_printed(Text(title.ljust(width, "─"), style="bold"), max(width, len(title)), color)]
    if section.rows:
        lines.append(_printed(_table(section), max(width, _least_width(section)), color))
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
    widths = zip(section.columns, _widths(section), strict=True)
    return 2 + sum(2 + (width if column.numeric else min(width, _NARROWEST_WORDS)) for column, width in widths)


def _printed(item: Table | Text, width: int, color: bool) -> str:
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
