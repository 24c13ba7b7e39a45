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
from collections.abc import Callable

import numpy as np

from accmine.errors import InputError
from accmine.ports import Stop
from accmine.problems import operator_schedule as whole
from accmine.problems import schedule_window as window
from accmine.problems.operator_schedule import KIND, Problem, Solution
from accmine.record import Record
from accmine.registry import make_solver
from accmine.result import StopReason

from .class_descent import ClassDescent
from .list_schedule import ListScheduler
from .window_cut import Cut, Timeline, borders, cut, put_back

__all__ = ["CpSatWindows"]

_Memory = dict[bytes, window.Solution]

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

    def search(self, record: Record[Solution]) -> StopReason:
        """The descent, then sweeps until something says stop.

        Raises
        ------
        InputError
            If an operation fits in no mode, or the precedences hold a cycle.
        """
        record.raise_bound(*whole.lower_bound(record.problem))
        if record.best is None:
            self._start(record)
        if (reason := record.over()) is not None:
            return reason
        record.raise_bound(*whole.bound(record.problem))
        self._descend(record)
        if record.over() is None:
            self._straighten(record)
        memory: _Memory = {}
        sweeps = still = 0
        while (reason := record.over()) is None:
            before = record.score
            self._sweep(record, memory, mirrored=sweeps % 2 == 1, first=(sweeps // 2 % 3) * self.most // 3)
            self._straighten(record)
            sweeps += 1
            still = 0 if record.score != before else still + 1
            # Six sweeps are both directions with all three positions of the borders.
            if still == 6 and record.over() is None:
                return StopReason.FINISHED
        return reason

    @staticmethod
    def _start(record: Record[Solution]) -> None:
        """The critical-path result within a tenth of the time."""
        make_solver(KIND, "critical-path").search(record.part("critical-path", 0.1, work=12))

    def _descend(self, record: Record[Solution]) -> None:
        """Step 1, within its share of what is left."""
        descending = record.part(self.name, self.descent)
        most: float = self.passes if record.stop.seconds is None else math.inf
        if record.stop.work is not None:
            most = self.passes_per_window * record.stop.work
        if not self.descent:
            return
        descent = ClassDescent(record.problem, record.seed)
        made = 0
        while made < most and descending.left() > 0 and record.over() is None:
            if descent.step():
                assert descent.best is not None
                record.offer(descent.best)
            made += 1

    def _sweep(
        self, record: Record[Solution], memory: dict[bytes, window.Solution], *, mirrored: bool, first: int
    ) -> None:
        """Step 2: every window of the best schedule once, in the order of time or against it."""
        assert record.best is not None
        problem = whole.reverse(record.problem) if mirrored else record.problem
        turn: Callable[[Problem, Solution], Solution] = whole.reverse_solution if mirrored else lambda _, s: s
        timeline = Timeline.of(problem, turn(record.problem, record.best))
        for begin, stop in borders(timeline, self.least, self.most, first):
            piece = cut(timeline, begin, stop)
            found = self._decide(record, piece, memory)
            if found is not None and found.gain > 0:
                moved = put_back(timeline, piece, found)
                record.offer(turn(problem, moved))
                timeline = Timeline.of(problem, moved)
            if record.over() is not None:
                return

    def _decide(
        self, record: Record[Solution], piece: Cut, memory: dict[bytes, window.Solution]
    ) -> window.Solution | None:
        """The best rearrangement of a window; ``None`` where there is nothing worth looking for."""
        if piece.key in memory:
            return memory[piece.key]
        if -window.bound(piece.problem)[0] <= self.worth * record.score:
            return None
        left = record.left()
        # Deterministic time counts presolve little: with a clock at all, no window may eat up the others' time.
        seconds = None if math.isinf(left) else max(0.0, min(left, _WINDOW_SECONDS))
        stop = Stop(seconds=seconds, work=self.window_work, workers=record.stop.workers)
        inner = Record[window.Solution](piece.problem, stop, seed=record.seed, hint=piece.now, solver="cp-sat")
        make_solver(window.KIND, "cp-sat").search(inner)
        record.work += 1
        assert inner.best is not None
        memory[piece.key] = inner.best
        return inner.best

    @staticmethod
    def _straighten(record: Record[Solution]) -> None:
        """Step 3: list schedules in the order of the best one, with its modes and with all of them."""
        assert record.best is not None
        problem, best = record.problem, record.best
        end = best.start + whole.durations(problem, best)
        kept, chosen = _in_chosen_modes(problem, best)
        for scheduler, mode in ((ListScheduler(kept), chosen), (ListScheduler(problem), None)):
            for reverse in (True, False):
                found = scheduler.run(end if reverse else -best.start, reverse=reverse)
                record.offer(found if mode is None else Solution(found.start, mode))
                if record.over() is not None:
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
