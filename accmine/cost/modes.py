"""From costs to execution modes: how many cores an operator holds, how long, at which HBM rate.

An operator on ``s`` cores computes for c(s) cycles and moves b(s) bytes. It holds its cores and a
constant share of the HBM bandwidth B for its whole duration

    d = launch + max(c, ⌈b / (f·B)⌉),   rate = ⌈b / d⌉   bytes per cycle,

where the launch is that of a calibrated accelerator, else 0; with f = 1, and for operators that are bound by memory
also f = 3/4, 1/2 and 1/4, so that two of them can run side by side. Rates are rounded up: Σ bytes / makespan ≤ B holds
in every schedule.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from accmine.cost.measured.source import Source
from accmine.cost.measured.values import MODELLED, OriginArray
from accmine.cost.memory import NOMINAL, RESIDENT_SHARE, MemorySystem, memory_of
from accmine.cost.table import INVALID, OperatorCosts, TensorCosts, VectorCosts, combine, tensor_costs, vector_costs
from accmine.errors import InputError
from accmine.hardware import Calibration, Design, TensorCore, VectorCore
from accmine.hardware.technology import Technology
from accmine.workload import OperatorGraph
from accmine.workload.graph import Work

__all__ = ["HBM_SHARES", "RESOURCES", "CostLibrary", "ModeTable", "splits_up_to"]

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

RESOURCES = ("tensor", "vector", "hbm")
"""Resources of every lowered schedule: cores of each kind, and HBM bytes per cycle."""

HBM_SHARES = (1.0, 0.75, 0.5, 0.25)
"""Shares of the HBM bandwidth that an operator bound by memory may hold."""


_Row = tuple[int, int, int, int, int, int, float, int]
"""Duration, tensor cores, vector cores, HBM rate, computing cycles, bytes, energy and origin of a mode."""


def splits_up_to(cores: int, also: Sequence[int] = ()) -> tuple[int, ...]:
    """The split factors an operator may have: powers of two up to ``cores``, and those of ``also`` up to there.

    ``also`` holds the core counts of calibrated accelerators, whose corrections were fitted on operators that use all
    of their cores, such as 108.
    """
    powers = {1 << e for e in range(cores.bit_length())}
    return tuple(sorted(powers | {count for count in also if 1 <= count <= cores}))


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
    origin
        Where the cost comes from: ``MODELLED``, ``INTERPOLATED`` or ``MEASURED``; shape (modes,).
    """

    duration: IntArray
    cycles: IntArray
    uses: IntArray
    hbm_bytes: IntArray
    energy_pj: FloatArray
    origin: OriginArray

    def within(self, tensor_cores: int, vector_cores: int) -> ModeTable:
        """The modes that fit so many cores."""
        keep = (self.uses[:, 0] <= tensor_cores) & (self.uses[:, 1] <= vector_cores)
        if bool(keep.all()):
            return self
        return ModeTable(
            self.duration[keep],
            self.cycles[keep],
            self.uses[keep],
            self.hbm_bytes[keep],
            self.energy_pj[keep],
            self.origin[keep],
        )


_Key = tuple[TensorCore, VectorCore, MemorySystem, Calibration, int]


def _key(design: Design) -> _Key:
    """What costs depend on: everything but the core counts and the capacity of the HBM."""
    return (design.tensor, design.vector, memory_of(design), design.calibration, design.frequency_hz)


