"""Sections as plain text for a terminal."""

from __future__ import annotations

import os
import re
import shutil
import sys
import textwrap
from collections.abc import Sequence

from accmine.errors import InputError
from accmine.report.section import BULLET, Section

__all__ = ["MIN_WIDTH", "asked_width", "colored", "escapes", "fitted", "render", "table", "terminal_width"]

MIN_WIDTH = 40
"""Narrowest text, in characters."""

_WIDTH = 110  # of reports that go to no terminal
_NARROWEST_WORDS, _NARROWEST_NAMES = 8, 24  # characters of columns of words, and of the first, that stay
_MOST_LINES = 3  # of a cell of words, before columns go into another part
_PIECES = re.compile(r"\s+|(?<=[_\-/,])")  # between parts of a cell that are broken only where no room is
_BETWEEN = 2  # spaces between columns
_INDENT = "  "
_BOLD, _DIM, _PLAIN = "\x1b[1m", "\x1b[2m", "\x1b[0m"


def asked_width() -> int | None:
    """Characters of a line of the terminal, or what ``COLUMNS`` says; ``None`` where nobody looks at lines."""
    columns = shutil.get_terminal_size((0, 0)).columns
    return max(MIN_WIDTH, columns) if columns else None


def terminal_width() -> int:
    """As ``asked_width``, and what ``render`` takes by default where there is no terminal."""
    return asked_width() or _WIDTH


