"""A section of a report: one table and the sentences under it, free of any output format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from accmine.questions.run.record import Outcome

__all__ = ["BULLET", "Column", "Section", "design_labels", "figures", "legend", "texts"]

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
    """

    key: str
    title: str
    columns: tuple[Column, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    notes: tuple[str, ...] = ()
    marked: tuple[int, ...] = ()

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


def _letter(index: int) -> str:
    """A … Z, AA, AB, …"""
    index, last = divmod(index, 26)
    return (_letter(index - 1) if index else "") + chr(ord("A") + last)


def design_labels(outcome: Outcome) -> dict[str, str]:
    """A letter for every design of the answer, then of its other modes.

    The canonical name of a design carries every tunable and is too long to stand in a table twice.
    """
    names = [design.name for design in outcome.designs]
    names += [stage.design for stage in outcome.stages]
    names += [name for mode in outcome.modes for name in mode.designs]
    return {name: _letter(i) for i, name in enumerate(dict.fromkeys(names))}


def legend(labels: Mapping[str, str], names: Sequence[str]) -> tuple[str, ...]:
    """One list item per design name: its letter and what it stands for."""
    return tuple(f"{BULLET}{labels[name]} = {name}" for name in dict.fromkeys(names))
