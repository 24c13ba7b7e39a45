"""Area of a chip as the sum of its parts: an uncore, the HBM interfaces, and what every core adds.

Area = base + multiplier · (uncore + stacks · HBM controller + #TC · tensor core + #VC · vector core + shared SRAM)
+ PHY multiplier · (stacks · HBM PHY + PHYs of links and host): linear in the core counts. Base and PHYs stand apart
because they do not scale with the node. Constants come from a technology file; ``docs/technology.md`` lists them with
their sources.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from accmine.errors import InputError
from accmine.hardware.design import FLEXIBLE, TensorCore, VectorCore

__all__ = ["AreaLaw", "Chip", "PartsArea", "constant", "known_to_some", "tensor_port_bytes", "vector_port_bytes"]

_MIB = 1 << 20
_BITS = {"fp16": 16, "fp32": 32, "fp8": 8, "int8": 8, "tf32": 19}  # that a multiplier sees of an operand


def constant(unit: str) -> Any:
    """A dataclass field that a technology file has to give in ``unit``."""
    return field(metadata={"unit": unit})


def known_to_some(unit: str) -> Any:
    """A field that a technology file may give in ``unit``: ``None`` in those of nodes without such chips."""
    return field(default=None, metadata={"unit": unit})


@dataclass(frozen=True, slots=True, order=True)
class Chip:
    """What a design has beside its cores: HBM, clock, shared SRAM and the bandwidth of a core's port to it."""

    hbm_bytes: int
    hbm_bytes_per_s: int
    frequency_hz: int
    shared_sram_bytes: int = 0
    port_bytes_per_s: int = 0

    @property
    def port_bytes_per_cycle(self) -> float:
        """Width of a core's port to the shared SRAM in bytes per clock cycle; 0 without one."""
        return self.port_bytes_per_s / self.frequency_hz if self.shared_sram_bytes else 0.0


class AreaLaw(Protocol):
    """Named parts of the area in mm²; the sum over parts is the area."""

    def fixed_mm2(self, chip: Chip) -> dict[str, float]:
        """Parts that no core count changes."""
        ...

    def tensor_mm2(self, core: TensorCore, chip: Chip) -> dict[str, float]:
        """Parts of one tensor core."""
        ...

    def vector_mm2(self, core: VectorCore, chip: Chip) -> dict[str, float]:
        """Parts of one vector core."""
        ...

    def stacks(self, chip: Chip) -> int:
        """HBM stacks of the chip."""
        ...


def tensor_port_bytes(core: TensorCore) -> int:
    """Bytes per cycle between a systolic array and its SRAM when both are busy.

    bf16 operands enter at the rows and at the columns (2 B each); fp32 partial sums are read and
    written at the columns (4 B each way). Taken for every dataflow.
    """
    return 2 * core.rows + 2 * core.cols + 8 * core.cols


def vector_port_bytes(core: VectorCore) -> int:
    """Bytes per cycle between a vector unit and its SRAM: one 32-bit access per operation slot.

    A TPU's vector unit has two ALUs per sublane and one load and one store slot: as many accesses as ALUs.
    """
    return 4 * core.lanes * core.ops_per_lane


