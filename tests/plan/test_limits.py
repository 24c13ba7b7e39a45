"""Limits as objects: what a study says, with its place, scope and unit; no limit is no object."""

from __future__ import annotations

from math import inf

import numpy as np

from accmine.plan import COSTS, KEYS, Limit, plan_of
from accmine.problems.limits import within
from tests.samples.search_sample import pipeline, study


def test_limits_of_a_study() -> None:
    own = {"limits": {"area": "baseline", "tdp": "90 W"}, "device_limits": {"area": "none"}}
    plan = plan_of(study(**own, **pipeline(2)))
    area, tdp = plan.limits
    assert (area.key, area.whole, area.of_baseline) == ("limits.area", True, True)
    assert area.text == f"baseline, {area.value:.10g} mm^2"
    assert (tdp.text, tdp.place, tdp.cost.unit) == ("90 W", ("limits", "tdp"), "W")
    assert plan.limit("device_limits.tdp") == plan.device_tdp_w == plan.device_area_mm2 == inf
    each = plan_of(study(device_limits={"area": "baseline"}, **pipeline(2))).limits
    assert [limit.key for limit in each] == ["device_limits.area"]
    assert each[0].value * 2 == area.value, "of one chip, and of both"


def test_keys_and_costs_belong_together() -> None:
    limits = [Limit.of(key, 1.0) for key in KEYS]
    assert {limit.cost for limit in limits} == set(COSTS)
    assert [COSTS[cost.index] for cost in COSTS] == list(COSTS)
    assert len({(limit.cost, limit.whole) for limit in limits}) == 2 * len(COSTS) == len(KEYS)


def test_the_allowance_is_the_same_for_numbers_and_arrays() -> None:
    assert within(1 + 1e-10, 1.0)
    assert not within(1 + 1e-8, 1.0)
    assert within(1e300, inf)
    assert within(np.array([1 + 1e-10, 1 + 1e-8]), 1.0).tolist() == [True, False]
