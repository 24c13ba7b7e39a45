"""The records of a gap measurement: what a heuristic proposed, what became of it, and what is proven."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from accmine.report import to_json

__all__ = ["WHOLE", "GapRow", "heuristic_range"]

WHOLE = "whole"
"""Name of the part that is the study itself; the others are its stages."""

Trace = tuple[tuple[float, float | None, float | None], ...]


@dataclass(frozen=True)
class GapRow:
    """One measurement of a heuristic on a study, or on one of its stages.

    Values are in the unit of ``metric``; ``None`` stands for what was not found or does not apply. Gaps are shares,
    0 to 1: minimum (value − bound) / value, maximum (bound − value) / bound. So
    ``1 − gap_after = (1 − schedule_part) · (1 − bound_part)``.

    Attributes
    ----------
    study, part
        Name of the study; ``whole`` or the name of a stage.
    metric, unit, sense
        What the values are, and whether less (``minimize``) or more (``maximize``) is better.
    method, options
        The heuristic, and the options it had; a foreign design has none.
    seed, limit_s, work
        Of the budget; ``None`` for no limit.
    heuristic
        Best choice among the heuristic's own candidates with list schedules: what it proposes alone.
    refined
        The same after the schedules were refined and the choice was repeated.
    best
        The best verified value known in this measurement, whoever found it.
    own_bound
        No schedules of the designs of ``best`` give a better value.
    bound
        No design of the space with any schedules gives a better value.
    gap_before, gap_refined, gap_after
        Of ``heuristic``, ``refined`` and ``best`` from ``bound``.
    schedule_part, bound_part
        What better schedules of the same designs could gain at most (``best`` from ``own_bound``), and the rest
        (``own_bound`` from ``bound``): other designs, or nothing but a weak bound.
    found_by, proof, own_proof
        Who found ``best``, who proved ``bound`` and ``own_bound``.
    designs
        Names of the designs of ``best``, one per device of the part.
    operators, feasible_designs
        Operators in the graphs of the part; designs within the limits of one device, summed over the groups of
        devices that share one (``None`` for a stage).
    finished
        Whether the heuristic came to its own end; ``False`` if the budget ended it, ``None`` if there is no heuristic.
    heuristic_s, seconds
        Wall-clock until ``heuristic`` was known, and of the whole measurement; both with what rows of other options
        share.
    trace
        (seconds, best, bound) whenever one of them moved; the last one is that of the row. Empty for a stage.
    violations
        What a foreign design or solution violates; its gaps are then ``None``.
    note
        Why a row has no values, e.g. ``needs tensor parallel``, or ``interrupted``.
    reused
        Whether the row was read back from a run folder.
    """

    study: str
    part: str = WHOLE
    metric: str = ""
    unit: str = ""
    sense: str = "minimize"
    method: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    limit_s: float | None = None
    work: float | None = None
    heuristic: float | None = None
    refined: float | None = None
    best: float | None = None
    own_bound: float | None = None
    bound: float | None = None
    gap_before: float | None = None
    gap_refined: float | None = None
    gap_after: float | None = None
    schedule_part: float | None = None
    bound_part: float | None = None
    found_by: str = ""
    proof: str = ""
    own_proof: str = ""
    designs: tuple[str, ...] = ()
    operators: int | None = None
    feasible_designs: int | None = None
    finished: bool | None = None
    heuristic_s: float | None = None
    seconds: float | None = None
    trace: Trace = ()
    violations: tuple[str, ...] = ()
    note: str = ""
    reused: bool = False

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, in the order of the fields."""
        return to_json(self)


def heuristic_range(rows: Iterable[GapRow]) -> dict[tuple[str, str], tuple[float, float, int]]:
    """Least and largest gap of the heuristic alone over its options, seeds and budgets, and how many rows have one.

    Returns
    -------
    dict
        By (study, metric), in the order of the rows; only rows of the whole, of heuristics.
    """
    found: dict[tuple[str, str], list[float]] = {}
    for row in rows:
        if row.part == WHOLE and row.finished is not None and row.gap_before is not None:
            found.setdefault((row.study, row.metric), []).append(row.gap_before)
    return {key: (min(gaps), max(gaps), len(gaps)) for key, gaps in found.items()}
