"""Putting measured values into cost arrays: what of a cost changes with a measured time, and what stays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from accmine.cost.arrays.timing import IntArray
from accmine.cost.measured.file import MeasuredRow
from accmine.cost.operator_costs import INVALID, BoolArray, OperatorCosts, TypeCosts
from accmine.hardware import Design

__all__ = ["INTERPOLATED", "KERNEL", "MEASURED", "MODELLED", "Change", "OriginArray", "Values"]

FloatArray = npt.NDArray[np.float64]
OriginArray = npt.NDArray[np.int8]

MODELLED, INTERPOLATED, MEASURED, KERNEL = 0, 1, 2, 3
"""Where a cost comes from; ``KERNEL``: modelled, but for the cycles of its array (``accmine.cost.kernel.source``)."""


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
        energy = modelled.energy(at, column)
        ratio = np.full(self.cycles.shape, np.nan) if energy is None else self.picojoules / energy
        found = np.stack([time, self.hbm_bytes / modelled.tensor.hbm_bytes[at, column], ratio])
        return np.where(np.isfinite(time), found, np.nan)


class Change:
    """Costs that are being changed, side by side; cycles as floats, rounded up once at the end.

    A measured product is a change of the tensor side on as many tensor cores, whatever vector cores a fused operator
    holds beside them; a measured vector operator one of the vector side.
    """

    def __init__(self, costs: OperatorCosts, design: Design) -> None:
        self.costs = costs
        self.bandwidth = design.usable_hbm_bytes_per_cycle
        self.launch: IntArray = costs.corrections.launch_cycles
        self.tensor, self.vector = _copied(costs.tensor), _copied(costs.vector)
        self.origin: OriginArray = np.zeros(costs.tensor.cycles.shape, dtype=np.int8)

    def energy(self, works: IntArray, column: int) -> FloatArray | None:
        """Dynamic energy of works without a vector side; ``None`` without a technology."""
        side = self.costs.tensor
        if side.energy_pj is None or side.compulsory_pj is None:
            return None
        return np.asarray(side.energy_pj[works, column] + side.compulsory_pj[works])

    def product_cycles(self, works: IntArray, column: int) -> FloatArray:
        """Modelled duration of the products alone (no vector side), launch included; infinite where invalid."""
        at, side = (works, column), self.costs.tensor
        busy = np.maximum(side.cycles[at], side.port_cycles[at]).astype(np.float64)
        moved = self.costs.corrections.take(works).busy_bytes(side.hbm_bytes[at])
        busy = np.maximum(busy, moved / self.bandwidth)
        return np.where(side.cycles[at] != INVALID, self.launch[works] + busy, np.inf)

    def put(self, works: IntArray, column: int, values: Values, origin: OriginArray) -> None:
        """Let these works take the measured cycles, launch included, with bytes and energy where they are measured."""
        for of_products in (True, False):
            side = self.tensor if of_products else self.vector
            ok = (self.costs.uses_tensor[works] == of_products) & (side.cycles[works, column] != INVALID)
            at = works[ok], column
            if side.energy_pj is not None and side.compulsory_pj is not None:
                picojoules = values.picojoules[ok] - side.compulsory_pj[works[ok]]
                side.energy_pj[at] = np.where(np.isfinite(picojoules), picojoules, side.energy_pj[at])
            self._set(side, works[ok], column, values.cycles[ok], values.hbm_bytes[ok], origin[ok])

    def scale(self, works: IntArray, column: int, ratio: FloatArray, alone: BoolArray) -> None:
        """Multiply modelled time, bytes and energy (rows of ``ratio``; NaN: keep) of these products."""
        side = self.tensor
        ok = side.cycles[works, column] != INVALID
        works, alone, (time, moved, energy) = works[ok], alone[ok], ratio[:, ok]
        at = works, column
        whole = self.energy(works, column)
        if side.energy_pj is not None and side.compulsory_pj is not None and whole is not None:
            known = alone & np.isfinite(energy)
            side.energy_pj[at] = np.where(known, whole * energy - side.compulsory_pj[works], side.energy_pj[at])
        hbm_bytes = np.where(alone, np.rint(side.hbm_bytes[at] * moved), np.nan)
        cycles = self.product_cycles(works, column) * time
        self._set(side, works, column, cycles, hbm_bytes, np.full(works.shape, INTERPOLATED, dtype=np.int8))

    def _set(
        self, side: TypeCosts, works: IntArray, column: int, cycles: FloatArray, given: FloatArray, origin: OriginArray
    ) -> None:
        """Set a side of works and their traffic; ``given`` bytes are NaN where there are none."""
        at = works, column
        whole = np.ceil(cycles - 1e-6).astype(np.int64) - self.launch[works]
        busy = np.maximum(whole, side.ideal_cycles[at])
        fused = self.costs.uses_tensor[works] & self.costs.uses_vector[works]
        side.cycles[at] = busy
        side.port_cycles[at] = np.where(fused, side.port_cycles[at], np.minimum(side.port_cycles[at], busy))
        # Less time than the modelled traffic takes means less traffic, down to every tensor once.
        efficiency = self.costs.corrections.hbm_efficiency[works]
        moved = np.minimum(side.hbm_bytes[at], np.floor(busy * self.bandwidth * efficiency))
        moved = np.where(np.isfinite(given), given, moved).astype(np.int64)
        moved = np.maximum(moved, side.compulsory_bytes[works])
        side.hbm_bytes[at] = np.where(fused, side.hbm_bytes[at], moved)
        self.origin[at] = origin

    def result(self) -> tuple[OperatorCosts, OriginArray]:
        """The changed costs, and where each comes from."""
        measured, of_products = self.origin != MODELLED, self.costs.uses_tensor[:, None]
        own = self.costs.corrections.but_measured(measured.any(axis=1))
        tensor, vector = self.costs.useful
        useful = tensor | (measured & of_products), vector | (measured & ~of_products)
        return replace(self.costs, tensor=self.tensor, vector=self.vector, corrections=own, useful=useful), self.origin


def _copied(side: TypeCosts) -> TypeCosts:
    """A side whose cycles, traffic and energy may be written to."""
    return replace(
        side,
        cycles=side.cycles.copy(),
        hbm_bytes=side.hbm_bytes.copy(),
        energy_pj=None if side.energy_pj is None else side.energy_pj.copy(),
        port_cycles=side.port_cycles.copy(),
    )
