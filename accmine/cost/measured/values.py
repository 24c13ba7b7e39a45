"""Putting measured values into cost arrays: what of a cost changes with a measured time, and what stays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from accmine.cost.arrays.timing import IntArray
from accmine.cost.measured.file import MeasuredRow
from accmine.cost.operator_costs import INVALID, BoolArray, OperatorCosts
from accmine.hardware import Design

__all__ = ["INTERPOLATED", "MEASURED", "MODELLED", "Change", "OriginArray", "Values"]

FloatArray = npt.NDArray[np.float64]
OriginArray = npt.NDArray[np.int8]

MODELLED, INTERPOLATED, MEASURED = 0, 1, 2
"""Where a cost comes from."""


@dataclass(frozen=True, eq=False)
class Values:
    """Measured values as arrays of shape (rows,); NaN where not measured."""

    cycles: FloatArray
    hbm_bytes: FloatArray
    picojoules: FloatArray

    @staticmethod
    def of(rows: Sequence[MeasuredRow]) -> Values:
        """The values of these rows."""
        return Values(
            np.array([row.cycles for row in rows], dtype=np.float64),
            np.array([np.nan if row.hbm_bytes is None else row.hbm_bytes for row in rows], dtype=np.float64),
            np.array([np.nan if row.joules is None else row.joules * 1e12 for row in rows], dtype=np.float64),
        )

    def take(self, at: IntArray, with_all: BoolArray) -> Values:
        """The values at ``at``; bytes and energy only where ``with_all``."""
        return Values(
            self.cycles[at],
            np.where(with_all, self.hbm_bytes[at], np.nan),
            np.where(with_all, self.picojoules[at], np.nan),
        )

    def over(self, modelled: Change, at: IntArray, column: int) -> FloatArray:
        """Measured / modelled of time, bytes and energy; NaN where either is missing; shape (3, rows)."""
        time = self.cycles / modelled.product_cycles(at, column)
        time = np.where(time > 0, time, np.nan)
        energy = modelled.energy
        ratio = np.full(self.cycles.shape, np.nan) if energy is None else self.picojoules / energy[at, column]
        found = np.stack([time, self.hbm_bytes / modelled.hbm_bytes[at, column], ratio])
        return np.where(np.isfinite(time), found, np.nan)


class Change:
    """Costs that are being changed; cycles as floats, rounded up once at the end."""

    def __init__(self, costs: OperatorCosts, design: Design) -> None:
        self.costs = costs
        self.bandwidth = design.usable_hbm_bytes_per_cycle
        self.launch = costs.launch_cycles
        self.valid = costs.cycles != INVALID
        self.tensor: IntArray = costs.tensor_cycles.copy()
        self.vector: IntArray = costs.vector_cycles.copy()
        self.port: IntArray = costs.port_cycles.copy()
        self.hbm_bytes: IntArray = costs.hbm_bytes.copy()
        self.energy = None if costs.energy_pj is None else costs.energy_pj.copy()
        self.origin: OriginArray = np.zeros(costs.cycles.shape, dtype=np.int8)

    def product_cycles(self, works: IntArray, column: int) -> FloatArray:
        """Modelled duration of the products alone (no vector side), launch included; infinite where invalid."""
        at = works, column
        busy = np.maximum(self.costs.tensor_cycles[at], self.costs.port_cycles[at]).astype(np.float64)
        busy = np.maximum(busy, self.costs.hbm_bytes[at] / self.bandwidth)
        return np.where(self.valid[at], self.launch + busy, np.inf)

    def put(self, works: IntArray, column: int, values: Values, origin: OriginArray) -> None:
        """Let these works take the measured cycles, launch included, with bytes and energy where they are measured."""
        ok = self.valid[works, column]
        at = works[ok], column
        if self.energy is not None:
            picojoules = values.picojoules[ok]
            self.energy[at] = np.where(np.isfinite(picojoules), picojoules, self.energy[at])
        self._set(works[ok], column, values.cycles[ok], values.hbm_bytes[ok], origin[ok])

    def scale(self, works: IntArray, column: int, ratio: FloatArray, alone: BoolArray) -> None:
        """Multiply modelled time, bytes and energy (rows of ``ratio``; NaN: keep) of these works."""
        ok = self.valid[works, column]
        works, alone, (time, moved, energy) = works[ok], alone[ok], ratio[:, ok]
        at = works, column
        if self.energy is not None:
            self.energy[at] *= np.where(alone & np.isfinite(energy), energy, 1.0)
        hbm_bytes = np.where(alone, np.rint(self.hbm_bytes[at] * moved), np.nan)
        cycles = self.product_cycles(works, column) * time
        self._set(works, column, cycles, hbm_bytes, np.full(works.shape, INTERPOLATED, dtype=np.int8))

    def _set(self, works: IntArray, column: int, cycles: FloatArray, given: FloatArray, origin: OriginArray) -> None:
        """Set the sides of works and their traffic; ``given`` bytes are NaN where there are none."""
        at = works, column
        busy = np.maximum(np.ceil(cycles - 1e-6).astype(np.int64) - self.launch, self.costs.ideal_cycles[at])
        uses = self.costs.uses_tensor[works]
        fused = uses & self.costs.uses_vector[works]
        self.tensor[at] = np.where(uses, busy, self.tensor[at])
        self.vector[at] = np.where(uses, self.vector[at], busy)
        self.port[at] = np.where(fused, self.port[at], np.minimum(self.port[at], busy))
        # Less time than the modelled traffic takes means less traffic, down to every tensor once.
        moved = np.minimum(self.hbm_bytes[at], np.floor(busy * self.bandwidth))
        moved = np.where(np.isfinite(given), given, moved).astype(np.int64)
        moved = np.maximum(moved, self.costs.compulsory_bytes[works])
        self.hbm_bytes[at] = np.where(fused, self.hbm_bytes[at], moved)
        self.origin[at] = origin

    def result(self) -> tuple[OperatorCosts, OriginArray]:
        """The changed costs, and where each comes from."""
        changed = self.origin != MODELLED
        sides = np.maximum(np.maximum(self.tensor, self.vector), self.port)
        cycles = np.where(changed, sides, self.costs.cycles)
        costs = replace(
            self.costs,
            cycles=cycles,
            tensor_cycles=self.tensor,
            vector_cycles=self.vector,
            port_cycles=self.port,
            hbm_bytes=self.hbm_bytes,
            energy_pj=self.energy,
        )
        return costs, self.origin
