"""Cost arrays of works on cores, and how the tensor and the vector part of an operator make one cost."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from accmine.cost.arrays.timing import IntArray
from accmine.cost.corrections import Corrections, no_corrections
from accmine.cost.energy import FloatArray
from accmine.errors import InputError

__all__ = [
    "GAIN",
    "INVALID",
    "LEVELS",
    "BoolArray",
    "OperatorCosts",
    "TensorCosts",
    "TypeCosts",
    "VectorCosts",
    "binding",
    "combine",
    "durations",
]

BoolArray = npt.NDArray[np.bool_]

GAIN = 0.01
"""What more cores have to save to be of use to a side of an operator: each of 64 equal shares saves more than that."""

INVALID = int(np.iinfo(np.int64).max)
"""Cycles of an operator on more cores than it has parallel work for."""


@dataclass(frozen=True, eq=False)
class TypeCosts:
    """One side (tensor or vector) of every work on one core type.

    Attributes
    ----------
    cycles
        On ``splits[j]`` cores, ``INVALID`` where that is too many; 0 for a work without this side;
        shape (works, splits).
    hbm_bytes
        Compulsory traffic of the whole operator and this side's re-reads; shape (works, splits). An
        invalid entry holds the compulsory traffic only.
    energy_pj
        Dynamic energy of this side without the compulsory HBM traffic, ``None`` without a technology,
        infinite for invalid entries; shape (works, splits).
    ideal_cycles
        ⌈arithmetic / units⌉, a lower bound of ``cycles``; shape (works, splits).
    port_cycles
        Time that this side's traffic takes through the port of the busiest core to the shared SRAM; 0 without
        one; shape (works, splits).
    used
        Whether the work has this side; shape (works,).
    compulsory_bytes, compulsory_pj
        HBM traffic of each tensor touched once, and its energy; shape (works,).
    splits
        Split factors.
    """

    cycles: IntArray
    hbm_bytes: IntArray
    energy_pj: FloatArray | None
    ideal_cycles: IntArray
    port_cycles: IntArray
    used: BoolArray
    compulsory_bytes: IntArray
    compulsory_pj: FloatArray | None
    splits: tuple[int, ...]

    @cached_property
    def useful(self) -> BoolArray:
        """Numbers of cores that are of use, the first one among them; shape (works, splits).

        Those on which cycles, time at the port or traffic are by ``GAIN`` below those of the next smaller useful one.
        """
        levels = np.stack([self.cycles, self.port_cycles, self.hbm_bytes], axis=2).astype(np.float64)
        valid, kept = self.cycles != INVALID, np.zeros(self.cycles.shape, dtype=np.bool_)
        last = np.full(levels[:, 0].shape, np.inf) if len(self.splits) else levels[:, 0]
        for column in range(len(self.splits)):
            now = levels[:, column]
            better = (now <= (1.0 - GAIN) * last).any(axis=1, where=last > 0) & valid[:, column]
            kept[:, column] = better
            last = np.where(better[:, None], now, last)
        kept[:, :1] = True
        return kept


@dataclass(frozen=True, eq=False)
class _CoreCosts:
    """Like ``TypeCosts``, for many core types: arrays of shape (works, types, splits)."""

    cycles: IntArray
    hbm_bytes: IntArray
    energy_pj: FloatArray | None
    ideal_cycles: IntArray
    port_cycles: IntArray
    used: BoolArray
    compulsory_bytes: IntArray
    compulsory_pj: FloatArray | None
    splits: tuple[int, ...]

    @cached_property
    def only(self) -> TypeCosts:
        """The costs on the only core type.

        Raises
        ------
        InputError
            If there are several.
        """
        if self.cycles.shape[1] != 1:
            raise InputError(f"costs of {self.cycles.shape[1]} core types: choose one with of_type(index)")
        return self.of_type(0)

    def of_type(self, index: int) -> TypeCosts:
        """The costs on core type ``index``."""
        return TypeCosts(
            self.cycles[:, index],
            self.hbm_bytes[:, index],
            None if self.energy_pj is None else self.energy_pj[:, index],
            self.ideal_cycles[:, index],
            self.port_cycles[:, index],
            self.used,
            self.compulsory_bytes,
            self.compulsory_pj,
            self.splits,
        )


@dataclass(frozen=True, eq=False)
class TensorCosts(_CoreCosts):
    """Tensor side of works on tensor-core types; arrays of shape (works, types, splits).

    The attributes are those of ``TypeCosts``, and:

    Attributes
    ----------
    grid
        Chosen grid of each entry, an index into ``grids``; -1 where there is no product or no valid grid.
    grids
        Factors by which (batch, m, k, n) are cut; shape (grids, 4).
    dataflow
        Index into ``DATAFLOWS`` of what the array does; -1 as ``grid``.
    """

    grid: npt.NDArray[np.int32]
    grids: IntArray
    dataflow: npt.NDArray[np.int8]

    @classmethod
    def empty(
        cls,
        shape: tuple[int, int, int],
        used: BoolArray,
        compulsory_bytes: IntArray,
        hbm_pj_per_byte: float | None,
        splits: tuple[int, ...],
        grids: IntArray,
    ) -> TensorCosts:
        """A table to be filled in: no products, so nothing but the compulsory traffic."""
        return cls(
            cycles=np.zeros(shape, dtype=np.int64),
            hbm_bytes=np.broadcast_to(compulsory_bytes[:, None, None], shape).copy(),
            energy_pj=None if hbm_pj_per_byte is None else np.zeros(shape),
            ideal_cycles=np.zeros(shape, dtype=np.int64),
            port_cycles=np.zeros(shape, dtype=np.int64),
            used=used,
            compulsory_bytes=compulsory_bytes,
            compulsory_pj=None
            if hbm_pj_per_byte is None
            else np.asarray(compulsory_bytes * hbm_pj_per_byte, dtype=np.float64),
            splits=splits,
            grid=np.full(shape, -1, dtype=np.int32),
            grids=grids,
            dataflow=np.full(shape, -1, dtype=np.int8),
        )

    def cut(self, work: int, core_type: int, split: int) -> tuple[int, int, int, int] | None:
        """Factors by which (batch, m, k, n) of a work are cut (indices into the arrays); ``None`` without a cut."""
        chosen = int(self.grid[work, core_type, split])
        if chosen < 0:
            return None
        batch, m, k, n = self.grids[chosen].tolist()
        return batch, m, k, n


@dataclass(frozen=True, eq=False)
class VectorCosts(_CoreCosts):
    """Vector side of works on vector-core types; arrays of shape (works, types, splits), as in ``TypeCosts``."""


@dataclass(frozen=True, eq=False)
class OperatorCosts:
    """Costs of whole operators on one pair of core types: their two sides, and what a calibration does to them.

    A fused operator runs its product on s_t tensor cores and its vector parts on s_v vector cores, each side at its
    own rate. What the two sides have together on *equally many* cores, as ``fusion: paired`` runs them, is given as
    arrays of shape (works, splits); other pairs are joined where modes are made (``accmine.cost.mode_table``).

    Attributes
    ----------
    tensor, vector
        The sides, with the corrections in their cycles.
    corrections
        Of each work: launch and the HBM's efficiency (those of cycles are in the sides already).
    useful
        Which numbers of tensor and of vector cores are of use to each side (``TypeCosts.useful``), at the peaks of the
        machine: neither core counts nor a calibration change it; each of shape (works, splits).
    """

    tensor: TypeCosts
    vector: TypeCosts
    corrections: Corrections
    useful: tuple[BoolArray, BoolArray]

    @property
    def splits(self) -> tuple[int, ...]:
        """Numbers of cores of the columns."""
        return self.tensor.splits

    @property
    def uses_tensor(self) -> BoolArray:
        """Whether a work has a tensor side; shape (works,)."""
        return self.tensor.used

    @property
    def uses_vector(self) -> BoolArray:
        """Whether a work has a vector side; shape (works,)."""
        return self.vector.used

    @property
    def compulsory_bytes(self) -> IntArray:
        """Lower bound of ``hbm_bytes``; shape (works,)."""
        return self.tensor.compulsory_bytes

    @property
    def tensor_cycles(self) -> IntArray:
        """Cycles of the arrays; ``INVALID`` on too many cores."""
        return self.tensor.cycles

    @property
    def vector_cycles(self) -> IntArray:
        """Cycles of the vector lanes; ``INVALID`` on too many cores."""
        return self.vector.cycles

    @cached_property
    def port_cycles(self) -> IntArray:
        """Time at the slower of the ports of a tensor and a vector core, which work side by side."""
        return np.maximum(self.tensor.port_cycles, self.vector.port_cycles)

    @cached_property
    def cycles(self) -> IntArray:
        """max(tensor, vector, port) on ``splits[j]`` cores of each kind used; ``INVALID`` where that is too many."""
        return np.maximum(
            np.maximum(self.tensor.cycles, self.vector.cycles), self.port_cycles
        )  # INVALID is the largest

    @cached_property
    def hbm_bytes(self) -> IntArray:
        """Traffic of the operator with HBM, over all its cores: each tensor once, and the re-reads of both sides."""
        compulsory = self.compulsory_bytes[:, None]
        both = self.tensor.hbm_bytes + (self.vector.hbm_bytes - compulsory)
        return np.asarray(np.where(self.cycles != INVALID, both, compulsory), dtype=np.int64)

    @cached_property
    def energy_pj(self) -> FloatArray | None:
        """Dynamic energy; ``None`` without a technology, infinite for invalid entries."""
        if self.tensor.energy_pj is None or self.vector.energy_pj is None or self.tensor.compulsory_pj is None:
            return None
        return np.asarray(self.tensor.energy_pj + self.vector.energy_pj + self.tensor.compulsory_pj[:, None])

    @cached_property
    def ideal_cycles(self) -> IntArray:
        """Lower bound of ``cycles`` by arithmetic alone, from both sides."""
        return np.maximum(self.tensor.ideal_cycles, self.vector.ideal_cycles)

    @property
    def mac_cycles(self) -> IntArray:
        """⌈MACs / (R · C · split)⌉."""
        return self.tensor.ideal_cycles

    @property
    def key(self) -> tuple[bytes, ...]:
        """Equal for costs of equal works that are equal in time and traffic on every pair of core counts."""
        own = self.corrections
        arrays = [getattr(own, name) for name in own.__dataclass_fields__]
        arrays += [x for side in (self.tensor, self.vector) for x in (side.cycles, side.port_cycles, side.hbm_bytes)]
        return tuple(array.tobytes() for array in arrays)


def combine(
    tensor: TypeCosts | TensorCosts, vector: TypeCosts | VectorCosts, corrections: Corrections | None = None
) -> OperatorCosts:
    """Whole operators from their tensor and vector sides, each on one core type.

    A table of one type may be given as it is; from a larger one take a type with ``of_type``.

    A fused operator takes as long as its slower side: tiles stream from the array to the vector units, and
    the time of the one tile by which the vector side starts later is left out. Re-reads of both sides add to the
    compulsory traffic. The ports of its tensor and vector cores work side by side.

    Parameters
    ----------
    tensor, vector
        At the peaks of the machine.
    corrections
        What a calibration makes of them; nothing by default.

    Raises
    ------
    InputError
        If a table has several types, or the two sides are of different works or split factors, or only one
        has energies.
    """
    tensor, vector = _one_type(tensor), _one_type(vector)
    if tensor.splits != vector.splits or tensor.cycles.shape != vector.cycles.shape:
        raise InputError("tensor and vector costs must be of the same works and the same split factors")
    if not np.array_equal(tensor.compulsory_bytes, vector.compulsory_bytes):
        raise InputError("tensor and vector costs are of different works")
    if (tensor.energy_pj is None) != (vector.energy_pj is None):
        raise InputError("tensor and vector costs must both have a technology, or neither")
    own = corrections or no_corrections(len(tensor.used))
    arrays = _slowed(tensor, own.array_efficiency * own.sustained, own.array_cycles)
    lanes = _slowed(vector, own.vector_efficiency, lambda cycles: cycles / own.vector_efficiency[:, None])
    return OperatorCosts(arrays, lanes, own, (tensor.useful, vector.useful))


def _slowed(side: TypeCosts, efficiency: FloatArray, slower: Callable[[IntArray], FloatArray]) -> TypeCosts:
    """A side whose units reach only a share of their peak."""
    if (efficiency == 1.0).all():
        return side
    longer = np.ceil(slower(np.where(side.cycles == INVALID, 0, side.cycles))).astype(np.int64)
    return replace(side, cycles=np.where(side.cycles == INVALID, INVALID, longer))


def _one_type(costs: TypeCosts | TensorCosts | VectorCosts) -> TypeCosts:
    return costs if isinstance(costs, TypeCosts) else costs.only


def durations(costs: OperatorCosts, hbm_bytes_per_cycle: float) -> IntArray:
    """Cycles an operator takes with all of the HBM bandwidth: launch + max(cycles, ⌈bytes / bandwidth⌉).

    On equally many cores of each kind. ``INVALID`` entries stay ``INVALID``. Traffic over duration never exceeds the
    bandwidth, also by rounding.

    Parameters
    ----------
    costs
        Costs of operators.
    hbm_bytes_per_cycle
        Peak bandwidth, bytes per clock cycle.

    Raises
    ------
    InputError
        If the bandwidth is not positive and finite.
    """
    if not (hbm_bytes_per_cycle > 0 and math.isfinite(hbm_bytes_per_cycle)):
        raise InputError(f"hbm_bytes_per_cycle must be positive and finite, got {hbm_bytes_per_cycle!r}")
    moved = costs.corrections.busy_bytes(costs.hbm_bytes)
    memory = np.ceil(moved / hbm_bytes_per_cycle)
    memory += memory * hbm_bytes_per_cycle < moved  # the division may have rounded down to an integer
    if memory.size and memory.max() >= float(INVALID):
        raise InputError(f"hbm_bytes_per_cycle {hbm_bytes_per_cycle!r} is too small for 64-bit cycle counts")
    valid = costs.cycles != INVALID
    busy = costs.corrections.joined(np.where(valid, costs.cycles, 0), memory.astype(np.int64))
    return np.asarray(np.where(valid, costs.corrections.launched(busy), INVALID), dtype=np.int64)


LEVELS = ("array", "vector", "port", "hbm")
"""What an operator can be bound by: arrays, vector units, the ports to the shared SRAM, the HBM."""


def binding(costs: OperatorCosts, hbm_bytes_per_cycle: float) -> npt.NDArray[np.int8]:
    """What each operator is bound by with all of the HBM bandwidth, an index into ``LEVELS``; -1 where invalid.

    The slowest of the four; of equally slow ones the first. Shape (works, splits).
    """
    memory = costs.corrections.busy_bytes(costs.hbm_bytes) / hbm_bytes_per_cycle
    sides = np.stack([costs.tensor_cycles, costs.vector_cycles, costs.port_cycles, memory]).astype(np.float64)
    return np.where(costs.cycles == INVALID, -1, sides.argmax(axis=0)).astype(np.int8)
