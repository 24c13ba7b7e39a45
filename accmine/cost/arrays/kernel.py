"""What one tile of a product costs, compiled: cycles of the array, bytes from the HBM and through the port.

Plain scalars and tuples throughout: arrays and classes would cost more than what is counted here.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from accmine.cost.arrays.compiled import compiled, inlined
from accmine.cost.arrays.products import SLAB_ELEMENTS

__all__ = [
    "IS",
    "OS",
    "WAYS",
    "WS",
    "Best",
    "Machine",
    "Share",
    "Ways",
    "better",
    "ceil_of",
    "floor_of",
    "fold_cycles_of",
    "memory_time",
    "no_tile",
    "packed_cycles_of",
    "tile_cycles",
    "tile_slab",
    "weighed",
]

WS, OS, IS = 0, 1, 2
"""Positions in ``DATAFLOWS``."""

WAYS = 5
"""Ways to hold a product in a shared SRAM beside passing on what cores ask for."""

Ways = tuple[float, float, float, float, float, float, float, float, float, float]
"""HBM bytes and further bytes at the port of each of them."""


class Machine(NamedTuple):
    """A core with its timing and memory.

    ``slab`` is Tk, ``block`` the width of a slab that streams past the other one, ``buffers`` 2 where operands are
    double buffered, ``sum_bytes`` the width of sums; ``drain`` 0 for none, 1 per fold, 2 behind the next one.
    """

    rows: int
    cols: int
    sram_bytes: int
    slab: int
    block: int
    buffers: int
    sum_bytes: int
    load_overlap: bool
    row_latency: int
    output_latency: int
    drain: int
    fold_overlap: bool
    packs: bool
    hbm: float
    port: float
    shared: bool


class Share(NamedTuple):
    """What the busiest core does in one dataflow: sizes, products one after the other, operands of all and its own.

    ``sums`` are port bytes of the partial sums of a cut k, ``fixed`` HBM bytes whatever the tiles, ``apart`` the images
    of a core, ``halo`` elements of A that one more cut within an image reads again, over all cores, ``cycles`` those
    of the array when no tile constrains it, and ``plain`` the part of them that tiles change.
    """

    flow: int
    m: int
    k: int
    n: int
    repeats: int
    e: int
    a: int
    b: int
    own_a: int
    own_b: int
    own_c: int
    sums: int
    fixed: int
    apart: int
    halo: int
    cycles: int
    plain: int


class Best(NamedTuple):
    """max(cycles, port time, HBM time), the bytes and cycles behind it, and the place and tile it was found at."""

    time: float
    moved: int
    port: int
    cycles: int
    grid: int
    flow: int
    tm: int
    tn: int


@inlined
def ceil_of(a: int, b: int) -> int:
    """⌈a / b⌉ of positive integers below 2⁵³."""
    return math.ceil(a / b)


@inlined
def no_tile() -> Best:
    """Worse than any tile."""
    return Best(math.inf, 1 << 62, 1 << 62, 1 << 62, -1, -1, 0, 0)


@inlined
def better(one: Best, other: Best, limit: float) -> bool:
    """Whether ``one`` is faster or, where there is a limit (not negative) and it keeps it, moves less."""
    if limit < 0.0:
        if one.time != other.time:
            return one.time < other.time
    elif one.time > limit:
        return False
    if one.moved != other.moved:
        return one.moved < other.moved
    if one.port != other.port:
        return one.port < other.port
    if one.time != other.time:
        return one.time < other.time
    return one.cycles < other.cycles


@inlined
def folds_of(flow: int, m: int, k: int, n: int, mc: Machine) -> tuple[int, int]:
    """Folds of one product and the cycles that each of them streams."""
    if flow == WS:
        return ceil_of(k, mc.rows) * ceil_of(n, mc.cols), m
    if flow == OS:
        return ceil_of(m, mc.rows) * ceil_of(n, mc.cols), k
    return ceil_of(k, mc.rows) * ceil_of(m, mc.cols), n


@inlined
def fold_cycles_of(flow: int, folds: int, stream: int, pieces: int, mc: Machine) -> int:
    """``accmine.cost.arrays.timing.fold_cycles`` of integers."""
    stays = flow == OS
    load = 0 if stays else mc.rows
    crossing = (1 if stays else mc.row_latency) * mc.rows + mc.cols - 2 + mc.output_latency
    drain = mc.rows if stays and mc.drain > 0 else 0
    body = stream if mc.fold_overlap else stream + pieces * crossing
    if mc.drain == 1:
        body += pieces * drain
    every = max(body, pieces * load) if mc.load_overlap else body + pieces * load
    if mc.drain == 2:
        every = max(every, pieces * drain)
    idle = every - stream
    return load + folds * every - (idle // pieces if pieces > 1 else idle) + crossing + drain


@inlined
def packed_cycles_of(flow: int, x: int, y: int, z: int, folds: int, repeats: int, cycles: int, mc: Machine) -> int:
    """``cycles``, or fewer where products that lie x × y in the array share folds (``timing.array_cycles``)."""
    columns = mc.cols // y
    if x <= mc.rows:
        many = min(columns, mc.rows // x)
        cycles = min(cycles, fold_cycles_of(flow, folds * ceil_of(repeats, many), z, 1, mc))
    if z <= mc.rows:
        many = min(columns, mc.rows // z)
        if many > 1:
            cycles = min(cycles, fold_cycles_of(flow, folds * ceil_of(repeats, many), mc.rows, 1, mc))
    return cycles


@inlined
def tile_cycles(s: Share, mc: Machine, tm: int, tn: int, slabs: int) -> int:
    """Cycles of the array with a tile: narrow ones leave units idle, and each loads what stands still once more."""
    if s.flow == WS:
        folds, stream, pieces = ceil_of(s.k, mc.rows) * ceil_of(s.n, min(tn, mc.cols)), s.m, ceil_of(s.m, tm)
    elif s.flow == OS:
        folds, stream, pieces = ceil_of(s.m, min(tm, mc.rows)) * ceil_of(s.n, min(tn, mc.cols)), s.k, slabs
    else:
        folds, stream, pieces = ceil_of(s.k, mc.rows) * ceil_of(s.m, min(tm, mc.cols)), s.n, ceil_of(s.n, tn)
    return s.cycles + fold_cycles_of(s.flow, folds * s.repeats, stream, pieces, mc) - s.plain


@inlined
def weighed(s: Share, mc: Machine, ways: Ways, tile: tuple[int, int, int, int, int], best: Best, limit: float) -> Best:
    """The better of ``best`` and a tile (Tm, Tn, passes over A and B, cycles), in any way to hold the product."""
    tm, tn, a_passes, b_passes, cycles = tile
    halo = 0
    if s.halo > 0:
        halo = s.halo * max(0, ceil_of(s.m, tm) - s.apart) * a_passes
    moved = s.fixed + s.e * ((a_passes - 1) * s.a + (b_passes - 1) * s.b + halo)
    found = Best(max(float(cycles), moved / mc.hbm), moved, 0, cycles, best.grid, best.flow, tm, tn)
    if not mc.shared:
        return found if better(found, best, limit) else best
    again = float(halo) * s.own_a / s.a
    own = s.e * (s.own_a * a_passes + s.own_b * b_passes + s.own_c + again) + s.sums
    return best_of_ways(found, own, s.fixed, mc.hbm, mc.port, ways, best, limit)


@compiled
def best_of_ways(
    asked: Best, own: float, fixed: int, hbm: float, ports: float, ways: Ways, best: Best, limit: float
) -> Best:
    """The better of ``best`` and what cores ask for, of which ``own`` bytes pass a port, in any way to hold it."""
    for way in range(-1, WAYS):
        moved, through = asked.moved, own
        if way >= 0:
            moved, through = fixed + int(ways[2 * way]), own + ways[2 * way + 1]
        port = math.ceil(through)
        time = max(float(asked.cycles), moved / hbm, port / ports)
        found = Best(time, moved, port, asked.cycles, asked.grid, asked.flow, asked.tm, asked.tn)
        if better(found, best, limit):
            best = found
    return best


@compiled
def tile_slab(rows: int) -> int:
    """Tk: whole arrays of at least 64 elements, which are two HBM bursts of bf16; our choice."""
    return rows * ceil_of(SLAB_ELEMENTS, rows)


@inlined
def floor_of(s: Share, mc: Machine) -> float:
    """The time of a share when no tile constrains it: nothing takes less."""
    floor = max(float(s.cycles), s.fixed / mc.hbm)
    if mc.shared:
        floor = max(floor, (s.e * (s.own_a + s.own_b + s.own_c) + s.sums) / mc.port)
    return floor


@inlined
def memory_time(s: Share, mc: Machine, a_passes: int, b_passes: int, of_own: bool) -> float:
    """Time at the port (``of_own``), else at the HBM, of so many passes, without halos."""
    if of_own:
        return (s.e * (s.own_a * a_passes + s.own_b * b_passes + s.own_c) + s.sums) / mc.port
    return (s.fixed + s.e * (s.a * (a_passes - 1) + s.b * (b_passes - 1))) / mc.hbm
