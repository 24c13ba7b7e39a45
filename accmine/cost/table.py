"""The cost table of a graph: distinct works × core types × split factors, as arrays.

A work on split s runs evenly on s tensor cores (if it has a product) and s vector cores (if it has vector
parts). The table does not depend on how many cores a design has.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import numpy as np

from accmine.cost.energy import (
    EnergyConstants,
    FloatArray,
    gemm_sram_bytes,
    mac_pj,
    sram_pj_per_byte,
    vector_part_pj,
)
from accmine.cost.gemm import GEMM_DTYPES
from accmine.cost.operator_costs import (
    INVALID,
    BoolArray,
    OperatorCosts,
    TensorCosts,
    TypeCosts,
    VectorCosts,
    combine,
    durations,
)
from accmine.cost.split import GridSet, check_splits, grids_of
from accmine.cost.timing import IntArray, Timing, array_cycles, ceil_div, resolve_timing
from accmine.cost.traffic import SUM_BYTES, operand_passes
from accmine.cost.vector import vector_cycles, vector_parts
from accmine.errors import InputError
from accmine.hardware.design import DATAFLOWS, TensorCore, VectorCore
from accmine.workload.graph import BYTES, Work

__all__ = [
    "INVALID",
    "NOMINAL_BYTES_PER_CYCLE",
    "OperatorCosts",
    "TensorCosts",
    "TypeCosts",
    "VectorCosts",
    "combine",
    "durations",
    "tensor_costs",
    "vector_costs",
]

K = TypeVar("K")
V = TypeVar("V")

NOMINAL_BYTES_PER_CYCLE = 1000.0
"""Bandwidth that weighs bytes against cycles when a grid is chosen: TPUv2's 700 GB/s at 700 MHz."""


@dataclass(frozen=True, eq=False)
class _Products:
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


def tensor_costs(
    works: Sequence[Work],
    types: Sequence[TensorCore],
    splits: Sequence[int],
    *,
    timing: str | Timing = "tpu-like",
    technology: EnergyConstants | None = None,
    hbm_bytes_per_cycle: float = NOMINAL_BYTES_PER_CYCLE,
) -> TensorCosts:
    """Tensor side of every work on every tensor-core type and split factor.

    Of the grids of a split (see ``accmine.cost.split``) the one with the smallest max(cycles, bytes / bandwidth)
    is taken, then the smaller sum of both.

    Parameters
    ----------
    works
        Distinct works, e.g. ``graph.works``.
    types
        Tensor-core types.
    splits
        Split factors, positive integers.
    timing
        Preset or ``Timing``. Cycles are always their number, also for presets that report the last index.
    technology
        Constants for energy; without it there are no energies.
    hbm_bytes_per_cycle
        Bandwidth for choosing grids only; the bytes are reported, not their time.

    Raises
    ------
    InputError
        If a core type, split factor, size, dtype or timing is wrong.
    """
    factors = check_splits(splits)
    chosen_timing = replace(resolve_timing(timing), last_index=False)
    _check_types(types, hbm_bytes_per_cycle)
    products, grids = _products(works, chosen_timing), grids_of(factors)
    compulsory = _compulsory(works)
    shape = (len(works), len(types), len(factors))
    cycles = np.zeros(shape, dtype=np.int64)
    hbm_bytes = np.broadcast_to(compulsory[:, None, None], shape).copy()
    energy = None if technology is None else np.zeros(shape)
    ideal = np.zeros(shape, dtype=np.int64)
    grid = np.full(shape, -1, dtype=np.int32)

    sizes = (products.batch, products.m, products.k, products.n)
    shares, valid = grids.shares(*sizes), grids.valid(*sizes)
    grid_cycles = _memo(partial(_grid_cycles, products, grids, shares, chosen_timing))
    grid_extra = _memo(partial(_grid_extra_bytes, products, grids, shares))
    for t, core in enumerate(types):
        c, extra = grid_cycles(replace(core, sram_bytes=1)), grid_extra(core.sram_bytes)
        memory = (compulsory[products.work][:, None] + extra) / hbm_bytes_per_cycle
        best, usable = _best_grids(np.maximum(c, memory) + 1e-6 * (c + memory), valid, grids)
        at = products.work, t
        cycles[at] = np.where(usable, np.take_along_axis(c, best, axis=1), INVALID)
        hbm_bytes[at] += np.where(usable, np.take_along_axis(extra, best, axis=1), 0)
        grid[at] = np.where(usable, best, -1)
        ideal[at] = ceil_div(products.macs[:, None], core.rows * core.cols * np.array(factors, dtype=np.int64))
        if energy is not None and technology is not None:
            picojoules = _product_pj(products, grids, shares, best, extra, core, chosen_timing, technology)
            energy[at] = np.where(usable, picojoules, np.inf)
    used = np.array([work.gemm is not None for work in works], dtype=np.bool_)
    pj = _compulsory_pj(compulsory, technology)
    return TensorCosts(cycles, hbm_bytes, energy, ideal, used, compulsory, pj, factors, grid, grids.factors)


