"""The memory system of a core."""

from __future__ import annotations

from dataclasses import replace
from math import inf, nan

import pytest

from accmine.cost import NOMINAL, MemorySystem, memory_of
from accmine.errors import InputError
from accmine.hardware import Calibration, load_accelerator


def test_of_a_design() -> None:
    design = load_accelerator("tpuv2-like")
    assert memory_of(design) == NOMINAL == MemorySystem(1000.0, 0, inf)
    fitted = replace(design, calibration=Calibration(hbm_efficiency=0.8))
    assert memory_of(fitted) == NOMINAL, "tiles are chosen for the peak"
    pooled = replace(design, shared_sram_bytes=1 << 20, port_bytes_per_s=70 * 10**9)
    assert memory_of(pooled, 0.5) == MemorySystem(1000.0, 1 << 20, 100.0, 0.5)


@pytest.mark.parametrize(("share", "left"), [(0.0, 1001), (0.5, 501), (1.0, 0)])
def test_tiles_have_what_residents_leave(share: float, left: int) -> None:
    assert MemorySystem(1.0, 1001, 1.0, share).tiles_bytes == left


@pytest.mark.parametrize("bandwidth", [0.0, -1.0, nan, inf])
def test_a_bandwidth_is_a_positive_number(bandwidth: float) -> None:
    with pytest.raises(InputError, match="hbm_bytes_per_cycle must be positive"):
        MemorySystem(bandwidth)
    with pytest.raises(InputError, match="needs a positive port bandwidth"):
        MemorySystem(1.0, 1 << 20, bandwidth)


def test_sizes_and_shares_are_checked() -> None:
    with pytest.raises(InputError, match="shared_sram_bytes must not be negative"):
        MemorySystem(1.0, -1, 1.0)
    for share in (-0.1, 1.5, nan):
        with pytest.raises(InputError, match="resident_share must be from 0 to 1"):
            MemorySystem(1.0, 1 << 20, 1.0, share)
