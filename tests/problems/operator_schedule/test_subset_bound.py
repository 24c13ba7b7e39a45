"""Work between heads and tails: the tree finds the maximum over all pairs."""

from __future__ import annotations

import heapq

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.problems.operator_schedule import MAX_TIME
from accmine.problems.operator_schedule.subset_bound import energy, subset_bound
from tests.samples.bound_sample import problem_of

ROWS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40), st.integers(0, 15)), max_size=14)


def columns(rows: list[tuple[int, int, int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    table = np.array(rows, dtype=np.int64).reshape(-1, 3)
    return table[:, 0], table[:, 1], table[:, 2]


@settings(max_examples=150)
@given(ROWS, st.integers(1, 5))
def test_maximum_over_all_pairs(rows: list[tuple[int, int, int]], capacity: int) -> None:
    best = 0
    for a, _, _ in rows:
        for _, b, _ in rows:
            total = sum(w for h, q, w in rows if h >= a and q >= b)
            if total:
                best = max(best, a - (-total // capacity) + b)
    assert subset_bound(*columns(rows), capacity) == best


@settings(max_examples=100)
@given(ROWS)
def test_one_core_is_jacksons_preemptive_schedule(rows: list[tuple[int, int, int]]) -> None:
    arriving = sorted((h, -q, w) for h, q, w in rows if w)
    now, best = 0, 0
    waiting: list[tuple[int, int]] = []
    while arriving or waiting:
        if not waiting:
            now = max(now, arriving[0][0])
        while arriving and arriving[0][0] <= now:
            _, tail, work = arriving.pop(0)
            heapq.heappush(waiting, (tail, work))
        tail, work = heapq.heappop(waiting)
        run = min(work, arriving[0][0] - now) if arriving else work
        now += run
        if run < work:
            heapq.heappush(waiting, (tail, work - run))
        else:
            best = max(best, now - tail)
    assert subset_bound(*columns(rows), 1) == best


def test_exact_beyond_int64_and_empty() -> None:
    head = np.array([0, 10**12], dtype=np.int64)
    tail = np.array([5, 7], dtype=np.int64)
    work = np.array([MAX_TIME - 1, MAX_TIME - 1], dtype=np.int64)
    assert subset_bound(head, tail, work, 3) == max(
        -(-2 * (MAX_TIME - 1) // 3) + 5, 10**12 - (-(MAX_TIME - 1) // 3) + 7
    )
    nothing = np.zeros(0, dtype=np.int64)
    assert subset_bound(nothing, nothing, nothing, 1) == 0


def test_energy_takes_the_least_work_of_modes_that_fit() -> None:
    problem = problem_of([2, 9, 4], [[(10, (1, 0, 0)), (4, (2, 3, 0)), (1, (3, 1, 0))], [(0, (2, 9, 0))]], [])
    found = energy(problem)
    assert found.resource == (0,)  # the second is not needed in the first mode, the third by nobody
    assert found.work.tolist() == [[8], [0]]


def test_energy_too_large_for_int64_is_rounded_down() -> None:
    rate, duration, count = 10**9 - 7, 10**12 + 1, 40
    problem = problem_of([10**9], [[(duration, (rate,))]] * count, [])
    found = energy(problem)
    exact = count * duration * rate
    units = int(found.capacity[0])
    assert int(found.work.sum()) * 10**9 <= exact * units
    assert int(found.work.sum()) * 10**9 >= (exact - count * 10**9) * units * (1 - 1e-9)
