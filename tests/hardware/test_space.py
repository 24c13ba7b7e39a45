"""The design space: lazy iteration, membership, counts and the least designs."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from time import perf_counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.errors import InputError
from accmine.hardware import (
    Calibration,
    DesignSpace,
    Template,
    count_feasible,
    load_accelerator,
    smallest,
    template_from_mapping,
    types_of,
)
from accmine.hardware.space import feasible
from accmine.hardware.technology import area_mm2, load_technology, tdp_w

TPU, PHAZE = load_technology("tpu-16nm"), load_technology("phaze-22nm")
WHAM = template_from_mapping({"use": "wham"})


def subset(values: list[int]) -> st.SearchStrategy[tuple[int, ...]]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=2, unique=True).map(tuple)


MIB, GIB, MEGA, GIGA = 1 << 20, 1 << 30, 10**6, 10**9
templates = st.builds(
    Template,
    tensor_cores=subset([1, 2, 3, 8, 64]),
    tensor_rows=subset([16, 100, 128]),
    tensor_cols=subset([16, 128]),
    dataflow=st.sampled_from([("ws",), ("os", "ws")]),
    tensor_sram_bytes=subset([MIB // 2, 3 * MIB, 16 * MIB]),
    vector_cores=subset([1, 2, 32]),
    vector_lanes=subset([16, 128]),
    vector_ops_per_lane=subset([1, 16]),
    vector_sram_bytes=subset([1024, MIB]),
    shared_sram_bytes=st.just((0,)),
    hbm_bytes=subset([16 * GIB, 48 * GIB]),
    hbm_bytes_per_s=subset([700 * GIGA, 1200 * GIGA]),
    frequency_hz=subset([700 * MEGA, 940 * MEGA]),
)
pooled = st.builds(
    lambda template, pools, ports: replace(template, shared_sram_bytes=pools, port_bytes_per_s=ports),
    templates,
    st.sampled_from([(8 * MIB,), (0, 8 * MIB)]),
    subset([90 * GIGA, 180 * GIGA]),
)
stacked = st.builds(
    lambda template, stacks: replace(
        template, hbm_bytes=tuple(n * 8 * GIB for n in stacks), hbm_stack=(8 * GIB, 350 * GIGA)
    ),
    templates,
    subset([1, 2, 4]),
)
flexible = st.builds(lambda template: replace(template, dataflow=("ws", "flexible")), templates)
templates = st.one_of(templates, pooled, stacked, flexible)


@settings(max_examples=30, deadline=None)
@given(templates)
def test_iteration_count_membership_and_names_agree(template: Template) -> None:
    space = DesignSpace(template)
    designs = list(islice(space, 3000))
    assert len(designs) == min(len(space), 3000)
    assert len(space) == template.size
    assert len(set(designs)) == len(designs)
    assert len({design.name for design in designs}) == len(designs)
    assert all(design in space for design in designs[:: max(1, len(designs) // 50)])
    types = sum(1 for _ in types_of(template))
    assert len(space) == types * len(template.tensor_cores) * len(template.vector_cores)


@settings(max_examples=15, deadline=None)
@given(templates, st.floats(480, 1500), st.floats(140, 900))
def test_feasible_blocks_hold_exactly_the_designs_within_limits(template: Template, area: float, tdp: float) -> None:
    blocks = list(feasible(template, TPU, area_mm2=area, tdp_w=tdp))
    found = {design for block in blocks for design in block.designs()}
    assert sum(block.count for block in blocks) == len(found)
    assert count_feasible(template, TPU, area_mm2=area, tdp_w=tdp) == len(found)
    assert all(block.mask.any() for block in blocks)
    for design in islice(DesignSpace(template), 0, None, max(1, template.size // 300)):
        within = area_mm2(design, TPU) <= area and tdp_w(design, TPU) <= tdp
        assert (design in found) == within


def test_block_values_are_those_of_the_designs() -> None:
    template = replace(WHAM, tensor_cores=(1, 5), vector_cores=(2, 3, 64))
    block = next(feasible(template, TPU))
    assert block.area_mm2.shape == block.tdp_w.shape == block.mask.shape == (2, 3)
    for i, j in np.ndindex(2, 3):
        design = block.design(i, j)
        assert block.area_mm2[i, j] == area_mm2(design, TPU)
        assert block.tdp_w[i, j] == tdp_w(design, TPU)


def test_the_baseline_holds_its_own_area_and_tdp_as_limits() -> None:
    baseline = load_accelerator("tpuv2-like")
    template = replace(WHAM, tensor_sram_bytes=(12 * MIB,))
    limits = {"area_mm2": area_mm2(baseline, TPU), "tdp_w": tdp_w(baseline, TPU)}
    assert baseline in DesignSpace(template)
    assert any(baseline in set(block.designs()) for block in feasible(template, TPU, **limits))


def test_millions_of_designs_are_counted_without_being_made() -> None:
    start = perf_counter()
    assert next(iter(DesignSpace(WHAM))) in DesignSpace(WHAM)
    assert count_feasible(WHAM, TPU) == len(DesignSpace(WHAM)) == 9_216_000
    assert 0 < count_feasible(WHAM, TPU, area_mm2=611, tdp_w=280) < 9_216_000
    assert perf_counter() - start < 30  # some 2 s; one by one it would take minutes


@settings(max_examples=15, deadline=None)
@given(templates)
def test_smallest_is_the_least_of_the_space(template: Template) -> None:
    least = smallest(template, TPU)
    assert least.tdp_design is not None
    assert least.tdp_w == tdp_w(least.tdp_design, TPU)
    assert least.area_mm2 == area_mm2(least.area_design, TPU)
    space = DesignSpace(template)
    assert least.area_design in space
    assert least.tdp_design in space
    for design in islice(space, 0, None, max(1, template.size // 300)):
        assert area_mm2(design, TPU) >= least.area_mm2
        assert tdp_w(design, TPU) >= least.tdp_w
    assert count_feasible(template, TPU, area_mm2=least.area_mm2) >= 1
    assert count_feasible(template, TPU, area_mm2=np.nextafter(least.area_mm2, 0)) == 0
    assert count_feasible(template, TPU, tdp_w=np.nextafter(least.tdp_w, 0)) == 0


def test_a_design_outside_is_not_in_the_space() -> None:
    space = DesignSpace(WHAM)
    inside = next(iter(space))
    for outside in (
        replace(inside, tensor_cores=65),
        replace(inside, tensor=replace(inside.tensor, rows=17)),
        replace(inside, tensor=replace(inside.tensor, dataflow="os")),
        replace(inside, vector=replace(inside.vector, lanes=8)),
        replace(inside, hbm_bytes=1),
        replace(inside, frequency_hz=1),
        replace(inside, shared_sram_bytes=1, port_bytes_per_s=1),
        replace(inside, calibration=Calibration(launch_s=1e-6)),
    ):
        assert outside not in space


def test_a_technology_without_power() -> None:
    template = template_from_mapping(
        {
            "tensor_cores": [1, 2, 4, 8], "tensor_dim": 128, "tensor_sram": "256 KiB", "vector_cores": [1, 2],
            "vector_lanes": 128, "vector_ops_per_lane": 1, "vector_sram": "2 KiB",
            "shared_sram": "16 MiB", "port_bandwidth": "64 GB/s",
            "hbm": "32 GiB", "hbm_bandwidth": "268.8 GB/s", "frequency": "1.05 GHz",
        }
    )  # fmt: skip
    assert count_feasible(template, PHAZE) == 8
    assert 0 < count_feasible(template, PHAZE, area_mm2=60) < 8
    least = smallest(template, PHAZE)
    assert (least.area_design.tensor_cores, least.tdp_design, least.tdp_w) == (1, None, None)
    with pytest.raises(InputError, match="defines area only"):
        next(feasible(template, PHAZE, tdp_w=100))
