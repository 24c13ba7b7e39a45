"""Technology: what area and power a design has, and what energy its actions take.

A technology is a YAML file in which every constant is ``{value, unit, band, source}``. None has a default: a missing
constant is an error. Shipped: ``tpu-16nm`` (sum of parts and a fixed uncore), ``tpu-16nm-multiplier`` (the same parts
and a multiplier instead), ``accelerator-45nm`` to ``accelerator-5nm`` (two numbers fitted on seven known chips),
``phaze-22nm`` (Phaze's area law; no power).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from accmine.errors import Complaint, InputError
from accmine.files import did_you_mean
from accmine.hardware.design import Design, TensorCore, VectorCore
from accmine.hardware.technology.area import Chip, PartsArea
from accmine.hardware.technology.phaze import PhazeArea
from accmine.hardware.technology.power import Power

__all__ = [
    "LinearCosts",
    "SourcedConstant",
    "Technology",
    "area_breakdown",
    "area_mm2",
    "chip_of",
    "idle_w",
    "linear_costs",
    "tdp_breakdown",
    "tdp_w",
]


@dataclass(frozen=True, slots=True)
class SourcedConstant:
    """Where a constant comes from, and how far it may be off.

    Attributes
    ----------
    name
        Its path in the file, such as ``power.hbm_pj_per_byte``.
    unit, source
        As in the file.
    band
        Relative half-width of its error: the value lies within ± this fraction. Where a file gives none, the
        ``relative_error`` of its section.
    """

    name: str
    unit: str
    source: str
    band: float = 0.0


@dataclass(frozen=True)
class Technology:
    """Area law, power law and energies of a process.

    Attributes
    ----------
    node_nm
        Feature size.
    area, power
        The laws with their constants; ``power`` is ``None`` where the technology defines none.
    constants
        Unit, source and band of every constant.
    """

    name: str
    description: str
    node_nm: float
    area: PartsArea | PhazeArea
    power: Power | None
    constants: tuple[SourcedConstant, ...] = ()

    def need_power(self) -> Power:
        """The power law.

        Raises
        ------
        InputError
            If this technology defines area only.
        """
        if self.power is None:
            raise InputError(
                f"technology {self.name} defines area only: it has no TDP and no energies; "
                "leave out the TDP limit and energy metrics, or take tpu-16nm"
            )
        return self.power

    def need_clock(self, frequency_hz: float) -> None:
        """Refuse a clock for which there are no energies; without power every clock is covered.

        Raises
        ------
        InputError
            Above the clocks of the chips that the energies are known from.
        """
        if self.power is not None and frequency_hz > self.power.frequency_max_hz:
            most = f"{self.power.frequency_max_hz / 1e6:g} MHz"
            raise InputError(
                f"a clock of {frequency_hz / 1e6:g} MHz: the energies of {self.name} hold up to {most} (no voltage "
                f"model above); allowed: at most {most}"
            )

    def perturbed(self, factors: Mapping[str, float]) -> Technology:
        """The same technology with constants multiplied.

        Parameters
        ----------
        factors
            Factor by the name in ``constants``, such as ``{"power.hbm_pj_per_byte": 1.1}``; every entry of a table
            is multiplied. The order of the SRAM energies by size is not enforced again.

        Raises
        ------
        InputError
            For every name that is not a constant of a section, and every factor that is not a number above 0.
        """
        return _perturbed(self, factors)

    @property
    def area_error(self) -> float | None:
        """Relative half-width of the band around every area; ``None`` where the law states none."""
        return self.area.relative_error if isinstance(self.area, PartsArea) else None

    @property
    def tdp_error(self) -> float | None:
        """Relative half-width of the band around every TDP; ``None`` without power."""
        return None if self.power is None else self.power.relative_error

    @property
    def link_pj_per_byte(self) -> float:
        """Energy of one byte sent to another chip, in pJ."""
        return 8 * self.need_power().link_pj_per_bit

    def mac_pj(self, dtype: str) -> float:
        """Energy of one multiply-accumulate in this type (``accmine.hardware.DTYPES``), in pJ.

        Raises
        ------
        InputError
            If this technology has none, with its name.
        """
        try:
            return self.need_power().mac_pj(dtype)
        except InputError as error:
            raise InputError(f"technology {self.name}: {error.complaints[0].message}") from None

    def need_types(self, core: TensorCore) -> None:
        """Refuse an array with rates of types that this technology has no area or energy for.

        Raises
        ------
        InputError
            With its name and what is missing.
        """
        try:
            if isinstance(self.area, PartsArea):
                self.area.further_types(core)
            elif core.rates:
                raise InputError("Phaze's area law has no arrays that state tensor_rates")
            for dtype in dict(core.rates) if self.power is not None else ():
                self.need_power().mac_pj(dtype)
        except InputError as error:
            raise InputError(f"technology {self.name}: {error.complaints[0].message}") from None

    @property
    def vector_op_fp32_pj(self) -> float:
        """Energy of one fp32 operation of a vector lane, in pJ."""
        return self.need_power().vector_op_fp32_pj

    @property
    def hbm_pj_per_byte(self) -> float:
        """Energy of one byte moved from or to HBM, in pJ."""
        return self.need_power().hbm_pj_per_byte

    @property
    def tdp_margin(self) -> float:
        """Factor on the modelled peak power that makes it a TDP."""
        return self.need_power().tdp_margin

    def sram_pj_per_byte(self, size_bytes: int) -> float:
        """Energy of one byte read from or written to an SRAM of this size, in pJ."""
        return self.need_power().sram_pj_per_byte(size_bytes)

    def static_w(self, area_mm2: float) -> float:
        """Power of uncore and I/O plus leakage of this area, without HBM and without margin, in W."""
        power = self.need_power()
        return power.uncore_w + power.leakage_w(area_mm2)


def _perturbed(technology: Technology, factors: Mapping[str, float]) -> Technology:
    sections = {"area": technology.area, "power": technology.power}
    known = [item.name for item in technology.constants if item.name.partition(".")[0] in sections]
    complaints = []
    changes: dict[str, dict[str, Any]] = {"area": {}, "power": {}}
    for name, factor in factors.items():
        if name not in known:
            suggestion = did_you_mean(name, known)
            complaints.append(Complaint("", name, f"{technology.name} has no such constant; {suggestion}".rstrip("; ")))
        elif isinstance(factor, bool) or not isinstance(factor, (int, float)) or not 0 < factor < math.inf:
            complaints.append(Complaint("", name, f"the factor must be a number above 0, got {factor!r}"))
        else:
            section, _, constant = name.partition(".")
            value = getattr(sections[section], constant)
            is_table = isinstance(value, Mapping)
            changes[section][constant] = (
                {key: entry * factor for key, entry in value.items()} if is_table else value * factor
            )
    if complaints:
        raise InputError(complaints)
    power = technology.power
    return replace(
        technology,
        area=replace(technology.area, **changes["area"]),
        power=None if power is None else replace(power, **changes["power"]),
    )


@dataclass(frozen=True, slots=True)
class LinearCosts:
    """Area and TDP of all designs with given core types: fixed + #TC · per tensor core + #VC · per vector core.

    The three TDP values are NaN where the technology defines no power.
    """

    area_fixed_mm2: float
    area_per_tensor_mm2: float
    area_per_vector_mm2: float
    tdp_fixed_w: float
    tdp_per_tensor_w: float
    tdp_per_vector_w: float

    def area_mm2(self, tensor_cores: int, vector_cores: int) -> float:
        """Area with these core counts, in mm²."""
        return self.area_fixed_mm2 + tensor_cores * self.area_per_tensor_mm2 + vector_cores * self.area_per_vector_mm2

    def tdp_w(self, tensor_cores: int, vector_cores: int) -> float:
        """TDP with these core counts, in W."""
        return self.tdp_fixed_w + tensor_cores * self.tdp_per_tensor_w + vector_cores * self.tdp_per_vector_w


@dataclass(frozen=True, slots=True)
class _Parts:
    """Area (mm²) and TDP (W) by part, of the chip without cores, of one tensor and of one vector core."""

    area: tuple[dict[str, float], dict[str, float], dict[str, float]]
    tdp: tuple[dict[str, float], dict[str, float], dict[str, float]] | None


def _parts(tensor: TensorCore, vector: VectorCore, chip: Chip, technology: Technology) -> _Parts:
    law, power = technology.area, technology.power
    fixed, per_tensor, per_vector = law.fixed_mm2(chip), law.tensor_mm2(tensor, chip), law.vector_mm2(vector, chip)
    if power is None:
        return _Parts((fixed, per_tensor, per_vector), None)
    technology.need_clock(chip.frequency_hz)
    tdp = (
        power.fixed_w(chip, law.stacks(chip), sum(fixed.values())),
        power.tensor_w(tensor, chip, sum(per_tensor.values())),
        power.vector_w(vector, chip, sum(per_vector.values())),
    )
    return _Parts((fixed, per_tensor, per_vector), tdp)


def linear_costs(tensor: TensorCore, vector: VectorCore, chip: Chip, technology: Technology) -> LinearCosts:
    """Area and TDP of every design with these core types and this rest of the chip, for vectorised search.

    Raises
    ------
    InputError
        If the technology does not cover the core types or the frequency.
    """
    parts = _parts(tensor, vector, chip, technology)
    area = [sum(part.values()) for part in parts.area]
    tdp = [math.nan] * 3 if parts.tdp is None else [sum(part.values()) for part in parts.tdp]
    return LinearCosts(area[0], area[1], area[2], tdp[0], tdp[1], tdp[2])


def chip_of(design: Design) -> Chip:
    """The design without its cores."""
    return Chip(
        design.hbm_bytes,
        design.hbm_bytes_per_s,
        design.frequency_hz,
        design.shared_sram_bytes,
        design.port_bytes_per_s,
    )


def _costs_of(design: Design, technology: Technology) -> LinearCosts:
    return linear_costs(design.tensor, design.vector, chip_of(design), technology)


def area_mm2(design: Design, technology: Technology) -> float:
    """Die area of a design in mm²; linear in the core counts.

    Raises
    ------
    InputError
        If the technology does not cover the design.
    """
    law, chip = technology.area, chip_of(design)
    return (
        sum(law.fixed_mm2(chip).values())
        + design.tensor_cores * sum(law.tensor_mm2(design.tensor, chip).values())
        + design.vector_cores * sum(law.vector_mm2(design.vector, chip).values())
    )


def tdp_w(design: Design, technology: Technology) -> float:
    """Thermal design power of a design in W; linear in the core counts.

    Raises
    ------
    InputError
        If the technology defines no power, or not at this frequency.
    """
    technology.need_power()
    return _costs_of(design, technology).tdp_w(design.tensor_cores, design.vector_cores)


def idle_w(design: Design, technology: Technology) -> float:
    """Power of a design that does nothing: uncore, I/O, HBM idle and leakage, without margin, in W.

    Raises
    ------
    InputError
        If the technology defines no power.
    """
    power = technology.need_power()
    stacks = technology.area.stacks(chip_of(design))
    return technology.static_w(area_mm2(design, technology)) + stacks * power.hbm_idle_w_per_stack


def _breakdown(design: Design, parts: tuple[dict[str, float], dict[str, float], dict[str, float]]) -> dict[str, float]:
    total: dict[str, float] = {}
    for count, group in zip((1, design.tensor_cores, design.vector_cores), parts, strict=True):
        for name, value in group.items():
            total[name] = total.get(name, 0.0) + count * value
    return total


def area_breakdown(design: Design, technology: Technology) -> dict[str, float]:
    """Area by part in mm²; the parts add up to ``area_mm2``."""
    law, chip = technology.area, chip_of(design)
    parts = (law.fixed_mm2(chip), law.tensor_mm2(design.tensor, chip), law.vector_mm2(design.vector, chip))
    return _breakdown(design, parts)


def tdp_breakdown(design: Design, technology: Technology) -> dict[str, float]:
    """TDP by part in W, margin included; the parts add up to ``tdp_w``.

    Raises
    ------
    InputError
        If the technology defines no power, or not at this frequency.
    """
    technology.need_power()
    parts = _parts(design.tensor, design.vector, chip_of(design), technology)
    assert parts.tdp is not None
    return _breakdown(design, parts.tdp)
