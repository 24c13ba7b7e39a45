"""A certificate as a picture: heuristic, best verified value and proven bound on one axis."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from math import isfinite

from accmine.report.charts.svg import TEXT, svg
from accmine.report.numbers import number

__all__ = ["on_one_axis"]

_WIDTH, _LEFT, _RIGHT, _LEVEL = 480.0, 20.0, 460.0, 40.0


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
    placed = _placed([(place[kind], name, f"{number(value)} {unit}".rstrip()) for kind, name, value in known])
    base = 64.0 + _LEVEL * (1 + max((level for _, level in placed if level >= 0), default=0))
    parts = [f'<line class="axis" x1="{_LEFT}" y1="{base - 24}" x2="{_RIGHT}" y2="{base - 24}"/>']
    axis = base - 24
    if span is not None and all(name in place for name in span):
        a, b = sorted(place[name] for name in span)
        parts.append(f'<rect class="gap" x="{a:.1f}" y="{axis - 8}" width="{max(b - a, 0.0):.1f}" height="16"/>')
        if note and b - a > TEXT * len(note):
            parts.append(
                f'<text class="in" x="{(a + b) / 2:.1f}" y="{axis + 4}" text-anchor="middle">{escape(note)}</text>'
            )
    for (kind, name, value), (middle, level) in zip(known, placed, strict=True):
        x, above = place[kind], level >= 0
        y = axis - 40 - _LEVEL * level if above else axis + 34 + _LEVEL * (-level - 1)
        ends_at = (y + 22, axis + 14) if above else (axis - 14, y - 14)
        parts.append(
            f'<line class="mark {kind}" x1="{x:.1f}" y1="{ends_at[0]:.0f}" x2="{x:.1f}" y2="{ends_at[1]:.0f}"/>'
        )
        parts.append(f'<text class="name" x="{middle:.1f}" y="{y:.0f}" text-anchor="middle">{escape(name)}</text>')
        label = f"{number(value)} {unit}".rstrip()
        parts.append(f'<text class="big" x="{middle:.1f}" y="{y + 17:.0f}" text-anchor="middle">{escape(label)}</text>')
    below = max((-level for _, level in placed if level < 0), default=0)
    told = ", ".join(f"{name} {number(value)} {unit}".rstrip() for _, name, value in known)
    return svg(_WIDTH, axis + 20 + _LEVEL * below, f"certificate: {told}", parts)


def _placed(marks: Sequence[tuple[float, str, str]]) -> list[tuple[float, int]]:
    """Middle of the words of each mark, and their level: 0, 1, … above the axis, -1, -2, … below it.

    The first level, above or below in turn, on which nothing else is in the way.
    """
    taken: dict[int, list[tuple[float, float]]] = {}
    found = []
    for x, name, label in marks:
        half = max(TEXT * len(name), 1.3 * TEXT * len(label)) / 2
        middle = min(max(x, half + 2), _WIDTH - half - 2)
        levels = [level for i in range(len(marks)) for level in (i, -i - 1)]
        level = next(
            level for level in levels if all(middle + half < a or b < middle - half for a, b in taken.get(level, ()))
        )
        taken.setdefault(level, []).append((middle - half, middle + half))
        found.append((middle, level))
    return found
