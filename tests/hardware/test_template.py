"""Templates: ranges, units, overrides and refusals."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accmine.errors import InputError
from accmine.hardware import (
    Calibration,
    DesignSpace,
    dump_design,
    load_accelerator,
    read_accelerator,
    template_from_mapping,
    template_of,
)
from accmine.hardware.template import KEYS

WHAM = template_from_mapping({"use": "wham"})
MIB, GIB = 1 << 20, 1 << 30


def complaints(mapping: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(InputError) as caught:
        template_from_mapping(mapping, where="accelerator")
    return {item.field: item.message for item in caught.value.complaints}


def test_shipped_template() -> None:
    assert WHAM.tensor_cores == WHAM.vector_cores == tuple(range(1, 65))
    assert WHAM.tensor_rows == WHAM.tensor_cols == (16, 32, 64, 128, 256)
    assert WHAM.dataflow == ("ws",)
    assert WHAM.hbm_bytes == (16 * GIB,)
    assert WHAM.hbm_bytes_per_s == (700 * 10**9,)
    assert WHAM.shared_sram_bytes == (0,)
    assert WHAM.size == 64 * 25 * 6 * 64 * 5 * 3


def test_keys_override_the_shipped_values() -> None:
    template = template_from_mapping(
        {
            "use": "wham",
            "tensor_cores": 8,
            "tensor_rows": [128, 64, 64],
            "dataflow": ["os", "ws"],
            "tensor_sram": "1 MiB..16 MiB x2",
            "vector_lanes": "16..256 x4",
            "hbm": ["32 GiB", 16 * GIB],
            "hbm_bandwidth": "1.2 TB/s",
            "frequency": "0.7 GHz",
            "shared_sram": ["0 B", "8 MiB"],
            "port_bandwidth": ["90 GB/s", "180 GB/s"],
        }
    )
    assert template == replace(
        WHAM,
        tensor_cores=(8,),
        tensor_rows=(64, 128),
        dataflow=("ws", "os"),
        tensor_sram_bytes=(MIB, 2 * MIB, 4 * MIB, 8 * MIB, 16 * MIB),
        vector_lanes=(16, 64, 256),
        hbm_bytes=(16 * GIB, 32 * GIB),
        hbm_bytes_per_s=(1_200_000_000_000,),
        frequency_hz=(700_000_000,),
        shared_sram_bytes=(0, 8 * MIB),
        port_bytes_per_s=(90 * 10**9, 180 * 10**9),
    )
    # Ports mean nothing without a shared SRAM: no SRAM with one bandwidth, 8 MiB with two.
    assert template.shared_memories == ((0, 0), (8 * MIB, 90 * 10**9), (8 * MIB, 180 * 10**9))
    assert template.size == (2 * 5 * 2 * 5) * (64 * 3 * 3) * 2 * 3  # tensor cores, vector cores, HBM, shared SRAM


def test_tensor_dim_gives_rows_and_columns() -> None:
    template = template_from_mapping({"use": "wham", "tensor_dim": "2..4"})
    assert template.tensor_rows == template.tensor_cols == (2, 3, 4)


def test_lists_may_hold_ranges() -> None:
    assert template_from_mapping({"use": "wham", "tensor_cores": ["1..4", 8, "16..64 x2"]}).tensor_cores == (
        1, 2, 3, 4, 8, 16, 32, 64,
    )  # fmt: skip


@given(st.integers(1, 500), st.integers(0, 500))
def test_a_range_is_every_integer(low: int, more: int) -> None:
    template = template_from_mapping({"use": "wham", "tensor_cores": f"{low}..{low + more}"})
    assert template.tensor_cores == tuple(range(low, low + more + 1))


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("tensor_cores", "9..2", "starts above its end"),
        ("tensor_cores", "1..10000000", "more than"),
        ("tensor_cores", "2..10 x2", "does not reach its end"),
        ("tensor_cores", "2..8 x1", "factor of at least 2"),
        ("tensor_cores", 0, "at least 1"),
        ("tensor_cores", [], "at least one value"),
        ("tensor_cores", 2.5, "whole number"),
        ("tensor_cores", "many", "whole number"),
        ("tensor_cores", True, "must be a number"),
        ("tensor_cores", {"low": 1}, "must be a number"),
        ("tensor_dim", -4, "at least 1"),
        ("tensor_sram", "1 MiB..16 MiB", "has no step"),
        ("tensor_sram", 12, "write a unit"),
        ("hbm", "32", "unit"),
        ("hbm", 32, "such as 32 GiB"),
        ("hbm_bandwidth", "900 GB", "allowed units"),
        ("frequency", "7 W", "allowed units: Hz"),
        ("dataflow", "rs", "allowed: ws, os, is"),
        ("dataflow", [], "at least one value"),
        ("tensor_dims", 4, "did you mean 'tensor_dim'"),
        ("port_bandwidth", "90 GB/s", "is the bandwidth to the shared SRAM; give shared_sram as well"),
        ("port_bandwidth", "90 GB", "allowed units"),
        ("hbm_stacks", 0, "at least 1"),
    ],
)
def test_wrong_values_are_refused_by_name(key: str, value: Any, message: str) -> None:
    found = complaints({"use": "wham", key: value})
    assert set(found) == {f"accelerator.{key}"}
    assert message in found[f"accelerator.{key}"]


def test_all_complaints_at_once() -> None:
    found = complaints({"use": "wham", "hbm": "1 W", "frequency": "x", "foo": 1})
    assert set(found) == {"accelerator.hbm", "accelerator.frequency", "accelerator.foo"}
    assert all(key in found["accelerator.foo"] for key in KEYS)


def test_tensor_dim_contradicts_rows() -> None:
    assert "leave it out" in complaints({"use": "wham", "tensor_dim": 4, "tensor_rows": 8})["accelerator.tensor_dim"]


def test_without_use_everything_is_needed() -> None:
    message = complaints({"tensor_dim": 16})["accelerator"]
    assert message.startswith("missing: tensor_cores, tensor_sram, vector_cores")
    assert "tensor_rows" not in message
    assert "use: wham" in message


def test_use_must_be_a_name() -> None:
    with pytest.raises(InputError, match="must be the name of an accelerator"):
        template_from_mapping({"use": 3})
    with pytest.raises(InputError, match="unknown accelerator"):
        template_from_mapping({"use": "tpuv9"})


def test_a_design_file_is_a_template_of_one(tmp_path: Path) -> None:
    design = load_accelerator("tpuv2-like")
    (tmp_path / "mine.yaml").write_text(dump_design(design), encoding="utf-8")
    template = template_from_mapping({"use": "mine.yaml"}, relative_to=tmp_path)
    assert template == template_of(design) == template_of(read_accelerator("tpuv2-like"))
    assert template.size == 1
    wider = template_from_mapping({"use": "mine.yaml", "tensor_cores": "1..4"}, relative_to=tmp_path)
    assert wider == replace(template, tensor_cores=(1, 2, 3, 4))


def test_a_wrong_file_is_reported_with_its_place(tmp_path: Path) -> None:
    text = dump_design(load_accelerator("tpuv2-like")).replace("128\n", "-128\n", 1).replace("hbm:", "hmb:")
    path = tmp_path / "wrong.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        template_from_mapping({"use": str(path)})
    assert [(item.where, item.field) for item in caught.value.complaints] == [
        (f"{path}:{text[: text.index('hmb')].count(chr(10)) + 1}:6", "hmb"),
        (f"{path}:3:14", "tensor_rows"),
    ]


def test_a_template_checks_itself() -> None:
    with pytest.raises(InputError, match="tensor_rows: must be at least 1"):
        replace(WHAM, tensor_rows=(0,))
    with pytest.raises(InputError, match="port_bandwidth: a shared SRAM needs the bandwidth of a core's port"):
        replace(WHAM, shared_sram_bytes=(0, MIB))
    with pytest.raises(InputError, match="port_bandwidth: is the bandwidth to the shared SRAM"):
        replace(WHAM, port_bytes_per_s=(10**9,))
    assert replace(WHAM, tensor_cores=(4, 2, 2)).tensor_cores == (2, 4)


STACKS = {"hbm_stacks": "1..4", "hbm_stack": "8 GiB", "hbm_stack_bandwidth": "300 GB/s"}


def test_a_stack_adds_capacity_and_bandwidth(tmp_path: Path) -> None:
    template = template_from_mapping({"use": "wham", **STACKS})
    assert template.hbm_stack == (8 * GIB, 300 * 10**9)
    assert template.memories == tuple((n * 8 * GIB, n * 300 * 10**9) for n in (1, 2, 3, 4))
    assert template.size == 4 * WHAM.size
    assert template.stack_rate(8 * GIB + 1) == 600 * 10**9
    design = next(iter(DesignSpace(template)))
    assert template.contains(design)
    assert not template.contains(replace(design, hbm_bytes=16 * GIB))  # two stacks with the bandwidth of one
    # A study may say the one where the file says the other.
    path = tmp_path / "stacked.yaml"
    one = {"tensor_cores": 1, "vector_cores": 1, "tensor_dim": 8, "tensor_sram": "1 MiB", "vector_lanes": 8}
    rest = {"vector_ops_per_lane": 1, "vector_sram": "1 MiB", "frequency": "1 GHz"}
    path.write_text(json.dumps(one | rest | STACKS), encoding="utf-8")
    plain = {"use": str(path), "hbm": ["8 GiB", "16 GiB"], "hbm_bandwidth": ["300 GB/s", "600 GB/s"]}
    assert template_from_mapping({"use": str(path)}).memories == template.memories
    assert len(template_from_mapping(plain).memories) == 4
    assert template_from_mapping(plain).hbm_stack is None


@pytest.mark.parametrize(
    ("change", "field", "message"),
    [
        ({"hbm": "8 GiB"}, "hbm", "hbm_stacks gives capacity and bandwidth"),
        ({"hbm_bandwidth": "8 GB/s"}, "hbm_bandwidth", "hbm_stacks gives capacity and bandwidth"),
        ({"hbm_stack": ["8 GiB", "16 GiB"]}, "hbm_stack", "designs differ in the number of stacks"),
        ({"hbm_stack_bandwidth": ["1 GB/s", "2 GB/s"]}, "hbm_stack_bandwidth", "needs one value"),
    ],
)
def test_stacks_contradict_plain_memory(change: dict[str, Any], field: str, message: str) -> None:
    found = complaints({"use": "wham", **STACKS, **change})
    assert set(found) == {f"accelerator.{field}"}
    assert message in found[f"accelerator.{field}"]


def test_stacks_come_together() -> None:
    assert "missing: hbm_stack, hbm_stack_bandwidth" in complaints({"use": "wham", "hbm_stacks": 2})["accelerator"]


CALIBRATION = """calibration:
  launch: 21 us
  array_efficiency: 0.9
  vector_efficiency: 1
  hbm_efficiency: 0.75
  source: measured on a part, for this test
