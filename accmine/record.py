"""What a search knows: the best solution, the best bound, its limits, and the result they make.

Everything is in the exact, minimised scores of the kind of problem; its unit and direction appear only in the trace
and in the result. Only a record looks at the clock and keeps a trace, and only whoever made it hears Ctrl-C
(``accmine.solving``): solvers are given one and leave in it what they find.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from accmine.errors import CheckError, InputError
from accmine.ports import NEVER, Clock, Incumbent, Kind, Score, Stop
from accmine.registry import kind_of
from accmine.result import Result, Sense, Status, StopReason, gap

__all__ = ["Record"]

S = TypeVar("S")

_NO_LIMIT = Stop()


@dataclass
class _Known(Generic[S]):
    """What a record shares with its parts."""

    kind: Kind
    sense: Sense
    on_progress: Incumbent | None
    limit: float
    begin: float = field(default_factory=time.monotonic)
    best: S | None = None
    score: Score = None
    bound: Score = None
    bound_method: str = ""
    said: Score = None
    infeasible: bool = False
    conflict: tuple[str, ...] = ()
    remedy: tuple[str, ...] = ()
    remarks: list[str] = field(default_factory=list)
    pool: dict[Any, Any] = field(default_factory=dict)
    trace: list[tuple[float, float | int | None, float | int | None]] = field(default_factory=list)


class Record(Generic[S]):
    """The incumbent of one call, its bound and trace, and its limits.

    Parameters
    ----------
    hint
        A solution to start from.

    Attributes
    ----------
    work
        What was spent of ``stop.work``, in the unit of the solver, which adds to it.
    within
        Written before the method of every bound: what the search takes for granted.
    clock
        When it has to end.

    Raises
    ------
    InputError
        If ``problem`` is none, or the hint is no solution of it.
    """

    def __init__(
        self,
        problem: Any,
        stop: Stop = _NO_LIMIT,
        *,
        seed: int = 0,
        hint: S | None = None,
        on_progress: Incumbent | None = None,
        solver: str = "",
    ) -> None:
        kind = kind_of(problem)
        limit = float("inf") if stop.seconds is None else stop.seconds
        self._known: _Known[S] = _Known(kind, kind.sense(problem), on_progress, limit)
        self.problem, self.stop, self.seed, self.solver = problem, stop, seed, solver
        self.begin, self.clock = self._known.begin, Clock(self._known.begin + limit)
        self.work = 0.0
        self.within = ""
        if hint is not None:
            if wrong := kind.check(problem, hint):
                raise InputError(f"the hint is not a solution: {'; '.join(wrong)}")
            self.offer(hint)

    def part(self, solver: str, share: float = 1.0, work: float | None = None) -> Record[S]:
        """A record for a solver inside this one: the same incumbent, bound and trace, a share of the time left.

        Parameters
        ----------
        work
            Its limit in its own unit, where this record has one in work; default: what is left of that.
        """
        part: Record[S] = object.__new__(Record)
        part.__dict__.update(self.__dict__)
        seconds = None if self.stop.seconds is None else share * max(0.0, self.left())
        if self.stop.work is None:
            work = None
        elif work is None:
            work = max(0.0, self.stop.work - self.work)
        part.stop = Stop(seconds, work, self.stop.gap, self.stop.workers)
        part.solver, part.work = solver, 0.0
        part.begin = time.monotonic()
        part.clock = self.clock.part(share)
        return part

    # What is known

    @property
    def kind(self) -> Kind:
        """The kind of the problem."""
        return self._known.kind

    @property
    def best(self) -> S | None:
        """The best solution so far, verified."""
        return self._known.best

    @property
    def score(self) -> Score:
        """Its score; ``None`` before the first."""
        return self._known.score

    @property
    def bound(self) -> Score:
        """Score that no solution is below; ``None``: not known."""
        return self._known.bound

    @property
    def bound_method(self) -> str:
        """How the bound was proved."""
        return self._known.bound_method

    @property
    def infeasible(self) -> bool:
        """Whether it is proven that there is no solution."""
        return self._known.infeasible

    @property
    def conflict(self) -> tuple[str, ...]:
        """The limits that are known to conflict."""
        return self._known.conflict

    @property
    def pool(self) -> dict[Any, Any]:
        """What was looked at beside the best solution, by name, where the kind has such; becomes ``Result.pool``."""
        return self._known.pool

    @property
    def gap(self) -> float:
        """Relative gap, 0 to 1; 1 while a side is unknown."""
        distance = gap(self._shown(self._value()), self._shown(self.bound), self._known.sense)
        return 1.0 if distance is None else distance

    def _value(self) -> Score:
        """The best score there is, announced ones included."""
        known = self._known
        return known.score if known.said is None else known.said

    def _shown(self, score: Score) -> float | int | None:
        return None if score is None else self.kind.shown(self.problem, score)

    def _shown_bound(self) -> float | int | None:
        bound = self._known.bound
        return None if bound is None else self.kind.shown_bound(self.problem, bound)

    # What is found

    def offer(self, solution: S, *, doubtful: bool = False) -> bool:
        """Keep a solution if it is the best so far; whether it is.

        Parameters
        ----------
        doubtful
            It need not be valid: an engine in floating point, or a rule that does not look at every limit.

        Raises
        ------
        CheckError
            If it is better, not valid, and should be.
        """
        known = self._known
        score = self.kind.score(self.problem, solution)
        if known.score is not None and score >= known.score:
            return False
        if wrong := self.kind.check(self.problem, solution):
            if doubtful:
                return False
            raise CheckError(f"{self.solver}: {'; '.join(wrong)}")
        known.best, known.score = solution, score
        if known.said is not None and score <= known.said:
            known.said = None
        self._moved()
        return True

    def announce(self, score: Score) -> None:
        """A score of a solution that an engine will hand over when it ends."""
        value = self._value()
        if value is None or score < value:
            self._known.said = score
            self._moved()

    def retract(self) -> None:
        """From now on only solutions at hand count: what was announced and did not come is forgotten."""
        self._known.said = None

    def raise_bound(self, score: Score | None, method: str) -> None:
        """Take over a bound if it is better."""
        known = self._known
        if score is not None and (known.bound is None or score > known.bound):
            known.bound, known.bound_method = score, f"{self.within}{method}"
            self._moved()

    def no_solution(self, method: str | None = None) -> None:
        """It is proven that there is none."""
        known = self._known
        known.infeasible, known.bound = True, None
        if method is not None:
            known.bound_method = method

    def remark(self, text: str) -> None:
        """Say beside the method of the bound what was left out on the way to it."""
        if text not in self._known.remarks:
            self._known.remarks.append(text)

    def blame(self, conflict: tuple[str, ...], remedy: tuple[str, ...]) -> None:
        """The limits in conflict and what helps, where the search itself knows them."""
        self._known.conflict, self._known.remedy = conflict, remedy

    def _moved(self) -> None:
        """Add a row to the trace and tell the caller; what comes late belongs to the answer at the deadline."""
        known = self._known
        row = self._shown(self._value()), self._shown_bound()
        if known.trace and row == known.trace[-1][1:]:
            return
        at = round(min(time.monotonic() - known.begin, known.limit), 6)
        known.trace.append((at, *row))
        if known.on_progress is not None:
            known.on_progress(at, *row)

    # When it ends

    def seconds(self) -> float:
        """Since the search began."""
        return time.monotonic() - self.begin

    def left(self) -> float:
        """Seconds until the wall-clock limit; infinite without one."""
        return self.clock.left()

    def until(self, share: float) -> Clock:
        """When a share of the time has passed; never without a limit."""
        return NEVER if self.stop.seconds is None else Clock(self.begin + share * self.stop.seconds)

    def spent(self) -> float:
        """Share of the limits that is used up: the larger of time and work; 0 without limits."""
        pairs = (self.stop.seconds, self.seconds()), (self.stop.work, self.work)
        shares = [used / most if most > 0 else 1.0 for most, used in pairs if most is not None]
        return max(shares, default=0.0)

    def closed(self) -> StopReason | None:
        """``proved`` or ``gap`` if what is known says so."""
        if self.infeasible:
            return StopReason.PROVED
        value = self._value()
        if self.best is None or self.bound is None:
            return None
        if value <= self.bound:
            return StopReason.PROVED
        return StopReason.GAP if self.stop.gap > 0 and self.gap <= self.stop.gap else None

    def over(self) -> StopReason | None:
        """Why the search has to end now, if it has to: proved, within the gap, out of time or work."""
        if (reason := self.closed()) is not None:
            return reason
        out_of_work = self.stop.work is not None and self.work >= self.stop.work
        return StopReason.TIME if out_of_work or self.left() <= 0 else None

    def result(self, reason: StopReason) -> Result[S]:
        """Everything that is known, for the caller."""
        known = self._known
        self.retract()
        status = Status.UNKNOWN if self.best is None else Status.FEASIBLE
        if self.infeasible:
            status = Status.INFEASIBLE
        elif self.closed() is StopReason.PROVED:
            status = Status.OPTIMAL
        bound = self._shown_bound()
        return Result(
            kind=self.kind.KIND,
            solver=self.solver,
            status=status,
            stop=reason if reason is StopReason.INTERRUPTED else self.closed() or reason,
            objective=self._shown(known.score),
            bound=bound if bound is None or math.isfinite(bound) else None,
            bound_method="; ".join([known.bound_method, *known.remarks]),
            solution=known.best,
            seconds=time.monotonic() - known.begin,
            seed=self.seed,
            sense=known.sense,
            trace=tuple(known.trace),
            conflict=known.conflict,
            remedy=known.remedy,
            pool=tuple(known.pool.values()),
            work=self.work,
        )
