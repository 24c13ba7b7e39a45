"""Least traffic of products against a brute force over all integer tiles and loop orders, at equal semantics.

One buffer between memory and multipliers, no double buffering, sums as wide as the operands (one byte) that leave the
buffer when they are final. The search is ``accmine.cost.arrays.orders`` with these semantics; the brute force shares no
code with it. It also says where sums that leave earlier would move less. Then the known optima of 4096³, which
AccelForge has proven for tiles that divide the product.

    python benchmarks/least_traffic.py [PRODUCTS]
"""

from __future__ import annotations

import random
import sys
from itertools import permutations, product
from typing import Any

import numpy as np

from accmine.cost.arrays.grid_search import least_traffic

Loops = tuple[str, ...]
Counts = Any  # arrays of integers, one for each choice of tile sizes

KIB = 1 << 10
KNOWN_MB = {64: 822.1, 256: 419.4, 1024: 218.1, 4096: 117.4, 16384: 67.1}
"""Buffer in KiB -> proven least traffic of 4096³ in int8, in MB, of tiles that divide the product."""


def tile_sizes(size: int, *, divisors: bool) -> list[int]:
    """The shortest tile of every number of pieces that there can be."""
    if divisors:
        return [tile for tile in range(1, size + 1) if size % tile == 0]
    return sorted({-(-size // pieces) for pieces in range(1, size + 1)})


def brute_force(m: int, k: int, n: int, buffer: int, *, divisors: bool = False, spill: bool = False) -> int:
    """Least elements moved, over all tile sizes, orders of loops, and loops outside of which a tensor is kept.

    Three loops over tiles stand around three loops over the elements of a tile, in any order. A tensor that is kept
    inside of d of them occupies, of each of its dimensions, what the loops of it inside of these leave, and moves
    once for each turn of those outside that do not index it; sums of a cut k are written in each turn and read in all
    but the first.
    """
    sizes = {"m": m, "k": k, "n": n}
    axes = [np.array(tile_sizes(sizes[d], divisors=divisors), dtype=np.int64) for d in sizes]
    tile = dict(zip(sizes, np.meshgrid(*axes, indexing="ij"), strict=True))
    best = BIG = np.iinfo(np.int64).max
    for outer, inner in product(permutations(sizes), repeat=2):
        options = [_kept(tensor, outer, inner, sizes, tile, spill=spill) for tensor in ("mk", "kn", "mn")]
        for (room_a, a), (room_b, b), (room_c, c) in product(*options):
            moved = np.where(room_a + room_b + room_c <= buffer, a + b + c, BIG)
            best = min(best, int(moved.min()))
    return int(best)


def _kept(
    tensor: str, outer: Loops, inner: Loops, sizes: dict[str, int], tile: dict[str, Counts], *, spill: bool
) -> list[tuple[Counts, Counts]]:
    """Room and elements moved of a tensor kept at every depth where it does not only take more room to move as much."""
    found: list[tuple[Counts, Counts]] = []
    for depth in range(7):
        around, within = outer[:depth], inner[: max(0, depth - 3)]
        room, again = np.ones_like(tile["m"]), np.ones_like(tile["m"])
        for d, size in sizes.items():
            if d in tensor:
                room = room * (1 if d in within else tile[d] if d in around else size)
            else:
                again = again * (-(-size // tile[d]) if d in around else 1) * (tile[d] if d in within else 1)
        moved = sizes[tensor[0]] * sizes[tensor[1]] * (2 * again - 1 if tensor == "mn" else again)
        if tensor == "mn" and not spill:
            room = np.where(again > 1, 1 << 40, room)
        if not any((room >= r).all() and (moved >= o).all() for r, o in found):
            found.append((room, moved))
    return found


def main() -> None:
    """Compare on random products and print the known optima beside what is found."""
    rng, count = random.Random(0), int(sys.argv[1]) if len(sys.argv) > 1 else 60
    equal, spilled, worst = 0, 0, 1.0
    for _ in range(count):
        m, k, n = (rng.choice((rng.randint(1, 20), rng.randint(1, 100))) for _ in range(3))
        buffer = rng.choice((16, 64, 256, 1000, 4 * KIB))
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
    print("4096 x 4096 x 4096, int8   proven   brute force over tiles that divide   search over all tiles")
    for kib, proven in KNOWN_MB.items():
        cut = brute_force(4096, 4096, 4096, kib * KIB, divisors=True)
        found = least_traffic(4096, 4096, 4096, kib * KIB)
        print(f"{kib:>8} KiB {proven:>21.1f} {cut / 1e6:>36.1f} {found / 1e6:>23.1f} MB")


if __name__ == "__main__":
    main()
