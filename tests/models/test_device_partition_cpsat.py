"""The model of a partition against every partition."""

from __future__ import annotations

import pytest
from ortools.sat.python import cp_model

from accmine.models.device_partition_cpsat import DevicePartitionCpSat
from accmine.problems.device_partition import Problem, score
from accmine.result import Status
from accmine.solving import solve
from tests.samples.partition_sample import least_load, random_partition


def compare(problem: Problem) -> Status:
    best, result = least_load(problem), solve(problem)
    if best is None:
        assert result.status is Status.INFEASIBLE
    else:
        assert result.status is Status.OPTIMAL
        assert result.solution is not None
        assert score(problem, result.solution) == best
    return result.status


@pytest.mark.parametrize("seed", range(25))
def test_against_every_partition(seed: int) -> None:
    compare(random_partition(seed))


@pytest.mark.full
def test_three_hundred_against_every_partition() -> None:
    found = [compare(random_partition(seed)) for seed in range(100, 400)]
    assert found.count(Status.OPTIMAL) > 150
    assert Status.INFEASIBLE in found


@pytest.mark.parametrize("seed", range(6))
def test_a_hint_is_a_solution_of_the_model(seed: int) -> None:
    problem = random_partition(seed)
    solution = solve(problem).solution
    if solution is None:
        return
    model = DevicePartitionCpSat()
    program = model.build(problem)
    model.hint(solution)
    engine = cp_model.CpSolver()
    engine.parameters.catch_sigint_signal = False  # else Ctrl-C kills from then on
    engine.parameters.fix_variables_to_their_hinted_value = True
    assert engine.solve(program) == cp_model.OPTIMAL
    assert engine.value(model.longest) == score(problem, solution)