class CostLibrary:
    """Costs and modes of a set of works on all core types that are asked for, each computed once.

    Parameters
    ----------
    graphs
        The graphs whose works are costed; equal works of different graphs are costed once.
    splits
        Allowed split factors, ascending; ``(1,)`` for one operator, one core.
    timing
        Preset of ``accmine.cost.arrays.gemm``.
    technology
        Source of the energy constants.
    source
        Gives measured operators, which replace modelled costs; ``None`` for the model alone.
    """

    def __init__(
        self,
        graphs: Sequence[OperatorGraph],
        splits: Sequence[int],
        timing: str,
        technology: Technology,
        source: Source | None = None,
    ) -> None:
        self.works: tuple[Work, ...] = tuple(dict.fromkeys(work for graph in graphs for work in graph.works))
        self.splits = tuple(splits)
        self.timing = timing
        self.technology = technology
        self.source = source
        self._position = {work: i for i, work in enumerate(self.works)}
        self._index: dict[OperatorGraph, IntArray] = {}
        self.resident_share = RESIDENT_SHARE if any(work.local for work in self.works) else 0.0
        self._tensor: dict[tuple[TensorCore, MemorySystem, float], TensorCosts] = {}
        self._vector: dict[tuple[VectorCore, MemorySystem, float], VectorCosts] = {}
        self._pair: dict[_Key, OperatorCosts] = {}
        self._origin: dict[_Key, OriginArray] = {}
        self._modes: dict[_Key, tuple[ModeTable, ...]] = {}

    def __getstate__(self) -> dict[str, Any]:
        """What is computed again where it is needed does not travel to other processes."""
        caches = ("_index", "_tensor", "_vector", "_pair", "_origin", "_modes")
        return {key: {} if key in caches else value for key, value in self.__dict__.items()}

    def index(self, graph: OperatorGraph) -> IntArray:
        """Position in the library of each distinct work of ``graph``; shape (works of the graph,)."""
        if graph not in self._index:
            self._index[graph] = np.array([self._position[work] for work in graph.works], dtype=np.int64)
        return self._index[graph]

    def costs(self, design: Design) -> OperatorCosts:
        """Costs of every work on the core types and memory of ``design``, whatever its core counts."""
        key = _key(design)
        if key not in self._pair:
            memory = memory_of(design, self.resident_share)
            launch = design.launch_cycles
            modelled = combine(self.tensor(design, memory), self._vector_side(design, memory), launch)
            self._pair[key], self._origin[key] = self._measured(modelled, design)
        return self._pair[key]

    def origin(self, design: Design) -> OriginArray:
        """Where each cost comes from (``accmine.cost.measured.values``); shape (works, splits)."""
        self.costs(design)
        return self._origin[_key(design)]

    def _measured(self, modelled: OperatorCosts, design: Design) -> tuple[OperatorCosts, OriginArray]:
        """The costs with measured ones in the place of modelled ones."""
        if self.source is None:
            return modelled, np.full(modelled.cycles.shape, MODELLED, dtype=np.int8)
        measurements = self.source.rows(self.works, design)
        memory = memory_of(design)
        rows = measurements.works
        of_rows = combine(
            self._tensor_costs(rows, design, memory), self._vector_costs(rows, design, memory), design.launch_cycles
        )
        return measurements.on(self.works).apply(modelled, of_rows, design)

    def _tensor_costs(self, works: Sequence[Work], design: Design, memory: MemorySystem) -> TensorCosts:
        # TODO: the calibration's array and vector efficiencies are to be applied where the two sides are joined.
        return tensor_costs(
            works, [design.tensor], self.splits, timing=self.timing, technology=self.technology, memory=memory
        )

    def _vector_costs(self, works: Sequence[Work], design: Design, memory: MemorySystem) -> VectorCosts:
        return vector_costs(works, [design.vector], self.splits, technology=self.technology, memory=memory)

    def tensor(self, design: Design, memory: MemorySystem | None = None) -> TensorCosts:
        """The tensor side of every work, with the grids and dataflows that were chosen."""
        memory = memory or memory_of(design, self.resident_share)
        key = (design.tensor, memory, design.calibration.array_efficiency)
        if key not in self._tensor:
            self._tensor[key] = self._tensor_costs(self.works, design, memory)
        return self._tensor[key]

    def _vector_side(self, design: Design, memory: MemorySystem) -> VectorCosts:
        memory = replace(memory, hbm_bytes_per_cycle=NOMINAL.hbm_bytes_per_cycle)  # decides nothing here
        key = (design.vector, memory, design.calibration.vector_efficiency)
        if key not in self._vector:
            self._vector[key] = self._vector_costs(self.works, design, memory)
        return self._vector[key]

    def modes(self, design: Design) -> tuple[ModeTable, ...]:
        """The modes of every work on the core types of ``design``, whatever its core counts."""
        bandwidth = hbm_capacity(design)
        key = _key(design)
        if key not in self._modes:
            costs, origin = self.costs(design), self.origin(design)
            self._modes[key] = tuple(
                _mode_table(costs, origin, w, self.splits, bandwidth) for w in range(len(self.works))
            )
        return self._modes[key]


def hbm_capacity(design: Design) -> int:
    """HBM bytes per cycle that operators get, as an integer capacity, rounded down."""
    efficiency = design.calibration.hbm_efficiency
    usable = design.hbm_bytes_per_s if efficiency == 1.0 else int(design.hbm_bytes_per_s * efficiency)
    capacity = usable // design.frequency_hz
    if capacity < 1:
        raise InputError(f"{design.name}: less than one byte of HBM bandwidth per cycle; raise hbm_bandwidth")
    return int(capacity)


def _mode_table(
    costs: OperatorCosts, origin: OriginArray, work: int, splits: Sequence[int], bandwidth: int
) -> ModeTable:
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
            duration = max(cycles, -(-moved // available)) + costs.launch_cycles
            rate = -(-moved // duration) if duration else 0
            cores = (split * uses_tensor, split * uses_vector)
            rows.append((duration, *cores, rate, cycles, moved, energy, int(origin[work, s])))
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
        origin=np.array([r[7] for r in kept], dtype=np.int8),
    )
