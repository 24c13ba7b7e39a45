"""Stage selection as a Pyomo integer program.

Variables: ``x[slot, option]`` binary, and the aggregated step (or one step per pipeline and their sum). The step
time of a fixed schedule is the largest length of any chain of waiting events, and the length of a chain is
*linear* in the durations, so each chain gives one valid row

    step[w] ≥ Σ_slot Σ_option (length that the option adds to the chain) · x[slot, option] + messages

The model starts with the chains of the lower bound (through m microbatches of one stage) and the critical chains
of a greedy choice; :meth:`StageSelectionPyomo.separate` adds the critical chain of any choice whose simulated step
is longer than the rows say. When none is, rows and timeline agree: the answer is exact, at any number of
microbatches. Integers are divided by powers of two, so that HiGHS sees values around 1,000, without rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pyomo.environ as pyo

from accmine.ports import BaseModel
from accmine.problems.stage_selection import Problem, Solution, bound
from accmine.problems.stage_selection.greedy import greedy
from accmine.problems.stage_selection.integers import integers
from accmine.problems.stage_selection.options import BOUND_METHOD, lower_bound, useful_options
from accmine.record import Record
from accmine.system import SCHEDULES, Path, critical_path

from .stage_selection_closing import Row, SelectionClosing

__all__ = ["StageSelectionPyomo"]


def _binary_scale(magnitude: int) -> int:
    """Power of two that brings ``magnitude`` to at most about 1,000; 1 for small numbers."""
    return 1 << max(0, magnitude.bit_length() - 10)


def _busy_chains(stages: int, microbatches: int) -> Iterator[Path]:
    """All passes of one stage."""
    for s in range(stages):
        alone, none = tuple(microbatches if i == s else 0 for i in range(stages)), (0,) * (stages - 1)
        yield Path(alone, alone, none, none, -1)


class StageSelectionPyomo(BaseModel):
    """Declared model for HiGHS; see the module."""

    engine = "mip"
    bound_method = BOUND_METHOD

    def __init__(self) -> None:
        self._only: Sequence[Sequence[int]] | None = None

    def restrict(self, kept: Sequence[Sequence[int]]) -> None:
        """Declare only these options of each slot; call before ``build``. The answer then speaks of these alone."""
        self._only = kept

    def build(self, problem: Problem) -> pyo.ConcreteModel:
        """Declare variables, limits, chains and objective; returns the Pyomo model."""
        self.problem = problem
        self.numbers = numbers = integers(problem)
        kept = useful_options(numbers) if self._only is None else [list(options) for options in self._only]
        self.model = model = pyo.ConcreteModel(name="stage_selection")
        self._chains: set[tuple[int, Path]] = set()
        self._kept = kept
        self._floor = lower_bound(numbers, kept)
        self.floor_score = None if self._floor is None else self._floor.score
        self.unit = self._step_scale = _binary_scale(self._floor.steps if self._floor else 1)
        model.x = pyo.Var([(i, o) for i, options in enumerate(kept) for o in options], domain=pyo.Binary)
        self._declare_choice()
        self._declare_limits()
        self._declare_steps()
        self._declare_objective()
        for w, pipeline in enumerate(numbers.pipelines):
            chains = SCHEDULES[pipeline.schedule].chains if numbers.objective.timeline else _busy_chains
            for chain in chains(len(pipeline.forward), pipeline.microbatches):
                self._add_chain(w, chain)
        if (start := greedy(problem)) is not None:
            self.separate(start)
        return model

    def _declare_choice(self) -> None:
        """Family ``choice``: exactly one option per slot; a slot without option makes the model infeasible."""
        model = self.model
        model.none = pyo.Var([i for i, options in enumerate(self._kept) if not options], bounds=(0, 0))

        def one(m: Any, i: int) -> Any:
            return sum(m.x[i, o] for o in self._kept[i]) + (0 if self._kept[i] else m.none[i]) == 1

        model.choice = pyo.Constraint(range(len(self._kept)), rule=one)

    def _declare_limits(self) -> None:
        """A family for every limited cost (``area``, ``tdp``): what all slots use together."""
        model, numbers = self.model, self.numbers
        for cost, limit in numbers.limited if len(model.x) else ():
            scale = _binary_scale(limit)
            used = sum(numbers.slots[i].options[o].costs[cost.index] / scale * model.x[i, o] for i, o in model.x)
            model.add_component(cost.key, pyo.Constraint(expr=used <= limit / scale))
        model.cover = pyo.ConstraintList(doc="combinations that pass a limit by less than the solver's tolerance")

    def _declare_steps(self) -> None:
        """Families ``chain`` and ``floor``: the steps in scaled ticks, and the largest one the floor allows."""
        model, numbers = self.model, self.numbers
        limit = None if numbers.step_limit is None else numbers.step_limit / self._step_scale
        model.chain = pyo.ConstraintList(doc="a step is at least as long as each chain of waiting events")
        if not numbers.aggregate.weighted or len(numbers.pipelines) == 1:
            model.steps = pyo.Var(bounds=(0, limit))
            self._step_of = [model.steps] * len(numbers.pipelines)
        else:
            model.step = pyo.Var(range(len(numbers.pipelines)), bounds=(0, None))
            model.steps = pyo.Var(bounds=(0, limit))
            model.mean = pyo.Constraint(expr=model.steps == sum(model.step.values()))
            self._step_of = list(model.step.values())
        if not numbers.objective.timeline:
            for w, pipeline in enumerate(numbers.pipelines):
                if pipeline.link:
                    rate = pipeline.microbatches * pipeline.link
                    model.chain.add(self._step_of[w] >= rate / self._step_scale)

    def _declare_objective(self) -> None:
        model, numbers = self.model, self.numbers
        self._power_scale = 1
        if numbers.objective.power and len(model.x):
            self._power_scale = _binary_scale(self._floor.power if self._floor else 1)
            model.power = pyo.Expression(
                expr=sum(numbers.slots[i].options[o].power / self._power_scale * model.x[i, o] for i, o in model.x)
            )
        model.objective = pyo.Objective(expr=model.steps)

    def _weights(self, w: int, chain: Path) -> dict[tuple[int, int], int]:
        """Ticks that each variable adds to a chain of pipeline ``w``."""
        p = self.numbers.pipelines[w]
        weights: dict[tuple[int, int], int] = {}
        for i, (slot, kept) in enumerate(zip(self.numbers.slots, self._kept, strict=True)):
            for o in kept:
                ticks = 0
                for (pipeline, s), c in zip(slot.members, slot.options[o].picks, strict=True):
                    if pipeline == w:
                        ticks += chain.forward[s] * p.forward[s][c] + chain.backward[s] * p.backward[s][c]
                        ticks += p.update[s][c] if chain.update == s else 0
                if ticks:
                    weights[i, o] = ticks
        return weights

    def _messages(self, w: int, chain: Path) -> int:
        transfer = self.numbers.pipelines[w].transfer
        there = sum(n * t[0] for n, t in zip(chain.sent_forward, transfer, strict=True))
        return there + sum(n * t[1] for n, t in zip(chain.sent_backward, transfer, strict=True))

    def _add_chain(self, w: int, chain: Path) -> bool:
        """Family ``chain``; returns whether the row is new."""
        if (w, chain) in self._chains or not len(self.model.x):
            return False
        self._chains.add((w, chain))
        scale, x = self._step_scale, self.model.x
        length = sum(ticks / scale * x[key] for key, ticks in self._weights(w, chain).items())
        self.model.chain.add(self._step_of[w] >= length + self._messages(w, chain) / scale)
        return True

    def _critical(self, w: int, solution: Solution) -> Path:
        p = self.numbers.pipelines[w]
        picks = solution.choice[w]
        forward, backward, update = (
            [row[c] for row, c in zip(table, picks, strict=True)] for table in (p.forward, p.backward, p.update)
        )
        return critical_path(p.schedule, forward, backward, update, p.transfer, p.microbatches)

    def separate(self, solution: Solution) -> int:
        """Add the rows that ``solution`` needs for an exact value, or that forbid it; returns how many are new."""
        added = 0
        picked = self.numbers.picked(solution.choice)
        chosen = [slot.options[o] for slot, o in zip(self.numbers.slots, picked, strict=True)]
        for cost, limit in self.numbers.limited:
            if sum(option.costs[cost.index] for option in chosen) > limit:
                costs = {(i, o): self.numbers.slots[i].options[o].costs[cost.index] for i, o in self.model.x}
                added += self._add_cover(picked, costs)
        if not self.numbers.objective.timeline:
            return added  # its chains are all there from the start
        critical = [(w, self._critical(w, solution)) for w in range(len(self.numbers.pipelines))]
        added += sum(self._add_chain(w, chain) for w, chain in critical)
        if not added and self.numbers.step_limit is not None:
            each = self.numbers.pipeline_steps(solution.choice)
            if self.numbers.steps(solution.choice) > self.numbers.step_limit:
                if not self.numbers.aggregate.weighted:
                    critical = [critical[each.index(max(each))]]
                total: dict[tuple[int, int], int] = dict.fromkeys(self.model.x, 0)
                for w, chain in critical:
                    for key, ticks in self._weights(w, chain).items():
                        total[key] += ticks
                added += self._add_cover(picked, total)
        return added

    def closing(self) -> SelectionClosing:
        """The same rows in integers, for what the tolerances of HiGHS cannot tell apart."""
        return SelectionClosing(self.numbers, self._kept, self._rows, self.separate)

    def _rows(self) -> Iterator[Row]:
        for w, chain in self._chains:
            yield w, self._weights(w, chain), self._messages(w, chain)

    def _add_cover(self, picked: tuple[int, ...], costs: dict[tuple[int, int], int]) -> int:
        """Forbid the picked combination and every one that costs at least as much in every slot.

        Such a combination passes the limit exactly, although it meets the row within the solver's tolerance.
        """
        x = self.model.x
        most = len(self._kept) - 1
        self.model.cover.add(
            sum(x[i, o] for i, kept in enumerate(self._kept) for o in kept if costs[i, o] >= costs[i, picked[i]])
            <= most
        )
        return 1

    def hint(self, solution: Solution) -> None:
        """Set every variable to its value in ``solution``."""
        picked = self.numbers.picked(solution.choice)
        for i, o in self.model.x:
            self.model.x[i, o].set_value(int(picked[i] == o), skip_validation=True)
        each = self.numbers.pipeline_steps(solution.choice)
        if self.model.component("step") is not None:
            for w, ticks in enumerate(each):
                self.model.step[w].set_value(ticks / self._step_scale, skip_validation=True)
        self.model.steps.set_value(self.numbers.steps(solution.choice) / self._step_scale, skip_validation=True)

    def read(self, value: Callable[[Any], float | int]) -> Solution:
        """The choice, from the value of each variable."""
        best = []
        for i, kept in enumerate(self._kept):
            values = [value(self.model.x[i, o]) for o in kept]
            best.append(kept[values.index(max(values))])
        return Solution(self.numbers.choice(best))

    def warm_start(self, record: Record[Solution]) -> None:
        """A quick choice within the limits, if one is found; always the same one."""
        record.raise_bound(*bound(record.problem))
        if (found := greedy(record.problem)) is not None:
            record.offer(found)

    def factors(self) -> tuple[tuple[Any, int], tuple[Any, int]] | None:
        """For a product objective, (variable of the steps, its unit) and (expression of the power, its unit)."""
        if not self.numbers.objective.power or not len(self.model.x):
            return None
        return (self.model.steps, self._step_scale), (self.model.power, self._power_scale)
