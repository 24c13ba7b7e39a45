"""What is known of a point of a sweep, as it is written, and the table of all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import inf
from pathlib import Path
from typing import Any

from accmine.questions.run.row import COLUMNS, Row
from accmine.report import to_json
from accmine.report.records import Records, records
from accmine.result import Status

__all__ = ["FAILED", "PointRecord", "SweepResult", "status_line"]

FAILED = "failed"
"""Status of a point whose study is wrong, or whose run was ended by an error."""

_SAME = 1e-9
"""Relative difference of what is equal: the same numbers in another order of operations."""


@dataclass(frozen=True)
class PointRecord:
    """A finished point.

    Attributes
    ----------
    number, values
        As of a ``SweepPoint``.
    row
        What the run came to (``accmine.questions.run.row``).
    like
        Equal for points that differ in their limits and in how they are searched alone.
    graphs
        Equal for points that share graphs and costs.
    limits
        Key -> limit in mm² or W, of those that there are.
    reference_s
        Step times of the baseline: what values are relative to.
    designs
        Of the answer, as texts of design files.
    device
        Key of a limit of one device -> the most that any device of the answer takes, in mm² or W.
    patience
        Limits of the run: with more of them it goes on.
    source
        Point whose answer it is, and of a looser one whose bound it is; empty for its own.
    seconds
        Wall-clock of the point.
    """

    number: int
    values: dict[str, Any]
    row: Row
    like: str = ""
    graphs: str = ""
    limits: dict[str, float] = field(default_factory=dict)
    reference_s: tuple[float, ...] = ()
    designs: tuple[str, ...] = ()
    device: dict[str, float] = field(default_factory=dict)
    patience: dict[str, float | None] = field(default_factory=dict)
    source: str = ""
    seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return to_json(self)

    @property
    def status(self) -> str:
        """As of the row."""
        return str(self.row["status"])

    @property
    def answered(self) -> bool:
        """Whether there is a verified answer."""
        return self.status in (Status.OPTIMAL.value, Status.FEASIBLE.value)

    def _score(self, column: str) -> float:
        """A value of the row as a number that is minimised; ``inf`` without one."""
        value = self.row[column]
        if not isinstance(value, int | float):
            return inf
        return value if str(self.row["sense"]).startswith("min") else -value

    @property
    def best(self) -> float:
        """Value of the answer, lower is better; comparable among points of equal ``like`` and ``reference_s``."""
        return self._score("best") if self.answered else inf

    @property
    def bound(self) -> float:
        """Nothing is below it; ``-inf`` where nothing is proven."""
        found = self._score("bound")
        return found if found < inf else -inf

    def comparable(self, other: PointRecord) -> bool:
        """Whether values of both mean the same."""
        same = not (self.reference_s and other.reference_s) or self.reference_s == other.reference_s
        return bool(self.like) and self.like == other.like and same

    def within(self, limits: Mapping[str, float]) -> bool:
        """Whether its limits are not looser than others in any."""
        return all(self.limits.get(key, inf) <= value * (1 + _SAME) for key, value in limits.items())

    def fits(self, limits: Mapping[str, float]) -> bool:
        """Whether its answer meets limits, of all devices and of each."""
        used = {"limits.area": self.row["area_mm2"], "limits.tdp": self.row["tdp_w"], **self.device}
        return self.answered and all(
            not isinstance(value, int | float) or value <= limits.get(key, inf) * (1 + _SAME)
            for key, value in used.items()
        )

    def better(self, other: PointRecord) -> bool:
        """Whether its answer is better than that of another comparable point by more than rounding."""
        return self.best < other.best - _SAME * abs(self.best)


@dataclass(frozen=True)
class SweepResult:
    """The table of a sweep.

    Attributes
    ----------
    columns
        Of the points: a row has them before those of ``accmine.questions.run.row.COLUMNS``.
    points
        In the order of their numbers; of a sweep that was interrupted those that are finished.
    count
        Points of the sweep.
    folder
        Where the table is.
    """

    name: str
    columns: tuple[str, ...]
    points: tuple[PointRecord, ...]
    count: int
    folder: Path

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """A flat row for each point: ``point``, its values, and what the run came to."""
        return [self.row(point) for point in self.points]

    def row(self, point: PointRecord) -> dict[str, Any]:
        """The flat row of a point."""
        values = {name: point.values.get(name) for name in self.columns}
        own = {column.name: point.row.get(column.name) for column in COLUMNS}
        # Keys of a study are dotted, but `objective` and `technology` stand alone and no column is called so.
        return {"point": point.number, **values, **own, "source": point.source}

    @property
    def complete(self) -> bool:
        """Whether every point is finished."""
        return len(self.points) == self.count

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        head = {"sweep": self.name, "folder": str(self.folder), "points": self.count, "columns": list(self.columns)}
        return {**head, "rows": self.rows}

    def records(self) -> Records:
        """The rows as a table, for programs and notebooks."""
        return records(self.rows)

    def to_pandas(self) -> Any:
        """The rows as a ``pandas.DataFrame``.

        Raises
        ------
        InputError
            If pandas is not installed; names the extra.
        """
        return self.records().to_pandas()

    def __repr__(self) -> str:
        """Name and what became of the points."""
        return f"SweepResult({self.name!r}, {status_line(self.points, self.count)})"

    def _repr_html_(self) -> str:
        """The rows, for notebooks."""
        return self.records()._repr_html_()


def status_line(points: Sequence[PointRecord], count: int) -> str:
    """How many points came to what."""
    found = Counter(point.status for point in points)
    parts = [f"{number} {status}" for status, number in sorted(found.items())]
    return f"{len(points)} of {count} points" + (f": {', '.join(parts)}" if parts else "")
