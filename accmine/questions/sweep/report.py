"""The table of a sweep as text."""

from __future__ import annotations

import json
from typing import Any

from accmine.questions.sweep.record import PointRecord, SweepResult, status_line
from accmine.report import UNKNOWN, Column, Section, cell, number, table
from accmine.report import render as render_sections

__all__ = ["MOST_LAID_OUT", "line_of", "points_section", "render", "value_text"]

MOST_LAID_OUT = 200
"""Rows that are laid out for the terminal; longer tables are lines that are never broken."""

_SHOWN = (("best", "best"), ("bound", "bound"), ("gap", "gap %"), ("area_mm2", "mm²"), ("tdp_w", "W"), ("seconds", "s"))


def value_text(value: Any) -> str:
    """A value of a point on one line."""
    if value is None:
        return UNKNOWN
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def points_section(result: SweepResult) -> Section:
    """The table: the values of each point, and what it came to."""
    values = result.columns
    columns = [Column("#", numeric=True), *map(Column, values), Column("status")]
    columns += [Column(title, numeric=True) for _, title in _SHOWN]
    rows = tuple(_row(point, values) for point in result.points)
    units = sorted({f"{p.row['metric']} [{p.row['unit'] or '1'}]" for p in result.points if p.row["metric"]})
    notes = [f"best and bound: {', '.join(units)}"] if units else []
    why = [
        f"point {point.number}: {str(point.row['message'])[:300]}" for point in result.points if point.row["message"]
    ]
    notes += why[:MOST_LAID_OUT] + ([f"and {len(why) - MOST_LAID_OUT} more"] if len(why) > MOST_LAID_OUT else [])
    return Section(
        "points", f"Sweep {result.name}: {status_line(result.points, result.count)}", tuple(columns), rows, tuple(notes)
    )


def _row(point: PointRecord, values: tuple[str, ...]) -> tuple[str, ...]:
    own = [number(value) if isinstance(value := point.row[name], int | float) else UNKNOWN for name, _ in _SHOWN]
    return (cell(point.number), *(value_text(point.values.get(name)) for name in values), point.status, *own)


def line_of(point: PointRecord) -> str:
    """A finished point as a line of progress."""
    where = ", ".join(f"{name} {value_text(value)}" for name, value in point.values.items())
    best = point.row["best"]
    what = f"{number(best)} {point.row['unit']}".rstrip() if isinstance(best, int | float) else point.row["message"]
    return f"point {point.number} ({where}): {point.status}: {str(what)[:200]}"


def render(result: SweepResult, *, width: int = 110, color: bool = False) -> str:
    """The report as text."""
    section = points_section(result)
    if len(section.rows) <= MOST_LAID_OUT:
        text = render_sections([section], width=width, color=color)
    else:
        text = "\n".join([section.title, table(section), *section.notes]) + "\n"
    whole = (result.folder / "table.csv").is_file()  # not of a shard
    table_csv = f"{result.folder}/table.csv has every column" if whole else "--merge makes the table"
    return f"{text}\n{table_csv}; `accmine show RUN` prints a point again\n"
