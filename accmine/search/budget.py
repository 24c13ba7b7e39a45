"""The budget of a run: how its seconds and its work are divided among its steps, and what is left of them.

One table per kind of run; each adds up to 1. A step may spend its share of what is left for it and the steps behind it,
so what a step leaves goes to the next one. Where runs are compared (``gap``) shares are fixed instead, and what is left
is thrown away: a row would else depend on what the rows before it needed.

Work is counted in units of about a second of one core, whatever does it: CP-SAT's deterministic time, and list
schedules by the operations they place. All parts are counted against one total. A solver is charged what it was
granted, as few tell what they used.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf

from accmine.ports import Stop
from accmine.study.parts import Budget as Limits

__all__ = ["ANSWER", "GAP", "GAP_STAGES", "PLACEMENT", "ROUND", "RUN", "Budget", "Table", "share_of"]


@dataclass(frozen=True)
class Table:
    """Shares of the steps of a kind of run, in their order.

    Attributes
    ----------
    hands_on
        Whether what a step leaves goes to the steps behind it.
    """

    shares: Mapping[str, float]
    hands_on: bool = True


RUN = Table(
    {
        "baseline": 0.06,
        "bound": 0.15,
        "propose": 0.22,
        "confirm": 0.08,
        "select": 0.03,
        "refine": 0.18,
        "prove": 0.12,
        "compare": 0.16,
    }
)
"""A run; ``bound`` comes behind ``refine`` where it needs the integer program over several groups."""

GAP = Table(
    {
        "baseline": 0.05,
        "bound": 0.05,
        "propose": 0.2,
        "confirm": 0.1,
        "select": 0.02,
        "refine": 0.13,
        "prove": 0.35,
        "known": 0.1,
    },
    hands_on=False,
)
"""A row of a gap table of one search for one design; ``known`` is what is known without the heuristic."""

GAP_STAGES = Table(
    {
        "baseline": 0.05,
        "bound": 0.15,
        "propose": 0.3,
        "confirm": 0.2,
        "select": 0.02,
        "refine": 0.13,
        "known": 0.15,
    },
    hands_on=False,
)
"""A row where there is no search with a proof: its share is that of bound, heuristic and their schedules."""

PLACEMENT = Table({"begin": 0.12, "search": 0.7, "compare": 0.18})
"""A run that decides design and placement together: placements of one design, all designs, and the references."""

ANSWER = Table({"confirm": 0.4, "select": 0.1, "refine": 0.5})
"""What is known without a heuristic, made into an answer."""

ROUND = {"schedule": 0.8, "select": 0.2}
"""Shares of a round of refinement."""


def share_of(stop: Stop, share: float) -> Stop:
    """A share of limits."""
    seconds, work = (None if limit is None else share * limit for limit in (stop.seconds, stop.work))
    return replace(stop, seconds=seconds, work=work)


class Budget:
    """What a run may still spend, and what its current step may.

    Parameters
    ----------
    stop
        Limits of everything together, from ``began`` on (a value of ``time.monotonic()``; default: now).
    steps
        The steps of this run in their order; default: those of the table. Others take no share.
    """

    def __init__(
        self,
        table: Table,
        stop: Stop,
        seed: int = 0,
        *,
        steps: Sequence[str] | None = None,
        began: float | None = None,
    ) -> None:
        self.table, self.seed, self.workers = table, seed, stop.workers
        self.total = stop
        self._steps = list(table.shares if steps is None else steps)
        self.began = time.monotonic() if began is None else began
        self.deadline = inf if stop.seconds is None else self.began + stop.seconds
        self._work = inf if stop.work is None else stop.work
        # Of the current step; before the first one everything is at hand.
        self._until, self._step_work = self.deadline, self._work

    @classmethod
    def of(
        cls, limits: Limits, table: Table, *, steps: Sequence[str] | None = None, began: float | None = None
    ) -> Budget:
        """The budget that a study gives: by the clock, or by work alone where it has to be deterministic."""
        seconds, work, workers = limits.seconds, limits.work, limits.workers
        if limits.deterministic:
            # A unit is about a second: without a limit of its own the work takes about the seconds of the study.
            seconds, work, workers = None, seconds if work is None else work, 1
        return cls(table, Stop(seconds=seconds, work=work, workers=workers), limits.seed, steps=steps, began=began)

    @property
    def seconds(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self.began

    def begin(self, step: str) -> None:
        """From now on parts are parts of this step."""
        share = self.table.shares[step]
        if not self.table.hands_on:
            seconds, work = self.total.seconds, self.total.work
            self._until = inf if seconds is None else time.monotonic() + share * seconds
            self._step_work = inf if work is None else share * work
            return
        behind = self._steps[self._steps.index(step) :]
        share /= sum(self.table.shares[name] for name in behind)
        now = time.monotonic()
        self._until = inf if self.deadline == inf else now + share * max(0.0, self.deadline - now)
        self._step_work = share * max(0.0, self._work) if self._work < inf else inf

    def part(self, share: float = 1.0) -> Stop:
        """A share of what the current step has left."""
        left, work = self._until - time.monotonic(), self._step_work
        return Stop(
            seconds=None if self._until == inf else max(0.0, share * left),
            work=None if work == inf else max(0.0, share * work),
            workers=self.workers,
        )

    def spend(self, work: float | None) -> None:
        """Count work against the step and the run; ``None`` counts nothing."""
        if work is not None:
            self._work -= work
            self._step_work -= work

    @property
    def work_left(self) -> tuple[float, float]:
        """Units of work that the run and the current step have left; ``inf`` without a limit."""
        return self._work, self._step_work

    def leave(self, work: float, step_work: float) -> None:
        """Have so much left: what was left when a part that is not computed again ended."""
        self._work, self._step_work = work, step_work

    def inner(self, table: Table) -> Budget:
        """A budget of what the current step has left, with steps of its own; its work is charged here."""
        stop = self.part()
        self.spend(stop.work)
        return Budget(table, stop, self.seed)

    def end(self) -> None:
        """Nothing is left from now on."""
        self.deadline = self._until = time.monotonic()

    @property
    def left(self) -> float:
        """Seconds until the run has to end; ``inf`` without a clock."""
        return self.deadline - time.monotonic()

    @property
    def late(self) -> bool:
        """Whether the run has nothing left at all."""
        return time.monotonic() >= self.deadline or self._work <= 0

    @property
    def over(self) -> bool:
        """Whether the current step has nothing left."""
        return time.monotonic() >= self._until or self._step_work <= 0
