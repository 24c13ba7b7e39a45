"""gemm(): exact against SCALE-Sim, bounded, monotone, and refusing what it cannot cost."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import accmine.cost
from accmine.cost import NOMINAL, PRESETS, GemmCost, gemm
from accmine.errors import InputError
from accmine.hardware import DATAFLOWS, FLEXIBLE

SAMPLE = Path(__file__).parents[2] / "data" / "scalesim_sample.csv"
SIZES = st.integers(1, 3000)
SIDES = st.sampled_from([1, 4, 16, 128])


def scalesim_files() -> list[Path]:
    outside = os.environ.get("ACCMINE_DATA")
    return [SAMPLE] if not outside else [SAMPLE, Path(outside) / "scalesim_cycles.csv"]


def test_every_scalesim_row_is_exact() -> None:
    for path in scalesim_files():
        lines = [line.split(",") for line in path.read_text(encoding="utf-8").splitlines() if line[0] != "#"]
        head, rows = lines[0], lines[1:]
        assert len(rows) > 10
        for values in rows:
            row = dict(zip(head, values, strict=False))
            m, k, n = int(row["M"]), int(row["K"]), int(row["N"])
            cost = gemm(m, k, n, array=(int(row["rows"]), int(row["cols"])), dataflow=row["dataflow"])
            assert cost.cycles == int(row["cycles"]), row
            assert 100 * cost.utilization == pytest.approx(float(row["utilization"]), abs=1e-6)


@given(
    m=SIZES,
    k=SIZES,
    n=SIZES,
    rows=SIDES,
    cols=SIDES,
    flow=st.sampled_from(DATAFLOWS),
    preset=st.sampled_from(sorted(PRESETS)),
    batch=st.integers(1, 3),
    sram=st.none() | st.integers(20, 1 << 24),
    dtype=st.sampled_from(["bf16", "fp16", "fp32", "int8"]),
)
def test_bounds(
    m: int, k: int, n: int, rows: int, cols: int, flow: str, preset: str, batch: int, sram: int | None, dtype: str
) -> None:
    cost = gemm(m, k, n, (rows, cols), flow, preset, batch, sram, dtype)
    size = {"bf16": 2, "fp16": 2, "fp32": 4, "int8": 1}[dtype]
    assert cost.macs == batch * m * k * n
    assert 0 < cost.utilization <= 1
    assert cost.compulsory_bytes == batch * (m * k + k * n + m * n) * size
    assert cost.bytes >= cost.compulsory_bytes
    if sram is None:
        assert cost.bytes == cost.compulsory_bytes
    assert (cost.cycles + 1) * rows * cols >= cost.macs


def time_of(cost: GemmCost) -> float:
    """What tiles are chosen for: the slower of array and HBM."""
    return max(cost.cycles, cost.bytes / NOMINAL.hbm_bytes_per_cycle)


@given(sizes=st.tuples(SIZES, SIZES, SIZES), more=st.tuples(*[st.integers(0, 99)] * 3), sram=st.integers(20, 1 << 22))
def test_monotone_in_the_product(sizes: tuple[int, int, int], more: tuple[int, int, int], sram: int) -> None:
    larger = (sizes[0] + more[0], sizes[1] + more[1], sizes[2] + more[2])
    for flow in DATAFLOWS:
        small = gemm(*sizes, (16, 32), flow, "tpu-like", sram_bytes=sram)
        large = gemm(*larger, (16, 32), flow, "tpu-like", sram_bytes=sram)
        # Cycles are traded for bytes and back: alone, neither is monotone.
        assert time_of(small) <= time_of(large) * (1 + 3e-6)
        whole = [gemm(*s, (16, 32), flow, "tpu-like") for s in (sizes, larger)]
        assert whole[0].cycles <= whole[1].cycles
        assert whole[0].bytes <= whole[1].bytes


@settings(max_examples=40, deadline=None)
@given(sizes=st.tuples(SIZES, SIZES, SIZES), sram=st.integers(20, 1 << 22), more=st.integers(1, 1 << 22))
def test_more_sram_is_never_slower(sizes: tuple[int, int, int], sram: int, more: int) -> None:
    for flow in (*DATAFLOWS, FLEXIBLE):
        less, enough = (gemm(*sizes, (16, 32), flow, "tpu-like", sram_bytes=s) for s in (sram, sram + more))
        assert time_of(enough) <= time_of(less) * 1.01  # times within a percent are equal
        all_of_it = gemm(*sizes, (16, 32), flow, "tpu-like", sram_bytes=1 << 40)
        assert all_of_it.bytes == all_of_it.compulsory_bytes
        assert all_of_it.cycles == gemm(*sizes, (16, 32), flow, "tpu-like").cycles


def test_flexible_takes_the_best_dataflow() -> None:
    for sizes in ((64, 17, 64), (4096, 40, 20), (20, 40, 4096)):
        fixed = [gemm(*sizes, (16, 16), flow, "tpu-like").cycles for flow in DATAFLOWS]
        assert gemm(*sizes, (16, 16), FLEXIBLE, "tpu-like").cycles == min(fixed) < max(fixed)


def test_fp32_is_three_bf16_passes_on_a_bf16_array_only() -> None:
    def folds(timing: str, dtype: str) -> int:
        return gemm(512, 256, 256, (128, 128), "ws", timing, dtype=dtype).folds

    assert folds("tpu-like", "fp32") == 3 * folds("tpu-like", "bf16")
    assert folds("scalesim3", "fp32") == folds("scalesim3", "bf16")


def test_large_batches_and_numpy_sizes() -> None:
    cost = gemm(np.int64(64), np.int64(64), np.int64(64), (np.int32(16), 16), batch=1000)  # type: ignore[arg-type]
    assert isinstance(cost.cycles, int)
    assert cost.cycles == 1000 * 16 * (64 + 46) - 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"m": 0}, "m must be a positive integer, got 0"),
        ({"k": -3}, "k must be a positive integer, got -3"),
        ({"n": 1.5}, "n must be a positive integer"),
        ({"batch": True}, "batch must be a positive integer"),
        ({"array": (0, 16)}, "array rows must be a positive integer"),
        ({"array": (16,)}, "rows, cols"),
        ({"array": 16}, "rows, cols"),
        ({"dataflow": "rs"}, "allowed: ws, os, is, flexible"),
        ({"timing": "fast"}, "allowed: scalesim3, scalesim-paper, rtl-simple, tpu-like"),
        ({"sram_bytes": 0}, "sram_bytes must be a positive integer"),
        ({"sram_bytes": 19}, "hold no tile; at least 20 are needed"),
        ({"dtype": "bool"}, "allowed: bf16, fp16, fp32, fp8, int8, tf32"),
        ({"m": 10**9, "k": 10**9, "n": 10**9}, "too large"),
    ],
)
def test_wrong_input_is_refused(change: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {"m": 8, "k": 8, "n": 8, "array": (16, 16)} | change
    with pytest.raises(InputError, match=message):
        gemm(**arguments)


def test_exported() -> None:
    assert all(hasattr(accmine.cost, name) for name in accmine.cost.__all__)