"""


def calibrated(folder: Path, section: str) -> Path:
    path = folder / "calibrated.yaml"
    path.write_text(dump_design(load_accelerator("tpuv2-like")) + section, encoding="utf-8")
    return path


def test_calibration_of_a_file(tmp_path: Path) -> None:
    design = load_accelerator(calibrated(tmp_path, CALIBRATION))
    assert design.calibration == Calibration(21e-6, 0.9, 1.0, 0.75)
    assert design.launch_cycles == 14_700
    assert design.usable_hbm_bytes_per_cycle == pytest.approx(750.0)
    # It stays with the accelerator, whatever a study changes.
    template = template_from_mapping({"use": str(tmp_path / "calibrated.yaml"), "tensor_cores": "1..3"})
    assert template.calibration == design.calibration
    assert all(found.calibration == design.calibration for found in DesignSpace(template))


@pytest.mark.parametrize(
    ("old", "new", "field", "message"),
    [
        ("21 us", "21", "calibration.launch", "unit"),
        ("21 us", "3 s", "calibration.launch", "from 0 to below 1 s"),
        ("0.9", "90", "calibration.array_efficiency", "above 0 and at most 1"),
        ("0.75", "0", "calibration.hbm_efficiency", "above 0 and at most 1"),
        ("0.75", "high", "calibration.hbm_efficiency", "must be a number"),
        ("  launch: 21 us\n", "", "calibration", "launch is missing"),
        (
            "launch:",
            "lunch: 1 s\n  launch:",
            "calibration.lunch",
            "unknown key; did you mean 'launch'? allowed: launch",
        ),
        ("measured on a part, for this test", "''", "calibration.source", "what the values were fitted on"),
        (CALIBRATION, "calibration: 0.9\n", "calibration", "must be a mapping"),
    ],
)
def test_wrong_calibrations_are_refused(tmp_path: Path, old: str, new: str, field: str, message: str) -> None:
    path = calibrated(tmp_path, CALIBRATION.replace(old, new))
    with pytest.raises(InputError) as caught:
        load_accelerator(path)
    (found,) = caught.value.complaints
    assert found.field == field
    assert message in found.message
    assert found.where.startswith(f"{path}:")


def test_a_calibration_is_that_of_a_file() -> None:
    assert "unknown key" in complaints({"use": "wham", "calibration": {}})["accelerator.calibration"]
