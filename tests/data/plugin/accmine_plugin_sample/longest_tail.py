"""The textbook rule: of the operators that are ready and fit, the one with the longest path behind it starts first."""

from heapq import heappop, heappush

import numpy as np

from accmine.problems.operator_schedule import Solution, order, tails
from accmine.result import StopReason


class LongestTail:
    name = "longest-tail"

    def search(self, record):
        problem = record.problem
        neighbours, tail = order(problem), tails(problem)
        speed = np.where(problem.fits, problem.modes.duration, 1 << 62)
        fastest = [np.argmin(speed[at : at + n]) for at, n in zip(problem.first_mode, problem.mode_count, strict=True)]
        mode = np.array(fastest, dtype=np.int64)[problem.mode_set]
        row = problem.first_mode[problem.mode_set] + mode
        length, uses = problem.modes.duration[row], problem.modes.uses[row]
        waits = [len(before) for before in neighbours.predecessors]
        ready, running = [i for i, n in enumerate(waits) if n == 0], []
        start, free, now = np.zeros(len(problem), dtype=np.int64), problem.capacity.copy(), 0
        while ready or running:
            for i in sorted(ready, key=lambda i: -tail[i]):
                if (uses[i] <= free).all():
                    ready.remove(i)
                    start[i] = now
                    free -= uses[i]
                    heappush(running, (now + length[i], i))
            now, done = heappop(running)
            free += uses[done]
            for i in neighbours.successors[done]:
                waits[i] -= 1
                ready += [i] if waits[i] == 0 else []
        record.offer(Solution(start, mode))
        return StopReason.FINISHED
