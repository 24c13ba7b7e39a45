"""What ZigZag is told: capacities, widths and energies by hand, and dimensions that agree with each other."""

from __future__ import annotations

from math import prod
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.cost import accelerator, array_cycles, best_dataflow, layer, mapping, port_bits, resolve_timing
from accmine.cost.measured.zigzag_layer import PSUM_WORDS
from accmine.errors import InputError
from accmine.hardware import DATAFLOWS, FLEXIBLE, TensorCore
from accmine.hardware.technology import load_technology
from accmine.workload.work import Gemm

TECHNOLOGY = load_technology("tpu-16nm")
CORE = TensorCore(16, 8, 64 << 10, "ws")
HELD = {"ws": "W", "is": "I", "os": "O"}
"""The operand that stays in the array."""


def made(dataflow: str = "ws", dtype: str = "bf16", core: TensorCore = CORE, **more: Any) -> dict[str, Any]:
    return accelerator(core, dataflow, dtype, "tpu-like", TECHNOLOGY, **{"hbm_bytes": 1 << 30, **more})


dims = st.integers(1, 300)


@settings(max_examples=40, deadline=None)
@given(dims, dims, st.sampled_from([8, 16, 32]), st.integers(1, 10_000))
def test_a_port_of_the_sram_carries_every_edge_and_the_hbm(rows: int, cols: int, bits: int, hbm: int) -> None:
    needs = (rows * bits, cols * bits, cols * 32, hbm)
    found = port_bits(TensorCore(rows, cols, 1 << 16), bits, hbm)
    assert found >= max(needs)
    assert found in needs, "and no wider than one of them"


@pytest.mark.parametrize("dataflow", DATAFLOWS)
def test_what_stays_is_laid_out_over_the_whole_array(dataflow: str) -> None:
    (found,) = mapping(CORE, dataflow)
    equation = layer("x", 0, 2, 3, 4, "bf16")["equation"]
    operand = HELD[dataflow]
    indices = {c.upper() for c in equation.partition(f"{operand}[")[2].replace("][", "").partition("]")[0]}
    laid = [unrolled.split(", ") for ways in found["spatial_mapping"].values() for unrolled in ways]
    assert {name for name, _ in laid} == indices
    assert prod(int(units) for _, units in laid) == CORE.rows * CORE.cols
    assert int(found["spatial_mapping"]["D1"][0].split(", ")[1]) == made(dataflow)["operational_array"]["sizes"][0]
    assert int(found["spatial_mapping"]["D2"][0].split(", ")[1]) == made(dataflow)["operational_array"]["sizes"][1]


@settings(max_examples=30, deadline=None)
@given(dims, dims, dims, st.sampled_from(["bf16", "fp16", "fp32", "int8"]))
def test_a_layer_is_its_product(m: int, k: int, n: int, dtype: str) -> None:
    found = layer("product", 3, m, k, n, dtype)
    size = dict(zip(found["loop_dims"], found["loop_sizes"], strict=True))
    assert size["B"] * size["C"] == m * k, "I is A"
    assert size["C"] * size["K"] == k * n, "W is B"
    assert size["B"] * size["K"] == m * n
    assert (found["id"], found["name"]) == (3, "product")
    precision = found["operand_precision"]
    assert precision["W"] == precision["I"] == precision["O_final"] == {"fp32": 32, "int8": 8}.get(dtype, 16)
    assert precision["O"] == 32, "sums are not rounded on the way"


@settings(max_examples=40, deadline=None)
@given(dims, dims, dims, st.integers(1, 3), st.sampled_from(["tpu-like", "scalesim3"]))
def test_a_flexible_array_takes_its_fastest_dataflow(m: int, k: int, n: int, batch: int, timing: str) -> None:
    gemm = Gemm(m, k, n, batch, batch * m * k, batch * k * n, batch * m * n)
    times = {d: int(array_cycles(m, k, n, batch, CORE.rows, CORE.cols, d, timing)) for d in DATAFLOWS}
    found = best_dataflow(gemm, TensorCore(16, 8, 64 << 10, FLEXIBLE), timing)
    assert times[found] == min(times.values())
    for dataflow in DATAFLOWS:
        assert best_dataflow(gemm, TensorCore(16, 8, 64 << 10, dataflow), timing) == dataflow


def test_capacities_are_bits() -> None:
    memories = made(hbm_bytes=1 << 20)["memories"]
    assert memories["sram"]["size"] == 8 * (64 << 10)
    assert memories["hbm"]["size"] == 8 << 20
    words = 2 if resolve_timing("tpu-like").weight_load_overlap else 1
    assert memories["stationary"]["size"] == words * 16
    assert memories["sums"]["size"] == PSUM_WORDS * 32
    assert made(dtype="int8")["memories"]["stationary"]["size"] == words * 8


@pytest.mark.parametrize("dataflow", DATAFLOWS)
def test_registers_hold_what_stays(dataflow: str) -> None:
    memories = made(dataflow)["memories"]
    held = {"ws": ["I2"], "is": ["I1"]}.get(dataflow)
    assert ("stationary" in memories) == (held is not None)
    if held:
        assert memories["stationary"]["operands"] == held
        assert memories["stationary"]["operands"] == [
            mapping(CORE, dataflow)[0]["memory_operand_links"][HELD[dataflow]]
        ]
    assert memories["sums"]["served_dimensions"] == ([] if dataflow == "os" else ["D2"])
    for memory in memories.values():
        ways = [way for port in memory["ports"] for way in port["allocation"]]
        assert len(ways) == len(set(ways)), "every way has one port"
        needed = {(o, w) for o in memory["operands"] for w in (("fh", "tl") if o != "O" else ("fh", "fl", "tl", "th"))}
        assert {tuple(way.split(", ")) for way in ways} == needed


def test_a_bit_costs_the_same_whatever_the_width() -> None:
    narrow, wide = (made(hbm_bits_per_cycle=bits)["memories"] for bits in (1024, 8192))
    for name in ("sram", "hbm"):
        costs = [m[name]["r_cost"] / m[name]["ports"][0]["bandwidth_max"] for m in (narrow, wide)]
        assert costs[0] == pytest.approx(costs[1])
        assert all(m[name]["r_cost"] == m[name]["w_cost"] for m in (narrow, wide))
    assert wide["hbm"]["r_cost"] == pytest.approx(TECHNOLOGY.hbm_pj_per_byte * 1024)
    assert wide["hbm"]["ports"][0]["bandwidth_max"] == 8192
    free = made()["memories"]
    assert free["hbm"]["ports"][0]["bandwidth_max"] == free["sram"]["ports"][0]["bandwidth_max"], "never stalls it"


def test_the_name_says_what_a_flexible_core_does() -> None:
    flexible = TensorCore(16, 8, 64 << 10, FLEXIBLE)
    assert made()["name"] == "tc16x8ws-64Ki"
    names = {made(dataflow, core=flexible)["name"] for dataflow in DATAFLOWS}
    assert len(names) == len(DATAFLOWS)
    assert all(name.rpartition("-")[2] in DATAFLOWS for name in names)


@pytest.mark.parametrize(
    ("dataflow", "dtype", "message"),
    [
        ("ws", "bool", "unknown dtype 'bool' of a product; allowed: bf16, fp16, fp32, fp8, int8, tf32"),
        (FLEXIBLE, "bf16", "unknown dataflow 'flexible'; allowed: ws, os, is"),
    ],
)
def test_other_words_are_refused(dataflow: str, dtype: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        made(dataflow, dtype)
