"""Points over two axes, linear or logarithmic, with lines below which they stand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, isfinite, log10

from accmine.report.charts.svg import svg

__all__ = ["Axis", "Dot", "Line", "scatter"]

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 440.0, 330.0, 58.0, 430.0, 24.0, 286.0


@dataclass(frozen=True)
class Axis:
    """What is shown along it; ``shown`` writes a value."""

    title: str
    log: bool = False
    shown: Callable[[float], str] = "{:g}".format


@dataclass(frozen=True)
class Dot:
    """A point that stands for a row of the figure's table; with ``label`` it is reached by the keyboard at once."""

    row: int
    x: float
    y: float
    kind: str
    radius: float = 3.5
    label: str = ""


@dataclass(frozen=True)
class Line:
    """A broken line through points, by CSS class, with its name."""

    kind: str
    points: tuple[tuple[float, float], ...]
    name: str = ""


@dataclass(frozen=True)
class _Scale:
    low: float
    high: float
    start: float
    end: float
    log: bool

    def __call__(self, value: float) -> float:
        low, high = (log10(self.low), log10(self.high)) if self.log else (self.low, self.high)
        at = log10(value) if self.log else value
        return self.start + (self.end - self.start) * (at - low) / (high - low)

    @property
    def ticks(self) -> list[float]:
        """Round values inside."""
        if self.log:
            powers = range(ceil(log10(self.low) - 1e-9), floor(log10(self.high) + 1e-9) + 1)
            step = -(-len(powers) // 6) or 1
            return [10.0**power for power in powers][::step]
        size = 10.0 ** floor(log10((self.high - self.low) / 4))
        size *= next(m for m in (1, 2, 5, 10) if (self.high - self.low) / (m * size) <= 6)
        return [size * i for i in range(ceil(self.low / size - 1e-9), floor(self.high / size + 1e-9) + 1)]


def _scale(values: Sequence[float], axis: Axis, start: float, end: float) -> _Scale:
    low, high = min(values), max(values)
    if axis.log:
        return _Scale(low / 2, high * 2, start, end, True)
    room = 0.06 * (high - low) or 0.1 * abs(high) or 1.0
    return _Scale(max(0.0, low - room) if low >= 0 else low - room, high + room, start, end, False)


def scatter(dots: Sequence[Dot], x: Axis, y: Axis, label: str, lines: Sequence[Line] = ()) -> str:
    """The chart; empty without a point that can be drawn.

    Parameters
    ----------
    dots
        Drawn in their order; those that are not finite, or not positive on a logarithmic axis, are left out.
    label
        What a screen reader says of the whole.
    """
    shown = [dot for dot in dots if _drawable(dot.x, x) and _drawable(dot.y, y)]
    if not shown:
        return ""
    ends = [point for line in lines for point in line.points]
    across = _scale([*(d.x for d in shown), *(a for a, _ in ends)], x, _LEFT, _RIGHT)
    up = _scale([*(d.y for d in shown), *(b for _, b in ends)], y, _BOTTOM, _TOP)
    parts = [*_axes(across, up, x, y)]
    for line in lines:
        path = "L".join(f"{across(a):.1f} {up(b):.1f}" for a, b in line.points)
        parts.append(f'<path class="line {line.kind}" d="M{path}"><title>{escape(line.name)}</title></path>')
    first = True
    for dot in shown:
        more = ""
        if dot.label:
            more = f' role="button" tabindex="{0 if first else -1}" aria-label="{escape(dot.label)}"'
            first = False
        place = f'cx="{across(dot.x):.1f}" cy="{up(dot.y):.1f}" r="{dot.radius:.1f}"'
        parts.append(f'<circle class="dot {dot.kind}" data-row="{dot.row}" {place}{more}/>')
    return svg(_WIDTH, _HEIGHT, label, parts, role="group")


def _drawable(value: float, axis: Axis) -> bool:
    return isfinite(value) and (value > 0 or not axis.log)


def _axes(across: _Scale, up: _Scale, x: Axis, y: Axis) -> list[str]:
    parts = [f'<text x="4" y="14">{escape(y.title)}</text>']
    parts.append(f'<text x="{_RIGHT}" y="{_HEIGHT - 6}" text-anchor="end">{escape(x.title)}</text>')
    for value in across.ticks:
        at = across(value)
        parts.append(f'<line class="axis" x1="{at:.1f}" y1="{_TOP}" x2="{at:.1f}" y2="{_BOTTOM}"/>')
        anchor = "end" if at > _RIGHT - 16 else "middle"
        parts.append(f'<text x="{at:.1f}" y="{_BOTTOM + 16}" text-anchor="{anchor}">{escape(x.shown(value))}</text>')
    for value in up.ticks:
        at = up(value)
        parts.append(f'<line class="axis" x1="{_LEFT}" y1="{at:.1f}" x2="{_RIGHT}" y2="{at:.1f}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{escape(y.shown(value))}</text>')
    return parts
