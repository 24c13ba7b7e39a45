"""Serial schedule generation with insertion: operations one after the other, each as early as it fits.

The serial scheme (Kelley 1963; Kolisch, EJOR 90 (1996) 320-333): in an order that respects the precedences
every operation goes to the earliest time behind its predecessors at which what it needs is free for as long
as it takes, also between operations placed before. So what comes late in the order never delays what came
before it: long operations with slack (weight gradients, updates) fill the gaps that the critical ones leave,
where a schedule without idling starts them as soon as a core is free and blocks the critical ones.

What is free of each resource is a step function of time: breakpoints and the amount free from each of them
on, equal neighbours merged, so that stretches in full use cost one step.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from heapq import heapify, heappop, heappush

import numpy as np
import numpy.typing as npt

from accmine.problems.operator_schedule import Problem, Solution, heads, order, reverse_solution, tails

__all__ = ["Inserter"]

IntArray = npt.NDArray[np.int64]

_Mode = tuple[int, int, tuple[tuple[int, int], ...], float]
"""Duration, index in its mode set, (resource, amount) pairs, and duration × largest share of a resource held.

Nothing is held for duration 0.
"""


class _Free:
    """How much of one resource is free, over time."""

    __slots__ = ("free", "times")

    def __init__(self, capacity: int) -> None:
        self.times = [0]
        self.free = [capacity]

    def earliest(self, time: int, duration: int, amount: int) -> int:
        """The first time, not before ``time``, at which ``amount`` is free for ``duration``."""
        times, free = self.times, self.free
        count = len(times)
        k = bisect_right(times, time) - 1
        while True:
            if free[k] < amount:
                # Everything is free behind the last breakpoint: this ends.
                k += 1
                while free[k] < amount:
                    k += 1
                time = times[k]
            end = time + duration
            k += 1
            while k < count and times[k] < end:
                if free[k] < amount:
                    break
                k += 1
            else:
                return time

    def hold(self, begin: int, end: int, amount: int) -> None:
        """Take ``amount`` from ``begin`` to ``end``."""
        times, free = self.times, self.free
        first = bisect_right(times, begin) - 1
        if times[first] < begin:
            first += 1
            times.insert(first, begin)
            free.insert(first, free[first - 1])
        last = bisect_right(times, end, first) - 1
        if times[last] < end:
            last += 1
            times.insert(last, end)
            free.insert(last, free[last - 1])
        for k in range(first, last):
            free[k] -= amount
        if free[last] == free[last - 1]:
            del times[last], free[last]
        if first and free[first] == free[first - 1]:
            del times[first], free[first]


def _modes(problem: Problem) -> list[tuple[_Mode, ...]]:
    """Of each mode set the modes that fit, fastest first, then the one that holds the smallest share."""
    capacity = problem.capacity.tolist()
    rows: list[tuple[_Mode, ...]] = []
    for modes in problem.mode_sets:
        own: list[tuple[int, float, int, tuple[tuple[int, int], ...]]] = []
        for k, (d, uses) in enumerate(zip(modes.duration.tolist(), modes.uses.tolist(), strict=True)):
            if all(a <= c for a, c in zip(uses, capacity, strict=True)):
                share = max((a / c for a, c in zip(uses, capacity, strict=True) if a), default=0.0)
                own.append((d, share, k, tuple((r, a) for r, a in enumerate(uses) if a)))
        own.sort(key=lambda row: row[:3])
        rows.append(tuple((d, k, pairs, d * share) for d, share, k, pairs in own))
    return rows


class Inserter:
    """Insertion schedules of one problem; what the passes share is prepared once.

    Raises
    ------
    InputError
        If an operation fits in no mode, or the precedences hold a cycle.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.order = order(problem)
        self.shortest = problem.shortest[problem.mode_set] if len(problem) else np.zeros(0, dtype=np.int64)
        self.heads, self.tails = heads(problem), tails(problem)
        self._modes = _modes(problem)
        self._single = [{row[1]: (row,) for row in own} for own in self._modes]
        position = np.empty(len(problem), dtype=np.int64)
        position[self.order.sequence] = np.arange(len(problem))
        self._position = position

    @property
    def single(self) -> bool:
        """Whether no operation has a choice of modes."""
        return all(len(self._modes[g]) == 1 for g in set(self.problem.mode_set.tolist()))

    def run(
        self,
        priority: IntArray | Sequence[int] | None = None,
        *,
        reverse: bool = False,
        mode: IntArray | None = None,
        latest: IntArray | None = None,
    ) -> Solution:
        """One schedule.

        Parameters
        ----------
        priority
            The larger, the earlier in the order, but never before a predecessor. Default: length of the
            longest path from the start of the operation to the end. Shape (operations,).
        reverse
            Build from the end and mirror the result; ``priority`` then counts backwards in time as well.
        mode
            Mode of each operation, -1 for a free choice; default: free for all. A free choice takes, of all
            modes that fit, the one that ends first.
        latest
            Latest end that is good enough, counted from where the building starts: of the modes that end by
            then the one that holds the smallest share of any resource is taken. Shape (operations,).
        """
        n = len(self.problem)
        if priority is None:
            priority = (self.heads if reverse else self.tails) + self.shortest
        position = -self._position if reverse else self._position
        ranked = np.lexsort((position, -np.asarray(priority, dtype=np.int64)))
        rank = np.empty(n, dtype=np.int64)
        rank[ranked] = np.arange(n)
        limits = None if latest is None else np.asarray(latest, dtype=np.int64).tolist()
        start, chosen = self._place(ranked.tolist(), rank.tolist(), reverse, self._choices(mode), limits)
        solution = Solution(np.array(start, dtype=np.int64), np.array(chosen, dtype=np.int64))
        return reverse_solution(self.problem, solution) if reverse else solution

    def _choices(self, mode: IntArray | None) -> list[tuple[_Mode, ...]]:
        """The modes every operation may take."""
        groups = self.problem.mode_set.tolist()
        if mode is None:
            return [self._modes[g] for g in groups]
        rows = zip(groups, mode.tolist(), strict=True)
        return [self._single[g][k] if k >= 0 else self._modes[g] for g, k in rows]

    def _place(
        self,
        ranked: list[int],
        rank: list[int],
        reverse: bool,
        choices: list[tuple[_Mode, ...]],
        latest: list[int] | None,
    ) -> tuple[list[int], list[int]]:
        """Start and mode of every operation."""
        line = self.order.reversed() if reverse else self.order
        predecessors, successors = line.predecessors, line.successors
        n = len(ranked)
        free = [_Free(c) for c in self.problem.capacity.tolist()]
        start, end, chosen = [0] * n, [0] * n, [0] * n
        waiting = [len(before) for before in predecessors]
        ready = [rank[i] for i in range(n) if not waiting[i]]
        heapify(ready)
        while ready:
            i = ranked[heappop(ready)]
            for j in successors[i]:
                waiting[j] -= 1
                if not waiting[j]:
                    heappush(ready, rank[j])
            before = predecessors[i]
            earliest = max([end[j] for j in before]) if before else 0
            own = choices[i]
            if len(own) == 1:
                duration, chosen[i], pairs, _ = own[0]
                time = _fit(free, pairs, earliest, duration)
            else:
                time, (duration, chosen[i], pairs, _) = _best(free, own, earliest, latest[i] if latest else -1)
            start[i], end[i] = time, time + duration
            for r, amount in pairs:
                free[r].hold(time, time + duration, amount)
        return start, chosen


