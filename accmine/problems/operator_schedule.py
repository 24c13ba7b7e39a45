"""Operator schedule: place the operators of a graph on cores so that the makespan is smallest.

A multi-mode resource-constrained project scheduling problem with renewable resources (tensor cores,
vector cores, HBM bandwidth). Every operation runs in exactly one of its modes, without interruption;
a mode has an integer duration and holds integer amounts of resources for all of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["KIND", "ModeSet", "Problem", "Solution"]

KIND = "operator-schedule"

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class ModeSet:
    """The modes of an operation; operations of equal work share one object.

    Attributes
    ----------
    duration
        Time units, at least 0; shape (modes,).
    uses
        Amount of each resource held; shape (modes, resources).
    """

    duration: IntArray
    uses: IntArray


@dataclass(frozen=True, eq=False)
class Problem:
    """Operations, their modes, their order, and the capacities.

    Attributes
    ----------
    resources, capacity
        Names, and how much there is of each; shape (resources,).
    names
        Unique names of the operations.
    mode_sets, mode_set
        Distinct mode sets, and the index of the one of each operation; shape (operations,).
    edges
        (before, after) pairs of operation indices; shape (edges, 2).
    time_unit
        Seconds per time unit when durations were decimal; ``None`` for plain cycles.
    """

    resources: tuple[str, ...]
    capacity: IntArray
    names: tuple[str, ...]
    mode_sets: tuple[ModeSet, ...]
    mode_set: IntArray
    edges: IntArray
    time_unit: str | None = None

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True, eq=False)
class Solution:
    """Start time and chosen mode of every operation; shapes (operations,)."""

    start: IntArray
    mode: IntArray
