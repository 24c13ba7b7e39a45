"""Figures of a page: a picture, what it says in words, and the table that it was drawn from."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from accmine.report.csv import render

__all__ = ["Figure", "Table", "packed"]


@dataclass(frozen=True)
class Table:
    """Columns and rows of plain values; ``None`` and what is not finite are empty cells."""

    columns: tuple[str, ...]
    rows: Sequence[Sequence[Any]]

    def csv(self) -> str:
        """As a CSV file, numbers in full."""
        known = (map(_finite, row) for row in self.rows)
        return render([dict(zip(self.columns, row, strict=True)) for row in known], self.columns)


@dataclass(frozen=True)
class Figure:
    """A picture of a section.

    Attributes
    ----------
    key
        Stable identifier; name of its CSV file.
    title
        Heading.
    picture
        Inline SVG or HTML, of ``accmine.report.charts``.
    text
        What there is to see, in a sentence: for those who do not see it, and as its caption.
    table
        What it was drawn from.
    kind
        What a script does with it: ``points`` (each point shows its row), ``lanes`` (slices that can be zoomed);
        empty for nothing.
    options
        More for the script, by name.
    """

    key: str
    title: str
    picture: str
    text: str
    table: Table
    kind: str = ""
    options: dict[str, Any] = field(default_factory=dict)


def packed(figure: Figure) -> str:
    """Table and options of a figure as JSON that may stand inside a ``script`` element.

    Columns of words are indices into the distinct ones: a schedule names some operators a thousand times.
    """
    columns = []
    for name, cells in zip(figure.table.columns, zip(*figure.table.rows, strict=True), strict=False):
        known = [_finite(cell) for cell in cells]
        if any(isinstance(cell, str) for cell in known):
            place: dict[Any, int] = {}
            at = [place.setdefault(cell, len(place)) for cell in known]
            columns.append({"name": name, "of": list(place), "at": at})
        else:
            columns.append({"name": name, "values": known})
    if not figure.table.rows:
        columns = [{"name": name, "values": []} for name in figure.table.columns]
    data = {"columns": columns, "rows": len(figure.table.rows), "kind": figure.kind, **figure.options}
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
