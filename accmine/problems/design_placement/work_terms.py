"""Work terms of layers on all core counts of a block, from what its core types need for each operator.

They add up over operators, so the terms of all passes of all classes are one product of matrices. At first without any
tile or split: multiply-accumulates over the peak of the arrays, cycles of the vector units, bytes that have to move.
That needs no cost table of products, which takes a hundred times as long.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from accmine.cost import INVALID, CostLibrary, hbm_capacity
from accmine.hardware import Design
from accmine.problems.design_search.space_bound import Block, work_rates
from accmine.workload import Task

__all__ = ["operator_counts", "peak_rates", "term_seconds", "work_rates"]

FloatArray = npt.NDArray[np.float64]


def operator_counts(library: CostLibrary, tasks: tuple[Task, ...]) -> FloatArray:
    """How often each work of the library is in each pass of each task; shape (tasks, passes, works)."""
    counts = np.zeros((len(tasks), max((len(t.phases) for t in tasks), default=0), len(library.works)))
    for t, task in enumerate(tasks):
        for p, phase in enumerate(task.phases):
            own = np.bincount(phase.graph.work_index, minlength=len(phase.graph.works))
            np.add.at(counts[t, p], library.index(phase.graph), own)
    return counts


@lru_cache(maxsize=1 << 12)
def _peak_rates(library: CostLibrary, alike: Design) -> FloatArray:
    rate = max([1.0, *(r for _, r in alike.tensor.rates)])
    tensor = _macs(library) / (alike.tensor.macs * rate)
    cycles = library.vector(alike).cycles[:, 0]
    vector = np.where(cycles == INVALID, np.inf, cycles * np.array(library.splits)).min(axis=1)
    return np.stack([tensor, vector, library.compulsory(alike) / hbm_capacity(alike)], axis=1)


def peak_rates(library: CostLibrary, types: Design) -> FloatArray | None:
    """Core time and time of the HBM that no mode of a work is below; shape (works, 3), as ``work_rates``.

    ``None`` where operators are measured: they may be faster than any peak.
    """
    if library.source is not None:
        return None
    plain = replace(types.tensor, rows=types.tensor.macs, cols=1, sram_bytes=1, dataflow="ws")
    return _peak_rates(library, replace(types, tensor=plain, hbm_bytes=0))


@lru_cache(maxsize=8)
def _macs(library: CostLibrary) -> FloatArray:
    return np.array([work.macs for work in library.works], dtype=np.float64)


def term_seconds(counts: FloatArray, block: Block, rates: FloatArray) -> FloatArray:
    """Seconds of each pass of each task on the feasible designs of a block; shape (tasks, passes, designs)."""
    total = counts @ rates
    row, column = np.nonzero(block.fits)
    tensor, vector = block.tensor_counts[row], block.vector_counts[column]
    cycles = np.maximum(total[..., 0, None] / tensor, total[..., 1, None] / vector)
    return np.asarray(np.maximum(cycles, total[..., 2, None]) / block.types.frequency_hz)
