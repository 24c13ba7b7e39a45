"""Schedules of tasks: refined never worse, equal ones made once, limits shared out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.ports import Stop
from accmine.problems import operator_schedule
from accmine.result import Result, Status, StopReason
from accmine.search import schedule_task
from accmine.search import schedules as module
from accmine.search.schedules import better
from tests.samples.search_sample import Shape, design, graph_of, listed, planned, search, shapes, task_of


def result(objective: int, bound: int | None, name: str = "a") -> Result[Any]:
    proved = objective == bound
    return Result(
        kind="operator-schedule",
        solver=name,
        status=Status.OPTIMAL if proved else Status.FEASIBLE,
        stop=StopReason.PROVED if proved else StopReason.TIME,
        objective=objective,
        bound=bound,
        bound_method=f"by {name}",
        solution=object(),
    )


VALUES = st.tuples(st.integers(5, 9), st.none() | st.integers(1, 5))


@given(VALUES, VALUES)
def test_better_keeps_the_best_of_both(a: tuple[int, int | None], b: tuple[int, int | None]) -> None:
    one, two = result(*a, "a"), result(*b, "b")
    joined = better(one, two)
    assert joined.objective == min(a[0], b[0])
    assert joined.solution is (two if b[0] < a[0] else one).solution
    assert joined.solver == ("b" if b[0] < a[0] else "a")
    bounds = [x for x in (a[1], b[1]) if x is not None]
    assert joined.bound == max(bounds, default=None)
    assert joined.bound_method in {"by a", "by b"}
    proved = joined.objective == joined.bound
    assert (joined.status is Status.OPTIMAL) == (joined.stop is StopReason.PROVED) == proved


@settings(max_examples=5, deadline=None)
@given(shapes(7), st.integers(1, 4), st.integers(1, 2))
def test_more_effort_is_never_worse(found: list[Shape], tensor: int, vector: int) -> None:
    problem = search([task_of(graph_of(found), graph_of(found[:2]), repeats=(3, 1))])
    (task,) = problem.tasks
    d = design(tensor, vector)
    cycles = {}
    for refine, stop in (("list", Stop()), ("none", Stop()), ("cp-sat", Stop(work=1))):
        done = schedule_task(task, problem.library, d, refine, stop, 0)
        cycles[refine] = [phase.cycles for phase in done.phases]
        for phase in done.phases:
            assert phase.result.verified
            assert phase.result.solution is not None
            assert operator_schedule.check(phase.lowered.problem, phase.result.solution) == ()
            assert phase.result.bound is not None
            assert phase.result.bound <= phase.cycles
        assert done.phase_s == tuple(c / d.frequency_hz for c in cycles[refine])
        assert done.busy_s == pytest.approx((3 * cycles[refine][0] + cycles[refine][1]) / d.frequency_hz)
    for a, b, c in zip(cycles["list"], cycles["none"], cycles["cp-sat"], strict=True):
        assert c <= b <= a
    evaluated = listed(problem, d).cycles[0]
    assert all(b <= e for b, e in zip(cycles["none"], evaluated, strict=True)), "no worse than what the miner saw"


def test_without_time_there_is_still_a_schedule() -> None:
    plan, library = planned(models=("gpt",))
    for refine in ("list", "none", "cp-sat"):
        done = schedule_task(plan.tasks[0], library, plan.baseline, refine, Stop(seconds=0), 0)
        assert all(phase.result.verified for phase in done.phases)


def test_cp_sat_proves_small_phases() -> None:
    problem = search([task_of(graph_of([("gemm", 64, ()), ("gemm", 300, ()), ("fused", 16, (0, 1))]))])
    done = schedule_task(problem.tasks[0], problem.library, design(2, 1), "cp-sat", Stop(work=10), 0)
    assert done.phases[0].result.status is Status.OPTIMAL


def test_energy_is_that_of_every_run() -> None:
    graph = graph_of([("gemm", 64, ()), ("vector", 300, (0,))])
    problem = search([task_of(graph, repeats=(1,))])
    once = schedule_task(problem.tasks[0], problem.library, design(), "list", Stop(), 0)
    often = schedule_task(task_of(graph, repeats=(5,)), problem.library, design(), "list", Stop(), 0)
    assert often.energy_j == pytest.approx(5 * once.energy_j)
    (phase,) = once.phases
    assert phase.result.solution is not None
    assert once.energy_j == phase.lowered.energy_j(phase.result.solution) > 0


def test_limits_of_a_task_are_divided_by_what_its_phases_weigh(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Stop] = []
    real = module._refine

    def refined(problem: Any, start: Any, refine: str, stop: Stop, seed: int) -> Any:
        seen.append(stop)
        return real(problem, start, refine, stop, seed)

    monkeypatch.setattr(module, "_refine", refined)
    graph = graph_of([("gemm", 64, ()), ("gemm", 64, ()), ("gemm", 300, ())])
    problem = search([task_of(graph, graph, repeats=(3, 1))])
    schedule_task(problem.tasks[0], problem.library, design(), "none", Stop(seconds=8.0, work=800.0), 0)
    first, second = (s.seconds for s in seen)
    assert first is not None
    assert second is not None
    assert 5.0 < first <= 6.0, "of what the list schedules leave"
    assert second > 2.0, "with what the first phase leaves"
    assert [s.work for s in seen] == [600.0, 200.0]
    unlimited = replace(Stop(), workers=3)
    schedule_task(problem.tasks[0], problem.library, design(), "none", unlimited, 0)
    assert seen[-1] == unlimited
