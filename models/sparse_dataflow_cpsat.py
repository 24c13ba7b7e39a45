"""Sparse dataflow in CP-SAT: a Boolean for each option of a layer, for reference with the interval as a variable.

With the option o of layer l (cycles, use of resource r, loss, streams) and the budgets B of resources:

    Σ_o x_lo = 1;   T ≥ Σ_o cycles_lo·x_lo;   Σ_lo use_lor·x_lo + adapters_r ≤ B_r;   Σ_lo loss_lo·x_lo ≤ B_loss;
    of off-chip bits Σ_lo bits_lo·x_lo ≤ T·B_bits;   minimise T.

An edge from i to j has an adapter of k_r·(out_i + in_j) of resource r unless the streams are equal, which is one of

    equal_ijs → out_i = s and in_j = s,   adapter_ijr ≥ ⌈k_r·(out_i + in_j)⌉ - most·Σ_s equal_ijs.

As a whole this is slow on real networks (its relaxation says little about T): ``among`` is the same without T.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from ortools.sat.python import cp_model

from accmine.errors import InputError
from accmine.ports import BaseModel
from accmine.problems.sparse_dataflow import Candidates, LayerOptions, Problem, Solution, bound, place_of, tabulate
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
        self._declare(problem, every, adapters=True)
        slowest = max(int(own.cycles.max()) for own in every)
        interval = self.model.new_int_var(0, slowest, "T")
        for own, x in zip(every, self.x, strict=True):
            self.model.add(interval >= _sum(x, own.cycles))
        limits = problem.budget
        self._budgets((limits.dsp, limits.lut, limits.ff, limits.bram18, limits.uram, None))
        if (rate := limits.bits_per_cycle) is not None:
            self.model.add(rate.denominator * self._used(_BITS) <= rate.numerator * interval)
        self.interval: Any = interval
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
        adapters: bool,
        least: int | None = None,
    ) -> cp_model.CpModel:
        """All designs of some candidates, whatever their cycles.

        Parameters
        ----------
        limits
            In the order of ``RESOURCES``.
        adapters
            Whether they are paid.
        least
            Index of a resource to be minimised, or after them of the loss; without one there is no objective.
        """
        self.tables = tuple(tables)
        self._declare(problem, candidates, adapters=adapters)
        self._budgets(limits)
        if least is not None:
            self.model.minimize(self._used(least))
        return self.model

    def _declare(self, problem: Problem, candidates: Sequence[Candidates], *, adapters: bool) -> None:
        self.problem, self.model, self.candidates = problem, cp_model.CpModel(), candidates
        self.interval = None
        self.x: list[list[Any]] = []
        for i, own in enumerate(candidates):
            x = [self.model.new_bool_var(f"x{i}_{o}") for o in range(len(own))]
            self.model.add_exactly_one(x)
            self.x.append(x)
        self.adapters: list[tuple[Any, ...]] = []
        if adapters:
            for i, j in problem.edges:
                self._edge(i, j)

    def _edge(self, i: int, j: int) -> None:
        """LUTs and FFs of the adapter between two layers."""
        given, taken = self.candidates[i].streams[:, 1], self.candidates[j].streams[:, 0]
        equal = []
        for words in np.intersect1d(given, taken).tolist():
            literal = self.model.new_bool_var(f"equal{i}_{j}_{words}")
            for layer, streams in ((i, given), (j, taken)):
                self.model.add_bool_or([self.x[layer][o] for o in np.flatnonzero(streams == words)] + [~literal])
            equal.append(literal)
        sums = np.unique(np.add.outer(np.unique(given), np.unique(taken)))
        words = _sum(self.x[i], given) + _sum(self.x[j], taken)
        paid = []
        for r in (0, 1):
            cost = [adapter(own, 0, self.problem.model)[r] for own in sums.tolist()]
            variable = self.model.new_int_var(0, max(cost, default=0), f"adapter{i}_{j}_{r}")
            each = cost[0] // int(sums[0]) if cost else 0
            total = each * words
            if cost != (each * sums).tolist():  # rounding up is not linear
                total = self.model.new_int_var(0, max(cost), f"unequal{i}_{j}_{r}")
                self.model.add_allowed_assignments([words, total], list(zip(sums.tolist(), cost, strict=True)))
            self.model.add(variable >= total - max(cost, default=0) * sum(equal))
            paid.append(variable)
        self.adapters.append(tuple(paid))

    def _budgets(self, limits: Sequence[int | None]) -> None:
        for r, most in enumerate(limits):
            if most is not None:
                self.model.add(self._used(r) <= most)
        if self.problem.budget.loss is not None:
            self.model.add(self._used(len(RESOURCES)) <= self.problem.budget.loss)

    def _used(self, r: int) -> Any:
        if r == len(RESOURCES):
            return sum(_sum(x, own.loss) for own, x in zip(self.candidates, self.x, strict=True))
        total = sum(_sum(x, own.use[:, r]) for own, x in zip(self.candidates, self.x, strict=True))
        return total + sum(own[r - 1] for own in self.adapters) if r in (1, 2) else total

    def hint(self, solution: Solution) -> None:
        """Give every option its value in a design; the engine follows with what they decide."""
        self.model.clear_hints()
        for x, own in zip(self.x, self._places(solution), strict=True):
            for o, literal in enumerate(x):
                self.model.add_hint(literal, o == own)

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


def _sum(x: Sequence[Any], weights: Ints) -> Any:
    return cp_model.LinearExpr.weighted_sum(x, weights.tolist())
