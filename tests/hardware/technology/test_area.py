"""Areas by hand: every part of a chip from the constants of a small law."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accmine.errors import InputError
from accmine.hardware import TensorCore, VectorCore
from accmine.hardware.design import FLEXIBLE
from accmine.hardware.technology.area import Chip, PartsArea, tensor_port_bytes, vector_port_bytes

ONES = PartsArea(**{f.name: 1.0 for f in fields(PartsArea)})
CHIP = Chip(8, 8, 10**9)
SIDES = st.integers(1, 256)


def total(parts: dict[str, float]) -> float:
    return sum(parts.values())


def test_a_chip_by_hand() -> None:
    law = replace(ONES, hbm_stack_bytes=4.0, hbm_stack_bytes_per_s=2.0, multiplier=3.0, phy_multiplier=5.0)
    # 8 bytes are two stacks, 8 bytes/s four: base 1 + 3·uncore + 5·PHY + 4·(5·PHY + 3·controller) + 3·(1 MiB)
    chip = replace(CHIP, shared_sram_bytes=1 << 20, port_bytes_per_s=2 * 10**9)
    assert law.stacks(chip) == 4
    assert law.fixed_mm2(chip) == {"base": 1, "uncore": 3, "io_phy": 5, "hbm_interface": 32, "shared_sram": 3}
    # 2 x 3 elements of 1 + 1·1 um2; skew 8·2·1 + 16·3·2 bits; port 2·2 + 2·3 + 8·3 bytes; shared port 2 · 2 bytes
    parts = law.tensor_mm2(TensorCore(2, 3, 1 << 19), chip)
    assert parts == pytest.approx(
        {
            "tensor_array": 3 * 6 * 2e-6,
            "tensor_edge": 3 * (112 + 34) * 1e-6,
            "tensor_sram": 1.5,
            "tensor_overhead": 6,
            "shared_sram_port": 3 * 4e-6,
        }
    )
    vector = law.vector_mm2(VectorCore(4, 2, 1 << 20), chip)
    assert vector == pytest.approx(
        {
            "vector_alus": 3 * 8 * 2e-6,
            "vector_edge": 3 * 32e-6,
            "vector_sram": 3,
            "vector_overhead": 6,
            "shared_sram_port": 3 * 4e-6,
        }
    )


@given(SIDES, SIDES)
def test_ports_of_arrays_and_lanes(rows: int, cols: int) -> None:
    assert tensor_port_bytes(TensorCore(rows, cols, 1024)) == 2 * rows + 10 * cols
    assert vector_port_bytes(VectorCore(rows, cols, 1024)) == 4 * rows * cols


@given(SIDES, SIDES, st.sampled_from(("ws", "os", "is")))
def test_flexible_elements_cost_what_the_law_says(rows: int, cols: int, dataflow: str) -> None:
    plain, flexible = (total(ONES.tensor_mm2(TensorCore(rows, cols, 1 << 20, d), CHIP)) for d in (dataflow, FLEXIBLE))
    assert flexible - plain == pytest.approx(rows * cols * 1e-6)


@given(st.integers(0, 100), st.integers(0, 100))
def test_stacks_cover_both_needs(size: int, rate: int) -> None:
    law = replace(ONES, hbm_stack_bytes=7.0, hbm_stack_bytes_per_s=9.0)
    stacks = law.stacks(replace(CHIP, hbm_bytes=size, hbm_bytes_per_s=rate))
    assert stacks * 7 >= size
    assert stacks * 9 >= rate
    assert stacks == 0 or (stacks - 1) * 7 < size or (stacks - 1) * 9 < rate


def test_without_a_shared_sram_nothing_of_it_costs() -> None:
    assert ONES.fixed_mm2(CHIP)["shared_sram"] == 0
    assert "shared_sram_port" not in ONES.tensor_mm2(TensorCore(8, 8, 1024), CHIP)
    assert replace(CHIP, port_bytes_per_s=5).port_bytes_per_cycle == 0.0


def test_further_types_make_multipliers_larger() -> None:
    law = replace(ONES, mac_um2=10.0, further_type_share=0.5)
    plain, rated = TensorCore(2, 3, 1 << 19), TensorCore(2, 3, 1 << 19, "ws", (("fp8", 2.0), ("tf32", 0.5)))
    # 8 bits twice a cycle are those of bf16, 19 bits every other cycle 19/32 of them
    assert law.further_types(rated) == pytest.approx(1 + 0.5 * (1 + 19 / 32))
    assert law.further_types(plain) == 1
    more = law.tensor_mm2(rated, CHIP)["tensor_array"] - law.tensor_mm2(plain, CHIP)["tensor_array"]
    assert more == pytest.approx(6e-6 * 10 * 0.5 * (1 + 19 / 32))
    with pytest.raises(InputError, match=r"no area of arrays that state tensor_rates .*further_type_share"):
        replace(law, further_type_share=None).tensor_mm2(rated, CHIP)
    assert replace(law, further_type_share=None).further_types(plain) == 1
