"""Candidates and the selection among them, against brute force over tiny sets."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import product
from math import inf, sqrt
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accmine import registry
from accmine.errors import CheckError
from accmine.hardware import smallest
from accmine.plan import Plan, under_limits
from accmine.ports import Stop
from accmine.problems.design_search import Evaluation, Solution, by_value, evaluate, evaluated, fits, lowered, ranked
from accmine.record import Record
from accmine.result import Status, StopReason
from accmine.search import (
    RUN,
    Budget,
    GroupCandidates,
    Session,
    confirm,
    mine,
    pareto,
    proposed,
    schedule_task,
    search_problem,
    select,
    study_value,
)
from accmine.search.candidates import shares
from accmine.search.selection import settle
from accmine.solving import solve
from tests.samples.search_sample import brute_groups, design, pipeline, planned, session

CLOSE = 1e-5  # the integer selection rounds times up


def brute(plan: Plan, groups: list[GroupCandidates]) -> list[tuple[float, float, float]]:
    """(value, area, TDP) of every choice within the limits."""
    found = []
    for picked in product(*(g.candidates for g in groups)):
        times: dict[tuple[int, int], tuple[float, ...]] = {}
        area = tdp = 0.0
        for g, e in zip(groups, picked, strict=True):
            times |= {member: g.phase_s(e, i) for i, member in enumerate(g.group.members)}
            count = len(g.group.members)
            if plan.study.deployment == "time-shared":
                count = plan.devices
            area, tdp = area + count * e.area_mm2, tdp + count * e.tdp_w
        if area > plan.area_mm2 or tdp > plan.tdp_w:
            continue
        by_stage = [[times[w, s] for s in range(len(p.tasks))] for w, p in enumerate(plan.pipelines)]
        found.append((float(study_value(plan, by_stage, tdp)), area, tdp))
    return found


CASES: list[dict[str, Any]] = [
    {"models": ("mlp",), "mode": "heterogeneous"},
    {"models": ("gpt",), "mode": "heterogeneous", **pipeline(2)},
    {"models": ("gpt",), "mode": "homogeneous", **pipeline(2, schedule="gpipe")},
    {"models": ("mlp",), "mode": "heterogeneous", "limits": {"area": "829 mm^2"}, **pipeline(2)},
    {"models": ("mlp",), "mode": "common", "limits": {"tdp": "146.5 W"}, **pipeline(2)},
    {"models": ("mlp", "gpt"), "mode": "common"},
    {"models": ("mlp", "gpt"), "mode": "common", "deployment": "concurrent", "limits": {"area": "830 mm^2"}},
    {"models": ("mlp", "gpt"), "mode": "homogeneous", "aggregate": "mean", "limits": {"area": "829 mm^2"}},
    {"models": ("mlp", "gpt"), "mode": "common", **pipeline(2)},
    {"models": ("mlp", "gpt"), "mode": "homogeneous", **pipeline(2)},
]
OBJECTIVES: list[dict[str, Any]] = [
    {"objective": "throughput"},
    {"objective": "bottleneck"},
    {"objective": "throughput-per-tdp", "floor": 0},
    {"objective": "throughput-per-tdp", "floor": 1.1},
]


SOME = [(case, OBJECTIVES[i % 4]) for i, case in enumerate(CASES)]
OTHERS = [(case, o) for i, case in enumerate(CASES) for k, o in enumerate(OBJECTIVES) if k != i % 4]
SAMPLED = [*SOME, *(pytest.param(*pair, marks=pytest.mark.full) for pair in OTHERS)]


@pytest.mark.parametrize(("case", "objective"), SAMPLED)
def test_select_is_the_best_of_all_choices(case: dict[str, Any], objective: dict[str, Any]) -> None:
    plan, library = planned(**case, **objective)
    groups = brute_groups(plan, library, case["mode"], count=9)
    every = [row for row in brute(plan, groups) if row[0] < inf]
    found = select(session(plan, library), case["mode"], groups, Stop())
    if not every:
        assert found.result.status is Status.INFEASIBLE
        assert found.chosen == ()
        assert found.value == inf
        return
    assert found.result.status is Status.OPTIMAL
    least = min(row[0] for row in every)
    assert found.value == pytest.approx(least, rel=1.1e-3), "the best, or tied with it"
    assert any(row == pytest.approx((found.value, found.area_mm2, found.tdp_w), rel=1e-9) for row in every), (
        "it is one of the choices, with its own area and TDP"
    )
    assert found.area_mm2 <= plan.area_mm2 * (1 + 1e-9)
    assert found.tdp_w <= plan.tdp_w * (1 + 1e-9)
    for g, own in zip(found.groups, found.chosen, strict=True):
        assert all(found.design_of(member) is own for member in g.group.members)
    for p, own_s, step in zip(plan.pipelines, found.phase_s, found.step_s, strict=True):
        assert step == p.step_s(own_s)


def test_shares_are_a_geometric_grid_around_an_even_split() -> None:
    assert shares(1) == (1.0,)
    assert shares(5) == pytest.approx((0.5, sqrt(0.5), 1.0, sqrt(2), 2.0))
    assert shares(2)[-1] == 1.0


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(1, 5)), min_size=1, max_size=20))
def test_pareto(rows: list[tuple[int, int, int]]) -> None:
    every = [
        Evaluation(design(i + 1), (), (), float(area), float(tdp), float(value), float(value))
        for i, (value, area, tdp) in enumerate(rows)
    ]
    kept = pareto(every)
    of = {e.design: (e.relative, e.area_mm2, e.tdp_w) for e in every}
    for e in every:
        own = of[e.design]
        beaten = any(all(a <= b for a, b in zip(of[k.design], own, strict=True)) for k in kept)
        assert beaten, "everything is matched by something kept"
    for k in kept:
        others = [of[o.design] for o in every if of[o.design] != of[k.design]]
        assert not any(all(a <= b for a, b in zip(o, of[k.design], strict=True)) for o in others)
    assert len({of[k.design] for k in kept}) == len(kept)


def test_search_problems_split_the_limits() -> None:
    limits = {"area": "830 mm^2", "tdp": "300 W"}
    plan, library = planned(models=("gpt",), limits=limits, **pipeline(2))
    (one,) = plan.groups("common")
    together = search_problem(plan, one, 1, library)
    assert (together.area_mm2, together.tdp_w, together.shares) == (415.0, 150.0, ())
    assert len(together.tasks) == 2
    for group in plan.groups("heterogeneous"):
        apart = search_problem(plan, group, 2, library)
        assert (apart.area_mm2, apart.tdp_w) == (830.0, 300.0)
        assert len(apart.shares) == 5
        assert apart.shares[2] == pytest.approx((415.0, 150.0), rel=1e-12), "the even split"
        assert list(apart.shares) == sorted(apart.shares)
        least = smallest(plan.template, plan.technology)
        assert all(area > least.area_mm2 and tdp > (least.tdp_w or 0.0) for area, tdp in apart.shares)
        assert apart.reference_s == (max(plan.reference_busy_s[0]),)
    alone, library = planned(models=("gpt",), device_limits={"area": "414 mm^2"}, limits={"area": "500 mm^2"})
    problem = search_problem(alone, alone.groups("heterogeneous")[0], 1, library)
    assert problem.area_mm2 == 414.0
    assert problem.reference_s == alone.reference_s


def test_equal_problems_are_mined_once() -> None:
    plan, library = planned(models=("gpt",), limits={"area": "830 mm^2"}, **pipeline(2))
    first, second = (search_problem(plan, group, 2, library) for group in plan.groups("heterogeneous"))
    here = session(plan, library)
    one, two, other = mine(here, [first, replace(first), second], Stop())
    assert one is two is not other
    with ThreadPoolExecutor(2) as executor:
        shared = session(plan, library, executor=executor)
        apart = mine(shared, [first, replace(first), second], Stop(workers=2))
    assert [own.pool for own in apart] == [own.pool for own in (one, two, other)]
    assert mine(here, [first], Stop(seconds=0), first=(plan.baseline,))[0].pool[0].design == plan.baseline


class Spy:
    """A registered heuristic of another package that notes its seeds and offers the designs it is told first."""

    name = "spy"
    seeds: ClassVar[list[int]] = []

    def search(self, record: Record[Solution]) -> StopReason:
        self.seeds.append(record.seed)
        problem = record.problem
        for first in problem.first:
            rows: Any = [[solve(p.problem, "critical-path").solution for p in row] for row in lowered(problem, first)]
            record.offer(Solution(first, tuple(map(tuple, rows))))
        return StopReason.FINISHED


@pytest.fixture
def spy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.SOLVERS, ("design-search", "spy"), "tests.search.test_candidates:Spy")
    monkeypatch.setattr(Spy, "seeds", [])
    monkeypatch.setattr(registry, "_load", lambda target, load=registry._load: Spy if "Spy" in target else load(target))


@pytest.mark.usefixtures("spy")
def test_the_seed_reaches_every_heuristic() -> None:
    plan, library = planned(models=("gpt",), limits={"area": "830 mm^2"}, **pipeline(2))
    problems = [search_problem(plan, group, 2, library) for group in plan.groups("heterogeneous")]
    for seed in (1, 2):
        own = Session(plan, library, Budget(RUN, Stop(), seed))
        mine(own, problems, Stop(), method="spy")
    assert Spy.seeds == [1, 1, 2, 2]


@pytest.mark.usefixtures("spy")
def test_what_a_heuristic_offers_is_proposed_without_a_pool_of_its_own() -> None:
    plan, library = planned(models=("mlp",))
    problem = search_problem(plan, plan.groups("heterogeneous")[0], 1, library)
    (found,) = mine(session(plan, library), [problem], Stop(), method="spy", first=(plan.baseline,))
    assert found.solution is not None
    assert found.verified
    assert found.pool == (evaluated(problem, found.solution),)
    assert proposed(found, False, (), 1) == [plan.baseline]
    (nothing,) = mine(session(plan, library), [problem], Stop(), method="spy")
    assert (nothing.pool, nothing.finished, nothing.status) == ((), True, Status.UNKNOWN)


@pytest.mark.usefixtures("spy")
def test_a_design_that_does_not_fit_never_leaves_a_heuristic() -> None:
    plan, library = planned(models=("mlp",), limits={"area": "417 mm^2"})
    problem = search_problem(plan, plan.groups("heterogeneous")[0], 1, library)
    outside = design(4, 2)
    assert not fits(problem, outside)
    with pytest.raises(CheckError, match="spy: area"):
        mine(session(plan, library), [problem], Stop(), method="spy", first=(outside,))


def test_sketches_are_mined_and_the_tasks_confirmed() -> None:
    plan, library = planned(models=("mlp", "gpt"), mode="common", limits={"area": "417 mm^2"})
    (group,) = plan.groups("common")
    problem = search_problem(plan, group, 1, library)
    sketch = search_problem(plan, group, 1, library, sketch=True)
    assert sketch.tasks == tuple(p.sketch[0] for p in plan.pipelines)
    assert (sketch.reference_s, sketch.area_mm2) == (problem.reference_s, problem.area_mm2)
    (found,) = mine(session(plan, library), [sketch], Stop(), method="wham-like", options={"top_k": 3})
    outside = design(4, 2)
    assert not fits(problem, outside)
    chosen = proposed(found, False, (plan.baseline, outside), 3)
    assert set(chosen) >= {e.design for e in ranked(found.pool, 3)} | {plan.baseline}
    assert len(set(chosen)) == len(chosen) <= 3 * 3 + 2
    here = session(plan, library)
    known = here.cycles
    confirmed = confirm(here, problem, chosen, Stop())
    assert {e.design for e in confirmed} == set(chosen) - {outside}
    assert list(confirmed) == by_value(confirmed)
    for e in confirmed:
        cycles = tuple(
            tuple(phase.cycles for phase in schedule_task(task, library, e.design, "list", Stop(), 0).phases)
            for task in problem.tasks
        )
        assert e == evaluate(problem, e.design, cycles)
        assert [known[task, e.design] for task in problem.tasks] == list(cycles)
    again = confirm(here, problem, chosen, Stop(seconds=0))
    assert again == confirmed, "what is known costs no time"


def test_under_shared_limits_a_spread_of_the_front_is_proposed() -> None:
    plan, library = planned(models=("gpt",), limits={"area": "832 mm^2"}, **pipeline(2))
    problem = search_problem(plan, plan.groups("heterogeneous")[0], 2, library, sketch=True)
    (found,) = mine(session(plan, library), [problem], Stop())
    front = {e.design for e in pareto(found.pool)}
    few, many = proposed(found, True, (), 1), proposed(found, True, (), 1000)
    assert set(few) <= set(many) >= front
    assert len(few) <= len(many)
    fastest = min(found.pool, key=lambda e: (e.relative, e.area_mm2, e.tdp_w))
    assert fastest.design in few


def test_settle_takes_the_times_of_the_final_schedules() -> None:
    plan, library = planned(models=("gpt",), **pipeline(2))
    groups = brute_groups(plan, library, "heterogeneous", count=5)
    chosen = select(session(plan, library), "heterogeneous", groups, Stop())
    final = {
        (w, s): schedule_task(task, library, chosen.design_of((w, s)).design, "none", Stop(), 0)
        for w, p in enumerate(plan.pipelines)
        for s, task in enumerate(p.tasks)
    }
    settled = settle(plan, chosen, final)
    assert settled.value <= chosen.value, "the whole portfolio is no worse than its quick part"
    assert settled.phase_s == tuple(tuple(final[0, s].phase_s for s in range(2)) for _ in plan.pipelines)
    assert settled.step_s == tuple(p.step_s(own) for p, own in zip(plan.pipelines, settled.phase_s, strict=True))
    assert [e.design for e in settled.chosen] == [e.design for e in chosen.chosen]
    for g, e in zip(settled.groups, settled.chosen, strict=True):
        assert e.cycles == tuple(tuple(p.cycles for p in final[m].phases) for m in g.group.members)
    assert (settled.area_mm2, settled.tdp_w) == (chosen.area_mm2, chosen.tdp_w)


def test_an_impossible_selection_says_so() -> None:
    plan, library = planned(models=("mlp",), **pipeline(2))
    groups = brute_groups(plan, library, "heterogeneous", count=3)
    tight = under_limits(plan, {"limits.area": 700.0})
    found = select(session(tight, library), "heterogeneous", groups, Stop())
    assert found.result.status is Status.INFEASIBLE
    assert found.result.conflict
    assert found.result.remedy
    assert found.value == inf
