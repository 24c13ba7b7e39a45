"""The memory system that an operator works with: bandwidth of the HBM, and the SRAM that the cores share."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, isfinite

from accmine.errors import InputError
from accmine.hardware import Design

__all__ = ["NOMINAL", "RESIDENT_SHARE", "MemorySystem", "memory_of"]

RESIDENT_SHARE = 0.5
"""Share of the shared SRAM that holds tensors between operators, where a graph keeps any; tiles have the rest."""


@dataclass(frozen=True, slots=True)
class MemorySystem:
    """What a core can draw on beside its own SRAM.

    Attributes
    ----------
    hbm_bytes_per_cycle
        Peak HBM bandwidth. Tiles and grids are chosen for it; the bytes are reported, not their time.
    shared_sram_bytes
        SRAM between the cores' own and the HBM; 0 for none.
    port_bytes_per_cycle
        Bandwidth of one core's port to it; infinite without one.
    resident_share
        Share of the shared SRAM that holds tensors between operators (``accmine.workload.residency``).
    """

    hbm_bytes_per_cycle: float
    shared_sram_bytes: int = 0
    port_bytes_per_cycle: float = inf
    resident_share: float = 0.0

    def __post_init__(self) -> None:
        if not (self.hbm_bytes_per_cycle > 0 and isfinite(self.hbm_bytes_per_cycle)):
            raise InputError(f"hbm_bytes_per_cycle must be positive and finite, got {self.hbm_bytes_per_cycle!r}")
        if self.shared_sram_bytes < 0:
            raise InputError(f"shared_sram_bytes must not be negative, got {self.shared_sram_bytes!r}")
        if not 0.0 <= self.resident_share <= 1.0:
            raise InputError(f"resident_share must be from 0 to 1, got {self.resident_share!r}")
        if self.shared_sram_bytes and not (self.port_bytes_per_cycle > 0 and isfinite(self.port_bytes_per_cycle)):
            raise InputError(f"a shared SRAM needs a positive port bandwidth, got {self.port_bytes_per_cycle!r}")

    @property
    def tiles_bytes(self) -> int:
        """Shared SRAM that tiles of products have."""
        return self.shared_sram_bytes - int(self.shared_sram_bytes * self.resident_share)


NOMINAL = MemorySystem(1000.0)
"""TPUv2's 700 GB/s at 700 MHz, and no shared SRAM."""


def memory_of(design: Design, resident_share: float = 0.0) -> MemorySystem:
    """The memory system of a design, at its peak."""
    return MemorySystem(
        design.hbm_bytes_per_cycle, design.shared_sram_bytes, design.port_bytes_per_cycle, resident_share
    )
