"""Best-first search over designs, plans and cuts at once, with one bound for all of them.

Every pair of a design and a plan has a bound of its step from the start, and effort goes where the least bound is:

    work of all devices → work terms of layers → longest paths and barriers → plans (chains without cuts)
    → replicas apart, chains over all cuts → the exact least chain over all cuts → operator schedules and their bounds

    bound = min over all pairs of their bounds, never above the best step.

A pair is left out only when its bound reaches the best step there is.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf

import numpy as np
import numpy.typing as npt

from accmine.errors import InputError
from accmine.hardware import Design
from accmine.problems import device_placement
from accmine.problems.design_placement import Solution
from accmine.problems.design_placement.layer_bounds import (
    SAFE,
    layer_seconds,
    peak_seconds,
)
from accmine.problems.design_search import fits
from accmine.problems.design_search.space_bound import Block, batches, block_of, blocks
from accmine.record import Record
from accmine.result import StopReason
from accmine.system import SCHEDULES
from accmine.workload.shard import Shard

from .account import Counts, proof_of, simulated
from .answers import Modules, Placed, placements, proven_seconds, scheduled, seconds_of, solution_of
from .key import Key, chained_of, decided, tell_apart
from .space import Space

__all__ = ["BestFirst"]

FloatArray = npt.NDArray[np.float64]

METHOD = (
    "best-first over every feasible design, plan and cut: work of all devices, work terms, longest paths and barriers "
    "of layers, chains of the pipeline over all cuts, operator schedules of those near the best"
)

_PEAKS_AT_ONCE = 512
"""Blocks whose peaks are computed at once."""

_PATHS_AT_ONCE = 32
"""Blocks whose longest paths are computed at once."""

_DIVES, _DEEP = 8, 3
"""Blocks of small bounds that are costed at once, and those whose best design is scheduled."""

_MARGIN = 0.01
"""How much better than the best answer the bound of a promising design is."""

EFFORTS = 4
"""Levels of work on the operator schedules of a design with a variant."""

_SECONDS = (0.0, 1.0, 4.0, 12.0)
"""Of ``auto`` on modules of a class, by level; the first makes list schedules only."""

_PROMISING = 200
"""Plans of least bound among which those are found."""

_LONGEST = 8
"""Layers of the longest modules."""

_CUT_SECONDS = 0.5
"""For all cuts of a plan, simulated: mostly it is decided in less, or not at all."""

_TRIES = 4
"""Placements that are simulated when there are new schedules."""


class BestFirst:
    """Solver of design placements with a bound over every feasible design and plan."""

    name = "best-first"

    def search(self, record: Record[Solution]) -> StopReason:
        """Search until the gap is ``stop.gap``, or the time is used up; ``stop.work`` counts scheduled designs.

        The pool holds the ``Proof``.

        Raises
        ------
        InputError
            For schedules that split the backward pass: layers have one module for it.
        """
        split = [p.schedule for p in record.problem.pipelinings if SCHEDULES[p.schedule].split_backward]
        if split:
            whole = ", ".join(name for name, own in SCHEDULES.items() if not own.split_backward)
            message = f"{', '.join(split)}: layers have one module for the backward pass; allowed: {whole}"
            raise InputError(message, field="schedule")
        search = _Search(record)
        try:
            return search.run()
        finally:
            search.account()


@dataclass(order=True)
class _Entry:
    bound: float
    number: int
    key: Key | None = field(compare=False, default=None)
    blocks: list[int] = field(compare=False, default_factory=list)
    worked: bool = field(compare=False, default=False)


class _Search:
    """The pairs of one call that are still in question, and what is known of them."""

    def __init__(self, record: Record[Solution]) -> None:
        self.record, self.problem = record, record.problem
        self.space = Space(self.problem)
        self.dived: dict[Shard, float] = {}
        self.blocks: list[Block] = []
        self.queue: list[_Entry] = []
        self.number = 0
        self.counts = Counts()
        self.modules: dict[tuple[Design, int], Modules] = {}
        self.least_spent = inf
        self.near: dict[tuple[Design, int, device_placement.Solution], float] = {}
        self.keys: dict[tuple[Design, int], Key] = {}

    @property
    def upper(self) -> float:
        """The best step found."""
        return inf if self.record.score is None else float(self.record.score)

    def push(
        self, bound: float, key: Key | None = None, several: list[int] | None = None, worked: bool = False
    ) -> None:
        """Put something back in line, unless it cannot win."""
        if bound < self.upper:
            self.number += 1
            heapq.heappush(self.queue, _Entry(bound, self.number, key, several or [], worked))

    @property
    def least_bound(self) -> float:
        """No pair in question has a lower step."""
        return min(self.upper, self.queue[0].bound if self.queue else inf, self.least_spent)

    def report(self) -> None:
        """Raise the bound of the whole."""
        lower = self.least_bound
        if lower == inf:
            self.record.no_solution(METHOD)
        else:
            self.record.raise_bound(lower, METHOD)

    # The search

    def run(self) -> StopReason:
        """Look at pairs until something says stop."""
        if not self.space.terms:
            self.report()
            return StopReason.FINISHED
        self._first()
        self._peaks()
        if self.upper == inf or len(self.blocks) > 1:
            self._dive()
        while True:
            self.report()
            reason = self.record.over()
            if reason is not None:
                return reason
            while self.queue and self.queue[0].bound >= self.upper:
                heapq.heappop(self.queue)
            if not self.queue:
                self.report()
                return self.record.over() or StopReason.FINISHED
            entry = self.queue[0]  # stays until its successors are in line, whatever interrupts
            taken = [entry] if entry.key is not None else self._several(entry)
            if entry.key is not None:
                self._advance(entry.key)
            elif entry.worked:
                self._paths([i for e in taken for i in e.blocks])
            else:
                self._work([i for e in taken for i in e.blocks])
            self._remove(taken)

    def _remove(self, taken: list[_Entry]) -> None:
        gone = {id(entry) for entry in taken}
        self.queue = [entry for entry in self.queue if id(entry) not in gone]
        heapq.heapify(self.queue)

    def _first(self) -> None:
        """An answer on the designs that come first."""
        search = self.space.classes.work
        for design in dict.fromkeys(self.problem.first):
            if not fits(search, design):
                continue
            block = block_of(search, design)
            keys = self._keys([block], {design})
            for key in sorted(keys, key=lambda k: k.least)[:2]:
                if key.least < self.upper and self.record.over() is None:
                    self._schedule(key, 0)

    def _peaks(self) -> None:
        """The peaks of every design, block by block."""
        self.blocks = list(blocks(self.space.classes.work))
        self.counts.designs = sum(int(block.fits.sum()) for block in self.blocks)
        for part in batches(range(len(self.blocks)), _PEAKS_AT_ONCE):
            rows = [peak_seconds(self.space.classes, self.blocks[i]) for i in part]
            self._push_blocks(part, rows, worked=False)

    def _push_blocks(self, part: Sequence[int], rows: Sequence[FloatArray], *, worked: bool) -> None:
        """Put blocks in line by the least floor of their designs."""
        for hbm in dict.fromkeys(self.blocks[i].types.hbm_bytes for i in part):
            own = [k for k, i in enumerate(part) if self.blocks[i].types.hbm_bytes == hbm]
            least = self.space.floors_on(hbm, np.concatenate([rows[k] for k in own], axis=2)).min(axis=0)
            begins = np.cumsum([0, *(rows[k].shape[2] for k in own[:-1])])
            for k, value in zip(own, np.minimum.reduceat(least, begins).tolist(), strict=True):
                self.push(value, several=[part[k]], worked=worked)

    def _dive(self) -> None:
        """Answers on designs of small bounds, so that most of the others are out of question soon."""
        line = [entry.blocks[0] for entry in sorted(self.queue)[: 8 * _DIVES]]
        near = line[:: max(1, len(line) // _DIVES)]
        rows = layer_seconds(self.space.classes, [self.blocks[i] for i in near], paths=False)
        order = []
        for i, own in zip(near, rows, strict=True):
            order.append((float(self.space.floors_on(self.blocks[i].types.hbm_bytes, own).min()), i))
        for least, i in sorted(order)[:_DEEP]:
            if least < self.upper and self.record.over() is None:
                self._try(self._keys([self.blocks[i]]))

    def _several(self, entry: _Entry) -> list[_Entry]:
        """The blocks to look at next: the first in line and those that follow without others between."""
        found = [entry]
        while len(found) < (_PATHS_AT_ONCE if self.upper < inf else 1):
            heapq.heappop(self.queue)
            if not self.queue or self.queue[0].key is not None or self.queue[0].worked != entry.worked:
                break
            found.append(self.queue[0])
        for other in found:  # they stay in line until their successors are
            if not self.queue or self.queue[0] is not other:
                heapq.heappush(self.queue, other)
        return found

    def _work(self, several: list[int]) -> None:
        """Work terms of all designs of some blocks."""
        rows = layer_seconds(self.space.classes, [self.blocks[i] for i in several], paths=False)
        self._push_blocks(several, rows, worked=True)

    def _paths(self, several: list[int]) -> None:
        """Longest paths of all designs of some blocks, and bounds of all their plans."""
        keys = self._keys([self.blocks[i] for i in several])
        self._try(keys)
        for key in keys:
            self.push(key.least, key)

    def _try(self, keys: list[Key]) -> None:
        """Bounds of some keys over all cuts, and the most promising scheduled: it leaves out most of the others."""
        if self.upper < inf:
            self.space.pairs += tell_apart(keys, self.upper)
        best: dict[Shard, Key] = {}  # of each degree: bounds of one may be nearer to its steps than those of another
        for key in sorted((key for key in keys if key.effort == 0), key=lambda k: k.least):
            best.setdefault(key.terms.variant.shard, key)
        for shard, key in best.items():
            if key.least < min((1 - _MARGIN) * self.upper, self.dived.get(shard, inf)) and self.record.over() is None:
                self._schedule(key, 0)
                key.effort = 1

    def _keys(self, several: Sequence[Block], only: set[Design] | None = None) -> list[Key]:
        """Every design of some blocks with every variant that may still win, with what is proven of their layers."""
        rows = layer_seconds(self.space.classes, several, paths=True)
        begin = self.record.seconds()
        found = self.space.keys(several, rows, self.upper, only)
        self.counts.seconds += self.record.seconds() - begin
        for key in found:
            modules = self.modules.get((key.design, key.variant))
            if modules is not None:
                key.raise_seconds(SAFE * proven_seconds(key.terms, modules, key.design), self.upper)
                key.effort = 1
        return found

    def _advance(self, key: Key) -> None:
        """The next step of what is in line first."""
        if not key.members:
            self.space.pairs += tell_apart([key], self.upper)
        elif not key.settled:
            found = key.settle(self.upper, self.record.clock.part(0.1, _CUT_SECONDS))
            self.counts.chains += 1
            if found is not None and key.least <= self.least_bound * (1 + 1e-3):
                self.counts.least_simulated = min(self.counts.least_simulated, simulated(self.problem, key, found))
        elif key.effort < EFFORTS:
            self._schedule(key, key.effort)
            key.effort += 1
        else:
            self.least_spent = min(self.least_spent, key.least)
            return
        self.push(key.least, key)

    def _schedule(self, key: Key, level: int) -> None:
        """Operator schedules of all classes, better bounds of them, and the placements that suit them."""
        self.counts.scheduled += level == 0
        if key.members:  # else its bound says little
            shard = key.terms.variant.shard
            self.dived[shard] = min(self.dived.get(shard, inf), (1 + _MARGIN) * key.least)
        self.record.work += 1
        self.keys[key.design, key.variant] = key
        modules = self.modules.setdefault((key.design, key.variant), {})
        variant = key.terms.variant
        for layer_class in variant.classes:
            for repeats in self._repeats(key, layer_class.name, len(layer_class.layers), level):
                clock = self.record.clock.part(0.25, _SECONDS[level])
                known = modules.get((layer_class.name, repeats))
                modules[layer_class.name, repeats] = scheduled(
                    self.problem, key.design, layer_class, repeats, known, clock, self.record.seed
                )
        self._answer(key, modules)
        key.raise_seconds(SAFE * proven_seconds(key.terms, modules, key.design), self.upper)

    def _repeats(self, key: Key, name: str, layers: int, level: int) -> list[int]:
        """Numbers of layers of modules to schedule: few at first, then those that the stages of the answer have."""
        if layers == 1 or level == 1:
            return [1]
        if level < EFFORTS - 1:
            return [k for k in (1, 2, 4)[: 3 - level // 2] if k <= layers]
        best = self.record.best
        if best is None or (best.design, best.variant) != (key.design, key.variant):
            return [1]
        own = next(set(c.layers) for c in key.terms.variant.classes if c.name == name)
        sizes = Counter(len(own & {*stage.layers}) for stage in best.placement.stages)
        return [k for k, _ in sizes.most_common(2) if 0 < k <= _LONGEST]

    def _answer(self, key: Key, modules: Modules) -> None:
        times = seconds_of(key.terms, modules, key.design)
        plans = key.most_promising(_PROMISING)
        found = placements(key.terms, plans, times, key.design.hbm_bytes, self.upper, _TRIES)
        other = np.flatnonzero(~chained_of(key.terms, plans))[:1]
        if len(other):
            clock = self.record.clock.part(0.1, 2 * _CUT_SECONDS)
            placed, own = decided(key.terms, plans.take(other), times, key.design.hbm_bytes, clock)
            if own.best is not None:
                found.append(Placed(own.best, float(device_placement.shown(placed, own.score))))
        if key.best is not None:
            found.append(Placed(key.best, simulated(self.problem, key, key.best, times)))
        found.sort(key=lambda p: p.step_s)
        for number, own_placed in enumerate(found):
            self.near[key.design, key.variant, own_placed.placement] = own_placed.step_s
            if number < 2 and own_placed.step_s < self.upper * (1 + 1e-3):
                self.record.offer(solution_of(key.design, key.variant, own_placed.placement, modules))

    def account(self) -> None:
        """Leave the proof in the pool."""
        best = self.record.best
        if best is not None and self.record.bound is not None:
            key = self.keys.get((best.design, best.variant))
            own = inf if key is None else simulated(self.problem, key, best.placement)
            self.record.pool["proof"] = proof_of(self.record, self.space, self.counts, own, self.near)
