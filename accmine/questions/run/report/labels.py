"""Letters for designs, whose names are too long to stand in a table twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from accmine.questions.run.record import Outcome
from accmine.report import BULLET

__all__ = ["design_labels", "legend"]


def _letter(index: int) -> str:
    """A … Z, AA, AB, …"""
    index, last = divmod(index, 26)
    return (_letter(index - 1) if index else "") + chr(ord("A") + last)


def design_labels(outcome: Outcome) -> dict[str, str]:
    """A letter for every design of the answer, then of its other modes.

    The canonical name of a design carries every tunable and is too long to stand in a table twice.
    """
    names = [design.name for design in outcome.designs]
    names += [stage.design for stage in outcome.stages]
    names += [name for mode in outcome.modes for name in mode.designs]
    return {name: _letter(i) for i, name in enumerate(dict.fromkeys(names))}


def legend(labels: Mapping[str, str], names: Sequence[str]) -> tuple[str, ...]:
    """One list item per design name: its letter and what it stands for."""
    return tuple(f"{BULLET}{labels[name]} = {name}" for name in dict.fromkeys(names))
