"""Whole operations on cores: rounds, and packings by enumeration."""

from __future__ import annotations

from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.ports import Stop
from accmine.problems.operator_schedule.cone_bound import cones
from accmine.solvers.schedule_bounds.packing_bound import packed_makespan, packing_bound, rounds_bound
from accmine.solving import solve
from tests.samples.bound_sample import problem_of, sample


def packed(durations: list[int], machines: int) -> int:
    best = sum(durations)
    for places in product(range(machines), repeat=len(durations)):
        loads = [0] * machines
        for d, k in zip(durations, places, strict=True):
            loads[k] += d
        best = min(best, max(loads))
    return best


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 30), max_size=7), st.integers(1, 3))
def test_packing_is_exact_and_rounds_are_below(durations: list[int], machines: int) -> None:
    best = packed(durations, machines)
    assert rounds_bound(durations, machines) <= best
    assert packed_makespan(durations, machines) == best


def test_rounds() -> None:
    assert rounds_bound([10] * 25, 2) == 130
    assert rounds_bound([10] * 25, 4) == 70
    assert rounds_bound([9, 8, 7], 2) == 15
    assert packed_makespan([67598, 49152, 16384] * 25, 4) == 833634  # 832088 by mean load
    assert packed_makespan([], 3) == 0
    assert packed_makespan([10**12] * 7, 3) == 3 * 10**12


def test_operations_that_hold_more_than_half_run_one_by_one() -> None:
    problem = problem_of([5], [[(4, (3,))], [(4, (4,))], [(4, (3,))], [(1, (1,))]], [])
    known = cones(problem)
    assert known.bound < 12
    assert packing_bound(problem, known.head, known.tail) == 12


def test_below_the_optimum() -> None:
    for seed in range(25):
        problem = sample(seed, 10)
        best = solve(problem, "cp-sat", stop=Stop(work=1.0)).objective
        known = cones(problem)
        assert best is not None
        assert packing_bound(problem, known.head, known.tail) <= best
