"""Operator schedules of any size: schedules and bounds in turn, until they meet or the time is up.

1. One list schedule, and the bounds that need no search; where operations have modes, the plan of ``critical-path``.
2. The portfolio (``portfolio``): list and insertion schedules, modules, staggered copies.
3. Stronger bounds (``strong_bound``), with what is left to prove.
4. Up to some hundred operations CP-SAT on the whole problem, from the best schedule; above, where operations
   have modes to choose from, CP-SAT window by window (``cpsat_windows``); else the portfolio's search on rules.
"""

from __future__ import annotations

from collections.abc import Iterator

from accmine.errors import InputError
from accmine.ports import Solver
from accmine.problems.operator_schedule import CONE_OPERATIONS, KIND, Solution, lower_bound
from accmine.problems.operator_schedule.cone_bound import METHOD, cones
from accmine.record import Record
from accmine.registry import make_solver
from accmine.result import StopReason

from ..schedule_bounds.strong_bound import tighten
from .critical_path import PASSES, CriticalPath
from .portfolio import Portfolio, schedule_work

__all__ = ["Auto"]

_CONE_SECONDS = 2e-4
"""Per operation, of resource-aware heads and tails; twice what was measured."""

_BEFORE_CP_SAT, _BEFORE_WINDOWS = (0.1, 0.25), (0.3, 0.45)
"""Shares of the limits after which schedules and bounds leave the turn to CP-SAT on the whole or on windows."""

_CRITICAL_PATH = 0.4
"""Share of the limits that the plan of ``critical-path`` may take; it seldom takes as much."""

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

    def search(self, record: Record[Solution]) -> StopReason:
        """All phases, until something says stop; at least one schedule.

        Raises
        ------
        InputError
            If an operation fits in no mode, or the precedences hold a cycle.
        """
        record.raise_bound(*lower_bound(record.problem))
        if (reason := record.closed()) is not None:
            return reason
        portfolio = Portfolio(record, record.seed)
        portfolio.first()
        if (reason := record.over()) is not None:
            return reason
        self._cones(record, portfolio)
        if not portfolio.single:
            self._critical_path(record, portfolio)
        small = len(record.problem) <= self.exact
        # CP-SAT needs time where it decides; elsewhere the portfolio does, and goes on behind the bounds.
        share, until = self.schedules, self.bounds
        if small or not portfolio.single:
            share, until = _BEFORE_CP_SAT if small else _BEFORE_WINDOWS
        steps = portfolio.steps()
        self._schedule(record, portfolio, steps, share)
        if record.over() is None:
            self._bound(record, until)
        if (reason := record.over()) is not None:
            return reason
        if small or not portfolio.single:
            ended = self._delegate(record, "cp-sat" if small else "cp-sat-windows")
            if ended is not None:
                return ended
        self._schedule(record, portfolio, steps, 1.0)
        return record.over() or StopReason.FINISHED

    @staticmethod
    def _cones(record: Record[Solution], portfolio: Portfolio) -> None:
        """Resource-aware heads and tails, if the time allows them."""
        n = len(record.problem)
        if n > CONE_OPERATIONS or _CONE_SECONDS * n > record.left():
            return
        found = cones(record.problem)
        record.raise_bound(found.bound, METHOD)
        portfolio.know(found.head, found.tail)

    @staticmethod
    def _critical_path(record: Record[Solution], portfolio: Portfolio) -> None:
        """The plan of ``critical-path``, as much of it as its share allows; the best is improved with the rest."""
        each, work = schedule_work(record.problem), record.stop.work
        passes = PASSES if work is None else min(PASSES, int(_CRITICAL_PATH * work / each))
        if passes < 1:
            return
        part = record.part("critical-path", _CRITICAL_PATH, work=passes)
        CriticalPath(bounds=False).search(part)
        record.work += each * part.work
        if record.best is not None:
            portfolio.take(record.best)

    def _schedule(self, record: Record[Solution], portfolio: Portfolio, steps: Iterator[None], share: float) -> None:
        """Passes of the portfolio up to a share of the limits."""
        idle, value = 0, record.score
        limited = record.stop.seconds is not None or record.stop.work is not None
        for _ in steps:
            if record.over() is not None or record.spent() >= share:
                return
            idle = 0 if record.score != value else idle + 1
            value = record.score
            if not limited and portfolio.searching and idle >= self.tries:
                return
            if share < 1 and portfolio.searching:
                return

    @staticmethod
    def _bound(record: Record[Solution], share: float) -> None:
        """Stronger bounds up to a share of the limits."""
        stop = record.stop
        clock = record.until(share)
        work = None if stop.work is None else max(0.0, share * stop.work - record.work)
        if clock.over() or work == 0:
            return
        tight = tighten(
            record.problem,
            upper=record.score,
            gap=stop.gap,
            clock=clock,
            work=work,
            seed=record.seed,
            workers=stop.workers,
        )
        record.work += 0.0 if work is None else work
        record.raise_bound(tight.bound, tight.method)
        if tight.without:
            record.remark(tight.without)

    @staticmethod
    def _delegate(record: Record[Solution], name: str) -> StopReason | None:
        """Leave the rest to another solver; ``None`` if the problem does not fit it."""
        work = None
        if name != "cp-sat" and record.stop.work is not None:
            window = _WINDOW_WORK + _LISTS_PER_WINDOW * schedule_work(record.problem)
            work = max(1.0, max(0.0, record.stop.work - record.work) // window)
        solver: Solver = make_solver(KIND, name)
        try:
            return solver.search(record.part(name, work=work))
        except InputError as error:  # what is found and proved so far holds all the same
            record.remark(f"{name} left out: {error}")
            return record.over()
