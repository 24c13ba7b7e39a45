"""No bound is above an optimum, no head or tail excludes an optimal schedule, on several families of instances."""

from __future__ import annotations

import pytest

from accmine.ports import Stop
from accmine.problems.operator_schedule import Problem, Solution, bound, durations, lower_bound, objective
from accmine.problems.operator_schedule.cone_bound import cones
from accmine.registry import make_solver
from accmine.result import Status
from accmine.solvers.operator_schedule.critical_path import quick
from accmine.solvers.schedule_bounds.strong_bound import tighten
from accmine.solving import solve, verify
from tests.samples.schedule_families import FAMILIES, brute_force, family, proven

CHUNKS = 10
TINY = {"shared-rate": 4}
LARGEST = {"shared-rate": 13}  # modes make proofs slow; others: 24 operations
CHUNK = 14  # 4 families × 10 chunks × 14 = 560 instances, at least 13 of each chunk proven: 520


def violations(problem: Problem, optimum: int, solution: Solution | None = None) -> list[str]:
    """Every statement about the problem that its optimum, or an optimal schedule, contradicts."""
    known, upper = cones(problem), objective(problem, quick(problem))
    tight = tighten(problem, known, upper=upper, work=0.2)
    said = {
        "lower_bound": lower_bound(problem)[0],
        "bound": bound(problem)[0],
        "cones": known.bound,
        tight.method: tight.bound,
        "tight against the optimum": tighten(problem, known, upper=optimum, work=0.05).bound,
    }
    wrong = [f"{name}: {value} above {optimum}" for name, value in said.items() if value > optimum]
    if solution is not None:
        end = solution.start + durations(problem, solution)
        for name, head, tail in (("cones", known.head, known.tail), ("tight", tight.head, tight.tail)):
            wrong += [f"{name}: head of {problem.names[i]}" for i in (head > solution.start).nonzero()[0]]
            wrong += [f"{name}: tail of {problem.names[i]}" for i in (tail > optimum - end).nonzero()[0]]
    return wrong


@pytest.mark.parametrize("name", FAMILIES)
def test_against_brute_force(name: str) -> None:
    for seed in range(12):
        problem = family(name, seed, TINY.get(name, 5))
        if len(problem) > 6:
            continue
        optimum = brute_force(problem)
        assert violations(problem, optimum, proven(problem)) == [], seed
        for solver in ("cp-sat", "auto"):
            result = verify(problem, solve(problem, make_solver("operator-schedule", solver), stop=Stop(seconds=20)))
            assert (result.status, result.objective) == (Status.OPTIMAL, optimum), (solver, seed)


@pytest.mark.parametrize("name", FAMILIES)
def test_the_two_ways_to_the_optimum_agree(name: str) -> None:
    for seed in range(100, 106):
        problem = family(name, seed, TINY.get(name, 5))
        solution = proven(problem)
        assert solution is not None
        assert len(problem) > 6 or objective(problem, solution) == brute_force(problem)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_wrong_bound_would_be_noticed(name: str) -> None:
    problem = family(name, 0, 8)
    solution = proven(problem)
    assert solution is not None
    optimum = objective(problem, solution)
    assert violations(problem, optimum, solution) == []
    assert violations(problem, bound(problem)[0] - 1)


@pytest.mark.full
@pytest.mark.parametrize("chunk", range(CHUNKS))
@pytest.mark.parametrize("name", FAMILIES)
def test_against_proven_optima(name: str, chunk: int) -> None:
    found = 0
    for seed in range(1000 + chunk * CHUNK, 1000 + (chunk + 1) * CHUNK):
        problem = family(name, seed, 6 + seed % (LARGEST.get(name, 24) - 5))
        solution = proven(problem)
        if solution is None:
            continue
        found += 1
        optimum = objective(problem, solution)
        assert violations(problem, optimum, solution) == [], (name, seed)
        for solver in ("cp-sat", "auto"):
            result = verify(problem, solve(problem, make_solver("operator-schedule", solver), stop=Stop(work=0.1)))
            assert result.bound is not None
            assert result.objective is not None
            assert result.bound <= optimum <= result.objective, (solver, name, seed)
    assert found >= CHUNK - 1
