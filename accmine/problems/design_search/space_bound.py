"""Bounds over the whole design space: no design of the template can be better, under this cost model.

For a graph on a design with core counts n_r and B bytes of HBM per cycle, every schedule takes at least

    max( longest path of the shortest durations,
         Σ_i min_s s·d_ir(s) / n_r   for each kind of core r,
         Σ_i min b_i / B ),        d_ir(s) = launch + max(c_ir(s), b_ir(s)/B)

because an operator holds s cores of kind r for at least d_ir(s) cycles, what its side on them takes, whatever its other
side does, and moves at least b_i bytes. The first term depends on the counts only through the largest splits that
fit, the others are sums divided by counts: a bound for millions of designs is arithmetic on the cost table of each
pair of core types. Paths are computed for few counts (``_PATH_COUNTS``), each for those below it as well. Pieces of the
graph that run one after the other are bounded one by one (``accmine.problems.design_search.barriers``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import inf
from typing import TypeVar, cast

import numpy as np
import numpy.typing as npt

from accmine.cost import INVALID, CostLibrary, hbm_capacity
from accmine.cost.mode_table import paired_works, useful_splits
from accmine.hardware import Design, types_of
from accmine.hardware.technology import chip_of, linear_costs
from accmine.ports import NEVER, Clock
from accmine.problems.design_search.barriers import Barriers, barriers
from accmine.problems.design_search.collapse import CollapsedGraph, collapse
from accmine.problems.design_search.problem import Problem, aggregate, value_of
from accmine.problems.limits import within
from accmine.workload import OperatorGraph

__all__ = [
    "Block",
    "SpaceBound",
    "batches",
    "block_of",
    "blocks",
    "bound",
    "phase_bounds",
    "phase_bounds_of",
    "promising",
    "relative_value",
    "scan",
    "sides_of",
]

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

PhaseSeconds = Sequence[Sequence[FloatArray]]
"""Bound of each phase of each task in seconds, over the designs of a block."""

Value = Callable[[PhaseSeconds, "Block"], FloatArray]
"""From bounds of phase times to a bound of the objective, over the designs of a block."""

T = TypeVar("T")

_LEAST_BATCH = 16
"""Blocks whose longest paths a scan computes at once; of a larger batch more would prove superfluous."""

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
        return self.types.with_cores(int(self.tensor_counts[i]), int(self.vector_counts[j]))


@dataclass(frozen=True)
class SpaceBound:
    """A proven limit over every feasible design of a template.

    Attributes
    ----------
    value
        No feasible design has a lower value; ``inf`` if there is none.
    design
        The design whose bound that is, or where the time was over one of low bound; ``None`` if there is none.
    feasible
        Designs within the limits.
    """

    value: float
    design: Design | None
    feasible: int


def block_of(problem: Problem, types: Design) -> Block:
    """The block of all core counts of the template for the core types of ``types``."""
    costs = linear_costs(types.tensor, types.vector, chip_of(types), problem.technology)
    tensor = np.array(sorted(problem.template.tensor_cores), dtype=np.int64)
    vector = np.array(sorted(problem.template.vector_cores), dtype=np.int64)
    area = costs.area_fixed_mm2 + tensor[:, None] * costs.area_per_tensor_mm2 + vector * costs.area_per_vector_mm2
    tdp = costs.tdp_fixed_w + tensor[:, None] * costs.tdp_per_tensor_w + vector * costs.tdp_per_vector_w
    enough = types.hbm_bytes >= problem.memory_bytes
    # One part in 1e9 more than the limits: a design may only be left out when it surely does not fit.
    fits = within(area, problem.area_mm2) & within(tdp, problem.tdp_w) & enough
    return Block(types, tensor, vector, area, tdp, fits)


def blocks(problem: Problem) -> Iterator[Block]:
    """Every block of the template that has a feasible design, up to the largest counts that fit."""
    for types in types_of(problem.template):
        block = block_of(problem, types)
        if block.fits.any():
            yield _cropped(block)


def _cropped(block: Block) -> Block:
    """The block without counts that never fit: mostly a small part is left, and bounds cost what is left."""
    a, b = (int(np.flatnonzero(block.fits.any(axis=axis))[-1]) + 1 for axis in (1, 0))
    area, tdp = block.area_mm2[:a, :b], block.tdp_w[:a, :b]
    return Block(block.types, block.tensor_counts[:a], block.vector_counts[:b], area, tdp, block.fits[:a, :b])


def phase_bounds(problem: Problem, block: Block, *, paths: bool) -> list[list[FloatArray]]:
    """Bound of the makespan of each phase of each task in seconds; each of shape (a, b).

    ``paths`` adds the longest path, which costs a pass over each graph.
    """
    return phase_bounds_of(problem, [block], paths=paths)[0]


def phase_bounds_of(problem: Problem, several: Sequence[Block], *, paths: bool) -> list[list[list[FloatArray]]]:
    """``phase_bounds`` of several blocks at once: the passes over the graphs are shared."""
    terms, cache = _Terms(problem, several), dict[OperatorGraph, list[FloatArray]]()
    for task in problem.tasks:
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
                cache[graph] = terms.by_block(np.ceil(cycles * _SAFE))
    return [
        [[cache[phase.graph][i] / block.types.frequency_hz for phase in task.phases] for task in problem.tasks]
        for i, block in enumerate(several)
    ]


class _Terms:
    """Shortest durations, core time and bytes of every work of the library on the core types of several blocks.

    The designs of all blocks are in one row, block by block, by tensor count and then vector count.
    """

    def __init__(self, problem: Problem, several: Sequence[Block]) -> None:
        rates, durations, at, columns = [], [], [], 0
        for block in several:
            sides = sides_of(problem.library, block.types)
            rates.append(sides.rates(problem.library.splits))
            own = _Columns(block, problem.library.splits)
            durations.append(own.durations(sides))
            at.append(columns + own.expand(np.arange(durations[-1].shape[1])).ravel())
            columns += durations[-1].shape[1]
        self.rates = np.stack(rates, axis=1)
        self.durations = np.concatenate(durations, axis=1)
        self.column = np.concatenate(at)
        self.shapes = [block.fits.shape for block in several]
        self.block = np.repeat(np.arange(len(several)), [block.fits.size for block in several])
        self.tensor = np.concatenate([np.repeat(b.tensor_counts, len(b.vector_counts)) for b in several])
        self.vector = np.concatenate([np.tile(b.vector_counts, len(b.tensor_counts)) for b in several])

    def by_block(self, row: FloatArray) -> list[FloatArray]:
        """The designs of each block again; each of shape (a, b)."""
        ends = np.cumsum([a * b for a, b in self.shapes])
        return [part.reshape(shape) for part, shape in zip(np.split(row, ends[:-1]), self.shapes, strict=True)]


class _Graph:
    """The terms of the works of one graph; bounds in cycles, of shape (..., designs)."""

    def __init__(self, terms: _Terms, at: IntArray) -> None:
        self.terms = terms
        self.rates = terms.rates[at].reshape(len(at), -1)
        self.durations = terms.durations[at]

    def work(self, counts: IntArray) -> FloatArray:
        """Work per core and bytes per bandwidth of so many operators of each work; ``counts`` is (..., works)."""
        terms = self.terms
        total = _sums(np.atleast_2d(counts), self.rates).reshape(*counts.shape[:-1], -1, 3)[..., terms.block, :]
        cycles = np.maximum(total[..., 0] / terms.tensor, total[..., 1] / terms.vector)
        return np.asarray(np.maximum(cycles, total[..., 2]), dtype=np.float64)

    def path(self, collapsed: CollapsedGraph) -> FloatArray:
        """Longest path; shape (designs,)."""
        return np.asarray(collapsed.longest_path(self.durations)[self.terms.column])


def _barrier_bound(graph: _Graph, cuts: Barriers) -> FloatArray:
    """The bound of ``accmine.problems.design_search.barriers``; shape (designs,)."""
    length = np.maximum(graph.work(cuts.counts), np.stack([graph.path(segment) for segment in cuts.segments]))
    through, beyond = _sums(cuts.through, length), _sums(cuts.total - cuts.through, length)
    both = np.maximum(through, graph.work(cuts.before)) + np.maximum(beyond, graph.work(cuts.after))
    return np.asarray(both.max(axis=0), dtype=np.float64)


def _sums(counts: IntArray, lengths: FloatArray) -> FloatArray:
    """``counts @ lengths`` in pieces so small that BLAS takes one thread: several lose more than they gain."""
    weights = counts.astype(np.float64)
    pieces = [weights @ lengths[:, i : i + 256] for i in range(0, lengths.shape[1], 256)]
    return np.concatenate(pieces, axis=1)


@dataclass(frozen=True, eq=False)
class _Sides:
    """Least cycles of the sides of works on each number of cores: arrays of shape (works, splits).

    Attributes
    ----------
    tensor, vector
        From start to end of a side alone, infinite on numbers of cores that no mode has; 0 without one. Both sides of a
        ``paired`` work are the whole of it.
    memory
        Least time of the traffic, over all numbers of cores; shape (works,).
    """

    tensor: FloatArray
    vector: FloatArray
    memory: FloatArray

    def rates(self, splits: Sequence[int]) -> FloatArray:
        """Tensor and vector core time, and time of the HBM; shape (works, 3)."""
        tensor, vector = ((side * np.array(splits)).min(axis=1) for side in (self.tensor, self.vector))
        return np.stack([tensor, vector, self.memory], axis=1)


def sides_of(library: CostLibrary, types: Design) -> _Sides:
    """The sides of every work on some core types."""
    costs, bandwidth, alone = library.costs(types), hbm_capacity(types), []
    own, least = costs.corrections, costs.compulsory_bytes
    useful = useful_splits(costs, library.works)
    for side, mask in zip((costs.tensor, costs.vector), useful, strict=True):
        valid = mask & (side.cycles != INVALID)
        cycles = np.maximum(np.where(valid, side.cycles, 0), side.port_cycles)
        whole = own.durations(cycles, side.hbm_bytes, bandwidth)
        alone.append(np.where(~side.used[:, None], 0.0, np.where(valid, whole, inf)))
        again = np.where(side.used[:, None] & valid, side.hbm_bytes - costs.compulsory_bytes[:, None], INVALID)
        least = least + np.where(side.used, again.min(axis=1), 0)
    both, longer = paired_works(costs, library.works)[:, None], np.maximum(*alone)
    tensor, vector = (np.where(both, longer, own_side) for own_side in alone)
    return _Sides(tensor, vector, own.busy_bytes(least) / bandwidth)


_PATH_COUNTS = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56)
"""Counts, with those from 64 on in steps of 8, that have paths of their own; others take those of the next larger."""


def _path_levels(splits: Sequence[int], counts: IntArray) -> IntArray:
    """Column of the largest split that the paths of each count may use; shape of ``counts``."""
    coarse = [*_PATH_COUNTS, *(64 + 8 * i for i in range(0, max(0, int(counts.max()) - 57) // 8 + 2))]
    rounded = np.array(coarse)[np.searchsorted(coarse, counts)]
    # Not beyond the largest count there is: its own paths are exact.
    return np.asarray(np.searchsorted(splits, np.minimum(rounded, counts.max()), side="right") - 1, dtype=np.int64)


class _Columns:
    """The distinct (largest tensor split, largest vector split) of a block, as columns of a table."""

    def __init__(self, block: Block, splits: Sequence[int]) -> None:
        self.tensor_level = _path_levels(splits, block.tensor_counts)
        self.vector_level = _path_levels(splits, block.vector_counts)
        self.tensor_levels, self.tensor_at = np.unique(self.tensor_level, return_inverse=True)
        self.vector_levels, self.vector_at = np.unique(self.vector_level, return_inverse=True)

    def durations(self, sides: _Sides) -> FloatArray:
        """Shortest duration of each work for each column; shape (works, columns)."""
        tensor = np.minimum.accumulate(sides.tensor, axis=1)[:, self.tensor_levels]
        vector = np.minimum.accumulate(sides.vector, axis=1)[:, self.vector_levels]
        return np.asarray(np.maximum(tensor[:, :, None], vector[:, None, :]).reshape(len(tensor), -1))

    def expand(self, columns: IntArray) -> IntArray:
        """From columns to core counts; shape (a, b)."""
        grid = columns.reshape(len(self.tensor_levels), len(self.vector_levels))
        return grid[np.ix_(self.tensor_at, self.vector_at)]


def relative_value(problem: Problem) -> Value:
    """The objective of a design search as a ``Value``: monotone in phase times, so a bound of it."""

    def value(seconds: PhaseSeconds, block: Block) -> FloatArray:
        each = [
            sum((phase.repeats * s for phase, s in zip(task.phases, own, strict=True)), np.zeros_like(block.area_mm2))
            / reference
            for task, own, reference in zip(problem.tasks, seconds, problem.reference_s, strict=True)
        ]
        relative = aggregate(each, problem.weights, problem.aggregate, problem.mixes)
        return cast(FloatArray, value_of(problem, relative, block.tdp_w))

    return value


def promising(problem: Problem, count: int, clock: Clock = NEVER) -> list[Design]:
    """The designs of least bound of ``count`` choices of core types, least first: good places to begin a search.

    When the clock is over, those that are known by then; one at least, where any fits.
    """
    value = relative_value(problem)
    order: list[tuple[float, int, Block]] = []
    for part in batches(list(blocks(problem))):
        if order and clock.over():
            break
        for block, seconds in zip(part, phase_bounds_of(problem, part, paths=False), strict=True):
            order.append((float(value(seconds, block)[block.fits].min()), len(order), block))
    order.sort(key=lambda row: row[:2])
    found: list[tuple[float, int, Design]] = []
    for lowest, index, block in order:
        if (len(found) >= count and lowest >= sorted(found)[count - 1][0]) or (found and clock.over()):
            break
        full = np.where(block.fits, value(phase_bounds(problem, block, paths=True), block), inf)
        found.append((float(full.min()), index, block.design(int(full.argmin()))))
    return [design for _, _, design in sorted(found)[:count]]


def bound(problem: Problem) -> tuple[float | None, str]:
    """(value that no design is below, how it is proved), without search; seconds on a large template."""
    value = scan(problem).value
    method = "work, bytes and longest paths of every feasible design"
    return (None, "no design meets the limits") if value == inf else (_SAFE * value, method)


def scan(
    problem: Problem, value: Value | None = None, cheap_value: Value | None = None, clock: Clock = NEVER
) -> SpaceBound:
    """The bound over every feasible design.

    Blocks are visited in the order of a cheap bound (work and bytes); longest paths are added until the
    next cheap bound is no better than the least full one.

    Parameters
    ----------
    value
        Objective of bounds of phase times, monotone in them; the default is that of ``problem``.
    cheap_value
        A lower bound of ``value`` that is faster to compute.
    clock
        When no more longest paths are added: what is left keeps its cheap bound.
    """
    value = value or relative_value(problem)
    cheap_value = cheap_value or value
    order: list[tuple[float, int, Block]] = []
    feasible = 0
    for part in batches(list(blocks(problem))):
        for block, seconds in zip(part, phase_bounds_of(problem, part, paths=False), strict=True):
            feasible += int(block.fits.sum())
            order.append((float(cheap_value(seconds, block)[block.fits].min()), len(order), block))
    order.sort(key=lambda row: row[:2])
    least, design = inf, None
    for rows in batches(order, _LEAST_BATCH):
        near = [block for lowest, _, block in rows if lowest < least]
        if not near:
            break
        if clock.over():
            known = design or near[0].design(int(np.where(near[0].fits, near[0].tdp_w, -inf).argmax()))
            return SpaceBound(min(least, rows[0][0]), known, feasible)
        for block, seconds in zip(near, phase_bounds_of(problem, near, paths=True), strict=True):
            full = np.where(block.fits, value(seconds, block), inf)
            at = int(full.argmin())
            if full.flat[at] < least:
                least, design = float(full.flat[at]), block.design(at)
    return SpaceBound(least, design, feasible)


def batches(rows: Sequence[T], size: int = 64) -> Iterator[Sequence[T]]:
    """``rows`` in pieces: the more blocks are bounded at once, the fewer passes over the graphs."""
    for i in range(0, len(rows), size):
        yield rows[i : i + size]
