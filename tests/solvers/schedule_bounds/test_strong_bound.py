"""All bounds together: below every optimum, never weaker than what was known, and repeatable."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest

from accmine.ports import Clock, Stop
from accmine.problems.operator_schedule import Problem, durations, lower_bound
from accmine.problems.operator_schedule.cone_bound import cones
from accmine.result import Status
from accmine.solvers.schedule_bounds.strong_bound import tighten
from accmine.solving import solve
from tests.samples.bound_sample import heads_of_attention, optimum, problem_of, sample

FAR = 1 << 60


def shuffled(problem: Problem, seed: int) -> tuple[Problem, np.ndarray]:
    """The same problem with operations and mode sets in another order; the new place of every operation."""
    rng = random.Random(seed)
    place = np.array(rng.sample(range(len(problem)), len(problem)), dtype=np.int64)
    sets = rng.sample(range(len(problem.mode_sets)), len(problem.mode_sets))
    mode_set = np.zeros(len(problem), dtype=np.int64)
    mode_set[place] = np.array(sets, dtype=np.int64)[problem.mode_set]
    edges = place[problem.edges]
    modes = list(problem.mode_sets)
    for old, new in enumerate(sets):
        modes[new] = problem.mode_sets[old]
    names = tuple(f"x{k}" for k in range(len(problem)))
    return replace(problem, names=names, mode_sets=tuple(modes), mode_set=mode_set, edges=edges), place


def test_enumeration() -> None:
    for seed in range(60):
        problem = sample(seed, 4)
        best = optimum(problem)
        found = tighten(problem, upper=FAR)
        assert max(lower_bound(problem)[0], cones(problem).bound) <= found.bound <= best


def against_cpsat(seeds: range, most: int) -> int:
    proved = 0
    for seed in seeds:
        problem = sample(seed, most)
        best = solve(problem, "cp-sat", stop=Stop(work=1.0))
        assert best.objective is not None
        assert best.solution is not None
        known = cones(problem)
        found = tighten(problem, known, upper=FAR, work=0.3)
        assert known.bound <= found.bound <= best.objective, seed
        assert (found.head >= known.head).all()
        assert (found.tail >= known.tail).all()
        if best.status is Status.OPTIMAL:
            proved += 1
            end = best.solution.start + durations(problem, best.solution)
            assert (found.head <= best.solution.start).all(), seed
            assert (found.tail <= best.objective - end).all(), seed
    return proved


def test_optima_of_cpsat() -> None:
    assert against_cpsat(range(600, 640), 16) >= 30


@pytest.mark.full
def test_optima_of_cpsat_in_numbers() -> None:
    assert against_cpsat(range(1000, 1600), 22) >= 500


def test_more_of_everything_never_raises_heads_tails_and_bound() -> None:
    for seed in range(40):
        problem = heads_of_attention(seed % 5 + 1, (1 + seed % 3, 1 + seed % 2), 2)
        richer = replace(problem, capacity=problem.capacity + np.array([seed % 2, 1]))
        few, many = cones(problem), cones(richer)
        assert (many.head <= few.head).all()
        assert (many.tail <= few.tail).all()
        assert many.bound <= few.bound


def test_names_and_order_do_not_matter() -> None:
    for seed in range(700, 720):
        problem = sample(seed, 14)
        other, place = shuffled(problem, seed)
        one, two = cones(problem), cones(other)
        assert one.bound == two.bound
        assert (one.head == two.head[place]).all()
        assert (one.tail == two.tail[place]).all()
        best = solve(problem, "cp-sat", stop=Stop(work=1.0))
        if best.status is Status.OPTIMAL and tighten(problem, upper=FAR).bound == best.objective:
            assert tighten(other, upper=FAR).bound == best.objective


def test_same_seed_and_work_same_result() -> None:
    problem = heads_of_attention(5, (2, 2), 3)
    again = replace(problem, edges=problem.edges.copy())
    one, two = (tighten(p, upper=FAR, work=0.2, seed=3) for p in (problem, again))
    assert (one.bound, one.method) == (two.bound, two.method)
    assert (one.head == two.head).all()


def test_stops_when_nothing_is_left_to_gain() -> None:
    problem = heads_of_attention(5, (5, 2), 3)
    known = cones(problem)
    for found in (tighten(problem, known, upper=known.bound), tighten(problem, known, upper=FAR, clock=Clock(0.0))):
        assert found.bound == known.bound
    assert tighten(problem, known, upper=known.bound * 2, gap=0.5).bound == known.bound
    assert tighten(problem, known, upper=FAR).bound > known.bound
    assert tighten(problem, known, upper=FAR, clock=Clock.after(30)).bound > known.bound


def test_empty_single_and_huge() -> None:
    assert tighten(problem_of([1], [], []), upper=0).bound == 0
    one = problem_of([1, 7], [[(10**12, (1, 0))]], [])
    assert tighten(one, upper=FAR).bound == 10**12
    many = problem_of([2, 9], [[(10**12 + 1, (1, 5))]] * 9, [])
    assert tighten(many, upper=FAR).bound == 9 * (10**12 + 1)  # two at once hold 10 of 9
