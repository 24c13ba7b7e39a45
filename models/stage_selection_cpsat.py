"""Stage selection in CP-SAT: the whole timeline as integer precedence rows.

One Boolean per slot and option; the three durations of every stage are linear in them; every forward and backward
pass of every microbatch has an end variable behind the pass before it on its stage and the message it waits for.
So the step is the simulated one, without lazy rows, which makes the model independent of the one for HiGHS, and
refuses timelines of more than ``MOST_PASSES`` passes. A value per TDP is a product of two integer variables, or of
their leading bits where that does not fit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ortools.sat.python import cp_model

from accmine.errors import InputError
from accmine.ports import BaseModel
from accmine.problems.limits import Cost
from accmine.problems.stage_selection import Problem, Solution, bound
from accmine.problems.stage_selection.greedy import greedy
from accmine.problems.stage_selection.integers import IntegerPipeline, SelectionNumbers, integers
from accmine.problems.stage_selection.options import BOUND_METHOD, Floor, lower_bound, useful_options
from accmine.record import Record
from accmine.system import BACKWARD, FORWARD, SCHEDULES, simulate

__all__ = ["MOST_PASSES", "StageSelectionCpSat", "refuse_long"]

MOST_PASSES = 100_000
"""Passes of all timelines together that are declared, at most: some hundred MB."""

_LARGEST = 1 << 61  # CP-SAT refuses sums near int64
_LEADING = 30  # bits of each factor of a product that is larger


def refuse_long(numbers: SelectionNumbers) -> None:
    """Refuse timelines that are too long to be declared.

    Raises
    ------
    InputError
        If they have more than :data:`MOST_PASSES` passes together.
    """
    passes = sum(2 * len(p.forward) * p.microbatches for p in numbers.pipelines)
    if numbers.objective.timeline and passes > MOST_PASSES:
        raise InputError(
            f"cp-sat declares every pass of the timelines: {passes}, at most {MOST_PASSES}; take auto or highs, which "
            "add the chains they need",
            field="microbatches",
        )


class _Factor(NamedTuple):
    """A variable of the product, its upper end, and its value of a choice."""

    variable: Any
    most: int
    value: Callable[[Sequence[Sequence[int]]], int]

    def leading(self, shift: int) -> Callable[[Solution], int]:
        """Its value of a solution without the last bits."""
        return lambda solution: self.value(solution.choice) >> shift


class StageSelectionCpSat(BaseModel):
    """Declared model for CP-SAT; see the module."""

    engine = "cp-sat"
    bound_method = BOUND_METHOD

    def build(self, problem: Problem) -> cp_model.CpModel:
        """Declare variables, limits, timelines and objective; returns the CP-SAT model.

        Raises
        ------
        InputError
            If the slowest choice is so much slower than a good one that its integer value does not fit 61 bits, or
            the timelines have more than :data:`MOST_PASSES` passes.
        """
        self.problem, self.numbers = problem, integers(problem)
        numbers = self.numbers
        refuse_long(numbers)
        self._kept = useful_options(numbers)
        self._floor = lower_bound(numbers, self._kept)
        self.floor_score = None if self._floor is None else self._floor.score
        self.model = model = cp_model.CpModel()
        self.x = [{o: model.new_bool_var(f"x[{i},{o}]") for o in kept} for i, kept in enumerate(self._kept)]
        self._tops: dict[int, int] = {}  # upper end of each integer variable
        self._hints: list[tuple[Any, Callable[[Solution], int]]] = []
        self._durations_of: list[tuple[Any, int, int, tuple[tuple[int, ...], ...]]] = []
        self._ends: list[dict[tuple[int, int, int], Any]] = [{} for _ in numbers.pipelines]
        self._arrivals: list[dict[tuple[int, int, int], Any]] = [{} for _ in numbers.pipelines]
        if self._floor is None:
            model.add_bool_or([])  # a slot without option: no choice exists
            return model
        for row in self.x:
            model.add_exactly_one(row.values())
        for cost, limit in numbers.limited:
            model.add(self._total(cost) <= limit)
        each = [self._pipeline(w, pipeline) for w, pipeline in enumerate(numbers.pipelines)]
        self._objective(each)
        return model

    def _total(self, cost: Cost | None) -> Any:
        """Σ of a cost of the chosen options; ``None``: of their power."""
        rows = zip(self.numbers.slots, self.x, strict=True)
        chosen = [(slot.options[o], x) for slot, row in rows for o, x in row.items()]
        return sum(x * (own.power if cost is None else own.costs[cost.index]) for own, x in chosen)

    def _durations(self, w: int, table: tuple[tuple[int, ...], ...], phase: str) -> list[Any]:
        """Duration variable of each stage, linear in the choice."""
        found: list[Any] = [None] * len(table)
        for slot, row in zip(self.numbers.slots, self.x, strict=True):
            for position, (pipeline, s) in enumerate(slot.members):
                if pipeline != w:
                    continue
                ticks = {o: table[s][slot.options[o].picks[position]] for o in row}
                found[s] = self._integer(min(ticks.values()), max(ticks.values()), f"{phase}[{w},{s}]")
                self.model.add(found[s] == sum(x * ticks[o] for o, x in row.items()))
                self._durations_of.append((found[s], w, s, table))
        return found

    def _integer(self, least: int, most: int, name: str) -> Any:
        if most > _LARGEST:
            raise InputError(
                f"{name} may reach {most}, beyond 61 bits: a candidate is too much slower than the best; leave it out"
            )
        variable = self.model.new_int_var(least, most, name)
        self._tops[variable.index] = most
        return variable

    def _pipeline(self, w: int, p: IntegerPipeline) -> Any:
        """Step variable of pipeline ``w`` with the rows that push it up."""
        forward = self._durations(w, p.forward, "forward")
        backward = self._durations(w, p.backward, "backward")
        most = [[max(row) for row in table] for table in (p.forward, p.backward, p.update)]
        if not self.numbers.objective.timeline:
            highest = max(p.microbatches * max(*(f + b for f, b in zip(*most[:2], strict=True)), p.link), 1)
            step = self._integer(p.microbatches * p.link, highest, f"step[{w}]")
            for f, b in zip(forward, backward, strict=True):
                self.model.add(step >= p.microbatches * (f + b))
        else:
            update = self._durations(w, p.update, "update")
            horizon = p.microbatches * (sum(most[0]) + sum(most[1]) + sum(map(sum, p.transfer))) + sum(most[2])
            step = self._integer(0, horizon, f"step[{w}]")
            ends = self._timeline(w, p, (forward, backward), horizon)
            for end, duration in zip(ends, update, strict=True):
                self.model.add(step >= end + duration)
            # redundant: what one stage alone needs, which propagates better than the chain
            for f, b, u in zip(forward, backward, update, strict=True):
                self.model.add(step >= p.microbatches * (f + b) + u)
        self._hints.append((step, lambda solution: self.numbers.pipeline_steps(solution.choice)[w]))
        return step

    def _timeline(self, w: int, p: IntegerPipeline, durations: tuple[list[Any], list[Any]], horizon: int) -> list[Any]:
        """Precedence rows of every pass; returns the end of the last pass of each stage."""
        stages = len(p.forward)
        end = {
            (s, kind, j): self._integer(0, horizon, f"end[{w},{s},{kind},{j}]")
            for s in range(stages)
            for kind in (FORWARD, BACKWARD)
            for j in range(p.microbatches)
        }
        self._ends[w] = end
        arrived: dict[tuple[int, int, int], Any] = {}
        orders = [SCHEDULES[p.schedule].order(s, stages, p.microbatches) for s in range(stages)]
        for kind in (FORWARD, BACKWARD):
            for s in range(stages):
                target = s + 1 if kind == FORWARD else s - 1
                if 0 <= target < stages:
                    sent = [j for k, j in orders[s] if k == kind]
                    self._link(w, p, (s, target), kind, sent, end, arrived, horizon)
        for s, order in enumerate(orders):
            before: Any = 0
            for kind, j in order:
                duration = durations[kind][s]
                self.model.add(end[s, kind, j] >= before + duration)
                if (s, kind, j) in arrived:
                    self.model.add(end[s, kind, j] >= arrived[s, kind, j] + duration)
                before = end[s, kind, j]
        return [end[s, order[-1][0], order[-1][1]] for s, order in enumerate(orders)]

    def _link(
        self,
        w: int,
        p: IntegerPipeline,
        pair: tuple[int, int],
        kind: int,
        sent: list[int],
        end: dict[tuple[int, int, int], Any],
        arrived: dict[tuple[int, int, int], Any],
        horizon: int,
    ) -> None:
        """Arrival of every message over a boundary in one direction, in the order of sending.

        A message no longer than the sender's shortest pass never queues: its arrival needs no variable.
        """
        source, target = pair
        ticks = p.transfer[min(pair)][kind]
        queues = ticks > min((p.forward, p.backward)[kind][source])
        before: Any = None
        for j in sent:
            arrived[target, kind, j] = end[source, kind, j] + ticks
            if queues:
                arrival = self._integer(0, horizon, f"arrival[{w},{target},{kind},{j}]")
                self.model.add(arrival >= end[source, kind, j] + ticks)
                if before is not None:
                    self.model.add(arrival >= before + ticks)
                before = arrived[target, kind, j] = self._arrivals[w][target, kind, j] = arrival

    def _objective(self, each: list[Any]) -> None:
        model, numbers, floor = self.model, self.numbers, self._floor
        assert floor is not None
        tops = [self._tops[step.index] for step in each]
        steps = self._integer(floor.steps, max(numbers.aggregate.joined(tops), floor.steps), "steps")
        if numbers.aggregate.weighted:
            model.add(steps == sum(each))
        else:
            for step in each:
                model.add(steps >= step)
        self._hints.append((steps, lambda solution: numbers.steps(solution.choice)))
        if numbers.step_limit is not None:
            model.add(steps <= numbers.step_limit)
        if not numbers.objective.power:
            model.minimize(steps)
            return
        top = sum(max(slot.options[o].power for o in row) for slot, row in zip(numbers.slots, self.x, strict=True))
        power = self._integer(floor.power, top, "power")
        model.add(power == self._total(None))
        self._hints.append((power, lambda solution: numbers.power(solution.choice)))
        most = self._tops[steps.index]
        if numbers.step_limit is not None:
            most = min(most, max(numbers.step_limit, floor.steps))
        self._product(floor, _Factor(steps, most, numbers.steps), _Factor(power, top, numbers.power))

    def _product(self, floor: Floor, steps: _Factor, power: _Factor) -> None:
        """Minimise steps x power.

        Where it does not fit 61 bits, the product of their leading bits, rounded down: a lower bound of the score in
        units of ``unit``, and as exact as these bits.
        """
        model, numbers = self.model, self.numbers
        shifts = [0, 0]
        if steps.most * power.most > _LARGEST:
            if (known := greedy(self.problem)) is not None:  # what is slower or hotter than that is of no interest
                score = numbers.score(known.choice)
                steps = steps._replace(most=min(steps.most, score // floor.power))
                power = power._replace(most=min(power.most, score // floor.steps))
            shifts = [max(0, factor.most.bit_length() - _LEADING) for factor in (steps, power)]
        self.unit = 1 << sum(shifts)
        leading, of = [], [factor.leading(shift) for factor, shift in zip((steps, power), shifts, strict=True)]
        for factor, least, shift in zip((steps, power), (floor.steps, floor.power), shifts, strict=True):
            leading.append(factor.variable)
            if shift:
                leading[-1] = own = self._integer(least >> shift, factor.most >> shift, "leading bits")
                # from one side only: as an equation ortools 9.15 "proved" feasible models infeasible in its presolve
                model.add(own * (1 << shift) >= factor.variable - (1 << shift) + 1)
                self._hints.append((own, factor.leading(shift)))
        low = (floor.steps >> shifts[0]) * (floor.power >> shifts[1])
        product = self._integer(low, max(1, (steps.most >> shifts[0]) * (power.most >> shifts[1])), "steps x power")
        model.add_multiplication_equality(product, leading)
        self._hints.append((product, lambda solution: math.prod(bits(solution) for bits in of)))
        model.minimize(product)

    def hint(self, solution: Solution) -> None:
        """Hint every variable: the choice, durations, the timeline, the steps and the objective.

        The Booleans of a slot stay 0 if ``solution`` takes an option that another one dominates.
        """
        picked = self.numbers.picked(solution.choice)
        for row, option in zip(self.x, picked, strict=True):
            for o, x in row.items():
                self.model.add_hint(x, o == option)
        for variable, w, s, table in self._durations_of:
            self.model.add_hint(variable, table[s][solution.choice[w][s]])
        for variable, value in self._hints:
            self.model.add_hint(variable, value(solution))
        for w, ends in enumerate(self._ends):
            if ends:
                self._hint_timeline(w, solution.choice[w])

    def _hint_timeline(self, w: int, picks: tuple[int, ...]) -> None:
        p = self.numbers.pipelines[w]
        forward, backward, update = (
            [row[c] for row, c in zip(table, picks, strict=True)] for table in (p.forward, p.backward, p.update)
        )
        timeline = simulate(p.schedule, forward, backward, update, p.transfer, p.microbatches)
        sent: dict[tuple[int, int], int] = {}
        for event in sorted(timeline.events, key=lambda e: e.end):
            if event.kind == "update":
                continue
            kind = FORWARD if event.kind == "forward" else BACKWARD
            self.model.add_hint(self._ends[w][event.stage, kind, event.microbatch], int(event.end))
            target = event.stage + (1 if kind == FORWARD else -1)
            arrival = self._arrivals[w].get((target, kind, event.microbatch))
            if arrival is not None:
                ticks = p.transfer[min(event.stage, target)][kind]
                sent[target, kind] = max(int(event.end), sent.get((target, kind), 0)) + ticks
                self.model.add_hint(arrival, sent[target, kind])

    def read(self, value: Callable[[Any], float | int]) -> Solution:
        """The choice, from the value of each variable."""
        return Solution(self.numbers.choice([next(o for o, x in row.items() if value(x)) for row in self.x]))

    def warm_start(self, record: Record[Solution]) -> None:
        """A quick choice within the limits, if one is found; always the same one."""
        record.raise_bound(*bound(record.problem))
        if (found := greedy(record.problem)) is not None:
            record.offer(found)
