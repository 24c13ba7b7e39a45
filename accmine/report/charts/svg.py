"""Small charts as inline SVG, made by hand so that an HTML report needs no other file and no library.

Colours are CSS classes (``axis``, ``objective``, ``bound``) of the page around them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from accmine.report.numbers import number, seconds

__all__ = ["TEXT", "Frame", "progress", "svg"]

_WIDTH = 480
TEXT = 7.2
"""Width of a character at the font size of the page's charts, px."""

Trace = Sequence[tuple[float, float | None, float | None]]


@dataclass(frozen=True)
class Frame:
    """A chart over time: seconds to the right, values upwards, in pixels of the picture.

    Attributes
    ----------
    left, right, top, bottom
        Of the plot.
    end
        Seconds at ``right`` less ``room``; above 0.
    low, high
        Values at ``bottom`` and ``top``.
    """

    left: float
    right: float
    top: float
    bottom: float
    end: float
    low: float
    high: float
    room: float = 0.0

    def x(self, moment: float) -> float:
        """Of a time; what is later than the end is drawn at it."""
        return self.left + (self.right - self.left - self.room) * min(1.0, moment / self.end)

    def y(self, value: float) -> float:
        """Of a value."""
        return self.bottom - (self.bottom - self.top) * ((value - self.low) / (self.high - self.low))

    def axes(self, marks: Sequence[tuple[float, str]]) -> list[str]:
        """A line and its name for each marked value, and three times."""
        parts = []
        for value, name in marks:
            y = self.y(value)
            parts.append(f'<line class="axis" x1="{self.left}" y1="{y:.1f}" x2="{self.right}" y2="{y:.1f}"/>')
            parts.append(f'<text x="{self.left - 6}" y="{y + 4:.1f}" text-anchor="end">{escape(name)}</text>')
        for share, anchor in ((0.0, "start"), (0.5, "middle"), (1.0, "end")):
            place = f'x="{self.x(share * self.end):.1f}" y="{self.bottom + 16:.1f}"'
            parts.append(f'<text {place} text-anchor="{anchor}">{seconds(share * self.end)}</text>')
        return parts

    def steps(self, points: Sequence[tuple[float, float]]) -> str:
        """A path that keeps each value until the next one; of (seconds, value)."""
        first, *rest = points
        path = [f"M{self.x(first[0]):.1f} {self.y(first[1]):.1f}"]
        return "".join([*path, *(f"H{self.x(moment):.1f}V{self.y(value):.1f}" for moment, value in rest)])


def progress(trace: Trace, label: str) -> str:
    """Objective and bound over time as steps; empty when fewer than two moments have a value that can be drawn.

    Parameters
    ----------
    trace
        (seconds, objective, bound); ``None`` or a value that is not finite is not drawn.
    label
        What the values are.
    """
    lines = [_finite(trace, column) for column in (1, 2)]
    points = [point for line in lines for point in line]
    end = max((time for time, _ in points), default=0.0)
    if len({time for time, _ in points}) < 2 or end <= 0:
        return ""
    low, high = min(value for _, value in points), max(value for _, value in points)
    room = (high - low) * 0.08 or abs(high) * 0.05 or 1.0
    low, high = low - room, high + room
    if not math.isfinite(high - low):
        return ""
    left, right, top, bottom = 76.0, _WIDTH - 12.0, 44.0, 212.0
    frame = Frame(left, right, top, bottom, end, low, high, room=24.0)  # room to see the last value
    marks = [(value, number(value)) for value in (low + room, low / 2 + high / 2, high - room)]
    parts = [f'<text x="4" y="14">{escape(label)}</text>', *frame.axes(marks)]
    for name, line in zip(("objective", "bound"), lines, strict=True):
        if line:
            parts.append(f'<path class="{name}" d="{frame.steps(line)}H{right:.1f}"/>')
    for i, (name, line) in enumerate(zip(("objective", "bound"), lines, strict=True)):
        if line:
            x = left + 110 * i
            parts.append(f'<path class="{name}" d="M{x} 28H{x + 22}"/><text x="{x + 27}" y="32">{name}</text>')
    return svg(_WIDTH, bottom + 22, f"{label}: objective and bound over time", parts)


def _finite(trace: Trace, column: int) -> list[tuple[float, float]]:
    found = []
    for row in trace:
        value = row[column]
        if isinstance(value, (int, float)) and math.isfinite(value):
            found.append((float(row[0]), float(value)))
    return found


def svg(
    width: float, height: float, title: str, parts: Sequence[str], *, kind: str = "chart", role: str = "img"
) -> str:
    """A picture of this size in pixels, which shrinks to the page; ``title`` is what a screen reader says."""
    return (
        f'<svg role="{role}" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}" '
        f'class="{kind}" aria-label="{escape(title)}">{"".join(parts)}</svg>'
    )
