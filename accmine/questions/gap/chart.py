"""Gap over time as an SVG file of its own: one line per run, made by hand so that no library is needed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from accmine.questions.gap.record import WHOLE, GapRow
from accmine.report import Frame, percent
from accmine.result import Sense, gap

__all__ = ["LEAST", "gap_trace", "plot"]

LEAST = 1e-4
"""Gaps below this are drawn at it: the axis is logarithmic."""

_WIDTH, _LEFT, _RIGHT, _TOP, _PLOT = 900.0, 70.0, 20.0, 36.0, 320.0
_COLORS = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#17becf", "#8c564b", "#7f7f7f")
_DASHES = ("", "6 3", "2 3", "8 3 2 3")
_LINE = 18.0

Point = tuple[float, float]


def gap_trace(row: GapRow) -> list[Point]:
    """(seconds, gap) from the moment both sides are known; it never rises."""
    points: list[Point] = []
    for moment, best, bound in row.trace:
        found = gap(best, bound, Sense(row.sense))
        if found is not None and (not points or found != points[-1][1]):
            points.append((moment, found))
    return points


def plot(rows: Sequence[GapRow]) -> str:
    """The SVG of all rows of a whole that have a gap at some time; empty if there are none."""
    runs = [(row, gap_trace(row)) for row in rows if row.part == WHOLE]
    runs = [(row, points) for row, points in runs if points]
    if not runs:
        return ""
    end = max(row.seconds or points[-1][0] for row, points in runs) or 1.0
    drawn = [max(LEAST, found) for _, points in runs for _, found in points]
    low, high = math.floor(math.log10(min(drawn)) + 1e-9), math.ceil(math.log10(max(drawn)) - 1e-9)
    high = max(high, low + 1)
    frame = Frame(_LEFT, _WIDTH - _RIGHT, _TOP, _TOP + _PLOT, end, low, high)
    height = _TOP + _PLOT + 40 + _LINE * len(runs)
    names = _names([row for row, _ in runs])
    parts = [f'<text x="4" y="16">{escape("gap from the bound over time, by run")}</text>']
    parts += frame.axes([(power, _power(power)) for power in range(low, high + 1)])
    for index, ((row, points), name) in enumerate(zip(runs, names, strict=True)):
        style = f'stroke="{_COLORS[index % len(_COLORS)]}"'
        dash = _DASHES[index // len(_COLORS) % len(_DASHES)]
        style += f' stroke-dasharray="{dash}"' if dash else ""
        path = frame.steps([(moment, math.log10(max(found, LEAST))) for moment, found in points])
        path += "" if row.seconds is None else f"H{frame.x(row.seconds):.1f}"
        parts.append(f'<path class="run" {style} d="{path}"/>')
        y = _TOP + _PLOT + 40 + _LINE * index
        label = f"{name}: {percent(points[-1][1])}"
        parts.append(f'<path class="run" {style} d="M{_LEFT:.1f} {y - 4:.1f}h24"/>')
        parts.append(f'<text x="{_LEFT + 32:.1f}" y="{y:.1f}">{escape(label)}</text>')
    style = "text{font:12px sans-serif;fill:#222}.axis{stroke:#ddd}.run{fill:none;stroke-width:1.8}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {_WIDTH:.0f} {height:.0f}" '
        f'width="{_WIDTH:.0f}" height="{height:.0f}" aria-label="gap over time"><style>{style}</style>'
        f'<rect width="100%" height="100%" fill="#fff"/>{"".join(parts)}</svg>\n'
    )


def _power(power: int) -> str:
    text = f"{100 * 10.0**power:g} %"
    return f"≤ {text}" if 10.0**power <= LEAST else text


def _names(rows: Sequence[GapRow]) -> list[str]:
    """What tells the runs apart."""
    table = [
        {"study": row.study, "metric": row.metric, "method": row.method, **row.options}
        | {"seed": row.seed, "limit": row.limit_s}
        for row in rows
    ]
    keys = list(dict.fromkeys(key for cells in table for key in cells))
    varied = [key for key in keys if len({str(cells.get(key)) for cells in table}) > 1]
    named = [key for key in varied if key not in ("study", "method")]
    names = []
    for cells in table:
        words = [str(cells["study"]), str(cells["method"])] if "method" in varied else [str(cells["study"])]
        names.append(" ".join(words + [f"{key}={cells[key]}" for key in named if key in cells]))
    return names
