"""Area, TDP and energies: the fit on TPUv2, laws of the model, Phaze's exact areas."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.errors import InputError
from accmine.files import resolve
from accmine.hardware import (
    DATAFLOW_CHOICES,
    DATAFLOWS,
    FLEXIBLE,
    Chip,
    Design,
    PartsArea,
    TensorCore,
    VectorCore,
    load_accelerator,
)
from accmine.hardware.technology import (
    area_breakdown,
    area_mm2,
    chip_of,
    idle_w,
    linear_costs,
    load_technology,
    tdp_breakdown,
    tdp_w,
)
from accmine.hardware.technology.phaze import PhazeArea, phaze_l2_bytes

MIB = 1 << 20
TPU = load_technology("tpu-16nm")
MULTIPLIER = load_technology("tpu-16nm-multiplier")
ACCELERATOR = load_technology("accelerator-16nm")
PHAZE = load_technology("phaze-22nm")
V2, V3 = load_accelerator("tpuv2-like"), load_accelerator("tpuv3-like")


def with_shared(design: Design, mib: int, giga: int) -> Design:
    """The design with a shared SRAM of so many MiB and ports of so many GB/s to it; without ports where it is none."""
    return replace(design, shared_sram_bytes=mib * MIB, port_bytes_per_s=giga * 10**9 if mib else 0)


sizes = st.integers(0, 24).map(lambda exponent: 1 << exponent)
plain_designs = st.builds(
    Design,
    tensor_cores=st.integers(1, 64),
    tensor=st.builds(
        TensorCore,
        rows=st.integers(1, 256),
        cols=st.integers(1, 256),
        sram_bytes=sizes,
        dataflow=st.sampled_from(DATAFLOW_CHOICES),
    ),
    vector_cores=st.integers(1, 64),
    vector=st.builds(VectorCore, lanes=st.integers(1, 256), ops_per_lane=st.integers(1, 16), sram_bytes=sizes),
    hbm_bytes=st.integers(1, 64).map(lambda gib: gib << 30),
    hbm_bytes_per_s=st.integers(1, 3000).map(lambda giga: giga * 10**9),
    frequency_hz=st.integers(100, 940).map(lambda mega: mega * 10**6),
)
designs = st.builds(with_shared, plain_designs, st.integers(0, 128), st.integers(1, 1000))
technologies = st.sampled_from([TPU, MULTIPLIER, ACCELERATOR])


# the fit, and what it predicts


def parts_mm2(design: Design) -> float:
    """Sum of the parts without uncore and multiplier."""
    return sum(value for name, value in area_breakdown(design, TPU).items() if name != "uncore")


def test_uncore_and_multiplier_are_fitted_on_tpuv2() -> None:
    law, scaled = TPU.area, MULTIPLIER.area
    assert isinstance(law, PartsArea)
    assert isinstance(scaled, PartsArea)
    assert area_mm2(V2, TPU) == pytest.approx(611, abs=0.01)
    assert area_mm2(V2, MULTIPLIER) == pytest.approx(611, abs=0.01)
    assert law.uncore_mm2 == pytest.approx(611 - parts_mm2(V2), abs=0.01)
    assert law.multiplier == 1
    assert scaled.multiplier == pytest.approx(611 / parts_mm2(V2), abs=1e-4)
    assert scaled.uncore_mm2 == 0


def test_tpuv3_area_is_predicted() -> None:
    assert area_mm2(V3, TPU) == pytest.approx(648, rel=0.01)
    assert area_mm2(V3, MULTIPLIER) == pytest.approx(648, rel=0.10)
    # the step from TPUv2 is two more 128x128 arrays; its size is the harder test
    assert area_mm2(V3, TPU) - area_mm2(V2, TPU) == pytest.approx(37, rel=0.05)


def test_tdp_is_fitted_on_tpuv2_and_predicted_for_tpuv3() -> None:
    for technology in (TPU, MULTIPLIER):
        assert tdp_w(V2, technology) == pytest.approx(280, abs=0.1)
        assert tdp_w(V3, technology) == pytest.approx(450, rel=0.10)
        assert idle_w(V2, technology) == pytest.approx(53, abs=0.1)
        assert technology.tdp_margin == pytest.approx(1.6847, abs=1e-9)


def test_the_two_variants_differ_in_the_residual_only() -> None:
    texts = [yaml.safe_load(resolve("technologies", t.name).read_text(encoding="utf-8")) for t in (TPU, MULTIPLIER)]
    areas = [text["area"] for text in texts]
    different = {key for key in areas[0] if key != "law" and areas[0][key]["value"] != areas[1][key]["value"]}
    assert different == {"uncore_mm2", "multiplier", "phy_multiplier"}
    assert areas[1]["phy_multiplier"]["value"] == areas[1]["multiplier"]["value"]
    assert texts[0]["power"] == texts[1]["power"]


# laws of the model


@settings(max_examples=150, deadline=None)
@given(designs, technologies)
def test_costs_are_linear_in_core_counts(design: Design, technology: Any) -> None:
    costs = linear_costs(design.tensor, design.vector, chip_of(design), technology)
    a, b = design.tensor_cores, design.vector_cores
    # equal floats, not only close ones: limits taken from a baseline must admit the baseline
    assert costs.area_mm2(a, b) == area_mm2(design, technology)
    assert costs.tdp_w(a, b) == tdp_w(design, technology)
    assert sum(area_breakdown(design, technology).values()) == pytest.approx(area_mm2(design, technology), rel=1e-12)
    assert sum(tdp_breakdown(design, technology).values()) == pytest.approx(tdp_w(design, technology), rel=1e-12)


GROWN: dict[str, Callable[[Design], Design]] = {
    "tensor_cores": lambda d: replace(d, tensor_cores=d.tensor_cores + 1),
    "vector_cores": lambda d: replace(d, vector_cores=d.vector_cores + 1),
    "rows": lambda d: replace(d, tensor=replace(d.tensor, rows=d.tensor.rows + 1)),
    "cols": lambda d: replace(d, tensor=replace(d.tensor, cols=d.tensor.cols + 1)),
    "tensor_sram": lambda d: replace(d, tensor=replace(d.tensor, sram_bytes=2 * d.tensor.sram_bytes)),
    "lanes": lambda d: replace(d, vector=replace(d.vector, lanes=d.vector.lanes + 1)),
    "ops_per_lane": lambda d: replace(d, vector=replace(d.vector, ops_per_lane=d.vector.ops_per_lane + 1)),
    "vector_sram": lambda d: replace(d, vector=replace(d.vector, sram_bytes=2 * d.vector.sram_bytes)),
    "shared_sram": lambda d: with_shared(d, d.shared_sram_bytes // MIB + 1, max(d.port_bytes_per_s // 10**9, 1)),
}


@settings(max_examples=150, deadline=None)
@given(designs, technologies, st.sampled_from(sorted(GROWN)))
def test_everything_that_grows_costs_area_and_power(design: Design, technology: Any, what: str) -> None:
    grown = GROWN[what](design)
    assert area_mm2(grown, technology) > area_mm2(design, technology)
    assert tdp_w(grown, technology) > tdp_w(design, technology)


@settings(max_examples=100, deadline=None)
@given(designs, technologies, st.integers(0, 64), st.integers(0, 2000), st.integers(0, 800))
def test_hbm_and_clock_never_save(design: Design, technology: Any, gib: int, giga: int, mega: int) -> None:
    grown = replace(
        design,
        hbm_bytes=design.hbm_bytes + (gib << 30),
        hbm_bytes_per_s=design.hbm_bytes_per_s + giga * 10**9,
        frequency_hz=min(940 * 10**6, design.frequency_hz + mega * 10**6),
    )
    # a port of as many bytes per second is narrower at a faster clock: keep its width
    grown = replace(grown, port_bytes_per_s=-(-design.port_bytes_per_s * grown.frequency_hz // design.frequency_hz))
    assert area_mm2(grown, technology) >= area_mm2(design, technology)
    assert tdp_w(grown, technology) >= tdp_w(design, technology)
    assert tdp_w(design, technology) > technology.tdp_margin * idle_w(design, technology) * (1 - 1e-12)


def test_hbm_stacks_follow_capacity_and_bandwidth() -> None:
    law = TPU.area
    assert isinstance(law, PartsArea)
    giga = 10**9
    assert law.stacks(Chip(16 << 30, 700 * giga, 1)) == 4
    assert law.stacks(Chip(32 << 30, 900 * giga, 1)) == 4
    assert law.stacks(Chip((32 << 30) + 1, 900 * giga, 1)) == 5
    assert law.stacks(Chip(8 << 30, 900 * giga + 1, 1)) == 5


@settings(deadline=None)
@given(st.integers(1, 12), technologies)
def test_a_stack_adds_capacity_bandwidth_phy_area_and_power(count: int, technology: Any) -> None:
    law, power = technology.area, technology.power
    size, rate = int(law.hbm_stack_bytes), int(law.hbm_stack_bytes_per_s)
    one, more = (replace(V2, hbm_bytes=n * size, hbm_bytes_per_s=n * rate) for n in (1, 1 + count))
    assert law.stacks(chip_of(more)) == 1 + count
    interface = law.phy_multiplier * law.hbm_phy_mm2_per_stack + law.multiplier * law.hbm_controller_mm2_per_stack
    assert area_mm2(more, technology) - area_mm2(one, technology) == pytest.approx(count * interface)
    watt = power.hbm_idle_w_per_stack + power.leakage_w_per_mm2 * interface + rate * power.hbm_pj_per_byte * 1e-12
    assert tdp_w(more, technology) - tdp_w(one, technology) == pytest.approx(count * power.tdp_margin * watt)


@settings(max_examples=50, deadline=None)
@given(designs, technologies, st.sampled_from(DATAFLOWS))
def test_a_flexible_array_pays_per_processing_element(design: Design, technology: Any, dataflow: str) -> None:
    fixed, flexible = (replace(design, tensor=replace(design.tensor, dataflow=name)) for name in (dataflow, FLEXIBLE))
    elements = design.tensor_cores * design.tensor.macs
    extra = technology.area.multiplier * technology.area.flexible_pe_um2 * elements * 1e-6
    assert area_mm2(flexible, technology) - area_mm2(fixed, technology) == pytest.approx(extra, rel=1e-6, abs=1e-9)


@settings(max_examples=50, deadline=None)
@given(designs, technologies)
def test_every_core_pays_for_its_port_to_the_shared_sram(design: Design, technology: Any) -> None:
    law, power, shared = technology.area, technology.power, max(design.shared_sram_bytes, MIB)
    narrow, wide = (with_shared(design, shared // MIB, giga) for giga in (1, 5))
    cores, width = design.tensor_cores + design.vector_cores, 4e9 / design.frequency_hz
    mm2 = law.multiplier * 2 * width * law.port_um2_per_byte_per_cycle * 1e-6 * cores
    assert area_mm2(wide, technology) - area_mm2(narrow, technology) == pytest.approx(mm2, rel=1e-6)
    watt = 4e9 * power.sram_pj_per_byte(shared) * 1e-12 * cores + power.leakage_w_per_mm2 * mm2
    assert tdp_w(wide, technology) - tdp_w(narrow, technology) == pytest.approx(power.tdp_margin * watt, rel=1e-6)


@settings(deadline=None)
@given(st.integers(0, 1 << 28), st.integers(0, 1 << 28))
def test_energy_of_sram_grows_with_its_size(small: int, more: int) -> None:
    low, high = TPU.sram_pj_per_byte(small), TPU.sram_pj_per_byte(small + more)
    assert TPU.sram_pj_per_byte(1 << 13) <= low <= high <= TPU.sram_pj_per_byte(MIB)


def test_frequency_above_the_calibration_is_refused() -> None:
    with pytest.raises(InputError, match=r"1410 MHz.*up to 940 MHz"):
        tdp_w(load_accelerator("a100-like"), TPU)
    assert area_mm2(load_accelerator("a100-like"), TPU) > 0


# Phaze

PHAZE_ROWS: list[dict[str, Any]] = [
    dict(zip(("num_tc", "num_vc", "width", "depth", "width_vc", "glb_mib", "area_um2"), row, strict=True))
    for row in (
        (8, 2, 128, 128, 128, 128, 278826676.312),
        (1, 1, 2, 2, 2, 2, 3355047.773),
        (1, 1, 256, 256, 256, 128, 227074327.679),
    )
]
"""Areas that Phaze ships (msr-fiddle/phaze @ fed7cde, MIT): its cap, its smallest and its widest single cores."""


def phaze_rows() -> list[dict[str, Any]]:
    """The shipped sample, and the whole table when there is a folder of data."""
    rows = list(PHAZE_ROWS)
    if folder := os.environ.get("ACCMINE_DATA"):
        table = json.loads((Path(folder) / "phaze" / "area_table.json").read_text(encoding="utf-8"))
        for row in table:
            shipped = row.pop("area_phaze_um2")
            formula = row.pop("area_formula_um2")
            rows.append({**row, "area_um2": formula if shipped is None else shipped})
    return rows


def phaze_design(row: dict[str, Any]) -> Design:
    return Design(
        tensor_cores=row["num_tc"],
        tensor=TensorCore(row["width"], row["depth"], phaze_l2_bytes(row["width"] * row["depth"])),
        vector_cores=row["num_vc"],
        vector=VectorCore(row["width_vc"], 1, phaze_l2_bytes(row["width_vc"])),
        hbm_bytes=32 << 30,
        hbm_bytes_per_s=268_800_000_000,
        frequency_hz=1_050_000_000,
        shared_sram_bytes=row["glb_mib"] * MIB,
        port_bytes_per_s=10**12,
    )


def test_phaze_areas_are_exact() -> None:
    rows = phaze_rows()
    assert isinstance(PHAZE.area, PhazeArea)
    assert len(rows) >= 3
    for row in rows:
        assert area_mm2(phaze_design(row), PHAZE) == pytest.approx(row["area_um2"] * 1e-6, abs=1e-8)


def test_phaze_technology_says_what_it_does_not_cover() -> None:
    design = phaze_design(PHAZE_ROWS[0])
    with pytest.raises(InputError, match="phaze-22nm defines area only"):
        tdp_w(design, PHAZE)
    with pytest.raises(InputError, match="area only"):
        tdp_breakdown(design, PHAZE)
    with pytest.raises(InputError, match="area only"):
        _ = PHAZE.mac_pj("bf16")
    with pytest.raises(InputError, match=r"shared_sram.*allowed: 2, 4, 8, 16, 32, 64, 128 MiB"):
        area_mm2(with_shared(design, 0, 0), PHAZE)
    with pytest.raises(InputError, match="derives the private SRAM"):
        area_mm2(replace(design, tensor=replace(design.tensor, sram_bytes=MIB)), PHAZE)
    with pytest.raises(InputError, match="1 operation per cycle"):
        area_mm2(replace(design, vector=replace(design.vector, ops_per_lane=16)), PHAZE)
    with pytest.raises(InputError, match="no 3x100 core"):
        area_mm2(replace(design, tensor=TensorCore(3, 100, phaze_l2_bytes(300))), PHAZE)
    costs = linear_costs(design.tensor, design.vector, Chip(0, 0, 1, 2 * MIB, 1), PHAZE)
    assert math.isnan(costs.tdp_w(1, 1))
