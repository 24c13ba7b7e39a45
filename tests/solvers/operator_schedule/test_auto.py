"""The solver that spends its time where the gap is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from accmine.errors import InputError
from accmine.ports import Solver, Stop
from accmine.problems.operator_schedule import Problem, Solution, check, lower_bound, objective
from accmine.record import Record
from accmine.registry import DEFAULT_SOLVER, make_solver
from accmine.result import Status, StopReason
from accmine.solvers.operator_schedule import auto
from accmine.solvers.operator_schedule.auto import Auto
from accmine.solvers.operator_schedule.portfolio import Portfolio
from accmine.solving import solve
from tests.samples.graph_sample import Row, every, exhaustive, general, layers, problem_of, renamed, starts, unit

CLASHING = problem_of([(f"a{i}", [(10, [1, 0])], []) for i in range(3)], [2, 1])
"""Work over capacity says 15, the optimum is 20."""


def test_is_the_registered_default() -> None:
    solver = make_solver("operator-schedule", DEFAULT_SOLVER["operator-schedule"])
    assert isinstance(solver, Solver)
    assert solver.name == "auto"


def test_tiny_problems_are_proved() -> None:
    for seed in range(6):
        problem = general(seed, 4) if seed % 2 else unit(seed, 5, (1, 2))
        result = solve(problem, Auto(), stop=Stop())
        assert result.status is Status.OPTIMAL
        assert result.stop is StopReason.PROVED
        assert result.objective == result.bound == exhaustive(problem)


def test_results_are_valid_and_bounded() -> None:
    for problem in every(range(3), 40):
        for stop in (Stop(seconds=0), Stop(work=0.01), Stop(seconds=0.2)):
            result = solve(problem, Auto(), stop=stop)
            assert result.solution is not None
            assert check(problem, result.solution) == ()
            assert result.objective == objective(problem, result.solution)
            assert result.bound is not None
            assert lower_bound(problem)[0] <= result.bound <= result.objective
            assert result.bound_method
            assert (result.status is Status.OPTIMAL) == (result.objective == result.bound)
            assert (result.stop is StopReason.PROVED) == (result.status is Status.OPTIMAL)
            values, bounds = [row[1] for row in result.trace if row[1] is not None], [row[2] for row in result.trace]
            assert values == sorted(values, key=lambda v: -(v or 0))
            assert bounds == sorted(bounds, key=lambda b: b or 0)
            assert result.trace[-1][1:] == (result.objective, result.bound)


def large(copies: int = 1) -> Problem:
    """More operations than CP-SAT gets as a whole, all with one mode."""
    return layers(10 // copies, 12, (2, 2), copies)


def many_modes() -> Problem:
    """The same with modes to choose from."""
    rows: list[Any] = []
    for k in range(110):
        modes = [(12 + k % 3, [1, 0]), (7 + k % 3, [2, 0])]
        rows += [
            (f"{k}.a", modes, [f"{k - 1}.c"] if k else []),
            (f"{k}.b", [(9, [0, 1]), (5, [0, 2])], [f"{k}.a"]),
            (f"{k}.c", [(3, [0, 1])], [f"{k}.a"]),
        ]
    return problem_of(rows, [2, 2])


@pytest.mark.parametrize(
    ("make", "work"), [(lambda: unit(2, 60), 0.3), (large, 0.4), (lambda: large(2), 0.4), (many_modes, 0.4)]
)
def test_same_seed_and_work_same_result(make: Callable[[], Problem], work: float) -> None:
    first, again = (solve(make(), Auto(), stop=Stop(work=work), seed=3) for _ in range(2))
    assert first.solution is not None
    assert again.solution is not None
    assert starts(first.solution) == starts(again.solution)
    assert [row[1:] for row in first.trace] == [row[1:] for row in again.trace]
    assert (first.bound, first.bound_method, first.stop) == (again.bound, again.bound_method, again.stop)


def test_renaming_changes_nothing_that_is_proved() -> None:
    for seed in range(3):
        problem = general(seed, 8)
        results = [solve(renamed(problem, s), Auto(), stop=Stop(seconds=20)) for s in range(2)]
        assert {result.status for result in results} == {Status.OPTIMAL}
        assert len({result.objective for result in results}) == 1


def test_no_time_leaves_one_schedule_and_a_bound() -> None:
    result = solve(large(), Auto(), stop=Stop(seconds=0))
    assert [row[1] for row in result.trace] == [None, result.objective]
    assert result.stop is StopReason.TIME
    assert result.gap is not None
    assert 0 < result.gap < 1


def test_it_stops_at_the_gap_that_is_good_enough() -> None:
    problem = large()
    rough = solve(problem, Auto(), stop=Stop(gap=0.2, seconds=60))
    assert rough.stop is StopReason.GAP
    assert rough.gap is not None
    assert rough.gap <= 0.2
    fine = solve(problem, Auto(), stop=Stop(work=0.5))
    assert fine.objective is not None
    assert rough.objective is not None
    assert fine.objective <= rough.objective


def test_without_limits_it_ends() -> None:
    result = solve(large(2), Auto(tries=5), stop=Stop())
    assert result.stop in {StopReason.FINISHED, StopReason.PROVED}


def test_a_hint_is_never_made_worse_and_a_wrong_one_is_refused() -> None:
    problem = many_modes()
    good = solve(problem, Auto(), stop=Stop(work=0.5)).solution
    assert good is not None
    again = solve(problem, Auto(), stop=Stop(seconds=0), hint=good)
    assert again.objective is not None
    assert again.objective <= objective(problem, good)
    with pytest.raises(InputError, match="the hint is not a solution"):
        solve(problem, Auto(), stop=Stop(), hint=Solution(good.start - 1, good.mode))


@pytest.mark.parametrize("options", [{"exact": -1}, {"schedules": 0.9, "bounds": 0.1}, {"bounds": 2}, {"tries": 0}])
def test_options_out_of_range_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="exact must not be negative"):
        Auto(**options)


def interrupt(*_: Any, **__: Any) -> Any:
    raise KeyboardInterrupt


@pytest.mark.parametrize("phase", ["cones", "tighten", "make_solver"])
@pytest.mark.parametrize("make", [many_modes, lambda: unit(2, 60)])
def test_ctrl_c_keeps_the_best_in_every_phase(
    monkeypatch: pytest.MonkeyPatch, phase: str, make: Callable[[], Problem]
) -> None:
    monkeypatch.setattr(auto, phase, interrupt)
    problem = make()
    result = solve(problem, Auto(), stop=Stop(work=0.5))
    assert result.stop is StopReason.INTERRUPTED
    assert result.solution is not None
    assert check(problem, result.solution) == ()
    assert result.bound is not None


def test_ctrl_c_in_the_portfolio_and_in_the_callback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Portfolio, "_search", interrupt)
    result = solve(large(), Auto(), stop=Stop(seconds=60))
    assert result.stop is StopReason.INTERRUPTED
    result = solve(
        CLASHING, Auto(), stop=Stop(), on_progress=lambda _, value, __: None if value is None else interrupt()
    )
    assert result.stop is StopReason.INTERRUPTED
    assert result.objective == 20
    monkeypatch.setattr(Portfolio, "first", interrupt)
    nothing = solve(large(), Auto(), stop=Stop(seconds=60))
    assert (nothing.status, nothing.stop, nothing.solution) == (Status.UNKNOWN, StopReason.INTERRUPTED, None)
    assert nothing.bound is not None


def test_empty_and_impossible_problems() -> None:
    empty = solve(problem_of([], [1, 1]), Auto(), stop=Stop())
    assert (empty.objective, empty.bound, empty.status) == (0, 0, Status.OPTIMAL)
    with pytest.raises(InputError, match="no mode fits the capacities: a"):
        Auto().search(Record(problem_of([("a", [(1, [2, 0])], [])], [1, 1])))
    circle = problem_of([("a", [(1, [1, 0])], []), ("b", [(1, [1, 0])], ["a"])], [1, 1])
    circle = Problem(
        circle.resources, circle.capacity, circle.names, circle.mode_sets, circle.mode_set, np.array([[0, 1], [1, 0]])
    )
    with pytest.raises(InputError, match="wait for each other"):
        solve(circle, Auto(), stop=Stop())


def test_what_cp_sat_cannot_hold_is_scheduled_all_the_same() -> None:
    """Amounts of a bandwidth in bytes and long durations: capacity times horizon leaves 64 bits."""
    rows: list[Row] = [(f"o{i}", [(10**9 + 7 * i, [0, 6 * 10**11 + 10**9 * i])], []) for i in range(12)]
    rows += [(f"p{i}", [(10**9 + 5 * i, [0, 10**10 + i])], []) for i in range(12)]
    result = solve(problem_of(rows, [1, 10**12]), Auto(), stop=Stop(work=0.5))
    assert result.solution is not None
    assert result.bound == sum(10**9 + 7 * i for i in range(12))
    crowded: list[Row] = [
        (f"o{i}", [(10**9 + 7919 * i % 65537, [0, 3 * 10**11 + 10**10 * i + 1])], []) for i in range(14)
    ]
    result = solve(problem_of(crowded, [1, 10**12]), Auto(), stop=Stop(work=0.5))
    assert result.status is Status.FEASIBLE
    assert "cp-sat left out: resource v: capacity" in result.bound_method
