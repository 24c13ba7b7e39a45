"""The parallel list schedule where no operation has a choice: one mode each, on one slot of at most one resource.

The same schedules as ``list_schedule`` makes of such problems, in about half the time.
"""

from __future__ import annotations

from heapq import heappop, heappush

import numpy as np

from accmine.problems.operator_schedule import Problem
from accmine.problems.operator_schedule.precedence import Order

__all__ = ["Slots"]


class Slots:
    """What every operation holds: one slot of one resource, or nothing.

    Attributes
    ----------
    duration, mode
        Of every operation.
    kind
        Resource of every operation; the one behind the last stands for none.
    count
        Slots of each resource: its capacity over what every operation on it holds.
    """

    def __init__(self, duration: list[int], mode: list[int], kind: list[int], count: list[int]) -> None:
        self.duration, self.mode, self.kind, self.count = duration, mode, kind, count

    @staticmethod
    def of(problem: Problem) -> Slots | None:
        """The slots of ``problem``; ``None`` if an operation has a choice, or they hold different amounts."""
        if not len(problem):
            return None
        none = len(problem.resources)
        amount: dict[int, int] = {}
        of_group: dict[int, tuple[int, int, int]] = {}
        capacity = problem.capacity.tolist()
        for g in np.unique(problem.mode_set).tolist():
            modes = problem.mode_sets[g]
            first, many = int(problem.first_mode[g]), int(problem.mode_count[g])
            fitting = np.flatnonzero(problem.fits[first : first + many]).tolist()
            if len(fitting) != 1:
                return None
            k = fitting[0]
            duration = int(modes.duration[k])
            held = [(r, a) for r, a in enumerate(modes.uses[k].tolist()) if a]
            if len(held) > 1 or (held and amount.setdefault(*held[0]) != held[0][1]):
                return None
            of_group[g] = duration, k, held[0][0] if held else none
        rows = [of_group[g] for g in problem.mode_set.tolist()]
        count = [c // amount.get(r, 1) for r, c in enumerate(capacity)]
        return Slots([d for d, _, _ in rows], [k for _, k, _ in rows], [r for _, _, r in rows], [*count, len(rows)])

    def run(self, line: Order, ranked: list[int], rank: list[int]) -> list[int]:
        """Start of every operation.

        Parameters
        ----------
        line
            The precedences.
        ranked, rank
            Operations by priority, and the place of each among them.
        """
        duration, kind, successors = self.duration, self.kind, line.successors
        free = self.count.copy()
        start = [0] * len(ranked)
        waiting = [len(before) for before in line.predecessors]
        queues: list[list[int]] = [[] for _ in free]
        for i, count in enumerate(waiting):
            if not count:
                heappush(queues[kind[i]], rank[i])
        running: list[tuple[int, int]] = []
        now = 0
        while True:
            for r, queue in enumerate(queues):
                while queue and free[r]:
                    i = ranked[heappop(queue)]
                    free[r] -= 1
                    start[i] = now
                    heappush(running, (now + duration[i], i))
            if not running:
                return start
            now = running[0][0]
            while running and running[0][0] == now:
                i = heappop(running)[1]
                free[kind[i]] += 1
                for j in successors[i]:
                    waiting[j] -= 1
                    if not waiting[j]:
                        heappush(queues[kind[j]], rank[j])
