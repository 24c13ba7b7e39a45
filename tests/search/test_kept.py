"""Kept schedules: read back as they were, checked, never of another problem, and where a longer search begins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import accmine.search.schedules as module
from accmine.errors import CheckError
from accmine.ports import Stop
from accmine.report import Watch
from accmine.search import Kept, Session, schedule_tasks
from accmine.search.kept import digest_of, results_from_json, results_to_json, schedules_from_json, schedules_to_json
from accmine.search.schedules import lowered_of
from accmine.study.parts import Budget as Limits
from tests.samples.search_sample import design, pipeline, planned, session


class Heard(Watch):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)


def opened(store: Kept | None = None, seconds: float | None = 5.0, **limits: Any) -> Session:
    """A session that keeps what it finishes."""
    plan, library = planned(models=("gpt",), search={"refine": "none"}, **pipeline(2))
    own = Limits(seconds=seconds, **limits)
    return session(plan, library, Stop(work=50.0), store=store or Kept(), limits=own, watch=Heard())


def jobs(here: Session) -> list[Any]:
    return [(task, here.library, design(cores)) for task in here.plan.tasks for cores in (1, 2)]


def counted(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What every schedule that is made begins with."""
    made: list[Any] = []
    real = module.schedule_task

    def count(*arguments: Any, **named: Any) -> Any:
        made.append(named.get("known"))
        return real(*arguments, **named)

    monkeypatch.setattr(module, "schedule_task", count)
    return made


def cycles(schedules: list[Any]) -> list[Any]:
    return [[phase.cycles for phase in own.phases] for own in schedules]


def test_schedules_are_read_back_as_they_were() -> None:
    here = opened()
    done = schedule_tasks(here, jobs(here), "none", Stop(work=20.0))
    for own in done:
        problems = [phase.lowered.problem for phase in own.phases]
        results = tuple(phase.result for phase in own.phases)
        again = results_from_json(problems, results_to_json(results))
        for a, b in zip(results, again, strict=True):
            assert (a.objective, a.bound, a.bound_method, a.solver) == (b.objective, b.bound, b.bound_method, b.solver)
            assert (a.status, a.stop, b.verified) == (b.status, b.stop, True)
            assert a.solution is not None
            assert b.solution is not None
            assert np.array_equal(a.solution.start, b.solution.start)
            assert np.array_equal(a.solution.mode, b.solution.mode)
    members = {(0, s): own for s, own in enumerate(done[::2])}
    read = schedules_from_json(here, schedules_to_json(members))
    assert cycles(list(read.values())) == cycles(list(members.values()))
    assert not any(own.settled for own in read.values()), "more effort may go into them"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda row: row.update(start=[0] * len(row["start"])), "operator-schedule"),
        (lambda row: row.update(cycles=row["cycles"] - 1), "claimed"),
        (lambda row: row.update(bound=row["cycles"] + 1), "bound"),
        (lambda row: row.update(bound=None, status="optimal"), "optimal"),
        (lambda row: row["start"].pop(), "not one of"),
        (lambda row: row.update(mode=[99] * len(row["mode"])), "out of bounds"),
    ],
)
def test_a_kept_schedule_is_a_claim(change: Callable[[Any], None], message: str) -> None:
    here = opened()
    (own, *_) = schedule_tasks(here, jobs(here), "none", Stop(work=20.0))
    rows = results_to_json(tuple(phase.result for phase in own.phases))
    change(rows[0])
    with pytest.raises((CheckError, ValueError, IndexError), match=message):
        results_from_json([phase.lowered.problem for phase in own.phases], rows)


