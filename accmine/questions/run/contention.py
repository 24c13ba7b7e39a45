"""What sharing the HBM costs: a verified schedule against the same design with private bandwidth.

With private bandwidth every operator has the whole HBM bandwidth for itself, whatever runs beside it: a relaxation, in
which every schedule of the design stays possible. Its makespan is that of the better of two schedules: the verified one
re-timed without the HBM, which is never longer, and list schedules of the effort that the verified one began with.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Mapping
from math import inf

import numpy as np

from accmine.cost import CostLibrary
from accmine.errors import CheckError
from accmine.ports import Stop
from accmine.problems import operator_schedule
from accmine.problems.design_search.lowering import lower
from accmine.problems.operator_schedule import Problem, Solution
from accmine.questions.run.record import Contention
from accmine.result import StopReason
from accmine.search import LIST_PASSES, Member, PhaseSchedule, Session, TaskSchedule
from accmine.solving import solve

__all__ = ["contention", "contentions", "retimed"]


def contention(schedule: TaskSchedule, library: CostLibrary, seed: int = 0) -> Contention:
    """Cycles of a step with the verified schedules of a task, and with private bandwidth.

    The cost is never negative: with private bandwidth the verified schedules are possible as well.

    Raises
    ------
    CheckError
        If a schedule fails its check.
    """
    shared = private = bound = 0
    for run, phase in zip(schedule.task.phases, schedule.phases, strict=True):
        lowered = lower(run.graph, library, schedule.design, private_hbm=True)
        own, limit = _private(phase, lowered.problem, seed)
        shared += run.repeats * phase.cycles
        private += run.repeats * own
        bound += run.repeats * limit
    return Contention(
        shared_cycles=shared,
        private_cycles=private,
        private_bound_cycles=bound,
        cost=shared / private - 1.0 if private else 0.0,
        cost_at_most=shared / bound - 1.0 if bound else inf,
    )


def contentions(session: Session, schedules: Mapping[Member, TaskSchedule]) -> dict[Member, Contention]:
    """The cost of sharing on every device; equal tasks with equal schedules once."""
    known: dict[object, Contention] = {}
    found = {}
    for member, schedule in schedules.items():
        key = (schedule.task.signature, schedule.design, tuple(phase.cycles for phase in schedule.phases))
        if key not in known:
            known[key] = contention(schedule, session.library, session.seed)
        found[member] = known[key]
    return found


def _private(phase: PhaseSchedule, problem: Problem, seed: int) -> tuple[int, int]:
    """Makespan and lower bound of a phase with private bandwidth."""
    verified = phase.result.solution
    assert verified is not None
    start = retimed(phase.lowered.problem, verified, problem)
    wrong = operator_schedule.check(problem, start)
    if wrong:
        raise CheckError(f"a schedule with private bandwidth: {'; '.join(wrong)}")
    result = solve(problem, "critical-path", stop=Stop(work=LIST_PASSES), seed=seed, hint=start)
    if result.stop is StopReason.INTERRUPTED:
        raise KeyboardInterrupt
    best = min(int(operator_schedule.objective(problem, start)), int(result.objective or 0))
    return best, min(best, int(result.bound or 0))


def retimed(shared: Problem, solution: Solution, private: Problem) -> Solution:
    """A schedule of ``shared`` as one of ``private``, the same operations with fewer resources; never longer.

    Operations keep their order of starts. Each takes the fastest mode that holds no more cores than before, which takes
    no longer, and starts as soon as its predecessors and enough cores are ready. None starts later than before: all
    that stand before it start and end no later than they did, so the cores it had are free.

    Parameters
    ----------
    shared
        A problem whose first resources are those of ``private``.
    solution
        A valid schedule of it.
    """
    resources = len(private.resources)
    order = operator_schedule.order(private)
    place = np.empty(len(private), dtype=np.int64)
    place[order.sequence] = np.arange(len(private))
    modes = _modes(shared, solution, private)
    free = [[0] * int(capacity) for capacity in private.capacity]
    start, mode, end = ([0] * len(private) for _ in range(3))
    for i in np.lexsort((place, solution.start)).tolist():
        at = int(private.mode_set[i])
        mode[i] = modes[at, int(solution.mode[i])]
        of = private.mode_sets[at]
        length = int(of.duration[mode[i]])
        # What takes no time holds nothing.
        uses = [int(of.uses[mode[i], r]) if length else 0 for r in range(resources)]
        ready = max((end[p] for p in order.predecessors[i]), default=0)
        begin = max([ready, *(cores[n - 1] for cores, n in zip(free, uses, strict=True) if n)])
        start[i], end[i] = begin, begin + length
        for cores, n in zip(free, uses, strict=True):
            _take(cores, n, begin, end[i])
    return Solution(np.array(start, dtype=np.int64), np.array(mode, dtype=np.int64))


def _take(free: list[int], count: int, begin: int, end: int) -> None:
    """Occupy ``count`` of the cores that are free at ``begin``, those that became free last; ``free`` is sorted."""
    last = bisect_right(free, begin)
    del free[last - count : last]
    for _ in range(count):
        insort(free, end)


def _modes(shared: Problem, solution: Solution, private: Problem) -> dict[tuple[int, int], int]:
    """(mode set, mode) of the schedule -> the fastest mode of ``private`` that holds no more of its resources."""
    found: dict[tuple[int, int], int] = {}
    resources = len(private.resources)
    for at, own in {*zip(shared.mode_set.tolist(), solution.mode.tolist(), strict=True)}:
        other = private.mode_sets[at]
        fits = np.flatnonzero((other.uses <= shared.mode_sets[at].uses[own, :resources]).all(axis=1))
        found[at, own] = int(fits[other.duration[fits].argmin()])
    return found
