"""A front beside its bound: a cost to the right, what is bought with it upwards."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from math import isfinite

from accmine.report.charts.svg import Frame, svg
from accmine.report.numbers import number

__all__ = ["front_chart"]

_LEFT, _RIGHT, _TOP, _BOTTOM = 76.0, 748.0, 40.0, 300.0


def front_chart(
    points: Sequence[tuple[float, float]],
    bounds: Sequence[tuple[float, float | None, float]],
    cost: str,
    value: str,
    *,
    more_is_better: bool = True,
) -> str:
    """Verified points, the steps they make, and the steps that nothing is beyond; empty where there are none.

    Parameters
    ----------
    points
        (cost, value), none of them as good as another in both.
    bounds
        (from, to, value) by range of the cost; ``None``: no end.
    cost, value
        What they are, for the axes.
    """
    points = sorted(points)
    if not points:
        return ""
    drawn = [(a, b, v) for a, b, v in bounds if isfinite(v)]
    low_x = min([points[0][0], *(a for a, _, _ in drawn)])
    high_x = max([points[-1][0], *(b for _, b, _ in drawn if b is not None)])
    room = 0.08 * (high_x - low_x) or 1.0
    low_x, high_x = max(0.0, low_x - room), high_x + room
    values = [v for _, v in points] + [v for _, _, v in drawn]
    margin = 0.08 * (max(values) - min(values)) or 0.05 * abs(max(values)) or 1.0
    low_y, high_y = min(values) - margin, max(values) + margin
    frame = Frame(_LEFT, _RIGHT, _TOP, _BOTTOM, high_x - low_x, low_y, high_y)

    def x(of: float) -> float:
        return frame.x(of - low_x)

    parts = [f'<text x="4" y="14">{escape(value)}</text>', *_axes(frame, low_x, cost)]
    ends = sorted((a, high_x if b is None else b, v) for a, b, v in drawn)
    if ends:
        path = f"M{x(ends[0][0]):.1f} {frame.y(ends[0][2]):.1f}"
        path += "".join(f"V{frame.y(v):.1f}H{x(b):.1f}" for _, b, v in ends)
        parts.append(f'<path class="bound" d="{path}"/>')
    path = f"M{x(points[0][0]):.1f} {frame.y(points[0][1]):.1f}"
    path += "".join(f"H{x(c):.1f}V{frame.y(v):.1f}" for c, v in points[1:]) + f"H{_RIGHT:.1f}"
    parts.append(f'<path class="objective" d="{path}"/>')
    for c, v in points:
        text = escape(f"{number(v)} {value} at {number(c)}")
        parts.append(f'<circle class="c0" cx="{x(c):.1f}" cy="{frame.y(v):.1f}" r="4"><title>{text}</title></circle>')
    for i, (name, kind) in enumerate((("best verified", "objective"), ("no design is better", "bound"))):
        at = _RIGHT - 290 + 130 * i
        parts.append(f'<path class="{kind}" d="M{at} 10H{at + 22}"/><text x="{at + 27}" y="14">{name}</text>')
    side = "above" if more_is_better else "below"
    title = f"{value} over {cost}: verified designs, and the bound that nothing is {side}"
    return svg(_RIGHT + 12, _BOTTOM + 40, title, parts)


def _axes(frame: Frame, low_x: float, cost: str) -> list[str]:
    """Three values and four costs."""
    parts = []
    for share in (0.0, 0.5, 1.0):
        value = frame.low + share * (frame.high - frame.low)
        y = frame.y(value)
        parts.append(f'<line class="axis" x1="{frame.left}" y1="{y:.1f}" x2="{frame.right}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{frame.left - 6}" y="{y + 4:.1f}" text-anchor="end">{number(value)}</text>')
    for i in range(4):
        at = frame.end * i / 3
        anchor = ("start", "middle", "middle", "end")[i]
        place = f'x="{frame.x(at):.1f}" y="{frame.bottom + 16:.1f}" text-anchor="{anchor}"'
        parts.append(f"<text {place}>{number(low_x + at, 3)}</text>")
    middle = (frame.left + frame.right) / 2
    parts.append(f'<text x="{middle:.1f}" y="{frame.bottom + 34:.1f}" text-anchor="middle">{escape(cost)}</text>')
    return parts
