"""The memory system of a design, and what cannot be one."""

from __future__ import annotations

from dataclasses import replace
from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accmine.cost.memory import NOMINAL, MemorySystem, memory_of
from accmine.errors import InputError
from accmine.hardware import load_accelerator
from accmine.hardware.calibration import Calibration


@given(st.integers(1, 1 << 40), st.floats(0, 1))
def test_tiles_have_what_stays_free(size: int, share: float) -> None:
    memory = MemorySystem(1000.0, size, 64.0, share)
    assert 0 <= memory.tiles_bytes <= size
    assert memory.tiles_bytes == size - int(size * share)
    assert MemorySystem(1000.0, size, 64.0, 0.0).tiles_bytes == size


def test_it_is_that_of_the_design() -> None:
    design = load_accelerator("tpuv2-like")
    assert memory_of(design) == NOMINAL
    calibrated = replace(design, calibration=Calibration(hbm_efficiency=0.5))
    assert memory_of(calibrated) == NOMINAL, "tiles are chosen for the peak"
    shared = replace(design, shared_sram_bytes=1 << 20, port_bytes_per_s=7 * 10**9)
    assert memory_of(shared, 0.25) == MemorySystem(1000.0, 1 << 20, 10.0, 0.25)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ((0.0,), "hbm_bytes_per_cycle must be positive and finite, got 0.0"),
        ((-1.0,), "hbm_bytes_per_cycle"),
        ((inf,), "hbm_bytes_per_cycle"),
        ((nan,), "hbm_bytes_per_cycle"),
        ((1.0, -1), "shared_sram_bytes must not be negative"),
        ((1.0, 1), "a shared SRAM needs a positive port bandwidth, got inf"),
        ((1.0, 1, 0.0), "a shared SRAM needs a positive port bandwidth"),
        ((1.0, 1, 1.0, 1.5), "resident_share must be from 0 to 1"),
        ((1.0, 0, inf, -0.1), "resident_share must be from 0 to 1"),
    ],
)
def test_what_is_no_memory_system_is_refused(values: tuple[float, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        MemorySystem(*values)  # type: ignore[arg-type]
