"""Least traffic of products against a brute force over all integer tiles and loop orders, at equal semantics.

One buffer between memory and multipliers, no double buffering, sums as wide as the operands (one byte), one element of
k at a time; partial sums leave the buffer only where ``--spill`` says so. The search is ``accmine.cost.arrays.orders``
with these semantics; the brute force shares no code with it. Then the known optima of 4096³ (proven with AccelForge,
which looks at tiles that divide the product), and AccelForge itself where it can be imported.

    python benchmarks/least_traffic.py [PRODUCTS]
"""

from __future__ import annotations

import importlib.util
import random
import sys
from itertools import permutations, product

import numpy as np

from accmine.cost.arrays.grid_search import least_traffic

KIB = 1 << 10
KNOWN_MB = {64: 822.1, 256: 419.4, 1024: 218.1, 4096: 117.4, 16384: 67.1}
"""Buffer in KiB -> proven least traffic of 4096³ in int8, in MB, of tiles that divide the product."""


def tile_sizes(size: int, *, divisors: bool) -> list[int]:
    """The shortest tile of every number of pieces that there can be."""
    if divisors:
        return [tile for tile in range(1, size + 1) if size % tile == 0]
    return sorted({-(-size // pieces) for pieces in range(1, size + 1)})


def brute_force(m: int, k: int, n: int, buffer: int, *, divisors: bool = False, spill: bool = False) -> int:
    """Least elements moved over all orders of the loops over tiles, tile sizes, and loops that a tensor is kept outside of.

    A tensor that is kept inside of d loops occupies the tile sizes of these and all of the other dimensions, and moves
    once for each turn of those of them that do not index it; sums of a cut k are written in each turn and read in all
    but the first.
    """
    sizes = {"m": m, "k": k, "n": n}
    tensors = ("mk", "kn", "mn")
    choices = {d: np.array(tile_sizes(sizes[d], divisors=divisors), dtype=np.int64) for d in sizes}
    tile = {d: choices[d].reshape([-1 if i == at else 1 for i in range(3)]) for at, d in enumerate(sizes)}
    turns = {d: -(-sizes[d] // tile[d]) for d in sizes}
    best = np.iinfo(np.int64).max
    for order in permutations(sizes):
        for depths in product(range(4), repeat=3):
            room, moved = np.zeros((1, 1, 1), dtype=np.int64), np.zeros((1, 1, 1), dtype=np.int64)
            valid = np.ones((1, 1, 1), dtype=np.bool_)
            for tensor, depth in zip(tensors, depths, strict=True):
                outside = order[:depth]
                held = np.ones((1, 1, 1), dtype=np.int64)
                for d in tensor:
                    held = held * (tile[d] if d in outside else sizes[d])
                again = np.ones((1, 1, 1), dtype=np.int64)
                for d in outside:
                    if d not in tensor:
                        again = again * turns[d]
                whole = sizes[tensor[0]] * sizes[tensor[1]]
                room = room + held
                moved = moved + whole * (2 * again - 1 if tensor == "mn" else again)
                if tensor == "mn" and not spill:
                    valid = valid & (again == 1)
            fits = (room <= buffer) & valid
            if fits.any():
                best = min(best, int(np.where(fits, moved, np.iinfo(np.int64).max).min()))
    return best


def main() -> None:
    """Compare on random products and print the known optima beside what is found."""
    rng, count = random.Random(0), int(sys.argv[1]) if len(sys.argv) > 1 else 60
    equal, spilled, worst = 0, 0, 1.0
    for _ in range(count):
        m, k, n = (rng.choice((rng.randint(1, 40), rng.randint(1, 400))) for _ in range(3))
        buffer = rng.choice((16, 64, 256, 1000, 4 * KIB, 16 * KIB))
        found, oracle = least_traffic(m, k, n, buffer), brute_force(m, k, n, buffer)
        free = brute_force(m, k, n, buffer, spill=True)
        equal += found == oracle
        spilled += free < oracle
        worst = max(worst, found / free)
        if found != oracle:
            print(f"{m} x {k} x {n}, {buffer} B: found {found}, oracle {oracle}")
    print(
        f"{equal} of {count} random products equal to the brute force; sums that may leave the buffer would move less"
    )
    print(f"on {spilled} of them, at most {worst:.3f} x\n")
    print("4096 x 4096 x 4096, int8    proven   brute force over divisors   over all tiles   search")
    for kib, proven in KNOWN_MB.items():
        cut = brute_force(4096, 4096, 4096, kib * KIB, divisors=True)
        free = brute_force(4096, 4096, 4096, kib * KIB)
        found = least_traffic(4096, 4096, 4096, kib * KIB)
        print(f"{kib:>8} KiB {proven:>22.1f} {cut / 1e6:>27.1f} {free / 1e6:>16.1f} {found / 1e6:>8.1f} MB")
    if importlib.util.find_spec("accelforge") is None:
        print(
            "AccelForge (Python 3.12 or later: pip install accelforge) is not installed: its optima are the known ones"
        )


if __name__ == "__main__":
    main()
