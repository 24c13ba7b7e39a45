"""Refinement: equal work once, limits of all schedules together, answers that fall and pass the check."""

from __future__ import annotations

from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import replace
from typing import Any, cast

import pytest

import accmine.search.schedules as module
from accmine.errors import CheckError
from accmine.hardware.technology import area_mm2, tdp_w
from accmine.plan import Plan
from accmine.ports import Stop
from accmine.search import (
    RUN,
    Budget,
    Session,
    answer_of,
    choose,
    own_bound,
    references,
    schedule_task,
    schedule_tasks,
    verified,
)
from accmine.search.refine import refine
from tests.samples.search_sample import (
    Shape,
    brute_groups,
    design,
    graph_of,
    pipeline,
    planned,
    search,
    session,
    task_of,
)


def alone(executor: Executor | None = None) -> Session:
    """A session without a plan: schedules of given jobs need none."""
    return Session(cast(Plan, None), cast(Any, None), Budget(RUN, Stop()), executor)


def counting(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, Stop]]:
    """Every schedule that is made, with its limits."""
    made: list[tuple[Any, Stop]] = []
    real = module.schedule_task

    def counted(task: Any, library: Any, d: Any, refine: str, stop: Stop, seed: int) -> Any:
        made.append((d, stop))
        return real(task, library, d, refine, stop, seed)

    monkeypatch.setattr(module, "schedule_task", counted)
    return made


def test_equal_tasks_on_equal_designs_are_scheduled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made = counting(monkeypatch)
    shape: list[Shape] = [("gemm", 64, ()), ("vector", 300, (0,))]
    twins = [task_of(graph_of(shape), name="a"), task_of(graph_of(shape, ["x", "y"]), name="b")]
    problem = search([*twins, task_of(graph_of(shape[:1]), name="c")])
    a, b, c = problem.tasks
    jobs = [(a, problem.library, design()), (b, problem.library, design()), (c, problem.library, design())]
    jobs.append((a, problem.library, design(4)))
    here = alone()
    done = schedule_tasks(here, jobs, "list", Stop())
    assert len(made) == 3
    assert [schedule.task.name for schedule in done] == ["a", "b", "c", "a"]
    assert [p.result for p in done[0].phases] == [p.result for p in done[1].phases]
    assert [schedule.design for schedule in done] == [design(), design(), design(), design(4)]
    assert schedule_tasks(here, [], "list", Stop()) == []


@pytest.mark.parametrize("workers", [1, 2, 8])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_limits_of_all_schedules_together_hold(monkeypatch: pytest.MonkeyPatch, workers: int, count: int) -> None:
    made = counting(monkeypatch)
    problem = search([task_of(graph_of([("gemm", 64, ())]))])
    jobs = [(problem.tasks[0], problem.library, design(n)) for n in (1, 2, 4)[:count]]
    stop = Stop(seconds=6.0, work=60.0, workers=workers)
    with ThreadPoolExecutor(workers) as executor:
        many = schedule_tasks(alone(executor if workers > 1 else None), jobs, "none", stop)
    single = [schedule_task(*job, "none", Stop(), 0) for job in jobs]
    assert [s.phases[0].cycles for s in many] == [s.phases[0].cycles for s in single]
    limits = [limit for _, limit in made[:count]]
    at_once = min(workers, count)
    for limit in limits:
        assert limit.seconds is not None
        assert limit.work is not None
        assert limit.seconds <= 6.0
        assert limit.workers == (workers if count == 1 or workers == 1 else 1)
    first = limits[0].seconds
    assert first is not None
    assert first * -(-count // at_once) <= 6.0 * (1 + 1e-9), "one after the other on all workers"
    assert sum(limit.work or 0.0 for limit in limits) == pytest.approx(60.0)


CASES: list[dict[str, Any]] = [
    {"models": ("gpt",)},
    {"models": ("gpt",), **pipeline(2)},
    {"models": ("mlp", "gpt"), "mode": "common"},
    {"models": ("gpt",), "objective": "throughput-per-tdp", "floor": 0.5, **pipeline(2)},
]


def opened(**keys: Any) -> Session:
    plan, library = planned(**({"mode": "heterogeneous"} | keys), search={"refine": "none"})
    return session(plan, library)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_answers_are_verified_and_no_worse_than_the_first_choice(case: dict[str, Any]) -> None:
    here = opened(**case)
    plan = here.plan
    groups = brute_groups(plan, here.library, plan.study.mode, count=6)
    first = choose(here, plan.study.mode, groups, Stop())
    answers = list(refine(here, first))
    assert answers
    assert all(answer.value <= first.value * (1 + 1e-9) for answer in answers[:1])
    for answer in answers:
        again = answer_of(plan, answer.final)
        assert (again.value, again.area_mm2) == pytest.approx((answer.value, answer.area_mm2))
        chosen = {schedule.design for schedule in answer.final.values()}
        assert answer.selection is not None
        assert chosen == {e.design for e in answer.selection.chosen}
        assert own_bound(plan, answer) <= answer.value


def test_area_and_tdp_are_those_of_all_chips() -> None:
    here = opened(models=("gpt",), **pipeline(2))
    groups = brute_groups(here.plan, here.library, "heterogeneous", count=4)
    answer = verified(here, choose(here, "heterogeneous", groups, Stop()))
    designs, technology = answer.designs(), here.plan.technology
    assert answer.area_mm2 == pytest.approx(sum(area_mm2(d, technology) for d in designs))
    assert answer.tdp_w == pytest.approx(sum(tdp_w(d, technology) for d in designs))


def test_a_schedule_that_breaks_a_rule_is_found_out() -> None:
    here = opened(models=("gpt",))
    chosen = choose(here, "heterogeneous", brute_groups(here.plan, here.library, "heterogeneous", count=2), Stop())
    verified(here, chosen)
    ((key, schedule),) = here.schedules.items()
    result = schedule.phases[0].result
    assert result.solution is not None
    wrong = replace(result, solution=replace(result.solution, start=result.solution.start * 0))
    phases = (replace(schedule.phases[0], result=wrong), *schedule.phases[1:])
    here.schedules[key] = replace(schedule, phases=phases)
    with pytest.raises(CheckError):
        verified(here, chosen)


def test_the_baseline_is_the_reference_and_a_candidate() -> None:
    here = opened(models=("mlp", "gpt"), mode="common")
    references(here)
    for (w, s), known in ((member, t) for (member, _), t in here.schedules.items()):
        pipeline_plan = here.plan.pipelines[w]
        assert known.design == here.plan.baseline
        assert here.cycles[pipeline_plan.tasks[s], known.design] == tuple(phase.cycles for phase in known.phases)
        assert here.plan.reference_s[w] == pipeline_plan.step_s([known.phase_s])
    assert here.list_s > 0
