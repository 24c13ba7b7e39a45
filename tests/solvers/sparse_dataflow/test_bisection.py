"""Bisection against every design."""

from __future__ import annotations

import pytest

from accmine.problems.sparse_dataflow import check
from accmine.result import Status
from accmine.solving import solve
from tests.samples.sparse_sample import random_dataflow


@pytest.mark.parametrize("part", range(8))
def test_against_all_designs(part: int) -> None:
    found = []
    for seed in range(10 * part, 10 * part + 10):
        problem = random_dataflow(seed, edges=part % 2 == 0, most_layers=2)
        best, own = solve(problem, "brute-force"), solve(problem, "bisection")
        assert own.status is best.status, seed
        assert own.objective == best.objective == own.bound, seed
        if own.solution is not None:
            assert check(problem, own.solution) == ()
        found.append(own.status)
    assert found.count(Status.OPTIMAL) > 3
