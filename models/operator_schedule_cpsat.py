"""Operator schedule in CP-SAT: intervals, modes, one cumulative per resource.

Variables: the start s_i of every operation, a Boolean x_ik per mode of operations with a choice, and the
makespan M. With p_i = Σ_k p_ik·x_ik:

    Σ_k x_ik = 1;   s_j ≥ s_i + p_i for every edge;   M ≥ s_i + p_i;   minimise M;
    at every time the running intervals hold at most the capacity of every resource;
    h_i ≤ s_i ≤ H - q_i - min p_i with the resource-aware heads and tails of ``cone_bound`` and a horizon H.

Left out as they cannot matter: modes that do not fit or are dominated by another, operations that hold
nothing or last no time, and resources that all operations together cannot exhaust.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import gcd
from typing import Any

import numpy as np
from ortools.sat.python import cp_model

from accmine.errors import InputError
from accmine.ports import Stop
from accmine.problems.cone_bound import METHOD, cones
from accmine.problems.operator_schedule import (
    CONE_OPERATIONS,
    KIND,
    MAX_TIME,
    Problem,
    Solution,
    heads,
    lower_bound,
    objective,
    order,
    tails,
)
from accmine.registry import make_solver
from accmine.result import Result

__all__ = ["OperatorScheduleCpSat"]

_WARM_PASSES = 12
"""List schedules of the warm start when a work limit asks for a repeatable run."""

_WARM_SHARE = 0.2
"""Share of a time limit that the warm start may take."""


@dataclass(frozen=True, slots=True)
class _Mode:
    index: int
    duration: int
    uses: tuple[int, ...]


def _useful_modes(problem: Problem) -> list[list[_Mode]]:
    """Of each mode set the modes that fit and that no other mode dominates."""
    capacity = problem.capacity.tolist()
    useful: list[list[_Mode]] = []
    for modes in problem.mode_sets:
        rows = [
            _Mode(k, d, tuple(u) if d else (0,) * len(capacity))
            for k, (d, u) in enumerate(zip(modes.duration.tolist(), modes.uses.tolist(), strict=True))
            if all(a <= c for a, c in zip(u, capacity, strict=True))
        ]
        rows.sort(key=lambda m: (m.duration, m.uses, m.index))
        kept: list[_Mode] = []
        for mode in rows:
            if not any(all(a <= b for a, b in zip(k.uses, mode.uses, strict=True)) for k in kept):
                kept.append(mode)
        useful.append(kept)
    return useful


class OperatorScheduleCpSat:
    """Model of ``operator-schedule`` for CP-SAT; see ``accmine.ports.Model`` and ``solvers.cpsat``."""

    engine = "cp-sat"

    def build(self, problem: Problem) -> cp_model.CpModel:
        """Variables, constraints and objective.

        Raises
        ------
        InputError
            If an operation fits in no mode, the precedences hold a cycle, or capacity × horizon of a
            resource leaves the 64-bit integers of CP-SAT.
        """
        self.problem = problem
        self.model = cp_model.CpModel()
        self.lower, self.bound_method = lower_bound(problem)
        head, tail = heads(problem), tails(problem)
        if len(problem) <= CONE_OPERATIONS:
            known = cones(problem)
            head, tail = known.head, known.tail
            if known.bound > self.lower:
                self.lower, self.bound_method = known.bound, METHOD
        self._modes = _useful_modes(problem)
        # One after the other in fastest modes is always possible.
        shortest = problem.shortest[problem.mode_set] if len(problem) else np.zeros(0, dtype=np.int64)
        self.upper = int(shortest.sum())
        self.makespan = self.model.new_int_var(self.lower, self.upper, "makespan")
        self.start = [
            self.model.new_int_var(h, self.upper - q - p, "")
            for h, q, p in zip(head.tolist(), tail.tolist(), shortest.tolist(), strict=True)
        ]
        self.chosen: list[list[tuple[_Mode, Any]]] = []
        duration: list[Any] = []
        for group in problem.mode_set.tolist():
            modes = self._modes[group]
            if len(modes) == 1:
                self.chosen.append([(modes[0], None)])
                duration.append(modes[0].duration)
                continue
            literals = [self.model.new_bool_var("") for _ in modes]
            self.model.add_exactly_one(literals)
            self.chosen.append(list(zip(modes, literals, strict=True)))
            duration.append(cp_model.LinearExpr.weighted_sum(literals, [m.duration for m in modes]))
        end = [s + d for s, d in zip(self.start, duration, strict=True)]
        found = order(problem)
        for i, after in enumerate(found.successors):
            for j in after:
                self.model.add(self.start[j] >= end[i])
            if not after:
                self.model.add(self.makespan >= end[i])
        self._resources()
        self.model.minimize(self.makespan)
        return self.model

    def _resources(self) -> None:
        """One cumulative, or no_overlap, per resource that can run out."""
        intervals: dict[tuple[int, int], Any] = {}
        for r, (name, capacity) in enumerate(zip(self.problem.resources, self.problem.capacity.tolist(), strict=True)):
            rows = [(i, k, mode.uses[r], x) for i, own in enumerate(self.chosen) for k, (mode, x) in enumerate(own)]
            rows = [row for row in rows if row[2]]
            most: dict[int, int] = {}
            for i, _, amount, _ in rows:
                most[i] = max(most.get(i, 0), amount)
            if sum(most.values()) <= capacity:
                continue
            divisor = gcd(*(amount for _, _, amount, _ in rows))
            limit = capacity // divisor
            if limit * max(1, self.upper) > MAX_TIME:
                raise InputError(
                    f"resource {name}: capacity {limit} over {self.upper} time units leaves 64-bit integers; "
                    f"count {name} or time in larger units"
                )
            held = []
            for i, k, _, x in rows:
                if (i, k) not in intervals:
                    d = self.chosen[i][k][0].duration
                    intervals[i, k] = (
                        self.model.new_fixed_size_interval_var(self.start[i], d, "")
                        if x is None
                        else self.model.new_optional_fixed_size_interval_var(self.start[i], d, x, "")
                    )
                held.append(intervals[i, k])
            demands = [amount // divisor for _, _, amount, _ in rows]
            if all(2 * d > limit for d in demands):  # no two at once
                self.model.add_no_overlap(held)
            else:
                self.model.add_cumulative(held, demands, limit)

    def warm_start(self, problem: Problem, stop: Stop, seed: int) -> Result[Solution]:
        """The critical-path result, from which CP-SAT starts when no hint is given."""
        share = None if stop.seconds is None else stop.seconds * _WARM_SHARE
        own = replace(stop, seconds=share, work=None if stop.work is None else _WARM_PASSES)
        return make_solver(KIND, "critical-path").solve(problem, stop=own, seed=seed)

    def hint(self, solution: Solution) -> None:
        """Start from a valid solution: a hint for every variable, and no makespan above its own.

        A dominated mode is replaced by the one that dominates it: same start, no longer, no more held.
        """
        self.model.clear_hints()
        value = objective(self.problem, solution)
        mode_sets = self.problem.mode_set.tolist()
        for i, (start, k) in enumerate(zip(solution.start.tolist(), solution.mode.tolist(), strict=True)):
            self.model.add_hint(self.start[i], start)
            own = self.chosen[i]
            if own[0][1] is None:
                continue
            modes = self.problem.mode_sets[mode_sets[i]]
            duration, uses = int(modes.duration[k]), modes.uses[k].tolist()
            taken = next(
                at
                for at, (mode, _) in enumerate(own)
                if mode.duration <= duration and all(a <= b for a, b in zip(mode.uses, uses, strict=True))
            )
            for at, (_, x) in enumerate(own):
                self.model.add_hint(x, at == taken)
        self.model.add_hint(self.makespan, value)
        if value < self.upper:
            self.model.add(self.makespan <= value)
            self.upper = value

    def bounds(self) -> tuple[int, int]:
        """(lower, upper) limits of the makespan: the bound without search, and the hint or the sum of durations."""
        return self.lower, self.upper

    def read(self, value: Callable[[Any], float | int]) -> Solution:
        """Starts and modes from the values of the variables."""
        modes = [
            own[0][0].index if own[0][1] is None else next(mode.index for mode, x in own if value(x))
            for own in self.chosen
        ]
        return Solution(np.array([int(value(s)) for s in self.start], dtype=np.int64), np.array(modes, dtype=np.int64))
