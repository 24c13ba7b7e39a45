"""Large operator schedules, window by window.

Three steps, each starting from the best schedule so far and each keeping it unless it finds a better one:

1. ``class_descent``: rules for classes of equal operators, tried with list schedules;
2. windows: some tens of operators that start one after the other are placed anew by CP-SAT, while what is
   running when they start stays and what starts later moves forward by the gain (``schedule_window``);
   windows that are equal but for their names, as those of repeated layers, are decided once;
3. after each sweep over all windows a list schedule in the order it found, in both directions of time.

Sweeps alternate between forward and mirrored time and shift the borders of the windows. The bound is that
of ``operator_schedule.bound``: windows prove nothing about the whole.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import numpy as np

from accmine.errors import CheckError, InputError
from accmine.ports import Incumbent, Stop
from accmine.problems import operator_schedule as whole
from accmine.problems import schedule_window as window
from accmine.problems.operator_schedule import KIND, Problem, Solution
from accmine.registry import make_solver
from accmine.result import Result, StopReason

from .class_descent import ClassDescent
from .list_schedule import ListScheduler
from .record import Record
from .window_cut import Cut, Timeline, borders, cut, put_back

__all__ = ["CpSatWindows"]

_WINDOW_SECONDS = 1.0
"""Seconds of one window where time is limited."""


class CpSatWindows:
    """CP-SAT on windows of a schedule, after a descent over rules; see the head of this module.

    ``stop.work`` counts windows that CP-SAT decided, each within a fixed deterministic time; the descent then
    makes ``passes_per_window`` list schedules for each of them beforehand. With one worker and a work limit
    alone the same seed gives the same result. Ctrl-C keeps the best schedule.

    Parameters
    ----------
    least, most
        Operations of a window.
    window_work
        Deterministic time of CP-SAT per window.
    descent
        Share of a time limit that the descent over rules takes, 0 to 1; 0 leaves it out.
    passes_per_window
        List schedules of the descent per unit of a work limit.
    passes
        List schedules of the descent when neither time nor work is limited.
    worth
        A window is left to CP-SAT only if its bound allows a gain of more than this part of the makespan.

    Raises
    ------
    InputError
        If an option is out of range.
    """

    name = "cp-sat-windows"

    def __init__(
        self,
        *,
        least: int = 8,
        most: int = 24,
        window_work: float = 0.02,
        descent: float = 0.8,
        passes_per_window: int = 10,
        passes: int = 500,
        worth: float = 1e-4,
    ) -> None:
        if not 1 <= least <= most:
            raise InputError(f"least and most must satisfy 1 <= least <= most, got {least} and {most}")
        if window_work <= 0 or not 0 <= descent <= 1 or passes_per_window < 0 or passes < 0 or worth < 0:
            raise InputError("window_work must be positive, descent in 0..1, passes and worth not negative")
        self.least, self.most, self.window_work, self.descent = least, most, window_work, descent
        self.passes_per_window, self.passes, self.worth = passes_per_window, passes, worth

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
        search = Record(self.name, problem, stop, seed, on_progress)
        search.take_hint(hint)
        try:
            reason = self._run(search)
        except KeyboardInterrupt:
            if search.best is None:
                raise
            reason = StopReason.INTERRUPTED
        return search.result(reason)

    def _run(self, search: Record) -> StopReason:
        if search.best is None:
            self._start(search)
        if (reason := search.reason()) is not None:
            return reason
        search.tighten(*whole.bound(search.problem))
        self._descend(search)
        if search.reason() is None:
            self._straighten(search)
        memory: dict[bytes, window.Solution] = {}
        sweeps = still = 0
        while (reason := search.reason()) is None:
            before = search.value
            self._sweep(search, memory, mirrored=sweeps % 2 == 1, first=(sweeps // 2 % 3) * self.most // 3)
            self._straighten(search)
            sweeps += 1
            still = 0 if search.value != before else still + 1
            # Six sweeps are both directions with all three positions of the borders.
            if still == 6 and search.reason() is None:
                return StopReason.FINISHED
        return reason

    @staticmethod
    def _start(search: Record) -> None:
        """The critical-path result within a tenth of the time."""
        seconds = None if search.stop.seconds is None else 0.1 * search.stop.seconds
        stop = Stop(seconds=seconds, work=None if search.stop.work is None else 12, gap=search.stop.gap)
        found = make_solver(KIND, "critical-path").solve(search.problem, stop=stop, seed=search.seed)
        assert found.solution is not None
        assert found.bound is not None
        search.tighten(int(found.bound), found.bound_method)
        search.offer(found.solution)
        if found.stop is StopReason.INTERRUPTED:
            raise KeyboardInterrupt

    def _descend(self, search: Record) -> None:
        """Step 1, within its share of what is left."""
        until = time.monotonic() + self.descent * search.left()
        most: float = self.passes if search.stop.seconds is None else math.inf
        if search.stop.work is not None:
            most = self.passes_per_window * search.stop.work
        if not self.descent:
            return
        descent = ClassDescent(search.problem, search.seed)
        made = 0
        while made < most and time.monotonic() < until and search.reason() is None:
            if descent.step():
                assert descent.best is not None
                search.offer(descent.best)
            made += 1

    def _sweep(self, search: Record, memory: dict[bytes, window.Solution], *, mirrored: bool, first: int) -> None:
        """Step 2: every window of the best schedule once, in the order of time or against it."""
        assert search.best is not None
        problem = whole.reverse(search.problem) if mirrored else search.problem
        turn: Callable[[Problem, Solution], Solution] = whole.reverse_solution if mirrored else lambda _, s: s
        timeline = Timeline.of(problem, turn(search.problem, search.best))
        for begin, stop in borders(timeline, self.least, self.most, first):
            piece = cut(timeline, begin, stop)
            found = self._decide(search, piece, memory)
            if found is not None and found.gain > 0:
                moved = put_back(timeline, piece, found)
                search.offer(turn(problem, moved))
                timeline = Timeline.of(problem, moved)
            if search.reason() is not None:
                return

    def _decide(self, search: Record, piece: Cut, memory: dict[bytes, window.Solution]) -> window.Solution | None:
        """The best rearrangement of a window; ``None`` where there is nothing worth looking for."""
        if piece.key in memory:
            return memory[piece.key]
        assert search.value is not None
        if window.bound(piece.problem)[0] <= self.worth * search.value:
            return None
        left = search.left()
        # Deterministic time counts presolve little: with a clock at all, no window may eat up the others' time.
        seconds = None if math.isinf(left) else max(0.0, min(left, _WINDOW_SECONDS))
        stop = Stop(seconds=seconds, work=self.window_work, workers=search.stop.workers)
        result = make_solver(window.KIND, "cp-sat").solve(piece.problem, stop=stop, seed=search.seed, hint=piece.now)
        search.work += 1
        assert result.solution is not None
        wrong = window.check(piece.problem, result.solution)
        if wrong:
            raise CheckError(f"cp-sat on {window.KIND}: {'; '.join(wrong)}")
        if result.stop is StopReason.INTERRUPTED:
            raise KeyboardInterrupt
        memory[piece.key] = result.solution
        return memory[piece.key]

    @staticmethod
    def _straighten(search: Record) -> None:
        """Step 3: list schedules in the order of the best one, with its modes and with all of them."""
        assert search.best is not None
        problem, best = search.problem, search.best
        end = best.start + whole.durations(problem, best)
        kept, chosen = _in_chosen_modes(problem, best)
        for scheduler, mode in ((ListScheduler(kept), chosen), (ListScheduler(problem), None)):
            for reverse in (True, False):
                found = scheduler.run(end if reverse else -best.start, reverse=reverse)
                search.offer(found if mode is None else Solution(found.start, mode))
                if search.reason() is not None:
                    return


def _in_chosen_modes(
    problem: Problem, solution: Solution
) -> tuple[Problem, np.ndarray[tuple[int], np.dtype[np.int64]]]:
    """The problem with only the modes of ``solution``, and those modes."""
    chosen = problem.first_mode[problem.mode_set] + solution.mode
    distinct, mode_set = np.unique(chosen, return_inverse=True)
    sets = tuple(
        whole.ModeSet(problem.modes.duration[k : k + 1], problem.modes.uses[k : k + 1]) for k in distinct.tolist()
    )
    kept = Problem(
        problem.resources,
        problem.capacity,
        problem.names,
        sets,
        mode_set.reshape(-1).astype(np.int64),
        problem.edges,
        problem.time_unit,
    )
    return kept, solution.mode
