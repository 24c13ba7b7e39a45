"""Greedy: the slowest layer moves to its next Pareto point, the cheapest option that is faster and still fits.

The rule of SAMO and fpgaConvNet's optimiser, on a list of all options in place of steps along single factors. Cost is
the sum of the shares that an option takes of budgets. With one budget of a resource, no adapters and fixed levels every
layer always holds the cheapest option that is as fast as the interval, so the last design is an optimum. Nothing is
proven of it here, and nothing is claimed of other problems.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from accmine.errors import InputError
from accmine.problems.sparse_dataflow import LayerOptions, Problem, Solution, budget_at, needs_interval, tabulate
from accmine.record import Record
from accmine.result import StopReason
from accmine.sparse.resources import RESOURCES

from .streams import adapters

__all__ = ["ParetoGreedy"]

Ints = npt.NDArray[np.int64]

_BITS = RESOURCES.index("bits")
_LOGIC = [RESOURCES.index("lut"), RESOURCES.index("ff")]
_BLOCK = 256
"""Options that are looked at together."""


class ParetoGreedy:
    """Heuristic; ``stop.work`` counts steps.

    Parameters
    ----------
    levels
        Index of the level of each layer; default: they are options like foldings, and loss is a budget like others.

    Raises
    ------
    InputError
        If there are not as many levels as layers, or a layer has no such level (when it searches).
    """

    name = "pareto-greedy"

    def __init__(self, levels: Sequence[int] | None = None) -> None:
        self.levels = levels

    def search(self, record: Record[Solution]) -> StopReason:
        """Step until the slowest layer has no faster option that fits. The seed changes nothing."""
        needs_interval(record.problem, self.name)
        design = _Design(record.problem, _allowed(record.problem, self.levels))
        if not all(map(len, design.pools)):
            return StopReason.FINISHED
        while record.over() is None:
            record.offer(design.solution(), doubtful=True)
            if not design.step():
                return record.over() or StopReason.FINISHED
            record.work += 1
        return record.over() or StopReason.FINISHED


def _allowed(problem: Problem, levels: Sequence[int] | None) -> list[list[int]]:
    """Levels that each layer may have."""
    if levels is None:
        return [list(range(len(layer.levels))) for layer in problem.layers]
    if len(levels) != len(problem.layers):
        raise InputError(f"pareto-greedy: {len(levels)} levels for {len(problem.layers)} layers", field="levels")
    for i, (layer, level) in enumerate(zip(problem.layers, levels, strict=True)):
        if not 0 <= level < len(layer.levels):
            allowed = f"allowed: 0 to {len(layer.levels) - 1} ({layer.name})"
            raise InputError(f"pareto-greedy: level {level} is not there; {allowed}", field=f"levels[{i}]")
    return [[level] for level in levels]


@dataclass(frozen=True, eq=False)
class _Pool:
    """Options of a layer by rising cost, as places in its tables: level · foldings + folding."""

    table: LayerOptions
    places: Ints

    def __len__(self) -> int:
        return len(self.places)

    def at(self, which: int) -> tuple[int, int]:
        """(level, folding)."""
        level, folding = divmod(int(self.places[which]), len(self.table.rows))
        return level, folding

    def cycles(self, which: Ints) -> Ints:
        level, folding = np.divmod(self.places[which], len(self.table.rows))
        return self.table.cycles[level, folding]

    def use(self, which: Ints) -> Ints:
        """Of resources, and the loss; shape (options, 7)."""
        level, folding = np.divmod(self.places[which], len(self.table.rows))
        return np.column_stack([self.table.use[folding], self.table.loss[level]])

    def streams(self, which: Ints, way: int) -> Ints:
        found: Ints = self.table.streams[self.places[which] % len(self.table.rows), way]
        return found


class _Design:
    """The option of every layer, and what they take together."""

    def __init__(self, problem: Problem, allowed: Sequence[list[int]]) -> None:
        self.problem, self.tables = problem, tabulate(problem)
        fastest = max(int(own.cycles.min()) for own in self.tables)
        self.limits = [*budget_at(problem, fastest), problem.budget.loss]
        known: dict[tuple[int, tuple[int, ...]], _Pool] = {}
        self.pools = []
        for table, levels in zip(self.tables, allowed, strict=True):
            key = id(table), tuple(levels)
            if key not in known:
                known[key] = _pool(table, levels, self.limits)
            self.pools.append(known[key])
        if not all(map(len, self.pools)):
            return
        self.at = [0] * len(self.pools)
        first = np.zeros(1, dtype=np.int64)
        self.cycles = [int(own.cycles(first)[0]) for own in self.pools]
        self.total = np.sum([own.use(first)[0] for own in self.pools], axis=0)
        for i, j in problem.edges:
            given, taken = self.pools[i].streams(first, 1), self.pools[j].streams(first, 0)
            self.total[_LOGIC] += adapters(given, taken, problem.model)[0]

    def solution(self) -> Solution:
        rows = zip(self.tables, self.pools, self.at, strict=True)
        return Solution(tuple(table.choice(*own.at(at)) for table, own, at in rows))

    def step(self) -> bool:
        """Whether the slowest layer, of several the first, got faster."""
        slowest = max(self.cycles)
        i = self.cycles.index(slowest)
        pool, most = self.pools[i], self._most(slowest - 1)
        rest = self.total - self._taken(i, np.array([self.at[i]]))[0]
        for start in range(self.at[i] + 1, len(pool), _BLOCK):  # what is before was not faster, or did not fit
            which = np.arange(start, min(start + _BLOCK, len(pool)))
            which = which[pool.cycles(which) < slowest]
            taken = rest + self._taken(i, which)
            fits = np.flatnonzero((taken <= most).all(axis=1))
            if len(fits):
                self.at[i], self.total = int(which[fits[0]]), taken[fits[0]]
                self.cycles[i] = int(pool.cycles(which[fits[:1]])[0])
                return True
        return False

    def _most(self, interval: int) -> Ints:
        limits = [*budget_at(self.problem, interval), self.problem.budget.loss]
        return np.array([np.iinfo(np.int64).max if most is None else most for most in limits])

    def _taken(self, i: int, which: Ints) -> Ints:
        """What options of a layer take with the adapters at it; shape (options, 7)."""
        pool = self.pools[i]
        found = pool.use(which)
        for source, target in self.problem.edges:
            if i == source:
                taken = self.pools[target].streams(np.full(len(which), self.at[target]), 0)
                found[:, _LOGIC] += adapters(pool.streams(which, 1), taken, self.problem.model)
            elif i == target:
                given = self.pools[source].streams(np.full(len(which), self.at[source]), 1)
                found[:, _LOGIC] += adapters(given, pool.streams(which, 0), self.problem.model)
        return found


def _pool(table: LayerOptions, levels: Sequence[int], limits: Sequence[int | None]) -> _Pool:
    """Options of the levels that fit by themselves; those alone that are faster than all that cost no more.

    Where one budget counts that is all that a step can take; of several a costlier and slower one may be what fits.
    """
    limited = [i for i, most in enumerate(limits) if most is not None and (i != _BITS or most == 0)]
    columns = np.column_stack([table.use, np.zeros(len(table.rows), dtype=np.int64)])
    places, costs = [], []
    for level in levels:
        columns[:, -1] = table.loss[level]
        small = np.flatnonzero(np.all([columns[:, i] <= limits[i] for i in limited] or [columns[:, 0] >= 0], axis=0))
        shares = [columns[small, i] / max(1, most) for i, most in enumerate(limits) if most is not None]
        costs.append(np.sum(shares, axis=0) if shares else np.zeros(len(small)))
        places.append(level * len(table.rows) + small)
    place, cost = np.concatenate(places), np.concatenate(costs)
    place = place[np.lexsort((table.cycles.reshape(-1)[place], cost))]
    if sum(most is not None for most in limits) == 1:
        cycles = table.cycles.reshape(-1)[place]
        place = place[np.append(True, cycles[1:] < np.minimum.accumulate(cycles)[:-1])[: len(place)]]
    return _Pool(table, place)