def test_a_schedule_of_another_problem_has_another_name() -> None:
    here = opened()
    task = here.plan.tasks[0]
    (one,) = (lowered_of(task, here.library, design(1))[0].problem,)
    others = [
        lowered_of(task, here.library, design(2))[0].problem,
        replace(one, capacity=one.capacity + 1),
        replace(one, edges=one.edges[1:]),
        replace(one, mode_sets=(replace(one.mode_sets[0], duration=one.mode_sets[0].duration + 1), *one.mode_sets[1:])),
    ]
    names = {digest_of(problem) for problem in (one, *others)}
    assert len(names) == 1 + len(others)
    assert digest_of(replace(one, names=tuple(f"other {name}" for name in one.names))) == digest_of(one)


def test_finished_schedules_are_not_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    made, store = counted(monkeypatch), Kept()
    first = opened(store)
    done = schedule_tasks(first, jobs(first), "none", Stop(work=20.0))
    count = len(made)
    assert count >= 3
    for seconds in (5.0, 1.0):
        here = opened(store, seconds)
        again = schedule_tasks(here, jobs(here), "none", Stop(work=20.0))
        assert len(made) == count
        assert cycles(again) == cycles(done)
        assert all(own.settled for own in again)
    list_only = schedule_tasks(opened(store), jobs(first), "list", Stop())
    assert len(made) == 2 * count, "those are quicker than a file"
    assert all(a >= b for x, y in zip(cycles(list_only), cycles(done), strict=True) for a, b in zip(x, y, strict=True))


def test_a_longer_budget_begins_with_what_a_shorter_one_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Kept()
    first = opened(store)
    done = schedule_tasks(first, jobs(first), "none", Stop(work=20.0))
    proved = [all(phase.result.status == "optimal" for phase in own.phases) for own in done]
    made = counted(monkeypatch)
    longer = opened(store, 6.0)
    again = schedule_tasks(longer, jobs(longer), "none", Stop(work=1e-3))
    assert len(made) < len(done) or not any(proved), "what is proven is not made again"
    assert made
    assert None not in made
    assert all(a <= b for x, y in zip(cycles(again), cycles(done), strict=True) for a, b in zip(x, y, strict=True))
    unlimited = opened(store, None)
    once = schedule_tasks(unlimited, jobs(unlimited), "none", Stop(work=20.0), once=True)
    assert len(made) > len(again) - sum(proved), "a reference has a name of its own"
    assert cycles(schedule_tasks(opened(store, 7.0), jobs(first), "none", Stop(work=20.0), once=True)) == cycles(once)


def test_a_run_that_repeats_names_what_was_granted(monkeypatch: pytest.MonkeyPatch) -> None:
    made, store = counted(monkeypatch), Kept()
    here = opened(store, deterministic=True)
    schedule_tasks(here, jobs(here)[:1], "none", Stop(work=20.0))
    left = here.budget.work_left
    again = opened(store, deterministic=True)
    schedule_tasks(again, jobs(again)[:1], "none", Stop(work=20.0))
    assert len(made) == 1
    assert again.budget.work_left == left
    schedule_tasks(again, jobs(again)[:1], "none", Stop(work=21.0))
    assert len(made) == 2


def test_without_limits_nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    made, store = counted(monkeypatch), Kept()
    for _ in range(2):
        here = opened(store)
        here.limits = None
        schedule_tasks(here, jobs(here)[:1], "none", Stop(work=20.0))
    assert len(made) == 2


def test_a_damaged_part_is_said_and_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Kept()
    first = opened(store)
    done = schedule_tasks(first, jobs(first)[:1], "none", Stop(work=20.0))
    (key,) = store._table
    made = counted(monkeypatch)
    damages: list[dict[str, Any]] = [{}, {"part": {}}, {"limits": {}}, {"part": {"phases": [{}]}}, {"left": None}]
    for damage in damages:
        row = dict(store._table[key])
        store.put(key, row | damage if damage else {"another": "form"})
        here = opened(store)
        assert cycles(schedule_tasks(here, jobs(here)[:1], "none", Stop(work=20.0))) == cycles(done)
        assert isinstance(here.watch, Heard)
        (said,) = here.watch.said
        assert f"not used: {key}" in said
    assert len(made) == 5
