"""Best-first search over designs, plans and cuts at once, with one bound for all of them.

Every pair of a design and a plan has a bound of its step from the start, and effort goes where the least bound is:

    work of all devices → work terms of layers → longest paths and barriers → plans (chains without cuts)
    → replicas apart, chains over all cuts → the exact least chain over all cuts → operator schedules and their bounds

    bound = min over all pairs of their bounds, never above the best step.

A pair is left out only when its bound reaches the best step there is.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf

import numpy as np
import numpy.typing as npt

from accmine.hardware import Design
from accmine.problems import device_placement
from accmine.problems.design_placement import Proof, Solution, problem_on
from accmine.problems.design_placement.layer_bounds import (
    SAFE,
    classes_of,
    layer_seconds,
    peak_seconds,
)
from accmine.problems.design_placement.plan_bounds import Floor, Plans, cheap_bounds, floor_of
from accmine.problems.design_placement.plans import Terms
from accmine.problems.design_placement.times import class_at
from accmine.problems.design_search import fits
from accmine.problems.design_search.space_bound import Block, batches, block_of, blocks
from accmine.record import Record
from accmine.result import StopReason

from .answers import Modules, placement_of, placements, proven_seconds, scheduled, seconds_of, solution_of
from .key import Key

__all__ = ["BestFirst"]

FloatArray = npt.NDArray[np.float64]

METHOD = (
    "best-first over every feasible design, plan and cut: work of all devices, work terms, longest paths and barriers "
    "of layers, chains of the pipeline over all cuts, operator schedules of those near the best"
)

_PEAKS_AT_ONCE = 512
"""Blocks whose peaks are computed at once."""

_PATHS_AT_ONCE = 16
"""Blocks whose longest paths are computed at once."""

_DIVES, _DEEP = 16, 3
"""Blocks of small bounds that are costed at once, and those whose best design is scheduled."""

_TRIED, _MARGIN = 2, 0.01
"""Promising designs whose plans are told apart at once, and how much better than the best answer their bounds are."""

EFFORTS = 4
"""Levels of work on the operator schedules of a design with a variant."""

_SECONDS = (0.0, 1.0, 4.0, 12.0)
"""Of ``auto`` on modules of a class, by level; the first makes list schedules only."""

_PROMISING = 200
"""Plans of least bound among which those are found."""

_TRIES = 4
"""Placements that are simulated when there are new schedules."""


class BestFirst:
    """Solver of design placements with a bound over every feasible design and plan."""

    name = "best-first"

    def search(self, record: Record[Solution]) -> StopReason:
        """Search until the gap is ``stop.gap``, or the time is used up; ``stop.work`` counts scheduled designs.

        The pool holds the ``Proof``.
        """
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


@dataclass
class _Counts:
    """What a search did."""

    designs: int = 0
    pairs: int = 0
    chains: int = 0
    scheduled: int = 0
    seconds: float = 0.0


class _Search:
    """The pairs of one call that are still in question, and what is known of them."""

    def __init__(self, record: Record[Solution]) -> None:
        self.record, self.problem = record, record.problem
        every = [Terms(self.problem, variant) for variant in self.problem.variants]
        self.plan_count = 0
        # Of variants that fit in no memory the classes are not costed.
        self.terms: dict[int, Terms] = {}
        self.plans: dict[int, Plans] = {}
        most = max(self.problem.template.hbm_bytes)
        for v, terms in enumerate(every):
            plans = terms.plans()
            self.plan_count += len(plans)
            if np.isfinite(terms.fullest(plans, most)).any():
                self.terms[v], self.plans[v] = terms, plans
        self.classes = classes_of(self.problem, list(self.terms))
        self.room: dict[tuple[int, int], tuple[Plans, FloatArray]] = {}
        self.dived = inf
        self.floors: dict[tuple[int, int], Floor] = {}
        self.blocks: list[Block] = []
        self.queue: list[_Entry] = []
        self.number = 0
        self.counts = _Counts()
        self.modules: dict[tuple[Design, int], Modules] = {}
        self.least_spent = inf
        self.least_simulated = inf
        self.seen: dict[tuple[Design, int, device_placement.Solution], float] = {}
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
        search = self.classes.work
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
        self.blocks = list(blocks(self.classes.work))
        self.counts.designs = sum(int(block.fits.sum()) for block in self.blocks)
        for part in batches(range(len(self.blocks)), _PEAKS_AT_ONCE):
            rows = [peak_seconds(self.classes, self.blocks[i]) for i in part]
            self._push_blocks(part, rows, worked=False)

    def _push_blocks(self, part: Sequence[int], rows: Sequence[FloatArray], *, worked: bool) -> None:
        """Put blocks in line by the least floor of their designs."""
        for hbm in dict.fromkeys(self.blocks[i].types.hbm_bytes for i in part):
            own = [k for k, i in enumerate(part) if self.blocks[i].types.hbm_bytes == hbm]
            least = self._floors(hbm, np.concatenate([rows[k] for k in own], axis=2)).min(axis=0)
            begins = np.cumsum([0, *(rows[k].shape[2] for k in own[:-1])])
            for k, value in zip(own, np.minimum.reduceat(least, begins).tolist(), strict=True):
                self.push(value, several=[part[k]], worked=worked)

    def _dive(self) -> None:
        """Answers on designs of small bounds, so that most of the others are out of question soon."""
        line = [entry.blocks[0] for entry in sorted(self.queue)[: 8 * _DIVES]]
        near = line[:: max(1, len(line) // _DIVES)]
        rows = layer_seconds(self.classes, [self.blocks[i] for i in near], paths=False)
        order = []
        for i, own in zip(near, rows, strict=True):
            order.append((float(self._floors(self.blocks[i].types.hbm_bytes, own).min()), i))
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
        rows = layer_seconds(self.classes, [self.blocks[i] for i in several], paths=False)
        self._push_blocks(several, rows, worked=True)

    def _floors(self, hbm: int, rows: FloatArray) -> FloatArray:
        """What no step of a variant is below on designs with so much HBM, whatever the plan; (variants, designs)."""
        found = np.empty((len(self.terms), rows.shape[2]))
        for k, (v, at) in enumerate(zip(self.terms, self.classes.at, strict=True)):
            found[k] = self._floor(v, hbm).bounds(rows[list(at)])
        return SAFE * found

    def _floor(self, variant: int, hbm_bytes: int) -> Floor:
        if (variant, hbm_bytes) not in self.floors:
            plans = self.plans[variant]
            fullest = self.terms[variant].fullest(plans, hbm_bytes)
            room = np.flatnonzero(np.isfinite(fullest))
            self.room[variant, hbm_bytes] = plans.take(room), fullest[room][:, None]
            self.floors[variant, hbm_bytes] = floor_of(plans, fullest)
        return self.floors[variant, hbm_bytes]

    def _paths(self, several: list[int]) -> None:
        """Longest paths of all designs of some blocks, and bounds of all their plans."""
        keys = self._keys([self.blocks[i] for i in several])
        self._try(keys)
        for key in keys:
            self.push(key.least, key)

    def _try(self, keys: list[Key]) -> None:
        """Schedule the most promising of some keys at once: a better answer leaves out most of the others."""
        near = sorted((key for key in keys if key.effort == 0), key=lambda k: k.least)[:_TRIED]
        for key in near:
            if key.least < (1 - _MARGIN) * self.upper and not key.members:
                self.counts.pairs += key.tell_apart(self.upper)
        best = min(near, key=lambda k: k.least, default=None)
        if best is not None and best.least < min((1 - _MARGIN) * self.upper, self.dived):
            self._schedule(best, 0)
            best.effort = 1

    def _keys(self, several: list[Block], only: set[Design] | None = None) -> list[Key]:
        """Every design of some blocks with every variant that may still win."""
        found: list[Key] = []
        rows = layer_seconds(self.classes, several, paths=True)
        begin = time.monotonic()
        for hbm in dict.fromkeys(block.types.hbm_bytes for block in several):
            own = [k for k, block in enumerate(several) if block.types.hbm_bytes == hbm]
            designs = [several[k].design(int(flat)) for k in own for flat in np.flatnonzero(several[k].fits)]
            found += self._keys_of(hbm, designs, np.concatenate([rows[k] for k in own], axis=2), only)
        self.counts.seconds += time.monotonic() - begin
        return found

    def _keys_of(self, hbm: int, designs: list[Design], rows: FloatArray, only: set[Design] | None) -> list[Key]:
        """The same of designs with so much HBM; ``rows`` are bounds of layers, (tasks, 3, designs)."""
        found = []
        least = self._floors(hbm, rows)
        wanted = np.array([only is None or design in only for design in designs])
        for k, (v, at) in enumerate(zip(self.terms, self.classes.at, strict=True)):
            chosen = np.flatnonzero((least[k] < self.upper) & wanted)
            plans, fullest = self.room[v, hbm]
            if not len(chosen) or not len(plans):
                continue
            seconds = rows[list(at)][:, :, chosen]
            bounds = SAFE * cheap_bounds(plans, seconds, fullest)
            self.counts.pairs += bounds.size
            for column in np.flatnonzero(bounds.min(axis=0) < self.upper).tolist():
                which = np.flatnonzero(bounds[:, column] < self.upper)
                design = designs[int(chosen[column])]
                key = Key(0, v, design, self.terms[v], seconds[:, :, column], plans.take(which), bounds[which, column])
                modules = self.modules.get((design, v))
                if modules is not None:
                    key.raise_seconds(SAFE * proven_seconds(key.terms, modules, design), self.upper)
                    key.effort = 1
                found.append(key)
        return found

    def _advance(self, key: Key) -> None:
        """The next step of what is in line first."""
        if not key.members:
            self.counts.pairs += key.tell_apart(self.upper)
        elif not key.settled:
            found = key.settle(self.upper)
            self.counts.chains += 1
            if found is not None and key.least <= self.least_bound * (1 + 1e-3):
                placement = placement_of(key.terms, *found)
                self.least_simulated = min(self.least_simulated, self._simulated(key, placement))
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
        self.dived = min(self.dived, (1 + _MARGIN) * key.least)
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
        """Numbers of layers of modules to schedule."""
        if layers == 1 or level == 1:
            return [1]
        if level == 0:
            return [k for k in (1, 2, 4) if k <= layers]
        return [k for k in (1, 2, 4) if k <= layers]

    def _answer(self, key: Key, modules: Modules) -> None:
        times = seconds_of(key.terms, modules, key.design)
        plans = key.most_promising(_PROMISING)
        for placed in placements(key.terms, plans, times, key.design.hbm_bytes, self.upper, _TRIES)[:2]:
            if placed.step_s < self.upper * (1 + 1e-3):
                self.record.offer(solution_of(key.design, key.variant, placed.placement, modules))

    # The account

    def account(self) -> None:
        """Leave the proof in the pool."""
        best = self.record.best
        if best is None or self.record.bound is None:
            return
        bound, step = float(self.record.bound), float(self.record.score)
        with_bounds = self._with_bounds(best)
        least = min(with_bounds, self.least_simulated)
        self.record.pool["proof"] = Proof(
            design=best.design,
            step_s=step,
            bound_s=bound,
            plan_part=max(0.0, 1 - bound / least) if least < inf else 0.0,
            schedule_part=max(0.0, 1 - with_bounds / step) if with_bounds < inf else 0.0,
            design_part=0.0,
            designs=self.counts.designs,
            plans=self.plan_count,
            pairs=self.counts.pairs,
            chains=self.counts.chains,
            scheduled=self.counts.scheduled,
            seconds_of_pairs=self.counts.seconds,
            near=(),
        )

    def _with_bounds(self, solution: Solution) -> float:
        """The step of a placement when layers take what is proven of them."""
        key = self.keys.get((solution.design, solution.variant))
        return inf if key is None else self._simulated(key, solution.placement)

    def _simulated(self, key: Key, placement: device_placement.Solution) -> float:
        kinds = class_at(key.terms.variant)
        seconds = [tuple(key.seconds[kind].tolist()) for kind in kinds]
        placed = problem_on(self.problem, key.terms.variant, key.design.hbm_bytes, seconds)
        return float(device_placement.shown(placed, device_placement.score(placed, placement)))
