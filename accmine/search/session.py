"""What the steps of a run share: the plan, limits, measured seconds, the trace, and what an interrupt means."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from accmine.cost.modes import CostLibrary
from accmine.hardware.design import Design
from accmine.plan.plan import Plan
from accmine.ports import Incumbent, Stop
from accmine.search.schedules import TaskSchedule
from accmine.workers import stop_workers
from accmine.workload.task import Task

__all__ = ["Context", "Store"]


class Store(Protocol):
    """Where results of finished steps are kept for a run that goes on."""

    def get(self, key: str) -> dict[str, Any] | None:
        """What was kept under ``key``, or ``None``."""
        ...

    def put(self, key: str, value: Mapping[str, Any]) -> None:
        """Keep a mapping of JSON values."""
        ...


@dataclass
class Context:
    """What every step of a run needs."""

    plan: Plan
    library: CostLibrary
    stop: Stop
    seed: int
    executor: Executor | None
    on_progress: Incumbent
    began: float = field(default_factory=time.monotonic)
    seconds: dict[str, float] = field(default_factory=dict)
    trace: list[tuple[float, float | None, float | None]] = field(default_factory=list)
    cycles: dict[tuple[Task, Design], tuple[int, ...]] = field(default_factory=dict)
    baseline: dict[tuple[tuple[int, int], Design], TaskSchedule] = field(default_factory=dict)
    interrupted: bool = False
    first: tuple[Design, ...] = ()
    compare: bool = True
    on_step: Callable[[str], None] | None = None

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Measure a step by name."""
        if self.on_step is not None:
            self.on_step(name)
        start = time.monotonic()
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

    def part(self, share: float) -> Stop:
        """A share of the budget."""
        return replace(
            self.stop,
            seconds=None if self.stop.seconds is None else self.stop.seconds * share,
            work=self.stop.work,
        )

    def mined(self, seconds: float, objective: float | None, bound: float | None) -> None:
        """Progress of a miner whose value is the study's."""
        del seconds, bound
        self.progress(objective, None)

    def progress(self, objective: float | None, bound: float | None) -> None:
        """Tell the values of the study; the last known ones stay."""
        last = self.trace[-1] if self.trace else (0.0, None, None)
        row = (time.monotonic() - self.began, objective or last[1], bound or last[2])
        if row[1:] != last[1:]:
            self.trace.append(row)
            self.on_progress(*row)
