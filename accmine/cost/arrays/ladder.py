"""The compiled search for grids: every split of a product in turn, each only where it may beat the smaller ones.

Grids of a split are weighed in the order of a lower bound of their time until none that is left can be faster; then,
of all tiles, grids and dataflows within ``WINDOW`` of the least time, the one is taken that moves least.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from accmine.cost.arrays.compiled import compiled, inlined
from accmine.cost.arrays.kernel import (
    IS,
    OS,
    WAYS,
    WS,
    Best,
    Machine,
    Share,
    Ways,
    better,
    ceil_of,
    fold_cycles_of,
    no_tile,
    packed_cycles_of,
)
from accmine.cost.arrays.orders import best_tile, whole_tile
from accmine.cost.arrays.pool import hold
from accmine.cost.arrays.products import SUM_BYTES

__all__ = ["WINDOW", "climb"]

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
Four = tuple[int, int, int, int]

WINDOW = 1.01
"""Times within one percent are equal: then bytes decide."""


class Product(NamedTuple):
    """A row of the table of products."""

    m: int
    k: int
    n: int
    batch: int
    passes: int
    a: int
    b: int
    c: int
    e: int
    halo: int
    halo_of_k: int
    images: int
    compulsory: int


@inlined
def gcd(a: int, b: int) -> int:
    """The greatest common divisor."""
    while b:
        a, b = b, a % b
    return a


@inlined
def halo_bytes(p: Product, pieces: int) -> int:
    """What cores read again of an image cut between them."""
    # A cut between two images shares nothing: only pieces - gcd(pieces, images) of them fall inside one.
    return p.halo * (pieces - gcd(pieces, p.images)) * p.e


@inlined
def share_of(p: Product, cut: Four, bound: Best, mc: Machine, size: Four, folds: int) -> Share:
    """The busiest core's share of a product on the grid and in the dataflow of ``bound``."""
    cb, cm, ck, cn = cut
    repeats, m, k, n = size
    stream = m if bound.flow == WS else (k if bound.flow == OS else n)
    # A core adds at one row of C accumulators per cycle, and sends and receives what it adds.
    sums = 2 * SUM_BYTES * ceil_of(repeats // p.passes * m * n * (ck - 1), ck) if ck > 1 else 0
    return Share(
        bound.flow,
        m,
        k,
        n,
        repeats,
        p.e,
        p.a,
        p.b,
        ceil_of(p.a, cb * cm * ck),
        ceil_of(p.b, cb * ck * cn),
        ceil_of(p.c, cb * cm * ck * cn),
        sums,
        bound.moved,
        max(1, p.images // cm),
        0 if p.halo_of_k else p.halo * cm,
        bound.cycles,
        fold_cycles_of(bound.flow, folds * repeats, stream, 1, mc),
    )


@inlined
def fill_sizes(p: Product, mc: Machine, sizes: IntArray) -> None:
    """Of every number of pieces: sizes of the largest share along (batch, m, k, n), and what they are in arrays.

    ``sizes`` has the shape (pieces, 8): the last four are m in rows and in columns, k in rows, n in columns.
    """
    for f in range(1, len(sizes)):
        batch, m, k, n = ceil_of(p.batch, f), ceil_of(p.m, f), ceil_of(p.k, f), ceil_of(p.n, f)
        sizes[f, 0], sizes[f, 1], sizes[f, 2], sizes[f, 3] = batch * p.passes, m, k, n
        sizes[f, 4], sizes[f, 5] = ceil_of(m, mc.rows), ceil_of(m, mc.cols)
        sizes[f, 6], sizes[f, 7] = ceil_of(k, mc.rows), ceil_of(n, mc.cols)


@inlined
def bound_of(p: Product, grid: int, cut: Four, flow: int, mc: Machine, size: Four, folds: int) -> Best:
    """Lower bounds of what any tile takes on a grid: on its largest share of ``size`` and ``folds``."""
    cb, cm, ck, cn = cut
    repeats, m, k, n = size
    x, y, stream = (k, n, m) if flow == WS else ((m, n, k) if flow == OS else (k, m, n))
    cycles = fold_cycles_of(flow, folds * repeats, stream, 1, mc)
    if mc.packs and repeats > 1 and 2 * y <= mc.cols:
        cycles = packed_cycles_of(flow, x, y, stream, folds, repeats, cycles, mc)
    moved, port = p.compulsory, 0
    if ck > 1:
        summed = repeats // p.passes * m * n * (ck - 1)
        cycles += ceil_of(summed, ck * mc.cols)
        moved += 2 * SUM_BYTES * (ck - 1) * p.c
        port = 2 * SUM_BYTES * ceil_of(summed, ck)
    if p.halo > 0:
        moved += halo_bytes(p, ck if p.halo_of_k else cm)
    if mc.shared:
        own = ceil_of(p.a, cb * cm * ck) + ceil_of(p.b, cb * ck * cn) + ceil_of(p.c, cb * cm * ck * cn)
        port += p.e * own
    return Best(max(float(cycles), moved / mc.hbm, port / mc.port), moved, port, cycles, grid, flow, 0, 0)


@inlined
def folds_from(sizes: IntArray, cut: Four, flow: int) -> int:
    """Folds of the largest share of a grid."""
    _, cm, ck, cn = cut
    deep, across = (cm, 4) if flow == OS else (ck, 6), (cm, 5) if flow == IS else (cn, 7)
    folds: int = sizes[deep] * sizes[across]
    return folds


@inlined
def least_again(s: Share, mc: Machine) -> float:
    """Elements read again at least, by any tile without a shared SRAM."""
    size, panel = float(mc.sram_bytes), float(s.e * s.k)
    of_b = max(0.0, math.ceil(s.n * panel / size) - 1.0) * s.a
    of_a = max(0.0, math.ceil(s.m * panel / size) - 1.0) * s.b
    passes = math.sqrt(float(s.m) * s.a * s.n * s.b * mc.sum_bytes / size)
    return min(of_a, of_b, max(0.0, 2.0 * passes - s.a - s.b))


@inlined
def way_of(s: Share, held: FloatArray, at: int, outputs: int) -> tuple[float, float]:
    """HBM bytes of a way to hold the product, and further bytes at the busiest core's port."""
    again = s.own_a * held[at, 1] + s.own_b * held[at, 2]
    # Sums are spread over the cores as the outputs are.
    return s.e * held[at, 0], s.e * again + SUM_BYTES * held[at, 3] * s.own_c / outputs


@compiled
def ways_of(p: Product, batch_cut: int, s: Share, pool: int, known: FloatArray) -> Ways:
    """What each way to hold the product costs on a grid."""
    # Products of a batch that run side by side have the memory among them.
    held = known[batch_cut]
    if held[0, 0] < 0.0:
        hold(p.m, p.k, p.n, p.m * p.n * p.batch, p.a, p.b, p.e, pool // batch_cut, held)
    one, two, three = way_of(s, held, 0, p.c), way_of(s, held, 1, p.c), way_of(s, held, 2, p.c)
    return one + two + three + way_of(s, held, 3, p.c) + way_of(s, held, 4, p.c)


@inlined
def least_of(s: Share, mc: Machine, ways: Ways, bound: Best) -> Best:
    """``bound`` with what any tile of the share reads again at least."""
    again = s.e * least_again(s, mc)
    if mc.shared:
        again = min(again, ways[0], ways[2], ways[4], ways[6], ways[8])
    moved = s.fixed + int(again)
    return Best(max(bound.time, moved / mc.hbm), moved, bound.port, bound.cycles, bound.grid, bound.flow, 0, 0)


@inlined
def useful(one: Best, fewer: Best) -> bool:
    """Whether more cores are worth it: a time, or cycles behind an equal time, that differs from that of fewer."""
    if one.time * WINDOW < fewer.time:
        return True
    return one.time <= fewer.time and one.cycles * WINDOW < fewer.cycles


@inlined
def gather(
    p: Product,
    cuts: IntArray,
    span: tuple[int, int, int, int],
    mc: Machine,
    sizes: IntArray,
    bounds: FloatArray,
    count: int,
    carry: Best,
) -> tuple[int, int]:
    """Put the bounds of the grids and dataflows of ``span`` that may be useful behind the ``count`` there are.

    Returns how many there are then, and the first grid that was left: cuts of k stand last and move partial sums, so
    that they are left, at first, where the bound of others comes within ``WINDOW`` of all the multipliers' peak.
    """
    first, last, low, high = span
    least, flows = math.inf, high - low
    enough = WINDOW * float(p.m) * p.k * p.n * p.batch * p.passes / (mc.rows * mc.cols)
    for g in range(first, last):
        cb, cm, ck, cn = cuts[g, 0], cuts[g, 1], cuts[g, 2], cuts[g, 3]
        if p.batch < cb or p.m < cm or p.k < ck or p.n < cn:
            continue
        if ck > 1 and least * (cb * cm * ck * cn) <= enough:
            return count, g
        size = sizes[cb, 0], sizes[cm, 1], sizes[ck, 2], sizes[cn, 3]
        for flow in range(low, high):
            bound = bound_of(p, g, (cb, cm, ck, cn), flow, mc, size, folds_from(sizes, (cb, cm, ck, cn), flow))
            least = min(least, bound.time)
            if useful(bound, carry):
                bounds[0, count], bounds[1, count], bounds[2, count] = bound.time, bound.cycles, bound.moved
                bounds[3, count], bounds[4, count] = bound.port, g * flows + flow - low
                count += 1
    return count, last


@inlined
def forward(bounds: FloatArray, visit: int, count: int) -> None:
    """Exchange the place ``visit`` with that of the least bound from there on."""
    at = visit
    for other in range(visit + 1, count):
        if bounds[0, other] < bounds[0, at] or (bounds[0, other] == bounds[0, at] and bounds[1, other] < bounds[1, at]):
            at = other
    for row in range(5):
        bounds[row, visit], bounds[row, at] = bounds[row, at], bounds[row, visit]


@inlined
def settle(
    p: Product,
    cuts: IntArray,
    span: tuple[int, int, int, int],
    mc: Machine,
    pool: int,
    sizes: IntArray,
    known: FloatArray,
    bounds: FloatArray,
    carry: Best,
) -> Best:
    """The best of the grids ``span[0]`` to ``span[1]`` and dataflows ``span[2]`` to ``span[3]``, or ``carry``.

    First what moves least within ``WINDOW`` of the least bound is looked for. Where no tile is as fast, the fastest is,
    and what moves least within ``WINDOW`` of it.
    """
    low, flows, best = span[2], span[3] - span[2], no_tile()
    count, left = gather(p, cuts, span, mc, sizes, bounds, 0, carry)
    if count == 0:
        return carry
    ways = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    forward(bounds, 0, count)
    limit = min(WINDOW * bounds[0, 0], carry.time)
    for turn in range(3):
        for visit in range(count):
            forward(bounds, visit, count)
            if bounds[0, visit] > limit if limit >= 0.0 else bounds[0, visit] >= best.time:
                break
            g, flow = int(bounds[4, visit]) // flows, low + int(bounds[4, visit]) % flows
            moved, port, cycles = int(bounds[2, visit]), int(bounds[3, visit]), int(bounds[1, visit])
            bound = Best(bounds[0, visit], moved, port, cycles, g, flow, 0, 0)
            if not better(bound, best, limit):
                continue
            cut = cuts[g, 0], cuts[g, 1], cuts[g, 2], cuts[g, 3]
            size = sizes[cut[0], 0], sizes[cut[1], 1], sizes[cut[2], 2], sizes[cut[3], 3]
            s = share_of(p, cut, bound, mc, size, folds_from(sizes, cut, flow))
            if mc.shared:
                ways = ways_of(p, cut[0], s, pool, known)
            here = Best(best.time, best.moved, best.port, best.cycles, g, flow, best.tm, best.tn)
            found = whole_tile(s, mc, ways, here, limit)
            # Nothing is better than the bound itself.
            if better(bound, found, limit) and better(least_of(s, mc, ways, bound), found, limit):
                found = best_tile(s, mc, ways, found, limit)
            if better(found, best, limit):
                best = found
        if limit >= 0.0 and best.grid >= 0:
            break
        if turn == 0:
            limit = -1.0
            if left < span[1]:
                count, _ = gather(p, cuts, (left, span[1], low, span[3]), mc, sizes, bounds, count, carry)
        elif best.grid < 0:
            break
        else:
            limit = min(WINDOW * best.time, carry.time)
    return best if useful(best, carry) else carry


@compiled
def climb(
    table: IntArray,
    cuts: IntArray,
    starts: IntArray,
    flows: tuple[int, int],
    mc: Machine,
    pool: int,
    found: IntArray,
) -> None:
    """Fill ``found``, shape (7, products, splits): cycles, HBM and port bytes, grid, dataflow, sides of tiles.

    Each is the best on at most so many cores, of the splits there are: where no grid of a split is usefully faster
    than a smaller split, that one is repeated. Grid and dataflow are -1 where no dimension is long enough.
    """
    widest = 0
    for j in range(len(starts) - 1):
        widest = max(widest, starts[j + 1] - starts[j])
    bounds = np.empty((5, widest * (flows[1] - flows[0])))
    sizes = np.ones((cuts.max() + 1, 8), dtype=np.int64)
    known = np.empty((cuts[:, 0].max() + 1 if mc.shared else 1, WAYS, 4))
    for i in range(len(table)):
        known[:, 0, 0] = -1.0
        t = table[i]
        p = Product(t[0], t[1], t[2], t[3], t[4], t[5], t[6], t[7], t[8], t[9], t[10], t[11], t[12])
        fill_sizes(p, mc, sizes)
        carry = no_tile()
        for j in range(len(starts) - 1):
            span = (starts[j], starts[j + 1], flows[0], flows[1])
            carry = settle(p, cuts, span, mc, pool, sizes, known, bounds, carry)
            found[0, i, j], found[1, i, j], found[2, i, j] = carry.cycles, carry.moved, carry.port
            found[3, i, j], found[4, i, j] = carry.grid, carry.flow
            found[5, i, j], found[6, i, j] = carry.tm, carry.tn
