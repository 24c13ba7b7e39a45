"""The best grid and tile of every product on a core type (the search is compiled: ``ladder``), and its energy."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

import numpy as np

from accmine.cost.arrays.kernel import Machine, tile_slab
from accmine.cost.arrays.ladder import climb
from accmine.cost.arrays.products import SUM_BYTES, Products
from accmine.cost.arrays.split import GridSet, grids_of
from accmine.cost.arrays.timing import IntArray, Timing, ceil_div
from accmine.cost.energy import EnergyConstants, FloatArray, gemm_sram_bytes, mac_pj, sram_pj_per_byte
from accmine.cost.memory import MemorySystem
from accmine.cost.operator_costs import INVALID
from accmine.hardware import DATAFLOWS, FLEXIBLE, TensorCore

__all__ = ["Found", "GridSearch", "least_traffic", "machine_of", "product_pj"]


@dataclass(frozen=True, eq=False)
class Found:
    """Best grid and tile of each product on at most as many cores as each split; arrays of shape (products, splits).

    Attributes
    ----------
    cycles, grid, dataflow
        ``INVALID``, -1 and -1 where no dimension is long enough.
    hbm_bytes, port_bytes
        With the compulsory ones, which are all where no dimension is long enough; those of the busiest core.
    tile_m, tile_n
        Rows and columns of the outputs that a core makes at once; 0 where no dimension is long enough.
    """

    cycles: IntArray
    hbm_bytes: IntArray
    port_bytes: IntArray
    grid: IntArray
    dataflow: IntArray
    tile_m: IntArray
    tile_n: IntArray


class GridSearch:
    """Products and grids as a table, in which ``best`` looks for each core type; splits ascend."""

    def __init__(
        self, products: Products, grids: GridSet, compulsory: IntArray, timing: Timing, memory: MemorySystem
    ) -> None:
        self.products, self.grids, self.timing, self.memory = products, grids, timing, memory
        p = products
        columns = (p.m, p.k, p.n, p.batch, p.passes, p.a, p.b, p.c, p.element_bytes, p.halo, p.halo_of_k, p.images)
        self.compulsory = compulsory[p.work]
        self._table = np.ascontiguousarray(np.stack((*columns, self.compulsory), axis=1))
        self._starts = np.array(grids.starts, dtype=np.int64)

    def best(self, core: TensorCore) -> Found:
        """The best grid and tile of every product on a core type."""
        found = np.empty((7, len(self.products.m), len(self.grids.starts) - 1), dtype=np.int64)
        first = 0 if core.dataflow == FLEXIBLE else DATAFLOWS.index(core.dataflow)
        flows = (first, len(DATAFLOWS) if core.dataflow == FLEXIBLE else first + 1)
        machine = machine_of(core, self.timing, self.memory)
        climb(self._table, self.grids.factors, self._starts, flows, machine, self.memory.tiles_bytes, found)
        unusable = found[3] < 0
        if unusable.any():
            found[0][unusable], found[2][unusable] = INVALID, 0
            found[1] = np.where(unusable, self.compulsory[:, None], found[1])
        return Found(*found)


def machine_of(core: TensorCore, timing: Timing, memory: MemorySystem) -> Machine:
    """A core with its timing and memory as the compiled search wants it."""
    drain = ("none", "rows", "overlapped").index(timing.os_drain)
    fixed = (core.rows, core.cols, core.sram_bytes, tile_slab(core.rows), max(core.rows, core.cols), 2, SUM_BYTES)
    how = (timing.weight_load_overlap, timing.row_latency, timing.output_latency, drain, timing.fold_overlap)
    levels = (float(memory.hbm_bytes_per_cycle), float(memory.port_bytes_per_cycle), memory.shared_sram_bytes > 0)
    return Machine(*fixed, *how, timing.pack_products, *levels)


def least_traffic(m: int, k: int, n: int, buffer_bytes: int) -> int:
    """Least bytes of an int8 product with one buffer, as the tile search finds them: for comparison with other tools.

    No double buffering, sums as wide as the operands, slabs of one element of k, a multiplier instead of an array.
    """
    operands = (m * k, k * n, m * n)
    row = np.array([[m, k, n, 1, 1, *operands, 1, 0, 0, 1, sum(operands)]], dtype=np.int64)
    machine = Machine(1, 1, buffer_bytes, 1, 1, 1, 1, True, 1, 0, 0, True, False, 1e-9, inf, False)
    found, one = np.empty((7, 1, 1), dtype=np.int64), grids_of((1,))
    climb(row, one.factors, np.array(one.starts, dtype=np.int64), (0, 1), machine, 0, found)
    return int(found[1, 0, 0])


def product_pj(
    products: Products, search: GridSearch, found: Found, core: TensorCore, technology: EnergyConstants
) -> FloatArray:
    """Energy of each product on its chosen grids, without compulsory HBM traffic; shape (products, splits)."""
    column = (slice(None), None)
    best = np.maximum(found.grid, 0)
    factors = search.grids.factors[best]
    sizes = (products.batch, products.m, products.k, products.n)
    batch, m, k, n = (ceil_div(x[column], factors[:, :, axis]) for axis, x in enumerate(sizes))
    size = products.element_bytes[column]
    repeats = batch * products.passes[column]
    streamed = np.zeros_like(m)
    for index, flow in enumerate(DATAFLOWS):
        if core.dataflow in (flow, FLEXIBLE):
            own = gemm_sram_bytes(m, k, n, repeats, core.rows, core.cols, flow, size) * factors.prod(axis=2)
            streamed = np.where(found.dataflow == index, own, streamed)
    again = found.hbm_bytes - search.compulsory[column]
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
