"""Losses of levels that agree with what whole networks lost: a regression from the losses that were given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from accmine.problems.sparse_dataflow import Problem

__all__ = ["corrected"]

Reals = npt.NDArray[np.float64]

_UNSEEN = 0.1
"""Loss, as a share of the budget, by which a level of no density may be off though it was measured as lossless."""
_NOISE = 1e-3
"""Share of the budget by which an evaluation need not be met."""


def corrected(problem: Problem, known: Mapping[tuple[int, ...], float]) -> Problem:
    """The problem with losses by which levels that were evaluated lose what they truly lost.

    Losses are taken as normally distributed around those that were given: with a factor that is common to all of them,
    a rescaling, and one for each level, both off by as much again; what they are after the evaluations is the mean of
    the conditional distribution (Bayesian linear regression). None is below 0.

    Parameters
    ----------
    known
        Levels, one for each layer, to the true loss in parts of ``POINT``.
    """
    if not known:
        return problem
    given, spread = _prior(problem)
    starts = np.cumsum([0, *(len(layer.levels) for layer in problem.layers)])
    rows = np.zeros((len(known), len(given)))
    for row, levels in zip(rows, known, strict=True):
        row[starts[:-1] + np.array(levels)] = 1
    noise = _NOISE * max(1.0, float(problem.budget.loss or 0))
    covariance = np.outer(spread, spread) + np.diag(spread**2)
    inner = rows @ covariance @ rows.T + noise**2 * np.eye(len(rows))
    away = np.array(list(known.values())) - rows @ given
    losses = np.maximum(0, given + covariance @ rows.T @ np.linalg.solve(inner, away))
    whole = [round(float(loss)) for loss in losses]
    layers = []
    for layer, start in zip(problem.layers, starts, strict=False):
        levels = tuple(replace(level, loss=whole[start + v]) for v, level in enumerate(layer.levels))
        layers.append(replace(layer, levels=levels))
    return replace(problem, layers=tuple(layers))


def _prior(problem: Problem) -> tuple[Reals, Reals]:
    """(losses that were given, by how much they may be off), both of all levels of all layers in a row."""
    budget, given, spread = float(problem.budget.loss or 0), [], []
    for layer in problem.layers:
        densest = max(level.density for level in layer.levels) or 1
        for level in layer.levels:
            given.append(float(level.loss))
            spread.append(level.loss + _UNSEEN * budget * float(1 - level.density / densest))
    return np.array(given), np.array(spread)
