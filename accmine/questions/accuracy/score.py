"""How far a model is from measurements: scores, and which rows a fit may see."""

from __future__ import annotations

import random
from dataclasses import dataclass
from math import ceil, floor

import numpy as np
import numpy.typing as npt

from accmine.errors import InputError

__all__ = ["LEVEL", "Score", "covered", "drawn", "interval", "score", "spearman"]

FloatArray = npt.NDArray[np.float64]

_LEAST_RANKED = 3

LEVEL = 0.9
"""Share of operators whose measured time an interval is to hold."""


@dataclass(frozen=True, slots=True)
class Score:
    """How far a model is from measurements, over their rows.

    Attributes
    ----------
    rows
        Rows compared.
    mape
        Mean of |model / measured − 1|.
    bias
        Mean of model / measured − 1; negative: the model is too fast.
    worst
        Largest |model / measured − 1|.
    rank
        Spearman's rank correlation; ``None`` with fewer than three rows, or one value only on a side.
    """

    rows: int
    mape: float
    bias: float
    worst: float
    rank: float | None


def score(model_s: npt.ArrayLike, measured_s: npt.ArrayLike) -> Score:
    """How far modelled times are from measured ones.

    Raises
    ------
    InputError
        If there are no rows, the shapes differ, or a measured time is not positive.
    """
    model, measured = np.asarray(model_s, dtype=np.float64), np.asarray(measured_s, dtype=np.float64)
    if model.shape != measured.shape or model.ndim != 1 or not model.size or not bool((measured > 0).all()):
        raise InputError(f"need as many modelled as positive measured values, got {model.shape} and {measured.shape}")
    errors = model / measured - 1.0
    return Score(
        rows=int(errors.size),
        mape=float(np.abs(errors).mean()),
        bias=float(errors.mean()),
        worst=float(np.abs(errors).max()),
        rank=spearman(model, measured),
    )


def interval(model_s: npt.ArrayLike, measured_s: npt.ArrayLike) -> tuple[float, float]:
    """Bounds of measured ÷ modelled time that hold for at least ``LEVEL`` of operators like these.

    Split conformal: of n rows that were not fitted on the ⌊(n+1)·5 %⌋-th and the ⌈(n+1)·95 %⌉-th smallest ratio, the
    extremes where there are too few rows; rounded outwards to three decimals. The guarantee is for rows drawn alike,
    not for other sizes or chips.
    """
    ratio = np.sort(np.asarray(measured_s, dtype=np.float64) / np.asarray(model_s, dtype=np.float64))
    tail = (1.0 - LEVEL) / 2.0
    low = max(0, floor((ratio.size + 1) * tail + 1e-9) - 1)
    high = min(ratio.size, ceil((ratio.size + 1) * (1.0 - tail) - 1e-9)) - 1
    return floor(1000 * ratio[low]) / 1000, ceil(1000 * ratio[high]) / 1000


def covered(model_s: npt.ArrayLike, measured_s: npt.ArrayLike, bounds: tuple[float, float]) -> float:
    """Share of measured times within modelled time × bounds."""
    ratio = np.asarray(measured_s, dtype=np.float64) / np.asarray(model_s, dtype=np.float64)
    return float(((ratio >= bounds[0]) & (ratio <= bounds[1])).mean())


def spearman(a: npt.ArrayLike, b: npt.ArrayLike) -> float | None:
    """Spearman's rank correlation; equal values share the mean of their ranks. Two rows tell no order."""
    rows = [np.asarray(values, dtype=np.float64) for values in (a, b)]
    if rows[0].size < _LEAST_RANKED:
        return None
    ranks = [_ranks(values) for values in rows]
    if any(np.ptp(rank) == 0 for rank in ranks):
        return None
    return round(float(np.corrcoef(ranks[0], ranks[1])[0, 1]), 12)


def _ranks(values: FloatArray) -> FloatArray:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2.0)[inverse], dtype=np.float64)


def drawn(seconds: npt.ArrayLike, holdout: float, seed: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Rows to fit on and rows to score on, both ascending: of rows of similar time some go to either side.

    The rows are ordered by time and cut into as many groups as the smaller part has rows; one of each group is drawn. A
    draw without groups may put all short products, which alone tell the launch constant, on one side.

    Parameters
    ----------
    seconds
        Measured time of each row.
    holdout
        Share of the rows to score on.
    seed
        Of the draw.

    Raises
    ------
    InputError
        If ``holdout`` is not between 0 and 1.
    """
    if not 0.0 < holdout < 1.0:
        raise InputError(f"must be a share of the rows, above 0 and below 1, got {holdout:g}", field="holdout")
    order = np.argsort(np.asarray(seconds, dtype=np.float64), kind="stable")
    held = round(order.size * holdout)
    fewer = min(held, order.size - held)
    chance = random.Random(seed)
    groups = np.array_split(order, fewer) if fewer else []
    picked = np.array(sorted(int(chance.choice(group.tolist())) for group in groups), dtype=np.int64)
    others = np.setdiff1d(np.arange(order.size), picked)
    return (others, picked) if held == fewer else (picked, others)
