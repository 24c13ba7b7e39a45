"""What it costs that parallel engines with varying windows wait for one another.

Engine j starts window i when its own window i - 1 is done and the slowest engine has done window i - slack:
C_j(i) = max(C_j(i - 1), max_k C_k(i - slack)) + X_j(i), all X independent. With slack 1 all wait for the slowest of
each window, and the mean is that of the largest of so many: exact. With more slack it is a fit to simulations
(``accmine.sparse.stalls_table``) by two kinds of quantities:

- the mean of the largest of N windows, for several N, and
- what an exponential bound gives for N engines: C(i) is the longest of the paths that take windows of one engine one
  after the other and lose ``slack - 1`` windows where they change to another, so that by Markov's inequality the mean
  is at most γ = min over θ of u / θ with u = Λ(θ) + log(1 + (N - 1)·e^(-u·(slack - 1))), Λ(θ) = log E e^(θX). In the
  limit of many windows it is that of a reflected random walk, whose excess is variance / (mean · slack) by a constant.

Each of these grows when windows take longer, and so does every weighted mean of them with weights of at least 0, and
the least of several such means. The fit is of this form, with the larger of fewer engines and the smaller of less
slack: so it is monotone in the histogram, in engines and in slack whatever the weights are.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from accmine.sparse.layer import PARTS, Histogram
from accmine.sparse.stalls_table import BOUNDS, ENGINES, LARGEST, WEIGHTS

__all__ = ["features", "waiting_cycles", "waiting_cycles_of", "waiting_table"]

Bounds = tuple[tuple[float, float], ...]
Floats = npt.NDArray[np.float64]

_THETAS: Floats = np.geomspace(1e-5, 60, 96)
_LOGS: Floats = np.concatenate([[0.0], np.geomspace(1e-7, 8000, 512)])
"""Λ at which u is tabulated."""
_LOG_ENGINES: Floats = np.log2(ENGINES)


@lru_cache(maxsize=1 << 16)
def waiting_cycles(histogram: Histogram, fine: int, engines: int, slack: int) -> int:
    """Mean cycles per window of ``engines`` independent engines with ``slack``, in ``PARTS`` of a cycle.

    Never below the mean of one engine, never above that with slack 1, which is the mean of the slowest.
    """
    return int(waiting_cycles_of(histogram, fine, np.array([engines]), slack)[0])


def waiting_cycles_of(histogram: Histogram, fine: int, engines: npt.NDArray[Any], slack: int) -> npt.NDArray[np.int64]:
    """``waiting_cycles`` of several numbers of engines; shape that of ``engines``."""
    return waiting_table(histogram, fine, engines.ravel(), (slack,)).reshape(engines.shape)


def waiting_table(
    histogram: Histogram, fine: int, engines: npt.NDArray[Any], slacks: Sequence[int]
) -> npt.NDArray[np.int64]:
    """``waiting_cycles`` of several slacks and numbers of engines; shape (slacks, engines)."""
    cycles, below = _distribution(histogram, fine)
    slowest: Floats = _of_largest(cycles, below, engines.reshape(-1, 1))
    known = np.log2(np.minimum(engines, ENGINES[-1]))
    found = np.empty((len(slacks), len(engines)))
    for own, slack in zip(found, slacks, strict=True):
        own[:] = slowest
        if slack > 1:
            with_slack = _with_slack(histogram, fine)[max(s for s in WEIGHTS if s <= slack)]
            np.minimum(slowest, np.interp(known, _LOG_ENGINES, with_slack), out=own)
    return np.maximum(np.rint(found * PARTS).astype(np.int64), _mean(histogram, fine))


@lru_cache(maxsize=1 << 12)
def _distribution(histogram: Histogram, fine: int) -> tuple[Floats, Floats]:
    """Cycles that a window may take, ascending, and the share of windows that take at most so many."""
    window, found = len(histogram) - 1, dict[int, int]()
    for z, count in enumerate(histogram):
        cycles = max(1, -(-(window - z) // fine))
        found[cycles] = found.get(cycles, 0) + count
    values = sorted(cycles for cycles, count in found.items() if count)
    return np.array(values, dtype=float), np.cumsum([found[own] for own in values]) / PARTS


@lru_cache(maxsize=1 << 12)
def _mean(histogram: Histogram, fine: int) -> int:
    """Of one engine, in ``PARTS``: exact."""
    window = len(histogram) - 1
    return sum(count * max(1, -(-(window - z) // fine)) for z, count in enumerate(histogram))


def _of_largest(cycles: Floats, below: Floats, engines: npt.NDArray[Any]) -> Floats:
    """E[max of so many] = last - Σ (c - c-)·F(c-)ⁿ; engines of shape (…, 1)."""
    missed: Floats = (below[:-1] ** engines) @ np.diff(cycles)
    found: Floats = cycles[-1] - missed
    return found


def features(
    histogram: Histogram, fine: int, largest: tuple[int, ...] = LARGEST, bounds: Bounds = BOUNDS
) -> npt.NDArray[np.float64]:
    """Cycles that the fit is made of.

    Parameters
    ----------
    largest
        Numbers of windows whose slowest is looked at.
    bounds
        (slack, log2 of engines) of exponential bounds.
    """
    cycles, below = _distribution(histogram, fine)
    shares = np.diff(below, prepend=0.0)
    top = cycles[-1]
    logs: Floats = _THETAS * top + np.log(np.exp(np.outer(_THETAS, cycles - top)) @ shares)
    exponents = _exponents(bounds)
    at = np.searchsorted(_LOGS, logs).clip(1, len(_LOGS) - 1)
    part = (logs - _LOGS[at - 1]) / (_LOGS[at] - _LOGS[at - 1])
    low = exponents[:, at - 1]
    least = ((low + part * (exponents[:, at] - low)) / _THETAS).min(axis=1)
    return np.concatenate([_of_largest(cycles, below, np.array(largest).reshape(-1, 1)), least])


@lru_cache(maxsize=4)
def _exponents(bounds: Bounds) -> Floats:
    """Of each of the bounds, u at each of ``_LOGS``: by Newton's method from above, convex in u."""
    lost, others = np.array(bounds, dtype=float).T.reshape(2, -1, 1) - [[[1]], [[0]]]
    others = np.exp2(others) - 1
    u: Floats = _LOGS + np.log1p(others)
    for _ in range(100):
        odds = others * np.exp(-u * lost)
        u = np.maximum(_LOGS, u - (u - _LOGS - np.log1p(odds)) / (1 + lost * odds / (1 + odds)))
    return u


@lru_cache(maxsize=1 << 16)
def _with_slack(histogram: Histogram, fine: int) -> dict[int, Floats]:
    """By slack: cycles for each of ``ENGINES``, without the limits by the mean and by slack 1."""
    own = features(histogram, fine)
    found: dict[int, Floats] = {}
    before: Floats = np.full(len(ENGINES), np.inf)
    for slack, weights in _weights().items():
        before = found[slack] = np.minimum(before, np.maximum.accumulate((weights @ own).min(axis=1)))
    return found


@lru_cache(maxsize=1)
def _weights() -> dict[int, Floats]:
    """By slack: weights of shape (engines, means that the least is taken of, features), each of sum 1."""
    found = {}
    for slack, rows in WEIGHTS.items():
        own: Floats = np.zeros((len(rows), max(map(len, rows)), len(LARGEST) + len(BOUNDS)))
        for i, means in enumerate(rows):
            for j in range(own.shape[1]):
                for feature, weight in means[min(j, len(means) - 1)]:
                    own[i, j, feature] = weight
        found[slack] = own / own.sum(axis=2, keepdims=True)
    return found
