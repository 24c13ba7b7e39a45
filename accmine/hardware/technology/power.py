"""Thermal design power (TDP) of a chip and the energy of its actions.

TDP is a property of the design alone: margin · (idle power of uncore, I/O and HBM + leakage · area + dynamic power
with all MACs, lanes, SRAM ports and HBM busy). It is linear in the core counts, as area is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

from accmine.errors import InputError
from accmine.hardware.design import TensorCore, VectorCore
from accmine.hardware.technology.area import Chip, constant, known_to_some, tensor_port_bytes, vector_port_bytes

__all__ = ["Power"]

_PJ = 1e-12


@dataclass(frozen=True)
class Power:
    """Constants of the power law; every field stands in the technology file with unit and source."""

    uncore_w: float = constant("W")
    """Power of uncore and I/O while idle."""
    hbm_idle_w_per_stack: float = constant("W")
    leakage_w_per_mm2: float = constant("W/mm2")
    mac_int8_pj: float = constant("pJ")
    """int8 multiply with int32 accumulation."""
    mac_bf16_pj: float = constant("pJ")
    """bf16 multiply with fp32 accumulation."""
    mac_fp16_pj: float = constant("pJ")
    """fp16 multiply with fp32 accumulation."""
    mac_fp32_pj: float = constant("pJ")
    vector_op_fp32_pj: float = constant("pJ")
    sram_8kib_pj_per_byte: float = constant("pJ/B")
    sram_32kib_pj_per_byte: float = constant("pJ/B")
    sram_1mib_pj_per_byte: float = constant("pJ/B")
    hbm_pj_per_byte: float = constant("pJ/B")
    link_pj_per_bit: float = constant("pJ/bit")
    """A bit sent to another chip, both ends together."""
    tdp_margin: float = constant("1")
    """Published TDP ÷ modelled peak power of the chips it was fitted on."""
    frequency_max_hz: float = constant("Hz")
    """Energies hold at the supply voltage of the calibration chips; above this clock there is no voltage model."""
    relative_error: float = constant("1")
    """Band around every TDP, ± fraction."""
    mac_fp8_pj: float | None = known_to_some("pJ")
    """fp8 multiply with fp32 accumulation."""
    mac_tf32_pj: float | None = known_to_some("pJ")
    """tf32 multiply with fp32 accumulation."""

    def mac_pj(self, dtype: str) -> float:
        """Energy of one multiply-accumulate in this type, in pJ.

        Raises
        ------
        InputError
            If the technology has none.
        """
        known = {
            "bf16": self.mac_bf16_pj,
            "fp16": self.mac_fp16_pj,
            "fp32": self.mac_fp32_pj,
            "fp8": self.mac_fp8_pj,
            "int8": self.mac_int8_pj,
            "tf32": self.mac_tf32_pj,
        }
        energy = known.get(dtype)
        if energy is None:
            raise InputError(f"no energy of a multiply-accumulate in {dtype} (constant power.mac_{dtype}_pj)")
        return energy

    def peak_mac_pj(self, core: TensorCore) -> float:
        """Energy per multiplier and cycle of bf16, or of the stated type that takes more at its rate, in pJ."""
        return max([self.mac_bf16_pj, *(rate * self.mac_pj(dtype) for dtype, rate in core.rates)])

    def sram_pj_per_byte(self, size_bytes: int) -> float:
        """Energy of one byte read from or written to an SRAM of this size, in pJ.

        Log-log interpolation between the three published sizes. Below the smallest its value holds;
        above the largest too: a larger memory is banks of that size.
        """
        points = (
            (1 << 13, self.sram_8kib_pj_per_byte),
            (1 << 15, self.sram_32kib_pj_per_byte),
            (1 << 20, self.sram_1mib_pj_per_byte),
        )
        if size_bytes <= points[0][0]:
            return points[0][1]
        for (small, low), (large, high) in pairwise(points):
            if size_bytes <= large:
                share = math.log(size_bytes / small) / math.log(large / small)
                return float(low * (high / low) ** share)
        return points[-1][1]

    def leakage_w(self, area_mm2: float) -> float:
        """Leakage of this much silicon, in W."""
        return self.leakage_w_per_mm2 * area_mm2

    def fixed_w(self, chip: Chip, stacks: int, area_mm2: float) -> dict[str, float]:
        """TDP parts that no core count changes; ``area_mm2`` is the area of the fixed parts."""
        return self._with_margin(
            {
                "uncore": self.uncore_w,
                "hbm_idle": stacks * self.hbm_idle_w_per_stack,
                "leakage": self.leakage_w(area_mm2),
                "hbm": chip.hbm_bytes_per_s * self.hbm_pj_per_byte * _PJ,
            }
        )

    def tensor_w(self, core: TensorCore, chip: Chip, area_mm2: float) -> dict[str, float]:
        """TDP parts of one tensor core of this area, every MAC and SRAM port busy."""
        frequency_hz = chip.frequency_hz
        sram_pj = tensor_port_bytes(core) * self.sram_pj_per_byte(core.sram_bytes)
        return self._with_margin(
            {
                "leakage": self.leakage_w(area_mm2),
                "tensor_macs": core.macs * self.peak_mac_pj(core) * frequency_hz * _PJ,
                "tensor_sram": sram_pj * frequency_hz * _PJ,
                **self._shared_port(chip),
            }
        )

    def vector_w(self, core: VectorCore, chip: Chip, area_mm2: float) -> dict[str, float]:
        """TDP parts of one vector core of this area, every lane and SRAM port busy."""
        frequency_hz = chip.frequency_hz
        sram_pj = vector_port_bytes(core) * self.sram_pj_per_byte(core.sram_bytes)
        return self._with_margin(
            {
                "leakage": self.leakage_w(area_mm2),
                "vector_alus": core.lanes * core.ops_per_lane * self.vector_op_fp32_pj * frequency_hz * _PJ,
                "vector_sram": sram_pj * frequency_hz * _PJ,
                **self._shared_port(chip),
            }
        )

    def _shared_port(self, chip: Chip) -> dict[str, float]:
        """A core's port to the shared SRAM at full bandwidth; nothing without one."""
        if not chip.shared_sram_bytes:
            return {}
        return {"shared_sram": chip.port_bytes_per_s * self.sram_pj_per_byte(chip.shared_sram_bytes) * _PJ}

    def _with_margin(self, parts: dict[str, float]) -> dict[str, float]:
        return {name: self.tdp_margin * watt for name, watt in parts.items()}
