"""The area law of Phaze (ICML 2024), exact, for reproducing its designs only.

Phaze adds Accelergy table entries: a multiply-accumulate and a register file per processing element, one private
"L2" buffer per core of max(1 KiB, 16 B per processing element), and one global buffer. Its HBM, network and host
interface have no area. The law was recovered from the areas that Phaze ships (msr-fiddle/phaze, MIT).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from accmine.errors import InputError
from accmine.hardware.design import TensorCore, VectorCore
from accmine.hardware.technology.area import Chip, constant

__all__ = ["PhazeArea", "phaze_l2_bytes"]

_MIB = 1 << 20


def phaze_l2_bytes(processing_elements: int) -> int:
    """Private buffer of a Phaze core: max(1 KiB, 16 bytes per processing element)."""
    return max(1024, 16 * processing_elements)


@dataclass(frozen=True)
class PhazeArea:
    """Coefficients of Phaze's area law at 22 nm."""

    pe_tensor_um2: float = constant("um2")
    pe_vector_um2: float = constant("um2")
    l2_um2: Mapping[int, float] = constant("um2")
    """Area of a private buffer by its size in bytes."""
    glb_um2: Mapping[int, float] = constant("um2")
    """Area of the global buffer by its size in bytes."""

    def stacks(self, chip: Chip) -> int:
        """Phaze's law has no HBM interface."""
        return 0

    def core_um2(self, width: int, depth: int, pe_um2: float) -> float:
        """Area of one core of width × depth processing elements with its private buffer, in um²."""
        l2 = phaze_l2_bytes(width * depth)
        if l2 not in self.l2_um2:
            sizes = ", ".join(str(size // 1024) for size in self.l2_um2)
            raise InputError(f"Phaze's area law has no {width}x{depth} core: its private buffer must be {sizes} KiB")
        return width * depth * pe_um2 + self.l2_um2[l2]

    def fixed_mm2(self, chip: Chip) -> dict[str, float]:
        """Area of the global buffer (the design's shared SRAM), in mm²."""
        if chip.shared_sram_bytes not in self.glb_um2:
            sizes = ", ".join(str(size // _MIB) for size in self.glb_um2)
            raise InputError(
                f"Phaze's area law has no global buffer (shared_sram) of {chip.shared_sram_bytes} bytes; "
                f"allowed: {sizes} MiB"
            )
        return {"shared_sram": self.glb_um2[chip.shared_sram_bytes] * 1e-6}

    def tensor_mm2(self, core: TensorCore, chip: Chip) -> dict[str, float]:
        """Area of one tensor core, in mm²; its SRAM must be the size that Phaze derives."""
        del chip  # the network has no area in Phaze's law
        if core.rates:
            raise InputError("Phaze's area law has no arrays that state tensor_rates")
        _check_sram("tensor", core.sram_bytes, core.macs)
        return {"tensor_core": self.core_um2(core.rows, core.cols, self.pe_tensor_um2) * 1e-6}

    def vector_mm2(self, core: VectorCore, chip: Chip) -> dict[str, float]:
        """Area of one vector core, in mm²; a lane is one processing element, its SRAM the derived size."""
        del chip
        if core.ops_per_lane != 1:
            raise InputError(
                f"Phaze's vector lanes do 1 operation per cycle, not vector_ops_per_lane {core.ops_per_lane}"
            )
        _check_sram("vector", core.sram_bytes, core.lanes)
        return {"vector_core": self.core_um2(core.lanes, 1, self.pe_vector_um2) * 1e-6}


def _check_sram(kind: str, size_bytes: int, elements: int) -> None:
    derived = phaze_l2_bytes(elements)
    if size_bytes != derived:
        raise InputError(
            f"Phaze derives the private SRAM of a {kind} core of {elements} elements as {derived} bytes; "
            f"{kind}_sram is {size_bytes} bytes"
        )
