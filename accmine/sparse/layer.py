"""Layers of a network as a dataflow accelerator sees them: shapes, and at each sparsity level what is zero.

A *window* is what one dot-product engine works on at a time: the products of one position of the kernel on one input
channel, or, for pointwise layers, on ``cluster`` input channels side by side. Pair sparsity: a product is zero where
its weight or its activation is (Yu et al. 2024, HASS, arXiv 2406.03088).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import comb, prod

from accmine.errors import Complaint, InputError

__all__ = [
    "MOST_POINTS",
    "ONE_OF_BOTH",
    "PARTS",
    "POINT",
    "Layer",
    "Level",
    "averaged",
    "binomial",
    "histogram_of",
    "in_parts",
]

PARTS = 1_000_000
"""Histograms are whole numbers of windows out of so many: cycles are then exact in 64-bit integers."""

POINT = 1_000_000
"""Losses are whole numbers of this part of a point (of a percentage point of accuracy, where a loss is one)."""

MOST_POINTS = 10**9
"""Of a level: sums over thousands of layers fit 64 bits."""

ONE_OF_BOTH = "either density or histogram is needed", "density and histogram are given; one of them is needed"
"""What is said of a level with neither, and with both."""

ROUNDED = Fraction(1, 10**6)
"""By which the shares of a histogram may miss 1: decimals of a file are rounded."""

Histogram = tuple[int, ...]
"""Windows out of ``PARTS`` with 0, 1, … ``window`` zero products; shape (window + 1,)."""


@dataclass(frozen=True, slots=True)
class Level:
    """One choice of thresholds for a layer.

    Attributes
    ----------
    name
        Unique in its layer.
    histograms
        One for all input channels, or one for each of the ``channels_in / cluster`` groups of them, in order.
    loss
        What the level costs, in parts of ``POINT``; additive over layers by assumption.
    source
        Where histograms and loss come from, as every output says it: a word of ``accmine.sparse.levels``.
    """

    name: str
    histograms: tuple[Histogram, ...]
    loss: int = 0
    source: str = ""

    @property
    def density(self) -> Fraction:
        """Share of products that are not zero, over window slots (k² and not k² + 1 of them)."""
        window = len(self.histograms[0]) - 1
        zeros = sum(z * count for own in self.histograms for z, count in enumerate(own))
        return 1 - Fraction(zeros, PARTS * window * len(self.histograms))


@dataclass(frozen=True)
class Layer:
    """A convolution or a matrix product.

    Attributes
    ----------
    channels_in, channels_out, groups
        Of all groups; a depthwise convolution has as many groups as channels.
    kernel, size_in, size_out
        (rows, columns) of the kernel, and of the maps that it reads and writes; (1, 1) for a matrix product.
    cluster
        Input channels whose products make one window; divides ``channels_in / groups``.
    levels
        At least one.
    stride, padding, zeros
        (rows, columns) between windows; (top, bottom, left, right) zeros around a map; share of the words that it
        reads that are zero before anything is pruned. No part of the problem: sources of levels read them.

    Raises
    ------
    InputError
        For sizes below 1, more products than 64 bits hold, groups or a cluster that do not divide, no level, a level
        with a histogram of another length or sum, or two levels of one name.
    """

    name: str
    channels_in: int
    channels_out: int
    kernel: tuple[int, int] = (1, 1)
    size_in: tuple[int, int] = (1, 1)
    size_out: tuple[int, int] = (1, 1)
    groups: int = 1
    cluster: int = 1
    levels: tuple[Level, ...] = field(default=())
    stride: tuple[int, int] = field(default=(1, 1), compare=False)
    padding: tuple[int, int, int, int] = field(default=(0, 0, 0, 0), compare=False)
    zeros: Fraction = field(default=Fraction(0), compare=False)

    def __post_init__(self) -> None:
        if wrong := [*self._sizes(), *self._levels()]:
            raise InputError([Complaint("", key, f"{message} ({self.name})") for key, message in wrong])

    def _sizes(self) -> list[tuple[str, str]]:
        sizes = {"channels_in": self.channels_in, "channels_out": self.channels_out, "groups": self.groups}
        sizes |= {"cluster": self.cluster, "kernel": min(self.kernel)}
        sizes |= {"size_in": min(self.size_in), "size_out": min(self.size_out)}
        wrong = [(key, f"{value} is not allowed; at least 1") for key, value in sizes.items() if value < 1]
        if wrong:
            return wrong
        for key in ("channels_in", "channels_out"):
            if getattr(self, key) % self.groups:
                wrong.append(("groups", f"{self.groups} does not divide {key}: {getattr(self, key)}"))
        if not wrong and (self.channels_in // self.groups) % self.cluster:
            wrong.append(("cluster", f"{self.cluster} does not divide {self.channels_in // self.groups} channels"))
        if not wrong and self.macs * PARTS >= 1 << 62:
            wrong.append(("size_out", f"{self.macs} multiply-accumulates are too many for exact cycles"))
        return wrong

    def _levels(self) -> list[tuple[str, str]]:
        wrong = [] if self.levels else [("levels", "no level; at least one is needed")]
        names = [level.name for level in self.levels]
        for i, level in enumerate(self.levels):
            at = f"levels[{i}]"
            if level.name in names[:i]:
                wrong.append((f"{at}.name", f"{level.name!r} is there twice"))
            if not 0 <= level.loss <= MOST_POINTS * POINT:
                wrong.append((f"{at}.loss", f"{level.loss / POINT:g} is not allowed; 0 to {MOST_POINTS:,}"))
            if len(level.histograms) not in (1, max(1, self.channels_in // max(1, self.cluster))):
                wrong.append((f"{at}.histograms", f"{len(level.histograms)} histograms; allowed: 1 or one per channel"))
            for own in level.histograms:
                if len(own) != self.window + 1:
                    wrong.append((f"{at}.histograms", f"{len(own)} numbers; {self.window + 1} are needed (0 … window)"))
                elif min(own) < 0 or sum(own) != PARTS:
                    wrong.append(
                        (f"{at}.histograms", f"sums to {sum(own) / PARTS}; shares of at least 0 that sum to 1")
                    )
        return wrong

    @property
    def window(self) -> int:
        """Products of a window."""
        return prod(self.kernel) * self.cluster

    @property
    def windows(self) -> int:
        """Windows of an image, those of all engines together."""
        return prod(self.size_out) * self.channels_in * self.channels_out // (self.groups * self.cluster)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of an image, zeros included."""
        return self.windows * self.window

    @property
    def parameters(self) -> int:
        """Weights, without biases."""
        return prod(self.kernel) * self.channels_in * self.channels_out // self.groups

    @property
    def words(self) -> tuple[int, int]:
        """Words of an image that it reads and writes."""
        return prod(self.size_in) * self.channels_in, prod(self.size_out) * self.channels_out


