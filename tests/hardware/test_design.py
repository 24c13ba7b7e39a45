"""A design: names that tell designs apart, peaks, and what cannot be."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from math import inf
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accmine.errors import InputError
from accmine.hardware import Design, TensorCore, VectorCore
from accmine.hardware.calibration import Calibration
from accmine.hardware.design import DATAFLOW_CHOICES

BYTES = st.integers(1, 40).map(lambda k: k << 10) | st.integers(1024, 1 << 36)
CALIBRATIONS = st.builds(
    Calibration,
    st.sampled_from((0.0, 1e-6, 2.5e-5)),
    st.sampled_from((1.0, 0.5)),
    st.sampled_from((1.0, 0.25)),
    st.sampled_from((1.0, 0.9)),
)


@st.composite
def designs(draw: st.DrawFn) -> Design:
    counts = st.integers(1, 512)
    shared = draw(st.just(0) | BYTES)
    return Design(
        draw(counts),
        TensorCore(draw(counts), draw(counts), draw(BYTES), draw(st.sampled_from(DATAFLOW_CHOICES))),
        draw(counts),
        VectorCore(draw(counts), draw(st.integers(1, 32)), draw(BYTES)),
        draw(BYTES),
        draw(st.integers(1, 9000)) * 10**9,
        draw(st.integers(1, 3000)) * 10**6,
        shared,
        draw(st.integers(1, 900)) * 10**9 if shared else 0,
        draw(CALIBRATIONS),
    )


@given(designs(), designs())
def test_equal_names_are_equal_designs(one: Design, other: Design) -> None:
    assert (one.name == other.name) == (one == other)


@given(designs())
def test_each_tunable_is_in_the_name(design: Design) -> None:
    more = [
        replace(design, tensor_cores=design.tensor_cores + 1),
        replace(design, tensor=replace(design.tensor, sram_bytes=design.tensor.sram_bytes + 1)),
        replace(design, vector=replace(design.vector, ops_per_lane=design.vector.ops_per_lane + 1)),
        replace(design, hbm_bytes=design.hbm_bytes + 1),
        replace(design, hbm_bytes_per_s=design.hbm_bytes_per_s + 10**9),
        replace(design, frequency_hz=design.frequency_hz + 10**6),
        replace(design, calibration=replace(design.calibration, launch_s=3e-6)),
    ]
    assert len({design.name, *(other.name for other in more)}) == len(more) + 1


@given(designs())
def test_tables_come_back_through_json(design: Design) -> None:
    assert Design.from_table(json.loads(json.dumps(asdict(design)))) == design


@given(designs(), st.integers(2, 5))
def test_peaks_are_those_of_all_cores(design: Design, factor: int) -> None:
    many = design.with_cores(design.tensor_cores * factor, design.vector_cores * factor)
    assert many.peak_macs_per_s == pytest.approx(factor * design.peak_macs_per_s)
    assert many.vector_ops_per_s == pytest.approx(factor * design.vector_ops_per_s)
    assert design.peak_flops_per_s == 2 * design.peak_macs_per_s
    assert design.usable_hbm_bytes_per_cycle <= design.hbm_bytes_per_cycle
    assert (design.port_bytes_per_cycle == inf) == (design.shared_sram_bytes == 0)


def test_tpuv2_has_its_published_peak() -> None:
    core = TensorCore(128, 128, 8 << 20)
    chip = Design(2, core, 2, VectorCore(128, 16, 16 << 20), 16 << 30, 700 * 10**9, 700 * 10**6)
    assert chip.peak_flops_per_s == pytest.approx(45.9e12, rel=1e-3)  # 46 TFLOP/s a chip
    assert chip.name == "tc2x128x128ws-8Mi_vc2x128x16-16Mi_sh0_hbm16Gi-700GBps_700MHz"
    assert chip.hbm_bytes_per_cycle == 1000


def test_launch_cycles_are_rounded_up_but_not_by_rounding_errors() -> None:
    base = Design(1, TensorCore(8, 8, 1 << 16), 1, VectorCore(8, 2, 1 << 15), 1 << 30, 10**9, 700 * 10**6)
    for launch, cycles in ((0.0, 0), (1e-5, 7000), (1e-9, 1), (1.4286e-9, 2)):
        assert replace(base, calibration=Calibration(launch)).launch_cycles == cycles


@pytest.mark.parametrize(
    "values",
    [
        {"launch_s": -1.0},
        {"launch_s": 1.0},
        {"array_efficiency": 0.0},
        {"vector_efficiency": 1.1},
        {"hbm_efficiency": -1},
    ],
)
def test_impossible_calibrations_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=f"calibration: {next(iter(values)).removesuffix('_s')}"):
        Calibration(**values)
