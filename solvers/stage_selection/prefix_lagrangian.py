"""Stage selection whose score is a sum over pipelines: Lagrangian bound over the two limits, and choices from it.

With prices y on area and z on TDP the pipelines no longer depend on each other, and each is a program of its own
(``pipeline_programs``): the least of its step and its priced costs. The sum of the least values, minus y·A + z·P, is a
lower bound of every score; its maximum over the prices is found by cutting planes in the plane (``dual_ascent``). On
the way every program proposes choices for its pipeline; a small integer program picks one of them per pipeline
(``column_choice``). What cannot be part of a better choice is given up, and the bound is computed again on the rest.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from accmine.errors import InputError
from accmine.problems.limits import COSTS
from accmine.problems.stage_selection import Solution
from accmine.problems.stage_selection.integers import SelectionNumbers, integers
from accmine.problems.stage_selection.options import useful_options
from accmine.record import Record
from accmine.result import StopReason
from accmine.system import SCHEDULES, GPipe, OneForwardOneBackward, PipelineSchedule

from .bottleneck_bisection import pipeline_steps
from .column_choice import Columns, choose
from .dual_ascent import maximise
from .exchange import improve
from .one_forward_one_backward import OneForwardOneBackwardProgram
from .pipeline_programs import BottleneckProgram, GPipeProgram, Prices, Program, SlotProgram, StageOptions
from .two_budgets import Budgets, Slots, Verdict, decide

__all__ = ["LagrangianSearch", "PrefixLagrangian", "applies"]

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

_METHOD = "Lagrangian bound over area and TDP with a program per pipeline, lowered by more than its rounding"
_MARGIN = 1e-9
_ROUNDS = 10
_EXCHANGES = 400
_ROUGH = 0.25  # share of the levels in the first round
_FIRST = (14, 1e-3)  # evaluations and accuracy of a round
_LATER = (10, 1e-4)
_MANY = 500  # slots from which a round makes half as many evaluations: giving up options brings more then
_LARGEST = 1 << 45
_INDEX = {cost.key: cost.index for cost in COSTS}

_Maker = Callable[[Sequence[StageOptions], Sequence[tuple[int, int]], int, int], Program]

_PROGRAMS: dict[type[PipelineSchedule], _Maker] = {
    GPipe: GPipeProgram,
    OneForwardOneBackward: OneForwardOneBackwardProgram,
}
"""Pipelines whose chains make a program; those of other schedules are left to HiGHS."""


def applies(numbers: SelectionNumbers) -> bool:
    """Whether the score is a sum over pipelines that share no slot."""
    if not all(slot.options for slot in numbers.slots) or numbers.objective.power:
        return False
    if len(numbers.pipelines) > 1 and not numbers.aggregate.weighted:
        return False
    if numbers.objective.timeline and any(type(SCHEDULES[p.schedule]) not in _PROGRAMS for p in numbers.pipelines):
        return False
    return all(len({w for w, _ in slot.members}) == 1 for slot in numbers.slots)


def _options(numbers: SelectionNumbers, index: int, kept: list[int]) -> StageOptions:
    """The kept options of a slot by rising time; times beyond 2^45 ticks count as that."""
    slot, array = numbers.slots[index], numbers.arrays[index]
    rows = np.array(kept, dtype=np.int64)
    w, s = slot.members[0]
    p = numbers.pipelines[w]
    if len(slot.members) > 1 or len(p.forward) == 1:
        time = pipeline_steps(numbers, w, {s: array.picks[rows, i] for i, (_, s) in enumerate(slot.members)})
        forward, backward, update = time, np.zeros_like(time), np.zeros_like(time)
    else:
        forward, backward, update = (
            np.array([min(table[s][c], _LARGEST) for c in array.picks[rows, 0].tolist()], dtype=np.int64)
            for table in (p.forward, p.backward, p.update)
        )
        time = forward + backward
    power = np.array([slot.options[o].power for o in kept], dtype=np.int64)
    area, tdp = (array.costs[cost.index][rows] for cost in COSTS)
    own = StageOptions(rows, time, forward, backward, update, area, tdp, power)
    return own.take(np.argsort(time, kind="stable"))


def _program(numbers: SelectionNumbers, w: int, stages: Sequence[StageOptions]) -> Program:
    p = numbers.pipelines[w]
    if len(stages) == 1:
        return SlotProgram(stages)
    if not numbers.objective.timeline:
        return BottleneckProgram(stages, p.microbatches, p.link)
    return _PROGRAMS[type(SCHEDULES[p.schedule])](stages, p.transfer, p.microbatches, len(numbers.slots))


class PrefixLagrangian:
    """Bound and choices by prices on the limits; see the module.

    ``stop.work`` counts evaluations of the bound; clock and Ctrl-C are looked at before each.
    """

    name = "lagrangian"

    def search(self, record: Record[Solution]) -> StopReason:
        """Bound and choose. The seed changes nothing.

        Raises
        ------
        InputError
            If the score is no sum over pipelines.
        """
        numbers = integers(record.problem)
        if not all(slot.options for slot in numbers.slots):
            record.no_solution()
        elif not applies(numbers):
            raise InputError(
                f"lagrangian: {numbers.objective.name} with aggregate {numbers.aggregate.name} is no sum over "
                "pipelines; take auto, bisection, highs or cp-sat"
            )
        else:
            LagrangianSearch(record).run()
        return record.over() or StopReason.FINISHED


class LagrangianSearch:
    """The programs of all pipelines, their columns, and the prices."""

    def __init__(self, record: Record[Solution]) -> None:
        self.record = record
        self.numbers = numbers = integers(record.problem)
        self.kept = useful_options(numbers)
        self.slots_of = [
            [i for i, slot in enumerate(numbers.slots) if slot.members[0][0] == w]
            for w in range(len(numbers.pipelines))
        ]
        self.columns: Columns = Columns(len(numbers.pipelines))
        self.limits = [(cost.key, limit) for cost, limit in numbers.limited]

    def run(self) -> None:
        """Bound, choose, give up what is too dear, and again."""
        if not all(self.kept):
            self.record.no_solution()
            return
        stages = [[_options(self.numbers, i, self.kept[i]) for i in slots] for slots in self.slots_of]
        self.programs = [_program(self.numbers, w, own) for w, own in enumerate(stages)]
        self.whole = [_program(self.numbers, w, own) for w, own in enumerate(stages)]  # never restricted
        self._bound(Prices(0.0, 0.0))
        if not self._start() or self.record.over():
            return
        box = self._first_box()
        for attempt in range(_ROUNDS):
            before = self.record.gap
            rough = attempt == 0
            for program in self.programs:
                program.refine(_ROUGH if rough else 1.0)
            evaluations, accuracy = _FIRST if rough else _LATER
            if len(self.numbers.slots) > _MANY:
                evaluations = (evaluations + 1) // 2
            found = maximise(self._at, *box, evaluations, accuracy, self.record.over)
            if found is None or self.record.over():
                return
            for factor in (1.03, 1.0):
                if not self.record.over():
                    self._bound(self._prices(found.point * factor), more=True)
            prices = self._prices(found.point)
            self._choose(prices)
            if self.record.over() or (attempt > 1 and self.record.gap > 0.99 * before) or not self._restrict(prices):
                return
            box = (found.point * (0.5 if rough else 0.8), found.point * (2.0 if rough else 1.25))

    def left(self) -> list[list[int]]:
        """Options of each slot that a choice better than the best one can have."""
        kept: list[list[int]] = [[] for _ in self.numbers.slots]
        for slots, program in zip(self.slots_of, self.programs, strict=True):
            for i, own in zip(slots, program.stages, strict=True):
                kept[i] = sorted(own.option.tolist())
        return kept

    def _at(self, point: FloatArray) -> tuple[float, FloatArray]:
        return self._bound(self._prices(point))

    def _restrict(self, prices: Prices) -> bool:
        """Give up what no better choice has; whether anything is left."""
        record = self.record
        total, _ = self._bound(prices)
        size = sum(map(abs, self.least)) + sum(getattr(prices, name) * limit for name, limit in self.limits)
        slack = record.score - total + _MARGIN * size + 1.0
        if all(p.restrict(prices, own + slack) for p, own in zip(self.programs, self.least, strict=True)):
            return True
        record.raise_bound(record.score, _METHOD)
        return False

    def _prices(self, point: FloatArray) -> Prices:
        return Prices(
            **({"area": 0.0, "tdp": 0.0} | {n: float(v) for (n, _), v in zip(self.limits, point, strict=True)})
        )

    def _start(self) -> bool:
        """A first choice within the limits; without one the problem is infeasible, or nothing more is known."""
        record = self.record
        if record.score is None and self.numbers.start is not None:
            record.offer(Solution(self.numbers.choice(self.numbers.start)), doubtful=True)
        if record.score is not None:
            return True
        width = max(map(len, self.kept))
        option = np.zeros((len(self.kept), width), dtype=np.int64)
        allowed = np.zeros(option.shape, dtype=bool)
        costs = {name: np.zeros_like(option) for name in ("area", "tdp")}
        for i, kept in enumerate(self.kept):
            option[i, : len(kept)] = kept
            allowed[i, : len(kept)] = True
            for name, _ in self.limits:
                costs[name][i, : len(kept)] = self.numbers.arrays[i].costs[_INDEX[name]][kept]
        limits = dict(self.limits)
        budgets = Budgets(limits.get("area", 0), limits.get("tdp", 0))
        verdict, pick = decide(Slots(**costs), allowed, budgets, record.over)
        if pick is not None:
            picked = option[np.arange(len(pick)), pick].tolist()
            return record.offer(Solution(self.numbers.choice(picked)), doubtful=True)
        if verdict is Verdict.NONE:
            record.no_solution()
        return False

    def _first_box(self) -> tuple[FloatArray, FloatArray]:
        """Prices up to several times what a unit of the room above the cheapest choice can be worth."""
        record = self.record
        gain = max(1, record.score - (record.bound or 0))
        top = []
        for name, limit in self.limits:
            least = sum(int(getattr(s, name).min()) for program in self.programs for s in program.stages)
            top.append(1.0 * gain / max(1, limit - least))
        return np.zeros(len(top)), np.array(top)

    def _bound(self, prices: Prices, more: bool = False) -> tuple[float, FloatArray]:
        """(Lagrangian, gradient) at these prices; raises the bound and keeps the columns seen."""
        self.record.work += 1
        total, size = 0.0, 0.0
        used = dict.fromkeys(("area", "tdp"), 0)
        self.least: list[float] = []
        for w, program in enumerate(self.programs):
            found = program.minimise(prices, more)
            total += found.value
            self.least.append(found.value)
            for name, _ in self.limits:
                used[name] += sum(int(getattr(s, name)[r]) for s, r in zip(program.stages, found.rows, strict=True))
            for rows in (found.rows, *found.others):
                self.columns.add(w, program, rows)
        size = abs(total)
        gradient = []
        for name, limit in self.limits:
            price = getattr(prices, name)
            total -= price * limit
            size += price * limit
            gradient.append(float(used[name] - limit))
        least = max(0, math.ceil(total - _MARGIN * size - 1e-6))
        best = self.record.score  # beyond it nothing is proven: what no better choice has is given up
        self.record.raise_bound(least if best is None else min(least, best), _METHOD)
        return total, np.array(gradient)

    def _choose(self, prices: Prices) -> None:
        """The best combination of the columns seen, improved by exchanges; taken over if it is better."""
        picked = choose(self.columns, dict(self.limits), self.record)
        if picked is None:
            return
        options = [self.columns.options[w][at] for w, at in enumerate(picked)]
        rows = [
            np.array([int(np.flatnonzero(s.option == o)[0]) for s, o in zip(program.stages, own, strict=True)])
            for program, own in zip(self.whole, options, strict=True)
        ]
        room = dict(self.limits)
        for w, at in enumerate(picked):
            for name in room:
                room[name] -= getattr(self.columns, name)[w][at]
        better = improve(self.whole, rows, room, prices, _EXCHANGES, self.record.over)
        for w, (program, own) in enumerate(zip(self.whole, better, strict=True)):
            self.columns.add(w, program, own)
        improved = [
            tuple(int(s.option[r]) for s, r in zip(program.stages, own, strict=True))
            for program, own in zip(self.whole, better, strict=True)
        ]
        for choice in (improved, options):
            flat = [0] * len(self.numbers.slots)
            for slots, picks in zip(self.slots_of, choice, strict=True):
                for i, option in zip(slots, picks, strict=True):
                    flat[i] = option
            self.record.offer(Solution(self.numbers.choice(flat)), doubtful=True)
