"""Sparsity levels of layers: from a table, from weights and sample activations, or made up."""

from accmine.sparse.levels.sources import (
    ALL_ENERGY_POINTS,
    ARRAYS,
    ARRAYS_PROXY,
    SOURCES,
    SYNTHETIC,
    TABLE,
    meaning,
    proxy_losses,
    sources_of,
)
from accmine.sparse.levels.synthetic import MOST_PRUNED, WEIGHTS, synthetic_levels

__all__ = [
    "ALL_ENERGY_POINTS",
    "ARRAYS",
    "ARRAYS_PROXY",
    "MOST_PRUNED",
    "SOURCES",
    "SYNTHETIC",
    "TABLE",
    "WEIGHTS",
    "meaning",
    "proxy_losses",
    "sources_of",
    "synthetic_levels",
]
