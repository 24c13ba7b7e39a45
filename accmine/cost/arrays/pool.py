"""How a product is held in the SRAM that cores share; compiled.

It holds a panel of A or B over the whole k beside double-buffered slabs of the other operand, or a tile of outputs
whose fp32 sums go to and fro between core and shared SRAM once per slab of k: the longer the slabs, the less often.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from accmine.cost.arrays.compiled import compiled
from accmine.cost.arrays.kernel import ceil_of
from accmine.cost.arrays.orders import traffic_of
from accmine.cost.arrays.products import SUM_BYTES

__all__ = ["hold"]

FloatArray = npt.NDArray[np.float64]

_BLOCK = 256
"""Rows or columns, and slab of k, of a streamed block beside a panel; our choice."""


@compiled
def hold(m: int, k: int, n: int, outputs: int, a: int, b: int, e: int, size: int, held: FloatArray) -> None:
    """Put the ways to hold a product in ``size`` bytes into ``held``; shape (5, 4).

    Of each way: elements read from HBM beyond the first pass, further passes over A and over B at the ports (each is
    one further cut of what cores can keep), and fp32 sums written and read again. ``outputs`` counts all products.
    """
    for way in range(2):
        side, other, streamed = (m, n, b) if way == 0 else (n, m, a)
        stays = (size - 2 * e * min(k, _BLOCK) * min(other, _BLOCK)) // (e * k)
        # One row at a time where not even that fits.
        again = ceil_of(side, max(1, min(side, stays))) - 1
        held[way, 0] = float(again) * streamed
        held[way, 1], held[way, 2] = (0.0, float(again)) if way == 0 else (float(again), 0.0)
        held[way, 3] = 0.0
    for way in range(2, 5):
        length = 256 if way == 2 else (1024 if way == 3 else 4096)
        rows, cols = tile_of(m, n, float(a), float(b), float(2 * e * min(k, length)), float(size))
        held[way, 1], held[way, 2] = ceil_of(n, cols) - 1.0, ceil_of(m, rows) - 1.0
        held[way, 0] = held[way, 1] * a + held[way, 2] * b
        held[way, 3] = 2.0 * outputs * (ceil_of(k, length) - 1)


@compiled
def tile_of(m: int, n: int, a: float, b: float, slab: float, size: float) -> tuple[int, int]:
    """The tile of outputs that reads least: outwards from the best one of sides that are no integers."""
    longest = math.floor((size - slab) / (slab + SUM_BYTES))
    if longest < 1:
        return 1, 1
    fewest = ceil_of(m, min(m, longest))
    start = max(fewest, min(m, int(math.sqrt(m * a * n * SUM_BYTES / (size * b)))))
    least, rows, cols = math.inf, 1, 1
    for way in range(2):
        pieces, rising = (start if way == 0 else start - 1), 0.0
        while fewest <= pieces <= m:
            bound = traffic_of(pieces, float(m), float(n), a, b, slab, float(SUM_BYTES), size, math.inf)
            if bound >= least and bound >= rising > 0.0:
                break
            tm = ceil_of(m, pieces)
            tn = min(n, math.floor((size - slab * tm) / (slab + SUM_BYTES * tm)))
            if tn >= 1:
                traffic = ceil_of(n, tn) * a + ceil_of(m, tm) * b
                if traffic < least:
                    least, rows, cols = traffic, tm, tn
            rising = bound
            pieces += 1 if way == 0 else -1
    return rows, cols
