"""Random valid operator schedules for the tests of traces and charts."""

from __future__ import annotations

import heapq

import numpy as np
from hypothesis import strategies as st

from accmine.problems.operator_schedule import ModeSet, Problem, Solution, check

RESOURCES = ("tensor", "vector", "hbm")


def scheduled(operations: list[tuple[int, list[int]]], capacity: list[int]) -> tuple[Problem, Solution]:
    """Operations (duration, amounts), one mode each, started in order as soon as they fit."""
    free, time = np.array(capacity), 0
    ends: list[tuple[int, list[int]]] = []
    start = []
    for duration, amounts in operations:
        while (np.array(amounts) > free).any():
            end, released = heapq.heappop(ends)
            time, free = max(time, end), free + np.array(released)
        start.append(time)
        if duration:
            free = free - np.array(amounts)
            heapq.heappush(ends, (time + duration, amounts))
    problem = Problem(
        resources=RESOURCES,
        capacity=np.array(capacity, dtype=np.int64),
        names=tuple(f"op{i}" for i in range(len(operations))),
        mode_sets=tuple(ModeSet(np.array([d]), np.array([a])) for d, a in operations),
        mode_set=np.arange(len(operations)),
        edges=np.zeros((0, 2), dtype=np.int64),
    )
    solution = Solution(np.array(start, dtype=np.int64), np.zeros(len(operations), dtype=np.int64))
    assert check(problem, solution) == ()
    return problem, solution


@st.composite
def schedules(draw: st.DrawFn) -> tuple[Problem, Solution]:
    """Random operations on up to 12 tensor cores, 4 vector cores and an HBM."""
    capacity = [draw(st.integers(1, 12)), draw(st.integers(1, 4)), draw(st.integers(1, 100))]
    amounts = st.tuples(*(st.integers(0, limit) for limit in capacity)).map(list)
    lengths = st.integers(0, 9) | st.integers(0, 10**9)
    return scheduled(draw(st.lists(st.tuples(lengths, amounts), max_size=30)), capacity)


def many(count: int) -> tuple[Problem, Solution]:
    """``count`` operations on 8 tensor and 6 vector cores, always the same ones."""
    random = np.random.default_rng(7)
    operations = [
        (
            int(random.integers(200, 4000)),
            [int(random.integers(1, 3)) if i % 2 else 0, 0 if i % 2 else 1, int(random.integers(10, 400))],
        )
        for i in range(count)
    ]
    return scheduled(operations, [8, 6, 1000])
