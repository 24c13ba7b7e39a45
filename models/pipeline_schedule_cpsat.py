"""Pipeline schedule in CP-SAT: an interval per pass, one pass at a time on a device, stashes as a cumulative.

The microbatches are equal, so the passes of a kind may be taken in the order of the microbatches on every stage:
sorting the starts of a valid schedule, kind by kind and stage by stage, keeps every precedence, every time of a
message and every level of memory. With s, e the start and end of a pass:

    e ≤ s of the next microbatch;  e + message ≤ s on the next stage, forward and back;  F, then B, then W;
    one pass at a time on a device;  from s(F) to e(B) a microbatch holds its activation, from s(F) to e(W) the rest;
    step ≥ e + update;  minimise the step.

A message that is longer than the passes before it has a variable of its own: its link carries one at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ortools.sat.python import cp_model

from accmine.ports import BaseModel
from accmine.problems.pipeline_schedule import (
    Problem,
    Solution,
    bound,
    check,
    eager,
    ends_of,
    lengths,
    named,
    one_by_one,
    score,
    serial_ticks,
)
from accmine.record import Record
from accmine.system import BACKWARD, FORWARD, WEIGHT

__all__ = ["PipelineScheduleCpSat"]

_Key = tuple[int, int, int]
"""Stage, kind, microbatch."""


def _known(problem: Problem) -> list[Solution]:
    """Orders that need no search and fit, best first."""
    found = [own for own in (*named(problem).values(), eager(problem), one_by_one(problem)) if not check(problem, own)]
    return sorted(found, key=lambda own: score(problem, own))


class PipelineScheduleCpSat(BaseModel):
    """Declared model for CP-SAT; see the module."""

    engine = "cp-sat"

    def build(self, problem: Problem) -> cp_model.CpModel:
        """Variables, constraints and objective; returns the CP-SAT model."""
        self.problem, self.lengths = problem, lengths(problem)
        self.model = model = cp_model.CpModel()
        self.floor_score, self.bound_method = bound(problem)
        best = _known(problem)[:1]
        self._horizon = score(problem, best[0]) if best else max(self.floor_score, serial_ticks(problem))
        stages, count = range(len(problem.stages)), range(problem.microbatches)
        self._start: dict[_Key, Any] = {}
        self._sent: dict[_Key, Any] = {}
        self._held: dict[_Key, Any] = {}
        for s in stages:
            for kind in problem.kinds:
                for j in count:
                    self._start[s, kind, j] = model.new_int_var(0, self._horizon, f"{'fbw'[kind]}[{s},{j}]")
        self._step = model.new_int_var(self.floor_score, self._horizon, "step")
        for s in stages:
            self._device(s)
            self._memory(s)
            if s + 1 < len(stages):
                self._link(s, s + 1, FORWARD)
                self._link(s + 1, s, BACKWARD)
        model.minimize(self._step)
        return model

    def _end(self, s: int, kind: int, j: int) -> Any:
        return self._start[s, kind, j] + self.lengths[kind][s]

    def _device(self, s: int) -> None:
        """Kinds and microbatches in their order, one pass at a time, and the update behind all."""
        model, last = self.model, self.problem.microbatches - 1
        intervals = []
        for kind in self.problem.kinds:
            for j in range(last + 1):
                start = self._start[s, kind, j]
                intervals.append(model.new_fixed_size_interval_var(start, self.lengths[kind][s], f"{kind}[{s},{j}]"))
                if j:
                    model.add(start >= self._end(s, kind, j - 1))
                if kind != FORWARD:
                    model.add(start >= self._end(s, kind - 1, j))
        model.add_no_overlap(intervals)
        for kind in self.problem.kinds[1:]:
            model.add(self._step >= self._end(s, kind, last) + self.problem.stages[s].update)

    def _link(self, source: int, target: int, kind: int) -> None:
        """Messages of a kind over a boundary, in the order in which they are made.

        One that is no longer than the pass behind it never waits for the link.
        """
        ticks = self.problem.transfers[min(source, target)][kind]
        for j in range(self.problem.microbatches):
            arrival = self._end(source, kind, j) + ticks
            if ticks > self.lengths[kind][source]:
                sent = self._sent[source, kind, j] = self.model.new_int_var(0, self._horizon, f"sent[{source},{j}]")
                self.model.add(sent >= arrival)
                if j:
                    self.model.add(sent >= self._sent[source, kind, j - 1] + ticks)
                arrival = sent
            self.model.add(self._start[target, kind, j] >= arrival)

    def _memory(self, s: int) -> None:
        """What a device holds at any time; microbatches that fit all together need no row."""
        stage, count = self.problem.stages[s], range(self.problem.microbatches)
        if len(count) * (stage.activation + stage.weight_stash) <= stage.memory:
            return
        amounts = {BACKWARD: stage.activation, WEIGHT: stage.weight_stash}
        if not self.problem.split_backward:
            amounts = {BACKWARD: stage.activation + stage.weight_stash}
        intervals, demands = [], []
        for kind, amount in amounts.items():
            for j in count if amount else ():
                size = self._held[s, kind, j] = self.model.new_int_var(0, self._horizon, f"held[{s},{kind},{j}]")
                begin, end = self._start[s, FORWARD, j], self._end(s, kind, j)
                intervals.append(self.model.new_interval_var(begin, size, end, f"stash[{s},{kind},{j}]"))
                demands.append(amount)
        self.model.add_cumulative(intervals, demands, stage.memory)

    def hint(self, solution: Solution) -> None:
        """Start from a valid order: a hint for every variable. Equal microbatches are renamed in their order."""
        self.model.clear_hints()
        ends, _ = ends_of(self.problem, solution)
        rows: dict[tuple[int, int], list[int]] = {}
        for (s, kind, _), end in ends.items():
            rows.setdefault((s, kind), []).append(end)
        own = {(s, kind, j): end for (s, kind), row in rows.items() for j, end in enumerate(sorted(row))}
        begin = {key: end - self.lengths[key[1]][key[0]] for key, end in own.items()}
        for key, variable in self._start.items():
            self.model.add_hint(variable, begin[key])
        for (s, kind, j), variable in self._held.items():
            self.model.add_hint(variable, own[s, kind, j] - begin[s, FORWARD, j])
        sent = 0
        for (s, kind, j), variable in self._sent.items():  # by link, in the order of microbatches
            ticks = self.problem.transfers[s if kind == FORWARD else s - 1][kind]
            sent = max(own[s, kind, j], sent if j else 0) + ticks
            self.model.add_hint(variable, sent)
        self.model.add_hint(self._step, score(self.problem, solution))

    def read(self, value: Callable[[Any], float | int]) -> Solution:
        """The order of the starts on every device."""
        begin = {key: int(value(variable)) for key, variable in self._start.items()}
        orders = []
        for s in range(len(self.problem.stages)):
            mine = sorted((key for key in begin if key[0] == s), key=lambda key: begin[key])
            orders.append(tuple((kind, j) for _, kind, j in mine))
        return Solution(tuple(orders))

    def warm_start(self, record: Record[Solution]) -> None:
        """The best order that needs no search."""
        record.raise_bound(*bound(record.problem))
        for own in _known(record.problem)[:1]:
            record.offer(own)
