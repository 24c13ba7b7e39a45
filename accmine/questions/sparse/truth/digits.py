"""A network that is really trained and really asked: levels, losses and true accuracy on scikit-learn's digits.

Four parts of the images, none of them in two: *train* makes the weights; *calibration* makes thresholds, histograms and
the proxy losses, one layer at a time; *validation* is what the loop asks, so it is what the constraint holds on; *test*
is reported beside it and decides nothing, because designs that were chosen on images do better on them than on others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property

import numpy as np

from accmine.problems.sparse_dataflow import Budget, Choice, Problem, Solution, score
from accmine.questions.sparse.truth.digits_network import (
    EPOCHS,
    SHAPES,
    Network,
    Reals,
    Shape,
    Split,
    forward,
    load_digits,
    one_thread,
    train,
)
from accmine.sparse.folding import divisors
from accmine.sparse.layer import POINT, Histogram, Layer, Level, in_parts

__all__ = ["LEVELS", "Digits", "Threshold", "digits_problem", "trained_digits"]

LEVELS = ((0, 0), (30, 10), (50, 20), (60, 30), (70, 40), (80, 50), (90, 60))
"""Percent of the weights, and of the activations above 0, that a level sets to 0: the smallest ones."""

_LARGEST_CLUSTER = 16


@dataclass(frozen=True, slots=True)
class Threshold:
    """Weights nearer to 0 than ``weight`` and activations not above ``activation`` are 0."""

    name: str
    weight: float
    activation: float


@dataclass(frozen=True, eq=False)
class Digits:
    """A trained network, its levels, and the images that it is asked about."""

    network: Network
    splits: Mapping[str, Split]
    thresholds: tuple[tuple[Threshold, ...], ...]

    def __call__(self, levels: Mapping[str, str]) -> dict[str, float]:
        """Accuracy on the validation images in percent, as ``value``, and beside it that on others.

        Parameters
        ----------
        levels
            Name of each layer -> name of its level.
        """
        chosen = self._chosen(levels)
        with one_thread():
            test, seen = self.accuracy(chosen, "test"), self.accuracy(chosen, "calibration")
            return {
                "value": self.accuracy(chosen, "validation"),
                "calibration_accuracy": seen,
                "test_accuracy": test,
                "test_loss": self.dense["test"] - test,
            }

    @cached_property
    def dense(self) -> dict[str, float]:
        """Accuracy of the network as it was trained, in percent, on each part of the images."""
        with one_thread():
            return {name: self.accuracy([0] * len(SHAPES), name) for name in self.splits}

    def _chosen(self, levels: Mapping[str, str]) -> list[int]:
        names = [[own.name for own in of] for of in self.thresholds]
        return [own.index(levels[shape.name]) for own, shape in zip(names, SHAPES, strict=True)]

    def measured_interval(self, problem: Problem, levels: Mapping[str, str], solution: Solution) -> int:
        """Cycles of a design by histograms of the test images with all layers at their levels (``together``)."""
        choices = tuple(Choice(0, own.folding) for own in solution)
        return score(self.together(problem, levels), Solution(choices))

    def _pruned(self, chosen: Sequence[int]) -> tuple[Network, list[float]]:
        """(network without small weights, what each layer takes for 0)."""
        own = [of[level] for of, level in zip(self.thresholds, chosen, strict=True)]
        pairs = zip(self.network.weights, own, strict=True)
        weights = tuple(np.where(np.abs(w) >= t.weight, w, np.float32(0)) for w, t in pairs)
        return replace(self.network, weights=weights), [t.activation for t in own]

    def accuracy(self, chosen: Sequence[int], part: str) -> float:
        """Percent of the images of a part whose digit is named, with a level of each layer."""
        network, zeroed = self._pruned(chosen)
        scores = forward(network, self.splits[part].images, zeroed)[1]
        return 100 * float((scores.argmax(axis=1) == self.splits[part].labels).mean())

    def histograms(self, chosen: Sequence[int], index: int, part: str = "calibration") -> tuple[Histogram, ...]:
        """Zero products per window of a layer, for each ``cluster`` of its input channels; counted, not estimated.

        A product is zero where its weight or its activation is; the zeros around a map are among them.
        """
        network, zeroed = self._pruned(chosen)
        read = forward(network, self.splits[part].images, zeroed)[0]
        return _counted(network.weights[index], read[index], _window(SHAPES[index]))

    def together(self, problem: Problem, levels: Mapping[str, str], part: str = "test") -> Problem:
        """The problem with one level in each layer: its histograms with all layers at ``levels``, on other images.

        Histograms of a problem are counted one layer at a time: what the layers before zero is not in them.
        """
        with one_thread():
            found = [self.histograms(self._chosen(levels), i, part) for i in range(len(SHAPES))]
        layers = zip(problem.layers, found, strict=True)
        return replace(
            problem,
            layers=tuple(replace(own, levels=(Level(levels[own.name], histograms),)) for own, histograms in layers),
        )


def _cluster(channels: int) -> int:
    return max(own for own in divisors(channels) if own <= _LARGEST_CLUSTER)


def _window(shape: Shape) -> int:
    return 9 if shape.size else _cluster(shape.channels_in)


def _counted(weights: Reals, read: Reals, window: int) -> tuple[Histogram, ...]:
    """Of each group of ``window`` weights of an output channel, over all output channels and rows that are read."""
    channels, taps = weights.shape
    there = (weights != 0).astype(np.float32).reshape(channels, taps // window, window)
    active = (read != 0).astype(np.float32).reshape(len(read), taps // window, window)
    found = []
    for group in range(taps // window):
        products = (active[:, group] @ there[:, group].T).astype(np.int64)
        counts = np.bincount(window - products.ravel(), minlength=window + 1)
        found.append(in_parts([Fraction(int(count), products.size) for count in counts]))
    return tuple(found)


def trained_digits(seed: int = 0, levels: Sequence[tuple[int, int]] = LEVELS, epochs: int = EPOCHS) -> Digits:
    """Train the network, in a few seconds, and find the thresholds of its levels.

    Raises
    ------
    InputError
        If scikit-learn is not installed.
    """
    splits = load_digits(seed)
    with one_thread():
        network = train(splits["train"], seed, epochs)
        read = forward(network, splits["calibration"].images)[0]
    thresholds = []
    for weights, values in zip(network.weights, read, strict=True):
        above = values[values > 0]
        thresholds.append(
            tuple(
                Threshold(
                    f"w{w}-a{a}",
                    float(np.quantile(np.abs(weights), w / 100)) if w else 0.0,
                    float(np.quantile(above, a / 100)) if a else 0.0,
                )
                for w, a in levels
            )
        )
    return Digits(network, splits, tuple(thresholds))


def digits_problem(
    budget: Budget,
    *,
    seed: int = 0,
    levels: Sequence[tuple[int, int]] = LEVELS,
    epochs: int = EPOCHS,
    name: str = "digits",
) -> tuple[Problem, Digits]:
    """The digits network as a sparse dataflow, and what tells its true accuracy.

    Parameters
    ----------
    budget
        Of a device; ``loss`` in parts of ``POINT`` of validation accuracy, for ``true_loss_loop`` with
        ``Settings(reference=digits.dense["validation"])``.
    levels
        Percent of weights and of activations that each one zeroes, the first of them none.
    epochs
        Times that each training image is seen.

    Raises
    ------
    InputError
        If scikit-learn is not installed.
    """
    digits = trained_digits(seed, levels, epochs)
    with one_thread():
        layers = [_layer(digits, i) for i in range(len(SHAPES))]
    edges = tuple((i, i + 1) for i in range(len(SHAPES) - 1))
    return Problem(tuple(layers), edges, budget, name=name), digits


def _layer(digits: Digits, index: int) -> Layer:
    """A layer with its levels; histograms and losses with this layer at the level and all others as trained."""
    shape, levels = SHAPES[index], []
    dense = digits.accuracy([0] * len(SHAPES), "calibration")
    for v, own in enumerate(digits.thresholds[index]):
        chosen = [v if i == index else 0 for i in range(len(SHAPES))]
        loss = max(0.0, dense - digits.accuracy(chosen, "calibration"))
        levels.append(Level(own.name, digits.histograms(chosen, index), round(POINT * loss), "arrays"))
    size = (shape.size, shape.size) if shape.size else (1, 1)
    kernel, cluster = ((3, 3), 1) if shape.size else ((1, 1), _cluster(shape.channels_in))
    return Layer(
        shape.name, shape.channels_in, shape.channels_out, kernel, size, size, cluster=cluster, levels=tuple(levels)
    )
