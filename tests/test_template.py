"""Templates: ranges, units, overrides and refusals."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accmine.errors import InputError
from accmine.hardware.accelerators import dump_design, load_accelerator
from accmine.hardware.template import KEYS, read_accelerator, template_from_mapping, template_of

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
            "shared_sram": "8 MiB",
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
        shared_sram_bytes=(8 * MIB,),
    )


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
        ("shared_sram", ["0 B", "8 MiB"], "a range over shared_sram is refused: no term of the time model"),
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
    with pytest.raises(InputError, match="shared_sram: a range"):
        replace(WHAM, shared_sram_bytes=(0, MIB))
    assert replace(WHAM, tensor_cores=(4, 2, 2)).tensor_cores == (2, 4)
