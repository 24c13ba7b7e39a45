"""Designs without adapters at one interval: a linear program, what its prices refute exactly, and what they leave.

With the share of its budget that each resource has, u_r = Σ use_r / B_r, the program takes options in parts so that the
largest u_r is least. Its prices λ, made whole numbers, are a proof without floating point: any design takes at least
Σ over layers of min λ·use, so

- there is none where that is more than λ·B,
- an option that is more than λ·B minus it above the cheapest one of its layer is in none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

import highspy
import numpy as np
import numpy.typing as npt

from accmine.problems.sparse_dataflow import Candidates

from ..engines.highs_engine import run

__all__ = ["Relaxed", "fitted_prices", "relaxed", "whole_prices"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_SCALE = 1 << 46
"""Price of all of a budget: sums over thousands of layers fit 64 bits."""

_ROUNDINGS = 4096
"""Combinations of the options that the program takes in parts."""


@dataclass(frozen=True)
class Relaxed:
    """What is known of the designs without adapters at an interval.

    Attributes
    ----------
    possible
        Whether the prices leave any.
    candidates
        Those that the prices leave.
    picks
        An option of each layer that together are a design, where rounding found one.
    prices
        Whole numbers for each resource and the loss.
    """

    possible: bool
    candidates: tuple[Candidates, ...]
    picks: tuple[int, ...] | None = None
    prices: Ints | None = None


def whole_prices(shares: Floats, limits: Sequence[int | None]) -> Ints:
    """Prices of all of each limited budget, as whole numbers of a unit of it; 0 of others."""
    found, rest = [], iter(shares.tolist())
    for most in limits:
        found.append(0 if most is None else int(max(0.0, next(rest)) * _SCALE / max(1, most)))
    return np.array(found, dtype=np.int64)


def fitted_prices(prices: Ints, limits: Sequence[int | None]) -> Ints:
    """Prices made for other limits, 0 where there is none now, and scaled down so that no limit costs more than then.

    Any prices refute what they refute; these keep what fits the limits within 64 bits.
    """
    found = np.where([most is None for most in limits], 0, prices)
    dearest = max((int(price) * most for price, most in zip(found, limits, strict=True) if most), default=0)
    return found >> (dearest // _SCALE).bit_length() if dearest > _SCALE else found


def relaxed(candidates: Sequence[Candidates], limits: Sequence[int | None]) -> Relaxed:
    """Refute limits, or tell which candidates are left, and perhaps a design.

    Parameters
    ----------
    limits
        In the order of ``RESOURCES``, and of the loss.
    """
    limited = [i for i, most in enumerate(limits) if most is not None]
    most = np.array([limits[i] for i in limited], dtype=np.int64)
    left, prices = list(candidates), None
    if any(not len(own) for own in left):
        return Relaxed(False, tuple(left))
    if not limited:
        return Relaxed(True, tuple(left), (0,) * len(left))
    while True:
        columns = [_columns(own, limited) for own in left]
        found = shares_of(columns, most)
        if found is None:
            return Relaxed(True, tuple(left), None, prices)
        shares, parts = found
        prices = whole_prices(shares, limits)
        costs = [_columns(own, list(range(len(limits)))) @ prices for own in left]
        room = sum(int(prices[i]) * (limits[i] or 0) for i in limited) - sum(int(own.min()) for own in costs)
        if room < 0:
            return Relaxed(False, tuple(left), None, prices)
        if (picks := _rounded(columns, most, parts)) is not None:
            return Relaxed(True, tuple(left), picks, prices)
        before = sum(map(len, left))
        left = [own.take(np.flatnonzero(cost - cost.min() <= room)) for own, cost in zip(left, costs, strict=True)]
        if sum(map(len, left)) > 0.9 * before:
            return Relaxed(True, tuple(left), None, prices)


def _columns(own: Candidates, limited: list[int]) -> Ints:
    return np.column_stack([own.use, own.loss])[:, limited]


def shares_of(columns: Sequence[Ints], most: Ints) -> tuple[Floats, list[Floats]] | None:
    """(prices of all of each budget, parts of every option) where the largest share is least; ``None``: it failed."""
    shares = np.concatenate(columns) / np.maximum(1, most)
    options, budgets = shares.shape
    layers = len(columns)
    layer = np.repeat(np.arange(layers), [len(own) for own in columns])
    values = np.column_stack([shares, np.ones(options)])
    rows = np.column_stack([np.tile(np.arange(budgets), (options, 1)), budgets + layer])
    kept = values != 0
    starts = np.concatenate([[0], np.cumsum(kept.sum(axis=1))])
    program = highspy.HighsLp()
    program.num_col_, program.num_row_ = options + 1, budgets + layers
    program.col_cost_ = np.append(np.zeros(options), 1.0)
    program.col_lower_, program.col_upper_ = np.zeros(options + 1), np.full(options + 1, np.inf)
    program.row_lower_ = np.append(np.full(budgets, -np.inf), np.ones(layers))
    program.row_upper_ = np.append(np.zeros(budgets), np.ones(layers))
    program.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    program.a_matrix_.start_ = np.append(starts, starts[-1] + budgets).astype(np.int32)
    program.a_matrix_.index_ = np.append(rows[kept], np.arange(budgets)).astype(np.int32)
    program.a_matrix_.value_ = np.append(values[kept], np.full(budgets, -1.0))
    engine = run(program)
    if engine is None or engine.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        return None
    solution = engine.getSolution()
    prices = np.maximum(0.0, -np.array(solution.row_dual[:budgets]))
    parts = np.split(np.array(solution.col_value[:options]), np.cumsum([len(own) for own in columns])[:-1])
    return prices, parts


def _rounded(columns: list[Ints], most: Ints, parts: list[Floats]) -> tuple[int, ...] | None:
    """A design of options that the program takes, or takes in parts."""
    taken = [np.flatnonzero(own > 1e-6) for own in parts]
    open_layers = [i for i, own in enumerate(taken) if len(own) != 1]
    count = prod(len(own) for own in taken)
    if not 0 < count <= _ROUNDINGS:
        return None
    picks = np.array([own[0] for own in taken])
    fixed = sum(columns[i][picks[i]] for i in range(len(columns)) if i not in set(open_layers))
    ways = np.array(list(product(*(taken[i] for i in open_layers))), dtype=np.int64).reshape(count, -1)
    total = np.zeros((len(ways), len(most)), dtype=np.int64) + fixed
    for place, i in enumerate(open_layers):
        total = total + columns[i][ways[:, place]]
    fitting = np.flatnonzero((total <= most).all(axis=1))
    if not len(fitting):
        return None
    picks[open_layers] = ways[fitting[0]]
    return tuple(picks.tolist())
