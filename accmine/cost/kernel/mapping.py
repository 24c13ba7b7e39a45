"""Mappings of products: the loops of every level with their tiles, by default those that a description asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from math import prod

import numpy as np

from accmine.cost.arrays.grid_search import GridSearch
from accmine.cost.arrays.kernel import tile_slab
from accmine.cost.arrays.products import LEAST_SRAM_BYTES, products_of
from accmine.cost.arrays.split import grids_of
from accmine.cost.arrays.timing import PRESETS, ceil_div, resolve_timing
from accmine.cost.memory import NOMINAL
from accmine.errors import InputError
from accmine.hardware import TensorCore
from accmine.kernel.architecture import Architecture
from accmine.kernel.described.expression import Complaints
from accmine.kernel.described.product import DIMENSIONS, PARTS, ProductRule
from accmine.workload import BYTES
from accmine.workload.forward.convolution import Convolution
from accmine.workload.graph import Gemm, Work

__all__ = [
    "Level",
    "Product",
    "ProductMapping",
    "Window",
    "convolution_product",
    "default_mapping",
    "rule_of",
    "searched_loops",
]


@dataclass(frozen=True)
class Window:
    """The convolution whose im2col product a product is; the plain one is one image of one row, with one tap.

    Attributes
    ----------
    images
        Of a batch.
    rows
        Of outputs of an image.
    taps, stride, dilation
        Down and across.
    """

    images: int = 1
    rows: int = 1
    taps: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)


@dataclass(frozen=True)
class Product:
    """``batch`` products C[m,n] = A[m,k] · B[k,n] of elements of ``element_bytes`` bytes.

    Of a convolution the batch are its groups, m = images · rows · columns of outputs, k = channels · taps.
    """

    m: int
    n: int
    k: int
    batch: int = 1
    element_bytes: int = 1
    window: Window = Window()

    def __post_init__(self) -> None:
        w = self.window
        counts = (w.images, w.rows, *w.taps, *w.stride, *w.dilation)
        if min(self.m, self.n, self.k, self.batch, self.element_bytes, *counts) < 1:
            raise InputError(f"sizes of a product must be positive, got {self}")
        if self.m % (w.images * w.rows) or self.k % (w.taps[0] * w.taps[1]):
            raise InputError(f"m must be images · rows · columns and k channels · taps, got {self}")

    @property
    def sizes(self) -> dict[str, int]:
        """Size of every dimension, those of a convolution too."""
        w = self.window
        own = {"b": self.batch, "m": self.m, "k": self.k, "n": self.n, "i": w.images, "p": w.rows}
        own |= {"q": self.m // (w.images * w.rows), "c": self.k // (w.taps[0] * w.taps[1])}
        return own | {"r": w.taps[0], "s": w.taps[1]}


def convolution_product(convolution: Convolution, element_bytes: int = 1) -> Product:
    """The im2col product of a convolution, which knows what it comes from."""
    h, w, own = convolution.height, convolution.width, convolution.product()
    window = Window(convolution.images, h.outputs, (h.kernel, w.kernel), (h.stride, w.stride), (h.dilation, w.dilation))
    return Product(own.m, own.n, own.k, own.batch, element_bytes, window)


@dataclass(frozen=True)
class Level:
    """Loops over dimensions in tiles, outermost first: ``(("n", 16), ("k", 16))``; those of ``DIMENSIONS``."""

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
    taken = sorted(set(architecture.product.names) & set(architecture.parameters))
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
        Where an expression has no value, or a tile is not positive; with its place in the description.
    """
    rule, found = rule_of(architecture), Complaints(architecture.document)
    levels = []
    for name, loops in rule.levels.items():
        if loops == "search":
            tiles = _searched(rule, found, architecture.parameters, product)
        else:
            place = ("product", "levels", name)
            tiles = tuple((d, found.number(t, architecture.parameters, (*place, d), 1)) for d, t in loops.items())
        found.raise_any()
        levels.append(Level(name, tiles))
    return ProductMapping(tuple(levels))


def _searched(
    rule: ProductRule, found: Complaints, parameters: Mapping[str, int], product: Product
) -> tuple[tuple[str, int], ...]:
    search, place = rule.search, ("product", "search")
    assert search is not None  # the rule was checked when it was made
    rows, cols = (found.number(getattr(search, key), parameters, (*place, key), 1) for key in ("rows", "cols"))
    sram = found.number(search.sram_bytes, parameters, (*place, "sram_bytes"))
    if 0 < sram < LEAST_SRAM_BYTES:
        found.add(
            (*place, "sram_bytes"), f"the tile search needs {LEAST_SRAM_BYTES} bytes, or 0 for no limit; is {sram}"
        )
    if search.timing not in PRESETS:
        found.unknown((*place, "timing"), f"unknown timing {search.timing!r}", search.timing, PRESETS)
    found.raise_any()
    if sram == 0:
        return ()
    plain = replace(product, window=Window())  # tiles of one product are searched once, whatever it comes from
    loops = searched_loops(plain, TensorCore(rows, cols, sram, search.dataflow), search.timing)
    return tuple(loop for each in loops for loop in _in_parts(*each, rule, product.sizes))


def _in_parts(dimension: str, tile: int, rule: ProductRule, sizes: Mapping[str, int]) -> tuple[tuple[str, int], ...]:
    """A loop over m or k as loops over its parts where the rule knows these: whole rows, then whole images, within."""
    parts = PARTS.get(dimension, ())
    if not rule.looped & set(parts):
        return ((dimension, tile),)
    inner = [prod(sizes[part] for part in parts[at + 1 :]) for at in range(len(parts))]
    cut = next(at for at in range(len(parts)) if tile >= inner[at])
    return (*((part, 1) for part in parts[:cut]), (parts[cut], tile // inner[cut]))


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
