"""Kernel sizing in CP-SAT: a potential for each event, a Boolean for each count, and difference constraints.

With the target p/q in cycles per iteration, u_e (event e, in 1/q cycles) and x_rc (resource r has count c):

    Σ_c x_rc = 1;   u_t ≥ u_s + q·w - p·d for every wait (s, t, w, d) that no free count changes,
    x_rc → u_t ≥ u_s + q·w - p·d for those that count c of r makes;   minimise Σ cost_rc·x_rc.

Such potentials exist exactly where no cycle has a greater ratio of weight to distance than the target. The least ones
that are at least 0 are sums along paths without repetition, which limits them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ortools.sat.python import cp_model

from accmine.kernel.graph import Dependence
from accmine.ports import BaseModel
from accmine.problems.kernel_sizing import (
    Problem,
    Solution,
    bound,
    fixed_and_varying,
    possible_counts,
    rate_of,
    sized,
)
from accmine.problems.kernel_sizing.waits import slack, waits_of
from accmine.record import Record

__all__ = ["KernelSizingCpSat"]


class KernelSizingCpSat(BaseModel):
    """Model of ``kernel-sizing`` for CP-SAT; see ``accmine.ports``."""

    engine = "cp-sat"

    def warm_start(self, record: Record[Solution]) -> None:
        """The largest counts, and then for one resource after the other the cheapest that the others allow."""
        problem = record.problem
        best = Solution(tuple(own.counts[-1] for own in problem.choices))
        if rate_of(problem, best)[0] > problem.target:
            return
        for i, own in enumerate(problem.choices):
            for count, cost in sorted(own.costs, key=lambda pair: pair[::-1]):
                if cost >= dict(own.costs)[best.counts[i]]:
                    break
                other = Solution((*best.counts[:i], count, *best.counts[i + 1 :]))
                if rate_of(problem, other)[0] <= problem.target:
                    best = other
                    break
        record.offer(best)

    def build(self, problem: Problem) -> cp_model.CpModel:
        """Variables, constraints and objective."""
        self.problem, self.model = problem, cp_model.CpModel()
        self.floor_score, self.bound_method = bound(problem)
        fixed, varying = fixed_and_varying(problem)
        q = problem.target.denominator
        rise = [0] * len(fixed.events)  # the most by which a wait raises an event
        for edges in (fixed.dependences, *(edges for by_count in varying for edges in by_count.values())):
            for edge in edges:
                rise[edge.target] = max(rise[edge.target], q * edge.weight)
        self.top = sum(rise)
        self.potential = [self.model.new_int_var(0, self.top, f"u{e}") for e in range(len(fixed.events))]
        for edge in fixed.dependences:
            self._wait(edge)
        self.chosen: list[dict[int, Any]] = []
        for i, (by_count, possible) in enumerate(zip(varying, possible_counts(problem), strict=True)):
            own = {count: self.model.new_bool_var(f"x{i}_{count}") for count in by_count}
            self.model.add_exactly_one(own.values())
            for count, edges in by_count.items():
                if count not in possible:
                    self.model.add(own[count] == 0)
                    continue
                for edge in edges:
                    self._wait(edge, own[count])
            self.chosen.append(own)
        self.model.minimize(
            sum(
                cost * own[count]
                for own, choice in zip(self.chosen, problem.choices, strict=True)
                for count, cost in choice.costs
            )
        )
        return self.model

    def _wait(self, edge: Dependence, literal: Any = None) -> None:
        target = self.problem.target
        weight = target.denominator * edge.weight - target.numerator * edge.distance
        if edge.source == edge.target and weight <= 0:
            return
        weight = max(weight, -self.top)  # below that it says nothing, and may pass 64 bits
        row = self.model.add(self.potential[edge.target] - self.potential[edge.source] >= weight)
        if literal is not None:
            row.only_enforce_if(literal)

    def hint(self, solution: Solution) -> None:
        """Give every variable its value in a choice of counts: the least potentials."""
        self.model.clear_hints()
        potentials = slack(waits_of(sized(self.problem, solution)), self.problem.target).potentials
        for variable, value in zip(self.potential, potentials, strict=True):
            self.model.add_hint(variable, value)
        for own, count in zip(self.chosen, solution.counts, strict=True):
            for other, literal in own.items():
                self.model.add_hint(literal, other == count)

    def read(self, value: Callable[[Any], float | int]) -> Solution:
        """The count of each resource."""
        return Solution(tuple(next(count for count, literal in own.items() if value(literal)) for own in self.chosen))