@dataclass(frozen=True)
class PartsArea:
    """Constants of the sum-of-parts law; every field stands in the technology file with unit and source."""

    base_mm2: float = constant("mm2")
    """What every die has beside its parts, whatever its node: pads, clock, test, management, white space."""
    uncore_mm2: float = constant("mm2")
    """Parts that every chip has: controllers of links and host interface, or what the other parts do not explain."""
    io_phy_mm2: float = constant("mm2")
    """PHYs of links and host interface; 0 where the uncore holds them."""
    multiplier: float = constant("1")
    """On every part but base and PHYs; 1 where the residual is a fixed area."""
    phy_multiplier: float = constant("1")
    """On the PHYs, which do not scale with the node: bumps, wires to the cores, white space along the edge."""
    hbm_stack_bytes: float = constant("B")
    hbm_stack_bytes_per_s: float = constant("B/s")
    hbm_phy_mm2_per_stack: float = constant("mm2")
    hbm_controller_mm2_per_stack: float = constant("mm2")
    mac_um2: float = constant("um2")
    """bf16 multiplier with fp32 accumulator."""
    register_um2_per_bit: float = constant("um2/bit")
    pe_register_bits: float = constant("bit")
    """Pipeline registers of one processing element: activation, two weights, partial sum."""
    flexible_pe_um2: float = constant("um2")
    """What a processing element that supports all three dataflows needs beyond that of one dataflow."""
    port_um2_per_byte_per_cycle: float = constant("um2/(B/cycle)")
    tensor_overhead_mm2: float = constant("mm2")
    vector_overhead_mm2: float = constant("mm2")
    network_port_mm2: float = constant("mm2")
    """Port of one core on the on-chip network to HBM and the other cores."""
    vector_alu_um2: float = constant("um2")
    vector_register_bits_per_alu: float = constant("bit")
    sram_mm2_per_mib: float = constant("mm2/MiB")
    relative_error: float = constant("1")
    """Band around every area, ± fraction."""
    further_type_share: float | None = known_to_some("1")
    """What a further type adds to a multiply-accumulate, as a share of ``mac_um2``: at as many operand bits per cycle
    as bf16, and in proportion."""

    def further_types(self, core: TensorCore) -> float:
        """Factor on the multiply-accumulates of an array that has rates for further types.

        Raises
        ------
        InputError
            If the technology does not say what they add.
        """
        bits = sum(rate * _BITS[dtype] / 16 for dtype, rate in core.rates)
        if bits and self.further_type_share is None:
            raise InputError("no area of arrays that state tensor_rates (constant area.further_type_share)")
        return 1.0 + (self.further_type_share or 0.0) * bits

    def stacks(self, chip: Chip) -> int:
        """HBM stacks that capacity and bandwidth need, whichever is more."""
        by_capacity = -(-chip.hbm_bytes // int(self.hbm_stack_bytes))
        by_bandwidth = -(-chip.hbm_bytes_per_s // int(self.hbm_stack_bytes_per_s))
        return max(by_capacity, by_bandwidth)

    def _sram(self, size_bytes: int) -> float:
        return self.multiplier * self.sram_mm2_per_mib * size_bytes / _MIB

    def _shared_port(self, chip: Chip) -> dict[str, float]:
        """A core's port to the shared SRAM, at both ends; nothing without one."""
        if not chip.shared_sram_bytes:
            return {}
        um2 = 2 * chip.port_bytes_per_cycle * self.port_um2_per_byte_per_cycle
        return {"shared_sram_port": self.multiplier * um2 * 1e-6}

    def fixed_mm2(self, chip: Chip) -> dict[str, float]:
        """Base, uncore, PHYs of links and host, HBM PHYs and controllers, and shared SRAM, in mm²."""
        controller = self.multiplier * self.hbm_controller_mm2_per_stack
        return {
            "base": self.base_mm2,
            "uncore": self.multiplier * self.uncore_mm2,
            "io_phy": self.phy_multiplier * self.io_phy_mm2,
            "hbm_interface": self.stacks(chip) * (self.phy_multiplier * self.hbm_phy_mm2_per_stack + controller),
            "shared_sram": self._sram(chip.shared_sram_bytes),
        }

    def tensor_mm2(self, core: TensorCore, chip: Chip) -> dict[str, float]:
        """Array, skew registers and SRAM ports, SRAM, and overhead of one tensor core, in mm².

        A systolic array skews its 16-bit inputs by row (0 … R−1 registers) and straightens its
        32-bit results by column (0 … C−1 registers). A flexible array has larger processing elements.
        """
        element_um2 = self.mac_um2 * self.further_types(core) + self.pe_register_bits * self.register_um2_per_bit
        if core.dataflow == FLEXIBLE:
            element_um2 += self.flexible_pe_um2
        skew_bits = 8 * core.rows * (core.rows - 1) + 16 * core.cols * (core.cols - 1)
        edge_um2 = skew_bits * self.register_um2_per_bit + tensor_port_bytes(core) * self.port_um2_per_byte_per_cycle
        return {
            "tensor_array": self.multiplier * core.macs * element_um2 * 1e-6,
            "tensor_edge": self.multiplier * edge_um2 * 1e-6,
            "tensor_sram": self._sram(core.sram_bytes),
            "tensor_overhead": self.multiplier * (self.tensor_overhead_mm2 + self.network_port_mm2),
            **self._shared_port(chip),
        }

    def vector_mm2(self, core: VectorCore, chip: Chip) -> dict[str, float]:
        """ALUs with their registers, SRAM ports, SRAM, and overhead of one vector core, in mm²."""
        alus = core.lanes * core.ops_per_lane
        alu_um2 = self.vector_alu_um2 + self.vector_register_bits_per_alu * self.register_um2_per_bit
        return {
            "vector_alus": self.multiplier * alus * alu_um2 * 1e-6,
            "vector_edge": self.multiplier * vector_port_bytes(core) * self.port_um2_per_byte_per_cycle * 1e-6,
            "vector_sram": self._sram(core.sram_bytes),
            "vector_overhead": self.multiplier * (self.vector_overhead_mm2 + self.network_port_mm2),
            **self._shared_port(chip),
        }
