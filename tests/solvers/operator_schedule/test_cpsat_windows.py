"""Windows of large schedules: never worse than the hint, valid, repeatable, stoppable."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.errors import InputError
from accmine.ports import Solver, Stop
from accmine.problems.operator_schedule import Problem, Solution, bound, check, objective, problem_from_json
from accmine.registry import make_solver
from accmine.result import Status, StopReason
from accmine.solvers.operator_schedule import cpsat_windows
from accmine.solvers.operator_schedule.cpsat_windows import CpSatWindows
from accmine.solvers.operator_schedule.list_schedule import ListScheduler
from accmine.solving import solve

NAME = "cp-sat-windows"


def make(seed: int, n: int) -> Problem:
    rng = random.Random(seed)
    operations: list[dict[str, Any]] = []
    for i in range(n):
        work = rng.randint(1, 60)
        core = rng.choice(["t", "v"])
        modes = [{"duration": -(-work // c) + c - 1, "uses": {core: c, "hbm": rng.randint(0, 30)}} for c in (1, 2)]
        after = [f"o{j}" for j in rng.sample(range(max(0, i - 6), i), k=min(i, rng.randint(0, 2)))]
        operations.append({"name": f"o{i}", "modes": modes, "after": after})
    return problem_from_json({"resources": {"t": 2, "v": 2, "hbm": 50}, "operations": operations})


def poor(problem: Problem) -> Solution:
    """A valid schedule with much to gain: everything slow, in the order of the file."""
    found: Solution = ListScheduler(problem).run([-i for i in range(len(problem))], policy="efficient")
    return found


def repeated(count: int) -> Problem:
    """Equal layers behind one another, each best done in another way than a greedy one."""
    operations: list[dict[str, Any]] = []
    for i in range(count):
        before = [f"{i - 1}.end"] if i else []
        for name, duration, uses in (("a", 5, 1), ("b", 4, 1), ("c", 3, 1), ("d", 3, 1), ("e", 3, 1)):
            operations.append({"name": f"{i}.{name}", "duration": duration, "uses": {"t": uses}, "after": before})
        operations.append({"name": f"{i}.end", "duration": 1, "after": [f"{i}.{x}" for x in "abcde"]})
    return problem_from_json({"resources": {"t": 2}, "operations": operations})


def test_is_a_registered_solver() -> None:
    solver = make_solver("operator-schedule", NAME)
    assert isinstance(solver, Solver)
    assert solver.name == NAME


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 40))
def test_results_are_valid_bounded_and_never_worse_than_the_hint(seed: int, n: int) -> None:
    problem = make(seed, n)
    start = poor(problem)
    result = solve(problem, CpSatWindows(most=12), stop=Stop(work=4), hint=start)
    assert result.solution is not None
    assert result.objective is not None
    assert result.bound is not None
    assert check(problem, result.solution) == ()
    assert result.objective == objective(problem, result.solution) <= objective(problem, start)
    assert result.bound <= min(result.objective, bound(problem)[0])
    assert (result.status is Status.OPTIMAL) == (result.objective == result.bound)
    assert (result.stop is StopReason.PROVED) == (result.status is Status.OPTIMAL)
    values = [row[1] for row in result.trace]
    assert values == sorted(values, key=lambda v: -(v or 0))


def test_windows_alone_improve_and_equal_ones_are_decided_once(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = repeated(12)
    start = ListScheduler(problem).run([-i for i in range(len(problem))])
    assert objective(problem, start) == 12 * 11  # 5 and 4 first, then 3, 3, 3 do not fill two cores
    monkeypatch.setattr(CpSatWindows, "_straighten", staticmethod(lambda search: None))
    decided: list[Any] = []
    real = make_solver

    def spy(kind: str, name: str) -> Any:
        decided.append(kind)
        return real(kind, name)

    monkeypatch.setattr(cpsat_windows, "make_solver", spy)
    solver = CpSatWindows(descent=0.0, least=4, most=8, window_work=1.0, worth=0.0)
    result = solve(problem, solver, stop=Stop(), hint=start)
    assert result.objective == result.bound == 12 * 10
    assert result.stop is StopReason.PROVED
    assert 1 <= decided.count("schedule-window") <= 6


def test_the_descent_and_the_straightening_improve_as_well() -> None:
    problem = make(3, 120)
    start = poor(problem)
    only = solve(problem, CpSatWindows(descent=1.0, worth=1.0, passes=30), stop=Stop(), hint=start)
    assert only.stop is StopReason.FINISHED
    assert only.objective is not None
    assert only.objective < objective(problem, start)


def test_one_worker_and_a_work_limit_repeat() -> None:
    problem = make(7, 90)

    def run(seed: int) -> Any:
        return solve(problem, NAME, stop=Stop(work=2), seed=seed)

    first, again = run(1), run(1)
    assert first.stop is StopReason.TIME
    assert first.verified
    assert (first.solution.start == again.solution.start).all()
    assert (first.solution.mode == again.solution.mode).all()
    assert len({run(seed).objective for seed in range(4)}) > 1


def test_limits_are_kept() -> None:
    problem = make(9, 80)
    start = poor(problem)
    none = solve(problem, NAME, stop=Stop(seconds=0), hint=start)
    assert (none.stop, none.objective) == (StopReason.TIME, objective(problem, start))
    bare = solve(problem, NAME, stop=Stop(seconds=0))
    assert bare.stop is StopReason.TIME
    assert bare.solution is not None
    wide = solve(problem, NAME, stop=Stop(gap=0.9), hint=start)
    assert wide.stop is StopReason.GAP
    short = solve(problem, NAME, stop=Stop(seconds=0.5))
    assert short.seconds < 5.0  # the machine may be busy


def test_ctrl_c_keeps_the_best() -> None:
    problem = make(5, 80)
    rows: list[Any] = []

    def interrupt(*row: Any) -> None:
        rows.append(row)
        if len(rows) == 3:
            raise KeyboardInterrupt

    result = solve(problem, CpSatWindows(), stop=Stop(), hint=poor(problem), on_progress=interrupt)
    assert result.stop is StopReason.INTERRUPTED
    assert result.objective == min(row[1] for row in rows)
    assert result.solution is not None
    assert check(problem, result.solution) == ()


def test_ctrl_c_while_a_window_is_decided(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = make(5, 80)
    start = poor(problem)
    real: Callable[..., Any] = make_solver

    class Stopped:
        def search(self, record: Any) -> Any:
            raise KeyboardInterrupt

    monkeypatch.setattr(
        cpsat_windows, "make_solver", lambda kind, name: Stopped() if kind == "schedule-window" else real(kind, name)
    )
    result = solve(problem, CpSatWindows(descent=0.0), stop=Stop(), hint=start)
    assert result.stop is StopReason.INTERRUPTED
    assert result.objective is not None
    assert result.objective <= objective(problem, start)


def test_refusals() -> None:
    problem = make(1, 5)
    start = poor(problem)
    with pytest.raises(InputError, match="the hint is not a solution"):
        solve(problem, CpSatWindows(), stop=Stop(), hint=Solution(start.start - 1, start.mode))
    with pytest.raises(InputError, match="1 <= least <= most, got 5 and 4"):
        CpSatWindows(least=5, most=4)
    with pytest.raises(InputError, match="window_work must be positive"):
        CpSatWindows(window_work=0)
