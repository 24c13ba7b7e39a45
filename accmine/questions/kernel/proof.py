"""What speaks for the rates of loops, as text and as JSON values."""

from __future__ import annotations

from typing import Any

from accmine.kernel.evidence import MOST_ITERATIONS, MOST_LOOPS, MOST_STATES, Evidence
from accmine.report import Column, Section, figures, percent

__all__ = ["proof_json", "proof_section"]


def proof_section(found: tuple[Evidence, ...]) -> Section:
    """A row per loop: who proves its rate, the proven steady state, and what the scalar test would have said."""
    columns = (
        Column("loop"),
        Column("rate by"),
        *figures("states", "steady from", "period", "cycles alone", "scalar test stops", "its cycles", "off by"),
    )
    notes = [
        "Alone: all iterations in one visit, from the empty machine on. Steady: proven that from this iteration on "
        "every period takes its iterations times the rate, for ever.",
        "The scalar test trusts two equal increments in a row; shown for comparison, nothing above comes from it.",
    ]
    if any(one.karp and one.first is None for one in found):
        notes.append(f"No steady state is proven within {MOST_ITERATIONS:,} iterations where none is given.")
    if not all(one.karp for one in found):
        notes.append(
            f"Howard alone, whose last values leave no cycle a greater ratio: Karp is asked for the {MOST_LOOPS} "
            f"longest loops, of up to {MOST_STATES} states and as far as 2^62 cycles."
        )
    return Section("proof", "What proves the rates", columns, tuple(_row(one) for one in found), tuple(notes))


def _row(one: Evidence) -> tuple[str, ...]:
    said = _scalar(one)
    return (
        one.loop.name,
        "Howard = Karp" if one.karp else "Howard",
        f"{one.states:,}",
        "" if one.first is None else f"{one.first:,}",
        "" if one.period is None else f"{one.period:,}",
        "" if one.cycles is None else f"{one.cycles:,}",
        "" if not one.karp else "never" if one.scalar is None else f"{one.scalar.iterations:,}",
        "" if said is None else f"{said['cycles']:,}",
        "" if said is None else percent(said["error"]),
    )


def _scalar(one: Evidence) -> dict[str, Any] | None:
    cycles = one.scalar_cycles
    return None if cycles is None or not one.cycles else {"cycles": cycles, "error": cycles / one.cycles - 1}


def proof_json(found: tuple[Evidence, ...]) -> list[dict[str, Any]]:
    """The same as plain values, a loop each; ``null``: not asked, not proven, or the test does not stop in time."""
    return [
        {
            "loop": one.loop.name,
            "states": one.states,
            "rate_by": ["Howard", "Karp"] if one.karp else ["Howard"],
            "cycles_alone": one.cycles,
            "steady": None if one.first is None else {"from_iteration": one.first, "period": one.period},
            "scalar_test": None
            if one.scalar is None
            else {
                "stops_at": one.scalar.iterations,
                "cycles_per_iteration": one.scalar.increment,
                **(_scalar(one) or {"cycles": None, "error": None}),
            },
        }
        for one in found
    ]
