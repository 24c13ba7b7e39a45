"""A certificate as a picture: heuristic, best verified value and proven bound on one axis."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from math import isfinite

from accmine.report.charts.svg import TEXT, svg
from accmine.report.numbers import number

__all__ = ["on_one_axis"]

_WIDTH, _LEFT, _RIGHT = 520.0, 24.0, 496.0


def on_one_axis(
    marks: Sequence[tuple[str, str, float]],
    unit: str,
    span: tuple[str, str] | None = None,
    note: str = "",
    ends: tuple[float, float] | None = None,
) -> str:
    """Values as marks on an axis, names above and below in turn so that near ones do not overlap.

    Parameters
    ----------
    marks
        (CSS class, name, value); values that are not finite are left out.
    span
        Two classes: what lies between these is the gap, drawn as a bar.
    note
        Written in the gap.
    ends
        Least and largest value of the axis, so that several pictures have the same; default: those of the marks.
    """
    known = [mark for mark in marks if isfinite(mark[2])]
    if not known:
        return ""
    values = [value for *_, value in known] + list(ends or ())
    low, high = min(values), max(values)
    room = (high - low) * 0.12 or abs(high) * 0.1 or 1.0
    low, high = (0.0 if 0 < low < 0.35 * high else low - room), high + room
    step = (_RIGHT - _LEFT) / (high - low)
    place = {name: _LEFT + (value - low) * step for name, _, value in known}
    parts = [f'<line class="axis" x1="{_LEFT}" y1="84" x2="{_RIGHT}" y2="84"/>']
    if span is not None and all(name in place for name in span):
        a, b = sorted(place[name] for name in span)
        parts.append(f'<rect class="gap" x="{a:.1f}" y="76" width="{max(b - a, 0.0):.1f}" height="16"/>')
        if note and b - a > TEXT * len(note):
            parts.append(f'<text class="in" x="{(a + b) / 2:.1f}" y="88" text-anchor="middle">{escape(note)}</text>')
    rows: list[float] = []
    for i, (kind, name, value) in enumerate(sorted(known, key=lambda mark: mark[2])):
        x, label = place[kind], f"{number(value)} {unit}".rstrip()
        half = TEXT * max(len(name), len(label)) / 2
        middle = min(max(x, half + 2), _WIDTH - half - 2)
        above = i % 2 == 0
        y = (30.0 if above else 122.0) + (0.0 if len(rows) < 2 or abs(rows[-2] - middle) > 2 * half else 0.0)
        rows.append(middle)
        parts.append(
            f'<line class="mark {kind}" x1="{x:.1f}" y1="{52 if above else 72}" x2="{x:.1f}" y2="{96 if above else 108}"/>'
        )
        parts.append(f'<text class="name" x="{middle:.1f}" y="{y:.0f}" text-anchor="middle">{escape(name)}</text>')
        parts.append(f'<text class="big" x="{middle:.1f}" y="{y + 17:.0f}" text-anchor="middle">{escape(label)}</text>')
    told = ", ".join(f"{name} {number(value)} {unit}".rstrip() for _, name, value in known)
    return svg(_WIDTH, 150, f"certificate: {told}", parts)
