"""What a calibration does to the cost of each operator: one place for launch, efficiencies and the time of traffic.

Costs are computed for the peaks of a machine, and tiles are chosen for them. A calibration only slows down what was
chosen, so an efficiency below 1 never makes anything faster.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from accmine.cost.arrays.timing import IntArray
from accmine.hardware import Design
from accmine.workload.work import Work

__all__ = ["Corrections", "corrections", "no_corrections"]

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Corrections:
    """Corrections of operators as arrays of shape (works,).

    Attributes
    ----------
    launch_cycles
        Cycles that an operator takes beside its work.
    array_efficiency, vector_efficiency
        Share of their peak that arrays and vector units reach: computing cycles are divided by it.
    hbm_efficiency
        Share of the bandwidth that operators get (``accmine.cost.modes.hbm_capacity``) which this one reaches.
    """

    launch_cycles: IntArray
    array_efficiency: FloatArray
    vector_efficiency: FloatArray
    hbm_efficiency: FloatArray

    def busy_bytes(self, moved: npt.ArrayLike) -> IntArray:
        """Bytes that would keep the HBM as busy at full efficiency, rounded up; ``moved`` is (works, ...)."""
        given = np.asarray(moved, dtype=np.int64)
        if (self.hbm_efficiency == 1.0).all():
            return given
        return np.asarray(np.ceil(given / _along(self.hbm_efficiency, given)), dtype=np.int64)

    def busy_cycles(self, cycles: IntArray, moved: npt.ArrayLike, bytes_per_cycle: int | IntArray) -> IntArray:
        """max(cycles, ⌈busy bytes / bandwidth⌉), without the launch; arrays of shape (works, ...)."""
        return np.asarray(np.maximum(cycles, -(-self.busy_bytes(moved) // bytes_per_cycle)), dtype=np.int64)

    def durations(self, cycles: IntArray, moved: npt.ArrayLike, bytes_per_cycle: int | IntArray) -> IntArray:
        """Cycles from start to end with so much bandwidth; arrays of shape (works, ...)."""
        busy = self.busy_cycles(cycles, moved, bytes_per_cycle)
        return np.asarray(_along(self.launch_cycles, busy) + busy, dtype=np.int64)

    def take(self, works: Any) -> Corrections:
        """Those of some works."""
        return Corrections(*(getattr(self, name)[works] for name in self.__dataclass_fields__))


def _along(of_works: npt.NDArray[Any], like: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """An array of shape (works,) that broadcasts against one of shape (works, ...)."""
    return of_works.reshape(-1, *([1] * (like.ndim - 1)))


def corrections(works: Sequence[Work], design: Design) -> Corrections:
    """What the calibration of a design does to each work."""
    calibration, count = design.calibration, len(works)
    return Corrections(
        launch_cycles=np.full(count, design.launch_cycles, dtype=np.int64),
        array_efficiency=np.full(count, calibration.array_efficiency),
        vector_efficiency=np.full(count, calibration.vector_efficiency),
        hbm_efficiency=np.ones(count),
    )


def no_corrections(count: int) -> Corrections:
    """Corrections of ``count`` works that change nothing."""
    ones = np.ones(count)
    return Corrections(np.zeros(count, dtype=np.int64), ones, ones, ones)
