"""CP-SAT on any layer graph, against every placement."""

from __future__ import annotations

from dataclasses import replace

import pytest

from accmine.errors import InputError
from accmine.ports import Stop
from accmine.problems.device_placement import Pipelining
from accmine.result import Status, StopReason
from accmine.solving import solve
from tests.samples.device_placement_sample import random_placement
from tests.solvers.device_placement.test_chain import agrees


@pytest.mark.parametrize("seed", range(12))
def test_graphs_against_brute_force(seed: int) -> None:
    agrees(random_placement(seed, chain=seed % 4 == 0, layers=4), "cp-sat")


@pytest.mark.full
def test_three_hundred_graphs_against_brute_force() -> None:
    found = [agrees(random_placement(seed, chain=seed % 4 == 0, layers=4), "cp-sat") for seed in range(100, 420)]
    assert found.count(Status.OPTIMAL) > 200
    assert Status.INFEASIBLE in found


def test_it_refuses_what_it_has_no_model_of() -> None:
    problem = random_placement(0)
    with pytest.raises(InputError, match="take chain"):
        solve(replace(problem, semantics="phaze"), "cp-sat")
    with pytest.raises(InputError, match="chunks"):
        solve(replace(problem, pipelinings=(Pipelining("interleaved", 2),)), "cp-sat")


def test_no_time_is_no_proof() -> None:
    result = solve(random_placement(5, chain=False, layers=5, memory_bytes=400), "cp-sat", stop=Stop(seconds=0))
    assert result.stop is StopReason.TIME
    assert result.status is not Status.INFEASIBLE
