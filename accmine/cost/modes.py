"""Costs and modes of all operators of some graphs on every design that is asked for, each computed once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from accmine.cost.arrays.waves import Waves, waves_of
from accmine.cost.corrections import Corrections, corrections
from accmine.cost.measured.source import Source
from accmine.cost.measured.values import MODELLED, OriginArray
from accmine.cost.memory import NOMINAL, RESIDENT_SHARE, MemorySystem, memory_of
from accmine.cost.mode_table import ModeTable, mode_tables
from accmine.cost.table import (
    OperatorCosts,
    TensorCosts,
    VectorCosts,
    combine,
    compulsory_bytes,
    tensor_costs,
    vector_costs,
)
from accmine.errors import InputError
from accmine.hardware import Calibration, Design, TensorCore, VectorCore
from accmine.hardware.technology import Technology
from accmine.workload import OperatorGraph
from accmine.workload.graph import Work

__all__ = ["CostLibrary", "hbm_capacity", "splits_for"]

IntArray = npt.NDArray[np.int64]


def splits_for(counts: Iterable[int], rule: str, also: Sequence[int] = ()) -> tuple[int, ...]:
    """The numbers of cores that an operator may hold on designs with so many cores, ascending.

    Parameters
    ----------
    counts
        Core counts of the designs, of either kind.
    rule
        ``even``: any number; ``powers``: powers of two; ``none``: one.
    also
        Counts to have beside powers of two, as far as there are so many cores: those that were measured, or that a
        calibration was fitted on.
    """
    every = sorted(set(counts))
    if rule == "none" or not every:
        return (1,)
    if rule == "even":
        return tuple(range(1, every[-1] + 1))
    found = {1 << e for e in range(every[-1].bit_length())}
    return tuple(sorted(found | {count for count in also if 1 <= count <= every[-1]}))


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
        Numbers of cores that an operator may hold, ascending (``splits_for``); ``(1,)`` for one operator, one core.
    timing
        Preset of ``accmine.cost.arrays.gemm``.
    technology
        Source of the energy constants.
    source
        Gives what replaces modelled costs; ``None`` for the model alone.
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
        self._tensor: dict[tuple[TensorCore, MemorySystem, Waves | None], tuple[TensorCosts, OriginArray]] = {}
        self._vector: dict[tuple[VectorCore, MemorySystem], VectorCosts] = {}
        self._corrections: dict[tuple[Calibration, int], Corrections] = {}
        self._pair: dict[_Key, OperatorCosts] = {}
        self._origin: dict[_Key, OriginArray] = {}
        self._modes: dict[tuple[_Key, tuple[int, int]], tuple[ModeTable, ...]] = {}

    def __getstate__(self) -> dict[str, Any]:
        """What is computed again where it is needed does not travel to other processes."""
        caches = ("_index", "_tensor", "_vector", "_corrections", "_pair", "_origin", "_modes")
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
            (tensor, of_arrays), vector = self._arrays(design, memory), self.vector(design, memory)
            constants = design.calibration, design.frequency_hz
            if constants not in self._corrections:
                self._corrections[constants] = corrections(self.works, design)
            modelled = combine(tensor, vector, self._corrections[constants])
            self._pair[key], measured = self._measured(modelled, design)
            self._origin[key] = np.where(measured == MODELLED, of_arrays, measured)
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
        if not measurements.rows:
            return modelled, np.full(modelled.cycles.shape, MODELLED, dtype=np.int8)
        memory = memory_of(design)
        rows = measurements.works
        sides = self._tensor_costs(rows, design, memory), self._vector_costs(rows, design, memory)
        of_rows = combine(*sides, corrections(rows, design))
        return measurements.on(self.works).apply(modelled, of_rows, design)

    def _tensor_costs(self, works: Sequence[Work], design: Design, memory: MemorySystem) -> TensorCosts:
        return tensor_costs(
            works,
            [design.tensor],
            self.splits,
            timing=self.timing,
            technology=self.technology,
            memory=memory,
            waves=waves_of(design),
        )

    def _vector_costs(self, works: Sequence[Work], design: Design, memory: MemorySystem) -> VectorCosts:
        return vector_costs(works, [design.vector], self.splits, technology=self.technology, memory=memory)

    def tensor(self, design: Design, memory: MemorySystem | None = None) -> TensorCosts:
        """The tensor side of every work, with the grids and dataflows that were chosen."""
        return self._arrays(design, memory or memory_of(design, self.resident_share))[0]

    def _arrays(self, design: Design, memory: MemorySystem) -> tuple[TensorCosts, OriginArray]:
        """The tensor side of every work, and where its cycles come from."""
        key = (design.tensor, memory, waves_of(design))
        if key not in self._tensor:
            costs = self._tensor_costs(self.works, design, memory)
            if self.source is None:
                self._tensor[key] = costs, np.full(costs.grid[:, 0].shape, MODELLED, dtype=np.int8)
            else:
                self._tensor[key] = self.source.arrays(costs, self.works, design.tensor, self.timing)
        return self._tensor[key]

    def vector(self, design: Design, memory: MemorySystem | None = None) -> VectorCosts:
        """The vector side of every work."""
        memory = memory or memory_of(design, self.resident_share)
        memory = replace(memory, hbm_bytes_per_cycle=NOMINAL.hbm_bytes_per_cycle)  # decides nothing here
        key = (design.vector, memory)
        if key not in self._vector:
            self._vector[key] = self._vector_costs(self.works, design, memory)
        return self._vector[key]

    def compulsory(self, design: Design) -> IntArray:
        """Bytes that every work has to move, whatever its mode; shape (works,)."""
        return compulsory_bytes(self.works, memory_of(design, self.resident_share))

    def modes(self, design: Design) -> tuple[ModeTable, ...]:
        """The modes of every work on the cores of ``design``; empty for a work that does not fit them."""
        cores = design.tensor_cores, design.vector_cores
        key = _key(design), cores
        if key not in self._modes:
            costs, origin = self.costs(design), self.origin(design)
            self._modes[key] = mode_tables(costs, origin, self.works, hbm_capacity(design), *cores)
        return self._modes[key]

    def shortest(self, design: Design) -> IntArray:
        """Cycles of every work on as many cores of the types of ``design`` as are of use; shape (works,)."""
        most = self.splits[-1]
        return np.array([table.duration[0] for table in self.modes(design.with_cores(most, most))], dtype=np.int64)


def hbm_capacity(design: Design) -> int:
    """HBM bytes per cycle that operators get, as an integer capacity, rounded down."""
    efficiency = design.calibration.best("hbm_efficiency")
    usable = design.hbm_bytes_per_s if efficiency == 1.0 else int(design.hbm_bytes_per_s * efficiency)
    capacity = usable // design.frequency_hz
    if capacity < 1:
        raise InputError(f"{design.name}: less than one byte of HBM bandwidth per cycle; raise hbm_bandwidth")
    return int(capacity)
