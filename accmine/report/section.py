"""A section of a report: one table and the sentences under it, free of any output format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from accmine.report.numbers import cell

__all__ = ["BULLET", "Column", "Section", "figures", "of_records", "texts"]

BULLET = "• "
"""Starts a note that is an item of a list."""


@dataclass(frozen=True, slots=True)
class Column:
    """Heading of a column; ``numeric`` columns are right-aligned and never broken."""

    title: str
    numeric: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """A titled table with notes.

    Attributes
    ----------
    key
        Stable identifier, e.g. ``limits``: anchor of the HTML report.
    title
        Heading.
    columns, rows
        The table, every row as long as ``columns``; both may be empty.
    notes
        Sentences under the table; those that start with ``BULLET`` form a list.
    marked
        Indices of the rows to emphasise.
    files
        (name, text) of whole files; only a page has room for them, folded.
    """

    key: str
    title: str
    columns: tuple[Column, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    notes: tuple[str, ...] = ()
    marked: tuple[int, ...] = ()
    files: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        """Refuse a row that does not fit its columns."""
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"section {self.key}: a row of {len(row)} cells under {len(self.columns)} columns")

    def __bool__(self) -> bool:
        """Whether there is anything to show."""
        return bool(self.rows or self.notes)


def texts(*titles: str) -> tuple[Column, ...]:
    """Columns of words."""
    return tuple(Column(title) for title in titles)


def figures(*titles: str) -> tuple[Column, ...]:
    """Columns of numbers."""
    return tuple(Column(title, numeric=True) for title in titles)


def of_records(key: str, title: str, rows: Sequence[Mapping[str, Any]]) -> Section:
    """Records of plain values as a section: a column for each key of any of them, numbers to the right."""
    keys = list(dict.fromkeys(name for row in rows for name in row))
    numeric = [all(isinstance(row.get(name), int | float | None) for row in rows) for name in keys]
    columns = tuple(Column(name.replace("_", " "), right) for name, right in zip(keys, numeric, strict=True))
    return Section(key, title, columns, tuple(tuple(cell(row.get(name)) for name in keys) for row in rows))
