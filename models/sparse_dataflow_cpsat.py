"""Sparse dataflow in CP-SAT: a Boolean for each option of a layer, for reference with the interval as a variable.

With the option o of layer l (cycles, use of resource r, loss, streams) and the budgets B of resources:

    Σ_o x_lo = 1;   T ≥ Σ_o cycles_lo·x_lo;   Σ_lo use_lor·x_lo + adapters_r ≤ B_r;   Σ_lo loss_lo·x_lo ≤ B_loss;
    of off-chip bits Σ_lo bits_lo·x_lo ≤ T·B_bits;   minimise T.

An edge from i to j has an adapter of k_r·(out_i + in_j) of resource r, which is saved where both are s: with a Boolean
equal_ijs that is at most Σ_{o: out_io = s} x_io and at most Σ_{o: in_jo = s} x_jo,

    adapters_r = Σ_ij k_r·(Σ_o out_io·x_io + Σ_o in_jo·x_jo) - Σ_ijs 2·k_r·s·equal_ijs.

As a whole this is slow on real networks (its relaxation says little about T): ``among`` is the same without T.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from ortools.sat.python import cp_model

from accmine.errors import InputError
from accmine.ports import BaseModel
from accmine.problems.sparse_dataflow import (
    Candidates,
    LayerOptions,
    Problem,
    Solution,
    bound,
    interval_of,
    place_of,
    tabulate,
)
from accmine.sparse.resources import RESOURCES, adapter

__all__ = ["MOST_OPTIONS", "SparseDataflowCpSat"]

Ints = npt.NDArray[np.int64]

MOST_OPTIONS = 200_000
"""Booleans of the whole model; more are refused."""

_BITS = 5
"""Place of off-chip bits among ``RESOURCES``."""


class SparseDataflowCpSat(BaseModel):
    """Model of ``sparse-dataflow`` for CP-SAT; see ``accmine.ports``."""

    engine = "cp-sat"
    interval: Any = None

    def build(self, problem: Problem) -> cp_model.CpModel:
        """Every option of every layer, and the interval as a variable that is minimised.

        Raises
        ------
        InputError
            For more than ``MOST_OPTIONS``.
        """
        self.tables = tabulate(problem)
        count = sum(own.cycles.size for own in self.tables)
        if count > MOST_OPTIONS:
            raise InputError(f"cp-sat: {count} options of layers, at most {MOST_OPTIONS} are declared; take bisection")
        self.floor_score, self.bound_method = bound(problem)
        every = []
        for table in self.tables:
            level, folding = (place.ravel() for place in np.indices(table.cycles.shape))
            columns = table.cycles.ravel(), table.loss[level], table.use[folding], table.streams[folding]
            every.append(Candidates(level, folding, *columns))
        self._declare(problem, every)
        longest = max(int(own.cycles.max()) for own in every)
        if problem.budget.bits_per_cycle:
            bits = sum(int(own.use[:, _BITS].max()) for own in every)
            longest = max(longest, -int(-bits / problem.budget.bits_per_cycle // 1))
        interval = self.model.new_int_var(0, longest, "T")
        for own, x in zip(every, self.x, strict=True):
            self.model.add(interval >= _sum(x, own.cycles))
        limits = problem.budget
        self._budgets((limits.dsp, limits.lut, limits.ff, limits.bram18, limits.uram, None, limits.loss))
        if (rate := limits.bits_per_cycle) is not None:
            self.model.add(rate.denominator * self._used(_BITS) <= rate.numerator * interval)
        self.interval = interval
        if problem.least is None:
            self.model.minimize(interval)
        else:
            self.model.add(interval <= problem.least.interval)
            self.model.minimize(self._used(place_of(problem.least)))
        return self.model

    def among(
        self,
        problem: Problem,
        tables: Sequence[LayerOptions],
        candidates: Sequence[Candidates],
        limits: Sequence[int | None],
        *,
        least: int | None = None,
    ) -> cp_model.CpModel:
        """All designs of some candidates, whatever their cycles.

        Parameters
        ----------
        limits
            In the order of ``RESOURCES``, and of the loss.
        least
            Index of a resource to be minimised, or after them of the loss; without one there is no objective.
        """
        self.tables = tuple(tables)
        self._declare(problem, candidates)
        self._budgets(limits)
        if least is not None:
            self.model.minimize(self._used(least))
        return self.model

    def _declare(self, problem: Problem, candidates: Sequence[Candidates]) -> None:
        self.problem, self.model, self.candidates = problem, cp_model.CpModel(), candidates
        self.interval = None
        self.x: list[list[Any]] = []
        for i, own in enumerate(candidates):
            x = [self.model.new_bool_var(f"x{i}_{o}") for o in range(len(own))]
            self.model.add_exactly_one(x)
            self.x.append(x)
        self.adapters: list[tuple[Any, ...]] = []
        self._joints: list[tuple[int, int, Any, Callable[[int, int], int]]] = []
        for i, j in problem.edges:
            self._edge(i, j)

    def _edge(self, i: int, j: int) -> None:
        """LUTs and FFs of the adapter between two layers, as expressions."""
        given, taken = self.candidates[i].streams[:, 1], self.candidates[j].streams[:, 0]
        equal = {}
        for words in np.intersect1d(given, taken).tolist():
            equal[words] = self.model.new_bool_var(f"equal{i}_{j}_{words}")
            self._joints.append((i, j, equal[words], partial(_is, words)))
            for layer, streams in ((i, given), (j, taken)):
                fitting = [self.x[layer][o] for o in np.flatnonzero(streams == words)]
                self.model.add(sum(fitting) >= equal[words])
        sums = np.unique(np.add.outer(np.unique(given), np.unique(taken)))
        words = _sum(self.x[i], given) + _sum(self.x[j], taken)
        paid = []
        for r in (0, 1):
            cost = [adapter(own, 0, self.problem.model)[r] for own in sums.tolist()]
            each = cost[0] // int(sums[0]) if cost else 0
            total = each * words
            saved = {own: 2 * each * own for own in equal}
            if cost != (each * sums).tolist():  # rounding up is not linear
                total = self.model.new_int_var(0, max(cost), f"unequal{i}_{j}_{r}")
                by_sum = dict(zip(sums.tolist(), cost, strict=True))
                self._joints.append((i, j, total, partial(_of_sum, by_sum)))
                self.model.add_allowed_assignments([words, total], list(by_sum.items()))
                saved = {own: adapter(2 * own, 0, self.problem.model)[r] for own in equal}
            paid.append(total - sum(saved[own] * literal for own, literal in equal.items()))
        self.adapters.append(tuple(paid))

    def _budgets(self, limits: Sequence[int | None]) -> None:
        for r, most in enumerate(limits):
            if most is not None:
                self.model.add(self._used(r) <= most)

    def _used(self, r: int) -> Any:
        if r == len(RESOURCES):
            return sum(_sum(x, own.loss) for own, x in zip(self.candidates, self.x, strict=True))
        total = sum(_sum(x, own.use[:, r]) for own, x in zip(self.candidates, self.x, strict=True))
        return total + sum(own[r - 1] for own in self.adapters) if r in (1, 2) else total

    def hint(self, solution: Solution) -> None:
        """Give every variable its value in a design."""
        self.model.clear_hints()
        places = self._places(solution)
        for x, own in zip(self.x, places, strict=True):
            for o, literal in enumerate(x):
                self.model.add_hint(literal, o == own)
        for i, j, variable, value in self._joints:
            given, taken = (self.candidates[k].streams[places[k], side] for k, side in ((i, 1), (j, 0)))
            self.model.add_hint(variable, value(int(given), int(taken)))
        if self.interval is not None:
            self.model.add_hint(self.interval, interval_of(self.problem, solution))

    def _places(self, solution: Solution) -> list[int]:
        """The option of each layer that a design takes, -1 for one that is not among the candidates."""
        found = []
        for own, table, choice in zip(self.candidates, self.tables, solution, strict=True):
            places = (o for o in range(len(own)) if table.choice(int(own.level[o]), int(own.folding[o])) == choice)
            found.append(next(places, -1))
        return found

    def picks(self, value: Callable[[Any], float | int]) -> list[int]:
        """The candidate of each layer."""
        return [next(o for o, literal in enumerate(x) if value(literal)) for x in self.x]

    def read(self, value: Callable[[Any], float | int]) -> Solution:
        """The option of each layer."""
        rows = zip(self.candidates, self.tables, self.picks(value), strict=True)
        return Solution(tuple(table.choice(int(own.level[o]), int(own.folding[o])) for own, table, o in rows))


def _is(words: int, given: int, taken: int) -> int:
    return int(given == taken == words)


def _of_sum(costs: Mapping[int, int], given: int, taken: int) -> int:
    return costs[given + taken]


def _sum(x: Sequence[Any], weights: Ints) -> Any:
    return cp_model.LinearExpr.weighted_sum(x, weights.tolist())
