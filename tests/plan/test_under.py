"""A plan under another technology or other limits, and who does not fit there."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import pytest

from accmine.hardware.technology import area_mm2, load_technology, tdp_w
from accmine.plan import costs_of, exceeded, for_throughput, plan_of, under_limits, under_technology
from tests.samples.search_sample import pipeline, study


def test_limits_of_the_baseline_follow_the_technology_and_numbers_stay() -> None:
    plan = plan_of(study(limits={"area": "baseline", "tdp": "90 W"}, device_limits={"area": "baseline"}, **pipeline(2)))
    other = load_technology("tpu-16nm-multiplier")
    there = under_technology(plan, other)
    area = area_mm2(plan.baseline, other)
    assert there.area_mm2 == pytest.approx(2 * area, abs=0.002)
    assert there.device_area_mm2 == pytest.approx(area, abs=0.001)
    assert there.device_area_mm2 >= area
    assert there.area_mm2 != plan.area_mm2
    assert there.tdp_w == plan.tdp_w == 90
    assert under_technology(there, plan.technology).limits == plan.limits
    changed = under_technology(under_limits(plan, {"limits.area": 500.0, "device_limits.tdp": 40.0}), other)
    assert (changed.area_mm2, changed.device_tdp_w) == (500, 40), "a limit that was changed stays"
    assert changed.device_area_mm2 == there.device_area_mm2


def test_limits_change_come_and_go() -> None:
    plan = plan_of(study(limits={"area": "baseline"}, device_limits={"area": "none"}))
    assert under_limits(plan, {"limits.area": inf}).limits == ()
    more = under_limits(plan, {"limits.tdp": 80.0, "limits.area": 400.0})
    assert [limit.text for limit in more.limits] == ["400 mm^2", "80 W"]
    assert plan.limits[0].of_baseline, "the plan itself is as it was"
    with pytest.raises(ValueError, match="no limit 'limits'"):
        under_limits(plan, {"limits": 1.0})


def test_who_does_not_fit() -> None:
    plan = plan_of(study(limits={"area": "1000 mm^2"}, device_limits={"area": "none"}))
    design = plan.baseline
    area, tdp = area_mm2(design, plan.technology), tdp_w(design, plan.technology)
    assert costs_of(design, plan.technology) == (area, tdp)
    assert exceeded(plan, [(design, 1)]) == ()
    (over,) = exceeded(plan, [(design, 2), (design, 1)])
    assert over.limit.key == "limits.area"
    assert over.used == pytest.approx(3 * area)
    tight = under_limits(plan, {"device_limits.tdp": tdp * 0.9, "limits.area": area})
    (over,) = exceeded(tight, [(design, 1)])
    assert str(over) == f"device_limits.tdp: {tdp:.10g} W of {tdp * 0.9:.10g} W"
    assert exceeded(under_limits(plan, {"device_limits.tdp": tdp}), [(design, 1)]) == (), "the limit itself is met"
    fast = replace(design, frequency_hz=2 * 10**9)
    assert costs_of(fast, plan.technology) == (inf, inf)
    (over,) = exceeded(plan, [(fast, 1)])
    assert "no cost is known" in str(over)


def test_for_throughput_there_is_no_floor() -> None:
    plan = plan_of(study(objective="throughput-per-tdp"))
    assert plan.floor == 1.0
    assert (for_throughput(plan).floor, for_throughput(plan).study.objective) == (0.0, "throughput")
