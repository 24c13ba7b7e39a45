"""The best tile of a product: the one with the smallest max(cycles, port time, HBM time).

The tiles there are stand in ``tiles``. A tile also cuts what streams through the array: the stationary operand is
loaded once per tile, tiles narrower than the array leave units idle, and sums of an ``os`` array leave it once per
slab of k unless they are those of one fold (``timing.fold_cycles``).

Without a shared SRAM operands come from the HBM. With one they come through the core's port from the shared SRAM,
which is itself filled from the HBM once per pass of *its* tile, or passes on what the tiles of the cores ask for.

Since each tile that fits one SRAM has one at least as good in a larger one, a product is never slower with more SRAM.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from accmine.cost.arrays.tiles import SUM_BYTES, FloatArray, SharedTiles, Shares, Tiles, tiles_of, whole_panels
from accmine.cost.arrays.timing import IntArray, Timing, array_cycles, ceil_div, fold_cycles
from accmine.cost.memory import MemorySystem
from accmine.hardware import DATAFLOWS, FLEXIBLE, TensorCore

__all__ = ["TIE", "Best", "best_tiles", "score_of"]

TIE = 1e-6
"""Weight of the sum of the times beside their maximum: of tiles equally fast, the one that moves less."""


@dataclass(frozen=True, eq=False)
class Best:
    """The best tiles of every entry; arrays of shape (entries,).

    Attributes
    ----------
    score
        max(cycles, port time, HBM time) and ``TIE`` times their sum, in cycles.
    cycles
        Of the array, with what the tile costs it.
    extra_bytes
        HBM bytes beyond ``fixed_bytes``.
    port_bytes
        Bytes through the port of the busiest core; 0 without a shared SRAM.
    dataflow
        Index into ``DATAFLOWS``.
    """

    score: FloatArray
    cycles: IntArray
    extra_bytes: IntArray
    port_bytes: IntArray
    dataflow: npt.NDArray[np.int8]


def score_of(cycles: Any, hbm_bytes: Any, port_bytes: Any, memory: MemorySystem) -> Any:
    """What tiles and grids are chosen by: max(cycles, HBM time, port time) and ``TIE`` times their sum."""
    hbm, port = hbm_bytes / memory.hbm_bytes_per_cycle, port_bytes / memory.port_bytes_per_cycle
    return np.maximum(np.maximum(cycles, hbm), port) + TIE * (cycles + hbm + port)


def best_tiles(
    shares: Shares,
    core: TensorCore,
    timing: Timing,
    memory: MemorySystem,
    shared: SharedTiles | None = None,
) -> Best:
    """The best tile of every entry on a core, over all orders and tiles, and all dataflows of a flexible array.

    ``shared`` holds the products that ``shares.product`` indexes, where the memory system has a shared SRAM.
    """
    flows = DATAFLOWS if core.dataflow == FLEXIBLE else (core.dataflow,)
    best: Best | None = None
    for flow in flows:
        machine = _Machine(core, flow, timing, memory, shared)
        cycles = _whole_cycles(shares, machine)
        if best is None:
            best = _best_of_flow(shares, cycles, machine)
            continue
        port = 0 if shared is None else least_port_bytes(shares)
        bound = score_of(cycles, shares.fixed_bytes, port, memory)
        rest = np.flatnonzero(bound < best.score)
        if len(rest):
            _take_better(best, rest, _best_of_flow(shares.take(rest), cycles[rest], machine))
    assert best is not None
    return best


def _take_better(best: Best, at: IntArray, found: Best) -> None:
    """Put what was found for the entries ``at`` in the place of what is worse."""
    better = found.score < best.score[at]
    for name in Best.__dataclass_fields__:
        getattr(best, name)[at[better]] = getattr(found, name)[better]


@dataclass(frozen=True, eq=False)
class _Machine:
    """What tiles are weighed on."""

    core: TensorCore
    dataflow: str
    timing: Timing
    memory: MemorySystem
    shared: SharedTiles | None


def _whole_cycles(shares: Shares, machine: _Machine) -> IntArray:
    """Cycles of the array when no tile constrains it, and of adding up the sums of a cut k."""
    core = machine.core
    sizes = (shares.m, shares.k, shares.n, shares.products, core.rows, core.cols)
    cycles = array_cycles(*sizes, machine.dataflow, machine.timing)
    return np.asarray(cycles + ceil_div(shares.summed, shares.sum_pieces * core.cols), dtype=np.int64)


def _best_of_flow(shares: Shares, cycles: IntArray, machine: _Machine) -> Best:
    core, flow = machine.core, machine.dataflow
    # Operands that stay whole move nothing twice. Where the array does not wait for it either, nothing is better.
    found = _weighed(shares, cycles, whole_panels(shares, core, flow), machine)
    settled = np.isfinite(found.score) & (found.extra_bytes == 0)
    settled &= found.cycles == cycles
    if machine.shared is not None:
        settled &= found.port_bytes == least_port_bytes(shares)
    rest = np.flatnonzero(~settled)
    if len(rest):
        some = shares.take(rest)
        _take_better(found, rest, _weighed(some, cycles[rest], tiles_of(some, core, flow), machine))
    return found


def _weighed(shares: Shares, cycles: IntArray, tiles: Tiles, machine: _Machine) -> Best:
    """The best of these tiles; ``cycles`` are those of whole shares."""
    if machine.shared is not None:
        at, way = _best_of_ways(shares, cycles, tiles, machine, machine.shared)
        return _exact(shares, cycles, tiles.pick(at), way, machine)
    hbm_bytes = shares.fixed_bytes[:, None] + shares.element_bytes[:, None] * _extra(shares, tiles)
    if tiles.rows.shape[1] == 2:
        at = _fastest(shares, cycles, tiles, hbm_bytes, machine)
    else:
        at = _least_moving(shares, tiles, hbm_bytes, machine)
        rest = np.flatnonzero(at < 0)
        if len(rest):
            at[rest] = _fastest(shares.take(rest), cycles[rest], tiles.take(rest), hbm_bytes[rest], machine)
    return _exact(shares, cycles, tiles.pick(at), np.full(len(shares), -1), machine)


def _fastest(shares: Shares, cycles: IntArray, tiles: Tiles, hbm_bytes: FloatArray, machine: _Machine) -> IntArray:
    """The tile of the least score of each entry, without a shared SRAM."""
    score = score_of(_computing(shares, cycles, tiles, machine), hbm_bytes, 0.0, machine.memory)
    return np.asarray(np.where(tiles.fits, score, np.inf).argmin(axis=1))


def _least_moving(shares: Shares, tiles: Tiles, hbm_bytes: FloatArray, machine: _Machine) -> IntArray:
    """The tile that moves least, where the array does not wait for it: nothing is better; -1 elsewhere."""
    at = np.where(tiles.fits, hbm_bytes, np.inf).argmin(axis=1)
    return np.where(_stalls(shares, tiles.pick(at), machine)[:, 0] > 0, -1, at)


def _best_of_ways(
    shares: Shares, cycles: IntArray, tiles: Tiles, machine: _Machine, shared: SharedTiles
) -> tuple[IntArray, IntArray]:
    """The best tile of each entry, and the way its product is held in the shared SRAM; -1: what cores ask for passes.

    A way is weighed for the entries where its traffic alone does not rule it out.
    """
    computing = np.where(tiles.fits, _computing(shares, cycles, tiles, machine), np.inf)
    own = _port_bytes(shares, tiles)
    hbm_bytes = shares.fixed_bytes[:, None] + shares.element_bytes[:, None] * _extra(shares, tiles)
    score, at = _smallest(score_of(computing, hbm_bytes, np.ceil(own), machine.memory))
    way = np.full(len(shares), -1)
    least = computing.min(axis=1), own.min(axis=1)
    for j in range(shared.extra_elements.shape[1]):
        hbm = shares.fixed_bytes + shares.element_bytes * shared.extra_elements[shares.product, j]
        more = _port_bytes_of_way(shares, shared, j)
        bound = score_of(least[0], hbm, np.ceil(least[1] + more), machine.memory)
        rest = np.flatnonzero(bound < score)
        if not len(rest):
            continue
        port = np.ceil(own[rest] + more[rest, None])
        value, chosen = _smallest(score_of(computing[rest], hbm[rest, None], port, machine.memory))
        better = value < score[rest]
        to = rest[better]
        score[to], at[to], way[to] = value[better], chosen[better], j
    return at, way


def _smallest(values: FloatArray) -> tuple[FloatArray, IntArray]:
    """The smallest value of each row, and where it is."""
    at = values.argmin(axis=1)
    return values[np.arange(len(at)), at], at


def _computing(shares: Shares, cycles: IntArray, tiles: Tiles, machine: _Machine) -> FloatArray:
    """Cycles of the array with these tiles; shape (entries, tiles)."""
    return np.asarray(cycles[:, None] + _stalls(shares, tiles, machine))


def _stalls(shares: Shares, tiles: Tiles, machine: _Machine, *, exact: bool = False) -> Any:
    """Cycles by which tiles make a share longer, as integers where ``exact``, else as floats."""
    kind = np.int64 if exact else np.float64
    m, k, n, products = (x[:, None].astype(kind) for x in (shares.m, shares.k, shares.n, shares.products))
    tm, tn = (tiles.rows.astype(kind), tiles.cols.astype(kind)) if exact else (tiles.rows, tiles.cols)
    R, C = kind(machine.core.rows), kind(machine.core.cols)
    ceil = ceil_div if exact else (lambda a, b: np.ceil(a / b))
    if machine.dataflow == "ws":
        deep = ceil(k, R)
        whole, folds = deep * ceil(n, C), deep * ceil(n, np.minimum(tn, C))
        stream, pieces = m, ceil(m, tm)
    elif machine.dataflow == "is":
        deep = ceil(k, R)
        whole, folds = deep * ceil(m, C), deep * ceil(m, np.minimum(tm, C))
        stream, pieces = n, ceil(n, tn)
    else:
        whole, folds = ceil(m, R) * ceil(n, C), ceil(m, np.minimum(tm, R)) * ceil(n, np.minimum(tn, C))
        stream, pieces = k, tiles.slabs.astype(kind)
    tiled = fold_cycles(folds * products, stream, R, C, machine.dataflow, machine.timing, pieces)
    return tiled - fold_cycles(whole * products, stream, R, C, machine.dataflow, machine.timing)


def _halo(shares: Shares, tiles: Tiles) -> FloatArray:
    """Elements of A that tiles cut within an image read again, over all cores; shape (entries, tiles).

    Tiles are taken to end where images do: one more tile than a core has images is one cut within an image.
    """
    apart = np.maximum(1, shares.images // shares.m_cores)
    cuts = np.maximum(0, np.ceil(shares.m[:, None] / tiles.rows) - apart[:, None])
    return np.asarray((shares.halo_m * shares.m_cores)[:, None] * cuts * tiles.a_passes)


def _extra(shares: Shares, tiles: Tiles) -> FloatArray:
    """Elements that tiles read from the HBM beyond the first pass, with halos."""
    extra = (tiles.a_passes - 1) * shares.a[:, None] + (tiles.b_passes - 1) * shares.b[:, None]
    return np.asarray(extra + _halo(shares, tiles) if shares.halo_m.any() else extra)


def _port_bytes(shares: Shares, tiles: Tiles) -> FloatArray:
    """Bytes that tiles ask of the busiest core's port, with partial sums of a cut k; shape (entries, tiles)."""
    own = shares.own_a[:, None] * tiles.a_passes + shares.own_b[:, None] * tiles.b_passes + shares.own_c[:, None]
    own = own + _halo(shares, tiles) * (shares.own_a / shares.a)[:, None]
    sums = 2 * SUM_BYTES * ceil_div(shares.summed, shares.sum_pieces)
    return np.asarray(shares.element_bytes[:, None] * own + sums[:, None])


