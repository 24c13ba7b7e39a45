"""What a calibration does to the cost of each operator: one place for launch, efficiencies and the time of traffic.

Costs are computed for the peaks of a machine, and tiles are chosen for them. A calibration only slows down what was
chosen, so an efficiency below 1 never makes anything faster.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from accmine.cost.arrays.timing import IntArray
from accmine.hardware import Design
from accmine.hardware.calibration import Constants
from accmine.workload.work import Work

__all__ = ["SUSTAINED_S", "Corrections", "corrections", "family", "no_corrections"]

FloatArray = npt.NDArray[np.float64]

SUSTAINED_S = 1e-3
"""Time of an operator at which half of the way from the burst to the sustained clock is gone: a power limit is felt
over milliseconds. Our judgement; kernel times of an H100 fall between 0.3 and 3 ms."""


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
    ramp_bytes
        Bytes that could have been moved while the bandwidth of an operator builds up.
    overlap
        Exponent of the norm that joins computing and memory; infinite: the longer one hides the other.
    sustained, sustained_cycles
        Share of its rate that an array keeps in long operators, and the length at which half of the loss is there.
    host_cycles
        Least duration of an operator.
    """

    launch_cycles: IntArray
    array_efficiency: FloatArray
    vector_efficiency: FloatArray
    hbm_efficiency: FloatArray
    ramp_bytes: FloatArray
    overlap: FloatArray
    sustained: FloatArray
    sustained_cycles: FloatArray
    host_cycles: IntArray

    def array_cycles(self, cycles: npt.ArrayLike) -> FloatArray:
        """Cycles of arrays at their efficiency and, the longer they last, at the sustained clock; (works, ...)."""
        given = np.asarray(cycles, dtype=np.float64)
        longer = given / _along(self.array_efficiency, given)
        if (self.sustained == 1.0).all():
            return np.asarray(longer, dtype=np.float64)
        loss = 1.0 / _along(self.sustained, given) - 1.0
        return np.asarray(longer * (1.0 + loss * longer / (longer + _along(self.sustained_cycles, given))))

    def busy_bytes(self, moved: npt.ArrayLike) -> IntArray:
        """Bytes that would keep the HBM as busy at full efficiency, rounded up; ``moved`` is (works, ...)."""
        given = np.asarray(moved, dtype=np.int64)
        if (self.hbm_efficiency == 1.0).all() and not self.ramp_bytes.any():
            return given
        ramped = np.where(given > 0, given + _along(self.ramp_bytes, given), 0)
        return np.asarray(np.ceil(ramped / _along(self.hbm_efficiency, given)), dtype=np.int64)

    def norm(self, computing: npt.NDArray[Any], memory: npt.NDArray[Any]) -> FloatArray:
        """Time of computing and memory together, never less than the longer one; arrays of shape (works, ...)."""
        longer, shorter = np.maximum(computing, memory), np.minimum(computing, memory)
        power = _along(self.overlap, longer)
        return np.asarray(longer * np.exp(np.log1p((shorter / np.maximum(longer, 1e-300)) ** power) / power))

    def joined(self, computing: IntArray, memory: IntArray) -> IntArray:
        """The same in whole cycles."""
        longer = np.maximum(computing, memory)
        if np.isinf(self.overlap).all():
            return np.asarray(longer, dtype=np.int64)
        soft = np.ceil(self.norm(computing, memory) - 1e-6).astype(np.int64)
        return np.where(_along(np.isinf(self.overlap), longer), longer, np.maximum(longer, soft))

    def busy_cycles(self, cycles: IntArray, moved: npt.ArrayLike, bytes_per_cycle: int | IntArray) -> IntArray:
        """Cycles of computing joined with ⌈busy bytes / bandwidth⌉, without the launch; arrays of (works, ...)."""
        return self.joined(cycles, -(-self.busy_bytes(moved) // bytes_per_cycle))

    def launched(self, busy: IntArray) -> IntArray:
        """Cycles from start to end of operators that are busy for so long; arrays of shape (works, ...)."""
        whole = _along(self.launch_cycles, busy) + busy
        return np.asarray(np.maximum(_along(self.host_cycles, busy), whole), dtype=np.int64)

    def durations(self, cycles: IntArray, moved: npt.ArrayLike, bytes_per_cycle: int | IntArray) -> IntArray:
        """Cycles from start to end with so much bandwidth; arrays of shape (works, ...)."""
        return self.launched(self.busy_cycles(cycles, moved, bytes_per_cycle))

    def take(self, works: Any) -> Corrections:
        """Those of some works."""
        return Corrections(*(getattr(self, name)[works] for name in self.__dataclass_fields__))

    def but_measured(self, measured: npt.NDArray[np.bool_]) -> Corrections:
        """Those that a measured time leaves: its own launch; nothing is added to what was measured."""
        own = {
            "ramp_bytes": np.where(measured, 0.0, self.ramp_bytes),
            "overlap": np.where(measured, np.inf, self.overlap),
            "host_cycles": np.where(measured, 0, self.host_cycles),
        }
        return replace(self, **own)


def _along(of_works: npt.NDArray[Any], like: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """An array of shape (works,) that broadcasts against one of shape (works, ...)."""
    return of_works.reshape(-1, *([1] * (like.ndim - 1)))


def family(work: Work) -> str:
    """The kind of calibrated constants (``accmine.hardware.calibration.KINDS``) of a work.

    A work with a product is a ``product`` or a ``convolution`` (its images overlap or are gathered), whatever is fused
    to it; else the vector part with most elements decides, of equal ones that with the longest rows: a softmax takes
    scale and mask into its kernel, not they the softmax.
    """
    if work.attention is not None:
        return "attention"
    if work.gemm is not None:
        g = work.gemm
        return "convolution" if g.a_elements < g.batch * g.m * g.k or g.b_elements < g.batch * g.k * g.n else "product"
    if not work.vector:
        return "elementwise"
    kind = max(work.vector, key=lambda part: (part.elements, part.row)).kind
    if kind.endswith("-update"):
        return "optimizer"
    if "norm" in kind:
        return "norm"
    return "softmax" if kind.startswith(("softmax", "cross-entropy")) else "elementwise"


def corrections(works: Sequence[Work], design: Design) -> Corrections:
    """What the calibration of a design does to each work."""
    calibration, count = design.calibration, len(works)
    own: list[Constants] = (
        [calibration.of(family(work)) for work in works] if calibration.kinds else [calibration] * count
    )

    def column(name: str) -> FloatArray:
        return np.array([getattr(constants, name) for constants in own], dtype=np.float64)

    def cycles(name: str) -> IntArray:
        return np.array([design.cycles_of(getattr(constants, name)) for constants in own], dtype=np.int64)

    return Corrections(
        launch_cycles=cycles("launch_s"),
        array_efficiency=column("array_efficiency"),
        vector_efficiency=column("vector_efficiency"),
        hbm_efficiency=column("hbm_efficiency") / calibration.best("hbm_efficiency"),
        ramp_bytes=column("hbm_ramp_bytes"),
        overlap=np.where(column("overlap") == 0.0, np.inf, column("overlap")),
        sustained=column("sustained"),
        sustained_cycles=np.full(count, SUSTAINED_S * design.frequency_hz),
        host_cycles=cycles("host_launch_s"),
    )


def no_corrections(count: int) -> Corrections:
    """Corrections of ``count`` works that change nothing."""
    ones, none, zeros = np.ones(count), np.zeros(count, dtype=np.int64), np.zeros(count)
    return Corrections(none, ones, ones, ones, zeros, np.full(count, np.inf), ones, ones, none)
