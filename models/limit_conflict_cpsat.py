"""Which limits of a stage selection conflict, in CP-SAT: every limit holds only while its literal is assumed.

The rows are those of ``stage_selection_cpsat``, with the limits of area and TDP and the floor of throughput each
behind a literal of their own, and without an objective: with one, CP-SAT reports no assumptions. An option may be
left out only when another one beats it in everything, for what is affordable depends on the limits in question.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any

from ortools.sat.python import cp_model

from accmine.problems.stage_selection import Problem, Solution
from accmine.problems.stage_selection.integers import integers
from accmine.problems.stage_selection.options import lower_bound, useful_options

from .stage_selection_cpsat import StageSelectionCpSat, refuse_long

__all__ = ["FLOOR", "LimitConflictCpSat"]

FLOOR = "floor"
_NO_LIMIT = 1 << 61


class LimitConflictCpSat(StageSelectionCpSat):
    """Declared model for CP-SAT; see the module.

    Attributes
    ----------
    literals
        Limit -> the literal that switches it on: ``limits.area_mm2``, ``limits.tdp_w``, ``floor``, where given.
    """

    def build(self, problem: Problem) -> cp_model.CpModel:
        """Declare variables, timelines and the limits behind their literals; returns the CP-SAT model."""
        self.problem, self.numbers = problem, integers(problem)
        numbers = self.numbers
        if numbers.step_limit is not None:
            refuse_long(numbers)
        free = replace(numbers, limits=tuple(None if limit is None else _NO_LIMIT for limit in numbers.limits))
        self._kept = useful_options(free)
        self._floor = lower_bound(free, self._kept)
        self.model = model = cp_model.CpModel()
        self.x = [{o: model.new_bool_var(f"x[{i},{o}]") for o in kept} for i, kept in enumerate(self._kept)]
        self._tops: dict[int, int] = {}
        self._hints: list[tuple[Any, Callable[[Solution], int]]] = []
        self._durations_of: list[tuple[Any, int, int, tuple[tuple[int, ...], ...]]] = []
        self._ends: list[dict[tuple[int, int, int], Any]] = [{} for _ in numbers.pipelines]
        self._arrivals: list[dict[tuple[int, int, int], Any]] = [{} for _ in numbers.pipelines]
        self.literals: dict[str, Any] = {}
        if self._floor is None:
            model.add_bool_or([])  # a slot without option: no choice exists
            return model
        for row in self.x:
            model.add_exactly_one(row.values())
        self._costs = {f"limits.{cost.name}": cost for cost, _ in numbers.limited}
        for (key, cost), (_, limit) in zip(self._costs.items(), numbers.limited, strict=True):
            self.literals[key] = literal = model.new_bool_var(key)
            model.add(self._total(cost) <= limit).only_enforce_if(literal)
        if numbers.step_limit is not None:
            self.literals[FLOOR] = literal = model.new_bool_var(FLOOR)
            each = [self._pipeline(w, pipeline) for w, pipeline in enumerate(numbers.pipelines)]
            for steps in [sum(each)] if numbers.aggregate.weighted else each:
                model.add(steps <= numbers.step_limit).only_enforce_if(literal)
        return model

    def assume(self, limits: Collection[str]) -> None:
        """Let the limits of these names hold, and no other one."""
        self.model.clear_assumptions()
        self.model.add_assumptions([literal for name, literal in self.literals.items() if name in limits])

    def minimize(self, limit: str) -> None:
        """Ask for the least sum of the cost that a limit caps, in its integer unit, while the assumed limits hold."""
        names = [name for name in self.literals if name != limit]
        assumed = set(self.model.proto.assumptions)
        self.model.clear_assumptions()  # with an objective they are rows
        for name in names:
            if self.literals[name].index in assumed:
                self.model.add(self.literals[name] == 1)
        self.model.minimize(self._total(self._costs[limit]))
