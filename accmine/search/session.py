"""A session: the plan of a question, its costs and budget, and all that its steps share, as one."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from accmine.cost import CostLibrary
from accmine.hardware import Design
from accmine.plan import Plan
from accmine.ports import Incumbent, Stop
from accmine.report import Watch
from accmine.search.budget import Budget, Table
from accmine.search.schedules import TaskSchedule
from accmine.workers import stop_workers, workers
from accmine.workload import Task

__all__ = ["Event", "Kept", "Member", "Session", "Store", "opened"]

Member = tuple[int, int]
"""(pipeline, stage)."""

Event = tuple[float, float | None, float | None]
"""(seconds, minimised value, bound)."""


class Store(Protocol):
    """Where results of finished steps are kept for a run that goes on."""

    def get(self, key: str) -> dict[str, Any] | None:
        """What was kept under ``key``, or ``None``."""
        ...

    def put(self, key: str, value: Mapping[str, Any]) -> None:
        """Keep a mapping of JSON values; whole or not at all, whatever happens meanwhile."""
        ...


class Kept:
    """A store that lasts as long as the process."""

    def __init__(self) -> None:
        self._table: dict[str, dict[str, Any]] = {}

    def get(self, key: str) -> dict[str, Any] | None:
        """What was kept under ``key``, or ``None``."""
        return self._table.get(key)

    def put(self, key: str, value: Mapping[str, Any]) -> None:
        """Keep a mapping of JSON values."""
        self._table[key] = dict(value)


def _nobody(*_: Any) -> None:
    """Hears nothing."""


@dataclass
class Session:
    """What every step of a question has.

    Attributes
    ----------
    plan
        With the references of the baseline once it is scheduled.
    first
        Designs that are candidates beside the baseline and what the search proposes.
    watch
        Told each step as it begins, the unit of the values, and sentences for the user.
    seconds
        Of each step.
    trace
        Whenever the value or the bound of the study moved.
    cycles
        Makespans of the phases by task and design, from list schedules.
    schedules
        Verified schedules by device and design.
    interrupted
        Whether Ctrl-C was heard: from then on nothing is searched or refined.
    list_s
        Seconds of a few list schedules of every task, as measured on this machine.
    """

    plan: Plan
    library: CostLibrary
    budget: Budget
    executor: Executor | None = None
    store: Store = field(default_factory=Kept)
    first: tuple[Design, ...] = ()
    on_progress: Incumbent = _nobody
    watch: Watch = field(default_factory=Watch)
    seconds: dict[str, float] = field(default_factory=dict)
    trace: list[Event] = field(default_factory=list)
    cycles: dict[tuple[Task, Design], tuple[int, ...]] = field(default_factory=dict)
    schedules: dict[tuple[Member, Design], TaskSchedule] = field(default_factory=dict)
    interrupted: bool = False
    list_s: float = 0.0

    @property
    def seed(self) -> int:
        """Of everything random."""
        return self.budget.seed

    def under(self, plan: Plan) -> Session:
        """The session with another plan of the same tasks: other limits, another technology or value."""
        return replace(self, plan=plan)

    def fresh(self, budget: Budget) -> Session:
        """A session on the same plan that knows nothing of what this one found."""
        return Session(self.plan, self.library, budget, self.executor)

    def inner(self, table: Table) -> Session:
        """A session with a budget of what the current step has left, that shares what is scheduled."""
        return replace(self, budget=self.budget.inner(table), seconds={}, trace=[], on_progress=_nobody, watch=Watch())

    def part(self, share: float = 1.0) -> Stop:
        """A share of what the current step has left."""
        return self.budget.part(share)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Begin a step of the budget, and measure it."""
        start = time.monotonic()
        self.watch.step(name)
        self.budget.begin(name)
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.monotonic() - start

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Leave the block at the first Ctrl-C with what is there and stop the workers; a second one ends the run."""
        try:
            yield
        except KeyboardInterrupt:
            if self.interrupted:
                raise
            self.interrupt()

    def interrupt(self) -> None:
        """From now on nothing is searched or refined, and everything left is done in this process."""
        self.interrupted = True
        if self.executor is not None:
            stop_workers(self.executor)
            self.executor = None

    def progress(self, objective: float | None, bound: float | None) -> None:
        """Tell the values of the study; the last known ones stay."""
        last = self.trace[-1] if self.trace else (0.0, None, None)
        row = (self.budget.seconds, objective or last[1], bound or last[2])
        if row[1:] != last[1:]:
            self.trace.append(row)
            self.on_progress(*row)


@contextmanager
def opened(plan: Plan, budget: Budget, **more: Any) -> Iterator[Session]:
    """A session with its cost library and its workers, which end with the block."""
    library = plan.library()
    with workers(budget.workers, [*plan.tasks, library]) as executor:
        yield Session(plan, library, budget, executor, **more)
