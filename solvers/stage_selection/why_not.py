"""Why a stage selection has no solution: a minimal set of limits in conflict, and the least change of each that helps.

Area and TDP are sums over the slots: what one of them has to be while the other stays is a knapsack
(``least_cost``), and so is the question whether both can be met. The floor of throughput is asked of CP-SAT with
assumptions (the model ``limit-conflict``). Every value that is said to work is verified by the problem's own check;
what is only proven from one side is said to be so.
"""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from typing import Any

from accmine.errors import InputError
from accmine.ports import NEVER, Clock, Stop
from accmine.problems.conflict import conflicts
from accmine.problems.limits import COSTS, Cost
from accmine.problems.stage_selection import KIND, Limits, Problem, Solution, check
from accmine.problems.stage_selection.integers import SelectionNumbers, integers
from accmine.problems.stage_selection.least_cost import LeastCost, least_cost
from accmine.problems.stage_selection.rounding import UNIT
from accmine.record import Record
from accmine.registry import DEFAULT_SOLVER, make_solver
from accmine.result import StopReason

__all__ = ["explain"]

_WORK = 2.0
"""Deterministic time of CP-SAT for each question: the same problem gets the same answer."""

_SECONDS = 5.0
"""For the largest floor that works."""

_FLOOR = "floor"

_COSTS = {f"limits.{cost.name}": cost for cost in COSTS}
"""Limit -> the cost it caps."""


