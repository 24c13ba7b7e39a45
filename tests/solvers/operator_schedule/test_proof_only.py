"""The strong bound as a solver: no worse than what others prove, within limits, and repeatable."""

from __future__ import annotations

from accmine.ports import Solver, Stop
from accmine.problems.operator_schedule import bound, check
from accmine.registry import make_solver
from accmine.result import StopReason
from accmine.solvers.operator_schedule.critical_path import CriticalPath
from accmine.solving import solve
from tests.solvers.operator_schedule.test_critical_path import hard, make


def test_is_a_registered_solver() -> None:
    solver = make_solver("operator-schedule", "strong-bound")
    assert isinstance(solver, Solver)
    assert solver.name == "strong-bound"


def test_proves_at_least_what_critical_path_does_and_keeps_its_schedule() -> None:
    for seed in range(2):
        problem = make(seed, 10)
        weak, strong = solve(problem, CriticalPath()), solve(problem, "strong-bound")
        assert strong.solution is not None
        assert check(problem, strong.solution) == ()
        assert strong.objective == weak.objective
        assert strong.bound is not None
        assert strong.bound >= bound(problem)[0]
        assert (strong.bound, strong.bound_method) == (
            solve(problem, "strong-bound").bound,
            solve(problem, "strong-bound").bound_method,
        )


def test_limits() -> None:
    assert solve(hard(), "strong-bound", stop=Stop(seconds=0)).stop is StopReason.TIME
    assert solve(hard(), "strong-bound").objective == 20
    # Whole operations on two cores: packing proves what their work does not.
    assert solve(hard(), "strong-bound").bound == 20
