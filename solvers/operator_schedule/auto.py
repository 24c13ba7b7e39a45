"""Operator schedules of any size: schedules and bounds in turn, until they meet or the time is up.

1. One list schedule, and the bounds that need no search.
2. The portfolio (``portfolio``): list and insertion schedules, modules, staggered copies.
3. Stronger bounds (``strong_bound``), with what is left to prove.
4. Up to some hundred operations CP-SAT on the whole problem, from the best schedule; above, where operations
   have modes to choose from, CP-SAT window by window (``cpsat_windows``); else the portfolio's search on rules.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator

from accmine.errors import InputError
from accmine.ports import Incumbent, Stop
from accmine.problems.operator_schedule import CONE_OPERATIONS, KIND, Problem, Solution
from accmine.problems.operator_schedule.cone_bound import METHOD, cones
from accmine.registry import make_solver
from accmine.result import Result, StopReason

from ..schedule_bounds.strong_bound import tighten
from .portfolio import Portfolio, schedule_work
from .record import Record

__all__ = ["Auto"]

_CONE_SECONDS = 2e-4
"""Per operation, of resource-aware heads and tails; twice what was measured."""

_BEFORE_CP_SAT, _BEFORE_WINDOWS = (0.1, 0.25), (0.3, 0.45)
"""Shares of the limits after which schedules and bounds leave the turn to CP-SAT on the whole or on windows."""

_WINDOW_WORK = 0.05
_LISTS_PER_WINDOW = 10
"""Work counted for one window of ``cp-sat-windows``, and the list schedules that go with each."""


class Auto:
    """The best of all ways to schedule a graph; see the head of this module.

    ``stop.work`` is CP-SAT's deterministic time, to which every list or insertion schedule adds its operations
    over 200,000: about a second per unit. With one worker and a work limit alone a run is repeatable. Without
    any limit CP-SAT runs until it has a proof, and the search on rules ends when it stands still. Ctrl-C
    keeps the best schedule and bound.

    Parameters
    ----------
    exact
        Operations up to which CP-SAT gets the whole problem.
    schedules, bounds
        Shares of the limits after which the portfolio leaves the turn to the bounds, and these to the search,
        where CP-SAT is not asked.
    tries
        Steps of the search on rules without improvement after which it ends, where no limit is given.

    Raises
    ------
    InputError
        If an option is out of range.
    """

    name = "auto"

    def __init__(self, *, exact: int = 300, schedules: float = 0.3, bounds: float = 0.6, tries: int = 100) -> None:
        if exact < 0 or not 0 <= schedules <= bounds <= 1 or tries < 1:
            raise InputError("exact must not be negative, 0 <= schedules <= bounds <= 1, tries at least 1")
        self.exact, self.schedules, self.bounds, self.tries = exact, schedules, bounds, tries

    def solve(
        self,
        problem: Problem,
        *,
        stop: Stop,
        seed: int = 0,
        hint: Solution | None = None,
        on_progress: Incumbent | None = None,
    ) -> Result[Solution]:
        """Schedule ``problem``; see ``accmine.ports.Solver``.

        Raises
        ------
        InputError
            If an operation fits in no mode, the precedences hold a cycle, or the hint is no solution.
        """
        record = Record(self.name, problem, stop, seed, on_progress)
        try:
            record.take_hint(hint)
            reason = self._run(record)
        except KeyboardInterrupt:
            if record.best is None:
                raise
            reason = StopReason.INTERRUPTED
        return record.result(record.closed() or reason)

    def _run(self, record: Record) -> StopReason:
        """All phases, until something says stop."""
        if (reason := record.closed()) is not None:
            return reason
        portfolio = Portfolio(record, record.seed)
        portfolio.first()
        if (reason := record.reason()) is not None:
            return reason
        self._cones(record, portfolio)
        small = len(record.problem) <= self.exact
        # CP-SAT needs time where it decides; elsewhere the portfolio does, and goes on behind the bounds.
        share, until = self.schedules, self.bounds
        if small or not portfolio.single:
            share, until = _BEFORE_CP_SAT if small else _BEFORE_WINDOWS
        steps = portfolio.steps()
        self._schedule(record, portfolio, steps, share)
        if record.reason() is None:
            self._bound(record, until)
        if (reason := record.reason()) is not None:
            return reason
        if small:
            return self._delegate(record, "cp-sat")
        if not portfolio.single:
            return self._delegate(record, "cp-sat-windows")
        self._schedule(record, portfolio, steps, 1.0)
        return record.reason() or StopReason.FINISHED

    @staticmethod
    def _cones(record: Record, portfolio: Portfolio) -> None:
        """Resource-aware heads and tails, if the time allows them."""
        n = len(record.problem)
        if n > CONE_OPERATIONS or _CONE_SECONDS * n > record.left():
            return
        found = cones(record.problem)
        record.tighten(found.bound, METHOD)
        portfolio.know(found.head, found.tail)

    def _schedule(self, record: Record, portfolio: Portfolio, steps: Iterator[None], share: float) -> None:
        """Passes of the portfolio up to a share of the limits."""
        idle, value = 0, record.value
        limited = record.stop.seconds is not None or record.stop.work is not None
        for _ in steps:
            if record.reason() is not None or record.spent() >= share:
                return
            idle = 0 if record.value != value else idle + 1
            value = record.value
            if not limited and portfolio.searching and idle >= self.tries:
                return
            if share < 1 and portfolio.searching:
                return

    @staticmethod
    def _bound(record: Record, share: float) -> None:
        """Stronger bounds up to a share of the limits."""
        assert record.value is not None
        stop = record.stop
        deadline = math.inf if stop.seconds is None else record.begin + share * stop.seconds
        work = None if stop.work is None else max(0.0, share * stop.work - record.work)
        if time.monotonic() >= deadline or work == 0:
            return
        tight = tighten(
            record.problem,
            upper=record.value,
            gap=stop.gap,
            deadline=deadline,
            work=work,
            seed=record.seed,
            workers=stop.workers,
        )
        record.work += 0.0 if work is None else work
        record.tighten(tight.bound, tight.method)

    @staticmethod
    def _delegate(record: Record, name: str) -> StopReason:
        """Leave the rest to another solver."""
        stop, work = record.stop, None
        left = None if stop.seconds is None else max(0.0, record.left())
        if stop.work is not None:
            rest = max(0.0, stop.work - record.work)
            window = _WINDOW_WORK + _LISTS_PER_WINDOW * schedule_work(record.problem)
            work = rest if name == "cp-sat" else max(1.0, rest // window)
        found = make_solver(KIND, name).solve(
            record.problem,
            stop=Stop(seconds=left, work=work, gap=stop.gap, workers=stop.workers),
            seed=record.seed,
            hint=record.best,
            on_progress=record.hear,
        )
        if found.solution is not None:  # before the bound: the trace has heard of it already
            record.offer(found.solution)
        if found.bound is not None:
            record.tighten(int(found.bound), found.bound_method)
        if found.stop is StopReason.INTERRUPTED:
            raise KeyboardInterrupt
        return found.stop
