"""Limits as questions: exact against every design, and taking a limit away never makes a yes a no."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest

from accmine.hardware import Chip, Template
from accmine.hardware.technology import area_mm2, load_technology, tdp_w
from accmine.hardware.technology.phaze import phaze_l2_bytes
from accmine.plan import KEYS, Plan, StudyLimits, plan_of, under_limits
from tests.samples.search_sample import designs, pipeline, study

SPACE: dict[str, Any] = {
    "tensor_cores": [2, 3],
    "tensor_dim": [8, 16],
    "tensor_sram": ["32 KiB", "64 KiB"],
    "vector_cores": [1, 3],
    "vector_lanes": [8, 16],
    "hbm": ["16 GiB", "40 GiB"],
    "hbm_bandwidth": ["70 GB/s", "500 GB/s"],
    "frequency": ["350 MHz", "700 MHz"],
}


def limits_of(**keys: Any) -> StudyLimits:
    plan = plan_of(study(**{"space": SPACE, "limits": {"area": "500 mm^2", "tdp": "90 W"}, **keys}))
    return StudyLimits(plan, plan.groups(plan.study.mode))


def test_the_cheapest_device_is_the_cheapest_design() -> None:
    limits = limits_of()
    costs = [
        (area_mm2(d, limits.plan.technology), tdp_w(d, limits.plan.technology)) for d in designs(limits.plan.template)
    ]
    (front,) = limits.options(frozenset(limits.tunables))
    for area, tdp in costs:
        assert any(a <= area * (1 + 1e-12) and p <= tdp * (1 + 1e-12) for a, p in front)
    for pair in front:
        assert any(pair == pytest.approx(cost, rel=1e-12) for cost in costs)


def test_several_devices_are_summed() -> None:
    """Two stages with a design each, and one design on two devices, cost the same at least."""
    apart = limits_of(models=("gpt",), **pipeline(2))
    shared = limits_of(models=("gpt",), mode="common", **pipeline(2))
    kept = frozenset(apart.tunables)
    ((area, tdp),) = apart.totals(kept)
    assert shared.totals(kept) == [pytest.approx((area, tdp))]
    ((one_area, one_tdp),) = limits_of(models=("gpt",)).totals(kept)
    assert (area, tdp) == pytest.approx((2 * one_area, 2 * one_tdp))


@pytest.mark.parametrize("seed", range(3))
def test_fewer_limits_are_never_harder(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(25):
        limits = limits_of(
            limits={"area": f"{rng.uniform(380, 480)} mm^2", "tdp": f"{rng.uniform(50, 90)} W"},
            device_limits={"area": f"{rng.uniform(380, 480)} mm^2"},
        )
        kept = frozenset(name for name in limits.names if rng.random() < 0.7)
        if not limits.feasible(kept):
            continue
        for name in kept:
            assert limits.feasible(kept - {name}), (name, sorted(kept))


def test_names_and_values() -> None:
    limits = limits_of(limits={"area": "baseline"}, device_limits={"tdp": "80 W"})
    assert set(KEYS) & set(limits.names) == {"limits.area", "device_limits.area", "device_limits.tdp"}
    assert limits.value("limits.area").startswith("baseline, ")
    assert limits.value("device_limits.tdp") == "80 W"
    assert limits.value("accelerator.tensor_dim") == "[8, 16]"
    assert limits.place("workloads.1.microbatch") == ("workloads", 1, "microbatch")
    assert limits.where("accelerator.tensor_dim") == ""
    assert not any(name.startswith("workloads") for name in limits.names), "every task fits in the smallest HBM"


def phaze() -> Plan:
    """A plan under a technology of tables, which has an area for a few buffer sizes only, and no power."""
    plan = plan_of(study(limits={"area": "baseline"}))
    l2 = {n: phaze_l2_bytes(n) for n in (64 * 64, 128)}
    template = replace(
        plan.template,
        tensor_cores=(2, 4),
        tensor_rows=(64,),
        tensor_cols=(64,),
        tensor_sram_bytes=(l2[64 * 64],),
        vector_cores=(1,),
        vector_lanes=(128,),
        vector_ops_per_lane=(1,),
        vector_sram_bytes=(l2[128],),
        shared_sram_bytes=(16 << 20,),
        port_bytes_per_s=(10**9,),
    )
    assert isinstance(template, Template)
    return replace(plan, template=template, technology=load_technology("phaze-22nm"))


def test_a_technology_of_tables() -> None:
    plan = phaze()
    law = plan.technology.area
    (design, *_) = designs(plan.template)
    area = area_mm2(design, plan.technology)
    assert law.stacks(Chip(1, 1, 1)) == 0
    for limit, answer in ((area * 1.001, True), (area * 0.999, False)):
        limits = StudyLimits(under_limits(plan, {"limits.area": limit}), plan.groups("heterogeneous"))
        kept = frozenset({*limits.names, "accelerator.tensor_cores"})
        assert limits.feasible(kept) is answer
        for name in kept:
            assert limits.feasible(kept - {name}) or not answer
