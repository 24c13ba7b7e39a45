"""Columns beside one another, shares with bands on bars, and steps of a share over what it took."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from accmine.report.charts.svg import Frame, svg
from accmine.report.numbers import number, percent

__all__ = ["columns", "shares_with_bands", "steps"]

_WIDTH, _LEFT, _TOP, _BOTTOM = 480.0, 76.0, 24.0, 212.0
_ROW, _NAME = 26.0, 92.0


def columns(rows: Sequence[tuple[str, float, float, bool]], label: str, end: str, part: str) -> str:
    """A column for each row, on a common axis from 0.

    Parameters
    ----------
    rows
        (name, height, part of it that is drawn darker, whether it is emphasised).
    label
        What heights are.
    end
        What stands below the columns.
    part
        What the darker part is.
    """
    highest = max((height for _, height, _, _ in rows), default=0.0)
    if highest <= 0:
        return ""
    frame = Frame(_LEFT, _WIDTH - 12, _TOP + 20, _BOTTOM, 1.0, 0.0, highest)
    wide = (frame.right - frame.left) / len(rows)
    parts = [f'<text x="4" y="14">{escape(label)}</text>']
    for value in (0.0, highest / 2, highest):
        y = frame.y(value)
        parts.append(f'<line class="axis" x1="{frame.left}" y1="{y:.1f}" x2="{frame.right}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{frame.left - 6}" y="{y + 4:.1f}" text-anchor="end">{number(value)}</text>')
    for i, (name, height, darker, marked) in enumerate(rows):
        x, told = frame.left + i * wide, escape(f"{name}: {number(height)}, {part} {number(darker)}")
        for value, kind in ((height, "s3" if marked else "s0"), (darker, "s1")):
            parts.append(
                f'<rect class="{kind}" x="{x:.1f}" y="{frame.y(value):.1f}" width="{max(0.8, wide - 1):.1f}" '
                f'height="{frame.bottom - frame.y(value):.1f}"><title>{told}</title></rect>'
            )
    for i, (name, kind) in enumerate(((part, "s1"), ("all", "s0"), ("the slowest", "s3"))):
        x = _LEFT + 110 * i
        parts.append(f'<rect class="{kind}" x="{x}" y="22" width="10" height="10"/>')
        parts.append(f'<text x="{x + 15}" y="32">{escape(name)}</text>')
    middle = (frame.left + frame.right) / 2
    parts.append(f'<text x="{middle:.1f}" y="{_BOTTOM + 18}" text-anchor="middle">{escape(end)}</text>')
    return svg(_WIDTH, _BOTTOM + 26, f"{label} of {len(rows)} columns; the highest is {number(highest)}", parts)


def shares_with_bands(rows: Sequence[tuple[str, float, float, float, float]], label: str) -> str:
    """A bar for each row from 0 to its share, with a mark at its limit and a line over its band.

    Parameters
    ----------
    rows
        (name, share, least, most, limit); equal least and most: no band. The axis reaches as far as the farthest.
    """
    if not rows:
        return ""
    end = max(1.0, *(max(row[1:]) for row in rows))
    step = (_WIDTH - _NAME - 60) / end
    parts, told = [], []
    for i, (name, share, least, most, limit) in enumerate(rows):
        y = 8 + _ROW * i
        parts.append(f'<text x="{_NAME - 8}" y="{y + 14:.1f}" text-anchor="end">{escape(name)}</text>')
        parts.append(
            f'<rect class="s0" x="{_NAME}" y="{y:.1f}" width="{max(0.5, share * step):.1f}" height="18">'
            f"<title>{escape(name)} {percent(share)}</title></rect>"
        )
        if most > least:
            at = f'y1="{y + 9:.1f}" y2="{y + 9:.1f}"'
            parts.append(f'<line class="line" x1="{_NAME + least * step:.1f}" x2="{_NAME + most * step:.1f}" {at}/>')
            for edge in (least, most):
                x = _NAME + edge * step
                parts.append(f'<line class="line" x1="{x:.1f}" x2="{x:.1f}" y1="{y + 4:.1f}" y2="{y + 14:.1f}"/>')
        x = _NAME + limit * step
        parts.append(f'<line class="mark bound" x1="{x:.1f}" x2="{x:.1f}" y1="{y - 2:.1f}" y2="{y + 20:.1f}"/>')
        parts.append(f'<text x="{_WIDTH - 4}" y="{y + 14:.1f}" text-anchor="end">{percent(share)}</text>')
        told.append(f"{name} {percent(share)}")
    return svg(_WIDTH, 8 + _ROW * len(rows), f"{label}: {', '.join(told)}", parts)


def steps(points: Sequence[tuple[float, float]], over: str, label: str) -> str:
    """A share, 0 to 1, that keeps each value until the next one; empty for fewer than two points.

    Parameters
    ----------
    points
        (seconds or evaluations, share), ascending.
    over
        What is to the right.
    """
    end = points[-1][0] if points else 0.0
    if len(points) < 2 or end <= 0:
        return ""
    frame = Frame(_LEFT, _WIDTH - 12, _TOP, _BOTTOM, end, 0.0, 1.0)
    parts = [f'<text x="4" y="14">{escape(label)}</text>']
    for share in (0.0, 0.5, 1.0):
        y = frame.y(share)
        parts.append(f'<line class="axis" x1="{frame.left}" y1="{y:.1f}" x2="{frame.right}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{frame.left - 6}" y="{y + 4:.1f}" text-anchor="end">{percent(share)}</text>')
    for share, anchor in ((0.0, "start"), (0.5, "middle"), (1.0, "end")):
        place = f'x="{frame.x(share * end):.1f}" y="{_BOTTOM + 16:.1f}" text-anchor="{anchor}"'
        parts.append(f"<text {place}>{number(share * end, 3)}</text>")
    middle = (frame.left + frame.right) / 2
    parts.append(f'<text x="{middle:.1f}" y="{_BOTTOM + 34:.1f}" text-anchor="middle">{escape(over)}</text>')
    parts.append(f'<path class="objective" d="{frame.steps(points)}H{frame.right:.1f}"/>')
    return svg(_WIDTH, _BOTTOM + 40, f"{label} over {over}: {percent(points[-1][1])} at the end", parts)
