"""What ``accmine stability`` reports, as plain records with a JSON form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from accmine.report import to_json

__all__ = ["ConstantRow", "Nominal", "Stability", "Winner", "rank_correlation"]


@dataclass(frozen=True)
class Nominal:
    """The certificate of the answer, for the constants as they are."""

    metric: str
    unit: str
    objective: float
    bound: float
    gap: float
    status: str


@dataclass(frozen=True)
class Winner:
    """Designs that are best in some draws.

    Attributes
    ----------
    designs
        One per group of devices.
    chosen
        Whether these are the answer of the study.
    share
        Of the draws in which they are the best, 0 to 1.
    near
        Of the draws in which they fit and are within the tolerance of the best; ``None``: not counted.
    area_mm2, tdp_w
        Of one device of each group, under the nominal constants.
    """

    designs: tuple[str, ...]
    chosen: bool
    share: float
    near: float | None
    area_mm2: tuple[float, ...]
    tdp_w: tuple[float, ...]


@dataclass(frozen=True)
class ConstantRow:
    """What a constant does to the decision.

    Attributes
    ----------
    nominal, low, high
        Factors on the value in the technology file, or values of a constant of the time model.
    matters
        Whether it changes a time, area or TDP of any design that is compared.
    regret
        Of the answer with this constant at its low and at its high end, all others nominal; infinite where the
        answer breaks a limit.
    broken
        The limits it breaks there.
    instead
        The designs that are best there; empty where that is the answer.
    flips
        Whether the answer is out of tolerance at one of the ends.
    correlation
        Spearman's rank correlation of the constant with the regret of the answer over the draws, -1 to 1.
    """

    name: str
    unit: str
    nominal: float
    low: float
    high: float
    matters: bool
    regret: tuple[float, float]
    broken: tuple[tuple[str, ...], tuple[str, ...]]
    instead: tuple[tuple[str, ...], tuple[str, ...]]
    flips: bool
    correlation: float
    source: str


@dataclass(frozen=True)
class Stability:
    """How stable an answer is.

    Attributes
    ----------
    designs
        The answer.
    asked, draws
        Draws asked for, and made.
    within, share, standard_error, interval
        Draws in which the answer fits and is within the tolerance of the best; as a share (0 to 1) with its binomial
        standard error and Wilson's 95 % interval.
    outside_limits, outside
        Draws in which the answer breaks a limit, and how often which; more than one may be broken.
    nothing_fits
        Draws in which no design that is compared meets the limits.
    share_where_it_fits, median_regret, worst_regret
        Over the draws in which the answer fits; regret is the relative distance from the best. ``None``: it never fits.
    nominal_regret
        With the constants as they are, scheduled with the effort of the draws; ``None``: it does not fit.
    pool
        Designs compared, per group.
    refined
        Pairs of task and design that were scheduled with more effort, because they may be the best somewhere.
    checks
        Regrets in some draws in which the answer fits and is not the best: as counted, and with both designs
        scheduled for that draw.
    """

    study: str
    technology: str
    designs: tuple[str, ...]
    asked: int
    draws: int
    seed: int
    tolerance: float
    within: int
    share: float
    standard_error: float
    interval: tuple[float, float]
    outside_limits: int
    outside: dict[str, int]
    nothing_fits: int
    share_where_it_fits: float | None
    median_regret: float | None
    worst_regret: float | None
    nominal_regret: float | None
    winners: tuple[Winner, ...]
    constants: tuple[ConstantRow, ...]
    pool: tuple[int, ...]
    refined: int
    checks: tuple[tuple[float, float], ...]
    interrupted: bool = False
    nominal: Nominal | None = None
    seconds: float = 0.0
    folder: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; what is not finite becomes ``None``."""
        return to_json(self)


def _ranks(values: Sequence[float]) -> Any:
    """Ranks from 0; equal values share the mean of theirs. Infinite values are equal and the largest."""
    _, inverse, counts = np.unique(np.asarray(values, dtype=np.float64), return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return (ends - (counts + 1) / 2)[np.asarray(inverse).reshape(-1)]


def rank_correlation(a: Sequence[float], b: Sequence[float]) -> float:
    """Spearman's rank correlation; 0 where one of the two does not vary."""
    first, second = _ranks(a), _ranks(b)
    if len(first) < 2 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])
