"""From costs to execution modes: how many cores an operator holds, how long, at which HBM rate.

An operator on s_t tensor cores and s_v vector cores computes for c(s_t, s_v) = max of its sides and moves b(s_t, s_v)
bytes. It holds its cores and a constant share of the HBM bandwidth B for its whole duration

    d = launch + max(c, ⌈b / (f·B)⌉),   rate = ⌈b / d⌉   bytes per cycle,

where the launch is that of a calibrated accelerator, else 0; with f = 1, and for operators that are bound by memory
also f = 3/4, 1/2 and 1/4, so that two of them can run side by side. Rates are rounded up: Σ bytes / makespan ≤ B holds
in every schedule.

The two sides of a fused operator take the cores they take: of all pairs those are modes that no pair with as few cores
of either kind beats, at most one for each number of cores of either side. Where a work is ``paired`` (WHAM's rule) both
sides hold equally many.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from accmine.cost.measured.values import OriginArray
from accmine.cost.operator_costs import INVALID, BoolArray, OperatorCosts, TypeCosts
from accmine.workload.work import Work

__all__ = ["HBM_SHARES", "RESOURCES", "ModeTable", "mode_tables"]

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

RESOURCES = ("tensor", "vector", "hbm")
"""Resources of every lowered schedule: cores of each kind, and HBM bytes per cycle."""

HBM_SHARES = (1.0, 0.75, 0.5, 0.25)
"""Shares of the HBM bandwidth that an operator bound by memory may hold."""


@dataclass(frozen=True, eq=False)
class ModeTable:
    """The modes of one work on the cores of a design, fastest first, dominated ones left out.

    Attributes
    ----------
    duration
        Cycles; shape (modes,).
    cycles
        Cycles of computing alone, whatever the HBM; shape (modes,).
    uses
        Cores of each kind and HBM bytes per cycle, in the order of ``RESOURCES``; shape (modes, 3).
    hbm_bytes
        Bytes moved; shape (modes,).
    energy_pj
        Dynamic energy; shape (modes,).
    origin
        Where the cost comes from: ``MODELLED``, ``INTERPOLATED`` or ``MEASURED``; shape (modes,).
    level
        What the operator is bound by at the whole bandwidth, an index into ``LEVELS``; shape (modes,).
    """

    duration: IntArray
    cycles: IntArray
    uses: IntArray
    hbm_bytes: IntArray
    energy_pj: FloatArray
    origin: OriginArray
    level: npt.NDArray[np.int8]

    def take(self, keep: Any) -> ModeTable:
        """The modes ``keep``."""
        return ModeTable(*(getattr(self, item.name)[keep] for item in fields(self)))


def mode_tables(
    costs: OperatorCosts,
    origin: OriginArray,
    works: Sequence[Work],
    bandwidth: int,
    tensor_counts: Sequence[int],
    vector_counts: Sequence[int],
) -> tuple[ModeTable, ...]:
    """The modes of every work on so many cores.

    Parameters
    ----------
    costs, origin
        Of the works; ``origin`` of shape (works, splits).
    bandwidth
        HBM bytes per cycle.
    tensor_counts, vector_counts
        Numbers of cores of each kind that an operator may hold, ascending, each a split of the costs.
    """
    pairs = _Pairs(costs, works, bandwidth, tensor_counts, vector_counts)
    best = np.minimum.accumulate(np.minimum.accumulate(pairs.duration, axis=1), axis=2)
    kept = pairs.duration != INVALID
    kept[:, 1:] &= pairs.duration[:, 1:] < best[:, :-1]
    kept[:, :, 1:] &= pairs.duration[:, :, 1:] < best[:, :, :-1]
    work, i, j = np.nonzero(kept)
    rows = pairs.rows(work, i, j, origin)
    starts = np.searchsorted(rows.work, np.arange(len(works) + 1))
    return tuple(_without_dominated(rows.table.take(slice(a, b))) for a, b in pairwise(starts))


@dataclass(frozen=True, eq=False)
class _Rows:
    """Modes of all works, those of a work together and fastest first; ``work`` is of shape (modes,)."""

    work: IntArray
    table: ModeTable


class _Pairs:
    """Every pair of core counts of every work, as arrays of shape (works, tensor counts, vector counts)."""

    def __init__(
        self,
        costs: OperatorCosts,
        works: Sequence[Work],
        bandwidth: int,
        tensor_counts: Sequence[int],
        vector_counts: Sequence[int],
    ) -> None:
        self.costs, self.bandwidth = costs, bandwidth
        uses_t, uses_v = costs.uses_tensor, costs.uses_vector
        paired = np.array([work.paired for work in works], dtype=np.bool_) & uses_t & uses_v
        sides = (costs.tensor, tensor_counts), (costs.vector, vector_counts)
        # Columns of the costs and numbers of cores of each count, by work; shapes (works, counts).
        self.columns = tuple(self._best(side, counts, paired) for side, counts in sides)
        self.counts = tuple(np.array(costs.splits, dtype=np.int64)[columns] for columns in self.columns)
        t, v = (np.take_along_axis(side.cycles, at, 1) for (side, _), at in zip(sides, self.columns, strict=True))
        ports = [np.take_along_axis(s.port_cycles, at, 1) for (s, _), at in zip(sides, self.columns, strict=True)]
        moves = [np.take_along_axis(s.hbm_bytes, at, 1) for (s, _), at in zip(sides, self.columns, strict=True)]
        self.sides = np.broadcast_arrays(t[:, :, None], v[:, None, :])
        self.ports = np.maximum(ports[0][:, :, None], ports[1][:, None, :])
        cycles = np.maximum(np.maximum(*self.sides), self.ports)
        moved = moves[0][:, :, None] + moves[1][:, None, :] - costs.compulsory_bytes[:, None, None]
        # A side that a work has not takes no cores, which counts as the first number of them.
        meant = uses_t[:, None, None] | (np.arange(t.shape[1]) == 0)[:, None]
        meant = meant & (uses_v[:, None, None] | (np.arange(v.shape[1]) == 0))
        equal = self.counts[0][:, :, None] == self.counts[1][:, None, :]
        valid = (cycles != INVALID) & meant & (~paired[:, None, None] | equal)
        self.cycles = np.where(valid, cycles, 0)
        self.moved = np.where(valid, moved, 0)
        found = costs.corrections.durations(self.cycles, self.moved, bandwidth)
        self.duration = np.where(valid, found, INVALID)

    def _best(self, side: TypeCosts, counts: Sequence[int], paired: BoolArray) -> IntArray:
        """The column on which a side is fastest with so many cores at most, the fewest of equal ones; (works, counts).

        Of a paired work that on which both sides are, since they hold equally many.
        """
        costs = self.costs
        alone = self._busy(np.maximum(side.cycles, side.port_cycles), side.hbm_bytes)
        busy = np.where(paired[:, None], self._busy(costs.cycles, costs.hbm_bytes), alone)
        least = np.minimum.accumulate(busy, axis=1)
        first = busy == least
        first[:, 1:] &= busy[:, 1:] < least[:, :-1]
        column = np.maximum.accumulate(np.where(first, np.arange(busy.shape[1]), 0), axis=1)
        return np.asarray(column[:, np.searchsorted(costs.splits, counts)], dtype=np.int64)

    def _busy(self, cycles: IntArray, moved: IntArray) -> IntArray:
        invalid = cycles == INVALID
        return np.where(
            invalid, INVALID, self.costs.corrections.busy_cycles(np.where(invalid, 0, cycles), moved, self.bandwidth)
        )

    def rows(self, work: IntArray, i: IntArray, j: IntArray, origin: OriginArray) -> _Rows:
        """The modes of chosen pairs, with those at a part of the bandwidth for pairs that are bound by memory."""
        at = work, i, j
        own, costs = self.costs.corrections.take(work), self.costs
        cycles, moved = self.cycles[at], self.moved[at]
        uses_t, uses_v = costs.uses_tensor[work], costs.uses_vector[work]
        t, v = self.columns[0][work, i], self.columns[1][work, j]
        energy = np.zeros(len(work))
        if costs.tensor.energy_pj is not None and costs.vector.energy_pj is not None:
            assert costs.tensor.compulsory_pj is not None
            energy = costs.tensor.energy_pj[work, t] + costs.vector.energy_pj[work, v]
            energy = energy + costs.tensor.compulsory_pj[work]
        busy = own.busy_bytes(moved)
        memory = busy > cycles * self.bandwidth
        levels = np.stack([self.sides[0][at], self.sides[1][at], self.ports[at], busy / self.bandwidth])
        level = levels.astype(np.float64).argmax(axis=0).astype(np.int8)
        source = origin[work, np.where(uses_t, t, v)]
        parts, owners = [], []
        for share in HBM_SHARES:
            here = np.flatnonzero(memory | (share == 1.0))
            available = max(1, int(self.bandwidth * share))
            duration = own.take(here).durations(cycles[here], moved[here], available)
            rate = -(-busy[here] // np.maximum(duration, 1))
            cores = (self.counts[0][work, i] * uses_t, self.counts[1][work, j] * uses_v)
            uses = np.stack([cores[0][here], cores[1][here], rate], axis=1)
            rest = (moved[here], energy[here], source[here], level[here])
            parts.append(ModeTable(duration, cycles[here], uses, *rest))
            owners.append(work[here])
        whole = ModeTable(*(np.concatenate([getattr(p, item.name) for p in parts]) for item in fields(ModeTable)))
        owner = np.concatenate(owners)
        order = np.lexsort((*whole.uses.T[::-1], whole.duration, owner))
        return _Rows(owner[order], whole.take(order))


def _without_dominated(table: ModeTable) -> ModeTable:
    """Modes sorted by duration; one is dominated if an earlier one holds no more of anything."""
    kept: list[tuple[int, ...]] = []
    at: list[int] = []
    for index, uses in enumerate(map(tuple, table.uses.tolist())):
        if not any(k[0] <= uses[0] and k[1] <= uses[1] and k[2] <= uses[2] for k in kept):
            kept.append(uses)
            at.append(index)
    return table if len(at) == len(table.duration) else table.take(at)
