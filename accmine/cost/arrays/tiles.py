"""Tiles of a product in the SRAM of a core and in the shared SRAM: which there are, and how often they read what.

A core holds a tile Tm × Tn of the outputs of its share while operands pass through its SRAM, double buffered. Three
loop orders are weighed (e bytes per element, sums are fp32, slabs of Tk = R·⌈64/R⌉ elements of k):

==================  =================================  ==============  ==============
stays in the SRAM   must fit                           A is read       B is read
==================  =================================  ==============  ==============
outputs             2e·Tk(Tm + Tn) + 4·Tm·Tn           ⌈n/Tn⌉ times    ⌈m/Tm⌉ times
B panel k × Tn      e·k·Tn + 2(e·k·Tm + 4·Tm·Tn)       ⌈n/Tn⌉ times    once
A panel Tm × k      e·k·Tm + 2(e·k·Tn + 4·Tm·Tn)       once            ⌈m/Tm⌉ times
==================  =================================  ==============  ==============

Every order is tried with all powers of two of one side of the tile and the largest other side that fits (a multiple of
the array's side), and so are the largest blocks beside a whole operand. Partial sums never leave the core. Where not
even slabs of R elements fit, outputs are made one by one, without reuse. Each tile that fits one SRAM has one at least
as good in a larger one.

A shared SRAM holds a panel of A or B over the whole k, or outputs whose fp32 sums go to and fro between core and
shared SRAM once per slab of k; or it lets pass what the tiles of the cores ask for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from accmine.cost.arrays.timing import IntArray, ceil_div
from accmine.hardware import TensorCore

__all__ = [
    "LEAST_SRAM_BYTES",
    "SLAB_ELEMENTS",
    "SUM_BYTES",
    "FloatArray",
    "SharedTiles",
    "Shares",
    "Tiles",
    "joined",
    "least_extra_elements",
    "shared_tiles",
    "tiles_of",
    "whole_panels",
]

FloatArray = npt.NDArray[np.float64]

SLAB_ELEMENTS = 64
"""Least Tk: 64 bf16 elements are 128 bytes, two HBM bursts; our choice."""

SUM_BYTES = 4
"""Partial sums are fp32."""

LEAST_SRAM_BYTES = 20
"""One fp32 element of each operand, double buffered, and a sum: the least tile there is."""

_SHARED_BLOCK = 256
"""Rows or columns in a streamed block beside a panel in the shared SRAM; our choice."""

_SHARED_SLABS = (256, 1024, 4096)
"""Tk of outputs in the shared SRAM: the longer, the less often their sums go to and fro."""


@dataclass(frozen=True, eq=False)
class Shares:
    """What the busiest core of a split product does, and the whole product; arrays of shape (entries,).

    Attributes
    ----------
    m, k, n, products
        Sizes of the share, and products in it one after the other (each pass of an fp32 product counts).
    a, b, c
        Elements of the operands and the output of the whole product that HBM traffic is charged for.
    own_a, own_b, own_c
        Elements of them that the core itself reads and writes once; of the outputs of a cut k each core
        finishes its part.
    element_bytes
        Bytes of an element.
    summed, sum_pieces
        Partial outputs that the cores of a cut k add up, and among how many cores: a core adds
        ``summed / sum_pieces`` of them.
    fixed_bytes
        HBM bytes whatever the tiles: compulsory ones, partial sums, halos between cores.
    m_cores
        Cores among which m is cut.
    halo_m
        Elements of A that one more cut of m within an image reads again.
    images
        Images along m.
    product
        Index of the product, for what is known of it beside.
    """

    m: IntArray
    k: IntArray
    n: IntArray
    products: IntArray
    a: IntArray
    b: IntArray
    c: IntArray
    own_a: IntArray
    own_b: IntArray
    own_c: IntArray
    element_bytes: IntArray
    summed: IntArray
    sum_pieces: IntArray
    fixed_bytes: IntArray
    m_cores: IntArray
    halo_m: IntArray
    images: IntArray
    product: IntArray

    def take(self, keep: Any) -> Shares:
        """The entries ``keep``."""
        return Shares(*(getattr(self, name)[keep] for name in self.__dataclass_fields__))

    def __len__(self) -> int:
        return len(self.m)


@dataclass(frozen=True, eq=False)
class SharedTiles:
    """Ways to hold products in the shared SRAM; arrays of shape (products, ways).

    Attributes
    ----------
    extra_elements
        Elements read from HBM beyond the first pass.
    a_again, b_again
        Further passes over A and B that go with them: each is one further cut of what cores can keep. Outputs that
        stay are charged both in proportion to their sizes.
    spilled_elements
        fp32 sums written to and read from the shared SRAM again, both ways together.
    """

    extra_elements: IntArray
    a_again: FloatArray
    b_again: FloatArray
    spilled_elements: IntArray


@dataclass(frozen=True, eq=False)
class Tiles:
    """Tiles of entries; arrays of shape (entries, tiles) that hold integers as floats, which divide faster.

    Attributes
    ----------
    rows, cols
        Tm and Tn.
    a_passes, b_passes
        How often A and B are read.
    slabs
        Pieces of k after which sums leave the array of an ``os`` core for the SRAM; 1 for the other dataflows,
        whose sums leave after every fold anyway.
    fits
        Whether the tile fits the SRAM.
    """

    rows: FloatArray
    cols: FloatArray
    a_passes: FloatArray
    b_passes: FloatArray
    slabs: FloatArray
    fits: npt.NDArray[np.bool_]

    def take(self, keep: IntArray) -> Tiles:
        """The tiles of the entries ``keep``."""
        return Tiles(*(getattr(self, name)[keep] for name in self.__dataclass_fields__))

    def pick(self, at: IntArray) -> Tiles:
        """One tile of each entry; shapes (entries, 1)."""
        entries, column = np.arange(len(at))[:, None], at[:, None]
        return Tiles(*(getattr(self, name)[entries, column] for name in self.__dataclass_fields__))


def least_extra_elements(
    m: npt.ArrayLike,
    k: npt.ArrayLike,
    n: npt.ArrayLike,
    a_elements: npt.ArrayLike,
    b_elements: npt.ArrayLike,
    element_bytes: npt.ArrayLike,
    sram_bytes: npt.ArrayLike,
) -> IntArray:
    """Elements read beyond the first pass, at least, by any tile in an SRAM: a lower bound for all arrays.

    All arguments broadcast. Blocks beside a panel are one row, slabs ``SLAB_ELEMENTS``, and no side is rounded to an
    array's. It never grows with the SRAM.
    """
    arrays = (np.asarray(x, dtype=np.int64) for x in (m, k, n, a_elements, b_elements, element_bytes, sram_bytes))
    M, K, N, A, B, e, S = np.broadcast_arrays(*arrays)
    shape = M.shape
    M, K, N, A, B, e, S = (x.reshape(-1) for x in (M, K, N, A, B, e, S))
    worst = (N - 1) * A + (M - 1) * B
    panel = (S - 2 * e * K) // (e * K + 2 * SUM_BYTES)
    side = np.maximum(panel, 1)
    again = np.minimum((ceil_div(M, side) - 1) * B, (ceil_div(N, side) - 1) * A)
    best = np.where(panel >= 1, np.minimum(worst, again), worst)
    # Most often a panel is all there is to say; outputs are tried where it is not.
    rest = np.flatnonzero(best > 0)
    if len(rest):
        M, K, N, A, B, e, S = (x[rest] for x in (M, K, N, A, B, e, S))
        best[rest] = np.minimum(best[rest], _least_of_outputs(M, K, N, A, B, e, S))
    return np.asarray(best.reshape(shape), dtype=np.int64)


def _least_of_outputs(
    M: IntArray, K: IntArray, N: IntArray, A: IntArray, B: IntArray, e: IntArray, S: IntArray
) -> IntArray:
    """Elements read again where outputs stay in an SRAM of ``S`` bytes, at least; arrays of one shape (entries,)."""
    m, n, a, b, size = (x[:, None].astype(np.float64) for x in (M, N, A, B, S))
    slab = (2 * e * np.minimum(K, SLAB_ELEMENTS))[:, None].astype(np.float64)
    tm = np.minimum(m, _powers(int(M.max())))
    tn = np.floor((size - slab * tm) / (slab + SUM_BYTES * tm))
    a_again, b_again = np.ceil(n / np.maximum(tn, 1)) - 1, np.ceil(m / tm) - 1
    extra = np.where(tn >= 1, a_again * a + b_again * b, np.inf)
    at = extra.argmin(axis=1)[:, None]
    again = (np.take_along_axis(passes, at, axis=1)[:, 0].astype(np.int64) for passes in (a_again, b_again))
    a_times, b_times = again
    return np.where(np.isfinite(extra.min(axis=1)), a_times * A + b_times * B, (N - 1) * A + (M - 1) * B)


def shared_tiles(
    m: IntArray, k: IntArray, n: IntArray, batch: IntArray, a: IntArray, b: IntArray, e: IntArray, size_bytes: int
) -> SharedTiles:
    """How whole products fit a shared SRAM of ``size_bytes``; all arrays of shape (products,)."""
    none = np.zeros(len(m), dtype=np.int64)
    a_again, b_again, extras, spills = [], [], [], []
    for side, other, stays_a in ((m, n, True), (n, m, False)):
        stays = (size_bytes - 2 * e * k * np.minimum(other, _SHARED_BLOCK)) // (e * k)
        again = ceil_div(side, np.clip(stays, 1, side)) - 1  # one row at a time where not even that fits
        a_again.append(none.astype(np.float64) if stays_a else again.astype(np.float64))
        b_again.append(again.astype(np.float64) if stays_a else none.astype(np.float64))
        extras.append(again * (b if stays_a else a))
        spills.append(none)
    for length in _SHARED_SLABS:
        slab = 2 * e * np.minimum(k, length)
        best = (n - 1) * a + (m - 1) * b
        for rows in _powers(int(m.max()) if m.size else 0).astype(np.int64).tolist():
            tm = np.minimum(m, rows)
            tn = (size_bytes - slab * tm) // (slab + SUM_BYTES * tm)
            extra = (ceil_div(n, np.maximum(tn, 1)) - 1) * a + (ceil_div(m, tm) - 1) * b
            best = np.where(tn >= 1, np.minimum(best, extra), best)
        extras.append(best)
        a_again.append(best / (a + b))
        b_again.append(best / (a + b))
        spills.append(2 * batch * m * n * (ceil_div(k, length) - 1))
    return SharedTiles(*(np.stack(x, axis=1) for x in (extras, a_again, b_again, spills)))


def joined(several: Sequence[SharedTiles]) -> SharedTiles:
    """The ways of the same products in memories of several sizes, one block of rows for each."""
    return SharedTiles(*(np.concatenate([getattr(s, f) for s in several]) for f in SharedTiles.__dataclass_fields__))


def _powers(largest: int) -> FloatArray:
    """Powers of two up to the first that is at least ``largest``."""
    return np.asarray(2.0 ** np.arange(max(0, largest - 1).bit_length() + 1))


def whole_panels(shares: Shares, core: TensorCore, dataflow: str) -> Tiles:
    """The two tiles that keep a whole operand, with the most of the other that fits."""
    m, k, n, e = (x.astype(np.float64) for x in (shares.m, shares.k, shares.n, shares.element_bytes))
    S = float(core.sram_bytes)
    row_side, col_side = _sides(core, dataflow)
    tm = np.floor((S - e * k * n) / (2 * e * k + 2 * SUM_BYTES * n))
    tn = np.floor((S - e * k * m) / (2 * e * k + 2 * SUM_BYTES * m))
    rows = np.stack([_whole(np.clip(tm, 1, m), m, row_side), m], axis=1)
    cols = np.stack([n, _whole(np.clip(tn, 1, n), n, col_side)], axis=1)
    once = np.ones_like(rows)
    return Tiles(rows, cols, once, once, once, np.stack([tm >= 1, tn >= 1], axis=1))


def _sides(core: TensorCore, dataflow: str) -> tuple[int, int]:
    """The array's sides along m and n: whole tiles are multiples of them; 1 for what streams."""
    return {"ws": (1, core.cols), "is": (core.cols, 1), "os": (core.rows, core.cols)}[dataflow]


