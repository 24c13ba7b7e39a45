"""What is known of some layers on one device: designs, and what none is below, by interval and loss.

Times are in ticks, of which a cycle of each device has a whole number: other clocks can be compared exactly.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from accmine.problems.sparse_dataflow import Least, Problem, Solution, interval_of, loss_of
from accmine.record import Record

__all__ = ["Front", "Point"]

_SLOW = 1 << 50
"""Cycles that no useful design takes."""

Asked = Callable[[Problem], Record[Solution]]
"""Solves a problem in the time that there is."""


@dataclass(frozen=True, slots=True)
class Point:
    """An interval in ticks, a loss, and the design that has them; without one no design is below both."""

    ticks: int
    loss: int
    solution: Solution | None = None


class Front:
    """Designs of some layers on one device.

    Parameters
    ----------
    problem
        The layers with the budgets of the device, and the loss of all devices together.
    ticks
        Of a cycle.
    fastest, least
        Ticks, and a loss, that no design is below.

    Attributes
    ----------
    impossible
        Whether it is proven that no design fits.
    settled
        Whether the fastest design was looked for.
    """

    def __init__(self, problem: Problem, ticks: int, fastest: int, least: int) -> None:
        self.problem, self.ticks, self.fastest, self.least = problem, ticks, fastest, least
        self.impossible = self.settled = False
        self.designs: list[Point] = []
        self._bounds: dict[int, int | None] = {}

    def look_for_fastest(self, asked: Asked) -> None:
        """The fastest design within the whole loss."""
        record = asked(self.problem)
        self.settled, self.impossible = True, record.infeasible
        if record.bound is not None:
            self.fastest = max(self.fastest, record.bound * self.ticks)
        self.keep(record.best)

    def look_for_least(self, asked: Asked) -> None:
        """The design of least loss, however slow."""
        record = asked(replace(self.problem, least=Least("loss", _SLOW)))
        self.impossible = self.impossible or record.infeasible
        self.least = max(self.least, record.bound or 0)
        self.keep(record.best)

    def look_within(self, most: int, asked: Asked) -> None:
        """The least loss of designs that take at most so many ticks."""
        cycles = most // self.ticks
        if cycles in self._bounds:
            return
        if most < self.fastest:
            self._bounds[cycles] = None
            return
        record = asked(replace(self.problem, least=Least("loss", cycles)))
        self._bounds[cycles] = None if record.infeasible else max(self.least, record.bound or 0)
        self.keep(record.best)

    def look_with(self, loss: int, asked: Asked) -> None:
        """The fastest design within a part of the loss; what is faster loses more."""
        record = asked(replace(self.problem, budget=replace(self.problem.budget, loss=loss)))
        if record.infeasible:
            self.least = max(self.least, loss + 1)
        elif record.bound is not None:
            known = self._bounds.get(record.bound - 1, 0)
            self._bounds[record.bound - 1] = None if known is None else max(known, loss + 1)
        self.keep(record.best)

    def keep(self, solution: Solution | None) -> None:
        """Know of a design."""
        if solution is not None:
            own = Point(interval_of(self.problem, solution) * self.ticks, loss_of(self.problem, solution), solution)
            if own not in self.designs:
                self.designs.append(own)

    def corners(self) -> list[Point]:
        """Every design, known or not, is at one of these points or beyond it in both directions.

        A design of at most q cycles has at least the loss that was proven for q; one that takes longer has at least
        that of the next q, or the least of all.
        """
        found, low = [], self.fastest
        for cycles in sorted(self._bounds):
            after, loss = (cycles + 1) * self.ticks, self._bounds[cycles]
            if after <= low:
                continue
            if loss is not None:
                found.append(Point(low, loss))
            low = after
        return [*found, Point(low, self.least)]