def _check_types(types: Sequence[TensorCore], hbm_bytes_per_cycle: float) -> None:
    if not hbm_bytes_per_cycle > 0:
        raise InputError(f"hbm_bytes_per_cycle must be positive, got {hbm_bytes_per_cycle!r}")
    for core in types:
        if min(core.rows, core.cols, core.sram_bytes) < 1 or core.dataflow not in DATAFLOWS:
            raise InputError(
                f"tensor core needs positive rows, cols, sram_bytes and a dataflow of {', '.join(DATAFLOWS)}: {core}"
            )


def vector_costs(
    works: Sequence[Work],
    types: Sequence[VectorCore],
    splits: Sequence[int],
    *,
    technology: EnergyConstants | None = None,
) -> VectorCosts:
    """Vector side of every work on every vector-core type and split factor.

    The parts of a work follow each other. A split beyond the rows of a part (its elements where it has no
    rows) is ``INVALID``: rows are not divided between cores.

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
    compulsory = _compulsory(works)
    split = np.array(factors, dtype=np.int64)
    shape = (len(works), len(types), len(factors))
    width = np.array([core.lanes * core.ops_per_lane for core in types], dtype=np.int64)
    widths, width_of = np.unique(width, return_inverse=True)
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
    cycles = by_width[:, width_of]
    too_many = np.zeros((len(works), len(factors)), dtype=np.bool_)
    np.logical_or.at(too_many, parts.work, parts.rows[:, None] < split)
    cycles[np.broadcast_to(too_many[:, None, :], shape)] = INVALID

    operations = np.zeros(len(works), dtype=np.int64)
    np.add.at(operations, parts.work, parts.operations * parts.elements)
    ideal = ceil_div(operations[column], width[:, None] * split)

    again = np.zeros((len(works), len(srams)), dtype=np.int64)
    np.add.at(again, parts.work, np.where(parts.row_bytes[:, None] > srams, parts.reread_bytes[:, None], 0))
    extra = np.where(too_many[:, None, :], 0, again[:, sram_of][:, :, None])
    energy: FloatArray | None = None
    if technology is not None:
        by_sram = np.zeros((len(works), len(srams)))
        np.add.at(by_sram, parts.work, vector_part_pj(parts, srams.tolist(), technology))
        energy = np.where(too_many[:, None, :], np.inf, by_sram[:, sram_of][:, :, None])
    used = np.array([bool(work.vector) for work in works], dtype=np.bool_)
    pj = _compulsory_pj(compulsory, technology)
    return VectorCosts(cycles, compulsory[column] + extra, energy, ideal, used, compulsory, pj, factors)


def _compulsory(works: Sequence[Work]) -> IntArray:
    return np.array([work.bytes_in + work.bytes_out for work in works], dtype=np.int64)


def _compulsory_pj(compulsory: IntArray, technology: EnergyConstants | None) -> FloatArray | None:
    return None if technology is None else np.asarray(compulsory * technology.hbm_pj_per_byte, dtype=np.float64)


def _products(works: Sequence[Work], timing: Timing) -> _Products:
    rows: list[tuple[int, ...]] = []
    dtypes: list[str] = []
    for i, work in enumerate(works):
        g = work.gemm
        if g is None:
            continue
        if min(g.m, g.k, g.n, g.batch, g.a_elements, g.b_elements, g.c_elements) < 1:
            raise InputError(f"sizes of a product must be positive, got {g}")
        if work.dtype not in GEMM_DTYPES:
            raise InputError(f"unknown dtype {work.dtype!r} of a product; allowed: {', '.join(GEMM_DTYPES)}")
        passes = timing.fp32_passes if work.dtype == "fp32" else 1
        operands = (g.a_elements, g.b_elements, g.c_elements)
        rows.append((i, g.m, g.k, g.n, g.batch, *operands, BYTES[work.dtype], passes, g.macs))
        dtypes.append(work.dtype)
    return _Products(tuple(dtypes), *np.array(rows, dtype=np.int64).reshape(-1, 11).T)


def _memo(function: Callable[[K], V]) -> Callable[[K], V]:
    """Core types share dimensions and SRAM sizes: compute each once."""
    known: dict[K, V] = {}

    def look_up(key: K) -> V:
        if key not in known:
            known[key] = function(key)
        return known[key]

    return look_up


def _grid_cycles(
    products: _Products, grids: GridSet, shares: tuple[IntArray, ...], timing: Timing, core: TensorCore
) -> IntArray:
    """Cycles of the largest share of each product and grid, with the reduction; shape (products, grids)."""
    batch, m, k, n = shares
    cycles = array_cycles(m, k, n, batch * products.passes[:, None], core.rows, core.cols, core.dataflow, timing)
    pieces = grids.factors[:, 2]
    adds = ceil_div(batch * m * n * (pieces - 1), pieces * core.cols)
    return np.asarray(cycles + adds, dtype=np.int64)


def _grid_extra_bytes(products: _Products, grids: GridSet, shares: tuple[IntArray, ...], sram_bytes: int) -> IntArray:
    """Bytes beyond the compulsory ones: re-reads of operands and partial sums; shape (products, grids)."""
    _, m, k, n = shares
    column = (slice(None), None)
    size = products.element_bytes[column]
    passes = operand_passes(m, k, n, products.a[column], products.b[column], size, sram_bytes)
    partial_sums = 2 * SUM_BYTES * (grids.factors[:, 2] - 1) * products.c[column]
    return np.asarray(passes.extra_elements * size + partial_sums, dtype=np.int64)


def _best_grids(score: FloatArray, valid: BoolArray, grids: GridSet) -> tuple[IntArray, BoolArray]:
    """Grid with the smallest score for each product and split, and whether it is valid; shapes (products, splits)."""
    score[~valid] = np.inf
    ranges = zip(grids.starts, grids.starts[1:], strict=False)
    best = np.stack([first + score[:, first:last].argmin(axis=1) for first, last in ranges], axis=1)
    return np.asarray(best, dtype=np.int64), np.take_along_axis(valid, best, axis=1)


def _product_pj(
    products: _Products,
    grids: GridSet,
    shares: tuple[IntArray, ...],
    best: IntArray,
    extra: IntArray,
    core: TensorCore,
    timing: Timing,
    technology: EnergyConstants,
) -> FloatArray:
    """Energy of each product on its chosen grids, without compulsory HBM traffic; shape (products, splits)."""
    column = (slice(None), None)
    batch, m, k, n = (np.take_along_axis(share, best, axis=1) for share in shares)
    size = products.element_bytes[column]
    repeats = batch * products.passes[column]
    factors = grids.factors[best]
    streamed = gemm_sram_bytes(m, k, n, repeats, core.rows, core.cols, core.dataflow, size) * factors.prod(axis=2)
    again = np.take_along_axis(extra, best, axis=1)
    filled = ((products.a + products.b + products.c) * products.element_bytes)[column] + again
    per_mac = np.array([mac_pj(dtype, timing, technology) for dtype in products.dtypes], dtype=np.float64)
    additions = (factors[:, :, 2] - 1) * products.c[column] * technology.vector_op_fp32_pj
    per_byte = sram_pj_per_byte(technology, [core.sram_bytes])[0]
    return np.asarray(
        (products.macs * per_mac)[column]
        + additions
        + (streamed + filled) * per_byte
        + again * technology.hbm_pj_per_byte,
        dtype=np.float64,
    )
