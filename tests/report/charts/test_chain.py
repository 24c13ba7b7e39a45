"""The critical chain of a schedule."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given, settings

from accmine.problems.operator_schedule import ModeSet, Problem, Solution
from accmine.report.charts.chain import critical_chain
from tests.samples.schedule_sample import scheduled, schedules


def _problem(durations: list[int], uses: list[list[int]], edges: list[tuple[int, int]]) -> Problem:
    return Problem(
        resources=("tensor", "vector"),
        capacity=np.array([1, 1]),
        names=tuple(f"op{i}" for i in range(len(durations))),
        mode_sets=tuple(ModeSet(np.array([d]), np.array([u])) for d, u in zip(durations, uses, strict=True)),
        mode_set=np.arange(len(durations)),
        edges=np.array(edges, dtype=np.int64).reshape(-1, 2),
    )


def test_it_goes_back_by_predecessors_then_by_what_held_a_core() -> None:
    # 0 and 1 share the tensor core, 2 follows 1 on the vector core; 3 runs aside.
    problem = _problem([4, 3, 2, 5], [[1, 0], [1, 0], [0, 1], [0, 1]], [(1, 2)])
    solution = Solution(np.array([0, 4, 7, 0]), np.zeros(4, dtype=np.int64))
    assert critical_chain(problem, solution) == [0, 1, 2]


def test_a_gap_does_not_end_it() -> None:
    problem = _problem([4, 3], [[1, 0], [1, 0]], [(0, 1)])
    assert critical_chain(problem, Solution(np.array([0, 6]), np.zeros(2, dtype=np.int64))) == [0, 1]


def test_what_takes_no_time_may_be_of_it() -> None:
    problem = _problem([4, 0, 3], [[1, 0], [0, 0], [0, 1]], [(0, 1), (1, 2)])
    assert critical_chain(problem, Solution(np.array([0, 4, 4]), np.zeros(3, dtype=np.int64))) == [0, 1, 2]
    assert critical_chain(*scheduled([], [1, 1, 1])) == []


@settings(max_examples=100, deadline=None)
@given(schedules())
def test_without_gaps_it_covers_all_of_the_time(pair: tuple[Problem, Solution]) -> None:
    """Operations of the sample start as soon as they fit, in order: each waits for one that ends then."""
    problem, solution = pair
    chain = critical_chain(problem, solution)
    length = np.array([int(problem.mode_sets[i].duration[0]) for i in range(len(problem))], dtype=np.int64)
    ends = solution.start + length
    assert len(set(chain)) == len(chain)
    for before, then in pairwise(chain):
        assert ends[before] <= solution.start[then]
    if len(problem):
        assert ends[chain[-1]] == ends.max()
