"""From costs to execution modes: how many cores an operator holds, how long, at which HBM rate.

An operator on s_t tensor cores and s_v vector cores computes for c(s_t, s_v) = max of its sides and moves b(s_t, s_v)
bytes. It holds its cores and a constant share of the HBM bandwidth B for its whole duration

    d = launch + max(c, ⌈b / (f·B)⌉),   rate = ⌈b / d⌉   bytes per cycle,

where the launch is that of a calibrated accelerator, else 0; with f = 1, and for operators that are bound by memory
also f = 3/4, 1/2 and 1/4, so that two of them can run side by side. Rates are rounded up: Σ bytes / makespan ≤ B holds
in every schedule.

The two sides of a fused operator take the cores they take, any number that is of use (``OperatorCosts.useful``): of all
pairs of these those are modes that no pair with as few cores of either kind beats. Where a work is ``paired`` (WHAM's
rule) both sides hold equally many.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from accmine.cost.measured.values import OriginArray
from accmine.cost.operator_costs import INVALID, BoolArray, OperatorCosts
from accmine.workload.work import Work

__all__ = ["HBM_SHARES", "RESOURCES", "ModeTable", "mode_tables", "paired_works", "useful_splits"]

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
        Where the cost comes from (``accmine.cost.measured.values``); shape (modes,).
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


def useful_splits(costs: OperatorCosts, works: Sequence[Work]) -> tuple[BoolArray, BoolArray]:
    """Which numbers of tensor and of vector cores modes have; each of shape (works, splits).

    Those that are of use to a side (``OperatorCosts.useful``); of a paired work those of use to either.
    """
    tensor, vector = costs.useful
    either = paired_works(costs, works)[:, None] & (tensor | vector)
    return tensor | either, vector | either


def paired_works(costs: OperatorCosts, works: Sequence[Work]) -> BoolArray:
    """Works whose two sides hold equally many cores."""
    marked = np.array([work.paired for work in works], dtype=np.bool_)
    return np.asarray(marked & costs.uses_tensor & costs.uses_vector)


def mode_tables(
    costs: OperatorCosts,
    origin: OriginArray,
    works: Sequence[Work],
    bandwidth: int,
    tensor_cores: int,
    vector_cores: int,
) -> tuple[ModeTable, ...]:
    """The modes of every work on so many cores.

    Parameters
    ----------
    costs, origin
        Of the works; ``origin`` of shape (works, splits).
    bandwidth
        HBM bytes per cycle.
    tensor_cores, vector_cores
        Cores of each kind.
    """
    pairs = _Pairs(costs, works, bandwidth, (tensor_cores, vector_cores))
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
    """Every pair of useful core counts of every work, as arrays of shape (works, tensor counts, vector counts)."""

    def __init__(self, costs: OperatorCosts, works: Sequence[Work], bandwidth: int, cores: tuple[int, int]) -> None:
        self.costs, self.bandwidth = costs, bandwidth
        splits = np.array(costs.splits, dtype=np.int64)
        useful = useful_splits(costs, works)
        self.columns = tuple(
            np.flatnonzero(mask.any(axis=0) & (splits <= most)) for mask, most in zip(useful, cores, strict=True)
        )
        self.counts = tuple(splits[columns] for columns in self.columns)
        (t, v), tensor, vector = self.columns, costs.tensor, costs.vector
        self.sides = np.broadcast_arrays(tensor.cycles[:, t][:, :, None], vector.cycles[:, v][:, None, :])
        self.ports = np.maximum(tensor.port_cycles[:, t][:, :, None], vector.port_cycles[:, v][:, None, :])
        cycles = np.maximum(np.maximum(*self.sides), self.ports)
        moved = tensor.hbm_bytes[:, t][:, :, None] + vector.hbm_bytes[:, v][:, None, :]
        moved = moved - costs.compulsory_bytes[:, None, None]
        # A side that a work has not takes no cores, which counts as the first number of them.
        meant = [
            np.where(uses[:, None], mask[:, columns], np.arange(len(columns)) == 0)
            for uses, mask, columns in zip((costs.uses_tensor, costs.uses_vector), useful, self.columns, strict=True)
        ]
        equal = self.counts[0][:, None] == self.counts[1]
        valid = meant[0][:, :, None] & meant[1][:, None, :] & (~paired_works(costs, works)[:, None, None] | equal)
        valid &= cycles != INVALID
        self.cycles = np.where(valid, cycles, 0)
        self.moved = np.where(valid, moved, 0)
        found = costs.corrections.durations(self.cycles, self.moved, bandwidth)
        self.duration = np.where(valid, found, INVALID)

    def rows(self, work: IntArray, i: IntArray, j: IntArray, origin: OriginArray) -> _Rows:
        """The modes of chosen pairs, with those at a part of the bandwidth for pairs that are bound by memory."""
        at = work, i, j
        own, costs = self.costs.corrections.take(work), self.costs
        cycles, moved = self.cycles[at], self.moved[at]
        uses_t, uses_v = costs.uses_tensor[work], costs.uses_vector[work]
        t, v = self.columns[0][i], self.columns[1][j]
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
            cores = (self.counts[0][i] * uses_t, self.counts[1][j] * uses_v)
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