def escapes() -> bool:
    """Whether the user's terminal may be sent escape codes: not with ``NO_COLOR``, nor where it is ``dumb``."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def colored() -> bool:
    """Whether what is printed may be coloured."""
    return sys.stdout.isatty() and escapes()


def render(sections: Sequence[Section], *, width: int | None = _WIDTH, color: bool = False) -> str:
    """All sections as text, one below the other.

    Parameters
    ----------
    width
        Characters of a line, at least ``MIN_WIDTH``. A table whose numbers do not fit is printed in several parts, its
        first column again in each. ``None``: tables are as wide as they need, notes as wide as by default.
    color
        Whether to use the escape codes of a terminal.

    Raises
    ------
    InputError
        If ``width`` is too small.
    """
    if width is not None and width < MIN_WIDTH:
        raise InputError(f"width {width}; at least {MIN_WIDTH} characters are needed", field="width")
    blocks = [_section(section, width, color) for section in sections]
    return "\n\n".join(blocks) + "\n" if blocks else ""


def table(section: Section, width: int | None = None) -> str:
    """The table of a section alone, within ``width`` characters; ``None``: never broken, for files."""
    return "\n".join(line for line, _ in _table(section, width))


def fitted(text: str, width: int | None) -> str:
    """Text of any kind with its long lines broken, each under its own indent; ``None``: as it is."""
    if width is None:
        return text
    lines = []
    for line in text.split("\n"):
        indent = " " * (len(line) - len(line.lstrip()) + 2)
        wrapped = textwrap.wrap(line, width, subsequent_indent=indent, break_on_hyphens=False, replace_whitespace=False)
        lines += wrapped if len(line) > width else [line]
    return "\n".join(lines)


def _section(section: Section, width: int | None, color: bool) -> str:
    room = width or _WIDTH
    *above, title = textwrap.wrap(f"── {section.title} ", room, drop_whitespace=False) or [""]
    lines = [(line, _BOLD) for line in (*above, title.ljust(room, "─"))]
    if section.rows:
        inner = None if width is None else width - len(_INDENT)
        lines += [(f"{_INDENT}{line}".rstrip(), style) for line, style in _table(section, inner)]
    text = [f"{style}{line}{_PLAIN}" if color and style and line else line for line, style in lines]
    return "\n".join(text + [_note(note, room) for note in section.notes])


def _note(note: str, width: int) -> str:
    inner = "    " if note.startswith(BULLET) else "  "
    return textwrap.fill(note, width, initial_indent="  ", subsequent_indent=inner, break_on_hyphens=False)


def _table(section: Section, width: int | None) -> list[tuple[str, str]]:
    """Lines with their style, of as many parts as it takes."""
    lines: list[tuple[str, str]] = []
    for part in _parts(section, width):
        lines += [("", "")] if lines else []
        widths = _fitted(section, part, width)
        head = [section.columns[index].title for index in part]
        lines += [(line, _DIM) for line in _lines(section, part, widths, head)]
        for number, row in enumerate(section.rows):
            style = _BOLD if number in section.marked else ""
            lines += [(line, style) for line in _lines(section, part, widths, [row[index] for index in part])]
    return lines


def _natural(section: Section, index: int) -> int:
    """Characters of the widest cell of a column."""
    return max([len(section.columns[index].title), *(len(row[index]) for row in section.rows)])


def _least(section: Section, index: int, width: int) -> int:
    """Characters that a column needs: a number is never broken, its heading and words are."""
    column, natural = section.columns[index], _natural(section, index)
    heading = max(map(len, column.title.split()), default=0)
    if not column.numeric:
        pieces = (piece for row in section.rows for piece in _PIECES.split(row[index]))
        whole = max(map(len, pieces), default=0)
        wanted = max(heading, whole, _NARROWEST_WORDS if index else _NARROWEST_NAMES, natural // _MOST_LINES)
        return min(natural, wanted, width // _MOST_LINES)
    return max([heading, *(len(row[index]) for row in section.rows)])


def _parts(section: Section, width: int | None) -> list[list[int]]:
    """Columns that fit side by side; the first, which says what a row is about, is in every part."""
    columns = range(len(section.columns))
    if width is None or not columns:
        return [list(columns)]
    least = [_least(section, index, width) for index in columns]
    if sum(least) + _BETWEEN * (len(least) - 1) <= width:
        return [list(columns)]
    parts, used = [[0]], least[0]
    for index in columns[1:]:
        if used + _BETWEEN + least[index] > width and len(parts[-1]) > 1:
            parts.append([0])
            used = least[0]
        parts[-1].append(index)
        used += _BETWEEN + least[index]
    return parts


def _fitted(section: Section, part: Sequence[int], width: int | None) -> list[int]:
    """Widths of the columns of a part: their own, the widest made narrower until all fit."""
    widths = [_natural(section, index) for index in part]
    if width is None:
        return widths
    least = [_least(section, index, width) for index in part]
    over = sum(widths) + _BETWEEN * (len(widths) - 1) - width
    while over > 0 and widths != least:
        at = max((i for i in range(len(widths)) if widths[i] > least[i]), key=lambda i: widths[i])
        widths[at] -= 1
        over -= 1
    return widths


def _lines(section: Section, part: Sequence[int], widths: Sequence[int], cells: Sequence[str]) -> list[str]:
    """The lines of one row."""
    folded = [_folded(cell, width) for cell, width in zip(cells, widths, strict=True)]
    lines = []
    for number in range(max(map(len, folded), default=0)):
        texts = []
        for index, pieces, width in zip(part, folded, widths, strict=True):
            text = pieces[number] if number < len(pieces) else ""
            texts.append(text.rjust(width) if section.columns[index].numeric else text.ljust(width))
        lines.append((" " * _BETWEEN).join(texts).rstrip())
    return lines


def _folded(text: str, width: int) -> list[str]:
    """A cell in lines: broken between words, inside a long one behind one of its joints."""
    if len(text) <= width:
        return [text]
    lines, line = [], ""
    for word in text.split():
        rest = word
        if line and len(line) + 1 + len(rest) <= width:
            line = f"{line} {rest}"
            continue
        if line:
            lines.append(line)
        while len(rest) > width:
            joint = max(rest.rfind(mark, 0, width) for mark in "_-/,") + 1
            cut = joint if joint > width // 2 else width
            lines.append(rest[:cut])
            rest = rest[cut:]
        line = rest
    return [*lines, line] if line else lines
