"""Loads by who cannot run beside whom: no schedule is shorter than the load of all its operations."""

from __future__ import annotations

import random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.cost import RESOURCES
from accmine.problems.operator_schedule import Problem
from accmine.solvers.schedule_bounds.conflict_load import conflict_loads
from tests.samples.graph_sample import Row, exhaustive, problem_of


def short(seed: int, n: int, capacity: tuple[int, int, int]) -> Problem:
    """Operations on one or two cores of one kind that share a bandwidth, some stretched to need less of it."""
    rng = random.Random(seed)
    rows: list[Row] = []
    for i in range(n):
        kind = rng.choice((0, 1))
        modes = []
        for _ in range(rng.randint(1, 2)):
            uses = [0, 0, rng.randint(0, capacity[2])]
            uses[kind] = rng.randint(1, capacity[kind])
            modes.append((rng.randint(0, 20), uses))
        after = [f"o{j}" for j in rng.sample(range(i), k=min(i, rng.randint(0, 1)))]
        rows.append((f"o{i}", modes, after))
    return problem_of(rows, list(capacity), RESOURCES)


def largest(problem: Problem) -> float:
    return float(conflict_loads(problem)[:, problem.mode_set].sum(axis=1).max(initial=0.0))


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 4), st.sampled_from(((1, 1, 10), (2, 1, 10), (2, 2, 7), (1, 1, 1))))
def test_no_schedule_is_shorter(seed: int, n: int, capacity: tuple[int, int, int]) -> None:
    problem = short(seed, n, capacity)
    loads = conflict_loads(problem)
    assert (loads >= 0).all()
    assert largest(problem) <= exhaustive(problem) + 1e-9


def rows_of(*held: tuple[int, list[int]]) -> list[Row]:
    return [(f"o{i}", [(duration, uses)], []) for i, (duration, uses) in enumerate(held)]


def test_two_that_exceed_the_bandwidth_together_run_one_by_one() -> None:
    apart = problem_of(rows_of((10, [1, 0, 6]), (10, [1, 0, 6])), [2, 2, 10], RESOURCES)
    assert largest(apart) == 20.0
    beside = problem_of(rows_of((10, [1, 0, 5]), (10, [1, 0, 5])), [2, 2, 10], RESOURCES)
    assert largest(beside) == 10.0, "two that fill the bandwidth exactly run side by side"


def test_kinds_exclude_each_other_where_there_is_one_core_of_each() -> None:
    rows = rows_of((10, [1, 0, 3]), (10, [0, 1, 8]))
    assert largest(problem_of(rows, [1, 1, 10], RESOURCES)) == 20.0
    fits = rows_of((10, [1, 0, 3]), (10, [0, 1, 7]))
    assert largest(problem_of(fits, [1, 1, 10], RESOURCES)) == 10.0


def test_nothing_has_no_load() -> None:
    assert conflict_loads(problem_of([], [1, 1, 10], RESOURCES)).shape[1] == 0
    free = problem_of(rows_of((0, [1, 0, 3])), [1, 1, 10], RESOURCES)
    assert largest(free) == 0.0
    assert np.isfinite(conflict_loads(free)).all()
