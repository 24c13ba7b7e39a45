"""Mappings of products: the loops of every level with their tiles, by default those that a description asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from accmine.cost.arrays.grid_search import GridSearch
from accmine.cost.arrays.kernel import tile_slab
from accmine.cost.arrays.products import LEAST_SRAM_BYTES, products_of
from accmine.cost.arrays.split import grids_of
from accmine.cost.arrays.timing import ceil_div, resolve_timing
from accmine.cost.memory import NOMINAL
from accmine.errors import InputError
from accmine.hardware import TensorCore
from accmine.kernel.architecture import Architecture
from accmine.kernel.described.expression import evaluate
from accmine.kernel.described.product import DIMENSIONS, SIZES, ProductRule
from accmine.workload import BYTES
from accmine.workload.graph import Gemm, Work

__all__ = ["Level", "Product", "ProductMapping", "default_mapping", "rule_of", "searched_loops"]


@dataclass(frozen=True)
class Product:
    """``batch`` products C[m,n] = A[m,k] · B[k,n] of elements of ``element_bytes`` bytes."""

    m: int
    n: int
    k: int
    batch: int = 1
    element_bytes: int = 1

    def __post_init__(self) -> None:
        if min(self.m, self.n, self.k, self.batch, self.element_bytes) < 1:
            raise InputError(f"sizes of a product must be positive, got {self}")

    @property
    def sizes(self) -> dict[str, int]:
        """Size of every dimension."""
        return dict(zip(DIMENSIONS, (self.batch, self.m, self.k, self.n), strict=True))


@dataclass(frozen=True)
class Level:
    """Loops over dimensions in tiles, outermost first: ``(("n", 16), ("k", 16))``."""

    name: str
    loops: tuple[tuple[str, int], ...]

    def __post_init__(self) -> None:
        for dimension, tile in self.loops:
            if dimension not in DIMENSIONS:
                raise InputError(
                    f"level {self.name}: unknown dimension {dimension!r}; allowed: {', '.join(DIMENSIONS)}"
                )
            if tile < 1:
                raise InputError(f"level {self.name}: the tile of {dimension} must be at least 1, got {tile}")


@dataclass(frozen=True)
class ProductMapping:
    """Levels by the names of the description, outermost first; the last one is spread over the array."""

    levels: tuple[Level, ...]


def rule_of(architecture: Architecture) -> ProductRule:
    """How products run on an architecture.

    Raises
    ------
    InputError
        If its description does not say it, or has a parameter with the name of a size.
    """
    if architecture.product is None:
        raise InputError(f"{architecture.name} does not say how a product runs on it: its file has no key `product`")
    taken = sorted(set(SIZES) & set(architecture.parameters))
    if taken:
        message = (
            f"parameters of {architecture.name} must not be called {', '.join(taken)}: these are sizes of a product"
        )
        raise InputError(message)
    return architecture.product


def default_mapping(architecture: Architecture, product: Product) -> ProductMapping:
    """The mapping that a description asks for, with the tile search of the cost model where it says ``search``.

    Raises
    ------
    InputError
        Where an expression has no value, or a tile is not positive.
    """
    rule, parameters = rule_of(architecture), architecture.parameters
    levels = []
    for name, loops in rule.levels.items():
        if loops == "search":
            levels.append(Level(name, _searched(rule, parameters, product)))
        else:
            tiles = {dimension: evaluate(tile, parameters) for dimension, tile in loops.items()}
            levels.append(Level(name, tuple(tiles.items())))
    return ProductMapping(tuple(levels))


def _searched(rule: ProductRule, parameters: Mapping[str, int], product: Product) -> tuple[tuple[str, int], ...]:
    search = rule.search
    assert search is not None  # the rule was checked when it was made
    rows, cols, sram = (evaluate(value, parameters) for value in (search.rows, search.cols, search.sram_bytes))
    if sram == 0:
        return ()
    if min(rows, cols) < 1 or sram < LEAST_SRAM_BYTES:
        message = f"the tile search needs rows and cols of at least 1 and {LEAST_SRAM_BYTES} bytes"
        raise InputError(f"{message}, got {rows}, {cols} and {sram}")
    return searched_loops(product, TensorCore(rows, cols, sram, search.dataflow), search.timing)


@lru_cache(maxsize=4096)
def searched_loops(product: Product, core: TensorCore, timing: str) -> tuple[tuple[str, int], ...]:
    """Loops over tiles in the SRAM of a core, as the tile search of the cost model chooses them.

    What is read once stays: its panels are the outer loop, and what passes is the inner one. Where outputs stay, k is
    cut into slabs within.

    Raises
    ------
    InputError
        If the timing is unknown, or no dtype has elements of so many bytes.
    """
    p, size = product, product.element_bytes
    dtype = {2: "bf16", 4: "fp32", 1: "int8"}.get(size)
    if dtype is None:
        raise InputError(f"the tile search knows elements of 1, 2 and 4 bytes, got {size}")
    assert BYTES[dtype] == size
    a, b, c = p.batch * p.m * p.k, p.batch * p.k * p.n, p.batch * p.m * p.n
    one = replace(resolve_timing(timing), last_index=False, fp32_passes=1)
    table = products_of([Work(Gemm(p.m, p.k, p.n, p.batch, a, b, c), (), 0, 0, dtype)], one)
    compulsory = (a + b + c) * size
    search = GridSearch(table, grids_of((1,)), np.array([compulsory]), one, NOMINAL)
    found = search.best(core)
    tm, tn = (int(side[0, 0]) for side in (found.tile_m, found.tile_n))
    again = (int(found.hbm_bytes[0, 0]) - compulsory) // size
    by_m, by_n = ("m", tm), ("n", tn)
    if tm < p.m and again == (ceil_div(p.n, tn) - 1) * a:
        return by_n, by_m
    if again == (ceil_div(p.m, tm) - 1) * b:
        return by_m, by_n
    # Of outputs wider than an ``os`` array sums leave it between slabs; one fold keeps them over all of k.
    slab = tile_slab(core.rows) if core.dataflow != "os" or tm > core.rows or tn > core.cols else p.k
    return by_m, by_n, ("k", min(p.k, slab))
