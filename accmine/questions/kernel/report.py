"""A kernel as text and as JSON values."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from accmine.kernel.analysis import Analysis, InnerLoop
from accmine.questions.kernel.changes import Change
from accmine.questions.kernel.measure import KernelReport
from accmine.report import BULLET, Column, Section, figures, number, percent, render, seconds

__all__ = ["render_kernel", "to_json"]

_MOST_CAUSES = 24
_MOST_USES = 20


def exactly(value: Fraction) -> str:
    """A rate in digits where those say all of it, else as a fraction and in digits."""
    if value.denominator == 1:
        return f"{value.numerator:,}"
    return f"{value} = {number(float(value))}"


def render_kernel(found: KernelReport, width: int | None = None) -> str:
    """All of it as text; ``width`` as ``accmine.report.render``."""
    return render([_head(found), *_sections(found.analysis, found.changes)], width=width)


def _head(found: KernelReport) -> Section:
    machine, analysis = found.architecture, found.analysis
    numbers = ", ".join(f"{name} {value}" for name, value in machine.parameters.items())
    time = "" if found.seconds is None else f", {seconds(found.seconds)} at {number((machine.frequency_hz or 0) / 1e6)} MHz"
    notes = [
        f"{analysis.cycles:,} cycles{time}: exact for this description.",
        f"{analysis.instructions:,} instructions. The busiest resource alone needs {analysis.busy:,} cycles, one "
        f"instruction after the other would take {analysis.serial:,}.",
    ]
    if machine.abstracts:
        notes.append(f"Left out by the description: {' '.join(machine.abstracts.split())}")
    title = f"{found.program.name} on {machine.name}" + (f" ({numbers})" if numbers else "")
    return Section("kernel", title, notes=tuple(notes))


def _sections(analysis: Analysis, changed: tuple[Change, ...]) -> list[Section]:
    found = [_loops(analysis)] if analysis.loops else []
    if (loop := analysis.dominating) is not None:
        found.append(_cycle(loop))
    found.append(_uses(analysis))
    if loop is not None:
        found.append(_changes(loop, changed))
    return found


def _loops(analysis: Analysis) -> Section:
    columns = (Column("loop"), *figures("iterations", "cycles/iteration", "all of them"), Column("bottleneck"))
    rows = tuple(
        (loop.name, f"{loop.iterations:,}", exactly(loop.rate), f"{number(float(loop.cycles))}", loop.bottleneck)
        for loop in analysis.loops
    )
    note = "A rate is that of the loop without end; what it takes to get there and between loops is in the cycles above."
    return Section("loops", "Innermost loops", columns, rows, (note,))


def _cycle(loop: InnerLoop) -> Section:
    if not loop.cycle:
        return Section("cycle", f"Critical cycle of {loop.name}", notes=("No iteration waits for an earlier one.",))
    total, back = sum(cause.cycles for cause in loop.cycle), sum(cause.iterations for cause in loop.cycle)
    shown = [f"{BULLET}{cause.words}" for cause in loop.cycle[:_MOST_CAUSES]]
    if len(loop.cycle) > _MOST_CAUSES:
        shown.append(f"{BULLET}and {len(loop.cycle) - _MOST_CAUSES} more steps")
    within = "an iteration" if back == 1 else f"{back} iterations"
    head = f"What waits for what, {total:,} cycles in {within}; bottleneck: {loop.bottleneck}."
    return Section("cycle", f"Critical cycle of {loop.name}", notes=(head, *shown))


def _uses(analysis: Analysis) -> Section:
    columns = (Column("resource"), Column("kind"), *figures("slots or ports", "busy cycles", "busy"))
    rows = tuple(
        (use.name, use.kind, f"{use.count:,}", f"{use.least:,}", percent(float(use.share)))
        for use in analysis.uses[:_MOST_USES]
    )
    rest = len(analysis.uses) - len(rows)
    return Section("use", "Utilisation", columns, rows, (f"{rest} more are less busy.",) if rest else ())


def _changes(loop: InnerLoop, changed: tuple[Change, ...]) -> Section:
    title = f"What makes {loop.name} faster, one change at a time"
    if not changed:
        why = "no cycle limits it" if not loop.rate else "another cycle is as slow, or nothing on the cycle can be moved"
        return Section("changes", title, notes=(f"No single change does: {why}.",))
    columns = (Column("change"), *figures("cycles/iteration", "faster", "kernel cycles"), Column("10 % more"))
    rows = tuple(
        (
            change.what,
            exactly(change.rate),
            percent(float(change.gain)) if change.rate else "without limit",
            f"{change.cycles:,}",
            "yes" if change.enough else "no",
        )
        for change in changed
    )
    note = "Times are shortened by the least that gives 10 % more, or by the least that gives the most that they can."
    return Section("changes", title, columns, rows, (note,))


def _rate(value: Fraction) -> dict[str, Any]:
    return {"exact": str(value), "value": float(value)}


def to_json(found: KernelReport) -> dict[str, Any]:
    """Everything as plain values; rates as text of a fraction and as a number."""
    analysis, loop = found.analysis, found.analysis.dominating
    return {
        "architecture": found.architecture.name,
        "parameters": dict(found.architecture.parameters),
        "kernel": found.program.name,
        "instructions": analysis.instructions,
        "cycles": analysis.cycles,
        "frequency_hz": found.architecture.frequency_hz,
        "seconds": found.seconds,
        "busy_cycles": analysis.busy,
        "serial_cycles": analysis.serial,
        "dominating": None if loop is None else loop.name,
        "loops": [_loop(one) for one in analysis.loops],
        "utilisation": [
            {
                "name": use.name,
                "kind": use.kind,
                "count": use.count,
                "busy_cycles": use.least,
                "share": float(use.share),
            }
            for use in analysis.uses
        ],
        "changes": [
            {
                "change": change.what,
                "cycles_per_iteration": _rate(change.rate),
                "gain": float(change.gain) if change.rate else None,
                "cycles": change.cycles,
                "tenth_more": change.enough,
            }
            for change in found.changes
        ],
    }


def _loop(loop: InnerLoop) -> dict[str, Any]:
    return {
        "name": loop.name,
        "iterations": loop.iterations,
        "cycles_per_iteration": _rate(loop.rate),
        "bottleneck": loop.bottleneck,
        "critical_cycle": [
            {
                "rule": cause.rule,
                "on": cause.on,
                "from": cause.label,
                "to": cause.to,
                "cycles": cause.cycles,
                "iterations": cause.iterations,
                "words": cause.words,
            }
            for cause in loop.cycle
        ],
    }
