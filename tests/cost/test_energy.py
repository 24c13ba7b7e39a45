"""Energy per operator: hand-computed sums, and laws."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accmine.cost import PRESETS, combine, mac_pj, tensor_costs, vector_costs
from accmine.cost.energy import EnergyConstants, gemm_sram_bytes
from accmine.errors import InputError
from accmine.hardware import DATAFLOWS, TensorCore, VectorCore
from accmine.workload import Vector
from accmine.workload.graph import Gemm, Work


@dataclass(frozen=True)
class Constants:
    """Round numbers, so that each term can be told apart."""

    vector_op_fp32_pj: float = 2.0
    hbm_pj_per_byte: float = 40.0

    def mac_pj(self, dtype: str) -> float:
        return {"int8": 0.25, "bf16": 1.0, "fp16": 1.25, "fp32": 4.0, "fp8": 0.5, "tf32": 1.5}[dtype]

    def sram_pj_per_byte(self, size_bytes: int) -> float:
        return 1.0 if size_bytes < 1 << 20 else 1.5


TECHNOLOGY: EnergyConstants = Constants()
CORE = TensorCore(16, 16, 1 << 20)
LANES = VectorCore(16, 1, 1 << 10)


def work(m: int, k: int, n: int, *vector: Vector, dtype: str = "bf16", size: int = 2) -> Work:
    return Work(Gemm(m, k, n, 1, m * k, k * n, m * n), vector, size * (m * k + k * n), size * m * n, dtype)


def test_product_by_hand() -> None:
    table = tensor_costs([work(32, 48, 64)], [CORE], (1,), technology=TECHNOLOGY)
    assert table.energy_pj is not None
    assert table.compulsory_pj is not None
    operands = 2 * (32 * 48 + 48 * 64 + 32 * 64)
    # ws: A passes once per 16 columns, B is loaded once, sums are written 3 times and read back twice.
    array = 2 * (32 * 48 * 4 + 48 * 64) + 4 * 32 * 64 * 5
    assert table.energy_pj[0, 0, 0] == pytest.approx(32 * 48 * 64 + 1.5 * (operands + array))
    assert table.compulsory_pj[0] == pytest.approx(40.0 * operands)


def test_vector_by_hand() -> None:
    # Rows of 2 KiB do not fit 1 KiB: softmax reads its input again.
    softmax = Work(None, (Vector("softmax", 4096, 1024),), 8192, 8192, "bf16")
    table = vector_costs([softmax], [LANES, VectorCore(16, 1, 1 << 20)], (1, 2, 8), technology=TECHNOLOGY)
    assert table.energy_pj is not None
    small = 2.0 * 8 * 4096 + (2 * 8192 + 8192) * 1.0 + 8192 * 40.0
    large = 2.0 * 8 * 4096 + 2 * 8192 * 1.5
    assert table.energy_pj[0, 0].tolist() == pytest.approx([small, small, np.inf])
    assert table.energy_pj[0, 1].tolist() == pytest.approx([large, large, np.inf])


def test_whole_operator_adds_compulsory_traffic_once() -> None:
    fused = work(64, 64, 64, Vector("relu", 4096))
    tensor = tensor_costs([fused], [CORE], (1, 2), technology=TECHNOLOGY)
    vector = vector_costs([fused], [LANES], (1, 2), technology=TECHNOLOGY)
    both = combine(tensor, vector)
    assert both.energy_pj is not None
    assert tensor.energy_pj is not None
    assert vector.energy_pj is not None
    compulsory = 40.0 * (fused.bytes_in + fused.bytes_out)
    assert both.energy_pj[0] == pytest.approx(tensor.energy_pj[0, 0] + vector.energy_pj[0, 0] + compulsory)


def test_no_technology_no_energy() -> None:
    works = [work(8, 8, 8)]
    tensor, vector = tensor_costs(works, [CORE], (1,)), vector_costs(works, [LANES], (1,))
    assert tensor.energy_pj is None
    assert vector.compulsory_pj is None
    assert combine(tensor, vector).energy_pj is None
    with pytest.raises(InputError, match="both have a technology"):
        combine(tensor, vector_costs(works, [LANES], (1,), technology=TECHNOLOGY))


def test_fp32_macs_follow_the_timing() -> None:
    assert mac_pj("bf16", PRESETS["tpu-like"], TECHNOLOGY) == 1.0
    assert mac_pj("fp32", PRESETS["tpu-like"], TECHNOLOGY) == 3.0
    assert mac_pj("fp32", PRESETS["scalesim3"], TECHNOLOGY) == 4.0
    with pytest.raises(InputError, match="allowed: bf16, fp16, fp32, fp8, int8, tf32"):
        mac_pj("bool", PRESETS["tpu-like"], TECHNOLOGY)


@given(m=st.integers(1, 400), k=st.integers(1, 400), n=st.integers(1, 400), flow=st.sampled_from(DATAFLOWS))
def test_array_traffic_moves_every_operand(m: int, k: int, n: int, flow: str) -> None:
    moved = int(gemm_sram_bytes(m, k, n, 1, 16, 16, flow, 2))
    assert moved >= 2 * (m * k + k * n) + 4 * m * n
    assert int(gemm_sram_bytes(m, k, n, 3, 16, 16, flow, 2)) == 3 * moved
    assert int(gemm_sram_bytes(m, k, n, 1, 32, 32, flow, 2)) <= moved


@given(
    m=st.integers(1, 500),
    k=st.integers(1, 500),
    n=st.integers(1, 500),
    flow=st.sampled_from(DATAFLOWS),
    split=st.sampled_from([1, 2, 4, 16]),
)
def test_never_below_the_macs(m: int, k: int, n: int, flow: str, split: int) -> None:
    table = tensor_costs([work(m, k, n)], [TensorCore(16, 32, 1 << 14, flow)], (split,), technology=TECHNOLOGY)
    assert table.energy_pj is not None
    assert table.energy_pj[0, 0, 0] >= m * k * n
