"""Incumbent, bound and end of one call of a stage-selection solver, all in integer scores."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

from accmine.errors import InputError
from accmine.ports import Incumbent, Stop
from accmine.problems.stage_selection import KIND, Problem, Solution, check, sense
from accmine.problems.stage_selection.integers import SelectionNumbers, integers
from accmine.result import Result, Status, StopReason, gap

from .why_not import explain

__all__ = ["Progress"]


class Progress:
    """What is known so far about one problem; less is better for every score.

    Parameters
    ----------
    name
        Of the solver, for its result.
    hint
        A valid solution, or ``None``.

    Attributes
    ----------
    best, bound
        Score of the best choice, and proven lower limit of every score.
    picked
        Option of every slot of the best choice.
    work
        What ``stop.work`` counts; the solver adds to it.
    ended
        Why the search has to end, once it has.

    Raises
    ------
    InputError
        If the problem is no stage selection or the hint is not a solution of it.
    """

    def __init__(
        self,
        name: str,
        problem: object,
        stop: Stop,
        seed: int = 0,
        hint: Solution | None = None,
        on_progress: Incumbent | None = None,
    ) -> None:
        if not isinstance(problem, Problem):
            raise InputError(f"{name} decides {KIND} problems only")
        self.begin = time.monotonic()
        self.deadline = stop.deadline()
        self.name, self.problem, self.stop, self.seed = name, problem, stop, seed
        self.numbers: SelectionNumbers = integers(problem)
        self.sense = sense(problem)
        self.best: int | None = None
        self.bound: int | None = None
        self.picked: tuple[int, ...] | None = None
        self.bound_method = ""
        self.work = 0.0
        self.ended: StopReason | None = None
        self.infeasible = False
        self.trace: list[tuple[float, float | int | None, float | int | None]] = []
        self._on_progress = on_progress
        if hint is not None:
            if wrong := check(problem, hint):
                raise InputError(f"the hint is not a solution: {'; '.join(wrong)}")
            self.offer(self.numbers.picked(hint.choice))

    def value(self, score: int | None) -> float | None:
        """A score in the problem's unit."""
        return None if score is None else self.numbers.value(score)

    def offer(self, picked: Sequence[int], score: int | None = None) -> bool:
        """Take over a choice if it meets every limit and is better; returns whether it is valid.

        Parameters
        ----------
        score
            Its exact score, where the caller knows it and a throughput floor is not to be looked at.
        """
        numbers = self.numbers
        if not numbers.fits(picked):
            return False
        if score is None:
            choice = numbers.choice(picked)
            steps = numbers.steps(choice)
            if numbers.step_limit is not None and steps > numbers.step_limit:
                return False
            score = steps * numbers.power(choice) if numbers.objective == "throughput-per-tdp" else steps
        if self.best is None or score < self.best:
            self.best, self.picked = score, tuple(int(o) for o in picked)
            self._moved()
        return True

    def raise_bound(self, score: int, method: str) -> None:
        """Take over a better bound; it never passes the best choice."""
        if self.best is not None:
            score = min(score, self.best)
        if self.bound is None or score > self.bound:
            self.bound, self.bound_method = score, method
            self._moved()

    def _moved(self) -> None:
        row = (round(time.monotonic() - self.begin, 6), self.value(self.best), self.value(self.bound))
        self.trace.append(row)
        if self._on_progress is not None:
            self._on_progress(*row)

    @property
    def proved(self) -> bool:
        """Whether nothing better than the best choice exists, or nothing at all."""
        return self.infeasible or (self.best is not None and self.bound is not None and self.bound >= self.best)

    @property
    def gap(self) -> float:
        """Relative gap, 0 to 1; 1 while a side is unknown."""
        distance = gap(self.value(self.best), self.value(self.bound), self.sense)
        return 1.0 if distance is None else distance

    @property
    def left(self) -> Stop:
        """What is left of the limits."""
        seconds = None if self.stop.seconds is None else max(0.0, self.deadline - time.monotonic())
        work = None if self.stop.work is None else max(0.0, self.stop.work - self.work)
        return Stop(seconds, work, self.stop.gap, self.stop.workers)

    def over(self) -> bool:
        """Whether the search has to end: proved, within the gap, out of time or work. Work makes it repeatable."""
        if self.ended is None:
            if self.proved:
                self.ended = StopReason.PROVED
            elif self.stop.gap > 0 and self.gap <= self.stop.gap:
                self.ended = StopReason.GAP
            elif time.monotonic() >= self.deadline or (self.stop.work is not None and self.work >= self.stop.work):
                self.ended = StopReason.TIME
        return self.ended is not None

    def result(self) -> Result[Solution]:
        """What was found and proved."""
        if self.proved and self.ended is not StopReason.INTERRUPTED:
            self.ended = StopReason.PROVED
        solution = None if self.picked is None else Solution(self.numbers.choice(self.picked))
        status = Status.UNKNOWN if solution is None else Status.FEASIBLE
        conflict: tuple[str, ...] = ()
        remedy: tuple[str, ...] = ()
        if self.infeasible:
            status = Status.INFEASIBLE
            conflict, remedy = explain(self.problem)
        elif solution is not None and self.proved:
            status = Status.OPTIMAL
        bound = self.value(self.bound)
        return Result(
            kind=KIND,
            solver=self.name,
            status=status,
            stop=self.ended or StopReason.FINISHED,
            objective=self.value(self.best),
            bound=None if self.infeasible or bound is None or not math.isfinite(bound) else bound,
            bound_method=self.bound_method,
            solution=solution,
            seconds=time.monotonic() - self.begin,
            seed=self.seed,
            sense=self.sense,
            trace=tuple(self.trace),
            conflict=conflict,
            remedy=remedy,
        )
