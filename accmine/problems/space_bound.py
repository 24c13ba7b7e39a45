"""Bounds over the whole design space: no design of the template can be better, under this cost model.

For a graph on a design with core counts n_r and B bytes of HBM per cycle, every schedule takes at least

    max( longest path of the shortest durations,
         Σ_i min_s s·d_i(s) / n_r   for each kind of core r,
         Σ_i min_s b_i(s) / B ),        d_i(s) = max(c_i(s), b_i(s)/B)

because an operator holds its s cores for d_i(s) cycles and moves b_i(s) bytes. The first term depends on
the counts only through the largest split that fits, the others are sums divided by counts: a bound for
millions of designs is arithmetic on the cost table of each pair of core types. Pieces of the graph that run
one after the other are bounded one by one (``accmine.problems.barriers``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import inf
from typing import cast

import numpy as np
import numpy.typing as npt

from accmine.cost.table import INVALID
from accmine.hardware.design import Design
from accmine.hardware.space import core_pairs
from accmine.hardware.technology import linear_costs
from accmine.problems.barriers import Barriers, barriers
from accmine.problems.collapse import CollapsedGraph, collapse
from accmine.problems.design_search import Problem, aggregate, score
from accmine.workload.graph import OperatorGraph

__all__ = [
    "Block",
    "SpaceBound",
    "block_of",
    "blocks",
    "phase_bounds",
    "promising",
    "relative_value",
    "scan",
]

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

PhaseSeconds = Sequence[Sequence[FloatArray]]
"""Bound of each phase of each task in seconds, over the designs of a block."""

Value = Callable[[PhaseSeconds, "Block"], FloatArray]
"""From bounds of phase times to a bound of the objective, over the designs of a block."""

_SAFE = 1.0 - 1e-12
"""Bounds are computed in floating point and lowered by more than its error before rounding up."""


@dataclass(frozen=True, eq=False)
class Block:
    """All core counts of one choice of everything else.

    Attributes
    ----------
    types
        A design that has these core types; its counts mean nothing.
    tensor_counts, vector_counts
        Shapes (a,) and (b,).
    area_mm2, tdp_w, fits
        Of each pair of counts, and whether it meets the limits; shape (a, b).
    """

    types: Design
    tensor_counts: IntArray
    vector_counts: IntArray
    area_mm2: FloatArray
    tdp_w: FloatArray
    fits: BoolArray

    def design(self, flat: int) -> Design:
        """The design at a flat index into (a, b)."""
        i, j = np.unravel_index(flat, self.fits.shape)
        t = self.types
        return Design(
            int(self.tensor_counts[i]),
            t.tensor,
            int(self.vector_counts[j]),
            t.vector,
            t.hbm_bytes,
            t.hbm_bytes_per_s,
            t.frequency_hz,
            t.shared_sram_bytes,
        )


@dataclass(frozen=True)
class SpaceBound:
    """A proven limit over every feasible design of a template.

    Attributes
    ----------
    value
        No feasible design has a lower value; ``inf`` if there is none.
    design
        The design whose bound that is.
    feasible
        Designs within the limits.
    """

    value: float
    design: Design | None
    feasible: int


def block_of(problem: Problem, types: Design) -> Block:
    """The block of all core counts of the template for the core types of ``types``."""
    costs = linear_costs(
        types.tensor,
        types.vector,
        hbm_bytes=types.hbm_bytes,
        hbm_bytes_per_s=types.hbm_bytes_per_s,
        frequency_hz=types.frequency_hz,
        shared_sram_bytes=types.shared_sram_bytes,
        technology=problem.technology,
    )
    tensor = np.array(sorted(problem.template.tensor_cores), dtype=np.int64)
    vector = np.array(sorted(problem.template.vector_cores), dtype=np.int64)
    area = costs.area_fixed_mm2 + tensor[:, None] * costs.area_per_tensor_mm2 + vector * costs.area_per_vector_mm2
    tdp = costs.tdp_fixed_w + tensor[:, None] * costs.tdp_per_tensor_w + vector * costs.tdp_per_vector_w
    enough = types.hbm_bytes >= problem.memory_bytes
    # One part in 1e9 more than the limits: a design may only be left out when it surely does not fit.
    fits = (area <= problem.area_mm2 * (1 + 1e-9)) & (tdp <= problem.tdp_w * (1 + 1e-9)) & enough
    return Block(types, tensor, vector, area, tdp, fits)


def blocks(problem: Problem) -> Iterator[Block]:
    """Every block of the template that has a feasible design."""
    for tensor, vector, chip in core_pairs(problem.template):
        types = Design(
            1,
            tensor,
            1,
            vector,
            chip.hbm_bytes,
            chip.hbm_bytes_per_s,
            chip.frequency_hz,
            chip.shared_sram_bytes,
        )
        block = block_of(problem, types)
        if block.fits.any():
            yield block


def phase_bounds(problem: Problem, block: Block, *, paths: bool) -> list[list[FloatArray]]:
    """Bound of the makespan of each phase of each task in seconds; each of shape (a, b).

    ``paths`` adds the longest path, which costs a pass over each graph.
    """
    types = block.types
    terms = _Terms(problem, block)
    cache: dict[OperatorGraph, FloatArray] = {}
    result: list[list[FloatArray]] = []
    for task in problem.tasks:
        result.append([])
        for phase in task.phases:
            graph = phase.graph
            if graph not in cache:
                own = _Graph(terms, problem.library.index(graph))
                cycles = own.work(collapse(graph).count)
                if paths:
                    cycles = np.maximum(cycles, own.path(collapse(graph)))
                    cuts = barriers(graph)
                    if cuts is not None:
                        cycles = np.maximum(cycles, _barrier_bound(own, cuts))
                cache[graph] = np.ceil(cycles * _SAFE) / types.frequency_hz
            result[-1].append(cache[graph])
    return result


class _Terms:
    """Shortest durations, core time and bytes of every work of the library on the core types of a block."""

    def __init__(self, problem: Problem, block: Block) -> None:
        types = block.types
        costs = problem.library.costs(types.tensor, types.vector)
        valid = costs.cycles < INVALID
        memory = costs.hbm_bytes / (types.hbm_bytes_per_s / types.frequency_hz)
        splits = np.array(problem.library.splits, dtype=np.float64)
        self.duration = np.where(valid, np.maximum(costs.cycles, memory), inf)
        core_time = (self.duration * splits).min(axis=1)
        self.tensor_time = core_time * costs.uses_tensor
        self.vector_time = core_time * costs.uses_vector
        self.memory_time = np.where(valid, memory, inf).min(axis=1)
        self.uses_tensor, self.uses_vector = costs.uses_tensor, costs.uses_vector
        self.block = block
        self.columns = _Columns(block, problem.library.splits)


class _Graph:
    """The terms of the works of one graph; bounds in cycles, of shape (..., a, b)."""

    def __init__(self, terms: _Terms, at: IntArray) -> None:
        self.terms = terms
        self.rates = np.stack([terms.tensor_time[at], terms.vector_time[at], terms.memory_time[at]], axis=1)
        self.durations = terms.columns.durations(terms.duration[at], terms.uses_tensor[at], terms.uses_vector[at])

    def work(self, counts: IntArray) -> FloatArray:
        """Work per core and bytes per bandwidth of so many operators of each work; ``counts`` is (..., works)."""
        tensor, vector, memory = np.moveaxis(counts @ self.rates, -1, 0)
        block = self.terms.block
        cycles = np.maximum(
            tensor[..., None, None] / block.tensor_counts[:, None], vector[..., None, None] / block.vector_counts
        )
        return np.asarray(np.maximum(cycles, memory[..., None, None]), dtype=np.float64)

    def path(self, collapsed: CollapsedGraph) -> FloatArray:
        """Longest path; shape (a, b)."""
        return self.terms.columns.expand(collapsed.longest_path(self.durations))


def _barrier_bound(graph: _Graph, cuts: Barriers) -> FloatArray:
    """The bound of ``accmine.problems.barriers``; shape (a, b)."""
    length = np.maximum(graph.work(cuts.counts), np.stack([graph.path(segment) for segment in cuts.segments]))
    flat = length.reshape(len(length), -1)
    through = _sums(cuts.through, flat).reshape(-1, *length.shape[1:])
    beyond = _sums(cuts.total - cuts.through, flat).reshape(-1, *length.shape[1:])
    both = np.maximum(through, graph.work(cuts.before)) + np.maximum(beyond, graph.work(cuts.after))
    return np.asarray(both.max(axis=0), dtype=np.float64)


def _sums(counts: IntArray, lengths: FloatArray) -> FloatArray:
    """``counts @ lengths`` in pieces so small that BLAS takes one thread: several lose more than they gain."""
    weights = counts.astype(np.float64)
    pieces = [weights @ lengths[:, i : i + 256] for i in range(0, lengths.shape[1], 256)]
    return np.concatenate(pieces, axis=1)


class _Columns:
    """The distinct (largest tensor split, largest vector split) of a block, as columns of a table."""

    def __init__(self, block: Block, splits: Sequence[int]) -> None:
        self.tensor_level = np.searchsorted(splits, block.tensor_counts, side="right") - 1
        self.vector_level = np.searchsorted(splits, block.vector_counts, side="right") - 1
        self.tensor_levels, self.tensor_at = np.unique(self.tensor_level, return_inverse=True)
        self.vector_levels, self.vector_at = np.unique(self.vector_level, return_inverse=True)

    def durations(self, duration: FloatArray, tensor: BoolArray, vector: BoolArray) -> FloatArray:
        """Shortest duration of each work for each column; shape (works, columns)."""
        shortest = np.minimum.accumulate(duration, axis=1)
        last = shortest.shape[1] - 1
        t = np.where(tensor[:, None], self.tensor_levels[None, :], last)
        v = np.where(vector[:, None], self.vector_levels[None, :], last)
        level = np.minimum(t[:, :, None], v[:, None, :]).reshape(len(duration), -1)
        return np.take_along_axis(shortest, level, axis=1)

    def expand(self, columns: FloatArray) -> FloatArray:
        """From columns to core counts; shape (a, b)."""
        grid = columns.reshape(len(self.tensor_levels), len(self.vector_levels))
        return grid[np.ix_(self.tensor_at, self.vector_at)]


def relative_value(problem: Problem) -> Value:
    """The objective of a design search as a ``Value``: monotone in phase times, so a bound of it."""

    def value(seconds: PhaseSeconds, block: Block) -> FloatArray:
        relative = [
            sum((phase.repeats * s for phase, s in zip(task.phases, own, strict=True)), np.zeros_like(block.area_mm2))
            / reference
            for task, own, reference in zip(problem.tasks, seconds, problem.reference_s, strict=True)
        ]
        return cast(FloatArray, score(problem, aggregate(relative, problem.weights, problem.aggregate), block.tdp_w))

    return value


def promising(problem: Problem, count: int) -> list[Design]:
    """The designs of least bound of ``count`` choices of core types, least first: good places to begin a search."""
    value = relative_value(problem)
    order: list[tuple[float, int, Block]] = []
    for index, block in enumerate(blocks(problem)):
        cheap = value(phase_bounds(problem, block, paths=False), block)
        order.append((float(cheap[block.fits].min()), index, block))
    order.sort(key=lambda row: row[:2])
    found: list[tuple[float, int, Design]] = []
    for lowest, index, block in order:
        if len(found) >= count and lowest >= sorted(found)[count - 1][0]:
            break
        full = np.where(block.fits, value(phase_bounds(problem, block, paths=True), block), inf)
        found.append((float(full.min()), index, block.design(int(full.argmin()))))
    return [design for _, _, design in sorted(found)[:count]]


def scan(problem: Problem, value: Value | None = None, cheap_value: Value | None = None) -> SpaceBound:
    """The bound over every feasible design.

    Blocks are visited in the order of a cheap bound (work and bytes); longest paths are added until the
    next cheap bound is no better than the least full one.

    Parameters
    ----------
    value
        Objective of bounds of phase times, monotone in them; the default is that of ``problem``.
    cheap_value
        A lower bound of ``value`` that is faster to compute.
    """
    value = value or relative_value(problem)
    cheap_value = cheap_value or value
    order: list[tuple[float, int, Block]] = []
    feasible = 0
    for index, block in enumerate(blocks(problem)):
        feasible += int(block.fits.sum())
        cheap = cheap_value(phase_bounds(problem, block, paths=False), block)
        order.append((float(cheap[block.fits].min()), index, block))
    order.sort(key=lambda row: row[:2])
    least, design = inf, None
    for lowest, _, block in order:
        if lowest >= least:
            break
        full = np.where(block.fits, value(phase_bounds(problem, block, paths=True), block), inf)
        at = int(full.argmin())
        if full.flat[at] < least:
            least, design = float(full.flat[at]), block.design(at)
    return SpaceBound(least, design, feasible)
