"""From costs to execution modes: how many cores an operator holds, how long, at which HBM rate.

An operator on ``s`` cores computes for c(s) cycles and moves b(s) bytes. It holds its cores and a
constant share of the HBM bandwidth B for its whole duration

    d = max(c, ⌈b / (f·B)⌉),   rate = ⌈b / d⌉   bytes per cycle,

with f = 1, and for operators that are bound by memory also f = 3/4, 1/2 and 1/4, so that two of them can
run side by side. Rates are rounded up: Σ bytes / makespan ≤ B holds in every schedule.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from accmine.cost.table import INVALID, OperatorCosts, TensorCosts, VectorCosts, combine, tensor_costs, vector_costs
from accmine.errors import InputError
from accmine.hardware.design import Design, TensorCore, VectorCore
from accmine.hardware.technology import Technology
from accmine.workload.graph import OperatorGraph, Work

__all__ = ["HBM_SHARES", "RESOURCES", "CostLibrary", "ModeTable", "splits_up_to"]

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

RESOURCES = ("tensor", "vector", "hbm")
"""Resources of every lowered schedule: cores of each kind, and HBM bytes per cycle."""

HBM_SHARES = (1.0, 0.75, 0.5, 0.25)
"""Shares of the HBM bandwidth that an operator bound by memory may hold."""


_Row = tuple[int, int, int, int, int, int, float]
"""Duration, tensor cores, vector cores, HBM rate, computing cycles, bytes and energy of a mode."""


def splits_up_to(cores: int) -> tuple[int, ...]:
    """Powers of two up to ``cores``: the split factors an operator may have."""
    return tuple(1 << e for e in range(cores.bit_length()))


@dataclass(frozen=True, eq=False)
class ModeTable:
    """The modes of one work on one pair of core types, fastest first, dominated ones left out.

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
    """

    duration: IntArray
    cycles: IntArray
    uses: IntArray
    hbm_bytes: IntArray
    energy_pj: FloatArray

    def within(self, tensor_cores: int, vector_cores: int) -> ModeTable:
        """The modes that fit so many cores."""
        keep = (self.uses[:, 0] <= tensor_cores) & (self.uses[:, 1] <= vector_cores)
        if bool(keep.all()):
            return self
        return ModeTable(
            self.duration[keep], self.cycles[keep], self.uses[keep], self.hbm_bytes[keep], self.energy_pj[keep]
        )


class CostLibrary:
    """Costs and modes of a set of works on all core types that are asked for, each computed once.

    Parameters
    ----------
    graphs
        The graphs whose works are costed; equal works of different graphs are costed once.
    splits
        Allowed split factors, ascending; ``(1,)`` for one operator, one core.
    timing
        Preset of ``accmine.cost.gemm``.
    technology
        Source of the energy constants.
    """

    def __init__(
        self, graphs: Sequence[OperatorGraph], splits: Sequence[int], timing: str, technology: Technology
    ) -> None:
        self.works: tuple[Work, ...] = tuple(dict.fromkeys(work for graph in graphs for work in graph.works))
        self.splits = tuple(splits)
        self.timing = timing
        self.technology = technology
        self._position = {work: i for i, work in enumerate(self.works)}
        self._index: dict[OperatorGraph, IntArray] = {}
        self._tensor: dict[TensorCore, TensorCosts] = {}
        self._vector: dict[VectorCore, VectorCosts] = {}
        self._pair: dict[tuple[TensorCore, VectorCore], OperatorCosts] = {}
        self._modes: dict[tuple[TensorCore, VectorCore, int], tuple[ModeTable, ...]] = {}

    def __getstate__(self) -> dict[str, Any]:
        """What is computed again where it is needed does not travel to other processes."""
        caches = ("_index", "_tensor", "_vector", "_pair", "_modes")
        return {key: {} if key in caches else value for key, value in self.__dict__.items()}

    def index(self, graph: OperatorGraph) -> IntArray:
        """Position in the library of each distinct work of ``graph``; shape (works of the graph,)."""
        if graph not in self._index:
            self._index[graph] = np.array([self._position[work] for work in graph.works], dtype=np.int64)
        return self._index[graph]

    def costs(self, tensor: TensorCore, vector: VectorCore) -> OperatorCosts:
        """Costs of every work on this pair of core types."""
        key = (tensor, vector)
        if key not in self._pair:
            if tensor not in self._tensor:
                self._tensor[tensor] = tensor_costs(
                    self.works, [tensor], self.splits, timing=self.timing, technology=self.technology
                )
            if vector not in self._vector:
                self._vector[vector] = vector_costs(self.works, [vector], self.splits, technology=self.technology)
            self._pair[key] = combine(self._tensor[tensor], self._vector[vector])
        return self._pair[key]

    def modes(self, design: Design) -> tuple[ModeTable, ...]:
        """The modes of every work on the core types of ``design``, whatever its core counts."""
        bandwidth = hbm_capacity(design)
        key = (design.tensor, design.vector, bandwidth)
        if key not in self._modes:
            costs = self.costs(design.tensor, design.vector)
            self._modes[key] = tuple(_mode_table(costs, w, self.splits, bandwidth) for w in range(len(self.works)))
        return self._modes[key]


def hbm_capacity(design: Design) -> int:
    """HBM bytes per cycle as an integer capacity, rounded down."""
    capacity = design.hbm_bytes_per_s // design.frequency_hz
    if capacity < 1:
        raise InputError(f"{design.name}: less than one byte of HBM bandwidth per cycle; raise hbm_bandwidth")
    return int(capacity)


def _mode_table(costs: OperatorCosts, work: int, splits: Sequence[int], bandwidth: int) -> ModeTable:
    rows: list[_Row] = []
    uses_tensor, uses_vector = bool(costs.uses_tensor[work]), bool(costs.uses_vector[work])
    for s, split in enumerate(splits):
        cycles = int(costs.cycles[work, s])
        if cycles >= INVALID:
            continue
        moved = int(costs.hbm_bytes[work, s])
        energy = 0.0 if costs.energy_pj is None else float(costs.energy_pj[work, s])
        memory_bound = moved > cycles * bandwidth
        for share in HBM_SHARES if memory_bound else HBM_SHARES[:1]:
            available = max(1, int(bandwidth * share))
            duration = max(cycles, -(-moved // available))
            rate = -(-moved // duration) if duration else 0
            rows.append((duration, split * uses_tensor, split * uses_vector, rate, cycles, moved, energy))
    return _without_dominated(sorted(rows))


def _without_dominated(rows: list[_Row]) -> ModeTable:
    """Rows sorted by duration; a row is dominated if an earlier one holds no more of anything."""
    kept: list[_Row] = []
    for row in rows:
        if not any(k[1] <= row[1] and k[2] <= row[2] and k[3] <= row[3] for k in kept):
            kept.append(row)
    return ModeTable(
        duration=np.array([r[0] for r in kept], dtype=np.int64),
        uses=np.array([r[1:4] for r in kept], dtype=np.int64).reshape(-1, 3),
        cycles=np.array([r[4] for r in kept], dtype=np.int64),
        hbm_bytes=np.array([r[5] for r in kept], dtype=np.int64),
        energy_pj=np.array([r[6] for r in kept], dtype=np.float64),
    )
