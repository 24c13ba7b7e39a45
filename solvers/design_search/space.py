"""The feasible designs of a template by position on its axes, and what a search has looked at.

A code is the position of every tunable among its sorted values, core counts last: what black-box searches vary. Limits
of area, TDP and memory are known without a schedule, so all searches draw among, and repair to, designs that meet them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from math import inf, log
from typing import Any

import numpy as np
import numpy.typing as npt

from accmine.hardware import Design
from accmine.problems.design_search import Evaluation, Problem, Solution, fits
from accmine.problems.design_search.space_bound import blocks
from accmine.record import Record
from accmine.result import StopReason

from .evaluator import Evaluator

__all__ = ["Code", "Looks", "Space", "guide"]

Code = tuple[int, ...]
Generator = np.random.Generator
BoolArray = npt.NDArray[np.bool_]

_DRAWS = 50
"""Draws that may all be known before the ones left are listed."""


def _tunables(design: Design) -> tuple[Any, ...]:
    """Everything of a design but its core counts, in the order of a code."""
    tensor, vector = design.tensor, design.vector
    cores = (tensor.rows, tensor.cols, tensor.sram_bytes, tensor.dataflow)
    lanes = (vector.lanes, vector.ops_per_lane, vector.sram_bytes)
    memory, shared = (design.hbm_bytes, design.hbm_bytes_per_s), (design.shared_sram_bytes, design.port_bytes_per_s)
    return (*cores, *lanes, memory, design.frequency_hz, shared)


class Space:
    """Every feasible design of a problem by its code.

    Attributes
    ----------
    sizes
        Values of each axis; core types first, then tensor and vector cores.
    ordered
        Whether the values of an axis are numbers, so that neighbours are alike.
    size
        Feasible designs.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.blocks = list(blocks(problem))
        rows = [_tunables(block.types) for block in self.blocks]
        values = [sorted(set(column)) for column in zip(*rows, strict=True)]
        places = [{value: i for i, value in enumerate(column)} for column in values]
        types = [tuple(place[v] for place, v in zip(places, row, strict=True)) for row in rows]
        self._places = places
        self._block = {code: i for i, code in enumerate(types)}
        self._types = np.array(types, dtype=np.int64).reshape(len(types), len(values))
        self._ends = np.cumsum([int(block.fits.sum()) for block in self.blocks], dtype=np.int64)
        counts = [max((b.fits.shape[k] for b in self.blocks), default=0) for k in (0, 1)]
        self.sizes: tuple[int, ...] = (*map(len, values), *counts)
        self.ordered = (*(not isinstance(column[0], str) for column in values), True, True)
        self.size = int(self._ends[-1]) if len(self._ends) else 0

    def fits(self, code: Code) -> BoolArray:
        """Which pairs of positions of core counts are feasible with the core types of a code; shape (a, b)."""
        return self.blocks[self._block[code[:-2]]].fits

    def design(self, code: Code) -> Design:
        """The design at a code of this space."""
        block = self.blocks[self._block[code[:-2]]]
        return block.types.with_cores(int(block.tensor_counts[code[-2]]), int(block.vector_counts[code[-1]]))

    def code(self, design: Design) -> Code | None:
        """Of a design; ``None`` if it is none of this space."""
        types = tuple(place.get(v, -1) for place, v in zip(self._places, _tunables(design), strict=False))
        number = self._block.get(types)
        if number is None:
            return None
        block = self.blocks[number]
        at = [np.flatnonzero(c == n) for c, n in zip(*_counts(block, design), strict=True)]
        found = (*types, *(int(i[0]) for i in at if len(i)))
        return found if len(found) == len(self.sizes) and block.fits[found[-2:]] else None

    def at(self, number: int) -> Code:
        """The code of one of the ``size`` designs."""
        i = int(np.searchsorted(self._ends, number, side="right"))
        block = self.blocks[i]
        flat = np.flatnonzero(block.fits)[number - (int(self._ends[i - 1]) if i else 0)]
        a, b = np.unravel_index(flat, block.fits.shape)
        return (*self._types[i].tolist(), int(a), int(b))

    def draw(self, random: Generator) -> Code:
        """A design, each as likely as any other."""
        return self.at(int(random.integers(self.size)))

    def unseen(self, random: Generator, seen: Collection[Code]) -> Code:
        """One that is not among ``seen``, which leaves at least one."""
        for _ in range(_DRAWS):
            if (code := self.draw(random)) not in seen:
                return code
        left = [code for code in map(self.at, range(self.size)) if code not in seen]
        return left[int(random.integers(len(left)))]

    def several(self, random: Generator, seen: Collection[Code], count: int) -> set[Code]:
        """About ``count`` that are not among ``seen``; all there are where these are few."""
        if self.size - len(seen) <= 2 * count:
            return {code for code in map(self.at, range(self.size)) if code not in seen}
        return {self.unseen(random, seen) for _ in range(count)}

    def repaired(self, wanted: Sequence[int]) -> Code:
        """The nearest core types that have a feasible design, and as many of the wanted cores as fit."""
        types = tuple(int(i) for i in wanted[:-2])
        if types not in self._block:
            nearest = int(np.abs(self._types - np.array(types)).sum(axis=1).argmin())
            types = tuple(self._types[nearest].tolist())
        fitting = self.blocks[self._block[types]].fits
        a, b = (min(max(0, int(i)), n - 1) for i, n in zip(wanted[-2:], fitting.shape, strict=True))
        while not fitting[a, b]:  # the counts shrink together, as nearly in their proportion as whole numbers allow
            if b == 0 or (a > 0 and a * (wanted[-1] + 1) >= b * (wanted[-2] + 1)):
                a -= 1
            else:
                b -= 1
        return (*types, a, b)


