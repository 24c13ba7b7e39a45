"""Bars divided by shares, as HTML that fits every width."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from accmine.report.numbers import percent

__all__ = ["stacked_bars"]

_NAMED = 0.07
"""Share from which on a part of a bar has its number inside."""


def stacked_bars(
    rows: Sequence[tuple[str, Sequence[float]]],
    names: Sequence[str],
    label: str = "shares",
    colours: Sequence[str] = (),
) -> str:
    """One bar of full width per row, divided by shares, with a legend.

    Parameters
    ----------
    rows
        (label, shares 0 to 1 that sum to at most 1) per bar; shares as long as ``names``. A part that is small in every
        row still has its place in the legend.
    names
        Of the parts, for the legend and for those who cannot see the bars.
    label
        What the bars are.
    colours
        CSS class of each part; default: ``s0``, ``s1``, …
    """
    kinds = colours or [f"s{i % 12}" for i in range(len(names))]
    legend = "".join(f'<li><i class="{kind}"></i>{escape(name)}</li>' for kind, name in zip(kinds, names, strict=True))
    bars = []
    for title, shares in rows:
        told, parts = [], []
        for kind, name, share in zip(kinds, names, shares, strict=True):
            if share > 0:
                text = f"{name} {percent(share)}"
                told.append(text)
                inside = percent(share) if share >= _NAMED else ""
                parts.append(
                    f'<span class="{kind}" style="flex:{share:.6f} 0 0" title="{escape(title)}, {escape(text)}">'
                    f"{inside}</span>"
                )
        rest = 1.0 - sum(shares)
        if rest > 1e-9:
            parts.append(f'<span class="none" style="flex:{rest:.6f} 0 0"></span>')
        said = escape(f"{title}: {', '.join(told)}")
        bars.append(
            f'<div class="bar"><b>{escape(title)}</b><div class="parts" role="img" aria-label="{said}">'
            f"{''.join(parts)}</div></div>"
        )
    inside = f'<ul class="legend">{legend}</ul>{"".join(bars)}'
    return f'<div class="bars" role="group" aria-label="{escape(label)}">{inside}</div>'
