"""Waves of tiles: cycles of products whose outputs the libraries of a chip cut into tiles of a few shapes.

A core computes one tile of a × b outputs at a time. M/a · N/b tiles, each cut further into pieces along k, make
⌈tiles / cores⌉ waves, and each wave takes

    (⌈k / pieces⌉ + fill) · a·b / MACs · (1 + edge · (1/a + 1/b - 1/256 - 1/128))

cycles; a product cut along k also takes the time of a second kernel and of its partial sums. The shape and the cut with
the least cycles are taken. The last wave may be nearly empty: 109 tiles on 108 cores take as long as 216. Constants:
``accmine.hardware.calibration.Tiles``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt

from accmine.cost.arrays.timing import IntArray
from accmine.hardware import Design, Tiles

__all__ = ["Waves", "wave_cycles", "waves_of"]

FloatArray = npt.NDArray[np.float64]

K_PIECES = (1, 2, 3, 4, 6, 8, 12, 16, 32)
"""Cuts along k that libraries choose among."""

K_STEP, LEAST_K = 32, 128
"""A tile takes k in whole steps; pieces along k of fewer than ``LEAST_K`` are not made."""

_WHOLE = 1 / 256 + 1 / 128
"""1/a + 1/b of the tile at which an array reaches its efficiency."""


@dataclass(frozen=True, slots=True)
class Waves:
    """Tiles of a chip, with times in its cycles.

    Attributes
    ----------
    split_cycles
        What a product cut along k takes beside.
    sum_cycles
        Cycles of one partial sum: written and read, as far as it is not hidden.
    """

    tiles: Tiles
    split_cycles: float
    sum_cycles: float


def waves_of(design: Design) -> Waves | None:
    """The tiles of a design, ``None`` where its calibration names none."""
    tiles = design.calibration.tiles
    if not tiles.shapes:
        return None
    traffic = tiles.split_traffic * 2 * 4 / design.hbm_bytes_per_cycle
    return Waves(tiles, tiles.split_launch_s * design.frequency_hz, traffic)


def wave_cycles(
    m: IntArray, k: IntArray, n: IntArray, batch: IntArray, macs: int, cores: Sequence[int], waves: Waves
) -> IntArray:
    """Cycles of products C[m,n] = A[m,k] · B[k,n], ``batch`` times, at the peak of so many arrays.

    Parameters
    ----------
    m, k, n, batch
        Shapes (products,).
    macs
        Multiply-accumulates per cycle of one core.
    cores
        Numbers of cores. More of them never take longer.

    Returns
    -------
    int array
        Rounded up; shape (products, cores).
    """
    tiles, counts = waves.tiles, np.array(cores, dtype=np.float64)
    best = np.full((len(m), len(counts)), np.inf)
    for (rows, columns), pieces in product(tiles.shapes, K_PIECES):
        deep = np.ceil(k / pieces / K_STEP) * K_STEP
        allowed = (deep >= LEAST_K) | (pieces == 1)
        step = rows * columns / macs * (1.0 + tiles.edge * max(0.0, 1 / rows + 1 / columns - _WHOLE))
        number = np.ceil(m / rows) * np.ceil(n / columns) * batch * pieces
        one = (deep + tiles.fill) * step
        beside = 0.0 if pieces == 1 else waves.split_cycles + waves.sum_cycles * pieces * m * n * batch
        cycles = np.ceil(number[:, None] / counts) * one[:, None] + np.broadcast_to(beside, one.shape)[:, None]
        np.minimum(best, np.where(allowed[:, None], cycles, np.inf), out=best)
    return np.asarray(np.ceil(best), dtype=np.int64)
