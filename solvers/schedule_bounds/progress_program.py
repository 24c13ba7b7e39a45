"""The linear program of ``progress_bound``: shares of operations that are done at two times.

See there for its meaning. Operations that are alike are one variable; the value is computed in exact integers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import highspy
import numpy as np
import numpy.typing as npt

from accmine.problems.operator_schedule import Problem
from accmine.problems.operator_schedule.cone_bound import Cones
from accmine.problems.operator_schedule.reduction import reduced
from accmine.problems.operator_schedule.subset_bound import Energy

from ..engines.highs_engine import run

__all__ = ["Classes", "Data", "Program", "classes", "collect"]

IntArray = npt.NDArray[np.int64]

_BITS = 56
"""Multipliers are multiples of 2^-56."""


@dataclass(frozen=True, eq=False)
class Classes:
    """Operations that are alike, as one.

    Attributes
    ----------
    of
        Class of each operation; shape (operations,).
    size, mode_set
        Operations in each class, and their mode set; shape (classes,).
    edges
        (before, after) pairs of classes such that every member of one has equally many predecessors in the other and
        the other way round, so that the mean share done of ``after`` is at most that of ``before``; shape (edges, 2).
    """

    of: IntArray
    size: IntArray
    mode_set: IntArray
    edges: IntArray


def classes(problem: Problem) -> Classes:
    """Operations of the same mode set whose predecessors are alike, and then whose successors are."""
    line = reduced(problem)
    n = len(problem)
    own = problem.mode_set.tolist()
    for order, neighbours in ((line.sequence, line.predecessors), (line.sequence[::-1], line.successors)):
        known: dict[tuple[int, tuple[int, ...]], int] = {}
        found = [0] * n
        for v in order:
            key = (own[v], tuple(sorted([found[u] for u in neighbours[v]])))
            found[v] = known.setdefault(key, len(known))
        own = found
    of = np.array(own, dtype=np.int64)
    count = int(of.max(initial=-1)) + 1
    mode_set = np.zeros(count, dtype=np.int64)
    mode_set[of] = problem.mode_set
    size = np.bincount(of, minlength=count).astype(np.int64)
    pairs = np.array([(u, v) for u in range(n) for v in line.successors[u]], dtype=np.int64).reshape(-1, 2)
    return Classes(of, size, mode_set, _regular(of, size, pairs))


def _regular(of: IntArray, size: IntArray, pairs: IntArray) -> IntArray:
    """Pairs of classes with equally many edges at every member, on both sides."""
    if not len(pairs):
        return np.zeros((0, 2), dtype=np.int64)
    before, after = of[pairs[:, 0]], of[pairs[:, 1]]
    between = np.unique(before * len(size) + after)
    at = np.searchsorted(between, before * len(size) + after)
    good = np.ones(len(between), dtype=bool)
    for column, owner in ((0, between // len(size)), (1, between % len(size))):
        # Edges of every operation into one class, then least, most and number of operations with such edges.
        each, degree = np.unique(at * len(of) + pairs[:, column], return_counts=True)
        pair = each // len(of)
        low = np.full(len(between), np.iinfo(np.int64).max, dtype=np.int64)
        high = np.zeros(len(between), dtype=np.int64)
        np.minimum.at(low, pair, degree)
        np.maximum.at(high, pair, degree)
        good &= (low == high) & (np.bincount(pair, minlength=len(between)) == size[owner])
    kept = between[good]
    return np.stack([kept // len(size), kept % len(size)], axis=1)


@dataclass(frozen=True, eq=False)
class Data:
    """Classes of operations with everything that a program needs.

    Attributes
    ----------
    head, tail, shortest
        Of each class; shape (classes,).
    work
        Least work of all members of each class together, one list per resource that is used.
    capacity
        Of these resources.
    edges
        As in ``Classes``.
    bound
        A valid bound of the makespan; τ + σ may not exceed it.
    """

    head: IntArray
    tail: IntArray
    shortest: IntArray
    work: list[list[int]]
    capacity: list[int]
    edges: IntArray
    bound: int


def collect(problem: Problem, known: Cones, needed: Energy) -> Data:
    """What the programs of a problem share; a class has the least head and tail of its members."""
    found = classes(problem)
    count = len(found.size)
    head = np.full(count, np.iinfo(np.int64).max, dtype=np.int64)
    tail = head.copy()
    np.minimum.at(head, found.of, known.head)
    np.minimum.at(tail, found.of, known.tail)
    member = np.zeros(count, dtype=np.int64)
    member[found.of] = np.arange(len(problem))
    work = [
        [w * k for w, k in zip(column, found.size.tolist(), strict=True)] for column in needed.work[member].T.tolist()
    ]
    return Data(head, tail, problem.shortest[found.mode_set], work, needed.capacity.tolist(), found.edges, known.bound)


@dataclass(frozen=True, eq=False)
class _Layer:
    """Shares done at one time: limits as numerators over ``p``, and the classes that are not fixed."""

    low: IntArray
    high: IntArray
    p: IntArray
    free: npt.NDArray[np.bool_]


def _begin(data: Data, tau: int) -> _Layer:
    """Limits of what is done at τ after the begin."""
    p = np.maximum(data.shortest, 1)
    # An operation without duration is done when it may have started.
    high = np.where(data.shortest > 0, np.clip(tau - data.head, 0, p), np.where(data.head <= tau, p, 0))
    return _Layer(np.zeros_like(p), high, p, high > 0)


def _end(data: Data, sigma: int) -> _Layer:
    """Limits of what is done at σ before the end."""
    p = np.maximum(data.shortest, 1)
    left = np.where(data.shortest > 0, np.clip(sigma - data.tail, 0, p), np.where(data.tail <= sigma, p, 0))
    return _Layer(p - left, p, p, left > 0)


class Program:
    """The linear program for one τ and σ (0 for none), in sparse rows of ``row · x ≤ limit``.

    Columns are the free shares of every layer and then T, in units of ``unit``; rows of resources are divided by
    capacity × unit. ``parts`` holds for every resource row its resource, its layers (before, after) and its length.
    """

    def __init__(self, data: Data, tau: int, sigma: int) -> None:
        self.data, self.tau, self.sigma = data, tau, sigma
        self.layers = ([_begin(data, tau)] if tau > 0 else []) + ([_end(data, sigma)] if sigma > 0 else [])
        self.unit = max(1.0, data.bound / 1000)
        self.column = []
        columns = 0
        for layer in self.layers:
            place = np.full(len(data.head), -1, dtype=np.int64)
            place[layer.free] = columns + np.arange(int(layer.free.sum()))
            columns += int(layer.free.sum())
            self.column.append(place)
        self.columns = columns + 1
        before, after = data.edges[:, 0], data.edges[:, 1]
        self.edges = [np.flatnonzero(layer.free[before] & layer.free[after]) for layer in self.layers]
        last = len(self.layers)
        self.parts = [(r, k) for r in range(len(data.capacity)) for k in range(last + 1)]

    def middle(self) -> int:
        """Index of the period whose length is T - τ - σ."""
        return 1 if self.tau > 0 else 0

    def period(self, k: int) -> tuple[int, int]:
        """(1 if T counts, constant) of the length of a period."""
        if k == self.middle():
            return 1, -self.tau - self.sigma
        return 0, self.tau if k == 0 else self.sigma

    def solve(self, seconds: float) -> tuple[tuple[list[Any], list[float]] | None, int]:
        """Multipliers of the precedences of each layer and of the resource rows, and the simplex iterations made."""
        rows: list[tuple[Any, Any]] = []
        limits: list[float] = []
        for place, chosen in zip(self.column, self.edges, strict=True):
            before, after = place[self.data.edges[chosen, 0]], place[self.data.edges[chosen, 1]]
            rows += [(pair, (1.0, -1.0)) for pair in zip(after.tolist(), before.tolist(), strict=True)]
            limits += [0.0] * len(chosen)
        for r, k in self.parts:
            index, value, limit = self._resource_row(r, k)
            rows.append((index, value))
            limits.append(limit)
        lp = highspy.HighsLp()
        lp.num_col_, lp.num_row_ = self.columns, len(rows)
        lp.col_cost_ = np.append(np.zeros(self.columns - 1), 1.0)
        shares = [
            (layer.low[layer.free] / layer.p[layer.free], layer.high[layer.free] / layer.p[layer.free])
            for layer in self.layers
        ]
        lp.col_lower_ = np.concatenate([*(low for low, _ in shares), [0.0]])
        lp.col_upper_ = np.concatenate([*(high for _, high in shares), [highspy.kHighsInf]])
        lp.row_lower_ = np.full(len(rows), -highspy.kHighsInf)
        lp.row_upper_ = np.array(limits)
        lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        lp.a_matrix_.start_ = np.cumsum([0, *(len(index) for index, _ in rows)])
        lp.a_matrix_.index_ = np.concatenate([np.asarray(index, dtype=np.int32) for index, _ in rows])
        lp.a_matrix_.value_ = np.concatenate([np.asarray(value, dtype=np.float64) for _, value in rows])
        engine = run(lp, seconds=max(0.01, seconds))
        if engine is None:
            return None, 0
        pivots = max(0, int(engine.getInfo().simplex_iteration_count))
        solution = engine.getSolution()
        if not solution.dual_valid:
            return None, pivots
        dual = -np.array(solution.row_dual)
        ends = np.cumsum([len(chosen) for chosen in self.edges])
        return (np.split(dual[: ends[-1]], ends[:-1]), dual[ends[-1] :].tolist()), pivots

    def _resource_row(self, r: int, k: int) -> tuple[Any, Any, float]:
        """Work done in period k less its length times the capacity, normalised; T in units."""
        work = np.array(self.data.work[r], dtype=np.float64)
        scale = self.data.capacity[r] * self.unit
        index: list[Any] = []
        value: list[Any] = []
        limit = 0.0
        if k < len(self.layers):
            layer, place = self.layers[k], self.column[k]
            index.append(place[layer.free])
            value.append(work[layer.free] / scale)
            limit -= float((work * (layer.low / layer.p))[~layer.free].sum()) / scale
        else:
            limit -= float(work.sum()) / scale
        if k > 0:
            layer, place = self.layers[k - 1], self.column[k - 1]
            index.append(place[layer.free])
            value.append(-work[layer.free] / scale)
            limit += float((work * (layer.low / layer.p))[~layer.free].sum()) / scale
        slope, constant = self.period(k)
        if slope:
            index.append([self.columns - 1])
            value.append([-1.0])
        return np.concatenate(index), np.concatenate(value), limit + constant / self.unit

    def exact(self, multipliers: tuple[list[Any], list[float]]) -> int:
        """The Lagrangian value of rounded multipliers, exact and rounded up: a bound of the makespan.

        A fixed share counts with its own value. The coefficient of T is 0 or more, and T is at least the bound.
        """
        data, one = self.data, 1 << _BITS
        duals, prices = multipliers
        price = [max(0, int(x * one)) if x == x and x < 2.0 else 0 for x in prices]  # noqa: PLR0124 - NaN
        slope = one
        constant = 0
        weight: list[list[int]] = [[0] * len(data.head) for _ in self.layers]
        for at, (r, k) in enumerate(self.parts):
            counts, length = self.period(k)
            capacity = data.capacity[r]
            per_work = min(price[at], slope) // capacity if counts else price[at] // capacity
            if per_work == 0:
                continue
            slope -= counts * per_work * capacity
            constant -= per_work * capacity * length
            if k == len(self.layers):
                constant += per_work * sum(data.work[r])
            for place, sign in ((k, 1), (k - 1, -1)):
                if 0 <= place < len(self.layers):
                    own = weight[place]
                    for i, w in enumerate(data.work[r]):
                        if w:
                            own[i] += sign * per_work * w
        for own, chosen, dual in zip(weight, self.edges, duals, strict=True):
            flows = [max(0, int(x)) if x == x else 0 for x in (dual * self.unit * (1 << 20)).tolist()]  # noqa: PLR0124
            for (u, v), flow in zip(data.edges[chosen].tolist(), flows, strict=True):
                own[v] += flow << (_BITS - 20)
                own[u] -= flow << (_BITS - 20)
        total = constant + slope * data.bound
        for own, layer in zip(weight, self.layers, strict=True):
            low, high, p = layer.low.tolist(), layer.high.tolist(), layer.p.tolist()
            for i, coefficient in enumerate(own):
                if coefficient:
                    total += coefficient * (low[i] if coefficient > 0 else high[i]) // p[i]
        return -(-total // one)
