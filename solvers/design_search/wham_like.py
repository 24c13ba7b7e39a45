"""The critical-path heuristic: our reading of WHAM's local search, every undocumented decision an option.

Core dimensions form a tree: the root has the largest of everything, a child is one step smaller in one
dimension. From the root down, each visited node starts with few cores and is given cores where critical
operators wait, while limits hold and the value falls. A branch is left when its nodes have not
improved on their ancestors for more than ``hysteresis`` levels. Source: arXiv 2404.14632 for the idea
(dimension descent, pruner with hysteresis, cores to critical operators, top-k); the details are ours.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any

import numpy as np
import numpy.typing as npt

from accmine.hardware import Design, TensorCore, VectorCore
from accmine.ports import Clock
from accmine.problems.design_search import Evaluation, Problem, Solution, fits, ranked
from accmine.problems.design_search.space_bound import Block, block_of
from accmine.record import Record
from accmine.result import StopReason

from .evaluator import Evaluator
from .wham_options import Options

__all__ = ["Descent", "Options", "WhamLike"]

Node = tuple[int, ...]
FloatArray = npt.NDArray[np.float64]


class WhamLike:
    """Solver of design searches by descent and growth; it proposes and does not prove.

    Parameters
    ----------
    options
        Fields of ``Options``.

    Raises
    ------
    InputError
        For an unknown option, or a value that is not allowed; names what is.
    """

    name = "wham-like"

    def __init__(self, **options: Any) -> None:
        self.options = Options.of(options, self.name)

    def search(self, record: Record[Solution]) -> StopReason:
        """Search once within each of ``problem.shares``; ``stop.work`` counts list schedules.

        The designs of ``problem.first`` are evaluated before all others: the answer is never worse than those of
        them that are in the template and within the limits. The search is deterministic: the seed changes nothing.
        """
        problem, evaluator = record.problem, Evaluator(record)
        searches = problem.shares or ((inf, inf),)
        finished = True
        for number, (area, tdp) in enumerate(searches):
            left = len(searches) - number
            limited = replace(problem, area_mm2=min(problem.area_mm2, area), tdp_w=min(problem.tdp_w, tdp), shares=())
            work = inf if record.stop.work is None else record.work + (record.stop.work - record.work) / left
            descent = Descent(limited, self.options, evaluator, record.clock.part(1 / left), work)
            descent.run()
            finished &= descent.finished
        return StopReason.FINISHED if finished else StopReason.TIME


class Descent:
    """One walk down the tree of core dimensions, within one pair of limits.

    Parameters
    ----------
    work
        That of the record at which it ends.

    Attributes
    ----------
    found
        Designs within these limits that were evaluated.
    visited, pruned
        Choices of core dimensions that were grown, and that were skipped by their bound.
    finished
        False if a limit ended it.
    """

    def __init__(self, problem: Problem, options: Options, evaluator: Evaluator, clock: Clock, work: float) -> None:
        self.problem, self.options, self.evaluate = problem, options, evaluator
        self.clock, self.work = clock, work
        self.found: dict[Design, Evaluation] = {}
        self.visited = self.pruned = 0
        self.finished = False
        t = problem.template
        numeric = (
            t.tensor_rows,
            t.tensor_cols,
            t.tensor_sram_bytes,
            t.vector_lanes,
            t.vector_ops_per_lane,
            t.vector_sram_bytes,
            tuple(size for size in t.hbm_bytes if size >= problem.memory_bytes),
            t.hbm_bytes_per_s if t.hbm_stack is None else (0,),  # with stacks bandwidth goes with capacity
            t.frequency_hz,
            tuple(range(len(t.shared_memories))),
        )
        self.axes: tuple[tuple[int | str, ...], ...] = (
            *(tuple(sorted(values, reverse=True)) for values in numeric),
            t.dataflow,
        )

    def run(self) -> None:
        """Search until the tree is done or the limits pass, after a look at the designs that come first."""
        for design in (*self.problem.first, *self.evaluate.record.pool):
            if fits(self.problem, design):
                self._try(design)
        if any(len(axis) == 0 for axis in self.axes):
            self.finished = True
            return
        root: Node = (0,) * len(self.axes)
        queue = [_Open(0.0, 0, root, self._bounds(root), inf, 0)]
        seen = {root}
        while queue and not self._out_of_budget():
            entry = heapq.heappop(queue)
            level, node, bounds, ancestor, stale = entry.level, entry.node, entry.bounds, entry.ancestor, entry.stale
            if not self.options.bound_pruning or bounds.least < self._threshold():
                bounds = self._bounds(node, paths=True)
            skip = bounds.least == inf or (self.options.bound_pruning and bounds.least >= self._threshold())
            value = inf if skip else self._grow(node, bounds)
            self.visited, self.pruned = self.visited + (not skip), self.pruned + skip
            # A node that fits no limit says nothing about its smaller children.
            stale = stale if bounds.least == inf else 0 if value < ancestor else stale + 1
            if stale > self.options.hysteresis:
                continue
            best_so_far = min(value, ancestor)
            for child in self._children(node):
                if child not in seen:
                    seen.add(child)
                    own = self._bounds(child)
                    key = {"breadth": float(level + 1), "best": best_so_far, "bound": own.least}[self.options.order]
                    heapq.heappush(queue, _Open(key, level + 1, child, own, best_so_far, stale))
        self.finished = not queue
        for _ in range(self.options.polish):
            self.finished = self._polish() and self.finished

    def _bounds(self, node: Node, *, paths: bool = False) -> _NodeBounds:
        block = block_of(self.problem, self._design(node, 1, 1))
        value = self.evaluate.bounds(block, paths=paths) if block.fits.any() else np.zeros(block.fits.shape)
        return _NodeBounds(block, value)

    def _out_of_budget(self) -> bool:
        return self.clock.over() or self.evaluate.record.work >= self.work

    def _threshold(self) -> float:
        values = sorted(e.value for e in self.found.values())
        return values[self.options.top_k - 1] if len(values) >= self.options.top_k else inf

    def _children(self, node: Node) -> Iterator[Node]:
        for axis, position in enumerate(node):
            if position + 1 < len(self.axes[axis]):
                yield (*node[:axis], position + 1, *node[axis + 1 :])

    def _design(self, node: Node, tensor_cores: int, vector_cores: int) -> Design:
        rows, cols, tensor_sram, lanes, ops, vector_sram, hbm, bandwidth, frequency, shared = (
            int(axis[i]) for axis, i in zip(self.axes[:-1], node, strict=False)
        )
        template = self.problem.template
        if template.hbm_stack is not None:
            bandwidth = dict(template.memories)[hbm]
        return Design(
            tensor_cores,
            TensorCore(rows, cols, tensor_sram, str(self.axes[-1][node[-1]]), template.tensor_rates),
            vector_cores,
            VectorCore(lanes, ops, vector_sram, template.vector_rates),
            hbm,
            bandwidth,
            frequency,
            *template.shared_memories[shared],
            template.calibration,
        )

    def _try(self, design: Design) -> Evaluation:
        self.found[design] = evaluation = self.evaluate(design)
        return evaluation

    def _grow(self, node: Node, bounds: _NodeBounds) -> float:
        """Give the node cores where critical operators wait; returns its best value.

        While no design at the current counts can enter the top k, nothing is scheduled and the bound says
        which kind of core is short.
        """
        counts = (0, 0)
        if self.options.start == "bound":
            row, column = np.unravel_index(int(bounds.value.argmin()), bounds.value.shape)
            counts = (int(row), int(column))
        if not bounds.fits[counts]:
            return inf
        least = inf
        current: Evaluation | None = None
        while not self._out_of_budget():
            if current is None:
                if not self.options.bound_pruning or bounds.value[counts] < self._threshold():
                    current = self._try(bounds.design(counts, self._design, node))
                    least = min(least, current.value)
                    continue
                steps = [step for r in (0, 1) if (step := self._larger(bounds, counts, r)) is not None]
                if not steps:
                    return least
                counts = min(steps, key=lambda step: bounds.value[step])
                continue
            delay = self.evaluate.delays[current.design]
            for resource in (0, 1) if delay.tensor >= delay.vector else (1, 0):
                step = self._larger(bounds, counts, resource)
                if step is None:
                    continue
                candidate = self._try(bounds.design(step, self._design, node))
                if self._gains(current, candidate):
                    current, counts = candidate, step
                    least = min(least, candidate.value)
                    break
            else:
                return least
        return least

    def _larger(self, bounds: _NodeBounds, counts: tuple[int, int], resource: int) -> tuple[int, int] | None:
        """Position of the counts with more cores of a kind that still fit; ``None`` if there is no such."""
        allowed = (bounds.tensor_counts, bounds.vector_counts)[resource]
        here = counts[resource]
        last = here + 1
        if self.options.growth == "double":
            while last + 1 < len(allowed) and allowed[last + 1] <= 2 * allowed[here]:
                last += 1
        for position in range(min(last, len(allowed) - 1), here, -1):
            step = (position, counts[1]) if resource == 0 else (counts[0], position)
            if bounds.fits[step]:
                return step
        return None

    def _gains(self, current: Evaluation, candidate: Evaluation) -> bool:
        """Whether an added core pays; below the floor, where the value is infinite, throughput itself has to rise."""
        if current.value == inf:
            return current.relative - candidate.relative > self.options.min_gain * current.relative
        return current.value - candidate.value > self.options.min_gain * current.value

    def _polish(self) -> bool:
        """Single-core steps around the best designs; False if the budget ran out."""
        for evaluation in ranked(self.found.values(), self.options.top_k)[:3]:
            design = evaluation.design
            for more_tensor, more_vector in ((1, 0), (0, 1), (-1, 0), (0, -1), (1, -1), (-1, 1)):
                if self._out_of_budget():
                    return False
                near = replace(
                    design,
                    tensor_cores=design.tensor_cores + more_tensor,
                    vector_cores=design.vector_cores + more_vector,
                )
                if fits(self.problem, near):
                    self._try(near)
        return True


@dataclass(frozen=True, slots=True, order=True)
class _Open:
    """A node to visit: ordered by key, then by level and position, so that the search is deterministic."""

    key: float
    level: int
    node: Node
    bounds: _NodeBounds = field(compare=False)
    ancestor: float = field(compare=False)
    stale: int = field(compare=False)


class _NodeBounds:
    """Limits and bounds of all core counts of one node, by position in the allowed counts."""

    def __init__(self, block: Block, value: FloatArray) -> None:
        self.tensor_counts: list[int] = block.tensor_counts.tolist()
        self.vector_counts: list[int] = block.vector_counts.tolist()
        self.fits = block.fits
        self.value = np.where(block.fits, value, inf)
        self.least = float(self.value.min())

    def design(self, position: tuple[int, int], make: Callable[[Node, int, int], Design], node: Node) -> Design:
        """The design at a position."""
        return make(node, self.tensor_counts[position[0]], self.vector_counts[position[1]])
