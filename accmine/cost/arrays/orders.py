"""The compiled search for tiles: of a share on a core the least time, or the least traffic within a limit of it.

A core holds a tile Tm × Tn of the outputs of its share while operands pass through its SRAM in slabs of k. Three loop
orders are weighed (e bytes per element, sums are fp32, slabs of Tk = R·⌈64/R⌉ elements, all of k beside a panel of an
``os`` array, whose sums would leave it else):

==================  =================================  ==============  ==============
stays in the SRAM   must fit                           A is read       B is read
==================  =================================  ==============  ==============
outputs             2e·Tk(Tm' + Tn') + 4·Tm·Tn         ⌈n/Tn⌉ times    ⌈m/Tm⌉ times
B panel k × Tn      e·k·Tn + 2(e·Tk·Tm + 4·Tm·Tn)      ⌈n/Tn⌉ times    once
A panel Tm × k      e·k·Tm + 2(e·Tk·Tn + 4·Tm·Tn)      once            ⌈m/Tm⌉ times
==================  =================================  ==============  ==============

Of the slabs beside outputs one may stream past the other in blocks as wide as the array's longer side: then Tm' or Tn'
is that instead of Tm or Tn, where it is less. Beside a panel, all of k of what passes may be held, with the sums of one
such block. Sides longer than the array's are multiples of them. Outputs are tried with ⌈m/pieces⌉ rows for every number
of pieces that may still be best, panels at the fewest for which the array does not wait longer than the memory. Where
nothing fits, outputs are made one by one, without reuse.
"""

from __future__ import annotations

import math

from accmine.cost.arrays.compiled import compiled, inlined
from accmine.cost.arrays.kernel import (
    OS,
    WS,
    Best,
    Machine,
    Share,
    Ways,
    ceil_of,
    floor_of,
    memory_time,
    tile_cycles,
    weighed,
)

__all__ = ["best_tile", "traffic_of", "whole_tile"]


@inlined
def whole_arrays(tile: int, size: int, side: int) -> int:
    """A side of tiles as a multiple of the array's side where it is longer than that and not the whole."""
    return tile // side * side if side <= tile < size else tile


@inlined
def to_arrays(size: int, pieces: int, side: int) -> int:
    """The shortest such side that makes at most so many pieces of ``size``."""
    tile = ceil_of(size, pieces)
    return min(size, ceil_of(tile, side) * side) if tile > side else tile


@inlined
def sides_of(flow: int, mc: Machine) -> tuple[int, int]:
    """The array's sides along m and n; 1 for what streams."""
    if flow == WS:
        return 1, mc.cols
    return (mc.rows, mc.cols) if flow == OS else (mc.cols, 1)


@inlined
def beside(s: Share, mc: Machine, side: int) -> int:
    """Bytes of one row or column that passes a panel with that side: slabs of it and all sums, or all and few sums."""
    sums = mc.buffers * mc.sum_bytes
    every = mc.buffers * s.e * s.k
    some = every if s.flow == OS else min(every, mc.buffers * s.e * mc.slab)
    return min(some + sums * side, every + sums * min(side, mc.block))