def explain(problem: Problem, clock: Clock = NEVER) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(limits in conflict, least change of each that helps) of an infeasible problem; both empty otherwise."""
    numbers = integers(problem)
    if not all(slot.options for slot in numbers.slots):
        scope = "every stage of every pipeline" if problem.mode == "common" else "every stage of its pipeline"
        return ("mode",), (f"mode {problem.mode}: no design is a candidate of {scope}; add one, or take heterogeneous",)
    case = _Case(problem, numbers, clock)
    found = conflicts(case.names, case.feasible)
    members = [name for name in case.names if any(name in own for own in found)]
    remedies = [case.remedy(name, found) for name in members]
    if members and case.unproved - {frozenset(case.names)}:
        remedies.append("whether fewer limits conflict already was not decided in time")
    return tuple(members), tuple(remedies)


def _least(numbers: SelectionNumbers, cost: Cost, other: Cost, limit: int) -> LeastCost | None:
    costs, others = ([array.costs[kind.index] for array in numbers.arrays] for kind in (cost, other))
    return least_cost(costs, others, limit)


def _alone(numbers: SelectionNumbers, cost: Cost) -> int:
    """Σ of the cheapest option of every slot."""
    return sum(int(array.costs[cost.index].min()) for array in numbers.arrays)


class _Case:
    """A problem whose limits may be taken away."""

    def __init__(self, problem: Problem, numbers: SelectionNumbers, clock: Clock) -> None:
        self.problem, self.numbers, self.clock = problem, numbers, clock
        given = [name for name in _COSTS if self.limit(name) is not None]
        # the floor is taken away last: what conflicts without it is told without it
        self.names = (*([_FLOOR] if numbers.step_limit is not None else []), *given)
        self.unproved: set[frozenset[str]] = set()
        self._cores: list[frozenset[str]] = []
        self._questions: Any = None

    def limit(self, name: str) -> int | None:
        """A limit of cost in its integer unit."""
        return self.numbers.limits[_COSTS[name].index]

    def feasible(self, kept: frozenset[str]) -> bool:
        """Whether a choice meets the limits in ``kept``; where that is not decided in time, the more cautious answer.

        Cautious is yes for some of the limits, so that none is left out of the conflict, and no for all of them.
        """
        costs = [name for name in _COSTS if name in kept]
        for name in costs:
            if _alone(self.numbers, _COSTS[name]) > self._needed(name):
                return False
        if len(costs) == 2:
            area, tdp = costs
            least = _least(self.numbers, _COSTS[area], _COSTS[tdp], self._needed(tdp))
            if least is None or least.needed > self._needed(area):
                return False
            if _FLOOR not in kept and least.works <= self._needed(area):
                return True
        if _FLOOR not in kept and len(costs) < 2:
            return True
        if any(core <= kept for core in self._cores):
            return False
        if not costs and self._fastest_meets_the_floor():
            return True
        answer, _ = self._ask(kept)
        if answer is None:
            self.unproved.add(kept)
            return kept != frozenset(self.names)  # whoever asks why has proven that all together conflict
        return answer is not False

    def _fastest_meets_the_floor(self) -> bool:
        """Whether the choice that is busy for the shortest time, whatever it costs, is fast enough."""
        numbers = self.numbers
        picked = []
        for slot in numbers.slots:
            busy = []
            for option in slot.options:
                rows = [(numbers.pipelines[w], s, c) for (w, s), c in zip(slot.members, option.picks, strict=True)]
                busy.append(
                    sum(p.microbatches * (p.forward[s][c] + p.backward[s][c]) + p.update[s][c] for p, s, c in rows)
                )
            picked.append(busy.index(min(busy)))
        limit = numbers.step_limit
        return limit is not None and numbers.steps(numbers.choice(picked)) <= limit

    def _needed(self, name: str) -> int:
        limit = self.limit(name)
        assert limit is not None
        return limit

    def _ask(self, kept: frozenset[str]) -> tuple[bool | None, Solution | None]:
        if self.clock.over():
            return None, None
        try:
            self._questions = self._questions or self._solver().questions(self.problem, Stop(work=_WORK))
        except InputError:  # the timelines are too long to be declared: nothing is decided
            return None, None
        found: tuple[bool | None, Solution | None] = self._questions.ask(kept)
        if found[0] is False:
            self._cores.append(self._questions.core)
        return found

    @staticmethod
    def _solver() -> Any:
        return make_solver(KIND, "limit-conflict")

    def remedy(self, name: str, found: tuple[tuple[str, ...], ...]) -> str:
        """The least change of one limit that helps, with the other ones as they are if that is enough."""
        others = [other for other in self.names if other != name]
        own = frozenset(other for members in found if name in members for other in members)
        elsewhere = {other for members in found for other in members} - own
        alone = self.feasible(frozenset(others))
        kept = frozenset(others if alone else [other for other in others if other not in elsewhere])
        if not alone and not self.feasible(kept):
            return f"{name}: no value of it is enough while the other limits stay"
        text = self._floor_remedy(kept) if name == _FLOOR else self._cost_remedy(name, kept)
        if not alone:
            return f"{text}, and {' and '.join(sorted(elsewhere))} must change as well"
        return f"{text} while {' and '.join(sorted(kept))} {'stays' if len(kept) == 1 else 'stay'}" if kept else text

    def _cost_remedy(self, name: str, kept: frozenset[str]) -> str:
        cost = _COSTS[name]
        word = cost.sign
        (other,) = set(_COSTS) - {name}
        if _FLOOR in kept:
            needed, works = self._under_floor(name, kept)
        elif other in kept:
            least = _least(self.numbers, cost, _COSTS[other], self._needed(other))
            assert least is not None
            needed, works = least.needed, least.works
        else:
            needed = works = _alone(self.numbers, cost)
        if works is None:
            return f"{name}: {_shown(needed, up=False)} {word} is needed at least; what works was not found in time"
        if needed == works:
            return f"{name}: {_shown(works)} {word} is the least that works"
        return f"{name}: {_shown(works)} {word} works, {_shown(needed, up=False)} {word} is needed at least"

    def _under_floor(self, name: str, kept: frozenset[str]) -> tuple[int, int | None]:
        """(proven lower bound, verified value) of a limit under the floor."""
        solution, needed = None, 0
        with suppress(InputError):  # the timelines are too long to be declared: nothing is decided
            questions = self._solver().questions(self.problem, self.clock.stop(_WORK))
            solution, needed = questions.least(name, kept)
        needed = max(needed, _alone(self.numbers, _COSTS[name]))
        if solution is None:
            return needed, None
        picked = self.numbers.picked(solution.choice)
        options = [slot.options[o] for slot, o in zip(self.numbers.slots, picked, strict=True)]
        works = sum(option.costs[_COSTS[name].index] for option in options)
        limits = self._only(kept) | {_COSTS[name].name: float(_shown(works))}
        wrong = check(replace(self.problem, limits=Limits(**limits)), solution)
        return needed, None if wrong else works

    def _only(self, kept: frozenset[str]) -> dict[str, float | None]:
        """The limits of cost of the problem, without those that are not kept."""
        given = zip(_COSTS.items(), self.problem.limits.values, strict=True)
        return {cost.name: value if key in kept else None for (key, cost), value in given}

    def _floor_remedy(self, kept: frozenset[str]) -> str:
        """The largest floor that the limits in ``kept`` allow."""
        free = replace(self.problem, objective="throughput", floor=None, limits=Limits(**self._only(kept)))
        record = Record[Solution](free, Stop(seconds=max(0.0, min(_SECONDS, self.clock.left()))))
        make_solver(KIND, DEFAULT_SOLVER[KIND]).search(record)
        result = record.result(StopReason.FINISHED)
        most = None if not result.bound else 1.0 / float(result.bound)
        if result.objective is None:
            return "floor: lower it" + ("" if most is None else f" to at most {_up(most):.12g}")
        reached = math.floor(1e9 / float(result.objective)) / 1e9
        if result.status.value == "optimal":
            return f"floor: {reached:.12g} is the most that works"
        limit = "" if most is None else f", {_up(most):.12g} is possible at most"
        return f"floor: {reached:.12g} works{limit}"


def _up(value: float) -> float:
    return math.ceil(value * 1e9) / 1e9


def _shown(value: int, *, up: bool = True) -> str:
    """A cost with nine digits, rounded up so that the value shown works as a limit, or down to stay a bound."""
    exact = value * UNIT
    digits = max(0, 9 - len(str(math.floor(exact))))
    turned = math.ceil if up else math.floor
    return f"{float(Fraction(turned(exact * 10**digits), 10**digits)):.12g}"
