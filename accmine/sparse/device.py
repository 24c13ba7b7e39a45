"""FPGA devices: what a design may use."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Device"]


@dataclass(frozen=True, slots=True)
class Device:
    """An FPGA.

    Attributes
    ----------
    dsp, lut, ff, bram18, uram
        Blocks that it has.
    frequency_hz
        Clock that designs are assumed to reach.
    bandwidth_bits_per_s
        Of the off-chip memory.
    source
        Where the figures come from.
    """

    name: str
    dsp: int
    lut: int
    ff: int
    bram18: int
    uram: int
    frequency_hz: float
    bandwidth_bits_per_s: float
    source: str = ""
