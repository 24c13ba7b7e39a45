"""Device placement of any layer graph in CP-SAT, for one way: degrees, order of ranks, schedule and ZeRO stage given.

With z_lso (layer l in stage s, run as o), g_ls = Σ_{q≤s} Σ_o z_lqo (in a stage up to s), c_uk (the output of u crosses
the boundary behind stage k) and whole numbers of ticks

    Σ_so z_lso = 1;   every stage has a layer;   g_us ≥ g_vs and c_uk ≥ g_uk - g_vk for every edge (u, v);
    z_lso ≤ k_so, Σ_o k_so = 1 (uniform: one k_o);   Σ_so tensor_o·k_so ≤ devices / data;
    Σ_lo (states + held_s·stash)·z_lso + working of any of its layers ≤ memory, for every stage s;
    T ≥ every chain of the schedule, linear in the stage times Σ_lo f_lo·z_lso, …;   minimise T.

Messages are a little low: the sum of the ticks of their parts, each rounded down. Where the simulated step of a
solution is longer than the rows say, ``separate`` adds its critical chain, or, where that is not longer either, a row
that speaks of this solution alone: T ≥ step · (1 - layers that are elsewhere). So the minimum is the least step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ortools.sat.python import cp_model

from accmine.ports import BaseModel
from accmine.problems.device_placement import Option, Problem, Solution, StagePlan, bound, score, stage_times
from accmine.problems.device_placement.memory import held_microbatches, layer_bytes
from accmine.problems.device_placement.numbers import Way, numbers, replica_microbatches
from accmine.system import SCHEDULES, Path, critical_path

__all__ = ["DevicePlacementCpSat"]


class DevicePlacementCpSat(BaseModel):
    """Model of ``device-placement`` for CP-SAT; see ``accmine.ports`` and the module.

    The problem has one pipeline, data, order, pipelining (without chunks) and ZeRO stage to choose from.
    """

    engine = "cp-sat"

    def __init__(self) -> None:
        self._kinds: Sequence[tuple[int, str]] | None = None

    def restrict(self, kinds: Sequence[tuple[int, str]]) -> None:
        """Declare only these (tensor degree, recompute); call before ``build``. Needed where stages are uniform."""
        self._kinds = kinds

    def build(self, problem: Problem) -> cp_model.CpModel:
        """Variables, constraints and objective."""
        self.problem, self.model = problem, cp_model.CpModel()
        self.floor_score, self.bound_method = bound(problem)
        (self.stages,), (data,), (order,) = problem.pipeline, problem.data, problem.orders
        (self.pipelining,), (zero,) = problem.pipelinings, problem.zero
        kinds = self._kinds or sorted({(o.tensor, o.recompute) for layer in problem.layers for o in layer.options})
        self.kinds = list(kinds)
        tensor = self.kinds[0][0] if problem.uniform else max(problem.degrees)
        self.way = Way(tensor, data, self.stages, order, zero)
        self.microbatches = replica_microbatches(problem, data)
        self.longest = self.model.new_int_var(0, 1 << 60, "step")
        self._choice()
        self._memory()
        self._crossing()
        own = SCHEDULES[self.pipelining.schedule]
        for chain in own.chains(self.stages, self.microbatches):
            self._row(chain)
        self.model.minimize(self.longest)
        return self.model

    def _option(self, layer: int, kind: tuple[int, str]) -> Option | None:
        options = self.problem.layers[layer].options
        return next((o for o in options if (o.tensor, o.recompute) == kind), None)

    def _choice(self) -> None:
        """A stage and a kind for each layer, a kind for each stage, and no stage number that falls along an edge."""
        model, layers = self.model, range(len(self.problem.layers))
        self.z: dict[tuple[int, int, int], Any] = {}
        self.options: dict[tuple[int, int], Option] = {}
        for layer in layers:
            for o, kind in enumerate(self.kinds):
                if (option := self._option(layer, kind)) is not None:
                    self.options[layer, o] = option
                    for s in range(self.stages):
                        self.z[layer, s, o] = model.new_bool_var("")
        own = [[[v for (n, q, _), v in self.z.items() if (n, q) == (i, s)] for s in range(self.stages)] for i in layers]
        for row in own:
            model.add_exactly_one([v for literals in row for v in literals])
        for s in range(self.stages):
            model.add_bool_or([v for row in own for v in row[s]])
        self.chosen = [[model.new_bool_var("") for _ in self.kinds] for _ in range(self.stages)]
        for s, row in enumerate(self.chosen):
            model.add_exactly_one(row)
            if self.problem.uniform and s:
                for first, this in zip(self.chosen[0], row, strict=True):
                    model.add(first == this)
        for (_, s, o), literal in self.z.items():
            model.add_implication(literal, self.chosen[s][o])
        budget = self.problem.devices // self.way.data
        widths = [kind[0] * v for row in self.chosen for kind, v in zip(self.kinds, row, strict=True)]
        model.add(sum(widths) <= budget)
        self.upto = [[model.new_bool_var("") for _ in range(self.stages)] for _ in layers]
        for row, marks in zip(own, self.upto, strict=True):
            model.add(marks[-1] == 1)
            for s, literals in enumerate(row):
                model.add(sum(literals) == marks[s] - (marks[s - 1] if s else 0))
        for edge in self.problem.edges:
            for first, second in zip(self.upto[edge.source], self.upto[edge.target], strict=True):
                model.add_implication(second, first)

    def _memory(self) -> None:
        limit = self.problem.memory_bytes
        for s in range(self.stages):
            held = held_microbatches(self.pipelining, s, self.stages, self.microbatches)
            kept, working = [], []
            for (layer, q, o), literal in self.z.items():
                if q == s:
                    option = self.options[layer, o]
                    states, most = layer_bytes(self.problem, option, self.way.data, self.way.zero)
                    kept.append(min(limit + 1, states + held * option.stash_bytes) * literal)
                    working.append(min(limit + 1, most) * literal)
            for most in working:
                self.model.add(sum(kept) + most <= limit)

    def _crossing(self) -> None:
        """``sent[k]``: the message over each boundary, as a sum that is never too high."""
        table, widest = numbers(self.problem), max(self.way.tensor, *(kind[0] for kind in self.kinds))
        targets: dict[int, dict[int, int]] = {}
        for edge in self.problem.edges:
            targets.setdefault(edge.source, {})[edge.target] = edge.bytes_at(widest)
        self.crosses: list[tuple[Any, int, int, list[int]]] = []
        self.sent: list[Any] = []
        for k in range(self.stages - 1):
            terms: list[Any] = []
            empty = table.messages(1, self.way)[k]
            for source, sizes in targets.items():
                if size := min(sizes.values()):
                    literal = self.model.new_bool_var("")
                    for target in sizes:
                        self.model.add_bool_or([self.upto[source][k].Not(), self.upto[target][k], literal])
                    self.crosses.append((literal, source, k, list(sizes)))
                    terms.append((max(0, table.messages(size, self.way)[k] - empty - 1), literal))
            some = self.model.new_bool_var("")
            for _, literal in terms:
                self.model.add_implication(literal, some)
            self.crosses.append((some, -1, k, []))
            self.sent.append([(max(0, empty - 1), some), *terms] if terms else [])

    def _row(self, chain: Path) -> None:
        """T is at least as long as a chain of waiting events."""
        terms: list[Any] = []
        for (layer, s, o), literal in self.z.items():
            ticks = numbers(self.problem).layer(self.options[layer, o], self.way)
            length = chain.forward[s] * ticks[0] + chain.backward[s] * ticks[1]
            length += ticks[2] if s == chain.update else 0
            if SCHEDULES[self.pipelining.schedule].split_backward:
                length += (chain.weight[s] - chain.backward[s]) * ticks[3]
            terms.append(length * literal)
        for k, parts in enumerate(self.sent):
            times = chain.sent_forward[k] + chain.sent_backward[k]
            terms += [times * ticks * literal for ticks, literal in parts if times]
        self.model.add(self.longest >= sum(terms))

    def separate(self, solution: Solution) -> int:
        """Add the critical chain of a solution, and a row for it alone; returns how many rows are new."""
        (forward, backward, update, weight), sent = stage_times(self.problem, solution)
        own = self.pipelining
        split = SCHEDULES[own.schedule].split_backward
        self._row(
            critical_path(
                own.schedule, forward, backward, update, sent, self.microbatches, weight_s=weight if split else None
            )
        )
        step = int(score(self.problem, solution))
        there = [
            self.z[layer, s, self.kinds.index((plan.tensor, plan.recompute))]
            for s, plan in enumerate(solution.stages)
            for layer in plan.layers
        ]
        self.model.add(self.longest >= step).only_enforce_if(there)
        return 2

    def hint(self, solution: Solution) -> None:
        """Start from a placement of the same way."""
        self.model.clear_hints()
        stage_of = {layer: s for s, plan in enumerate(solution.stages) for layer in plan.layers}
        for (layer, s, o), literal in self.z.items():
            plan = solution.stages[s]
            self.model.add_hint(literal, stage_of[layer] == s and self.kinds[o] == (plan.tensor, plan.recompute))
        for layer, marks in enumerate(self.upto):
            for s, literal in enumerate(marks):
                self.model.add_hint(literal, stage_of[layer] <= s)

    def read(self, value: Callable[[Any], float | int]) -> Solution:
        """The placement of the values of the variables."""
        groups: list[list[int]] = [[] for _ in range(self.stages)]
        for layer in self.problem.order_of_layers:
            groups[next(s for (n, s, _), v in self.z.items() if n == layer and value(v))].append(layer)
        kinds = [self.kinds[next(o for o, v in enumerate(row) if value(v))] for row in self.chosen]
        plans = tuple(StagePlan(tuple(group), *kind) for group, kind in zip(groups, kinds, strict=True))
        way = self.way
        return Solution(plans, way.data, way.order, self.pipelining, way.zero)
