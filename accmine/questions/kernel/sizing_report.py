"""A sizing as text and as JSON values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from accmine.problems.kernel_sizing import More, um2_of
from accmine.questions.kernel.report import exactly
from accmine.questions.kernel.sizing import Sizing, SizingProblem
from accmine.report import Column, Section, figures, number, percent, render

__all__ = ["render_sizing", "sizing_json"]


def render_sizing(found: Sizing, width: int | None = None) -> str:
    """All of it as text; ``width`` as ``accmine.report.render``."""
    return render([_answer(found), _steps(found)], width=width)


def _answer(found: Sizing) -> Section:
    asked, result = found.asked, found.result
    columns = (
        Column("resource"),
        Column("kind"),
        Column("one"),
        *figures("µm² of one", "allowed", "described", "µm²", "cheapest", "µm²"),
    )
    rows = [
        (
            own.name,
            own.kind,
            own.made_of,
            number(um2_of(own.one, asked.technology)) if own.one is not None else "",
            _ranges(own.one.counts) if own.one is not None else "",
            f"{own.count:,}",
            f"{asked.um2(own, own.count):,}",
            f"{count:,}",
            f"{asked.um2(own, count):,}",
        )
        for own, count in zip(asked.free, found.counts, strict=True)
    ]
    rows.append(("sum", "", "", "", "", "", f"{asked.described_um2:,}", "", f"{result.objective:,}"))
    title = f"Cheapest counts of {asked.loop.name} at {exactly(asked.problem.target)} cycles per iteration"
    return Section("sizing", title, columns, tuple(rows), tuple(_notes(found)))


def _held(asked: SizingProblem) -> str:
    if asked.share > 1:
        return "would take longer than the whole kernel: it is left before it comes to that"
    return f"holds {percent(float(asked.share))} of the kernel's cycles"


def _notes(found: Sizing) -> list[str]:
    asked, result = found.asked, found.result
    of = f" of {asked.operator}" if asked.operator else ""
    notes = [
        f"At its rate {asked.loop.name}{of} {_held(asked)}. As described it takes "
        f"{exactly(asked.loop.rate)} cycles per iteration, with these counts {exactly(found.rate)}; the whole kernel "
        f"{asked.cycles:,} and {found.cycles:,} cycles.",
        f"Objective {result.objective:,} µm², bound {result.bound:,} µm², gap {percent(result.gap)}: "
        f"{result.status.value}, by {result.solver} ({result.bound_method}). Checked by the exact cycle ratios of two "
        "graphs and by simulation.",
        f"Prices are those of {asked.technology.name}.",
    ]
    if any(own.taken for own in asked.free):
        notes.append("What is taken as the size of one is said by no description: --size NAME=SIZE says it.")
    if asked.fixed:
        notes.append(
            f"Left as described, since nobody says what one is (--size NAME='256 macs'): {', '.join(asked.fixed)}."
        )
    return notes


def _ranges(counts: Sequence[int]) -> str:
    """``1..4, 8``."""
    found: list[list[int]] = []
    for count in counts:
        if found and count == found[-1][1] + 1:
            found[-1][1] = count
        else:
            found.append([count, count])
    return ", ".join(str(low) if low == high else f"{low}..{high}" for low, high in found)


def _steps(found: Sizing) -> Section:
    columns = (
        Column("change"),
        *figures("count", "cycles/iteration", "difference", "µm²"),
        Column("keeps the target"),
    )
    target = found.asked.problem.target
    rows = tuple(
        (
            f"one {word} {row.name}",
            f"{row.next_count:,}",
            exactly(row.next_rate),
            _signed(-row.saves),
            f"{row.cost:+,}",
            "yes" if row.next_rate <= target else "no",
        )
        for word, steps in (("more", found.more), ("less", found.less))
        for row in steps
    )
    return Section("steps", "What one more or one less buys, all others as they are", columns, rows)


def _signed(value: Fraction) -> str:
    return "0" if not value else f"{'+' if value > 0 else '-'}{exactly(abs(value))}"


def sizing_json(found: Sizing) -> dict[str, Any]:
    """Everything as plain values; rates as text of a fraction and as a number."""
    asked, result = found.asked, found.result
    return {
        "architecture": asked.architecture.name,
        "parameters": dict(asked.architecture.parameters),
        "kernel": asked.program.name,
        "operator": asked.operator or None,
        "loop": asked.loop.name,
        "share": float(asked.share),
        "technology": asked.technology.name,
        "target": _rate(asked.problem.target),
        "described": {
            "cycles_per_iteration": _rate(asked.loop.rate),
            "cycles": asked.cycles,
            "um2": asked.described_um2,
            "counts": {own.name: own.count for own in asked.free},
        },
        "cheapest": {
            "cycles_per_iteration": _rate(found.rate),
            "cycles": found.cycles,
            "um2": result.objective,
            "counts": {own.name: count for own, count in zip(asked.free, found.counts, strict=True)},
        },
        "resources": [
            {
                "name": own.name,
                "kind": own.kind,
                "one": own.made_of,
                "taken": own.taken,
                "um2_of_one": um2_of(own.one, asked.technology),
                "counts": list(own.one.counts),
            }
            for own in asked.free
            if own.one is not None
        ],
        "fixed": list(asked.fixed),
        "more": [_step(row) for row in found.more],
        "less": [_step(row) for row in found.less],
        "status": result.status.value,
        "stop": result.stop.value,
        "objective": result.objective,
        "bound": result.bound,
        "bound_method": result.bound_method,
        "gap": result.gap,
        "solver": result.solver,
        "seconds": result.seconds,
        "verified": result.verified,
    }


def _rate(value: Fraction) -> Mapping[str, Any]:
    return {"exact": str(value), "value": float(value)}


def _step(row: More) -> dict[str, Any]:
    return {
        "name": row.name,
        "count": row.count,
        "next_count": row.next_count,
        "cycles_per_iteration": _rate(row.next_rate),
        "difference": _rate(-row.saves),
        "um2": row.cost,
    }
