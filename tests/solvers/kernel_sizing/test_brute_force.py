"""All counts, one by one."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from accmine.errors import InputError
from accmine.ports import Stop
from accmine.problems.kernel_sizing import Choice, score
from accmine.result import Status, StopReason
from accmine.solving import load_problem, solve
from tests.samples.kernel_sizing_sample import least_cost, random_sizing


@pytest.mark.parametrize("seed", range(20))
def test_the_least_cost(seed: int) -> None:
    problem = random_sizing(seed)
    result, best = solve(problem, "brute-force"), least_cost(problem)
    assert result.status is (Status.INFEASIBLE if best is None else Status.OPTIMAL)
    assert best is None or (result.solution is not None and score(problem, result.solution) == best == result.bound)


def test_no_work_finds_nothing() -> None:
    result = solve(load_problem("examples/kernel-sizing.json"), "brute-force", stop=Stop(work=0))
    assert (result.status, result.stop) == (Status.UNKNOWN, StopReason.TIME)
    assert result.bound == 3566


def test_too_many_are_refused() -> None:
    problem = load_problem("examples/kernel-sizing.json")
    many = tuple((count, count) for count in range(1, 1001))
    choices = tuple(Choice(own.what, own.name, many) for own in problem.choices[:3])
    with pytest.raises(InputError, match="at most 1000000 are enumerated"):
        solve(replace(problem, choices=choices, target=Fraction(10**4)), "brute-force")
