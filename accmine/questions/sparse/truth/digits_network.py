"""A small convolutional network for scikit-learn's digits, trained in this process with numpy alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt

from accmine.errors import InputError

__all__ = ["EPOCHS", "SHAPES", "Network", "Shape", "Split", "forward", "load_digits", "one_thread", "patches", "train"]

Reals = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Shape:
    """A layer: a 3 × 3 convolution with a zero around its map, or a matrix product, a ReLU after each but the last.

    Attributes
    ----------
    size
        Rows and columns of the square map that it reads; 0: a matrix product.
    pooled
        Whether the maxima of 2 × 2 go on.
    """

    name: str
    channels_in: int
    channels_out: int
    size: int = 0
    pooled: bool = False

    @property
    def taps(self) -> int:
        """Weights of an output channel."""
        return self.channels_in * (9 if self.size else 1)


SHAPES = (
    Shape("conv1", 1, 8, 8),
    Shape("conv2", 8, 16, 8, pooled=True),
    Shape("conv3", 16, 32, 4, pooled=True),
    Shape("fc1", 128, 32),
    Shape("fc2", 32, 10),
)
"""156,480 multiply-accumulates of an image."""

_SIZES = {"train": 797, "calibration": 300, "validation": 350, "test": 350}
_BATCH, _RATE, _DECAY = 32, 3e-3, 1e-4

EPOCHS = 24
"""Times that each image is seen in training."""


@dataclass(frozen=True, eq=False)
class Split:
    """Images, shape (images, 1, 8, 8) in [0, 1], and what they show, shape (images,)."""

    images: Reals
    labels: Ints


@dataclass(frozen=True, eq=False)
class Network:
    """Weights of each layer, shape (channels_out, taps), and biases, shape (channels_out,)."""

    weights: tuple[Reals, ...]
    biases: tuple[Reals, ...]


def _needed(module: str) -> Any:
    try:
        return import_module(module)
    except ImportError as error:
        raise InputError("digits needs scikit-learn: pip install 'accmine[searches]'") from error


def one_thread() -> AbstractContextManager[Any]:
    """Matrix products in one thread: of such small ones more only wait for one another, and change the sums.

    Raises
    ------
    InputError
        If scikit-learn, which brings threadpoolctl, is not installed.
    """
    limits: AbstractContextManager[Any] = _needed("threadpoolctl").threadpool_limits(1)
    return limits


def load_digits(seed: int = 0) -> dict[str, Split]:
    """The 1,797 images of scikit-learn's digits, in an order that the seed draws, in four parts.

    Returns
    -------
    dict
        ``train``, ``calibration``, ``validation`` and ``test``; no image is in two of them.

    Raises
    ------
    InputError
        If scikit-learn is not installed.
    """
    data = _needed("sklearn.datasets").load_digits()
    order = np.random.default_rng(seed).permutation(len(data.target))
    images = (data.images[order] / 16).astype(np.float32)[:, None]
    labels = data.target[order].astype(np.int64)
    found, at = {}, 0
    for name, size in _SIZES.items():
        found[name] = Split(images[at : at + size], labels[at : at + size])
        at += size
    return found


def patches(shape: Shape, inputs: Reals) -> Reals:
    """What the weights of a layer meet, shape (images, positions, channels, products of a channel), zeros included.

    Parameters
    ----------
    inputs
        Shape (images, channels, rows, columns), or (images, channels) for a matrix product.
    """
    if not shape.size:
        return inputs.reshape(len(inputs), 1, -1, 1)
    around = np.pad(inputs, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(around, (3, 3), axis=(2, 3))
    return windows.transpose(0, 2, 3, 1, 4, 5).reshape(len(inputs), shape.size**2, shape.channels_in, 9)


def _pooled(maps: Reals) -> Reals:
    images, channels, rows, _ = maps.shape
    return maps.reshape(images, channels, rows // 2, 2, rows // 2, 2)


def _steps(network: Network, images: Reals, zeroed: Sequence[float]) -> Iterator[tuple[Reals, Reals, Reals]]:
    """Of each layer what it reads as ``patches`` in rows, what it gives before its maxima, and what goes on."""
    values = images
    last = len(SHAPES) - 1
    for i, shape in enumerate(SHAPES):
        values = np.where(np.abs(values) > zeroed[i], values, np.float32(0))
        rows = patches(shape, values if shape.size else values.reshape(len(values), -1))
        rows = rows.reshape(-1, shape.taps)
        given = rows @ network.weights[i].T + network.biases[i]
        given = given if i == last else np.maximum(given, 0)
        if shape.size:
            given = given.reshape(len(images), shape.size, shape.size, -1).transpose(0, 3, 1, 2)
        values = _pooled(given).max(axis=(3, 5)) if shape.pooled else given
        yield rows, given, values


def forward(network: Network, images: Reals, zeroed: Sequence[float] | None = None) -> tuple[list[Reals], Reals]:
    """(what each layer reads, thresholds applied, shape (images · positions, taps); scores, shape (images, 10)).

    Parameters
    ----------
    zeroed
        Of each layer, values that it reads and that are no further from 0 are 0; default: none.
    """
    steps = list(_steps(network, images, zeroed or [0.0] * len(SHAPES)))
    return [rows for rows, _, _ in steps], steps[-1][2]


def train(split: Split, seed: int = 0, epochs: int = EPOCHS) -> Network:
    """A network trained by Adam on the cross-entropy, in a few seconds of one core."""
    rng = np.random.default_rng(seed)
    weights = [rng.normal(0, np.sqrt(2 / own.taps), (own.channels_out, own.taps)).astype(np.float32) for own in SHAPES]
    values = [*weights, *(np.zeros(own.channels_out, dtype=np.float32) for own in SHAPES)]
    first, second = [np.zeros_like(own) for own in values], [np.zeros_like(own) for own in values]
    step, steps = 0, epochs * -(-len(split.labels) // _BATCH)
    for _ in range(epochs):
        order = rng.permutation(len(split.labels))
        for at in range(0, len(order), _BATCH):
            own = order[at : at + _BATCH]
            network = Network(tuple(values[: len(SHAPES)]), tuple(values[len(SHAPES) :]))
            step += 1
            rate = _RATE * (1 - step / (steps + 1))
            for i, slope in enumerate(_slopes(network, split.images[own], split.labels[own])):
                first[i] = 0.9 * first[i] + 0.1 * slope
                second[i] = 0.999 * second[i] + 0.001 * slope**2
                mean, spread = first[i] / (1 - 0.9**step), second[i] / (1 - 0.999**step)
                down = mean / (np.sqrt(spread) + 1e-8) + _DECAY * values[i]
                values[i] = (values[i] - rate * down).astype(np.float32)
    return Network(tuple(values[: len(SHAPES)]), tuple(values[len(SHAPES) :]))


def _slopes(network: Network, images: Reals, labels: Ints) -> list[Reals]:
    """Gradients of the mean cross-entropy by weights and then by biases."""
    steps = list(_steps(network, images, [0.0] * len(SHAPES)))
    scores = steps[-1][2]
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    back = shares / shares.sum(axis=1, keepdims=True)
    back[np.arange(len(labels)), labels] -= 1
    back /= len(labels)
    weights: list[Reals] = []
    biases: list[Reals] = []
    for i in reversed(range(len(SHAPES))):
        shape, (rows, given, values) = SHAPES[i], steps[i]
        if shape.pooled:  # to all that are as large as the maximum
            largest = _pooled(given) == values[:, :, :, None, :, None]
            back = (largest * back.reshape(values.shape)[:, :, :, None, :, None]).reshape(given.shape)
        back = back.reshape(given.shape)
        if i < len(SHAPES) - 1:
            back = back * (given > 0)
        if shape.size:
            back = back.transpose(0, 2, 3, 1).reshape(-1, shape.channels_out)
        weights.append(back.T @ rows)
        biases.append(back.sum(axis=0))
        back = _onto_inputs(shape, back @ network.weights[i], len(images)) if i else back
    return [*weights[::-1], *biases[::-1]]


def _onto_inputs(shape: Shape, back: Reals, images: int) -> Reals:
    """Gradients by ``patches`` in rows, added up at the values that they come from."""
    if not shape.size:
        return back
    by_tap = back.reshape(images, shape.size, shape.size, shape.channels_in, 3, 3)
    around = np.zeros((images, shape.channels_in, shape.size + 2, shape.size + 2), dtype=np.float32)
    for row in range(3):
        for column in range(3):
            moved = by_tap[..., row, column].transpose(0, 3, 1, 2)
            around[:, :, row : row + shape.size, column : column + shape.size] += moved
    return around[:, :, 1:-1, 1:-1]
