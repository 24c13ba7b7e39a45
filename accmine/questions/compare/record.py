"""The record of one run of one method on one study."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from accmine.report import to_json

__all__ = ["CHIP", "COLUMNS", "SEARCH", "CompareRow", "Moment"]

SEARCH, CHIP = "search", "chip"
"""What a row is: a method, or a fixed chip of the catalogue."""

Moment = tuple[float, float, float]
"""(evaluations, seconds, best value) when the best value improved."""


@dataclass(frozen=True)
class CompareRow:
    """One method with one seed on one study, or a fixed chip.

    Values are minimised: step time relative to the baseline's (of a pipeline that of the slowest stage), times the TDP
    of a device in W for ``throughput-per-tdp``.

    Attributes
    ----------
    study, metric
        Name of the study or model, and its objective.
    method, kind, seed
        Who, ``search`` or ``chip``, and the seed; ``None`` where nothing is drawn.
    limit_s, limit_evaluations
        What it was given; ``None`` for no limit.
    value
        Of its best design, with the list schedules that all designs are compared by; ``None``: none was found.
    own
        The same with the schedules that the method itself made.
    bound
        No design of the space with any schedules has a lower value.
    baseline
        Value of the baseline.
    design, tunables, area_mm2, tdp_w
        The best design, its name and its table; area and TDP of one device.
    evaluations
        List schedules made, in those of one evaluation of a design.
    designs
        Designs that were scheduled.
    seconds, wall_s
        Processor time of the search, and wall-clock, which other programs on the machine lengthen.
    finished
        Whether it came to its own end before the limits; ``None`` for a chip.
    trace
        Whenever the best value improved.
    note
        Why there is no value, or what a chip does not meet.
    reused
        Whether it was read from a run folder.
    """

    study: str
    metric: str
    method: str = ""
    kind: str = SEARCH
    seed: int | None = None
    limit_s: float | None = None
    limit_evaluations: int | None = None
    value: float | None = None
    own: float | None = None
    bound: float | None = None
    baseline: float | None = None
    design: str = ""
    tunables: Mapping[str, Any] = field(default_factory=dict)
    area_mm2: float | None = None
    tdp_w: float | None = None
    evaluations: float = 0.0
    designs: int = 0
    seconds: float = 0.0
    wall_s: float = 0.0
    finished: bool | None = None
    trace: tuple[Moment, ...] = ()
    note: str = ""
    reused: bool = False

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, in the order of the fields."""
        return to_json(self)


COLUMNS = (
    *("study", "metric", "method", "kind", "seed", "limit_s", "limit_evaluations", "value", "own", "bound", "gap"),
    *("baseline", "times_baseline", "design", "area_mm2", "tdp_w", "evaluations", "designs", "seconds", "wall_s"),
    *("finished", "note", "reused"),
)
"""Columns of the CSV, always all of them; ``gap`` is that of ``value``, ``times_baseline`` is baseline / value."""
