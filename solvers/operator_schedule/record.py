"""What a search for an operator schedule knows: the best schedule, the best bound, and when to end."""

from __future__ import annotations

import time

from accmine.errors import CheckError, InputError
from accmine.ports import Incumbent, Stop
from accmine.problems.operator_schedule import KIND, Problem, Solution, check, lower_bound, objective
from accmine.result import Result, Status, StopReason, gap

__all__ = ["Record"]


class Record:
    """The incumbent of one call, its bound and trace, its limits, and the result they make.

    Parameters
    ----------
    bound
        (value, method) of a bound that is known already; default: ``operator_schedule.lower_bound``.

    Attributes
    ----------
    best, value
        Best schedule so far, verified, and its makespan; ``None`` before the first.
    bound, bound_method
        Best bound so far and how it was proved.
    work
        What was spent of ``stop.work``, in the unit of the solver.
    trace
        (seconds, objective, bound) whenever one of them moved.
    """

    def __init__(
        self,
        solver: str,
        problem: Problem,
        stop: Stop,
        seed: int,
        on_progress: Incumbent | None,
        bound: tuple[int, str] | None = None,
    ) -> None:
        self.begin = time.monotonic()
        self.deadline = stop.deadline()
        self.solver, self.problem, self.stop, self.seed, self.on_progress = solver, problem, stop, seed, on_progress
        self.best: Solution | None = None
        self.value: int | None = None
        self.bound, self.bound_method = lower_bound(problem) if bound is None else bound
        self.work = 0.0
        self.trace: list[tuple[float, float | None, float | None]] = []

    def seconds(self) -> float:
        """Since the start of the call."""
        return time.monotonic() - self.begin

    def left(self) -> float:
        """Seconds until the wall-clock limit; infinite without one."""
        return self.deadline - time.monotonic()

    def take_hint(self, hint: Solution | None) -> None:
        """Start from the caller's solution, if there is one.

        Raises
        ------
        InputError
            If it is no solution.
        """
        if hint is None:
            return
        wrong = check(self.problem, hint)
        if wrong:
            raise InputError(f"the hint is not a solution: {'; '.join(wrong)}")
        self.offer(hint)

    def offer(self, solution: Solution) -> bool:
        """Keep a schedule if it is the best so far; whether it is.

        Raises
        ------
        CheckError
            If it is better and not valid.
        """
        value = objective(self.problem, solution)
        if self.value is not None and value >= self.value:
            return False
        wrong = check(self.problem, solution)
        if wrong:
            raise CheckError(f"{self.solver}: {'; '.join(wrong)}")
        self.best, self.value = solution, value
        self.report()
        return True

    def tighten(self, value: int, method: str) -> None:
        """Take over a bound if it is better."""
        if value > self.bound:
            self.bound, self.bound_method = value, method
            if self.value is not None:
                self.report()

    def report(self) -> None:
        """Add a row to the trace and tell the caller."""
        self.hear(0.0, None, None)

    def hear(self, _: float, value: float | None, bound: float | None) -> None:
        """Progress of a solver that works for this one: a row of the trace, to be confirmed at its end."""
        # What was heard of is still to be confirmed while the two values of a result come one by one.
        last = self.trace[-1] if self.trace else (0.0, None, None)
        values = [v for v in (self.value, value, last[1]) if v is not None]
        row = (round(self.seconds(), 6), min(values, default=None), max(self.bound, bound or 0, last[2] or 0))
        if not self.trace or row[1:] != self.trace[-1][1:]:
            self.trace.append(row)
            if self.on_progress is not None:
                self.on_progress(*row)

    def spent(self) -> float:
        """Share of the limits that is used up: the larger of time and work; 0 without limits."""
        stop = self.stop
        shares = [0.0]
        if stop.seconds is not None:
            shares.append(self.seconds() / stop.seconds if stop.seconds > 0 else 1.0)
        if stop.work is not None:
            shares.append(self.work / stop.work if stop.work > 0 else 1.0)
        return max(shares)

    def closed(self) -> StopReason | None:
        """``proved`` or ``gap`` if incumbent and bound say so."""
        if self.value is None:
            return None
        if self.value <= self.bound:
            return StopReason.PROVED
        distance = gap(self.value, self.bound)
        return StopReason.GAP if self.stop.gap > 0 and distance is not None and distance <= self.stop.gap else None

    def reason(self) -> StopReason | None:
        """Why the search has to end now, if it has to; never before there is a schedule."""
        if self.value is None:
            return None
        if (reason := self.closed()) is not None:
            return reason
        out_of_work = self.stop.work is not None and self.work >= self.stop.work
        return StopReason.TIME if out_of_work or self.left() <= 0 else None

    def result(self, reason: StopReason) -> Result[Solution]:
        """Everything that is known, for the caller."""
        return Result(
            kind=KIND,
            solver=self.solver,
            status=Status.OPTIMAL if self.value == self.bound else Status.FEASIBLE,
            stop=reason,
            objective=self.value,
            bound=self.bound,
            bound_method=self.bound_method,
            solution=self.best,
            seconds=self.seconds(),
            seed=self.seed,
            trace=tuple(self.trace),
        )