def _fit(free: list[_Free], pairs: tuple[tuple[int, int], ...], time: int, duration: int) -> int:
    """The first time at which everything that is needed is free."""
    if not pairs:
        return time
    if len(pairs) == 1:
        r, amount = pairs[0]
        return free[r].earliest(time, duration, amount)
    agreed = 0  # resources in a row that are content with ``time``
    while True:
        for r, amount in pairs:
            found = free[r].earliest(time, duration, amount)
            agreed = agreed + 1 if found == time else 1
            time = found
            if agreed >= len(pairs):
                return time


def _best(free: list[_Free], own: tuple[_Mode, ...], earliest: int, latest: int) -> tuple[int, _Mode]:
    """The mode that ends first, or the leanest of those that end by ``latest``, and its start."""
    first: tuple[int, int, _Mode] | None = None
    lean: tuple[float, int, _Mode] | None = None
    for mode in own:  # fastest first
        duration = mode[0]
        if first is not None and earliest + duration >= first[0] and earliest + duration > latest:
            break
        time = _fit(free, mode[2], earliest, duration)
        if first is None or time + duration < first[0]:
            first = time + duration, time, mode
        if time + duration <= latest and (lean is None or (mode[3], time) < lean[:2]):
            lean = mode[3], time, mode
    assert first is not None
    return (lean or first)[1:]
