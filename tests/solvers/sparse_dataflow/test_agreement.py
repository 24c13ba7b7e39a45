"""Bisection, dynamic programming and all designs: the same interval, or none, in hundreds of small cases."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from accmine.errors import InputError
from accmine.problems.sparse_dataflow import Problem, bound, check, score
from accmine.result import Result, Status
from accmine.solving import solve
from tests.samples.sparse_raw import least_interval, raw
from tests.samples.sparse_sample import random_dataflow, squeezed

_PARTS, _CASES = 16, 20
_MOST = 200_000


def case(seed: int) -> Problem:
    """A small problem with one resource, several, adapters, off-chip weights, and often no solution."""
    problem = random_dataflow(seed)
    return squeezed(problem, seed) if seed % 2 else problem


def agrees(problem: Problem, best: int | None, found: Result[Any]) -> bool:
    """Whether a result is proven, its interval the best one, and its design what it is said to be."""
    if best is None:
        return found.status is Status.INFEASIBLE and found.solution is None
    if found.solution is None:
        return False
    own = raw(problem, found.solution)
    return found.status is Status.OPTIMAL and best == found.objective == found.bound == own.interval and not own.broken


def served(problem: Problem) -> Result[Any] | None:
    """The answer of dynamic programming; ``None``: it says that it does not serve."""
    try:
        return solve(problem, "dynamic-programming")
    except InputError as error:
        if "take bisection" not in str(error):
            raise
        return None


@pytest.mark.parametrize("part", range(_PARTS))
def test_all_exact_ways_agree(part: int) -> None:
    seen = Counter[str]()
    seed = 1000 * part
    while seen["cases"] < _CASES:
        problem = case(seed)
        seed += 1
        count, best = least_interval(problem)
        if count > _MOST:
            continue
        seen["cases"] += 1
        seen["none"] += best is None
        if best is not None:
            assert bound(problem)[0] <= best, seed  # type: ignore[operator]
        assert agrees(problem, best, solve(problem, "bisection")), seed
        if (found := served(problem)) is None:
            seen["refused"] += 1
            continue
        assert agrees(problem, best, found), seed
        seen["served"] += 1
    assert seen["served"] >= 8
    assert seen["refused"] >= 1
    assert seen["none"] >= 1


@pytest.mark.parametrize("seed", range(6))
def test_the_enumeration_agrees_with_the_solver_that_enumerates(seed: int) -> None:
    problem = squeezed(random_dataflow(seed, most_layers=2), seed)
    count, best = least_interval(problem)
    assert count < _MOST
    assert agrees(problem, best, solve(problem, "brute-force"))


@pytest.mark.parametrize("part", range(4))
def test_values_and_checks_agree_with_the_formulas_alone(part: int) -> None:
    broken = 0
    for seed in range(100 * part, 100 * part + 60):
        problem = case(seed)
        for name in ("bisection", "pareto-greedy"):
            found = solve(problem, name).solution
            if found is not None:
                own = raw(problem, found)
                assert (own.interval, own.broken) == (score(problem, found), ())
                assert check(problem, found) == ()
                tight = squeezed(problem, seed + 1)
                assert bool(raw(tight, found).broken) == bool(check(tight, found)), seed
                broken += bool(check(tight, found))
    assert broken
