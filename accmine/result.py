"""Result: what a solver found, what it proved, and why it stopped."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from html import escape
from typing import Any, Generic, TypeVar

__all__ = ["Result", "Sense", "Status", "StopReason", "gap"]

S = TypeVar("S")


class Status(StrEnum):
    """What is known about the problem."""

    OPTIMAL = "optimal"
    """A verified solution whose objective equals a valid bound."""
    FEASIBLE = "feasible"
    """A verified solution; the bound says how far it can be from the best."""
    INFEASIBLE = "infeasible"
    """Proven that no solution exists."""
    UNKNOWN = "unknown"
    """No solution found, no proof that there is none; the bound still holds."""


class StopReason(StrEnum):
    """Why the solver ended."""

    PROVED = "proved"
    GAP = "gap"
    TIME = "time"
    FINISHED = "finished"
    """A heuristic ran to its end; it does not try to prove anything."""
    INTERRUPTED = "interrupted"


class Sense(StrEnum):
    """Direction of the objective."""

    MINIMIZE = "minimize"
    MAXIMIZE = "maximize"


def gap(objective: float | None, bound: float | None, sense: Sense = Sense.MINIMIZE) -> float | None:
    """Relative distance of an objective from its bound, 0 to 1.

    Minimum: (objective - bound) / objective; maximum: (bound - objective) / bound; 1 where that divides by 0. ``None``
    when either side is unknown.
    """
    if objective is None or bound is None or not (math.isfinite(objective) and math.isfinite(bound)):
        return None
    worse, better = (objective, bound) if sense is Sense.MINIMIZE else (bound, objective)
    if worse <= better:
        return 0.0
    return min(1.0, (worse - better) / abs(worse)) if worse else 1.0


@dataclass(frozen=True, repr=False)
class Result(Generic[S]):
    """What one solver call found and proved.

    Attributes
    ----------
    kind
        Problem kind, e.g. ``operator-schedule``.
    status, stop
        What is known, and why the solver ended.
    objective, bound
        Value of the verified solution and proven limit, in the problem's own unit (``None``: not
        known). A bound is kept also when there is no solution.
    bound_method
        How the bound was proved, in words.
    solution
        The problem's own solution type, or ``None``.
    trace
        (seconds, objective, bound) whenever one of them moved.
    conflict, remedy
        For an infeasible problem: the limits in conflict and the least change that helps.
    verified
        True once the problem's own ``check`` passed on ``solution``.
    pool
        What was looked at beside the solution, where the kind has such: evaluations of designs. Not verified.
    work
        What the solver counted against ``Stop.work``, in its own unit; 0 where it counts nothing.
    """

    kind: str
    solver: str
    status: Status
    stop: StopReason
    objective: float | int | None
    bound: float | int | None
    bound_method: str
    solution: S | None
    seconds: float = 0.0
    seed: int = 0
    sense: Sense = Sense.MINIMIZE
    trace: tuple[tuple[float, float | None, float | None], ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    conflict: tuple[str, ...] = ()
    remedy: tuple[str, ...] = ()
    verified: bool = False
    pool: tuple[Any, ...] = ()
    work: float = 0.0

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C ended the search."""
        return self.stop is StopReason.INTERRUPTED

    @property
    def finished(self) -> bool:
        """Whether the search came to its own end: no limit in time or work, and no Ctrl-C."""
        return self.stop not in (StopReason.TIME, StopReason.INTERRUPTED)

    @property
    def gap(self) -> float | None:
        """Relative gap, 0 to 1; ``None`` when objective or bound is unknown."""
        return gap(self.objective, self.bound, self.sense)

    def __repr__(self) -> str:
        """What is known, in a line."""
        gap = "" if self.gap is None else f" (gap {100 * self.gap:.3g} %)"
        found = f"{self.kind}: {self.status}, {self.objective} of bound {self.bound}{gap}"
        return f"<Result {found}, {self.solver}, {self.seconds:.2f} s, {self.stop}>"

    def _repr_html_(self) -> str:
        """The header as a table, for notebooks."""
        rows = ((key, value) for key, value in self.header().items() if key not in ("trace", "versions"))
        cells = "".join(f"<tr><th>{escape(key)}</th><td>{escape(str(value))}</td></tr>" for key, value in rows)
        return f"<table>{cells}</table>"

    def header(self) -> dict[str, Any]:
        """Everything but the solution, as plain JSON values in the order of the file format."""
        return {
            "kind": self.kind,
            "status": self.status.value,
            "objective": self.objective,
            "bound": self.bound,
            "gap": self.gap,
            "solver": self.solver,
            "stop": self.stop.value,
            "seconds": round(self.seconds, 6),
            "seed": self.seed,
            "versions": dict(self.versions),
            "bound_method": self.bound_method,
            "trace": [list(row) for row in self.trace],
            "conflict": list(self.conflict),
            "remedy": list(self.remedy),
            "verified": self.verified,
        }
