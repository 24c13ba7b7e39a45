"""The designs of a template that a search has to tell apart, as arrays with a bound each.

Left out is only what cannot be better than a design that stays:

- Core types on which every operator costs the same (memories that change nothing) have equal schedules: of
  such designs with equal counts the one with the least TDP, then area, stays.
- More cores never make the best schedule longer, since each way to run an operator on few cores is one on more
  (``accmine.cost.mode_table.useful_splits``), so where TDP is no part of the value only the designs stay to which no
  core can be added.
- Of cores beyond what can ever be in use at once (``width``) the least count stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

import numpy as np
import numpy.typing as npt

from accmine.hardware import Design
from accmine.problems.design_search import Problem
from accmine.problems.design_search.space_bound import Block, batches, blocks, phase_bounds_of, relative_value
from accmine.problems.operator_schedule.precedence import order_of
from accmine.workload import OperatorGraph

__all__ = ["DesignTable", "width"]

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

_PATHS_AT_ONCE = 16

_SAFE = 1 - 1e-12
"""Bounds are lowered by more than the error of the few floating-point operations that make values of times."""


class DesignTable:
    """Designs by number, with bounds; longest paths are added block by block, least bound first.

    Attributes
    ----------
    feasible
        Designs within the limits.
    value
        Bound of the value of each design that stays; shape (designs,).
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.value_of = relative_value(problem)
        found = list(blocks(problem))
        self.feasible = sum(int(block.fits.sum()) for block in found)
        self._blocks = _merged(problem, found)
        rows = []
        for part in batches(self._blocks):
            for block, seconds in zip(part, phase_bounds_of(problem, part, paths=False), strict=True):
                rows.append(_SAFE * self.value_of(seconds, block).ravel()[np.flatnonzero(block.fits)])
        sizes = [len(row) for row in rows]
        self.value: FloatArray = np.concatenate(rows) if rows else np.zeros(0)
        self._first: IntArray = np.concatenate([[0], np.cumsum(np.array(sizes, dtype=np.int64))]).astype(np.int64)
        least = [float(row.min()) for row in rows]
        self._order = sorted(range(len(rows)), key=lambda i: (least[i], i))
        self._least = [least[i] for i in self._order]
        self._next = 0

    def __len__(self) -> int:
        return len(self.value)

    @property
    def unseen(self) -> float:
        """No design of the blocks without longest paths has a lower value; ``inf`` if there is none."""
        return self._least[self._next] if self._next < len(self._order) else inf

    def more(self, upper: float) -> list[int]:
        """Add longest paths to the next blocks; the numbers of their designs of bound below ``upper``.

        The blocks stay unseen until ``advance``, so that an interrupt between the two loses no design.
        """
        chosen = self._order[self._next : self._next + _PATHS_AT_ONCE]
        several = [self._blocks[i] for i in chosen]
        found: list[int] = []
        for i, block, seconds in zip(chosen, several, phase_bounds_of(self.problem, several, paths=True), strict=True):
            own = slice(int(self._first[i]), int(self._first[i + 1]))
            full = _SAFE * self.value_of(seconds, block).ravel()[np.flatnonzero(block.fits)]
            self.value[own] = np.maximum(self.value[own], full)
            found += (own.start + np.flatnonzero(self.value[own] < upper)).tolist()
        return found

    def advance(self) -> None:
        """What ``more`` returned is taken over: go on to the next blocks."""
        self._next = min(self._next + _PATHS_AT_ONCE, len(self._order))

    def design(self, number: int) -> Design:
        """The design of a number."""
        i = int(np.searchsorted(self._first, number, side="right")) - 1
        block = self._blocks[i]
        return block.design(int(np.flatnonzero(block.fits)[number - int(self._first[i])]))


