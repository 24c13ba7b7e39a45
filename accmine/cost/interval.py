"""What a modelled time is worth: its interval, from those of the kinds of operator it is made of.

The interval of a kind bounds measured ÷ modelled time of 9 of 10 of its operators that were not used for fitting. Those
of a step are averaged by time, as if all operators of a kind were off by the same ratio: errors that cancel make the
step's true interval narrower, what no row has seen (queues, the host, other software) makes it wider.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from accmine.cost.corrections import family
from accmine.hardware import UNCALIBRATED, Calibration
from accmine.workload.work import Work

__all__ = ["Worth", "worth_of"]


@dataclass(frozen=True, slots=True)
class Worth:
    """Bounds of real ÷ modelled time, or why there are none.

    Attributes
    ----------
    bounds
        The lower and the upper one; empty where some kind of operator has none.
    missing
        Kinds without an interval.
    calibrated
        Whether any design has a calibration.
    """

    bounds: tuple[float, ...]
    missing: tuple[str, ...]
    calibrated: bool

    @property
    def text(self) -> str:
        """In words."""
        if self.bounds:
            low, high = self.bounds
            return f"9 of 10 operators of these kinds take {low:.2f} to {high:.2f} times the modelled time"
        if not self.calibrated:
            return "no interval: the accelerator is not calibrated"
        return f"no interval: the calibration has none of {', '.join(self.missing)}"


def worth_of(parts: Iterable[tuple[Calibration, Work, float]]) -> Worth:
    """The interval of a sum of operators.

    Parameters
    ----------
    parts
        Calibration of the design, work and modelled seconds of operators.
    """
    total = low = high = 0.0
    missing: dict[str, None] = {}
    calibrated = False
    for calibration, work, seconds in parts:
        calibrated |= calibration != UNCALIBRATED
        kind = family(work)
        bounds = calibration.of(kind).interval
        if not bounds:
            missing.setdefault(kind)
            continue
        total, low, high = total + seconds, low + seconds * bounds[0], high + seconds * bounds[1]
    known = calibrated and not missing and total > 0
    return Worth((low / total, high / total) if known else (), tuple(missing), calibrated)
