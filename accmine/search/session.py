"""A session: the plan of a question, its costs and budget, and all that its steps share, as one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any, Generic, Protocol, TypeVar

from accmine.cost import CostLibrary
from accmine.errors import AccmineError
from accmine.hardware import Design
from accmine.plan import Plan
from accmine.ports import Incumbent, Stop
from accmine.report import Watch
from accmine.search.budget import Budget, Table
from accmine.search.schedules import TaskSchedule
from accmine.study.parts import Budget as Limits
from accmine.workers import stop_workers, workers
from accmine.workload import Task

__all__ = ["UNREADABLE", "Event", "Found", "Kept", "Member", "Session", "Store", "opened"]

T = TypeVar("T")

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

    def note(self, event: str, key: str) -> None:
        """Write down that a part was ``begun``, ``kept`` or ``read``."""
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

    def note(self, event: str, key: str) -> None:
        """Nobody asks what a process did that has ended."""


@dataclass(frozen=True)
class Found(Generic[T]):
    """A part that an earlier try kept.

    Attributes
    ----------
    final
        Whether it had at least the budget of this run, or more budget would change nothing: it is not computed again.
        Otherwise it is where a longer run begins.
    """

    value: T
    final: bool


UNREADABLE = (AccmineError, LookupError, TypeError, ValueError, AttributeError, ArithmeticError)
"""What reading a part that was kept may raise: it is then not used."""


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
    limits
        The budget of the study, where finished parts are kept and read; ``None``: they are not.
    on_bound
        Told each bound of the study as it rises.
    answers
        Kept answers of other runs of the same tasks, as JSON values: claims, which are checked before they count.
    earlier
        Designs of the best answer that an earlier try, or another run, verified; ``best`` is the least value that is
        kept.
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
    limits: Limits | None = None
    on_bound: Callable[[float], Any] = _nobody
    answers: tuple[Mapping[str, Any], ...] = ()
    earlier: dict[Member, Design] = field(default_factory=dict)
    best: float = inf

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
        """A session with a budget of what the current step has left, sharing what is scheduled; it keeps no parts."""
        inner = replace(self, budget=self.budget.inner(table), seconds={}, trace=[], on_progress=_nobody, watch=Watch())
        inner.limits = None
        return inner

    @property
    def repeats(self) -> bool:
        """Whether the run has to give the same answer whatever an earlier try left."""
        return self.limits is not None and self.limits.deterministic

    def known(self, key: str, read: Callable[[dict[str, Any]], T]) -> Found[T] | None:
        """What was kept of the part ``key``; ``None`` for nothing, and for what is not believed, which is said.

        A run that has to repeat goes on with the work that was left behind the part, as if it had computed it.

        Parameters
        ----------
        read
            Makes the part from its JSON values, and checks what can be checked; any error means that it is not used.
        """
        row = None if self.limits is None else self.store.get(key)
        if row is None or self.limits is None:
            return None
        try:
            found = Found(read(row["part"]), self.limits.covered_by(row["limits"]))
            left = [float(work) for work in row["left"]]
        except UNREADABLE as error:
            self.watch.say(f"kept of an earlier try but not used: {key} ({' '.join(str(error).split())[:200]})")
            return None
        if self.repeats:
            if not found.final or len(left) != 2:
                return None
            self.budget.leave(*left)
        if found.final:
            self.store.note("read", key)
        return found

    def begin(self, key: str) -> None:
        """Write down that a part is computed from here on."""
        if self.limits is not None:
            self.store.note("begun", key)

    def keep(self, key: str, part: Mapping[str, Any], *, complete: bool = False, over: bool = True) -> None:
        """Keep a part; after Ctrl-C, or where it is not ``over``, as one that a later try begins with.

        Parameters
        ----------
        part
            JSON values.
        complete
            More budget would change nothing.
        """
        if self.limits is None:
            return
        had: Mapping[str, Any] = self.limits.model_dump(include={"seconds", "work"})
        if complete:
            had = dict.fromkeys(had)
        if self.interrupted or not over:
            if self.repeats:
                return
            had = (self.store.get(key) or {}).get("limits", dict.fromkeys(had, 0.0))
        left = list(self.budget.work_left) if self.repeats else []
        self.store.put(key, {"limits": had, "left": left, "part": dict(part)})
        if over and not self.interrupted:
            self.store.note("kept", key)

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
            if bound is not None:
                self.on_bound(bound)


@contextmanager
def opened(plan: Plan, budget: Budget, library: CostLibrary | None = None, **more: Any) -> Iterator[Session]:
    """A session with its cost library and its workers, which end with the block."""
    library = library or plan.library()
    with workers(budget.workers, [*plan.tasks, library]) as executor:
        yield Session(plan, library, budget, executor, **more)
