"""What more of a budget buys: the least of it at which the interval falls, and how far.

The interval over the budget of one resource is a staircase. With the interval T of the best design, the next step is
where a design of at most T - 1 cycles takes the least of that resource while all other budgets stay: the problem turned
round (``Least``). What is reached there is the problem itself with that budget. Off-chip weights are a rate: b bits in
an interval of T - 1 cycles need b / (T - 1) a cycle.

Where no budget, however large, shortens the interval, the resource does not bind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, replace
from fractions import Fraction
from typing import Any

from accmine.errors import InputError
from accmine.ports import Clock, Stop
from accmine.problems.sparse_dataflow import KIND, Budget, Least, Problem, Solution, impossible
from accmine.record import Record
from accmine.registry import DEFAULT_SOLVER, make_solver
from accmine.result import Result, Status
from accmine.solving import verify
from accmine.sparse.resources import RESOURCES

__all__ = ["BUDGETS", "REACH", "STEPS", "Purchase", "Step", "asked", "buys"]

BUDGETS = tuple(own.name for own in fields(Budget))
"""What can be bought: fields of ``Budget``."""

REACH = Fraction(1, 10)
"""Share of a budget that is added at most, where steps are followed."""

STEPS = 3
"""Steps of a staircase that are followed."""

_OF = {**{name: name for name in RESOURCES}, "bits_per_cycle": "bits", "loss": "loss"}

Amount = int | Fraction
"""In the unit of a field of ``Budget``."""


@dataclass(frozen=True, slots=True)
class Step:
    """What a larger budget is worth.

    Attributes
    ----------
    budget
        With it the interval is reached.
    least
        No smaller budget shortens the interval that came before; equal to ``budget`` where that is proven.
    interval, bound
        Of the best design with the budget, in cycles, and what none is below.
    solution
        That design.
    """

    budget: Amount
    least: Amount
    interval: int
    bound: int
    solution: Solution

    @property
    def proven(self) -> bool:
        """Whether neither a smaller budget nor a shorter interval is left open."""
        return self.budget == self.least and self.interval == self.bound


@dataclass(frozen=True, slots=True)
class Purchase:
    """What more of one budget buys.

    Attributes
    ----------
    name
        Field of ``Budget``.
    budget
        That there is.
    binds
        Whether more of it shortens the interval; ``False`` is proven for any amount; ``None``: not decided in time, or
        it is not proven that the design asked about is the best.
    steps
        The next ones, each beyond the budget of the one before; the first one however far it is. None where the design
        asked about, or that of the step before, is not proven to be the best.
    within
        What ``reach`` more of the budget is worth at least; ``None``: nothing is known to be better.
    bound
        No budget below this shortens the interval, where no step was found in time; ``None``: nothing is known.
    """

    name: str
    budget: Amount
    binds: bool | None
    steps: tuple[Step, ...] = ()
    within: Step | None = None
    bound: Amount | None = None


def buys(
    problem: Problem,
    result: Result[Solution],
    *,
    names: Iterable[str] | None = None,
    steps: int = STEPS,
    reach: Fraction = REACH,
    stop: Stop = Stop(),  # noqa: B008 - frozen
    seed: int = 0,
    told: Callable[[Purchase], None] = lambda own: None,
) -> tuple[Purchase, ...]:
    """What more of each budget buys, in the order of ``BUDGETS``.

    Parameters
    ----------
    result
        Of the problem: the design that something is bought for.
    names
        Budgets that are asked about; default: all that are limited.
    stop
        Of all questions together; ``work`` is of each.
    told
        Called with each answer when it is there.

    Raises
    ------
    InputError
        If the result holds no design, or a name is no budget, or one without limit.
    """
    if result.solution is None or result.objective is None:
        raise InputError("the result holds no design; there is nothing to buy more for")
    if problem.least is not None:
        raise InputError("of a problem that minimises the interval only", field="least")
    limited = [name for name in BUDGETS if getattr(problem.budget, name) is not None]
    chosen = limited if names is None else list(names)
    if wrong := [name for name in chosen if name not in limited]:
        raise InputError(f"{wrong[0]!r:.60} has no limit; limited: {', '.join(limited) or 'nothing'}")
    clock, found = stop.clock(), []
    for i, name in enumerate(chosen):
        own = _Staircase(problem, result, name, clock.part(1 / (len(chosen) - i)), stop, seed)
        found.append(own.climbed(steps, reach))
        told(found[-1])
    return tuple(found)


class _Staircase:
    """The interval over one budget, all others as they are."""

    def __init__(
        self, problem: Problem, result: Result[Solution], name: str, clock: Clock, stop: Stop, seed: int
    ) -> None:
        self.problem, self.name, self.clock, self.stop, self.seed = problem, name, clock, stop, seed
        assert result.solution is not None
        self.solution, self.interval = result.solution, int(result.objective or 0)
        self.best = result.status is Status.OPTIMAL

    def climbed(self, steps: int, reach: Fraction) -> Purchase:
        """Up to so many steps, those after the first up to ``reach`` beyond the budget."""
        budget: Amount = getattr(self.problem.budget, self.name)
        more = budget + reach * budget
        most: Amount = more if self.name == "bits_per_cycle" else int(more)
        found: list[Step] = []
        interval, before, bound = self.interval, budget, None
        binds: bool | None = None
        while self.best and len(found) < max(1, steps) and (not found or before < most):
            step, least = self._next(interval, before)
            if step is None:
                if not found:
                    binds, bound = (False if least is None else None), least
                break
            if found and step.budget > most:
                break
            found.append(step)
            binds, interval, before = True, step.interval, step.budget
        within = None if binds is False else self._within(most, found)
        return Purchase(self.name, budget, binds, tuple(found), within, bound)

    def _next(self, interval: int, before: Amount) -> tuple[Step | None, Amount | None]:
        """(the next step below an interval, what no budget for it is below); (``None``, ``None``): there is none."""
        own = replace(self._with(None), least=Least(_OF[self.name], interval - 1))
        record = self._asked(own)
        if record.infeasible:
            return None, None
        least = self._amount(record.bound or 0, interval - 1)
        least = max(least, before if self.name == "bits_per_cycle" else before + 1)  # its interval is the shortest
        if record.best is None:
            return None, least
        amount = self._amount(record.score, interval - 1)
        return self._at(amount, min(least, amount), record.best), least

    def _amount(self, value: int, interval: int) -> Amount:
        return Fraction(value, max(1, interval)) if self.name == "bits_per_cycle" else value

    def _at(self, amount: Amount, least: Amount, hint: Solution) -> Step:
        """What an amount is worth, where a design within it is known."""
        record = self._asked(self._with(amount), hint)
        self.best = record.bound == record.score
        assert record.best is not None
        return Step(amount, least, record.score, min(record.score, record.bound or 0), record.best)

    def _within(self, most: Amount, found: list[Step]) -> Step | None:
        """What the most that is asked about is worth, if that is known to be more than what there is."""
        reached = [step.solution for step in found if step.budget <= most]
        if found and not reached:
            return None
        step = self._at(most, most, (self.solution, *reached)[-1])
        return step if step.interval < self.interval else None

    def _with(self, amount: Amount | None) -> Problem:
        changed: dict[str, Any] = {self.name: amount}
        return replace(self.problem, budget=replace(self.problem.budget, **changed))

    def _asked(self, problem: Problem, hint: Solution | None = None) -> Record[Solution]:
        left = self.clock.seconds()
        seconds = None if left is None else left / 2  # something is left for what follows
        return asked(problem, Stop(seconds, self.stop.work, workers=self.stop.workers), self.seed, hint)


def asked(problem: Problem, stop: Stop, seed: int = 0, hint: Solution | None = None) -> Record[Solution]:
    """What the solver of the house finds, verified, without asking why where there is nothing.

    Raises
    ------
    CheckError
        If solution and bound contradict each other.
    """
    solver = make_solver(KIND, DEFAULT_SOLVER[KIND])
    record = Record[Solution](problem, stop, seed=seed, hint=hint, solver=solver.name)
    if impossible(problem)[0]:
        record.no_solution()
    else:
        verify(problem, record.result(solver.search(record)))
    return record
