"""Power by hand: every part of the TDP from the constants of a small law, and the energy of SRAMs between sizes."""

from __future__ import annotations

from dataclasses import fields, replace
from math import log2

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accmine.errors import InputError
from accmine.hardware import TensorCore, VectorCore
from accmine.hardware.technology.area import Chip
from accmine.hardware.technology.power import Power

ONES = Power(**{f.name: 1.0 for f in fields(Power)})
GHZ = Chip(8, 2 * 10**9, 10**9)


def test_a_chip_by_hand() -> None:
    law = replace(ONES, tdp_margin=2.0, leakage_w_per_mm2=0.5, mac_bf16_pj=3.0)
    fixed = law.fixed_w(GHZ, 4, 10.0)
    assert fixed == pytest.approx({"uncore": 2, "hbm_idle": 8, "leakage": 10, "hbm": 2 * 2e9 * 1e-12})
    tensor = law.tensor_w(TensorCore(2, 3, 1 << 20), GHZ, 6.0)
    assert tensor == pytest.approx({"leakage": 6, "tensor_macs": 2 * 6 * 3e-3, "tensor_sram": 2 * 34e-3})
    chip = replace(GHZ, shared_sram_bytes=1 << 20, port_bytes_per_s=5 * 10**9)
    vector = law.vector_w(VectorCore(4, 2, 1 << 20), chip, 6.0)
    assert vector == pytest.approx(
        {"leakage": 6, "vector_alus": 2 * 8e-3, "vector_sram": 2 * 32e-3, "shared_sram": 2 * 5e-3}
    )


@given(st.integers(1, 10**8), st.floats(0.1, 2), st.floats(1, 4), st.floats(1, 4))
def test_sram_energies_lie_between_the_published_ones(size: int, small: float, middle: float, large: float) -> None:
    points = {1 << 13: small, 1 << 15: small * middle, 1 << 20: small * middle * large}
    law = replace(
        ONES,
        **dict(
            zip(
                ("sram_8kib_pj_per_byte", "sram_32kib_pj_per_byte", "sram_1mib_pj_per_byte"),
                points.values(),
                strict=True,
            )
        ),
    )
    found = law.sram_pj_per_byte(size)
    assert small * (1 - 1e-9) <= found <= points[1 << 20] * (1 + 1e-9)
    assert law.sram_pj_per_byte(size + 1) >= found * (1 - 1e-9)
    for at, energy in points.items():
        assert law.sram_pj_per_byte(at) == pytest.approx(energy)
    assert law.sram_pj_per_byte(1 << 14) == pytest.approx(small * middle**0.5), "half of the way in the logarithm"
    assert law.sram_pj_per_byte(1 << 30) == points[1 << 20]


@given(st.integers(1, 10**7))
def test_an_interpolation_is_a_line_in_both_logarithms(size: int) -> None:
    law = replace(ONES, sram_8kib_pj_per_byte=1.0, sram_32kib_pj_per_byte=2.0, sram_1mib_pj_per_byte=64.0)
    step = min(max(log2(size) - 13, 0.0), 2.0) / 2 + min(max(log2(size) - 15, 0.0), 5.0)
    assert log2(law.sram_pj_per_byte(size)) == pytest.approx(step, abs=1e-9)


@given(st.integers(1, 3000), st.integers(2, 5))
def test_dynamic_power_goes_with_the_clock_and_leakage_does_not(mega: int, factor: int) -> None:
    one, more = (
        ONES.tensor_w(TensorCore(8, 8, 1 << 16), replace(GHZ, frequency_hz=f), 3.0)
        for f in (mega * 10**6, factor * mega * 10**6)
    )
    assert one["leakage"] == more["leakage"] == 3.0
    for part in ("tensor_macs", "tensor_sram"):
        assert more[part] == pytest.approx(factor * one[part])


def test_the_peak_is_that_of_the_type_that_takes_most() -> None:
    law = replace(ONES, mac_bf16_pj=3.0, mac_fp8_pj=2.0, mac_fp32_pj=9.0, mac_tf32_pj=None)
    busy = {
        (): 3.0,
        (("fp8", 1.0),): 3.0,
        (("fp8", 2.0),): 4.0,
        (("fp32", 0.25), ("fp8", 1.0)): 3.0,
    }
    for rates, energy in busy.items():
        core = TensorCore(2, 3, 1 << 20, "ws", rates)
        assert law.tensor_w(core, GHZ, 6.0)["tensor_macs"] == pytest.approx(6 * energy * 1e-3), rates
    with pytest.raises(InputError, match=r"no energy of a multiply-accumulate in tf32 \(constant power.mac_tf32_pj\)"):
        law.tensor_w(TensorCore(2, 3, 1 << 20, "ws", (("tf32", 1.0),)), GHZ, 6.0)
    with pytest.raises(InputError, match="no energy of a multiply-accumulate in fp4"):
        law.mac_pj("fp4")
