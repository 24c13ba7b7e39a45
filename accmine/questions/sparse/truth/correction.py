"""Losses of levels that agree with what whole networks lost: the given ones rescaled, and refitted where evaluated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from accmine.problems.sparse_dataflow import Problem

__all__ = ["corrected", "rescaled_by"]

Reals = npt.NDArray[np.float64]

_UNSEEN = 0.25
"""Loss, as a share of the budget, by which a level of no density may be off though it was measured as lossless."""
_NOISE = 0.05
"""Share of the budget by which an evaluation need not be met: losses are not additive."""
_LEAST, _MOST = 0.25, 4.0
"""Factors by which all losses are rescaled, and least factor of a level."""


def rescaled_by(problem: Problem, known: Mapping[tuple[int, ...], float]) -> float:
    """What all losses are multiplied with: true over proxy losses of what was evaluated.

    As if, before, a design had lost its whole budget by the proxy and in truth; so one evaluation of small losses says
    little.
    """
    budget = max(1.0, float(problem.budget.loss or 0))
    proxy = sum(sum(layer.levels[v].loss for layer, v in zip(problem.layers, own, strict=True)) for own in known)
    return min(_MOST, max(_LEAST, (budget + sum(known.values())) / (budget + proxy)))


def corrected(problem: Problem, known: Mapping[tuple[int, ...], float], *, monotone: bool = True) -> Problem:
    """The problem with losses by which levels that were evaluated lose about what they truly lost.

    All are rescaled (``rescaled_by``). Each is then taken as normally distributed around that, off by as much again,
    and is the mean of its distribution once the evaluations are known (Bayesian linear regression).

    Parameters
    ----------
    known
        Levels, one for each layer, to the true loss in parts of ``POINT``.
    monotone
        Whether a level loses at least what less sparse ones of its layer do.
    """
    if not known:
        return problem
    budget, factor = max(1.0, float(problem.budget.loss or 0)), rescaled_by(problem, known)
    given, spread = _prior(problem, budget, factor)
    starts = np.cumsum([0, *(len(layer.levels) for layer in problem.layers)])
    rows = np.zeros((len(known), len(given)))
    for row, levels in zip(rows, known, strict=True):
        row[starts[:-1] + np.array(levels)] = 1
    inner = (rows * spread**2) @ rows.T + (_NOISE * budget) ** 2 * np.eye(len(rows))
    away = np.array(list(known.values())) - rows @ given
    losses = np.maximum(_LEAST * given, given + spread**2 * (rows.T @ np.linalg.solve(inner, away)))
    layers = []
    for layer, (start, end) in zip(problem.layers, pairwise(starts.tolist()), strict=True):
        own = losses[start:end].copy()
        if monotone:
            order = sorted(range(len(own)), key=lambda v: (-layer.levels[v].density, layer.levels[v].loss))
            own[order] = np.maximum.accumulate(own[order])
        pairs = zip(layer.levels, own.tolist(), strict=True)
        layers.append(replace(layer, levels=tuple(replace(level, loss=round(loss)) for level, loss in pairs)))
    return replace(problem, layers=tuple(layers))


def _prior(problem: Problem, budget: float, factor: float) -> tuple[Reals, Reals]:
    """(losses, by how much they may be off), both of all levels of all layers in a row."""
    given, spread = [], []
    for layer in problem.layers:
        densest = max(level.density for level in layer.levels) or 1
        for level in layer.levels:
            given.append(factor * level.loss)
            spread.append(factor * level.loss + _UNSEEN * budget * float(1 - level.density / densest))
    return np.array(given), np.array(spread)
