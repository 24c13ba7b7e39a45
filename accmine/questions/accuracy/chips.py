"""Known chips: die area and power of the ``accelerator-…nm`` technologies against published figures.

Two numbers of the area law and two of the power law are fitted on these chips. What counts is how a chip is predicted
that was left out: every row here refits without the chip it is about (leave one out), or is a chip that no fit uses.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from accmine.hardware import PartsArea
from accmine.hardware.technology import Technology, area_mm2, idle_w, load_technology, tdp_w
from accmine.questions.accuracy.chip_table import LOGIC_MTR_PER_MM2, KnownChip, known_chips, other_chips

__all__ = [
    "AreaFit",
    "AreaRow",
    "KnownChip",
    "PowerFit",
    "PowerRow",
    "area_rows",
    "fit_area",
    "fit_power",
    "known_chips",
    "other_area_rows",
    "other_chips",
    "own_technology",
    "power_rows",
    "rows",
]

_DDR3_PJ_PER_BYTE = 1300 / 8  # 1300 pJ per 64 bit; Jouppi, ISCA 2021, recalled
_KNOWN_MISSES = {"TSP": ("mostly SRAM, no HBM", 2.0)}
"""Chips that the law is known not to cover: why, and the most that the ratio may be without being news."""


def own_technology(chip: KnownChip, technology: Technology | None = None) -> Technology:
    """The technology of a chip with its own interfaces instead of those of an accelerator to be designed.

    Multipliers other than bf16 are scaled by mantissa squared (int8 8 bit, the others 11) and have their own energy;
    a chip without HBM has DDR3.
    """
    technology = technology or load_technology(chip.technology)
    law, power = technology.area, technology.need_power()
    assert isinstance(law, PartsArea)
    if chip.mac == "int8":
        law = replace(law, mac_um2=law.mac_um2 * (8 / 11) ** 2)
    uncore = chip.logic_mtr / LOGIC_MTR_PER_MM2[round(technology.node_nm)] - chip.shared_ports * law.network_port_mm2
    own = replace(law, uncore_mm2=uncore, io_phy_mm2=chip.phy_mm2)
    if chip.stacks:
        per_stack = -(-chip.die.hbm_bytes // chip.stacks)
        own = replace(own, hbm_stack_bytes=float(per_stack), hbm_stack_bytes_per_s=float(chip.die.hbm_bytes_per_s))
    else:
        size, rate = float(chip.die.hbm_bytes), float(chip.die.hbm_bytes_per_s)
        own = replace(own, hbm_phy_mm2_per_stack=0.0, hbm_controller_mm2_per_stack=0.0)
        own = replace(own, hbm_stack_bytes=size, hbm_stack_bytes_per_s=rate)
        power = replace(power, hbm_pj_per_byte=_DDR3_PJ_PER_BYTE, hbm_idle_w_per_stack=0.0)
    power = replace(power, mac_bf16_pj=getattr(power, f"mac_{chip.mac}_pj"))
    return replace(technology, area=own, power=power)


@dataclass(frozen=True, slots=True)
class AreaFit:
    """The two fitted numbers of the area law."""

    phy_multiplier: float
    base_mm2: float

    def area_mm2(self, chip: KnownChip) -> float:
        """Die area of a chip in mm²."""
        scaling, phy = _area_terms(chip)
        return scaling + self.phy_multiplier * phy + self.base_mm2


@cache
def _area_terms(chip: KnownChip) -> tuple[float, float]:
    """(parts that scale with the node, PHYs) in mm², both without multiplier and base."""
    technology = own_technology(chip)
    terms = []
    for scaling, phy in ((1.0, 0.0), (0.0, 1.0)):
        assert isinstance(technology.area, PartsArea)
        law = replace(technology.area, multiplier=scaling, phy_multiplier=phy, base_mm2=0.0)
        terms.append(area_mm2(chip.die, replace(technology, area=law)))
    return terms[0], terms[1]


def fit_area(chips: Sequence[KnownChip]) -> AreaFit:
    """The two numbers that make the sum of squared relative errors of the die areas least."""
    die = np.array([chip.die_mm2 for chip in chips])
    scaling, phy = np.array([_area_terms(chip) for chip in chips]).T
    terms = np.stack([phy / die, 1 / die], axis=1)
    (multiplier, base), *_ = np.linalg.lstsq(terms, 1 - scaling / die, rcond=None)
    return AreaFit(float(multiplier), float(base))


@dataclass(frozen=True, slots=True)
class AreaRow:
    """Die area of a chip: published, by the fit on all chips, and by the fit on the others."""

    chip: KnownChip
    fitted_mm2: float
    left_out_mm2: float
    left_out_fit: AreaFit

    @property
    def error(self) -> float:
        """Relative error of the prediction by the other chips."""
        return self.left_out_mm2 / self.chip.die_mm2 - 1


def area_rows(chips: Sequence[KnownChip] | None = None) -> list[AreaRow]:
    """Leave-one-out of the die areas."""
    chips = known_chips() if chips is None else chips
    whole = fit_area(chips)
    rows = []
    for chip in chips:
        fit = fit_area([other for other in chips if other is not chip])
        rows.append(AreaRow(chip, whole.area_mm2(chip), fit.area_mm2(chip), fit))
    return rows


def other_area_rows() -> list[AreaRow]:
    """Chips that no fit uses, predicted by the fit on the seven."""
    fit = fit_area(known_chips())
    return [AreaRow(chip, fit.area_mm2(chip), fit.area_mm2(chip), fit) for chip in other_chips()]


@dataclass(frozen=True, slots=True)
class PowerFit:
    """The two fitted numbers of the power law: static power per area, and the margin from peak power to TDP."""

    static_w_per_mm2: float
    margin: float

    def technology(self, chip: KnownChip) -> Technology:
        """The technology of a chip with these numbers."""
        technology = own_technology(chip)
        power = replace(
            technology.need_power(), leakage_w_per_mm2=self.static_w_per_mm2, tdp_margin=self.margin
        )  # fmt: skip
        return replace(technology, power=power)

    def idle_w(self, chip: KnownChip) -> float:
        """Power of the idle chip, in W."""
        return idle_w(chip.product, self.technology(chip))

    def tdp_w(self, chip: KnownChip) -> float:
        """TDP, in W."""
        return tdp_w(chip.product, self.technology(chip))

    def peak_w(self, chip: KnownChip) -> float:
        """Power with everything busy and no margin, in W."""
        return self.tdp_w(chip) / self.margin


def fit_power(chips: Sequence[KnownChip]) -> PowerFit:
    """Static power by least squares of the relative errors of the idle powers; margin as the mean ratio to the TDPs.

    The mean is geometric. Chips without a published figure do not count for its number, nor capped ones for the margin.
    """
    slopes, targets = [], []
    none, one = PowerFit(0.0, 1.0), PowerFit(1.0, 1.0)
    for chip in chips:
        if chip.idle_w is not None:
            base = none.idle_w(chip)
            slopes.append((one.idle_w(chip) - base) / chip.idle_w)
            targets.append(1 - base / chip.idle_w)
    static = float(np.dot(slopes, targets) / np.dot(slopes, slopes))
    plain = PowerFit(static, 1.0)
    counted = [(chip, chip.tdp_w) for chip in chips if chip.tdp_w is not None and not chip.is_capped]
    ratios = [math.log(tdp / plain.tdp_w(chip)) for chip, tdp in counted]
    return PowerFit(static, math.exp(sum(ratios) / len(ratios)))


@dataclass(frozen=True, slots=True)
class PowerRow:
    """A power figure of a chip: published, and by the fit on the other chips; in W."""

    chip: KnownChip
    quantity: str
    published_w: float
    left_out_w: float

    @property
    def error(self) -> float:
        """Relative error of the prediction by the other chips."""
        return self.left_out_w / self.published_w - 1


def power_rows(chips: Sequence[KnownChip] | None = None) -> list[PowerRow]:
    """Leave-one-out of idle power, TDP and measured maximum (peak power without margin).

    The TDP of a capped chip stands beside the peak power without margin too.
    """
    chips = known_chips() if chips is None else chips
    rows = []
    for chip in chips:
        fit = fit_power([other for other in chips if other is not chip])
        figures: tuple[tuple[str, float | None, Callable[[KnownChip], float]], ...] = (
            ("idle", chip.idle_w, fit.idle_w),
            ("TDP", chip.tdp_w, fit.peak_w if chip.is_capped else fit.tdp_w),
            ("measured maximum", chip.measured_w, fit.peak_w),
        )
        rows += [PowerRow(chip, name, value, model(chip)) for name, value, model in figures if value is not None]
    return rows


def rows() -> list[dict[str, Any]]:
    """Die areas and powers of known chips, each predicted by a fit that does not use it, as rows of a ledger.

    Returns
    -------
    list of dict
        ``name``, ``quantity`` (with its unit), ``model``, ``published``, ``ratio`` (model ÷ published), ``at_least``
        and ``at_most`` of the ratio, ``ok``, ``source``. The band is the ``relative_error`` of the chip's technology,
        for idle power that of its static power. One chip that the law is known to miss has a wider one and says so.
    """
    areas = [_row(row.chip, "die area mm2", row.left_out_mm2, row.chip.die_mm2) for row in area_rows()]
    areas += [_row(row.chip, "die area mm2", row.left_out_mm2, row.chip.die_mm2) for row in other_area_rows()]
    return areas + [_row(row.chip, f"{row.quantity} W", row.left_out_w, row.published_w) for row in power_rows()]


def _band(technology: Technology, quantity: str) -> float:
    assert isinstance(technology.area, PartsArea)
    if quantity.startswith("die area"):
        return technology.area.relative_error
    if quantity.startswith("idle"):
        return next(item.band for item in technology.constants if item.name == "power.leakage_w_per_mm2")
    return technology.need_power().relative_error


def _row(chip: KnownChip, quantity: str, model: float, published: float) -> dict[str, Any]:
    band = _band(load_technology(chip.technology), quantity)
    ratio = model / published
    at_most = 1 + band
    if chip.is_capped and quantity.startswith("TDP"):
        quantity = "TDP (a power limit) against peak W"
    quantity += ", chip left out of the fit" if chip in known_chips() else ", chip of no fit"
    if chip.name in _KNOWN_MISSES:
        why, at_most = _KNOWN_MISSES[chip.name]
        quantity += f" (known miss: {why})"
    return {
        "name": chip.name,
        "quantity": quantity,
        "model": model,
        "published": published,
        "ratio": ratio,
        "at_least": 1 - band,
        "at_most": at_most,
        "ok": 1 - band <= ratio <= at_most,
        "source": chip.source,
    }