def in_parts(weights: Sequence[Fraction | int]) -> Histogram:
    """Weights of at least 0, not all 0, as whole numbers that sum to ``PARTS``: their running sums, rounded up.

    Rounding up moves windows to fewer zero products: no folding gets faster by it, and of two histograms of which one
    never has fewer zeros, this one is still so when rounded. Each running sum is off by less than one part.
    """
    total, before = sum(weights), 0
    reached: Fraction | int = 0
    parts = []
    for weight in weights:
        reached += weight
        below = -int(-reached * PARTS // total)
        parts.append(below - before)
        before = below
    return tuple(parts)


def averaged(histograms: Sequence[Histogram]) -> Histogram:
    """Mean of histograms, rounded as in ``in_parts``."""
    return in_parts([sum(column) for column in zip(*histograms, strict=True)])


def histogram_of(shares: Sequence[Fraction], window: int, counts: bool = False) -> Histogram:
    """A histogram of a user.

    Parameters
    ----------
    shares
        Of windows with 0, 1, … ``window`` zero products.
    counts
        They may be numbers of windows instead of shares.

    Raises
    ------
    InputError
        If there are too few or too many of them, or they do not sum to 1.
    """
    total = sum(shares, Fraction(0))
    if len(shares) != window + 1:
        raise InputError(f"{len(shares)} numbers; {window + 1} are needed, for 0 to {window} zero products")
    if not (counts and total > 1) and abs(total - 1) > ROUNDED:
        raise InputError(f"sums to {float(total):.6g}; shares that sum to 1, or counts, are needed")
    return in_parts(shares)


def binomial(window: int, density: Fraction) -> Histogram:
    """Zero products of a window where each product is non-zero by itself with probability ``density``.

    Independence is an assumption: it is right for neither weights nor activations of a real network.
    """
    ones, zeros = density.numerator, density.denominator - density.numerator
    return in_parts([comb(window, z) * zeros**z * ones ** (window - z) for z in range(window + 1)])
