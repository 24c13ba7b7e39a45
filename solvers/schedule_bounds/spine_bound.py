"""The spine program: what runs beside the spine of a training graph, and where it finds room.

Barriers (``accmine.problems.design_search.barriers``) cut the spine of the graph, the forward pass and the chain
of data gradients, into intervals that follow one after the other. Everything else, mostly weight gradients, runs
beside it in one of the intervals its order allows. With y_ik the share of operator i in interval k of length L_k

    min Σ_k L_k,    Σ_k y_ik = 1,
    L_k ≥ w_kr + Σ_i w_ir y_ik              for every load r, with w_k that of the spine,
    L_k ≥ p_k + Σ_i f_ik y_ik               with p_k the length of the spine in the interval alone.

Loads are least work over capacity and those of ``conflict_load``. With one core of a kind operators cannot run across
those of the spine that hold it. Intervals then end only there, an operator beside the spine lies wholly within one,
and f is more than nothing: as long as operator i runs, an operator j of the spine beside it may hold only the
bandwidth that i leaves, in a mode of length v_ij ≥ v_j. To hide a of the time of i behind j costs at least
a (v_ij - v_j)/v_ij, at most v_ij can be hidden there, and what is not hidden is added to L_k:

    f_ik = min d_i - Σ_j a_j v_j/v_ij,    Σ_j a_j ≤ d_i,    0 ≤ a_j ≤ v_ij.

f is convex in d with f(0) = 0 and grows with v_ij, so the sum over several operators in one interval holds as well.
The multipliers of the linear program come from HiGHS; the bound is their Lagrangian value, computed here, and holds
whatever HiGHS returned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import highspy
import numpy as np
import numpy.typing as npt

from accmine.cost import RESOURCES
from accmine.problems.design_search.barriers import Chain, chain
from accmine.problems.operator_schedule import Problem, bound, heads, least_work
from accmine.problems.operator_schedule.cone_bound import cones
from accmine.workload import OperatorGraph

from ..engines.highs_engine import run
from .conflict_load import conflict_loads

__all__ = ["METHOD", "SpineProgram", "spine_bound"]

METHOD = "linear program of what runs beside the spine"

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

_Entries = tuple[IntArray, IntArray, FloatArray, int]
"""Rows, columns and values of a matrix, and the number of its columns."""

_MOST_COLUMNS = 20_000
"""Of a program; larger ones take seconds."""
_MOST_WHOLE = 2_000
"""Of a mixed-integer program."""

_CONFLICTS = 8
"""Loads of conflicts in a program."""

_SEGMENT = 700
"""Operators of a segment that gets resource-aware heads and tails of its own."""
_SAFE = 1e-9
"""The Lagrangian value is lowered by more than the error of the floating-point sums behind it."""


def spine_bound(problem: Problem, graph: OperatorGraph) -> tuple[int, str]:
    """The better of the program's bound and of ``operator_schedule.bound``, with its method.

    Parameters
    ----------
    problem
        A lowered schedule of ``graph``, see ``accmine.problems.design_search.lowering``.
    """
    best, method = bound(problem)
    found = chain(graph)
    if found is None or problem.resources != RESOURCES or len(problem) == 0:
        return best, method
    for sealed in (0, 1):
        if problem.capacity[sealed] == 1:
            value = SpineProgram(problem, found, sealed).value()
            if value > best:
                best, method = value, METHOD
    value = SpineProgram(problem, found, None).value()
    return (value, METHOD) if value > best else (best, method)


@dataclass(frozen=True, slots=True)
class _Mode:
    duration: int
    uses: tuple[int, ...]


class SpineProgram:
    """The linear program of one schedule problem.

    Attributes
    ----------
    interval
        Of each interval of the chain the one of the program; shape (intervals of the chain,).
    classes, size
        (mode set, first interval, last interval) of what may run beside the spine, and how many there are of each.

    Parameters
    ----------
    sealed
        Resource of which there is one core, at whose operators on the spine intervals end; ``None``: intervals end
        at every barrier and operators beside the spine may run across them.
    """

    def __init__(self, problem: Problem, found: Chain, sealed: int | None) -> None:
        self.problem = problem
        self.sealed = sealed
        self.capacity = problem.capacity.tolist()
        self.shortest = problem.shortest
        # Per mode set: work over capacity of each resource, and then the loads that count conflicts.
        work = np.array([least_work(problem, r) for r in range(len(self.capacity))], dtype=np.float64)
        self.conflicts = conflict_loads(problem)
        self.load = work / problem.capacity[:, None]
        self.modes = [
            [
                _Mode(d, tuple(u))
                for d, u in zip(m.duration.tolist(), m.uses.tolist(), strict=True)
                if all(a <= c for a, c in zip(u, self.capacity, strict=True))
            ]
            for m in problem.mode_sets
        ]
        count = len(found.barrier) + 1
        inside = found.first == found.last
        members: list[list[int]] = [[] for _ in range(count)]
        for v in np.flatnonzero(inside).tolist():
            members[int(found.first[v])].append(v)
        ends = [k for k in range(count) if k == count - 1 or sealed is None or self._seals(members[k])]
        beside = np.flatnonzero(~inside)
        while True:
            self.interval = interval = np.searchsorted(np.array(ends), np.arange(count))
            spans = interval[found.last[beside]] - interval[found.first[beside]] + 1
            if sealed is not None or int(spans.sum()) <= _MOST_COLUMNS:
                break
            ends = [*ends[1:-1:2], ends[-1]]  # neighbours joined
        self.intervals = len(ends)
        lengths: dict[bytes, int] = {}
        self.length = np.zeros(self.intervals)
        self.singles: list[list[int]] = [[] for _ in ends]  # mode sets of lone operators
        self.mixed = np.zeros(self.intervals, dtype=bool)  # intervals with more than lone operators
        count_of = np.zeros((self.intervals, len(problem.mode_sets)))
        for k, own in enumerate(members):
            at = int(interval[k])
            if len(own) == 1:
                self.length[at] += int(self.shortest[problem.mode_set[own[0]]])
                self.singles[at].append(int(problem.mode_set[own[0]]))
            elif own:
                self.length[at] += self._segment(own, lengths)
                self.mixed[at] = True
            np.add.at(count_of[at], problem.mode_set[own], 1.0)
        # An operator may lie in an interval if it may run in any part of it; some now lie within one.
        keys = np.stack([problem.mode_set[beside], interval[found.first[beside]], interval[found.last[beside]]], axis=1)
        self.classes, self.size = np.unique(keys.reshape(-1, 3), axis=0, return_counts=True)
        self._choose(count_of)
        self.columns = int((self.classes[:, 2] - self.classes[:, 1] + 1).sum())

    def _choose(self, count: FloatArray) -> None:
        """Add the loads of conflicts that say most; ``count``: operators of the spine in each interval.

        One after the other, the one that adds most to what is known of the intervals, and of all that runs behind
        some of them, weight gradients included.
        """
        parts, known = [count], [np.maximum(self.length, (count @ self.load.T).max(axis=1, initial=0.0))]
        for k in sorted({0, *(self.intervals * i // 8 for i in range(1, 8))}):
            behind = count[k:].sum(axis=0)
            late = self.classes[:, 1] >= k
            np.add.at(behind, self.classes[late, 0], self.size[late].astype(np.float64))
            parts.append(behind[None, :])
            known.append(np.maximum(self.length[k:].sum(), (behind @ self.load.T).max(initial=0.0))[None])
        own, reached = self.conflicts @ np.concatenate(parts).T, np.concatenate(known)
        chosen: list[int] = []
        for _ in range(_CONFLICTS):
            gain = np.maximum(own - reached, 0.0).sum(axis=1)
            best = int(gain.argmax())
            if gain[best] <= 0:
                break
            chosen.append(best)
            reached = np.maximum(reached, own[best])
        self.load = np.concatenate([self.load, self.conflicts[chosen]])
        self.own = count @ self.load.T

    def _seals(self, members: Sequence[int]) -> bool:
        """Whether nothing that needs the one core can run across these operators of the spine."""
        if len(members) != 1:
            return False
        modes = self.modes[int(self.problem.mode_set[members[0]])]
        return all(m.uses[self.sealed or 0] > 0 for m in modes)

    def _segment(self, members: Sequence[int], known: dict[bytes, int]) -> int:
        """Bound of the length of a segment on its own; equal segments once."""
        problem = self.problem
        place = np.full(len(problem), -1, dtype=np.int64)
        place[members] = np.arange(len(members))
        edges = place[problem.edges]
        edges = np.ascontiguousarray(edges[(edges >= 0).all(axis=1)])
        key = problem.mode_set[members].tobytes() + edges.tobytes()
        if key not in known:
            names = tuple(problem.names[v] for v in members)
            part = Problem(
                problem.resources, problem.capacity, names, problem.mode_sets, problem.mode_set[members], edges
            )
            if len(members) <= _SEGMENT:
                known[key] = cones(part).bound
            else:
                known[key] = int((heads(part) + part.shortest[part.mode_set]).max())
            crowded = float(self.conflicts[:, problem.mode_set[members]].sum(axis=1).max(initial=0.0))
            known[key] = max(known[key], int(np.ceil(crowded * (1 - _SAFE))))
        return known[key]

    def cost(self, beside: int, interval: int) -> float:
        """f: the least by which an operator of a mode set lengthens the spine of an interval."""
        if self.sealed is None or self.mixed[interval]:
            return 0.0
        own = self.modes[beside]
        if any(m.uses[self.sealed] == 0 for m in own):
            return 0.0  # it may run across intervals
        left = duration = float(self.shortest[beside])
        offers = []
        for spine in self.singles[interval]:
            free = [m.duration for m in self.modes[spine] if any(self._fits(m, o) for o in own)]
            if free and min(free) > 0:
                offers.append((float(self.shortest[spine]) / min(free), float(min(free))))
        hidden = 0.0
        for ratio, most in sorted(offers, reverse=True):
            part = min(left, most)
            hidden += part * ratio
            left -= part
        return max(0.0, duration - hidden)

    def _fits(self, one: _Mode, two: _Mode) -> bool:
        return all(a + b <= c for a, b, c in zip(one.uses, two.uses, self.capacity, strict=True))

    def value(self) -> int:
        """The bound."""
        if self.columns == 0:
            return int(self.length.sum())
        if self.columns > _MOST_COLUMNS:
            return 0
        entries, low = self._matrix()
        solver = self._run(entries, low)
        duals = np.array([] if solver is None else solver.getSolution().row_dual, dtype=np.float64)
        return self._lagrangian(entries, low, duals if len(duals) == len(low) else np.zeros(len(low)))

    def assignment(self, nodes: int) -> dict[int, list[int]] | None:
        """For each class the intervals that its operators go to; ``None`` where HiGHS has no answer.

        Parameters
        ----------
        nodes
            Nodes of the branch and bound that makes shares whole; large programs are rounded instead.
        """
        if not 0 < self.columns <= _MOST_COLUMNS:
            return None
        entries, low = self._matrix()
        whole = self.columns <= _MOST_WHOLE
        solver = self._run(entries, low, whole=whole, mip_max_nodes=nodes, mip_rel_gap=1e-3)
        if solver is None:
            return None
        shares = np.array(solver.getSolution().col_value)[self.intervals :]
        if len(shares) != self.columns or (whole and not np.isfinite(solver.getInfo().mip_gap)):
            return None
        slots: dict[int, list[int]] = {}
        position = 0
        for number, (_, first, last) in enumerate(self.classes.tolist()):
            # Operator j of the class goes where the running sum of the shares passes j + 1/2.
            running = np.cumsum(shares[position : position + last - first + 1])
            at = np.searchsorted(running, np.arange(self.size[number]) + 0.5)
            slots[number] = (first + np.minimum(at, last - first)).tolist()
            position += last - first + 1
        return slots

    def _run(self, entries: _Entries, low: FloatArray, *, whole: bool = False, **options: float) -> Any | None:
        """HiGHS after a run for min Σ lengths subject to the rows."""
        row, col, val, columns = entries
        order = np.lexsort((row, col))
        lp = highspy.HighsLp()
        lp.num_col_, lp.num_row_ = columns, len(low)
        lp.col_cost_ = np.concatenate([np.ones(self.intervals), np.zeros(columns - self.intervals)])
        lp.col_lower_, lp.col_upper_ = np.zeros(columns), np.full(columns, highspy.kHighsInf)
        lp.row_lower_, lp.row_upper_ = low, np.full(len(low), highspy.kHighsInf)
        lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        lp.a_matrix_.start_ = np.concatenate([[0], np.cumsum(np.bincount(col, minlength=columns))]).astype(np.int32)
        lp.a_matrix_.index_ = row[order].astype(np.int32)
        lp.a_matrix_.value_ = val[order]
        if whole:
            kinds = highspy.HighsVarType
            lp.integrality_ = [kinds.kContinuous] * self.intervals + [kinds.kInteger] * (columns - self.intervals)
        return run(lp, simplex_iteration_limit=50_000, **options)

    def _matrix(self) -> tuple[_Entries, FloatArray]:
        """Rows ≥ low as (row, column, value) triples; columns are the interval lengths, then the shares.

        Times are in units of the spine's length, so that all numbers are near 1.
        """
        k, r = self.intervals, len(self.load)
        unit = self.unit = max(1.0, float(self.length.sum()))
        share = self.load / unit
        spans = self.classes[:, 2] - self.classes[:, 1] + 1
        of = np.repeat(np.arange(len(spans)), spans)
        at = np.concatenate([np.arange(a, b + 1) for _, a, b in self.classes.tolist()])
        group = self.classes[of, 0]
        table: dict[tuple[int, int], float] = {}
        costs = np.zeros(len(of))
        for n, key in enumerate(zip(group.tolist(), at.tolist(), strict=True)):
            if key not in table:
                table[key] = self.cost(*key) / unit
            costs[n] = table[key]
        column = k + np.arange(len(of))
        lengths = np.arange(k)
        row = [lengths, at, *(k * (1 + i) + lengths for i in range(r)), *(k * (1 + i) + at for i in range(r))]
        col = [lengths, column, *[lengths] * r, *[column] * r]
        val = [np.ones(k), -costs, *[np.ones(k)] * r, *(-share[i, group] for i in range(r))]
        low = [self.length / unit, *(self.own[:, i] / unit for i in range(r))]
        # Shares sum to the size of the class; at least is enough, for nothing is gained by more.
        row.append(k * (1 + r) + of)
        col.append(column)
        val.append(np.ones(len(of)))
        low.append(self.size.astype(np.float64))
        entries = (np.concatenate(row), np.concatenate(col), np.concatenate(val), k + len(of))
        return entries, np.concatenate(low)

    def _lagrangian(self, entries: _Entries, low: FloatArray, y: FloatArray) -> int:
        """A bound from any multipliers y ≥ 0: those of the lengths are scaled to cost no more than 1.

        Then lengths drop out, and a class costs at least its size times the least price of its intervals.
        """
        row, col, val, _ = entries
        k = self.intervals
        y = np.where(np.isfinite(y), np.maximum(y, 0.0), 0.0)
        rows = k * (1 + len(self.load))
        prices = y[:rows].reshape(-1, k)
        prices = prices / np.maximum(prices.sum(axis=0) * (1 + 1e-13), 1.0)
        weight = np.concatenate([prices.ravel(), np.zeros(len(low) - rows)])
        shares = (col >= k) & (row < rows)
        least = np.full(len(self.size), np.inf)
        price = np.bincount(col[shares] - k, weights=-val[shares] * weight[row[shares]], minlength=self.columns)
        spans = self.classes[:, 2] - self.classes[:, 1] + 1
        np.minimum.at(least, np.repeat(np.arange(len(spans)), spans), price)
        total = float((weight * low)[:rows].sum() + (least * self.size).sum())
        return int(np.ceil(total * self.unit * (1 - _SAFE) - 1e-6))
