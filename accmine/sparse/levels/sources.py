"""Where levels come from, in words that every output shows, and the loss that is assumed where none is measured."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from accmine.sparse.layer import POINT, Layer

__all__ = [
    "ALL_ENERGY_POINTS",
    "ARRAYS",
    "ARRAYS_PROXY",
    "SOURCES",
    "SYNTHETIC",
    "TABLE",
    "meaning",
    "proxy_losses",
    "sources_of",
]

TABLE = "table"
ARRAYS = "arrays"
ARRAYS_PROXY = "arrays, loss by proxy"
SYNTHETIC = "synthetic"

SOURCES = {
    TABLE: "densities or histograms, and losses, of a table of the user",
    ARRAYS: "histograms counted in weights and sample activations of the user; losses of the user",
    ARRAYS_PROXY: (
        "histograms counted in weights and sample activations of the user; losses are made up, a share of removed "
        "energy: they support no claim about accuracy"
    ),
    SYNTHETIC: (
        "densities and losses are made up, of assumed distributions: "
        "they support no claim about the accuracy or the rate of a real network"
    ),
}
"""What each source is."""

ALL_ENERGY_POINTS = 100
"""Points that a network is said to lose with all of its energy. Made up: no network was asked."""


def sources_of(layers: Iterable[Layer]) -> tuple[str, ...]:
    """The distinct sources of all levels of layers, in order of appearance; empty for levels that do not say any."""
    found = dict.fromkeys(level.source for layer in layers for level in layer.levels)
    return tuple(source for source in found if source)


def meaning(source: str) -> str:
    """What a source is, in a sentence; the word itself for one that is not among ``SOURCES``."""
    return SOURCES.get(source, source)


def proxy_losses(layers: Sequence[Layer], removed: Sequence[Sequence[float]]) -> list[list[int]]:
    """Losses of levels, in parts of ``POINT``, by the energy that they remove.

    A layer has the share of the network's energy that its output channels have of all: weights of variance
    2 / fan-in (He et al. 2015, arXiv 1502.01852) have 2 · channels_out together, whatever the layer's size.

    Parameters
    ----------
    removed
        Of each layer, at each level, the share of the energy of its products that is removed: 0 to 1.

    Notes
    -----
    ``ALL_ENERGY_POINTS`` scales it to points and is made up: losses order levels of a layer, no more.
    """
    total = sum(layer.channels_out for layer in layers)
    each = [ALL_ENERGY_POINTS * POINT * layer.channels_out / total for layer in layers]
    return [[round(points * share) for share in shares] for points, shares in zip(each, removed, strict=True)]
