"""Splitting a product evenly over tensor cores: which grids there are, and the share of one core.

A grid gives the factors by which batch, m, k and n are cut; their product is the number of cores. At most two of
them differ from 1. Cores that share an operand receive it by multicast: it is read from HBM once for all.

Cutting k leaves s_k partial sums of every output. They are reduced in fp32 through HBM: each core writes what
others reduce and reads what it reduces itself, (s_k − 1)/s_k of its partial outputs each way, and adds at
one row of C accumulators per cycle when its product is done:

* bytes: 2 · 4 · (s_k − 1) · outputs,
* cycles: ⌈outputs of the core's share · (s_k − 1) / (s_k · C)⌉.

No vector core is needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import index

import numpy as np

from accmine.cost.arrays.timing import IntArray, ceil_div
from accmine.errors import InputError

__all__ = ["GridSet", "check_splits", "grids_of"]


@dataclass(frozen=True, eq=False)
class GridSet:
    """All grids of some split factors.

    Attributes
    ----------
    factors
        Cuts of (batch, m, k, n); shape (grids, 4), grouped by split.
    starts
        First grid of each split; shape (splits + 1,), ends with the number of grids.
    """

    factors: IntArray
    starts: tuple[int, ...]

    def shares(self, batch: IntArray, m: IntArray, k: IntArray, n: IntArray) -> tuple[IntArray, ...]:
        """Sizes (batch, m, k, n) of the largest share for each work and grid; shapes (works, grids)."""
        sizes = (batch, m, k, n)
        return tuple(ceil_div(size[:, None], self.factors[:, axis]) for axis, size in enumerate(sizes))

    def valid(
        self, batch: IntArray, m: IntArray, k: IntArray, n: IntArray
    ) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
        """Whether no dimension is cut into more pieces than it has; shape (works, grids)."""
        sizes = np.stack((batch, m, k, n), axis=1)
        return np.asarray((sizes[:, None, :] >= self.factors).all(axis=2), dtype=np.bool_)


def check_splits(splits: Sequence[int]) -> tuple[int, ...]:
    """The split factors as a tuple.

    Raises
    ------
    InputError
        If there are none, or one is not a positive integer.
    """
    try:
        checked = tuple(index(s) for s in splits)
    except TypeError:
        raise InputError(f"split factors must be positive integers, got {list(splits)!r}") from None
    if not checked or min(checked) < 1:
        raise InputError(f"split factors must be positive integers, got {list(splits)!r}")
    return checked


@lru_cache(maxsize=64)
def grids_of(splits: tuple[int, ...]) -> GridSet:
    """The grids of each split factor: one factor of two of (batch, m, k, n), or all of it on one."""
    factors: list[tuple[int, ...]] = []
    starts = [0]
    for split in splits:
        found: dict[tuple[int, ...], None] = {}
        for first in range(1, split + 1):
            if split % first:
                continue
            for i in range(4):
                for j in range(4):
                    if i != j:
                        grid = [1, 1, 1, 1]
                        grid[i], grid[j] = first, split // first
                        found[tuple(grid)] = None
        # Fewer cuts of k first: between equal grids the one without a reduction is taken.
        factors += sorted(found, key=lambda grid: (grid[2], grid))
        starts.append(len(factors))
    return GridSet(np.array(factors, dtype=np.int64).reshape(-1, 4), tuple(starts))
