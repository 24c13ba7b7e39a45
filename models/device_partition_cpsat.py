"""Device partition in CP-SAT: a Boolean for each group and device, and one for each message.

With x_gd (group g on device d), y_ud (node u, elsewhere, feeds device d), z_ud (u, on d, feeds another device):

    Σ_d x_gd = 1;   y_ud ≥ x_vd - x_ud,  z_ud ≥ x_ud - x_vd for every edge (u, v);
    Σ_g time_g·x_gd + Σ_u send_u·(y_ud + z_ud) ≤ T;   Σ_g bytes_g·x_gd ≤ memory;   minimise T;
    contiguous: Σ_{e≤d} x_ue ≥ Σ_{e≤d} x_ve for every edge.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ortools.sat.python import cp_model

from accmine.ports import BaseModel
from accmine.problems.device_partition import Problem, Solution, bound, loads
from accmine.record import Record

__all__ = ["DevicePartitionCpSat"]


class DevicePartitionCpSat(BaseModel):
    """Model of ``device-partition`` for CP-SAT; see ``accmine.ports``."""

    engine = "cp-sat"

    def warm_start(self, record: Record[Solution]) -> None:
        """Everything on one device, where its memory suffices."""
        record.offer(Solution((0,) * len(record.problem.nodes)), doubtful=True)

    def build(self, problem: Problem) -> cp_model.CpModel:
        """Variables, constraints and objective."""
        self.problem, self.model = problem, cp_model.CpModel()
        self.floor_score, self.bound_method = bound(problem)
        self.group = [0] * len(problem.nodes)
        for g, members in enumerate(problem.groups):
            for i in members:
                self.group[i] = g
        count, devices = len(problem.groups), range(problem.devices)
        self.on = [[self.model.new_bool_var("") for _ in devices] for _ in range(count)]
        for row in self.on:
            self.model.add_exactly_one(row)
        most = sum(node.time + 2 * node.send for node in problem.nodes)
        self.longest = self.model.new_int_var(min(self.floor_score, most), most, "load")
        links = sorted({(u, self.group[v]) for u, v in problem.edges if self.group[u] != self.group[v]})
        if problem.contiguous:
            self._contiguous({(self.group[u], g) for u, g in links})
        self.messages: list[tuple[Any, Any, list[Any]]] = []
        load = [[(node.time, self.on[self.group[i]][d]) for i, node in enumerate(problem.nodes)] for d in devices]
        for u in sorted({u for u, _ in links if problem.nodes[u].send}):
            self._message(u, [g for source, g in links if source == u], load)
        for terms in load:
            self.model.add(sum(weight * literal for weight, literal in terms) <= self.longest)
        if problem.memory_bytes is not None:
            for d in devices:
                used = [node.memory_bytes * self.on[self.group[i]][d] for i, node in enumerate(problem.nodes)]
                self.model.add(sum(used) <= problem.memory_bytes)
        self.model.minimize(self.longest)
        return self.model

    def _contiguous(self, pairs: set[tuple[int, int]]) -> None:
        """``upto[g][d]``: group g is on a device up to d."""
        upto = [[self.model.new_bool_var("") for _ in row] for row in self.on]
        self.upto = upto
        for row, marks in zip(self.on, upto, strict=True):
            self.model.add(marks[-1] == 1)
            self.model.add(row[0] == marks[0])
            for d in range(1, len(row)):
                self.model.add(row[d] == marks[d] - marks[d - 1])
        for g, h in sorted(pairs):
            for first, second in zip(upto[g], upto[h], strict=True):
                self.model.add_implication(second, first)

    def _message(self, u: int, targets: list[int], load: list[list[tuple[int, Any]]]) -> None:
        own, send = self.on[self.group[u]], self.problem.nodes[u].send
        for d in range(self.problem.devices):
            comes, leaves = self.model.new_bool_var(""), self.model.new_bool_var("")
            for g in targets:
                self.model.add_bool_or([self.on[g][d].Not(), own[d], comes])
                self.model.add_bool_or([own[d].Not(), self.on[g][d], leaves])
            load[d] += [(send, comes), (send, leaves)]
            self.messages += [(comes, (u, d, False), targets), (leaves, (u, d, True), targets)]

    def hint(self, solution: Solution) -> None:
        """Give every variable its value in a partition."""
        self.model.clear_hints()
        problem, place = self.problem, solution.device
        of_group = [place[members[0]] for members in problem.groups]
        for g, row in enumerate(self.on):
            for d, literal in enumerate(row):
                self.model.add_hint(literal, of_group[g] == d)
                if problem.contiguous:
                    self.model.add_hint(self.upto[g][d], of_group[g] <= d)
        for literal, (u, d, leaves), targets in self.messages:
            there = [of_group[g] for g in targets]
            crossed = any(v != d for v in there) if leaves else d in there
            self.model.add_hint(literal, crossed and (place[u] == d) == leaves)
        self.model.add_hint(self.longest, max(loads(problem, solution)))

    def read(self, value: Callable[[Any], float | int]) -> Solution:
        """The device of each node."""
        chosen = [next(d for d, literal in enumerate(row) if value(literal)) for row in self.on]
        return Solution(tuple(chosen[g] for g in self.group))