def _merged(problem: Problem, found: Sequence[Block]) -> list[Block]:
    """The blocks with only the designs that stay; blocks without any are left out."""
    classes: dict[object, list[Block]] = {}
    for block in found:
        classes.setdefault(_costs_key(problem, block), []).append(block)
    most = _widths(problem)
    kept = []
    for alike in classes.values():
        for block, stays in zip(alike, _stays(problem, alike, most), strict=True):
            if stays.any():
                kept.append(
                    Block(block.types, block.tensor_counts, block.vector_counts, block.area_mm2, block.tdp_w, stays)
                )
    return kept


def _costs_key(problem: Problem, block: Block) -> object:
    """Equal for blocks whose designs of equal counts have equal schedule problems."""
    types = block.types
    return (problem.library.costs(types).key, types.hbm_bytes_per_s, types.frequency_hz)


def _stays(problem: Problem, alike: Sequence[Block], most: tuple[float, float]) -> list[BoolArray]:
    """Which designs of blocks of equal costs stay."""
    shape = (max(len(b.tensor_counts) for b in alike), max(len(b.vector_counts) for b in alike))
    least = np.full((*shape, 2), inf)  # TDP and area of the cheapest
    owner = np.full(shape, -1, dtype=np.int64)
    for i, block in enumerate(alike):
        a, b = block.fits.shape
        held = least[:a, :b]
        cheaper = block.fits & (
            (block.tdp_w < held[..., 0]) | ((block.tdp_w == held[..., 0]) & (block.area_mm2 < held[..., 1]))
        )
        if not np.isfinite(block.tdp_w).all():  # a technology without power: area alone
            cheaper = block.fits & (block.area_mm2 < held[..., 1])
        owner[:a, :b][cheaper] = i
        held[cheaper] = np.stack([block.tdp_w, block.area_mm2], axis=-1)[cheaper]
    counts = max((b.tensor_counts for b in alike), key=len), max((b.vector_counts for b in alike), key=len)
    for axis, (own, width_of) in enumerate(zip(counts, most, strict=True)):
        beyond = np.flatnonzero(own >= width_of)[1:]
        owner[(beyond, slice(None)) if axis == 0 else (slice(None), beyond)] = -1
    if not problem.per_tdp:
        fits = owner >= 0
        larger = np.zeros(shape, dtype=bool)
        larger[:-1] |= fits[1:]
        larger[:, :-1] |= fits[:, 1:]
        owner[larger] = -1
    return [np.asarray(owner[: len(b.tensor_counts), : len(b.vector_counts)] == i) for i, b in enumerate(alike)]


def _widths(problem: Problem) -> tuple[float, float]:
    """The most tensor and vector cores that the tasks can ever use at once."""
    if problem.library.splits != (1,):
        return inf, inf
    graphs = {phase.graph: None for task in problem.tasks for phase in task.phases}
    tensor = max((width(graph, "tensor") for graph in graphs), default=0)
    vector = max((width(graph, "vector") for graph in graphs), default=0)
    return tensor, vector


def width(graph: OperatorGraph, side: str) -> int:
    """At least the largest number of operators with a ``tensor`` or ``vector`` side that can run side by side.

    The size of a cover of these operators by chains, found greedily: of operators that can run side by side no
    two are in one chain (Dilworth 1950), so no cover is smaller than what is bounded here.
    """
    uses = [w.uses_tensor if side == "tensor" else bool(w.vector) for w in graph.works]
    wanted = [uses[w] for w in graph.work_index.tolist()]
    line = order_of(len(graph), graph.edges)
    # The chain that may go on behind an operator: its own if it is wanted, else one handed on by a predecessor.
    chains = 0
    free: list[set[int]] = [set() for _ in wanted]  # ends of chains among an operator's ancestors, handed on
    taken: set[int] = set()
    for v in line.sequence:
        ends: set[int] = set()
        for u in line.predecessors[v]:
            ends |= free[u]
        ends -= taken
        if wanted[v]:
            if ends:
                taken.add(min(ends))
            else:
                chains += 1
            ends = {v} | set(sorted(ends - taken)[:8])
        free[v] = ends if len(ends) <= 16 else set(sorted(ends)[:16])
    return chains
