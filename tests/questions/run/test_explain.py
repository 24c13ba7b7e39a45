"""Why: the split of the time, the way to the answer, active limits, and what nearly won."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple, replace
from math import inf
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.hardware import Design
from accmine.hardware.technology import area_mm2, tdp_w
from accmine.plan import Plan
from accmine.ports import Stop
from accmine.questions.run.explain import change_designs, changes, limit_rows, nearest, time_split
from accmine.search import Selection, schedule_task, select
from tests.samples.search_sample import (
    Shape,
    brute_groups,
    design,
    designs,
    graph_of,
    pipeline,
    planned,
    search,
    session,
    shapes,
    task_of,
    template,
)

WIDE = template(
    tensor_rows=(4, 8),
    vector_lanes=(4, 8),
    tensor_sram_bytes=(1 << 16, 1 << 17),
    hbm_bytes_per_s=(7 * 10**9, 70 * 10**9),
    frequency_hz=(350_000_000, 700_000_000),
    dataflow=("ws", "os"),
)


def test_arithmetic_at_the_peak_is_that_of_the_type() -> None:
    graph = graph_of([("gemm", 300, ()), ("gemm", 200, (0,))])
    int8 = replace(graph, operators=tuple(replace(o, work=replace(o.work, dtype="int8")) for o in graph.operators))
    plain = design(4, gbps=7000)
    split = {}
    for rate in (1.0, 4.0):
        fast = replace(plain, tensor=replace(plain.tensor, rates=(("int8", rate),)))
        problem = search([task_of(int8)])
        schedule = schedule_task(problem.tasks[0], problem.library, fast, "none", Stop(), 0)
        split[rate] = time_split(schedule)
        assert all(part >= 0 for part in astuple(split[rate]))
        assert sum(astuple(split[rate])) == pytest.approx(schedule.busy_s, rel=1e-12)
    assert split[4.0].macs_s == pytest.approx(split[1.0].macs_s / 4)


@settings(max_examples=15, deadline=None)
@given(shapes(7), st.sampled_from(designs(template(hbm_bytes_per_s=(7 * 10**9, 70 * 10**9)))), st.integers(1, 4))
def test_time_is_split_without_remainder(found: list[Shape], d: Design, repeats: int) -> None:
    problem = search([task_of(graph_of(found), graph_of(found[:1]), repeats=(repeats, 1))])
    for refine in ("list", "none"):
        schedule = schedule_task(problem.tasks[0], problem.library, d, refine, Stop(), 0)
        parts = astuple(time_split(schedule))
        assert all(part >= -1e-18 for part in parts)
        assert sum(parts) == pytest.approx(schedule.busy_s, rel=1e-12)


def test_what_bounds_the_time_has_it() -> None:
    def split(found: list[Shape], d: Design) -> Any:
        problem = search([task_of(graph_of(found))])
        return time_split(schedule_task(problem.tasks[0], problem.library, d, "none", Stop(), 0))

    slow = split([("gemm", 300, ())], design(gbps=1))
    assert slow.hbm_s > 0.5 * sum(astuple(slow))
    vector = split([("vector", 300, ())], design(gbps=7000))
    assert vector.vector_s == pytest.approx(sum(astuple(vector)))
    narrow = split([("gemm", 5, ())], design(1, gbps=7000))
    assert narrow.fill_s > narrow.macs_s > 0
    slowly = split([("gemm", 300, ())], design(4, gbps=1))
    quickly = split([("gemm", 300, ())], design(4, gbps=7000))
    assert (slowly.macs_s, slowly.fill_s) == (quickly.macs_s, quickly.fill_s), "waiting for bytes is not filling"
    assert slowly.hbm_s > quickly.hbm_s == 0.0
    chain = split([("gemm", 5, ()), ("gemm", 5, (0,)), ("gemm", 5, (1,))], design(4, gbps=7000))
    assert chain.dependency_s > 0
    assert chain.idle_s == pytest.approx(0.0, abs=1e-15)


@given(st.sampled_from(designs(WIDE)), st.lists(st.sampled_from(designs(WIDE)), min_size=1, max_size=3))
def test_changes_end_at_the_answer_and_every_one_changes_something(start: Design, targets: list[Design]) -> None:
    rows = change_designs(start, targets)
    before = tuple(start for _ in targets)
    for what, after in rows:
        assert what
        assert after != before
        before = after
    assert before == tuple(targets)
    assert len({what for what, _ in rows}) == len(rows) <= 6
    assert change_designs(start, [start]) == []


def chosen(mode: str = "heterogeneous", **keys: Any) -> tuple[Plan, Selection]:
    plan, library = planned(mode=mode, **keys)
    groups = brute_groups(plan, library, mode)
    found = select(session(plan, library), mode, groups, Stop())
    assert found.chosen
    return plan, found


def devices(plan: Plan, found: Selection) -> list[Design]:
    return [found.design_of((w, s)).design for w, p in enumerate(plan.pipelines) for s in range(len(p.tasks))]


CASES: list[dict[str, Any]] = [
    {"limits": {"area": "414.9 mm^2"}},
    {"limits": {"tdp": "73.3 W"}},
    {"limits": {"area": "500 mm^2", "tdp": "500 W"}},
    {"device_limits": {"area": "414.9 mm^2", "tdp": "80 W"}},
    {"models": ("gpt",), "limits": {"area": "829 mm^2"}, **pipeline(2)},
    {"models": ("gpt",), "mode": "homogeneous", "limits": {"area": "829.9 mm^2"}, **pipeline(2)},
    {"models": ("mlp", "gpt"), "mode": "common", "limits": {"area": "414.9 mm^2"}},
    {"models": ("mlp", "gpt"), "mode": "common", "limits": {"area": "421 mm^2"}},
    {"models": ("mlp", "gpt"), "mode": "common", "deployment": "concurrent", "limits": {"area": "829.9 mm^2"}},
]


Measure = Callable[[list[Design], list[Design]], float]


def grown(plan: Plan, found: Selection) -> list[tuple[list[Design], list[Design]]]:
    """(counted chips, all) after the next number of cores of either kind on one group."""
    rows = []
    for g, own in zip(found.groups, found.chosen, strict=True):
        for field, allowed in (
            ("tensor_cores", plan.template.tensor_cores),
            ("vector_cores", plan.template.vector_cores),
        ):
            more = [n for n in allowed if n > getattr(own.design, field)]
            if not more:
                continue
            tensor = min(more) if field == "tensor_cores" else own.design.tensor_cores
            vector = min(more) if field == "vector_cores" else own.design.vector_cores
            larger = replace(own.design, tensor_cores=tensor, vector_cores=vector)
            fleet = [
                larger if (w, s) in g.group.members else found.design_of((w, s)).design
                for w, p in enumerate(plan.pipelines)
                for s in range(len(p.tasks))
            ]
            rows.append((fleet[: plan.devices], [larger]))
    return rows


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("cores", [[1, 2, 3, 4], [1, 4]])
def test_a_limit_is_active_when_no_further_core_fits(case: dict[str, Any], cores: list[int]) -> None:
    space = {"tensor_cores": cores, "tensor_dim": [4, 8], "vector_cores": [1, 2], "vector_lanes": [4, 8]}
    plan, found = chosen(space=space, **case)
    rows = {row.name: row for row in limit_rows(plan, found, devices(plan, found))}
    tech = plan.technology
    limits: dict[str, tuple[float, Measure]] = {
        "limits.area": (plan.area_mm2, lambda all_, one: sum(area_mm2(d, tech) for d in all_)),
        "limits.tdp": (plan.tdp_w, lambda all_, one: sum(tdp_w(d, tech) for d in all_)),
        "device_limits.area": (plan.device_area_mm2, lambda all_, one: area_mm2(one[0], tech)),
        "device_limits.tdp": (plan.device_tdp_w, lambda all_, one: tdp_w(one[0], tech)),
    }
    assert set(rows) == {name for name, (limit, _) in limits.items() if limit < inf}
    for name, row in rows.items():
        limit, measure = limits[name]
        assert row.limit == limit
        assert row.used <= limit * (1 + 1e-9)
        if len(set(devices(plan, found))) == 1 or name.startswith("limits"):
            needs = [measure(*pair) for pair in grown(plan, found)]
            assert row.active == bool(needs and all(need > limit for need in needs)), name


def test_used_is_what_the_chips_have() -> None:
    plan, found = chosen(models=("mlp", "gpt"), mode="common", limits={"area": "421 mm^2", "tdp": "90 W"})
    rows = {row.name: row for row in limit_rows(plan, found, devices(plan, found))}
    (own,) = found.chosen
    assert rows["limits.area"].used == pytest.approx(own.area_mm2)
    assert rows["limits.tdp"].used == pytest.approx(own.tdp_w)
    assert rows["limits.area"].unit == "mm^2"
    assert rows["limits.tdp"].unit == "W"


@pytest.mark.parametrize("objective", ["throughput", "bottleneck", "throughput-per-tdp"])
@pytest.mark.parametrize("case", CASES[:8:2], ids=str)
def test_nearest_is_no_better_than_the_answer(case: dict[str, Any], objective: str) -> None:
    more: dict[str, Any] = {"floor": 0} if objective == "throughput-per-tdp" else {}
    plan, found = chosen(objective=objective, **case, **more)
    near = nearest(plan, found)
    assert near is not None
    assert near.value_loss >= -1.01e-3, "the best, or tied with it by the rule for ties"
    assert near.design != found.chosen[0].design.name or len(found.groups) > 1
    assert near.device in {g.group.name for g in found.groups}
    assert found.area_mm2 + near.area_difference_mm2 <= plan.area_mm2 * (1 + 1e-9)
    assert found.tdp_w + near.tdp_difference_w <= plan.tdp_w * (1 + 1e-9)
    if near.value_loss > 1e-3:
        assert near.reason == f"value {100 * near.value_loss:.2f} % worse"
    elif "more TDP" in near.reason:
        assert near.tdp_difference_w > 0
    elif "less TDP" in near.reason:
        assert near.tdp_difference_w < 0
    elif "more area" in near.reason:
        assert near.area_difference_mm2 > 0
        assert near.tdp_difference_w == pytest.approx(0.0, abs=1e-9)


def test_nearest_says_when_the_selection_could_have_been_better() -> None:
    plan, found = chosen(models=("gpt",), **pipeline(2))
    slow = max(found.groups[0].candidates, key=lambda e: e.relative)
    times = [list(stage) for stage in found.phase_s]
    times[0][0] = found.groups[0].phase_s(slow, 0)
    value = plan.pipelines[0].step_s(times[0]) / plan.reference_s[0]
    worse = replace(found, chosen=(slow, found.chosen[1]), phase_s=tuple(map(tuple, times)), value=value)
    near = nearest(plan, worse)
    assert near is not None
    assert near.value_loss < -1e-3
    assert "better" in near.reason


def test_nothing_is_near_when_there_is_one_candidate() -> None:
    plan, found = chosen()
    lone = replace(found, groups=tuple(replace(g, candidates=found.chosen) for g in found.groups))
    assert nearest(plan, lone) is None


def test_the_table_of_changes_counts_chips_and_all_limits() -> None:
    limits = {"area": "500 mm^2", "tdp": "100 W"}
    plan, _ = planned(models=("mlp", "gpt"), mode="common", limits=limits, device_limits={"tdp": "74 W"})
    small, large = design(1, 1), design(4, 2)
    steps = [(1e-3, 2e-3), (5e-4, 1e-3)]
    rows = changes(plan, [("a", (small, small)), ("b", (large, large))], steps)
    assert [row.what for row in rows] == ["a", "b"]
    assert rows[0].samples_per_s == (8 / 1e-3, 8 / 2e-3)
    assert rows[1].area_mm2 == area_mm2(large, plan.technology), "both workloads on one chip"
    assert tdp_w(small, plan.technology) < 74 < tdp_w(large, plan.technology)
    assert [row.within_limits for row in rows] == [True, False]
    free, _ = planned(models=("mlp", "gpt"), mode="common", limits=limits)
    assert changes(free, [("b", (large, large))], steps[1:])[0].within_limits
    tight, _ = planned(models=("mlp", "gpt"), mode="common", limits={"area": "414 mm^2"})
    assert not changes(tight, [("b", (large, large))], steps[1:])[0].within_limits
