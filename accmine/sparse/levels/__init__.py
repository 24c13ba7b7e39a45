"""Sparsity levels of layers: from a table, from weights and sample activations, or made up."""

from accmine.sparse.levels.arrays import levels_of_arrays
from accmine.sparse.levels.counted import (
    Thresholds,
    counted_levels,
    default_thresholds,
    kept_inputs,
    kept_weights,
    zero_products,
)
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
from accmine.sparse.levels.table import levels_of_table

__all__ = [
    "ALL_ENERGY_POINTS",
    "ARRAYS",
    "ARRAYS_PROXY",
    "MOST_PRUNED",
    "SOURCES",
    "SYNTHETIC",
    "TABLE",
    "WEIGHTS",
    "Thresholds",
    "counted_levels",
    "default_thresholds",
    "kept_inputs",
    "kept_weights",
    "levels_of_arrays",
    "levels_of_table",
    "meaning",
    "proxy_losses",
    "sources_of",
    "synthetic_levels",
    "zero_products",
]
