"""The options of layers that count at an interval: fast enough, and not worse than another in everything.

At a given interval an option is no longer asked how fast it is. So of all levels that keep a folding within it only the
one with the least loss counts, and of foldings those that no other undercuts in all resources that have a budget and in
the loss, with the same streams where these are joined to another layer (``adapters``).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from accmine.problems.sparse_dataflow import Candidates, LayerOptions, Problem, budget_at

from .relaxation import fitted_prices
from .streams import Network

__all__ = ["Affordable", "at_interval", "non_dominated"]

Ints = npt.NDArray[np.int64]


def at_interval(
    problem: Problem, tables: Sequence[LayerOptions], interval: int, *, adapters: bool = True
) -> tuple[Candidates, ...]:
    """The options of each layer that count; of a layer that is never so fast: none.

    Parameters
    ----------
    tables
        Of ``tabulate``; layers that share a table share the answer.
    adapters
        Whether options differ by their streams. Without, the answer is one of the problem without adapters.
    """
    limits = (*budget_at(problem, interval), problem.budget.loss)
    return Affordable(problem, tables).at(interval, limits, adapters=adapters)


class _Layer:
    """Options of a layer that fit the device by themselves, levels in the order of their losses."""

    def __init__(self, table: LayerOptions, limits: Sequence[int | None], limited: Sequence[int]) -> None:
        fits = np.ones(len(table.rows), dtype=bool)
        for column, most in zip(table.use.T, limits, strict=False):
            if most is not None:
                fits &= column <= most
        rows = np.flatnonzero(fits)
        rows = rows[_cheapest_memories(table.rows[rows], table.use[rows][:, limited])]
        self.limits = tuple(limits)
        self.level = np.argsort(table.loss, kind="stable")
        if limits[-1] is not None:
            self.level = self.level[table.loss[self.level] <= limits[-1]]
        self.loss = table.loss[self.level]
        self._take(rows, table.cycles[self.level[:, None], rows], table.use[rows], table.streams[rows])

    def _take(self, rows: Ints, cycles: Ints, use: Ints, streams: Ints) -> None:
        self.rows, self.cycles, self.use, self.streams = rows, cycles, use, streams

    def keep(self, kept: npt.NDArray[np.bool_]) -> None:
        """Leave the other rows out."""
        self._take(self.rows[kept], self.cycles[:, kept], self.use[kept], self.streams[kept])

    def fast(self, interval: int, limits: Sequence[int | None]) -> tuple[Ints, Ints]:
        """(those that some level keeps within an interval, the level of each with the least loss), by place.

        None takes more than a limit by itself: what is dearer could pass 64 bits at prices that are made for limits.
        """
        fast = self.cycles <= interval
        *tighter, loss = (
            most if most is not None and (known is None or most < known) else None
            for most, known in zip(limits, self.limits, strict=True)
        )
        if loss is not None:
            fast = fast[: int(np.searchsorted(self.loss, loss, side="right"))]
        which = fast.any(axis=0)
        for column, most in zip(self.use.T, tighter, strict=True):
            if most is not None:
                which &= column <= most
        rows = np.flatnonzero(which)
        return rows, fast[:, rows].argmax(axis=0) if len(fast) else rows

    def candidates(self, rows: Ints, level: Ints) -> Candidates:
        """Some rows, each at a level."""
        places = self.level[level], self.rows[rows]
        return Candidates(*places, self.cycles[level, rows], self.loss[level], self.use[rows], self.streams[rows])


def _cheapest_memories(rows: Ints, use: Ints) -> npt.NDArray[np.bool_]:
    """Where no row that differs by its memory alone, and so is as fast, takes at most as much of all."""
    kept, most = np.ones(len(rows), dtype=bool), int(rows[:, 1].max(initial=0))
    rest = np.zeros(len(rows), dtype=np.int64)
    for place in (0, 2, 3, 4, 5, 6):
        rest = rest * (int(rows[:, place].max(initial=0)) + 1) + rows[:, place]
    order = np.argsort(rest * (most + 1) + rows[:, 1])
    for step in range(1, most + 1):
        one, other = order[:-step], order[step:]
        same = rest[one] == rest[other]
        less = (use[one] <= use[other]).all(axis=1)
        kept[other[same & less]] = False
        kept[one[same & ~less & (use[other] <= use[one]).all(axis=1)]] = False
    return kept


class Affordable:
    """The options of all layers, and of them those that count at one interval after the other.

    Attributes
    ----------
    slowest
        No design has a shorter interval; ``None``: none at all, since some layer alone fits no budget.
    """

    def __init__(self, problem: Problem, tables: Sequence[LayerOptions]) -> None:
        own = problem.budget
        bits = 0 if own.bits_per_cycle == 0 else None  # of other rates it depends on the interval
        limits = own.dsp, own.lut, own.ff, own.bram18, own.uram, bits, own.loss
        self.limited = [i for i, most in enumerate(budget_at(problem, 0)) if most is not None]
        known: dict[int, _Layer] = {}
        for table in tables:
            if id(table) not in known:
                known[id(table)] = _Layer(table, limits, self.limited)
        self.problem, self.layers = problem, [known[id(table)] for table in tables]
        least = [int(layer.cycles.min(initial=-1 if not layer.cycles.size else 1 << 62)) for layer in self.layers]
        self.slowest: int | None = None if min(least, default=-1) < 0 else max(least)
        self._kept: dict[int, npt.NDArray[np.bool_]] = {}

    def values(self) -> Ints:
        """Cycles that an option has, ascending."""
        distinct = {id(layer): layer for layer in self.layers}.values()
        return np.unique(np.concatenate([np.unique(layer.cycles) for layer in distinct]))

    def refuted(self, interval: int, limits: Sequence[int | None], prices: Ints) -> bool:
        """Whether designs without adapters cost more than the limits at some prices, exactly."""
        return self._room(interval, limits, prices)[0] < 0

    def _room(
        self, interval: int, limits: Sequence[int | None], prices: Ints
    ) -> tuple[int, dict[int, tuple[Ints, Ints, Ints]]]:
        """(limits at some prices minus the cheapest design, of each layer: fast rows, their levels and prices)."""
        prices = fitted_prices(prices, limits)
        room = sum(int(price) * (most or 0) for price, most in zip(prices, limits, strict=True))
        found = {}
        for layer in self.layers:
            if id(layer) not in found:
                rows, level = layer.fast(interval, limits)
                cost = layer.use[rows] @ prices[:-1] + layer.loss[level] * prices[-1]
                found[id(layer)] = rows, level, cost
            cost = found[id(layer)][2]
            room -= int(cost.min()) if len(cost) else 1 << 60
        return room, found

    def at(
        self,
        interval: int,
        limits: Sequence[int | None],
        *,
        adapters: bool,
        prices: Ints | None = None,
        joint: Ints | None = None,
    ) -> tuple[Candidates, ...]:
        """The options of each layer that count.

        Parameters
        ----------
        limits
            In the order of ``RESOURCES``, and of the loss.
        prices, joint
            Whole numbers for the same: options that no design affords at them, without or with adapters, are left
            out, perhaps all.
        """
        weights = np.zeros(len(limits), dtype=np.int64) if prices is None else prices
        room, found = self._room(interval, limits, weights)
        ways = {}
        for key, (rows, level, cost) in found.items():
            kept = np.ones(len(rows), dtype=bool) if prices is None or not len(cost) else cost - cost.min() <= room
            ways[key] = rows[kept], level[kept]
        rows_of = [ways[id(layer)] for layer in self.layers]
        if joint is not None:
            rows_of = self._affordable(rows_of, limits, joint)
        self._remember(rows_of)
        read = {j for _, j in self.problem.edges} if adapters else set()
        written = {i for i, _ in self.problem.edges} if adapters else set()
        known: dict[tuple[int, int, bool, bool], Candidates] = {}
        every = []
        for i, (layer, (rows, level)) in enumerate(zip(self.layers, rows_of, strict=True)):
            own = id(layer), id(rows), i in read, i in written
            if own not in known:
                known[own] = _best(layer, rows, level, self.limited, [s for s in (0, 1) if own[2 + s]])
            every.append(known[own])
        return tuple(every)

    def _affordable(
        self, rows_of: Sequence[tuple[Ints, Ints]], limits: Sequence[int | None], prices: Ints
    ) -> list[tuple[Ints, Ints]]:
        """Rows and levels of each layer that some design with adapters affords: before they are compared, for speed."""
        if not all(len(rows) for rows, _ in rows_of):
            return list(rows_of)
        every = {
            id(rows): layer.candidates(rows, level) for layer, (rows, level) in zip(self.layers, rows_of, strict=True)
        }
        network = Network(self.problem, [every[id(rows)] for rows, _ in rows_of])
        prices = fitted_prices(prices, limits)
        budget = sum(int(price) * (most or 0) for price, most in zip(prices, limits, strict=True))
        if network.cheapest(prices)[0] > budget:
            return [(rows[:0], level[:0]) for rows, level in rows_of]
        found = []
        for (rows, level), cost in zip(rows_of, network.marginals(), strict=True):
            kept = cost <= budget
            found.append((rows[kept], level[kept]))
        return found

    def _remember(self, rows_of: Sequence[tuple[Ints, Ints]]) -> None:
        self._kept = {}
        for layer, (rows, _) in zip(self.layers, rows_of, strict=True):
            kept = self._kept.setdefault(id(layer), np.zeros(len(layer.rows), dtype=bool))
            kept[rows] = True

    def keep(self) -> None:
        """Leave out what was too dear in the last answer: from now on only less is asked of."""
        for layer in {id(own): own for own in self.layers}.values():
            layer.keep(self._kept[id(layer)])


def _best(layer: _Layer, rows: Ints, level: Ints, limited: list[int], joined: list[int]) -> Candidates:
    """Those that nothing undercuts."""
    columns = [*layer.use[rows][:, limited].T, layer.loss[level]]
    group = layer.streams[rows][:, joined] @ np.array([1, 1 << 31])[: len(joined)] if joined else None
    which = non_dominated(columns, group)
    return layer.candidates(rows[which], level[which])


def non_dominated(columns: Sequence[Ints], group: Ints | None = None) -> Ints:
    """Indices of the rows to which no other row is at most equal in every column, ascending; of equal rows the first.

    Parameters
    ----------
    columns
        Whole numbers of at least 0, each of the same length.
    group
        Of at least 0: only rows of the same are compared.
    """
    # strictly more for a row that is worse in one column and better in none
    total = np.zeros(len(columns[0]), dtype=np.int64)
    for column in columns:
        total += column * max(1, (1 << 56) // (len(columns) * (int(column.max(initial=0)) + 1)))
    own = np.zeros(len(total), dtype=np.int64) if group is None else group
    rest = np.lexsort((total, own))
    own, left = own[rest], [column[rest] for column in columns]
    kept = [rest[:0]]
    while len(rest):  # the first of each group, and what it undercuts
        first = np.flatnonzero(np.diff(own, prepend=-1))
        kept.append(rest[first])
        least = first if len(first) == 1 else np.repeat(first, np.diff(first, append=len(own)))
        better = left[0] < left[0][least]
        for column in left[1:]:
            better |= column < column[least]
        rest, own = rest[better], own[better]
        left = [column[better] for column in left]
    return np.sort(np.concatenate(kept))
