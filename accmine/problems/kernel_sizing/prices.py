"""Costs of counts from a technology: SRAM by bytes, units by multiply-accumulates, ports by width; whole µm²."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from accmine.errors import InputError
from accmine.hardware.technology.area import PartsArea
from accmine.hardware.technology.technology import Technology
from accmine.kernel.program import Program
from accmine.problems.kernel_sizing.problem import Choice, Problem

__all__ = ["One", "priced", "um2_of"]


@dataclass(frozen=True, slots=True)
class One:
    """What one slot, port or copy of a resource is made of, and the counts that may be chosen.

    Attributes
    ----------
    bytes
        SRAM: of a copy of a buffer, or of an entry of a queue.
    macs
        Multiply-accumulates with their registers: of a unit.
    bytes_per_cycle
        Width: of a port.
    """

    counts: tuple[int, ...]
    bytes: int = 0
    macs: int = 0
    bytes_per_cycle: int = 0


def um2_of(one: One, technology: Technology) -> float:
    """Area of one in µm²: the terms of ``PartsArea`` for SRAM, multiply-accumulates and ports.

    Raises
    ------
    InputError
        If the technology has no such terms.
    """
    law = technology.area
    if not isinstance(law, PartsArea):
        raise InputError(f"technology {technology.name} has no area of single parts; take tpu-16nm")
    sram = one.bytes * law.sram_mm2_per_mib * 1e6 / (1 << 20)
    macs = one.macs * (law.mac_um2 + law.pe_register_bits * law.register_um2_per_bit)
    return law.multiplier * (sram + macs + one.bytes_per_cycle * law.port_um2_per_byte_per_cycle)


def priced(
    program: Program, target: Fraction, technology: Technology, resources: Mapping[tuple[str, str], One]
) -> Problem:
    """The sizing of a program in which each count costs its area, rounded up to whole µm².

    Parameters
    ----------
    target
        Cycles per iteration, at most.
    resources
        (``station``, ``port`` or ``location``; name) of what is free, and what one of it is made of.

    Raises
    ------
    InputError
        If the technology has no area of single parts, or the problem is not allowed.
    """
    choices = []
    for (what, name), one in resources.items():
        area = um2_of(one, technology)
        choices.append(Choice(what, name, tuple((count, math.ceil(count * area)) for count in one.counts)))
    return Problem(program, tuple(choices), target)