@inlined
def panels(s: Share, mc: Machine, ways: Ways, best: Best, limit: float, of_b: bool, of_own: bool) -> Best:
    """Tiles of a panel of B (or A) over all of k: the fewest pieces of it for which the array keeps up."""
    m_side, n_side = sides_of(s.flow, mc)
    x, y, x_side, y_side = (s.n, s.m, n_side, m_side) if of_b else (s.m, s.n, m_side, n_side)
    other = (s.own_a if of_own else s.a) if of_b else (s.own_b if of_own else s.b)
    panel, sums, every = s.e * s.k, mc.buffers * mc.sum_bytes, mc.buffers * s.e * s.k
    some = every if s.flow == OS else min(every, mc.buffers * s.e * mc.slab)
    longest = max((mc.sram_bytes - some) // (panel + sums), (mc.sram_bytes - every - sums * mc.block) // panel)
    if longest < 1 or panel * longest + beside(s, mc, longest) > mc.sram_bytes:
        longest = (mc.sram_bytes - some) // (panel + sums)
        if longest < 1:
            return best
    longest = whole_arrays(min(longest, x), x, x_side)
    pieces, step, low, high = ceil_of(x, longest), 1, 0, 0
    floor, once = floor_of(s, mc), memory_time(s, mc, 1, 1, of_own)
    each = s.e * other / (mc.port if of_own else mc.hbm)
    while pieces <= x:
        tx = min(longest, to_arrays(x, pieces, x_side))
        passes = ceil_of(x, tx)
        memory = once + each * (passes - 1)
        # More pieces move more: no further one is better.
        if memory > best.time or (limit >= 0.0 and not mc.shared and s.fixed + s.e * (passes - 1) * other > best.moved):
            break
        ty = whole_arrays(min(y, (mc.sram_bytes - panel * tx) // beside(s, mc, tx)), y, y_side)
        tm, tn = (ty, tx) if of_b else (tx, ty)
        a_passes, b_passes = (passes, 1) if of_b else (1, passes)
        cycles = tile_cycles(s, mc, tm, tn, 1)
        best = weighed(s, mc, ways, (tm, tn, a_passes, b_passes, cycles), best, limit)
        # The fewest pieces for which the array keeps up: past ``low``, by ``high``; steps double until there is one.
        if cycles <= (max(floor, memory) if limit < 0.0 else limit):
            high = pieces
        else:
            low = pieces
        if high == 0:
            pieces, step = pieces + step, 2 * step
        elif low == 0 or high - low <= 1:
            break
        else:
            pieces = (low + high) // 2
    return best


@inlined
def cols_of(rows: float, slab: float, z: float, size: float, block: float) -> float:
    """The most columns of a tile of outputs with so many rows: one slab may stream past the other."""
    cols = (size - slab * rows) / (slab + z * rows)
    past = (size - slab * (rows + block)) / (z * rows)
    if past >= block:
        cols = max(cols, past)
    if rows >= block:
        cols = max(cols, (size - slab * block) / (slab + z * rows))
    return cols


@inlined
def traffic_of(
    pieces: int, m: float, n: float, wa: float, wb: float, slab: float, z: float, size: float, block: float
) -> float:
    """Weighted passes over A and B where m is cut into so many pieces and sides need not be whole: the least."""
    cols = cols_of(m / pieces, slab, z, size, block)
    return wb * pieces + wa * n / max(min(cols, n), 1.0)


@inlined
def outputs(s: Share, mc: Machine, ways: Ways, best: Best, limit: float, of_own: bool) -> Best:
    """Tiles whose outputs stay, outwards from the number of pieces of m that moves least if sides were no integers.

    What is moved through the port (``of_own``), or from the HBM, as a function of the pieces of m is convex but for
    rounding, which only adds to it: a direction ends where it exceeds what was found.
    """
    m_side, n_side = sides_of(s.flow, mc)
    wa, wb = (float(s.own_a), float(s.own_b)) if of_own else (float(s.a), float(s.b))
    m, n, z = float(s.m), float(s.n), float(mc.sum_bytes)
    slab, size, block = float(mc.buffers * s.e * min(s.k, mc.slab)), float(mc.sram_bytes), float(mc.block)
    longest = math.floor((size - slab) / (slab + z))
    if longest < 1:
        return best
    past = math.floor((size - slab * (block + 1.0)) / z)
    longest = max(longest, past) if past >= mc.block else longest
    fewest = ceil_of(s.m, min(s.m, longest))
    start = max(fewest, min(s.m, int(math.sqrt(m * wa * n * z / (size * wb)))))
    value = traffic_of(start, m, n, wa, wb, slab, z, size, block)
    for way in range(2):
        while True:
            near = min(s.m, start + max(1, start // 16)) if way == 0 else max(fewest, start - max(1, start // 16))
            there = traffic_of(near, m, n, wa, wb, slab, z, size, block)
            if near == start or there >= value:
                break
            start, value = near, there
    slabs = ceil_of(s.k, mc.slab) if s.flow == OS else 1
    floor, least = floor_of(s, mc), math.inf
    for way in range(2):
        pieces, tried = (start if way == 0 else start - 1), 0
        while fewest <= pieces <= s.m:
            traffic = traffic_of(pieces, m, n, wa, wb, slab, z, size, block)
            moved = s.fixed + s.e * (traffic - wa - wb)
            worse = moved / mc.hbm >= best.time if limit < 0.0 else moved > best.moved
            if traffic >= least or (worse and not mc.shared):
                break
            tm = to_arrays(s.m, pieces, m_side)
            tn = math.floor(cols_of(float(tm), slab, z, size, block))
            if tn < 1:
                tm = whole_arrays(ceil_of(s.m, pieces), s.m, m_side)
                tn = math.floor(cols_of(float(tm), slab, z, size, block))
            if tn >= 1:
                tn = whole_arrays(min(tn, s.n), s.n, n_side)
                a_passes, b_passes = ceil_of(s.n, tn), ceil_of(s.m, tm)
                one = slabs if tm > mc.rows or tn > mc.cols else 1
                cycles = tile_cycles(s, mc, tm, tn, one)
                best = weighed(s, mc, ways, (tm, tn, a_passes, b_passes, cycles), best, limit)
                memory = memory_time(s, mc, a_passes, b_passes, of_own)
                if cycles <= (max(floor, memory) if limit < 0.0 else limit):
                    least = min(least, a_passes * wa + b_passes * wb)
            tried += 1
            step = max(1, pieces // 8 if tried > 16 else 0)
            pieces = pieces + step if way == 0 else pieces - step
    return best


@compiled
def one_fold(s: Share, mc: Machine, ways: Ways, best: Best, limit: float) -> Best:
    """Tiles of one fold, whose sums stay in an ``os`` array over all slabs of k."""
    slab = mc.buffers * s.e * min(s.k, mc.slab)
    tm = min(s.m, mc.rows)
    while tm >= 1:
        tn = min(s.n, mc.cols, (mc.sram_bytes - slab * tm) // (slab + mc.sum_bytes * tm))
        if tn >= 1:
            cycles = tile_cycles(s, mc, tm, tn, 1)
            best = weighed(s, mc, ways, (tm, tn, ceil_of(s.n, tn), ceil_of(s.m, tm), cycles), best, limit)
        tm //= 2
    return best


@compiled
def powers(s: Share, mc: Machine, ways: Ways, best: Best, limit: float) -> Best:
    """All orders with powers of two of one side and the longest other side: where the array waits for its tiles."""
    m_side, n_side = sides_of(s.flow, mc)
    slab = mc.buffers * s.e * min(s.k, mc.slab)
    block, panel = mc.buffers * s.e * s.k if s.flow == OS else slab, s.e * s.k
    slabs = ceil_of(s.k, mc.slab) if s.flow == OS else 1
    for order in range(3):
        size = s.n if order == 2 else s.m
        side = 1
        while True:
            x = min(side, size)
            if order == 0:
                y = (mc.sram_bytes - slab * x) // (slab + mc.sum_bytes * x)
            else:
                y = (mc.sram_bytes - block * x) // (panel + mc.buffers * mc.sum_bytes * x)
            if y >= 1:
                tm, tn = (y, x) if order == 2 else (x, y)
                tm, tn = whole_arrays(min(tm, s.m), s.m, m_side), whole_arrays(min(tn, s.n), s.n, n_side)
                a_passes = 1 if order == 2 else ceil_of(s.n, tn)
                b_passes = 1 if order == 1 else ceil_of(s.m, tm)
                one = slabs if order == 0 and (tm > mc.rows or tn > mc.cols) else 1
                cycles = tile_cycles(s, mc, tm, tn, one)
                best = weighed(s, mc, ways, (tm, tn, a_passes, b_passes, cycles), best, limit)
            if side >= size:
                break
            side *= 2
    return best


@inlined
def whole_tile(s: Share, mc: Machine, ways: Ways, best: Best, limit: float) -> Best:
    """The better of ``best`` and the tiles that keep a whole operand, with the most of the other that fits."""
    m_side, n_side = sides_of(s.flow, mc)
    for of_b in range(2):
        x, y, side = (s.n, s.m, m_side) if of_b else (s.m, s.n, n_side)
        room, each = mc.sram_bytes - s.e * s.k * x, beside(s, mc, x)
        if room >= each:
            length = whole_arrays(min(y, room // each), y, side)
            tm, tn = (length, x) if of_b else (x, length)
            best = weighed(s, mc, ways, (tm, tn, 1, 1, tile_cycles(s, mc, tm, tn, 1)), best, limit)
    return best


@inlined
def best_tile(s: Share, mc: Machine, ways: Ways, best: Best, limit: float) -> Best:
    """The better of ``best`` and the best tile of a share: the fastest, or the one that moves least within ``limit``.

    ``ways`` holds HBM bytes and further bytes at the port of each way to hold the product in a shared SRAM.
    """
    floor, levels = floor_of(s, mc), 2 if mc.shared else 1
    for order in range(3 * levels):
        # Nothing is better than what takes as long as no tile at all and, where it matters, moves nothing twice.
        if best.time <= floor and (limit < 0.0 or best.moved <= s.fixed):
            return best
        if order < 2 * levels:
            best = panels(s, mc, ways, best, limit, order % 2 == 0, order >= 2)
        else:
            best = outputs(s, mc, ways, best, limit, order == 5)
    if s.flow == OS:
        best = one_fold(s, mc, ways, best, limit)
    if best.time > floor and limit < 0.0:
        best = powers(s, mc, ways, best, limit)
        return weighed(s, mc, ways, (1, 1, s.n, s.m, tile_cycles(s, mc, 1, 1, 1)), best, limit)
    return best
