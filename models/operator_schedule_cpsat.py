"""Operator schedule in CP-SAT: intervals, modes, one cumulative per resource.

Variables: the start s_i of every operation, a Boolean x_ik per mode of operations with a choice, and the
makespan M. With p_i = Σ_k p_ik·x_ik:

    Σ_k x_ik = 1;   s_j ≥ s_i + p_i for every edge;   M ≥ s_i + p_i;   minimise M;
    at every time the running intervals hold at most the capacity of every resource;
    h_i ≤ s_i ≤ H - q_i - min p_i with the resource-aware heads and tails of ``cone_bound`` and a horizon H,
    the makespan of the best solution at hand.

Left out as they cannot matter: modes that do not fit or are dominated by another, operations that hold
nothing or last no time, and resources that all operations together cannot exhaust. Added although they
follow: M ≥ s_i + p_i + q_i where the resource-aware tail q_i exceeds what the precedences say.

``below(H)`` is the same for schedules shorter than H, made for proofs: with sets of operations no two of which can
run at once, over all resources together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import gcd
from typing import Any, ClassVar

import numpy as np
from ortools.sat.python import cp_model

from accmine.errors import InputError
from accmine.ports import BaseModel
from accmine.problems.operator_schedule import (
    CONE_OPERATIONS,
    KIND,
    MAX_TIME,
    Problem,
    Solution,
    bound,
    heads,
    objective,
    order,
    tails,
)
from accmine.problems.operator_schedule.cone_bound import cones
from accmine.record import Record
from accmine.registry import make_solver

__all__ = ["PROVABLE_OPERATIONS", "OperatorScheduleCpSat", "exclusive_sets"]

PROVABLE_OPERATIONS = 400
"""Largest problem with ``below``: beyond it nothing is refuted in useful time."""

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
            _Mode(k, d, tuple(u))
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


def exclusive_sets(problem: Problem) -> list[list[int]]:
    """Sets of operations no two of which can run at the same time; greedy, one around each operation.

    Two operations exclude each other if one is before the other, or if of some resource the least amounts
    they hold in modes that fit exceed the capacity together. Sets ordered by precedences alone say nothing new
    and are left out, as are operations that may last no time. Quadratic in operations.
    """
    n = len(problem)
    fits, count = problem.fits, problem.mode_count
    least = np.array(
        [
            problem.modes.uses[at : at + k][fits[at : at + k]].min(axis=0)
            for at, k in zip(problem.first_mode.tolist(), count.tolist(), strict=True)
        ]
    ).reshape(len(problem.mode_sets), len(problem.resources))[problem.mode_set]
    lasting = problem.shortest[problem.mode_set] > 0
    spare = problem.capacity - least
    clash = (least[:, None, :] > spare[None, :, :]).any(axis=2) & lasting[:, None] & lasting[None, :]
    before = np.zeros((n, n), dtype=bool)
    found = order(problem)
    for i in reversed(found.sequence):
        for j in found.successors[i]:
            before[i] |= before[j]
            before[i, j] = True
    excluded = clash | before | before.T
    np.fill_diagonal(excluded, False)
    rank = np.argsort(-problem.shortest[problem.mode_set] * excluded.sum(axis=0), kind="stable")
    rank = rank[lasting[rank]]
    sets: dict[tuple[int, ...], None] = {}
    for i in rank.tolist():
        clique, candidates = [i], rank[excluded[i, rank]]
        while len(candidates):
            clique.append(int(candidates[0]))
            candidates = candidates[excluded[candidates[0], candidates]]
        chain = before[np.ix_(clique, clique)]
        if len(clique) > 2 and (chain | chain.T).sum() < len(clique) * (len(clique) - 1):
            sets[tuple(sorted(clique))] = None
    return [list(clique) for clique in sets]


class OperatorScheduleCpSat(BaseModel):
    """Model of ``operator-schedule`` for CP-SAT; see ``accmine.ports``."""

    engine = "cp-sat"

    proof_parameters: ClassVar[Mapping[str, Any]] = {"linearization_level": 0}
    """The linear relaxation of cumulatives is weak: without it CP-SAT proves three to five times as much."""

    def build(self, problem: Problem) -> cp_model.CpModel:
        """Variables, constraints and objective.

        Raises
        ------
        InputError
            If an operation fits in no mode, the precedences hold a cycle, or capacity × horizon of a
            resource leaves the 64-bit integers of CP-SAT.
        """
        # One after the other in fastest modes is always possible.
        total = int(problem.shortest[problem.mode_set].sum()) if len(problem) else 0
        self._declare(problem, total)
        self.model.minimize(self.makespan)
        return self.model

    def below(self, score: int) -> OperatorScheduleCpSat:
        """The problem of schedules shorter than ``score``, with constraints that help proofs.

        A no_overlap for each of some sets of operations no two of which can run at once: a single cumulative
        does not show them. ``score`` must exceed ``floor_score``.
        """
        other = OperatorScheduleCpSat()
        other._declare(self.problem, score - 1)
        for group in exclusive_sets(self.problem):
            other.model.add_no_overlap([other._interval(i, k) for i in group for k in range(len(other.chosen[i]))])
        other.model.minimize(other.makespan)
        return other

    def _declare(self, problem: Problem, upper: int) -> None:
        """Everything but the objective, with ``upper`` as the horizon."""
        self.problem = problem
        self.provable = 0 < len(problem) <= PROVABLE_OPERATIONS
        self.model = cp_model.CpModel()
        least, self.bound_method = bound(problem)
        self.floor_score = least
        strong = len(problem) <= CONE_OPERATIONS
        known = cones(problem) if strong else None
        head, tail = (heads(problem), tails(problem)) if known is None else (known.head, known.tail)
        self._modes = _useful_modes(problem)
        shortest = problem.shortest[problem.mode_set] if len(problem) else np.zeros(0, dtype=np.int64)
        self.upper = upper
        self.makespan = self.model.new_int_var(min(least, upper), upper, "makespan")
        self.start = [
            self.model.new_int_var(h, max(h, upper - q - p), "")
            for h, q, p in zip(head.tolist(), tail.tolist(), shortest.tolist(), strict=True)
        ]
        duration = self._choose_modes()
        end = [s + d for s, d in zip(self.start, duration, strict=True)]
        after_end, length = tail.tolist(), shortest.tolist()
        for i, after in enumerate(order(problem).successors):
            for j in after:
                self.model.add(self.start[j] >= end[i])
            said = max((length[j] + after_end[j] for j in after), default=-1)
            if after_end[i] > said:  # more than the successors say; without any, M ≥ s_i + p_i
                self.model.add(self.makespan >= end[i] + after_end[i])
        self._intervals: dict[tuple[int, int], Any] = {}
        self._resources()

    def _choose_modes(self) -> list[Any]:
        """A literal per mode of operations with a choice; the duration of every operation."""
        self.chosen: list[list[tuple[_Mode, Any]]] = []
        duration: list[Any] = []
        for group in self.problem.mode_set.tolist():
            modes = self._modes[group]
            if len(modes) == 1:
                self.chosen.append([(modes[0], None)])
                duration.append(modes[0].duration)
                continue
            literals = [self.model.new_bool_var("") for _ in modes]
            self.model.add_exactly_one(literals)
            self.chosen.append(list(zip(modes, literals, strict=True)))
            duration.append(cp_model.LinearExpr.weighted_sum(literals, [m.duration for m in modes]))
        return duration

    def _interval(self, i: int, k: int) -> Any:
        """The interval of operation i in its k-th useful mode."""
        if (i, k) not in self._intervals:
            mode, literal = self.chosen[i][k]
            self._intervals[i, k] = (
                self.model.new_fixed_size_interval_var(self.start[i], mode.duration, "")
                if literal is None
                else self.model.new_optional_fixed_size_interval_var(self.start[i], mode.duration, literal, "")
            )
        return self._intervals[i, k]

    def _resources(self) -> None:
        """One cumulative, or no_overlap, per resource that can run out."""
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
            held = [self._interval(i, k) for i, k, _, _ in rows]
            demands = [amount // divisor for _, _, amount, _ in rows]
            if all(2 * d > limit for d in demands):  # no two at once
                self.model.add_no_overlap(held)
            elif limit * max(1, self.upper) > MAX_TIME:
                raise InputError(
                    f"resource {name}: capacity {limit} over {self.upper} time units leaves 64-bit integers; "
                    f"count {name} or time in larger units"
                )
            else:
                if max(demands) > 1:  # the relaxation of such a cumulative is weak; of cores it helps
                    self.parameters = self.proof_parameters
                self.model.add_cumulative(held, demands, limit)

    def warm_start(self, record: Record[Solution]) -> None:
        """The critical-path result."""
        make_solver(KIND, "critical-path").search(record.part("critical-path", _WARM_SHARE, work=_WARM_PASSES))

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

    def read(self, value: Callable[[Any], float | int]) -> Solution:
        """Starts and modes from the values of the variables."""
        modes = [
            own[0][0].index if own[0][1] is None else next(mode.index for mode, x in own if value(x))
            for own in self.chosen
        ]
        return Solution(np.array([int(value(s)) for s in self.start], dtype=np.int64), np.array(modes, dtype=np.int64))