def tiles_of(shares: Shares, core: TensorCore, dataflow: str) -> Tiles:
    """All tiles of the three orders, and single outputs for where nothing fits.

    Sums of outputs that stay pass through the array of an ``os`` core once per slab, unless they are those of one
    fold: for it, tiles of outputs are offered as they are and cut down to one fold.
    """
    m, k, n, e = (x[:, None].astype(np.float64) for x in (shares.m, shares.k, shares.n, shares.element_bytes))
    S = float(core.sram_bytes)
    rows, cols = (np.minimum(x, _powers(int(x.max()))) for x in (m, n))
    length = float(core.rows * ceil_div(SLAB_ELEMENTS, core.rows))
    slab = 2 * e * np.minimum(k, length)
    panel, block = e * k, 2 * e * k
    # Columns: outputs stay, a panel of B stays, a panel of A stays, outputs of one fold (os only), single outputs.
    first, last = rows.shape[1], cols.shape[1]
    of_b, of_a = slice(first, 2 * first), slice(2 * first, 2 * first + last)
    of_fold = slice(2 * first + last, 2 * first + last + (first if dataflow == "os" else 0))
    tm, tn = np.ones((2, len(shares), of_fold.stop + 1))
    tm[:, :first], tn[:, :first] = rows, np.floor((S - slab * rows) / (slab + SUM_BYTES * rows))
    tm[:, of_b], tn[:, of_b] = rows, np.floor((S - block * rows) / (panel + 2 * SUM_BYTES * rows))
    tm[:, of_a], tn[:, of_a] = np.floor((S - block * cols) / (panel + 2 * SUM_BYTES * cols)), cols
    if dataflow == "os":
        tm[:, of_fold], tn[:, of_fold] = np.minimum(tm[:, :first], core.rows), np.minimum(tn[:, :first], core.cols)
    fits = (tm >= 1) & (tn >= 1)
    for tile, size, side in zip((tm, tn), (m, n), _sides(core, dataflow), strict=True):
        np.minimum(np.maximum(tile, 1, out=tile), size, out=tile)
        tile[:] = _whole(tile, size, side)
    a_passes, b_passes, slabs = np.ceil(n / tn), np.ceil(m / tm), np.ones_like(tm)
    b_passes[:, of_b] = 1.0
    a_passes[:, of_a] = 1.0
    if dataflow == "os":
        one_fold = (tm[:, :first] <= core.rows) & (tn[:, :first] <= core.cols)
        slabs[:, :first] = np.where(one_fold, 1.0, np.ceil(k / length))
    return Tiles(tm, tn, a_passes, b_passes, slabs, fits)


def _whole(tile: FloatArray, size: FloatArray, side: int) -> FloatArray:
    """A side of tiles as a multiple of the array's side where it is longer than that and not the whole."""
    if side == 1:
        return tile
    return np.where((tile < size) & (tile >= side), np.floor(tile / side) * side, tile)
