"""The critical-path solver: slack, portfolio, limits."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.errors import InputError
from accmine.ports import Solver, Stop
from accmine.problems.operator_schedule import (
    Problem,
    Solution,
    bound,
    check,
    lower_bound,
    objective,
    problem_from_json,
)
from accmine.questions.gap.schedules.problems import phase_problems, studies_of
from accmine.registry import make_solver
from accmine.result import Status, StopReason
from accmine.search.schedules import FULL_PASSES
from accmine.solvers.operator_schedule.critical_path import PASSES, PORTFOLIO, CriticalPath, quick, slack
from accmine.solvers.operator_schedule.insertion import Inserter
from accmine.solvers.operator_schedule.list_schedule import ListScheduler
from accmine.solvers.operator_schedule.portfolio import schedule_work
from accmine.solving import solve


def make(seed: int, n: int, capacity: int = 2) -> Problem:
    rng = random.Random(seed)
    operations = []
    for i in range(n):
        modes = [
            {"duration": rng.randint(0, 60), "uses": {"t": rng.randint(0, capacity), "hbm": rng.randint(0, 50)}}
            for _ in range(rng.randint(1, 3))
        ]
        after = [f"o{j}" for j in rng.sample(range(i), k=min(i, rng.randint(0, 2)))]
        operations.append({"name": f"o{i}", "modes": modes, "after": after})
    return problem_from_json({"resources": {"t": capacity, "hbm": 50}, "operations": operations})


def test_is_a_registered_solver() -> None:
    solver = make_solver("operator-schedule", "critical-path")
    assert isinstance(solver, Solver)
    assert solver.name == "critical-path"


def test_slack_of_a_diamond() -> None:
    def one(name: str, duration: int, *after: str) -> dict[str, Any]:
        return {"name": name, "duration": duration, "after": list(after)}

    problem = problem_from_json(
        {"operations": [one("a", 3), one("b", 10, "a"), one("c", 4, "a"), one("d", 2, "b", "c")]}
    )
    times = slack(problem)
    assert times.asap.tolist() == [0, 3, 3, 13]
    assert times.alap.tolist() == [0, 3, 9, 13]
    assert times.slack.tolist() == [0, 0, 6, 0]
    assert times.length == 15


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 25))
def test_results_are_valid_and_bounded(seed: int, n: int) -> None:
    problem = make(seed, n)
    result = solve(problem, CriticalPath(), stop=Stop())
    assert result.solution is not None
    assert check(problem, result.solution) == ()
    assert result.objective == objective(problem, result.solution)
    assert (result.bound, result.bound_method) in (bound(problem), lower_bound(problem))
    assert result.bound is not None
    assert result.objective is not None
    assert result.bound <= result.objective
    assert (result.status is Status.OPTIMAL) == (result.objective == result.bound)
    assert (result.stop is StopReason.PROVED) == (result.status is Status.OPTIMAL)
    values, bounds = [row[1] for row in result.trace if row[1] is not None], [row[2] for row in result.trace]
    assert values == sorted(values, key=lambda v: -(v or 0))
    assert bounds == sorted(bounds, key=lambda b: b or 0)
    assert result.objective <= objective(problem, quick(problem))


def hard() -> Problem:
    """The bound is not met: 3 equal operations on 2 cores that cannot be split."""
    return problem_from_json(
        {
            "resources": {"t": 2},
            "operations": [{"name": f"a{i}", "duration": 10, "uses": {"t": 1}} for i in range(3)],
        }
    )


def test_limits_are_kept_and_one_pass_is_always_made() -> None:
    passes: list[int] = []

    def count(stop: Stop) -> tuple[StopReason, int]:
        calls: list[str] = []
        solver = CriticalPath()
        result = solve(
            hard(), solver, stop=stop, on_progress=lambda _, value, __: calls.extend([] if value is None else "x")
        )
        assert result.solution is not None
        assert result.objective == 20
        assert result.bound == 15
        passes.append(len(calls))
        return result.stop, len(calls)

    assert count(Stop(seconds=0))[0] is StopReason.TIME
    assert count(Stop(work=1))[0] is StopReason.TIME
    assert count(Stop(work=100))[0] is StopReason.TIME
    assert count(Stop())[0] is StopReason.FINISHED
    assert count(Stop(gap=0.25))[0] is StopReason.GAP
    assert passes == [1] * 5


def test_work_counts_schedules_of_both_kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    from accmine.solvers.operator_schedule import critical_path

    made: list[str] = []
    real: Callable[..., Solution] = critical_path._one_pass

    def spy(scheduler: Any, name: str, *rest: Any) -> Solution:
        made.append(name)
        return real(scheduler, name, *rest)

    inserted: Callable[..., Solution] = Inserter.run

    def spy_on_insertion(self: Any, *rest: Any, reverse: bool = False, **more: Any) -> Solution:
        made.append("insertion")
        return inserted(self, *rest, reverse=reverse, **more)

    monkeypatch.setattr(critical_path, "_one_pass", spy)
    monkeypatch.setattr(Inserter, "run", spy_on_insertion)
    solve(hard(), CriticalPath(), stop=Stop(work=3))
    assert made == list(PORTFOLIO[:3])
    made.clear()
    solve(hard(), CriticalPath(), stop=Stop(work=PASSES + 3))
    assert len(made) == PASSES + 3
    assert made.count("insertion") == 6
    made.clear()
    solve(hard(), CriticalPath(), stop=Stop())
    assert len(made) == PASSES == FULL_PASSES


def idle_pays() -> Problem:
    """One core, one unit of memory traffic: c, long and with slack, is ready at 0, when critical b is not yet."""
    operations = [
        {"name": "a", "duration": 2},
        {"name": "b", "duration": 10, "uses": {"core": 1}, "after": ["a"]},
        {"name": "d", "duration": 10, "after": ["b"]},
        {"name": "c", "duration": 9, "uses": {"core": 1}},
    ]
    return problem_from_json({"resources": {"core": 1}, "operations": operations})


def test_waits_for_a_critical_operation_where_list_schedules_do_not() -> None:
    problem = idle_pays()
    assert objective(problem, ListScheduler(problem).run()) == 29
    inserted = Inserter(problem).run()
    assert objective(problem, inserted) == 22
    result = solve(problem, CriticalPath())
    assert result.objective == 22 == result.bound


def test_same_seed_same_result_and_seeds_differ() -> None:
    problem = make(11, 60)
    first = solve(problem, CriticalPath(), stop=Stop(work=40), seed=3)
    again = solve(problem, CriticalPath(), stop=Stop(work=40), seed=3)
    assert first.solution is not None
    assert again.solution is not None
    assert (first.solution.start == again.solution.start).all()
    assert (first.solution.mode == again.solution.mode).all()
    values = {solve(make(5, 60), CriticalPath(), stop=Stop(work=30), seed=s).objective for s in range(8)}
    assert len(values) > 1  # the random tries are used


def test_a_hint_is_never_made_worse_and_a_wrong_one_is_refused() -> None:
    problem = make(21, 30)
    best = solve(problem, CriticalPath(), stop=Stop(work=60)).solution
    assert best is not None
    hinted = solve(problem, CriticalPath(), stop=Stop(work=1), hint=best)
    assert hinted.objective is not None
    assert hinted.objective <= objective(problem, best)
    wrong = Solution(best.start - 1, best.mode)
    with pytest.raises(InputError, match="the hint is not a solution"):
        solve(problem, CriticalPath(), stop=Stop(), hint=wrong)


def test_ctrl_c_keeps_the_best() -> None:
    seen: list[Any] = []

    def interrupt(*row: Any) -> None:
        if row[1] is not None:
            seen.append(row)
            raise KeyboardInterrupt

    result = solve(hard(), CriticalPath(), stop=Stop(), on_progress=interrupt)
    assert result.stop is StopReason.INTERRUPTED
    assert result.objective == 20
    assert len(seen) == 1


def test_more_of_a_resource_never_raises_the_bound() -> None:
    for seed in range(20):
        small, large = make(seed, 20, 2), make(seed, 20, 2)
        wider = Problem(
            large.resources,
            large.capacity * np.array([2, 3]),
            large.names,
            large.mode_sets,
            large.mode_set,
            large.edges,
        )
        assert lower_bound(wider)[0] <= lower_bound(small)[0]


def test_quick_refuses_nothing_and_the_unknown() -> None:
    with pytest.raises(InputError, match="at least one policy"):
        quick(hard(), [])
    with pytest.raises(InputError, match="unknown policy 'slow'"):
        quick(hard(), ["slow/reverse"])
    assert objective(hard(), quick(hard(), ["fair"])) == 20


MODELS = (
    *("mobilenet-v3-large", "resnet-18", "inception-v3", "resnext-101", "vgg-16", "gnmt-4"),
    *("bert-base", "bert-large", "opt-1.3b", "gpt2-xl", "gpt-3-175b"),
)


@pytest.mark.full
@pytest.mark.parametrize("model", MODELS)
def test_neither_it_nor_auto_loses_to_textbook_rules(model: str) -> None:
    ((name, study, _),) = studies_of([], "wham", [model])
    # Of a pipeline the first stage: the others differ in the number of layers.
    found = [own for own in phase_problems(name, study) if own.phase != "update" and own.stages[:1] in ((), (0,))]
    assert [own.phase for own in found] in (["step"], ["forward", "backward"])
    for problem in (own.problem for own in found):
        rules = [ListScheduler(problem).run(), Inserter(problem).run()]
        rule = min(objective(problem, solution) for solution in rules)
        few = Stop(work=80 * schedule_work(problem))  # 5 s on an idle machine are more for all of them
        for solver, stop in (("critical-path", Stop()), ("auto", few)):
            result = solve(problem, solver, stop=stop)
            assert result.objective is not None
            assert result.objective <= rule, (solver, result.objective, rule)


def test_the_suite_has_these_models() -> None:
    assert tuple(name for name, _, _ in studies_of([], "wham")) == MODELS
