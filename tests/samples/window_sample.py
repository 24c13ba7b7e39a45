"""Random schedules to cut windows from, and the most that a window can gain."""

from __future__ import annotations

import itertools
import random

import numpy as np

from accmine.problems import operator_schedule
from accmine.problems.schedule_window import FREE, Problem, Solution, check


def make(seed: int, n: int, longest: int = 6) -> operator_schedule.Problem:
    """``n`` operations of up to two modes on a few cores and a rate."""
    rng = random.Random(seed)
    capacity = {"t": rng.randint(1, 3), "hbm": rng.randint(4, 9)}
    operations = []
    for i in range(n):
        modes = [
            {"duration": rng.randint(0, longest), "uses": {r: rng.randint(0, c) for r, c in capacity.items()}}
            for _ in range(rng.randint(1, 2))
        ]
        after = [f"o{j}" for j in rng.sample(range(i), k=min(i, rng.randint(0, 2)))]
        operations.append({"name": f"o{i}", "modes": modes, "after": after})
    return operator_schedule.problem_from_json({"resources": capacity, "operations": operations})


def brute_force(problem: Problem) -> int:
    """Largest gain by trying every start and mode of every free operation."""
    free = np.flatnonzero(problem.role == FREE).tolist()
    inner = problem.schedule
    for gain in range(problem.most_gain, 0, -1):
        choices = []
        for i in free:
            modes = inner.mode_sets[inner.mode_set[i]]
            choices.append(
                [
                    (s, k)
                    for k, d in enumerate(modes.duration.tolist())
                    for s in range(int(problem.place[i]), int(problem.due[i]) - gain - d + 1)
                ]
            )
        for pick in itertools.product(*choices):
            start = np.where(problem.role == 2, problem.place - gain, problem.place)
            mode = np.zeros(len(problem), dtype=np.int64)
            for i, (s, k) in zip(free, pick, strict=True):
                start[i], mode[i] = s, k
            if not check(problem, Solution(start.astype(np.int64), mode, gain)):
                return gain
    return 0
