"""The search for the best grid and tile of every product on a core type.

Grids are visited in the order of a lower bound of their time; the tiles of one are all weighed
(``accmine.cost.arrays.tiling``). A product is settled when no grid that is left can be better.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import compress, pairwise
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from accmine.cost.arrays.precision import pace
from accmine.cost.arrays.split import GridSet
from accmine.cost.arrays.tiles import SUM_BYTES, SharedTiles, Shares, joined, least_extra_elements, shared_tiles
from accmine.cost.arrays.tiling import best_tiles, score_of
from accmine.cost.arrays.timing import IntArray, Timing, array_cycles, ceil_div
from accmine.cost.energy import EnergyConstants, FloatArray, gemm_sram_bytes, mac_pj, sram_pj_per_byte
from accmine.cost.memory import MemorySystem
from accmine.cost.operator_costs import BoolArray
from accmine.errors import InputError
from accmine.hardware import DATAFLOWS, FLEXIBLE, Rates, TensorCore
from accmine.workload import BYTES
from accmine.workload.graph import Gemm, Work

__all__ = ["Found", "GridSearch", "Products", "product_pj", "products_of"]

K = TypeVar("K")
V = TypeVar("V")

_ROUNDS = 2
"""Grids of least bound tried one by one; then all that are left at once, which are few and often none."""


@dataclass(frozen=True, eq=False)
class Products:
    """The products of works as arrays of shape (products,)."""

    dtypes: tuple[str, ...]
    work: IntArray
    m: IntArray
    k: IntArray
    n: IntArray
    batch: IntArray
    a: IntArray
    b: IntArray
    c: IntArray
    element_bytes: IntArray
    passes: IntArray
    macs: IntArray
    halo: IntArray
    halo_of_k: IntArray
    images: IntArray

    def take(self, keep: Any) -> Products:
        """The products ``keep``, a mask."""
        arrays = [getattr(self, name)[keep] for name in self.__dataclass_fields__ if name != "dtypes"]
        return Products(tuple(compress(self.dtypes, keep)), *arrays)


def products_of(works: Sequence[Work], timing: Timing, rates: Rates = ()) -> Products:
    """The products among ``works``, in order, with their passes on arrays that state these rates.

    Raises
    ------
    InputError
        If a size is not positive, or arrays do not multiply a dtype.
    """
    rows: list[tuple[int, ...]] = []
    dtypes: list[str] = []
    for i, work in enumerate(works):
        g = work.gemm
        if g is None:
            continue
        if min(g.m, g.k, g.n, g.batch, g.a_elements, g.b_elements, g.c_elements) < 1:
            raise InputError(f"sizes of a product must be positive, got {g}")
        if _largest(g) > np.iinfo(np.int64).max:
            raise InputError(f"a product of {g.batch} × {g.m} × {g.k} × {g.n} is too large for 64-bit counts")
        passes, _ = pace(work.dtype, rates, timing)
        operands = (g.a_elements, g.b_elements, g.c_elements)
        halos = (g.halo_elements, int(g.halo_axis == "k"), g.images)
        rows.append((i, g.m, g.k, g.n, g.batch, *operands, BYTES[work.dtype], passes, g.macs, *halos))
        dtypes.append(work.dtype)
    return Products(tuple(dtypes), *np.array(rows, dtype=np.int64).reshape(-1, 14).T)


def _largest(gemm: Gemm) -> float:
    """More than any count of a product can become: no reuse at all, on a single multiplier."""
    operands = float(gemm.n) * gemm.a_elements + float(gemm.m) * gemm.b_elements
    return 64.0 * (operands + gemm.c_elements + 3.0 * gemm.macs)


def _memo(function: Callable[[K], V]) -> Callable[[K], V]:
    """Core types share dimensions and SRAM sizes: compute each once."""
    known: dict[K, V] = {}

    def look_up(key: K) -> V:
        if key not in known:
            known[key] = function(key)
        return known[key]

    return look_up


@dataclass(frozen=True, eq=False)
class Found:
    """Best grid and tile of each product and split; arrays of shape (products, splits).

    ``extra_bytes`` are those beyond the compulsory ones; ``port_bytes`` those of the busiest core.
    """

    usable: BoolArray
    grid: IntArray
    cycles: IntArray
    extra_bytes: IntArray
    port_bytes: IntArray
    dataflow: npt.NDArray[np.int8]


class GridSearch:
    """Grids of products, visited in the order of a lower bound; what core types share is computed once."""

    def __init__(
        self,
        products: Products,
        grids: GridSet,
        compulsory: IntArray,
        timing: Timing,
        memory: MemorySystem,
    ) -> None:
        self.products, self.grids, self.timing, self.memory = products, grids, timing, memory
        sizes = (products.batch, products.m, products.k, products.n)
        self.shares, self.valid = grids.shares(*sizes), grids.valid(*sizes)
        cuts = grids.factors
        # A cut between two images shares nothing: only pieces / gcd(pieces, images) of them fall inside one.
        images, of_k = products.images[:, None], products.halo_of_k[:, None] > 0
        axis_cuts = np.where(of_k, cuts[:, 2], cuts[:, 1])
        self.halo = products.halo[:, None] * (axis_cuts - np.gcd(axis_cuts, images))
        sums = 2 * SUM_BYTES * (cuts[:, 2] - 1) * products.c[:, None]
        self.fixed = sums + self.halo * products.element_bytes[:, None]
        self.compulsory = compulsory[products.work]
        self.shared: SharedTiles | None = None
        if memory.shared_sram_bytes:
            whole = (products.m, products.k, products.n, products.batch, products.a, products.b)
            # Products of a batch that run side by side have the memory among them: one block of rows per batch cut.
            batch_cuts, self.held = np.unique(cuts[:, 0], return_inverse=True)
            sizes_of = [memory.tiles_bytes // cut for cut in batch_cuts.tolist()]
            self.shared = joined([shared_tiles(*whole, products.element_bytes, size) for size in sizes_of])
            a, b, c = self._own(products.a[:, None], products.b[:, None], products.c[:, None], cuts)
            outputs = self.shares[0] * self.shares[1] * self.shares[3]
            sent = 2 * SUM_BYTES * ceil_div(outputs * (cuts[:, 2] - 1), cuts[:, 2])
            self.least_port = np.asarray((a + b + c) * products.element_bytes[:, None] + sent, dtype=np.int64)
        self._cycles: Callable[[TensorCore], IntArray] = _memo(self._least_cycles)
        self._extra: Callable[[int], IntArray] = _memo(self._least_extra)

    def best(self, core: TensorCore) -> Found:
        """The best grid and tile of every product and split on a core type."""
        bound = self._bound(core)
        starts = self.grids.starts
        shape = (len(self.products.m), len(starts) - 1)
        score = np.full(shape, np.inf)
        found = Found(
            usable=np.zeros(shape, dtype=np.bool_),
            grid=np.full(shape, -1, dtype=np.int64),
            cycles=np.zeros(shape, dtype=np.int64),
            extra_bytes=np.zeros(shape, dtype=np.int64),
            port_bytes=np.zeros(shape, dtype=np.int64),
            dataflow=np.full(shape, -1, dtype=np.int8),
        )
        if not shape[0]:
            return found
        split_of = np.repeat(np.arange(shape[1]), np.diff(starts))
        for _ in range(_ROUNDS):
            first = np.stack([i + bound[:, i:j].argmin(axis=1) for i, j in pairwise(starts)], axis=1)
            product, split = np.nonzero(np.take_along_axis(bound, first, axis=1) < score)
            grid = first[product, split]
            self._try(found, score, core, product, split, grid)
            bound[product, grid] = np.inf
        # An earlier grid as good as the one found takes its place, so that the order of visits does not matter.
        at, reached = np.arange(bound.shape[1]), score[:, split_of]
        product, grid = np.nonzero((bound < reached) | ((bound == reached) & (at < found.grid[:, split_of])))
        self._try(found, score, core, product, split_of[grid], grid)
        return found

    def _try(
        self, found: Found, score: FloatArray, core: TensorCore, product: IntArray, split: IntArray, grid: IntArray
    ) -> None:
        """Put the best of these grids in its place where it is better than what is there."""
        if not len(product):
            return
        tile = best_tiles(self._entries(product, grid), core, self.timing, self.memory, self.shared)
        # The last of equal places wins: the best one, and of equal ones the first grid.
        order = np.lexsort((-grid, -tile.score))
        here, there = tile.score[order], score[product[order], split[order]]
        order = order[(here < there) | ((here == there) & (grid[order] < found.grid[product, split][order]))]
        to = product[order], split[order]
        score[to], found.usable[to], found.grid[to] = tile.score[order], True, grid[order]
        found.cycles[to], found.dataflow[to] = tile.cycles[order], tile.dataflow[order]
        found.extra_bytes[to] = tile.extra_bytes[order] + self.fixed[product, grid][order]
        found.port_bytes[to] = tile.port_bytes[order]

    def _bound(self, core: TensorCore) -> FloatArray:
        """Lower bound of the score of each grid, infinite where it is invalid; shape (products, grids)."""
        cycles = self._cycles(replace(core, sram_bytes=1))
        size = self.products.element_bytes[:, None]
        if self.shared is None:
            extra, port = self._extra(core.sram_bytes), np.zeros((1, 1), dtype=np.int64)
        else:
            least = self.shared.extra_elements.min(axis=1).reshape(int(self.held.max()) + 1, -1)
            held = least[self.held].T
            extra, port = np.minimum(self._extra(core.sram_bytes), held), self.least_port
        hbm = self.compulsory[:, None] + self.fixed + size * extra
        return np.where(self.valid, score_of(cycles, hbm, port, self.memory), np.inf)

    @staticmethod
    def _own(a: IntArray, b: IntArray, c: IntArray, cuts: IntArray) -> tuple[IntArray, ...]:
        """Elements of the operands that the busiest core reads, and of the output that it finishes."""
        batch, m, k, n = np.moveaxis(cuts, -1, 0)
        return ceil_div(a, batch * m * k), ceil_div(b, batch * k * n), ceil_div(c, batch * m * k * n)

    def _entries(self, product: IntArray, grid: IntArray) -> Shares:
        """The shares of pairs of a product and a grid."""
        p = self.products
        batch, m, k, n = (share[product, grid] for share in self.shares)
        a, b, c = p.a[product], p.b[product], p.c[product]
        cuts = self.grids.factors[grid]
        own_a, own_b, own_c = self._own(a, b, c, cuts)
        return Shares(
            m=m,
            k=k,
            n=n,
            products=batch * p.passes[product],
            a=a,
            b=b,
            c=c,
            own_a=own_a,
            own_b=own_b,
            own_c=own_c,
            element_bytes=p.element_bytes[product],
            # a core adds at one row of C accumulators per cycle: see accmine.cost.arrays.split
            summed=batch * m * n * (cuts[:, 2] - 1),
            sum_pieces=cuts[:, 2],
            fixed_bytes=self.compulsory[product] + self.fixed[product, grid],
            m_cores=cuts[:, 1],
            halo_m=np.where(p.halo_of_k[product] > 0, 0, p.halo[product]),
            images=p.images[product],
            product=product if self.shared is None else product + len(p.m) * self.held[grid],
        )

    def _least_cycles(self, core: TensorCore) -> IntArray:
        """Cycles of the largest share of each grid when no tile constrains it; shape (products, grids)."""
        batch, m, k, n = self.shares
        times = batch * self.products.passes[:, None]
        cycles = array_cycles(m, k, n, times, core.rows, core.cols, core.dataflow, self.timing)
        pieces = self.grids.factors[:, 2]
        return np.asarray(cycles + ceil_div(batch * m * n * (pieces - 1), pieces * core.cols), dtype=np.int64)

    def _least_extra(self, sram_bytes: int) -> IntArray:
        """Elements read again at least, whatever the tile; shape (products, grids)."""
        _, m, k, n = self.shares
        p, column = self.products, (slice(None), None)
        return least_extra_elements(m, k, n, p.a[column], p.b[column], p.element_bytes[column], sram_bytes)


def product_pj(
    products: Products, search: GridSearch, found: Found, core: TensorCore, technology: EnergyConstants
) -> FloatArray:
    """Energy of each product on its chosen grids, without compulsory HBM traffic; shape (products, splits)."""
    column = (slice(None), None)
    best = np.maximum(found.grid, 0)
    batch, m, k, n = (np.take_along_axis(share, best, axis=1) for share in search.shares)
    size = products.element_bytes[column]
    repeats = batch * products.passes[column]
    factors = search.grids.factors[best]
    streamed = np.zeros_like(m)
    for index, flow in enumerate(DATAFLOWS):
        if core.dataflow in (flow, FLEXIBLE):
            own = gemm_sram_bytes(m, k, n, repeats, core.rows, core.cols, flow, size) * factors.prod(axis=2)
            streamed = np.where(found.dataflow == index, own, streamed)
    again = found.extra_bytes
    filled = ((products.a + products.b + products.c) * products.element_bytes)[column] + again
    per_mac = np.array(
        [mac_pj(dtype, search.timing, technology, core.rates) for dtype in products.dtypes], dtype=np.float64
    )
    additions = (factors[:, :, 2] - 1) * products.c[column] * technology.vector_op_fp32_pj
    per_byte = sram_pj_per_byte(technology, [core.sram_bytes])[0]
    total = (products.macs * per_mac)[column] + additions + again * technology.hbm_pj_per_byte
    total = total + (streamed + filled) * per_byte
    if search.memory.shared_sram_bytes:
        cores = factors.prod(axis=2)
        # Bytes cross the shared SRAM once on the side of the ports and once on that of the HBM.
        crossing = found.port_bytes * cores + filled
        total = total + crossing * technology.sram_pj_per_byte(search.memory.shared_sram_bytes)
    return np.asarray(total, dtype=np.float64)
