"""Quality over evaluations and over seconds as an SVG file of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from math import inf
from statistics import median

from accmine.questions.compare.figures import searches
from accmine.questions.compare.record import CompareRow, Moment
from accmine.report import Frame, number

__all__ = ["curve", "plot"]

_WIDTH, _PLOT, _TOP, _LEFT, _GAP = 1080.0, 300.0, 40.0, 60.0, 70.0
_COLORS = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#17becf", "#8c564b", "#7f7f7f", "#bcbd22")
_DASHES = ("", "6 3", "2 3", "8 3 2 3")
_LINE, _POINTS = 18.0, 160

Where = Callable[[Moment], float]


def curve(
    studies: Sequence[tuple[float, Sequence[CompareRow]]], where: Where, moments: Sequence[float]
) -> list[tuple[float, float]]:
    """(moment, quality): median over the runs on all studies of best known value / best value so far, 0 for none.

    Parameters
    ----------
    studies
        Best known value of each study, and the runs of one method on it.
    where
        Place of a moment of a trace on the axis.
    """
    found = []
    for at in moments:
        shares = []
        for best, runs in studies:
            for row in runs:
                value = min((moment[2] for moment in row.trace if where(moment) <= at), default=inf)
                shares.append(best / value if value < inf else 0.0)
        found.append((at, median(shares)))
    return found


def plot(rows: Sequence[CompareRow]) -> str:
    """Both charts with a legend; empty if no run found anything."""
    table = searches(rows)
    best = {key: min((r.value for own in t.values() for r in own if r.value), default=0.0) for key, t in table.items()}
    known = {key: own for key, own in table.items() if best[key] > 0}
    if not known:
        return ""
    methods = list(dict.fromkeys(name for own in known.values() for name in own))
    by_method = {name: [(best[key], own[name]) for key, own in known.items() if name in own] for name in methods}
    wide = (_WIDTH - 2 * _LEFT - _GAP) / 2
    parts = [_chart(by_method, lambda m: m[0], lambda r: r.evaluations, _LEFT, wide, "evaluations")]
    second = _LEFT + wide + _GAP
    parts.append(_chart(by_method, lambda m: m[1], lambda r: r.seconds, second, wide, "seconds of processor time"))
    for i, name in enumerate(methods):
        y = _TOP + _PLOT + 50 + _LINE * i
        parts.append(f'<path class="run" {_style(i)} d="M{_LEFT:.1f} {y - 4:.1f}h24"/>')
        parts.append(f'<text x="{_LEFT + 32:.1f}" y="{y:.1f}">{escape(name)}</text>')
    height = _TOP + _PLOT + 50 + _LINE * len(methods)
    style = "text{font:12px sans-serif;fill:#222}.axis{stroke:#ddd}.run{fill:none;stroke-width:1.8}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {_WIDTH:.0f} {height:.0f}" '
        f'width="{_WIDTH:.0f}" height="{height:.0f}" aria-label="quality of searches over evaluations and seconds">'
        f'<style>{style}</style><rect width="100%" height="100%" fill="#fff"/>{"".join(parts)}</svg>\n'
    )


def _style(i: int) -> str:
    dash = _DASHES[i // len(_COLORS) % len(_DASHES)]
    return f'stroke="{_COLORS[i % len(_COLORS)]}"' + (f' stroke-dasharray="{dash}"' if dash else "")


def _chart(
    by_method: dict[str, list[tuple[float, list[CompareRow]]]],
    where: Where,
    last: Callable[[CompareRow], float],
    left: float,
    wide: float,
    name: str,
) -> str:
    ends = [last(row) for own in by_method.values() for _, runs in own for row in runs]
    end = max(ends, default=0.0) or 1.0
    frame = Frame(left, left + wide, _TOP, _TOP + _PLOT, end, 0.0, 1.0)
    parts = [f'<text x="{left:.1f}" y="16">{escape(f"best known / best so far, over {name}")}</text>']
    for i in range(5):
        y, x = frame.y(i / 4), frame.x(i / 4 * end)
        parts.append(f'<line class="axis" x1="{left:.1f}" y1="{y:.1f}" x2="{left + wide:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{left - 6:.1f}" y="{y + 4:.1f}" text-anchor="end">{25 * i} %</text>')
        label = number(i / 4 * end, 3)
        parts.append(f'<text x="{x:.1f}" y="{_TOP + _PLOT + 18:.1f}" text-anchor="middle">{label}</text>')
    for i, own in enumerate(by_method.values()):
        points = curve(own, where, [end * k / _POINTS for k in range(_POINTS + 1)])
        parts.append(f'<path class="run" {_style(i)} d="{frame.steps(points)}"/>')
    return "".join(parts)