def _counts(block: Any, design: Design) -> tuple[tuple[Any, Any], tuple[int, int]]:
    return (block.tensor_counts, block.vector_counts), (design.tensor_cores, design.vector_cores)


class Looks:
    """What a search has looked at: each design of the space is evaluated once.

    The designs of ``problem.first`` that fit come before all others.
    """

    def __init__(self, record: Record[Solution]) -> None:
        self.record, self.problem = record, record.problem
        self.space, self.evaluate = Space(record.problem), Evaluator(record)
        self.random: Generator = np.random.default_rng(record.seed)
        self.known: dict[Code, Evaluation] = {}
        if not self.space.size:
            record.no_solution("limits of area, TDP and memory of every design")
        for design in dict.fromkeys(self.problem.first):
            code = self.space.code(design)
            if code is not None and fits(self.problem, design):
                self(code)

    def __call__(self, code: Code) -> Evaluation:
        """The evaluation of a design; made once."""
        if code not in self.known:
            self.known[code] = self.evaluate(self.space.design(code))
        return self.known[code]

    def over(self) -> StopReason | None:
        """Why the search ends now, if it does: limits, or nothing is left to look at."""
        reason = self.record.over()
        return StopReason.FINISHED if reason is None and len(self.known) >= self.space.size else reason

    def new(self) -> Code:
        """A design that was not looked at, each as likely as any other."""
        return self.space.unseen(self.random, self.known)

    def moved(self, code: Code, chance: float) -> Code:
        """A neighbour: each axis, one at least, takes a step; numbers of cores one of up to a quarter of them."""
        axes = [i for i, n in enumerate(self.space.sizes) if n > 1]
        if not axes:
            return code
        chosen = [i for i in axes if self.random.random() < chance] or [axes[int(self.random.integers(len(axes)))]]
        wanted = list(code)
        for i in chosen:
            if not self.space.ordered[i]:
                wanted[i] = int(self.random.integers(self.space.sizes[i]))
                continue
            most = max(1, code[i] // 4) if i >= len(code) - 2 else 1
            step = int(self.random.integers(1, most + 1)) * (1 if self.random.random() < 0.5 else -1)
            wanted[i] = min(max(0, code[i] + step), self.space.sizes[i] - 1)
        return self.space.repaired(wanted)


def guide(problem: Problem, evaluation: Evaluation) -> float:
    """What a search without a notion of constraints minimises: the logarithm of the value.

    Below the floor the value is infinite; there it grows with the distance from the floor, so that a search finds its
    way back.
    """
    if evaluation.value < inf:
        return log(evaluation.value)
    tdp = evaluation.tdp_w if problem.per_tdp else 1.0
    return log(evaluation.relative * tdp) + 1.0 + 2.0 * max(0.0, log(evaluation.relative * max(problem.floor, 1e-9)))
