"""The text of ``accmine sensitivity``."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from accmine.questions.sensitivity.measure import Sensitivity

__all__ = ["render"]

_NOTES = (
    "Values are verified; the interval is what bounds prove about the improvement of the optimum.",
    "A larger SRAM or HBM changes every design of the template, and its area and TDP with it.",
)


def render(found: Sensitivity) -> str:
    """The report as text."""
    unit = f" {found.unit}" if found.unit else ""
    lines = [
        f"{found.study}: {found.metric} {found.objective:.6g}{unit}, bound {found.bound:.6g}{unit}",
        *(f"  {name}" for name in found.designs),
        "",
        f"{found.percent:g} % more of   {found.metric} [{found.unit or found.sense}]   what it buys",
    ]
    for row in found.rows:
        lines.append(f"{row.key}: {row.before} -> {row.after}")
        if row.objective is not None and row.difference is not None:
            lines.append(f"  {found.objective:.10g} -> {row.objective:.10g} ({row.difference:+.6g}{unit})")
        lines.append(f"  {row.verdict}")
        if row.next_size:
            lines.append(f"  {row.next_size}")
        if row.designs and row.designs != found.designs:
            lines += [f"  now {name}" for name in row.designs]
    for why in dict.fromkeys(found.left_out.values()):
        lines.append(f"{', '.join(key for key, own in found.left_out.items() if own == why)}: {why}")
    if found.interrupted:
        lines.append("interrupted: the changes above were solved, the last one perhaps not to its end")
    return "\n".join([*lines, "", *_NOTES])