def least_port_bytes(shares: Shares) -> IntArray:
    """Bytes through the busiest core's port when nothing crosses it twice; shape (entries,)."""
    own = shares.element_bytes * (shares.own_a + shares.own_b + shares.own_c)
    return np.asarray(own + 2 * SUM_BYTES * ceil_div(shares.summed, shares.sum_pieces), dtype=np.int64)


def _port_bytes_of_way(shares: Shares, shared: SharedTiles, way: Any) -> FloatArray:
    """Bytes beyond that for the way the product is held in the shared SRAM; shape (entries,)."""
    at = shares.product, way
    again = shares.own_a * shared.a_again[at] + shares.own_b * shared.b_again[at]
    # Sums are spread over the cores as the outputs are.
    spilled = shared.spilled_elements[at] * (shares.own_c / shares.c)
    return np.asarray(shares.element_bytes * again + SUM_BYTES * spilled)


def _exact(shares: Shares, cycles: IntArray, tiles: Tiles, way: IntArray, machine: _Machine) -> Best:
    """Cycles and bytes of one tile of each entry, in integers; ``way`` -1: none in a shared SRAM."""
    taken = cycles + _stalls(shares, tiles, machine, exact=True)[:, 0]
    a_passes, b_passes = (x[:, 0].astype(np.int64) for x in (tiles.a_passes, tiles.b_passes))
    extra = (a_passes - 1) * shares.a + (b_passes - 1) * shares.b + _halo(shares, tiles)[:, 0].astype(np.int64)
    through = np.zeros_like(taken)
    if machine.shared is not None:
        held = way >= 0
        extra = np.where(held, machine.shared.extra_elements[shares.product, way], extra)
        more = np.where(held, _port_bytes_of_way(shares, machine.shared, way), 0.0)
        through = np.ceil(_port_bytes(shares, tiles)[:, 0] + more).astype(np.int64)
    moved = shares.element_bytes * extra
    score = score_of(taken, shares.fixed_bytes + moved, through, machine.memory)
    score = np.where(tiles.fits[:, 0], score, np.inf)
    flow = np.full(len(shares), DATAFLOWS.index(machine.dataflow), dtype=np.int8)
    return Best(score, taken, moved, through, flow)
