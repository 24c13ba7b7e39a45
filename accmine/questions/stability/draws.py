"""Constants that a decision rests on, the bands they lie in, and draws from these bands.

A constant of a technology with band b is multiplied by a factor between 1/(1 + b) and 1 + b, log-uniform: a band is a
judgement on a scale, so an error by a factor is as likely up as down, the median is the value of the file, and no shape
within the band is claimed. All draws are independent. The constants of the time model have the ranges below.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from accmine.errors import InputError
from accmine.hardware import Calibration, Constants, PartsArea
from accmine.hardware.technology import Technology

__all__ = ["NOT_DRAWN", "TIMING", "Constant", "Range", "constants_of", "drawn", "factors", "moved", "swung"]

FloatArray = npt.NDArray[np.float64]

TIMING = "timing."
"""Prefix of the constants of the time model; what follows is a field of ``Calibration``."""

NOT_DRAWN = {
    "area.relative_error": "a band itself",
    "power.relative_error": "a band itself",
    "power.frequency_max_hz": "a limit of validity, no cost",
    "area.hbm_stack_bytes": "stacks come in standard sizes",
    "area.hbm_stack_bytes_per_s": "stacks come in standard speeds",
}
"""Constants of a technology that stay as they are, and why."""


@dataclass(frozen=True, slots=True)
class Range:
    """The range of a constant of the time model where the accelerator has no calibration of it."""

    low: float
    high: float
    unit: str
    source: str


RANGES: dict[str, Range] = {
    "array_efficiency": Range(
        0.85,
        1.0,
        "1",
        "A100 matrix products of 1024 and larger reach 0.87 to 0.94 of the peak (measurements published with "
        "LLMCompass); 1 is what the array timing claims",
    ),
    "vector_efficiency": Range(
        0.5,
        1.0,
        "1",
        "our judgement: operations per element are counted from primitives; an exponential or a tree of twice as "
        "many steps is plausible, fewer are not",
    ),
    "hbm_efficiency": Range(
        0.75,
        1.0,
        "1",
        "streams reach 0.75 to 0.95 of the peak bandwidth of HBM (recalled); 1 is what the traffic model claims",
    ),
    "launch_s": Range(
        0.0,
        2e-6,
        "s",
        "our judgement: a compiled program starts operators in about a microsecond; launches by a host (about 20 us "
        "on A100, fitted by LLMCompass) are not meant",
    ),
}
"""Constant of the time model -> its range where no calibration narrows it."""

CALIBRATED = {"array_efficiency": 0.05, "vector_efficiency": 0.05, "hbm_efficiency": 0.05, "launch_s": 0.25}
"""Relative half-width of a constant that the accelerator's calibration gives."""

_IDEAL = Calibration()


@dataclass(frozen=True, slots=True)
class Constant:
    """A constant and where it may lie.

    Attributes
    ----------
    name
        ``area.…`` and ``power.…`` of the technology; ``timing.…`` of the time model.
    nominal, low, high
        Constants of a technology: factors on the value of the file, nominal 1. Of the time model: values.
    unit
        Of the constant itself.
    source
        Where the constant (technology) or the range (time model) comes from.
    """

    name: str
    nominal: float
    low: float
    high: float
    unit: str
    source: str

    @property
    def is_timing(self) -> bool:
        """Whether it changes times; else area and TDP."""
        return self.name.startswith(TIMING)

    def at(self, quantile: Any) -> Any:
        """The value below which this share (0 to 1) of the draws lies: log-uniform for factors, else uniform."""
        if self.is_timing:
            return self.low + (self.high - self.low) * quantile
        return self.low * (self.high / self.low) ** quantile


def constants_of(technology: Technology, calibration: Calibration) -> tuple[Constant, ...]:
    """What is drawn for a technology and an accelerator with this calibration: every constant with a band above 0.

    Raises
    ------
    InputError
        If the technology gives no band at all.
    """
    found = [
        Constant(item.name, 1.0, 1 / (1 + item.band), 1 + item.band, item.unit, item.source)
        for item in technology.constants
        if item.band > 0 and item.name not in NOT_DRAWN and item.name.startswith(("area.", "power."))
    ]
    if not found:
        section = "relative_error of its sections" if isinstance(technology.area, PartsArea) else "band of a constant"
        raise InputError(
            f"technology {technology.name} says nothing of its errors: every band is 0, and so is every {section}; "
            "give a constant a band (0.25 is ± 25 %), or take tpu-16nm",
            field="technology",
        )
    return (*found, *timing_constants(calibration))


def timing_constants(calibration: Calibration) -> tuple[Constant, ...]:
    """The constants of the time model: around the calibration where it says something, else in ``RANGES``."""
    found = []
    for field, known in RANGES.items():
        value: float = getattr(calibration, field)
        low, high, source = known.low, known.high, known.source
        if value != getattr(_IDEAL, field):
            half = CALIBRATED[field]
            low, high = value * (1 - half), value * (1 + half)
            source = f"± {100 * half:g} % around the calibration of the accelerator, our judgement"
            if known.unit == "1":
                high = min(1.0, high)
        found.append(Constant(TIMING + field, value, low, high, known.unit, source))
    return tuple(found)


def drawn(constants: Sequence[Constant], count: int, seed: int) -> FloatArray:
    """``count`` independent draws; shape (count, constants). The first n of more draws are those of n."""
    quantile = np.random.default_rng(seed).random((count, len(constants)))
    return _columns([constant.at(quantile[:, i]) for i, constant in enumerate(constants)], count)


def swung(constants: Sequence[Constant]) -> FloatArray:
    """Each constant at its low and its high end, all others nominal; shape (2 · constants, constants)."""
    rows = np.tile([constant.nominal for constant in constants], (2 * len(constants), 1))
    for i, constant in enumerate(constants):
        rows[2 * i, i], rows[2 * i + 1, i] = constant.low, constant.high
    return rows


def _columns(columns: Sequence[FloatArray], rows: int) -> FloatArray:
    return np.stack(columns, axis=1) if columns else np.zeros((rows, 0))


def factors(constants: Sequence[Constant], row: Sequence[float]) -> dict[str, float]:
    """The factors of a row on the constants of the technology, for ``Technology.perturbed``."""
    return {c.name: float(value) for c, value in zip(constants, row, strict=True) if not c.is_timing}


def moved(own: Calibration, constants: Sequence[Constant], row: Sequence[float]) -> Calibration:
    """The calibration of an accelerator in a draw.

    One whose own calibration is not the nominal one moves along, and so does each kind of operator: efficiencies by the
    same ratio (at most to 1), the launch by the same difference.
    """
    values: Mapping[str, tuple[float, float]] = {
        c.name.removeprefix(TIMING): (c.nominal, float(value))
        for c, value in zip(constants, row, strict=True)
        if c.is_timing
    }
    kinds = tuple((kind, replace(constants, **_changed(constants, values))) for kind, constants in own.kinds)
    return replace(own, **_changed(own, values), kinds=kinds)


def _changed(own: Constants, values: Mapping[str, tuple[float, float]]) -> dict[str, Any]:
    changed: dict[str, float] = {}
    for field, (nominal, value) in values.items():
        before: float = getattr(own, field)
        if field == "launch_s":
            changed[field] = max(0.0, before + value - nominal)
        else:
            changed[field] = min(1.0, before * value / nominal)
    return changed
