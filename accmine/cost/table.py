"""The cost table of a graph: distinct works × core types × split factors, as arrays.

A work on split s runs evenly on s tensor cores (if it has a product) and s vector cores (if it has vector
parts). The table does not depend on how many cores a design has.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from accmine.cost.arrays.attention import fill_attention
from accmine.cost.arrays.grid_search import GridSearch, product_pj
from accmine.cost.arrays.precision import at_rate, pace
from accmine.cost.arrays.products import LEAST_SRAM_BYTES, Products, products_of
from accmine.cost.arrays.split import check_splits, grids_of
from accmine.cost.arrays.timing import IntArray, Timing, ceil_div, resolve_timing
from accmine.cost.arrays.waves import Waves, wave_cycles
from accmine.cost.energy import EnergyConstants, FloatArray, vector_part_pj
from accmine.cost.memory import NOMINAL, MemorySystem
from accmine.cost.operator_costs import (
    INVALID,
    OperatorCosts,
    TensorCosts,
    TypeCosts,
    VectorCosts,
    combine,
    durations,
)
from accmine.cost.vector import vector_cycles, vector_parts
from accmine.errors import InputError
from accmine.hardware import DATAFLOW_CHOICES, TensorCore, VectorCore
from accmine.workload import BYTES, local_bytes
from accmine.workload.graph import Work

__all__ = [
    "INVALID",
    "OperatorCosts",
    "TensorCosts",
    "TypeCosts",
    "VectorCosts",
    "combine",
    "compulsory_bytes",
    "durations",
    "tensor_costs",
    "vector_costs",
]


def tensor_costs(
    works: Sequence[Work],
    types: Sequence[TensorCore],
    splits: Sequence[int],
    *,
    timing: str | Timing = "tpu-like",
    technology: EnergyConstants | None = None,
    memory: MemorySystem = NOMINAL,
    waves: Waves | None = None,
) -> TensorCosts:
    """Tensor side of every work on every tensor-core type and split factor.

    The best of all grids on at most so many cores (of those that ``splits`` names) and of all tiles: of those within
    one percent of the smallest max(cycles, port time, HBM time) the one that moves least. More cores that are less
    than one percent faster are not taken: the entry of the smaller split is repeated (``arrays.ladder``). Fused
    attention has blocks of its own (``arrays.attention``) and no grid.

    Parameters
    ----------
    works
        Distinct works, e.g. ``graph.works``.
    types
        Tensor-core types.
    splits
        Split factors, positive integers; any number of them.
    timing
        Preset or ``Timing``. Cycles are always their number, also for presets that report the last index.
    technology
        Constants for energy; without it there are no energies.
    memory
        Bandwidths and shared SRAM; the HBM's bandwidth is for choosing only: bytes are reported, not their time.
    waves
        Tiles of the chip's libraries: a product takes at least their waves. ``None`` for a chip without.

    Raises
    ------
    InputError
        If a core type, split factor, size, dtype or timing is wrong.
    """
    factors = check_splits(splits)
    chosen_timing = replace(resolve_timing(timing), last_index=False)
    _check_types(types)
    ascending = tuple(sorted(set(factors)))
    grids = grids_of(ascending)
    compulsory = compulsory_bytes(works, memory)
    used = np.array([work.uses_tensor for work in works], dtype=np.bool_)
    pj = None if technology is None else technology.hbm_pj_per_byte
    shape = (len(works), len(types), len(ascending))
    table = TensorCosts.empty(shape, used, compulsory, pj, ascending, grids.factors)
    for rates in dict.fromkeys(core.rates for core in types):
        every = products_of(works, chosen_timing, rates)
        pace_of = np.array([pace(dtype, rates, chosen_timing)[1] for dtype in every.dtypes])
        for rate in np.unique(pace_of).tolist():
            products = every.take(pace_of == rate)
            search = GridSearch(products, grids, compulsory, chosen_timing, _slower(memory, rate))
            for t, core in enumerate(types):
                if core.rates == rates:
                    _fill(table, t, core, products, search, technology, memory, rate, waves)
    fill_attention(table, works, types, replace(chosen_timing, pack_products=False), memory, technology)
    return table if ascending == factors else _columns(table, [ascending.index(split) for split in factors])


def _columns(table: TensorCosts, columns: list[int]) -> TensorCosts:
    """The table with these columns, for splits in another order."""
    return replace(
        table,
        cycles=table.cycles[:, :, columns],
        hbm_bytes=table.hbm_bytes[:, :, columns],
        energy_pj=None if table.energy_pj is None else table.energy_pj[:, :, columns],
        ideal_cycles=table.ideal_cycles[:, :, columns],
        port_cycles=table.port_cycles[:, :, columns],
        grid=table.grid[:, :, columns],
        dataflow=table.dataflow[:, :, columns],
        splits=tuple(table.splits[column] for column in columns),
    )


def _slower(memory: MemorySystem, rate: float) -> MemorySystem:
    """The memory system in cycles of an array that is ``rate`` times as fast as the chip."""
    hbm, port = memory.hbm_bytes_per_cycle / rate, memory.port_bytes_per_cycle / rate
    return memory if rate == 1.0 else replace(memory, hbm_bytes_per_cycle=hbm, port_bytes_per_cycle=port)


def _fill(
    table: TensorCosts,
    t: int,
    core: TensorCore,
    products: Products,
    search: GridSearch,
    technology: EnergyConstants | None,
    memory: MemorySystem,
    rate: float,
    waves: Waves | None,
) -> None:
    """Put the products of one rate on core type ``t`` into the table."""
    found = search.best(core)
    at, usable = (products.work, t), found.grid >= 0
    cycles = _waved(np.where(usable, found.cycles, 0), products, core, table.splits, waves)
    table.cycles[at] = np.where(usable, at_rate(cycles, rate), INVALID)
    table.hbm_bytes[at] = found.hbm_bytes if waves is None else np.minimum.accumulate(found.hbm_bytes, axis=1)
    if memory.shared_sram_bytes:
        table.port_cycles[at] = np.ceil(found.port_bytes / memory.port_bytes_per_cycle)
    table.grid[at], table.dataflow[at] = found.grid, found.dataflow
    units = core.macs * np.array(table.splits, dtype=np.int64)
    table.ideal_cycles[at] = at_rate(ceil_div(products.macs[:, None], units), rate)
    if table.energy_pj is not None and technology is not None:
        picojoules = product_pj(products, search, found, core, technology)
        table.energy_pj[at] = np.where(usable, picojoules, np.inf)


def _waved(
    cycles: IntArray, products: Products, core: TensorCore, factors: tuple[int, ...], waves: Waves | None
) -> IntArray:
    """Cycles of products, at least those of their waves of tiles; shape (products, splits)."""
    if waves is None:
        return cycles
    p = products
    return np.maximum(cycles, wave_cycles(p.m, p.k, p.n, p.batch * p.passes, core.macs, factors, waves))


def _check_types(types: Sequence[TensorCore]) -> None:
    for core in types:
        if min(core.rows, core.cols, core.sram_bytes) < 1 or core.dataflow not in DATAFLOW_CHOICES:
            raise InputError(
                f"tensor core needs positive rows, cols, sram_bytes and a dataflow of "
                f"{', '.join(DATAFLOW_CHOICES)}: {core}"
            )
        if core.sram_bytes < LEAST_SRAM_BYTES:
            raise InputError(f"an SRAM of {core.sram_bytes} B holds no tile; at least {LEAST_SRAM_BYTES} B: {core}")


def vector_costs(
    works: Sequence[Work],
    types: Sequence[VectorCore],
    splits: Sequence[int],
    *,
    technology: EnergyConstants | None = None,
    memory: MemorySystem = NOMINAL,
) -> VectorCosts:
    """Vector side of every work on every vector-core type and split factor.

    The parts of a work follow each other. A split beyond the rows of a part (its elements where it has no
    rows) is ``INVALID``: rows are not divided between cores. With a shared SRAM everything but the operands of a
    product comes through the cores' ports, and rows that fit it, one for each core, are read again from there instead
    of the HBM.

    Raises
    ------
    InputError
        If a core type, split factor, vector kind, size or dtype is wrong.
    """
    factors = check_splits(splits)
    for core in types:
        if min(core.lanes, core.ops_per_lane, core.sram_bytes) < 1:
            raise InputError(f"vector core needs positive lanes, ops_per_lane and sram_bytes: {core}")
    parts = vector_parts([work.vector for work in works], [work.dtype for work in works])
    compulsory = compulsory_bytes(works, memory)
    split = np.array(factors, dtype=np.int64)
    shape = (len(works), len(types), len(factors))
    width, widths, width_of = _widths(works, types)
    srams, sram_of = np.unique(np.array([core.sram_bytes for core in types], dtype=np.int64), return_inverse=True)

    column = (slice(None), None, None)
    part_cycles = vector_cycles(
        parts.operations[column],
        parts.reductions[column],
        parts.elements[column],
        parts.row[column],
        widths[:, None],
        split,
    )
    by_width = np.zeros((len(works), len(widths), len(factors)), dtype=np.int64)
    np.add.at(by_width, parts.work, part_cycles)
    cycles = by_width[np.arange(len(works))[:, None], width_of]
    too_many = np.zeros((len(works), len(factors)), dtype=np.bool_)
    np.logical_or.at(too_many, parts.work, parts.rows[:, None] < split)
    cycles[np.broadcast_to(too_many[:, None, :], shape)] = INVALID

    operations = np.zeros(len(works), dtype=np.int64)
    np.add.at(operations, parts.work, parts.operations * parts.elements)
    ideal = ceil_div(operations[column], width[:, :, None] * split)

    again = np.zeros((len(works), len(srams)), dtype=np.int64)
    rereads = np.where(parts.row_bytes[:, None] > srams, parts.reread_bytes[:, None], 0)
    np.add.at(again, parts.work, rereads)
    # Each core works on a row of its own: that many have to fit the shared SRAM side by side.
    beyond = parts.row_bytes[:, None] * np.minimum(split, parts.rows[:, None]) > memory.tiles_bytes
    from_hbm = np.zeros((*again.shape, len(factors)), dtype=np.int64)
    np.add.at(from_hbm, parts.work, rereads[:, :, None] * beyond[:, None, :])
    extra = np.where(too_many[:, None, :], 0, from_hbm[:, sram_of])
    used = np.array([bool(work.vector) for work in works], dtype=np.bool_)
    through, filled = np.zeros_like(again), np.zeros(len(works), dtype=np.int64)
    if memory.shared_sram_bytes:
        filled = _beside_product(works) * used
        through = filled[:, None] + again
    port = np.ceil(through[:, sram_of][:, :, None] / split / memory.port_bytes_per_cycle).astype(np.int64)
    energy: FloatArray | None = None
    if technology is not None:
        by_sram = np.zeros((len(works), len(srams)))
        np.add.at(by_sram, parts.work, vector_part_pj(parts, srams.tolist(), technology))
        picojoules = by_sram[:, :, None] + from_hbm * technology.hbm_pj_per_byte
        if memory.shared_sram_bytes:
            # once on the side of the ports, once on that of the HBM
            crossing = (through + filled[:, None])[:, :, None] + from_hbm
            picojoules = picojoules + crossing * technology.sram_pj_per_byte(memory.shared_sram_bytes)
        energy = np.where(too_many[:, None, :], np.inf, picojoules[:, sram_of])
    pj = _compulsory_pj(compulsory, technology)
    port = np.where(too_many[:, None, :], 0, port)
    return VectorCosts(cycles, compulsory[column] + extra, energy, ideal, port, used, compulsory, pj, factors)


def _widths(works: Sequence[Work], types: Sequence[VectorCore]) -> tuple[IntArray, IntArray, IntArray]:
    """Operations per cycle of each core type on each work, the distinct ones, and which of them each is.

    Optimisers compute in fp32, whatever the type of the products. Shapes (works, types), (widths,), (works, types).
    """
    dtypes = ["fp32" if any(part.kind.endswith("-update") for part in work.vector) else work.dtype for work in works]
    known = {dtype: [core.width(dtype) for core in types] for dtype in set(dtypes)}
    width = np.array([known[dtype] for dtype in dtypes], dtype=np.int64).reshape(len(works), len(types))
    widths, width_of = np.unique(width, return_inverse=True)
    return width, widths, width_of.reshape(width.shape)


def _beside_product(works: Sequence[Work]) -> IntArray:
    """Bytes that a work moves beside the operands of its product, and beside all of its attention."""
    operands = [
        0 if work.gemm is None else (work.gemm.a_elements + work.gemm.b_elements) * BYTES[work.dtype] for work in works
    ]
    for i, work in enumerate(works):
        operands[i] += 0 if work.attention is None else work.attention.bytes(BYTES[work.dtype])
    moved = np.array([work.bytes_in + work.bytes_out for work in works], dtype=np.int64)
    return np.maximum(0, moved - np.array(operands, dtype=np.int64))


def compulsory_bytes(works: Sequence[Work], memory: MemorySystem) -> IntArray:
    """HBM traffic of each tensor touched once, without those that stay in the shared SRAM; shape (works,)."""
    capacity = memory.shared_sram_bytes - memory.tiles_bytes
    saved = [local_bytes(work, capacity) if work.local else 0 for work in works]
    moved = [work.bytes_in + work.bytes_out for work in works]
    return np.array(moved, dtype=np.int64) - np.array(saved, dtype=np.int64)


def _compulsory_pj(compulsory: IntArray, technology: EnergyConstants | None) -> FloatArray | None:
    return None if technology is None else np.asarray(compulsory * technology.hbm_pj_per_byte, dtype=np.float64)
