"""Levels of assumed distributions: closed-form densities, independent products, losses by the energy proxy.

At each level one threshold t, in standard deviations, prunes weights and activations alike: weights with |w| < t,
and activations below t where a ReLU stands in front (a thresholded ReLU), else none. With p zeros before pruning,

density = P(|w| ≥ t) · (1 - p) · P(|a| ≥ t),

where weights are Laplace or Gaussian, and activations that are not zero half-normal. Sparsity of weights is what
levels are spaced by evenly. Independence and the distributions are assumptions that no real network keeps.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction

from accmine.errors import InputError
from accmine.sparse.layer import PARTS, Layer, Level, binomial
from accmine.sparse.levels.sources import SYNTHETIC, proxy_losses

__all__ = ["MOST_LEVELS", "MOST_PRUNED", "WEIGHTS", "synthetic_levels"]

MOST_PRUNED = 0.9
"""Share of the weights that the last level prunes."""

MOST_LEVELS = 64


def _laplace(t: float) -> tuple[float, float]:
    """(share of values, share of their energy) with magnitude from ``t`` standard deviations on."""
    x = t * math.sqrt(2)
    return math.exp(-x), math.exp(-x) * (1 + x + x**2 / 2)


def _gaussian(t: float) -> tuple[float, float]:
    """As of Laplace; a half-normal distribution has the same."""
    beyond = math.erfc(t / math.sqrt(2))
    return beyond, beyond + t * math.sqrt(2 / math.pi) * math.exp(-(t**2) / 2)


WEIGHTS: dict[str, Callable[[float], tuple[float, float]]] = {"laplace": _laplace, "gaussian": _gaussian}
"""Distribution of weights -> shares of values and of energy from a threshold on."""


def synthetic_levels(
    layers: Sequence[Layer], count: int = 8, *, weights: str = "laplace", most_pruned: float = MOST_PRUNED
) -> tuple[Layer, ...]:
    """The same layers with made-up levels, which say so (``Level.source``).

    Parameters
    ----------
    count
        Levels of each layer, 1 to 64: the first one prunes nothing and loses nothing, the last one prunes
        ``most_pruned`` of the weights.
    weights
        A key of ``WEIGHTS``.

    Raises
    ------
    InputError
        For options that are not allowed.
    """
    if not 1 <= count <= MOST_LEVELS:
        raise InputError(f"{count} levels are not allowed; 1 to {MOST_LEVELS}", field="count")
    if weights not in WEIGHTS:
        raise InputError(f"unknown distribution {weights!r}; allowed: {', '.join(WEIGHTS)}", field="weights")
    if not 0 < most_pruned < 1:
        raise InputError(f"{most_pruned} is not allowed; above 0 and below 1", field="most_pruned")
    kept = WEIGHTS[weights]
    thresholds = [_threshold(kept, most_pruned * i / max(1, count - 1)) for i in range(count)]
    rows = [[_level(layer, kept(t), t) for t in thresholds] for layer in layers]
    losses = proxy_losses(layers, [[1 - energy for _, energy in row] for row in rows])
    return tuple(
        replace(layer, levels=_levels(layer, thresholds, [density for density, _ in row], own))
        for layer, row, own in zip(layers, rows, losses, strict=True)
    )


def _threshold(kept: Callable[[float], tuple[float, float]], pruned: float) -> float:
    """Standard deviations below which so large a share of the weights is: by halving, to the last bit."""
    low, high = 0.0, 40.0
    while pruned and (middle := (low + high) / 2) not in (low, high):
        low, high = (middle, high) if 1 - kept(middle)[0] < pruned else (low, middle)
    return low


def _level(layer: Layer, weights: tuple[float, float], t: float) -> tuple[Fraction, float]:
    """(density of products, share of their energy that is kept)."""
    share, energy = _gaussian(t) if layer.zeros else (1.0, 1.0)
    density = weights[0] * share * float(1 - layer.zeros)
    return Fraction(round(density * PARTS), PARTS), weights[1] * energy


def _levels(
    layer: Layer, thresholds: Sequence[float], densities: Sequence[Fraction], losses: Sequence[int]
) -> tuple[Level, ...]:
    known: dict[Fraction, tuple[int, ...]] = {}
    for density in densities:
        known.setdefault(density, binomial(layer.window, density))
    return tuple(
        Level(f"{t:.3f}-sigma", (known[density],), loss, SYNTHETIC)
        for t, density, loss in zip(thresholds, densities, losses, strict=True)
    )
