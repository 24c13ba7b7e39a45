"""Rates of products by element type: the stated ones, the rules where none is stated, and what follows for costs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accmine.cost import PRESETS, MemorySystem, pace, tensor_costs, unstated, vector_costs
from accmine.cost.arrays.precision import at_rate
from accmine.errors import InputError
from accmine.hardware import Rates, TensorCore, VectorCore
from accmine.hardware.technology import load_technology
from accmine.workload import BYTES, Vector
from accmine.workload.graph import Gemm, Work

TPU = PRESETS["tpu-like"]
RATES: Rates = (("fp32", 0.0625), ("fp8", 2.0), ("tf32", 0.5))
PLENTY = MemorySystem(1e9)
"""Bandwidth at which arithmetic alone counts."""


def work(m: int, k: int, n: int, dtype: str, *vector: Vector) -> Work:
    size = BYTES[dtype]
    return Work(Gemm(m, k, n, 1, m * k, k * n, m * n), vector, size * (m * k + k * n), size * m * n, dtype)


def core(rates: Rates = (), dataflow: str = "ws", sram: int = 1 << 26) -> TensorCore:
    return TensorCore(16, 16, sram, dataflow, rates)


def test_stated_rates_take_the_place_of_the_rules() -> None:
    assert [pace(dtype, (), TPU) for dtype in ("bf16", "fp16", "int8", "fp32")] == [(1, 1), (1, 1), (1, 1), (3, 1)]
    assert [pace(dtype, RATES, TPU) for dtype in ("bf16", "fp32", "fp8", "tf32")] == [
        (1, 1),
        (1, 0.0625),
        (1, 2),
        (1, 0.5),
    ]
    assert pace("fp32", (), PRESETS["scalesim3"]) == (1, 1)


@pytest.mark.parametrize("dtype", ["fp8", "tf32"])
def test_what_no_rule_and_no_rate_is_for_is_refused(dtype: str) -> None:
    message = rf"the arrays state no rate for {dtype}; allowed: bf16, fp16, fp32, int8, or tensor_rates: {{{dtype}: …}}"
    with pytest.raises(InputError, match=message):
        pace(dtype, (), TPU)
    with pytest.raises(InputError, match="unknown dtype 'fp4'"):
        pace("fp4", RATES, TPU)


def test_what_follows_a_rule_is_said() -> None:
    assert unstated(["bf16", "fp32", "int8"], (), TPU) == (
        "no rate for fp32 is stated (tensor_rates): it is multiplied as 3 bf16 products",
        "no rate for int8 is stated (tensor_rates): it is multiplied at the rate of bf16",
    )
    assert unstated(["bf16", "fp32", "fp8"], RATES, TPU) == ()


def test_cycles_of_a_product_go_with_the_rate() -> None:
    alike = [work(256, 512, 256, dtype) for dtype in ("bf16", "fp8", "tf32", "fp32")]
    table = tensor_costs(alike, [core(RATES)], (1, 4), memory=PLENTY)
    bf16, fp8, tf32, fp32 = table.cycles[:, 0]
    assert fp8.tolist() == at_rate(bf16, 2.0).tolist()
    assert tf32.tolist() == (2 * bf16).tolist()
    assert fp32.tolist() == (16 * bf16).tolist()
    assert table.ideal_cycles[:, 0, 0].tolist() == [131072, 65536, 262144, 2097152]
    # without a stated rate fp32 is three passes, which share the filling of the array
    passes = tensor_costs(alike[3:], [core()], (1,), memory=PLENTY)
    assert 2 * bf16[0] < passes.cycles[0, 0, 0] < 3 * bf16[0]


def test_core_types_of_different_rates_stand_side_by_side() -> None:
    works = [work(64, 64, 64, "bf16"), work(64, 64, 64, "int8"), Work(None, (Vector("add", 64),), 8, 8, "bf16")]
    types = [core(), core((("int8", 4.0),))]
    together = tensor_costs(works, types, (1, 2), memory=PLENTY)
    for t, own in enumerate(types):
        alone = tensor_costs(works, [own], (1, 2), memory=PLENTY)
        for name in ("cycles", "hbm_bytes", "ideal_cycles", "grid", "dataflow"):
            assert np.array_equal(getattr(together, name)[:, t], getattr(alone, name)[:, 0]), name
    assert together.cycles[1, 1].tolist() == at_rate(together.cycles[1, 0], 4.0).tolist()
    assert together.cycles[0, 1].tolist() == together.cycles[0, 0].tolist()


@given(
    st.tuples(*[st.integers(1, 300)] * 3),
    st.sampled_from([1 / 64, 0.1, 0.5, 1.0, 1.7, 2.0, 64.0]),
    st.sampled_from([1.0, 7.0, 1000.0]),
    st.sampled_from(["ws", "os", "is", "flexible"]),
    st.sampled_from([4096, 1 << 20]),
)
def test_cycles_are_never_below_arithmetic_and_fall_with_the_rate(
    sizes: tuple[int, int, int], rate: float, bandwidth: float, dataflow: str, sram: int
) -> None:
    memory, splits = MemorySystem(bandwidth), (1, 2, 3)
    tables = [
        tensor_costs([work(*sizes, "int8")], [core((("int8", own),), dataflow, sram)], splits, memory=memory)
        for own in (rate, 2 * rate if rate <= 32 else rate)
    ]
    durations = [
        np.maximum(table.cycles[0, 0], np.ceil(table.hbm_bytes[0, 0] / bandwidth).astype(np.int64)) for table in tables
    ]
    for table in tables:
        assert (table.cycles >= table.ideal_cycles).all()
        assert (table.hbm_bytes[0, 0] >= table.compulsory_bytes[0]).all()
    # one cycle of rounding, and one by which equally long tiles may differ
    assert (durations[1] <= 1.001 * durations[0] + 2).all()


def test_energy_is_that_of_the_type() -> None:
    seven = load_technology("accelerator-7nm")
    works = [work(128, 128, 128, dtype) for dtype in ("tf32", "fp32")]
    stated = tensor_costs(works, [core(RATES)], (1,), technology=seven, memory=PLENTY).energy_pj
    passes = tensor_costs(works[1:], [core()], (1,), technology=seven, memory=PLENTY).energy_pj
    assert stated is not None
    assert passes is not None
    macs = 128**3
    tf32, fp32 = stated[:, 0, 0]
    assert fp32 - tf32 == pytest.approx(macs * (seven.mac_pj("fp32") - seven.mac_pj("tf32")))
    assert passes[0, 0, 0] - fp32 > macs * (3 * seven.mac_pj("bf16") - seven.mac_pj("fp32")) > 0
    with pytest.raises(InputError, match="technology tpu-16nm: no energy of a multiply-accumulate in tf32"):
        tensor_costs(works, [core(RATES)], (1,), technology=load_technology("tpu-16nm"))


def test_lanes_are_as_wide_as_they_are_stated_but_for_optimisers() -> None:
    plain, wide = VectorCore(16, 1, 1 << 20), VectorCore(16, 1, 1 << 20, (("fp16", 2.0),))
    kinds = ("relu", "adam-update")
    works = [Work(None, (Vector(kind, 4096),), 8192, 8192, "fp16") for kind in kinds]
    table = vector_costs(works, [plain, wide], (1,))
    narrow, fast = table.cycles[0, :, 0].tolist()
    assert narrow == 2 * fast
    assert table.cycles[1, 0, 0] == table.cycles[1, 1, 0]
    assert (table.cycles >= table.ideal_cycles).all()
    assert vector_costs([Work(None, (Vector("relu", 64),), 256, 256, "fp32")], [wide], (1,)).cycles[0, 0, 0] == 4
