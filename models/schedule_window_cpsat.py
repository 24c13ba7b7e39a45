"""Schedule window in CP-SAT: intervals at free starts, at fixed starts, and at starts that move together.

Variables: the gain γ, the start s_i of every free operation, and a Boolean x_ik per mode of a free operation
with a choice. Fixed intervals start at π_i and moving ones at π_i - γ, so that the window needs no variable
of its own for them. With p_i = Σ_k p_ik·x_ik:

    Σ_k x_ik = 1;   π_i ≤ s_i;   s_i + p_i ≤ d_i - γ;   s_j ≥ s_i + p_i for every edge;   maximise γ;
    at every time the running intervals hold at most the capacity of every resource.
"""

from __future__ import annotations

from collections.abc import Callable
from math import gcd
from typing import Any

import numpy as np
from ortools.sat.python import cp_model

from accmine.errors import InputError
from accmine.ports import BaseModel
from accmine.problems.operator_schedule import MAX_TIME, order
from accmine.problems.schedule_window import FIXED, FREE, Problem, Solution, bound

__all__ = ["ScheduleWindowCpSat"]

_Mode = tuple[int, int, tuple[int, ...]]
"""Index, duration, amounts held."""


def _useful(problem: Problem) -> list[list[_Mode]]:
    """Of each mode set the modes that fit and that no other mode dominates; never none."""
    schedule = problem.schedule
    _ = schedule.shortest  # refuses an operation that fits in no mode
    kept: list[list[_Mode]] = []
    for modes in schedule.mode_sets:
        own: list[_Mode] = []
        for k in np.argsort(modes.duration, kind="stable").tolist():
            length, held = int(modes.duration[k]), tuple(modes.uses[k].tolist())
            fits = all(a <= c for a, c in zip(held, schedule.capacity.tolist(), strict=True))
            if fits and not any(all(a <= b for a, b in zip(m[2], held, strict=True)) for m in own):
                own.append((k, length, held))
        kept.append(own)
    return kept


class ScheduleWindowCpSat(BaseModel):
    """Model of ``schedule-window`` for CP-SAT; see ``accmine.ports``."""

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
        least, self.bound_method = bound(problem)
        self.floor_score = least
        self.gain = self.model.new_int_var(0, max(0, -least), "gain")
        sets = _useful(problem)
        self.modes = [sets[g] for g in problem.schedule.mode_set.tolist()]
        self.chosen: list[list[Any]] = []
        self.start: list[Any] = []
        end: list[Any] = []
        rows = zip(problem.role.tolist(), problem.place.tolist(), problem.due.tolist(), self.modes, strict=True)
        for role, place, due, modes in rows:
            literals = [self.model.new_bool_var("") for _ in modes] if role == FREE and len(modes) > 1 else []
            self.chosen.append(literals)
            if role == FREE:
                # An operation that can no longer fit leaves an empty domain, hence no solution, as it should.
                start: Any = self.model.new_int_var(place, max(place, due - modes[0][1]), "")
            else:
                start = place if role == FIXED else place - self.gain
            self.start.append(start)
            length: Any = modes[0][1]
            if literals:
                self.model.add_exactly_one(literals)
                length = cp_model.LinearExpr.weighted_sum(literals, [m[1] for m in modes])
            end.append(start + length)
            if role == FREE:
                self.model.add(end[-1] <= due - self.gain)
        self._precedences(end)
        self._resources()
        self.model.maximize(self.gain)
        return self.model

    def _precedences(self, end: list[Any]) -> None:
        role = self.problem.role.tolist()
        for i, after in enumerate(order(self.problem.schedule).successors):
            for j in after:
                if role[i] == FIXED and role[j] == FIXED:
                    if self.start[j] < end[i]:
                        raise InputError(f"{self.problem.schedule.names[j]} is fixed before what it waits for")
                elif role[i] == FREE or role[j] != role[i]:  # what moves together keeps its order
                    self.model.add(self.start[j] >= end[i])

    def _resources(self) -> None:
        """One cumulative, or no_overlap, per resource that can run out."""
        schedule = self.problem.schedule
        intervals: dict[tuple[int, int], Any] = {}
        last = int(max((self.problem.due + self.problem.place).max(initial=0), 1))
        for r, (name, capacity) in enumerate(zip(schedule.resources, schedule.capacity.tolist(), strict=True)):
            rows = [(i, k, m[2][r]) for i, own in enumerate(self.modes) for k, m in enumerate(own) if m[2][r]]
            most: dict[int, int] = {}
            for i, _, amount in rows:
                most[i] = max(most.get(i, 0), amount)
            if sum(most.values()) <= capacity:
                continue
            divisor = gcd(*(amount for _, _, amount in rows))
            limit = capacity // divisor
            if limit * last > MAX_TIME:
                raise InputError(
                    f"resource {name}: capacity {limit} over {last} time units leaves 64-bit integers; "
                    f"count {name} or time in larger units"
                )
            for i, k, _ in rows:
                if (i, k) not in intervals:
                    intervals[i, k] = self._interval(i, k)
            held = [intervals[i, k] for i, k, _ in rows]
            demands = [amount // divisor for _, _, amount in rows]
            if all(2 * d > limit for d in demands):  # no two at once
                self.model.add_no_overlap(held)
            else:
                self.model.add_cumulative(held, demands, limit)

    def _interval(self, i: int, k: int) -> Any:
        length = self.modes[i][k][1]
        if self.chosen[i]:
            return self.model.new_optional_fixed_size_interval_var(self.start[i], length, self.chosen[i][k], "")
        return self.model.new_fixed_size_interval_var(self.start[i], length, "")

    def hint(self, solution: Solution) -> None:
        """Start from a valid solution: a hint for every variable, and no gain below its own.

        A dominated mode is replaced by the one that dominates it.
        """
        self.model.clear_hints()
        schedule = self.problem.schedule
        for i in np.flatnonzero(self.problem.role == FREE).tolist():
            self.model.add_hint(self.start[i], int(solution.start[i]))
            own, k = schedule.mode_sets[schedule.mode_set[i]], int(solution.mode[i])
            length, uses = int(own.duration[k]), own.uses[k].tolist()
            taken = next(
                at
                for at, (_, d, u) in enumerate(self.modes[i])
                if d <= length and all(a <= b for a, b in zip(u, uses, strict=True))
            )
            for at, literal in enumerate(self.chosen[i]):
                self.model.add_hint(literal, at == taken)
        self.model.add_hint(self.gain, solution.gain)

    def read(self, value: Callable[[Any], float | int]) -> Solution:
        """Starts, modes and gain from the values of the variables."""
        gain = int(value(self.gain))
        role, place = self.problem.role, self.problem.place
        start = np.where(role == FIXED, place, place - gain)
        mode = np.array([own[0][0] for own in self.modes], dtype=np.int64)
        for i in np.flatnonzero(role == FREE).tolist():
            start[i] = int(value(self.start[i]))
            for literal, (index, _, _) in zip(self.chosen[i], self.modes[i], strict=False):
                if value(literal):
                    mode[i] = index
        return Solution(start.astype(np.int64), mode, gain)
