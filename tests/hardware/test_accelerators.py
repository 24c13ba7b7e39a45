"""The catalogue of accelerators: published peaks, baselines, and files that read back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.errors import InputError
from accmine.files import names
from accmine.hardware import (
    DATAFLOW_CHOICES,
    Calibration,
    Design,
    TensorCore,
    VectorCore,
    dump_design,
    load_accelerator,
    peaks,
)
from accmine.hardware.technology import area_mm2, load_technology

TPU = load_technology("tpu-16nm")
MIB = 1 << 20


def test_peaks_are_within_one_percent_of_the_published() -> None:
    assert [peak.name for peak in peaks()] == ["TPUv1", "TPUv2", "TPUv3", "TPUv4", "TPUv4i", "A100", "H100"]
    for peak in peaks():
        assert peak.model == pytest.approx(peak.published, rel=0.01)


def test_tpuv2_like() -> None:
    design = load_accelerator("tpuv2-like")
    assert design.peak_flops_per_s == pytest.approx(45.9e12, rel=0.001)
    assert design.vector_ops_per_s == pytest.approx(2.87e12, rel=0.001)
    assert (design.tensor_cores, design.tensor.rows, design.tensor.cols) == (2, 128, 128)
    assert (design.vector_cores, design.vector.lanes, design.vector.ops_per_lane) == (2, 128, 16)
    assert design.hbm_bytes == 16 << 30
    assert design.hbm_bytes_per_s == 700 * 10**9
    # 16 MiB per TPU core, which is one tensor and one vector core
    assert design.tensor.sram_bytes + design.vector.sram_bytes == 16 * MIB


def test_tpuv3_like() -> None:
    design = load_accelerator("tpuv3-like")
    total = design.tensor_cores * design.tensor.sram_bytes + design.vector_cores * design.vector.sram_bytes
    assert total == 32 * MIB
    assert (design.hbm_bytes, design.hbm_bytes_per_s, design.frequency_hz) == (32 << 30, 900 * 10**9, 940 * 10**6)


def test_nvdla_like_fills_the_area_of_tpuv2_like() -> None:
    nvdla, limit = load_accelerator("nvdla-like"), area_mm2(load_accelerator("tpuv2-like"), TPU)
    more = replace(nvdla, tensor_cores=nvdla.tensor_cores + 1, vector_cores=nvdla.vector_cores + 1)
    assert nvdla.tensor_cores == nvdla.vector_cores
    assert area_mm2(nvdla, TPU) <= limit < area_mm2(more, TPU)
    assert nvdla.tensor.macs == 2048


@pytest.mark.parametrize("name", sorted(set(names("accelerators")) - {"wham"}))
def test_every_shipped_design_reads_back(name: str, tmp_path: Path) -> None:
    design = load_accelerator(name)
    path = tmp_path / "design.yaml"
    path.write_text(dump_design(design, "what it is"), encoding="utf-8")
    assert load_accelerator(path) == design
    assert load_accelerator("design.yaml", tmp_path) == design


@settings(max_examples=60, deadline=None)
@given(
    st.builds(
        Design,
        tensor_cores=st.integers(1, 4096),
        tensor=st.builds(
            TensorCore,
            st.integers(1, 512),
            st.integers(1, 512),
            st.integers(1024, 1 << 40),
            st.sampled_from(DATAFLOW_CHOICES),
        ),
        vector_cores=st.integers(1, 4096),
        vector=st.builds(VectorCore, st.integers(1, 512), st.integers(1, 64), st.integers(1024, 1 << 40)),
        hbm_bytes=st.integers(MIB, 1 << 45),
        hbm_bytes_per_s=st.integers(10**6, 10**14),
        frequency_hz=st.integers(10**6, 10**10),
    ),
    st.just((0, 0)) | st.tuples(st.integers(1, 1 << 40), st.integers(1, 10**13)),
    st.builds(
        Calibration,
        launch_s=st.floats(0, 0.9),
        array_efficiency=st.floats(0.01, 1),
        vector_efficiency=st.floats(0.01, 1),
        hbm_efficiency=st.floats(0.01, 1),
    ),
)
def test_any_design_reads_back(
    tmp_path_factory: pytest.TempPathFactory, design: Design, pool: tuple[int, int], calibration: Calibration
) -> None:
    design = replace(design, shared_sram_bytes=pool[0], port_bytes_per_s=pool[1], calibration=calibration)
    path = tmp_path_factory.mktemp("designs") / "design.yaml"
    path.write_text(dump_design(design), encoding="utf-8")
    assert load_accelerator(path) == design


def test_a_template_is_not_a_design() -> None:
    with pytest.raises(InputError) as caught:
        load_accelerator("wham")
    (complaint,) = caught.value.complaints
    assert (complaint.field, "wham.yaml:" in complaint.where) == ("tensor_cores", True)
    open_ones = "tensor_cores, tensor_dim, tensor_sram, vector_cores, vector_lanes, vector_sram"
    assert f"leaves {open_ones} open" in complaint.message


def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "list.yaml"
    path.write_text("- 1\n", encoding="utf-8")
    with pytest.raises(InputError, match="must be a mapping"):
        load_accelerator(path)


def test_a_shared_sram_and_its_ports_come_together() -> None:
    design = load_accelerator("tpuv2-like")
    with pytest.raises(InputError, match="needs port_bandwidth"):
        replace(design, shared_sram_bytes=MIB)
    with pytest.raises(InputError, match="give shared_sram as well"):
        replace(design, port_bytes_per_s=10**9)
    pooled = replace(design, shared_sram_bytes=MIB, port_bytes_per_s=70 * 10**9)
    assert pooled.port_bytes_per_cycle == pytest.approx(100.0)
    assert design.port_bytes_per_cycle == float("inf")
    assert "_sh1Mi-70GBps_" in pooled.name


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"launch_s": -1e-6}, "from 0 to below 1 s"),
        ({"launch_s": 1.0}, "from 0 to below 1 s"),
        ({"array_efficiency": 0.0}, "array_efficiency must be above 0 and at most 1"),
        ({"vector_efficiency": 1.1}, "vector_efficiency must be above 0 and at most 1"),
        ({"hbm_efficiency": float("nan")}, "hbm_efficiency must be above 0 and at most 1"),
    ],
)
def test_wrong_calibrations_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Calibration(**values)
