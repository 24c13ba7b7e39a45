"""The value of a study: numbers and arrays, its cheap bound, the gap of a value, the metric that is shown."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.ports import Stop
from accmine.problems import stage_selection
from accmine.result import Sense, gap
from accmine.search import excess, metric, on_design, schedule_task, study_value
from accmine.search.selection import selection_problem
from tests.samples.search_sample import brute_groups, pipeline, planned
from tests.search.test_candidates import CLOSE, OBJECTIVES, SAMPLED

POSITIVE = st.floats(1e-9, 1e12)


@given(POSITIVE, POSITIVE)
def test_the_gap_of_a_value_is_that_of_its_rate(a: float, b: float) -> None:
    bound, value = sorted((a, b))
    found = excess(value, bound)
    assert found == pytest.approx(gap(value, bound), abs=1e-12)
    assert found == pytest.approx(gap(1e3 / value, 1e3 / bound, Sense.MAXIMIZE), abs=1e-9)


@given(POSITIVE, POSITIVE, POSITIVE)
def test_parts_multiply(a: float, b: float, c: float) -> None:
    bound, own, value = sorted((a, b, c))
    whole, schedules, rest = excess(value, bound), excess(value, own), excess(own, bound)
    assert whole is not None
    assert schedules is not None
    assert rest is not None
    assert 1 - whole == pytest.approx((1 - schedules) * (1 - rest), abs=1e-12)
    assert max(schedules, rest) <= whole + 1e-12


@pytest.mark.parametrize(("value", "bound"), [(None, 1.0), (1.0, None), (float("inf"), 1.0), (0.0, 0.0)])
def test_what_is_not_known_has_no_gap(value: float | None, bound: float | None) -> None:
    assert excess(value, bound) is None


def test_a_value_at_its_bound_up_to_rounding_has_no_gap() -> None:
    assert excess(1.0, 1.0 + 1e-15) == 0.0


@pytest.mark.parametrize(("case", "objective"), SAMPLED)
def test_study_value_is_the_objective_of_the_selection(case: dict[str, Any], objective: dict[str, Any]) -> None:
    plan, library = planned(**case, **objective)
    mode = "heterogeneous" if case["mode"] != "common" else "common"
    groups = brute_groups(plan, library, mode, count=4)
    rows = {
        member: [(c.design.name, g.phase_s(c, i), c.area_mm2, c.tdp_w) for c in g.candidates]
        for g in groups
        for i, member in enumerate(g.group.members)
    }
    problem = selection_problem(plan, mode, rows)
    random = np.random.default_rng(0)
    for _ in range(5):
        picks = [int(random.integers(len(g.candidates))) for g in groups]
        of = {member: k for g, k in zip(groups, picks, strict=True) for member in g.group.members}
        choice = tuple(tuple(of[w, s] for s in range(len(p.tasks))) for w, p in enumerate(plan.pipelines))
        solution = stage_selection.Solution(choice)
        _, tdp = stage_selection.totals(problem, solution)
        times = [[rows[w, s][of[w, s]][1] for s in range(len(p.tasks))] for w, p in enumerate(plan.pipelines)]
        value = float(study_value(plan, times, tdp))
        own = stage_selection.objective(problem, solution)
        if value == inf:
            continue  # below the floor: a violation there, no value here
        assert (1 / own if "tdp" in objective["objective"] else own) == pytest.approx(value, rel=CLOSE)
        assert float(study_value(plan, times, tdp, exact=False)) <= value * (1 + 1e-12)


@pytest.mark.parametrize("objective", OBJECTIVES, ids=str)
def test_study_value_of_arrays_is_that_of_numbers(objective: dict[str, Any]) -> None:
    plan, _ = planned(models=("mlp", "gpt"), mode="common", aggregate="mean", **pipeline(2), **objective)
    random = np.random.default_rng(1)
    times = [[[random.uniform(1e-6, 2e-5, 6) for _ in range(3)] for _ in p.tasks] for p in plan.pipelines]
    tdp = random.uniform(50, 100, 6)
    together = np.asarray(study_value(plan, times, tdp))
    for k in range(6):
        one = [[[float(phase[k]) for phase in stage] for stage in own] for own in times]
        assert float(study_value(plan, one, float(tdp[k]))) == pytest.approx(together[k], rel=1e-12)


def test_the_baseline_has_value_one() -> None:
    for more in ({}, pipeline(2)):
        plan, library = planned(models=("mlp", "gpt"), mode="common", **more)
        times = [
            [schedule_task(t, library, plan.baseline, "list", Stop(), 0).phase_s for t in p.tasks]
            for p in plan.pipelines
        ]
        assert float(study_value(plan, times, 1.0)) == 1.0


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(1e-7, 1e-3), min_size=12, max_size=12), st.sampled_from(("throughput", "bottleneck")))
def test_the_cheap_study_value_is_a_bound(times: list[float], objective: str) -> None:
    plan, _ = planned(models=("mlp", "gpt"), mode="common", objective=objective, **pipeline(2))
    phases: Mapping[tuple[int, int], list[float]] = {
        (w, s): times[6 * w + 3 * s : 6 * w + 3 * s + 3] for w in range(2) for s in range(2)
    }
    by_stage = [[phases[w, s] for s in range(2)] for w in range(2)]
    exact = float(study_value(plan, by_stage, 1.0))
    assert float(study_value(plan, by_stage, 1.0, exact=False)) <= exact * (1 + 1e-12)
    slower = [[[2 * t for t in stage] for stage in own] for own in by_stage]
    assert float(study_value(plan, slower, 1.0)) >= exact


@pytest.mark.parametrize("objective", ["throughput", "bottleneck", "throughput-per-tdp"])
@pytest.mark.parametrize("models", [("mlp",), ("mlp", "gpt")])
def test_what_is_shown_has_the_order_and_the_gap_of_the_values(models: tuple[str, ...], objective: str) -> None:
    plan, _ = planned(models=models, mode="common", objective=objective)
    own = metric(plan)
    assert own.sense == ("maximize" if len(models) == 1 else "minimize")
    for value in (0.5, 1.0, 3.0):
        assert own.gap(value, value / 2) == pytest.approx(0.5)
    better, worse = own.shown(0.5), own.shown(3.0)
    assert (better > worse) == (own.sense == "maximize")
    if own.sense == "maximize":
        assert own.shown(1.0) == pytest.approx(plan.pipelines[0].batch / plan.reference_s[0])
        assert own.shown(0.0) == inf


def test_one_design_on_all_devices() -> None:
    plan, library = planned(models=("gpt",), **pipeline(2))
    rows = [schedule_task(t, library, plan.baseline, "list", Stop(), 0) for t in plan.tasks]
    cycles = [[phase.cycles for phase in row.phases] for row in rows]
    assert on_design(plan, cycles, plan.baseline, 1.0) == pytest.approx(1.0)
