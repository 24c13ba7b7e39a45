"""A table of flat rows that people ask, in a program or a notebook."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, overload

from accmine.errors import InputError
from accmine.report import csv
from accmine.report.numbers import cell
from accmine.report.section import Column, Section
from accmine.report.text import table

__all__ = ["Records", "records"]

SHOWN_ROWS = 60
"""Of a longer table a notebook shows as many."""

Row = Mapping[str, Any]


@dataclass(frozen=True, repr=False)
class Records(Sequence[Row]):
    """Rows of plain values under named columns; a sequence of mappings.

    Attributes
    ----------
    columns
        Their names, in order.
    rows
        A mapping each; what one lacks is ``None``.
    """

    columns: tuple[str, ...]
    rows: tuple[Row, ...]

    def __len__(self) -> int:
        """How many rows there are."""
        return len(self.rows)

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> Records: ...
    def __getitem__(self, index: int | slice) -> Row | Records:
        """A row, or the table of some."""
        return Records(self.columns, self.rows[index]) if isinstance(index, slice) else self.rows[index]

    def __iter__(self) -> Iterator[Row]:
        """The rows in their order."""
        return iter(self.rows)

    def column(self, name: str) -> list[Any]:
        """The values of a column.

        Raises
        ------
        KeyError
            If there is none of that name.
        """
        if name not in self.columns:
            raise KeyError(name)
        return [row.get(name) for row in self.rows]

    def to_json(self) -> list[dict[str, Any]]:
        """A mapping with all columns per row."""
        return [{name: row.get(name) for name in self.columns} for row in self.rows]

    def to_csv(self) -> str:
        """The table as CSV, numbers in full."""
        return csv.render(self.rows, self.columns)

    def to_pandas(self) -> Any:
        """The table as a ``pandas.DataFrame``.

        Raises
        ------
        InputError
            If pandas is not installed; names the extra.
        """
        try:
            import pandas
        except ImportError as error:
            raise InputError("a data frame needs pandas: pip install 'accmine[data]'") from error
        return pandas.DataFrame({name: self.column(name) for name in self.columns})

    def __str__(self) -> str:
        """The table as text, as wide as it is, each row in a line."""
        numeric = [all(isinstance(value, int | float | None) for value in self.column(name)) for name in self.columns]
        columns = tuple(Column(name, right) for name, right in zip(self.columns, numeric, strict=True))
        cells = tuple(tuple(" ".join(cell(row.get(name)).split()) for name in self.columns) for row in self.rows)
        return table(Section("records", "", columns, cells))

    def __repr__(self) -> str:
        """What it is, in a line; ``print`` shows the rows."""
        names = ", ".join(self.columns[:6]) + (", …" if len(self.columns) > 6 else "")
        return f"<Records: {len(self.rows)} row{'s' * (len(self.rows) != 1)} of {len(self.columns)} columns: {names}>"

    def _repr_html_(self) -> str:
        """The first rows as a table, for notebooks; columns that are empty in all of them are left out."""
        first = self.rows[:SHOWN_ROWS]
        names = [name for name in self.columns if any(row.get(name) not in (None, "") for row in first)]
        head = "".join(f"<th>{escape(name)}</th>" for name in names)
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(cell(row.get(name)))}</td>" for name in names) + "</tr>" for row in first
        )
        more = len(self.rows) - len(first)
        rest = f"<p>and {more} more row{'s' * (more != 1)}</p>" if more else ""
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{rest}"


def records(rows: Sequence[Row], columns: Sequence[str] = ()) -> Records:
    """A table of rows; without ``columns``, under all keys of any of them, in the order in which they come."""
    return Records(tuple(columns) or tuple(dict.fromkeys(name for row in rows for name in row)), tuple(rows))
