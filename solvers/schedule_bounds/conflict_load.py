"""Loads of a schedule that count who cannot run beside whom: bounds where bandwidth and cores are short together.

Weigh a running mode by g(mode) ≥ 0 such that whatever may run at one time weighs at most 1. Then every schedule of
some operations takes at least Σ_i min over modes of duration · g. One core type alone gives work over cores. Here g
mixes a share 1 - a of that with a share a of one of

- u_e, a dual feasible function of the bandwidth held (Fekete and Schepers 2001): 1 above 1 - e, 0 below e, else the
  bandwidth itself;
- with one core of each kind, for operators that need one kind and at least t of the bandwidth, and those that need
  the other kind and more than 1 - t: they exclude each other, so either weighs 1.

Operators that are stretched to fit beside others hold their core longer, which the mixture sees.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from accmine.problems.operator_schedule import Problem

__all__ = ["conflict_loads"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

_SHARES = (0.25, 0.5, 0.75, 1.0)
_LEVELS = (0.1, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5)


def conflict_loads(problem: Problem) -> FloatArray:
    """Loads of an operation of each mode set, one row per weighing; shape (weighings, mode sets).

    For any set of operations, the sum of a row over it is a bound of the time they take.

    Parameters
    ----------
    problem
        Its resources are tensor cores, vector cores and bandwidth.
    """
    modes = problem.modes
    duration = modes.duration.astype(np.float64)
    fits = problem.fits
    cores = modes.uses[:, :2] / np.maximum(problem.capacity[:2], 1)
    owner = np.repeat(np.arange(len(problem.mode_sets)), problem.mode_count)
    rows = []
    one_each = bool((problem.capacity[:2] == 1).all())
    for weight in _weighings(cores, modes.uses[:, 2], int(problem.capacity[2]), one_each):
        least = np.full(len(problem.mode_sets), np.inf)
        np.minimum.at(least, owner[fits], (duration * weight)[fits])
        rows.append(np.where(np.isfinite(least), least, 0.0))
    return np.array(rows).reshape(len(rows), len(problem.mode_sets))


def _weighings(cores: FloatArray, held: IntArray, capacity: int, one_each: bool) -> Iterator[FloatArray]:
    """Weights of every mode; what runs at one time weighs at most 1.

    Amounts are compared as integers: two that fill the bandwidth exactly may run side by side.
    """
    share_held = held / max(1, capacity)
    levels = sorted({int(e * capacity) for e in _LEVELS} - {0})  # rounded down: none above half of the capacity
    for kind in (0, 1):
        for share in _SHARES:
            base = (1 - share) * cores[:, kind]
            for level in levels:
                yield base + share * np.where(held > capacity - level, 1.0, np.where(held < level, 0.0, share_held))
            if not one_each:
                continue
            mine, other = cores[:, kind] > 0, (cores[:, 1 - kind] > 0) & (cores[:, kind] == 0)
            for level in (*levels, *(capacity - level for level in levels)):
                excluded = (mine & (held >= level)) | (other & (held > capacity - level))
                yield base + share * excluded
