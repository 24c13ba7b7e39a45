"""A kernel as text and as JSON values."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from accmine.kernel.analysis import Analysis, InnerLoop
from accmine.kernel.architecture import Architecture
from accmine.kernel.evidence import Evidence
from accmine.questions.kernel.changes import Change
from accmine.questions.kernel.measure import KernelReport
from accmine.questions.kernel.network import NetworkReport
from accmine.questions.kernel.proof import proof_json, proof_section
from accmine.report import BULLET, Column, Section, figures, number, percent, render, seconds

__all__ = ["network_json", "render_kernel", "render_network", "to_json"]

_MOST_CAUSES = 24
_MOST_USES = 20
_MOST_ROWS = 25


def exactly(value: Fraction) -> str:
    """A rate in digits where those say all of it, else as a fraction and in digits."""
    if value.denominator == 1:
        return f"{value.numerator:,}"
    return f"{value} = {number(float(value))}"


def render_kernel(found: KernelReport, width: int | None = None) -> str:
    """All of it as text; ``width`` as ``accmine.report.render``."""
    return render([_head(found), *_sections(found.analysis, found.changes, found.evidence, found.untried)], width=width)


def _head(found: KernelReport) -> Section:
    machine, analysis = found.architecture, found.analysis
    time = _time(found)
    notes = [
        f"{analysis.cycles:,} cycles{time}: exact for this description.",
        f"{analysis.instructions:,} instructions. The busiest resource alone needs {analysis.busy:,} cycles, one "
        f"instruction after the other would take {analysis.serial:,}.",
    ]
    if machine.abstracts:
        notes.append(f"Left out by the description: {' '.join(machine.abstracts.split())}")
    return Section("kernel", f"{found.program.name} on {_named(machine)}", notes=tuple(notes))


def _named(machine: Architecture) -> str:
    numbers = ", ".join(f"{name} {value}" for name, value in machine.parameters.items())
    return machine.name + (f" ({numbers})" if numbers else "")


def _time(found: KernelReport | NetworkReport) -> str:
    clock = found.architecture.frequency_hz
    return "" if clock is None else f", {seconds(found.seconds)} at {number(clock / 1e6)} MHz"


def _sections(
    analysis: Analysis, changed: tuple[Change, ...], proof: tuple[Evidence, ...], untried: int
) -> list[Section]:
    found = [_loops(analysis)] if analysis.loops else []
    if (loop := analysis.dominating) is not None:
        found.append(_cycle(loop))
    found.append(_uses(analysis))
    if loop is not None:
        found.append(_changes(loop, changed, untried))
        found.append(proof_section(proof))
    return found


def _loops(analysis: Analysis) -> Section:
    columns = (Column("loop"), *figures("iterations", "cycles/iteration", "all of them"), Column("bottleneck"))
    rows = tuple(
        (loop.name, f"{loop.iterations:,}", exactly(loop.rate), f"{number(float(loop.cycles))}", loop.bottleneck)
        for loop in analysis.loops
    )
    note = (
        "A rate is that of the loop without end; what it takes to get there and between loops is in the cycles above."
    )
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


def _changes(loop: InnerLoop, changed: tuple[Change, ...], untried: int = 0) -> Section:
    title = f"What makes {loop.name} faster, one change at a time"
    left = [f"{untried} changes were not tried: the body of this loop is too large."] if untried else []
    if not changed and untried:
        return Section("changes", title, notes=tuple(left))
    if not changed:
        why = (
            "no cycle limits it" if not loop.rate else "another cycle is as slow, or nothing on the cycle can be moved"
        )
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
    notes = [
        "Times are shortened by the least that gives 10 % more, or by the least that gives the most that they can."
    ]
    if not untried and all(change.on != loop.bottleneck for change in changed):
        notes.append(f"Nothing of {loop.bottleneck} does by itself: another cycle is as slow.")
    return Section("changes", title, columns, rows, (*notes, *left))


def render_network(found: NetworkReport, width: int | None = None, *, everything: bool = False) -> str:
    """A row per distinct product, the longest first, and what limits that one; unless ``everything``, 25 rows."""
    return render(
        [_network(found, everything), *_sections(found.rows[0].analysis, found.changes, found.evidence, found.untried)],
        width=width,
    )


def _network(found: NetworkReport, everything: bool) -> Section:
    shown = found.rows if everything or len(found.rows) <= _MOST_ROWS + 1 else found.rows[:_MOST_ROWS]
    rows = [
        (
            row.name,
            ("" if row.size[0] == 1 else f"{row.size[0]:,}·") + "×".join(map(str, row.size[1:])),
            f"{row.count:,}",
            f"{row.analysis.cycles:,}",
            percent(row.cycles / found.cycles if found.cycles else None),
            row.analysis.bottleneck,
        )
        for row in shown
    ]
    if rest := found.rows[len(shown) :]:
        cycles = sum(row.cycles for row in rest)
        count = sum(row.count for row in rest)
        rows.append((f"{len(rest)} others", "", f"{count:,}", "", percent(cycles / found.cycles), ""))
    settings = ", ".join(
        "gradients too" if key == "training" else f"{key} {value}" for key, value in found.settings.items() if value
    )
    notes = [
        f"{found.cycles:,} cycles{_time(found)}: all products one after another, each exact for this description.",
        f"{found.instructions:,} instructions; {settings}.",
        *(
            f"No kernel for {left.count:,} operators ({', '.join(left.kinds)}): {left.reason}."
            for left in found.unmapped
        ),
    ]
    if found.architecture.abstracts:
        notes.append(f"Left out by the description: {' '.join(found.architecture.abstracts.split())}")
    columns = (Column("operator"), Column("m×k×n"), *figures("count", "cycles", "share"), Column("bottleneck"))
    return Section("network", f"{found.workload} on {_named(found.architecture)}", columns, tuple(rows), tuple(notes))


def network_json(found: NetworkReport) -> dict[str, Any]:
    """Everything as plain values, the analysis of each row included."""
    return {
        "architecture": found.architecture.name,
        "parameters": dict(found.architecture.parameters),
        "workload": found.workload,
        "settings": dict(found.settings),
        "instructions": found.instructions,
        "cycles": found.cycles,
        "frequency_hz": found.architecture.frequency_hz,
        "seconds": found.seconds,
        "operators": [
            {
                "operator": row.name,
                "kind": row.kind,
                "count": row.count,
                **dict(zip("bmkn", row.size, strict=True)),
                "all_cycles": row.cycles,
                "share": row.cycles / found.cycles if found.cycles else None,
                **_analysis(row.analysis),
            }
            for row in found.rows
        ],
        "unmapped": [
            {"reason": left.reason, "kinds": list(left.kinds), "count": left.count} for left in found.unmapped
        ],
        "changes": [_change(change) for change in found.changes],
        "changes_untried": found.untried,
        "proof": proof_json(found.evidence),
    }


def _rate(value: Fraction) -> dict[str, Any]:
    return {"exact": str(value), "value": float(value)}


def to_json(found: KernelReport) -> dict[str, Any]:
    """Everything as plain values; rates as text of a fraction and as a number."""
    return {
        "architecture": found.architecture.name,
        "parameters": dict(found.architecture.parameters),
        "kernel": found.program.name,
        "frequency_hz": found.architecture.frequency_hz,
        "seconds": found.seconds,
        **_analysis(found.analysis),
        "changes": [_change(change) for change in found.changes],
        "changes_untried": found.untried,
        "proof": proof_json(found.evidence),
    }


def _analysis(analysis: Analysis) -> dict[str, Any]:
    loop = analysis.dominating
    return {
        "instructions": analysis.instructions,
        "cycles": analysis.cycles,
        "busy_cycles": analysis.busy,
        "serial_cycles": analysis.serial,
        "bottleneck": analysis.bottleneck,
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
    }


def _loop(loop: InnerLoop) -> dict[str, Any]:
    steps = [
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
    ]
    return {
        "name": loop.name,
        "iterations": loop.iterations,
        "cycles_per_iteration": _rate(loop.rate),
        "bottleneck": loop.bottleneck,
        "critical_cycle": steps,
    }


def _change(change: Change) -> dict[str, Any]:
    return {
        "change": change.what,
        "cycles_per_iteration": _rate(change.rate),
        "gain": float(change.gain) if change.rate else None,
        "cycles": change.cycles,
        "tenth_more": change.enough,
    }
