"""Best-first design search with a proof: the design of least bound is always the next to be looked at.

Every feasible design of the template has a bound of its value from the start (``DesignTable``). The one of least
bound decides what is proven of the whole, so effort goes there: a stronger bound, and schedules that meet it.
A design is left alone once its bound is no better than the best value found, or all levels of effort are spent
on it; its bound stays in the certificate:

    bound = min over all designs of their bounds, never above the best value.

Two gaps may remain at the end: designs whose schedules do not meet their bounds, and designs of which only a
weak bound is known because the time was over. Both are inside the bound that is returned.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any

from accmine.errors import CheckError, InputError
from accmine.hardware import Design
from accmine.hardware.technology import tdp_w
from accmine.ports import Incumbent, Stop
from accmine.problems import design_search
from accmine.problems.design_search import KIND, Evaluation, Mined, Problem, evaluate, fits
from accmine.result import Result, Status, StopReason
from accmine.workers import stop_workers, workers

from .design_job import FIRST_LOOK, LEVELS, Outcome, work_on
from .design_table import DesignTable
from .trimming import trimmed

__all__ = ["BestFirst", "Options"]

METHOD = (
    "best-first over every feasible design: work, bytes, longest paths and barriers of all, resource-aware heads and "
    "tails, spine programs and module-exact bounds of those near the best; designs left out are dominated"
)

_FIRST = 6
"""Designs that are scheduled at once: without a good value everything is in question."""

_KEPT = 5
"""Designs whose schedules are part of the answer."""


@dataclass(frozen=True)
class Options:
    """Options of ``BestFirst``.

    Attributes
    ----------
    top_k
        Designs of ``Mined.ranked``.
    levels
        Levels of effort per design, see ``design_job``.
    """

    top_k: int = 10
    levels: int = LEVELS


class BestFirst:
    """Solver of design searches with a bound over every feasible design.

    Parameters
    ----------
    options
        Fields of ``Options``.
    """

    name = "best-first"

    def __init__(self, **options: Any) -> None:
        self.options = Options(**options)
        if not 1 <= self.options.levels <= LEVELS:
            raise InputError(f"must be 1 to {LEVELS}, got {self.options.levels}", field="levels")
        if self.options.top_k < 1:
            raise InputError(f"must be at least 1, got {self.options.top_k}", field="top_k")

    def solve(
        self,
        problem: Problem,
        *,
        stop: Stop,
        seed: int = 0,
        hint: Sequence[Design] | None = None,
        on_progress: Incumbent | None = None,
    ) -> Result[Mined]:
        """Search until the gap is ``stop.gap``, or time or work are used up.

        ``stop.work`` counts list schedules. ``hint`` holds designs to schedule first, such as the baseline: those
        that fit the problem are candidates. With a limit in work, none in seconds and one worker the search repeats
        exactly.

        Designs are ranked by value, equal ones by TDP: the rule for ties within ``design_search.TIE`` would return
        a value that the bound is not about.
        """
        search = _Search(replace(problem, shares=()), self.options, stop, seed, on_progress)
        try:
            with workers(stop.workers, [search.problem]) as executor:
                search.executor = executor
                reason = search.run(hint or ())
        except KeyboardInterrupt:
            reason = StopReason.INTERRUPTED
        return search.result(reason, self.name)


@dataclass
class _Known:
    """A design that was looked at.

    Attributes
    ----------
    bound
        No schedule gives it a lower value.
    level
        Levels of effort spent on it.
    """

    design: Design
    outcome: Outcome
    evaluation: Evaluation | None
    bound: float
    level: int


@dataclass(order=True)
class _Entry:
    bound: float
    number: int
    design: Design | None = field(compare=False, default=None)
    level: int = field(compare=False, default=0)


class _Search:
    """The state of one call."""

    def __init__(
        self, problem: Problem, options: Options, stop: Stop, seed: int, on_progress: Incumbent | None
    ) -> None:
        self.problem = problem
        self.options = options
        self.stop = stop
        self.seed = seed
        self.on_progress = on_progress
        self.executor: Executor | None = None
        self.began = time.monotonic()
        self.deadline = stop.deadline()
        self.table: DesignTable | None = None
        self.queue: list[_Entry] = []
        self.later: list[_Entry] = []
        self.cap = 1
        # The entry that is in none of the lists at the moment: an interrupt may come at any time.
        self.current: _Entry | None = None
        self.flying: dict[Future[Outcome], _Entry] = {}
        self.known: dict[int, _Known] = {}
        self.least_spent = inf
        self.hinted: dict[int, _Known] = {}
        self.schedules = 0
        self.best: Evaluation | None = None
        self.trace: list[tuple[float, float | None, float | None]] = []

    # What is known of the whole

    @property
    def upper(self) -> float:
        """Value of the best design found."""
        return inf if self.best is None else self.best.value

    def lower(self) -> float:
        """No feasible design has a lower value."""
        if self.table is None:
            return 0.0
        waiting = [*self.queue[:1], *self.later[:1], *self.flying.values()]
        if self.current is not None:
            waiting.append(self.current)
        return min(self.upper, self.table.unseen, min((e.bound for e in waiting), default=inf), self.least_spent)

    def report(self) -> None:
        """Add a row to the trace if a value moved, and tell the caller."""
        objective, bound = (None if self.best is None else self.upper), self.lower()
        if self.trace and self.trace[-1][1:] == (objective, bound):
            return
        self.trace.append((round(time.monotonic() - self.began, 6), objective, bound))
        if self.on_progress is not None:
            self.on_progress(*self.trace[-1])

    # The search

    def run(self, hint: Sequence[Design]) -> StopReason:
        """Look at designs until something says stop."""
        self.table = DesignTable(self.problem)
        self.report()
        for design in dict.fromkeys(hint):
            if fits(self.problem, design):
                outcome = work_on(self.problem, design, FIRST_LOOK, None, self._targets(design, None), None, self.seed)
                self._keep(-1 - len(self.hinted), design, outcome, 0.0)
        while True:
            reason = self._reason()
            if reason is not None:
                if reason is StopReason.TIME:
                    self._drop()
                return reason
            if not self._submit():
                if not self.flying:
                    return StopReason.FINISHED
                self._land()
            elif self.executor is not None and len(self.flying) >= self.stop.workers:
                self._land()
            self.report()

    def _reason(self) -> StopReason | None:
        lower = self.lower()
        if lower >= self.upper or lower == inf:
            return StopReason.PROVED
        if self.stop.gap > 0 and self.upper < inf and lower >= self.upper * (1 - self.stop.gap):
            return StopReason.GAP
        out_of_work = self.stop.work is not None and self.schedules >= self.stop.work
        return StopReason.TIME if out_of_work or time.monotonic() > self.deadline else None

    def _next(self) -> _Entry | None:
        """The design to look at next; ``None`` if there is no open one that could matter."""
        assert self.table is not None
        while self.table.unseen < min(self.upper, self.queue[0].bound if self.queue else inf):
            for number in self.table.more(self.upper):
                heapq.heappush(self.queue, _Entry(float(self.table.value[number]), number))
            self.table.advance()
        if not self.queue or self.queue[0].bound >= self.upper:
            if self.flying or not self.later or self.later[0].bound >= self.upper:
                return None
            self.cap += 1  # all designs in question have had this level of effort: begin the next
            both = self.later + self.queue
            heapq.heapify(both)
            self.queue, self.later = both, []
        self.current = self.queue[0]
        return heapq.heappop(self.queue)

    def _submit(self) -> bool:
        """Begin one level of effort on the next design; False if there is none."""
        assert self.table is not None
        entry = self._next()
        if entry is None:
            return False
        known = self.known.get(entry.number)
        design = self.table.design(entry.number) if known is None else known.design
        entry.design = design
        # Those in flight are counted, too, or all workers would take a first look at more than so many.
        first = FIRST_LOOK if len(self.known) + len(self.flying) < _FIRST else 0
        entry.level = level = first if known is None else known.level
        outcome = None if known is None else known.outcome
        # A clock is looked at only where the caller set one.
        seconds = None if self.stop.seconds is None else max(0.0, self.deadline - time.monotonic())
        arguments = (self.problem, design, level, outcome, self._targets(design, outcome), seconds, self.seed)
        if self.executor is None:
            self._done(entry, work_on(*arguments))
        else:
            self.flying[self.executor.submit(work_on, *arguments)] = entry
            self.current = None
        return True

    def _land(self) -> None:
        """Wait for one of the running jobs, at most until the time is over."""
        left = None if self.deadline == inf else max(0.0, self.deadline - time.monotonic())
        done, _ = wait(self.flying, timeout=left, return_when=FIRST_COMPLETED)
        for future in done:
            self._done(self.flying[future], future.result())
            del self.flying[future]

    def _drop(self) -> None:
        """End what still runs; its designs keep the bounds they had."""
        if self.executor is not None and self.flying:
            stop_workers(self.executor)

    def _done(self, entry: _Entry, outcome: Outcome) -> None:
        """Take in what was found of a design and put it back in line, unless nothing is left to do."""
        assert entry.design is not None
        known = self._keep(entry.number, entry.design, outcome, entry.bound)
        known.level = level = max(1, entry.level + 1)  # a first look includes what level 0 does
        finished = all(p.cycles is not None and p.cycles <= p.bound for row in outcome.parts for p in row)
        if finished or level >= self.options.levels:
            self.least_spent = min(self.least_spent, known.bound)
        else:
            heapq.heappush(self.queue if level < self.cap else self.later, _Entry(known.bound, entry.number))
        self.current = None

    def _keep(self, number: int, design: Design, outcome: Outcome, bound: float) -> _Known:
        self.schedules += outcome.schedules
        found = None
        if all(p.cycles is not None for row in outcome.parts for p in row):
            found = evaluate(self.problem, design, [[p.cycles or 0 for p in row] for row in outcome.parts])
        known = _Known(design, outcome, found, max(bound, self._value(design, outcome)), 0)
        if number < 0:
            self.hinted[number] = known
        else:
            self.known[number] = known
        if found is not None and found.value < self.upper:
            self._require(known, found)
            self.best = found
        return known

    def _value(self, design: Design, outcome: Outcome) -> float:
        """Bound of the value of a design from the bounds of its phases.

        The same floating-point operations as those of a value, each monotone, on integers no larger.
        """
        return evaluate(self.problem, design, [[p.bound for p in row] for row in outcome.parts]).value

    def _targets(self, design: Design, outcome: Outcome | None) -> list[list[float]]:
        """For each phase the cycles from which the design cannot beat the best, if all else stays at its bound."""
        if outcome is None or self.upper == inf:
            return [[inf] * len(task.phases) for task in self.problem.tasks]
        tdp = tdp_w(design, self.problem.technology)
        relative = self.upper / tdp if self.problem.per_tdp else self.upper
        rows = []
        for task, row, reference in zip(self.problem.tasks, outcome.parts, self.problem.reference_s, strict=True):
            most = relative * reference * design.frequency_hz
            if self.problem.weighted and len(self.problem.tasks) > 1:
                most = inf
            total = sum(run.repeats * part.bound for run, part in zip(task.phases, row, strict=True))
            rows.append(
                [1 + (most - total) / run.repeats + part.bound for run, part in zip(task.phases, row, strict=True)]
            )
        return rows

    def _require(self, known: _Known, found: Evaluation) -> None:
        """Check a new best; a schedule that is none would be an error of a scheduler, not of the search."""
        schedules = tuple(tuple(p.solution for p in row) for row in known.outcome.parts)
        solution = design_search.Solution(known.design, schedules)  # type: ignore[arg-type]
        wrong = design_search.check(self.problem, solution, found)
        if wrong:
            raise CheckError("; ".join(wrong))

    # The answer

    def result(self, reason: StopReason, name: str) -> Result[Mined]:
        """What was found and proven."""
        self.report()
        looked = [k for k in (*self.hinted.values(), *self.known.values()) if k.evaluation is not None]
        looked.sort(key=lambda k: k.evaluation.value if k.evaluation is not None else inf)
        pool = {k.design: k.evaluation for k in looked if k.evaluation is not None}
        for known in looked[:3]:
            fewer = trimmed(self.problem, known.design, known.outcome)
            if fewer is not None:
                pool.setdefault(fewer.design, fewer)
        ordered = sorted(
            (e for e in pool.values() if e.value < inf), key=lambda e: (e.value, e.tdp_w, e.area_mm2, e.design.name)
        )
        winner = ordered[0] if ordered else None
        lower = self.lower()
        objective = winner.value if winner is not None else None
        empty = self.table is not None and lower == inf
        if objective is not None and lower >= self.upper:
            status = Status.OPTIMAL if lower >= objective else Status.FEASIBLE
        else:
            status = Status.FEASIBLE if objective is not None else Status.INFEASIBLE if empty else Status.UNKNOWN
        return Result(
            kind=KIND,
            solver=name,
            status=status,
            stop=reason,
            objective=objective,
            bound=None if self.table is None or empty else lower,
            bound_method=METHOD,
            solution=Mined(
                tuple(ordered[: self.options.top_k]),
                tuple(ordered),
                len(self.known),
                0 if self.table is None else self.table.feasible - len(self.known),
                self.schedules,
                reason in (StopReason.PROVED, StopReason.GAP, StopReason.FINISHED),
                reason is StopReason.INTERRUPTED,
                tuple(
                    design_search.Solution(k.design, tuple(tuple(p.solution for p in row) for row in k.outcome.parts))  # type: ignore[misc]
                    for k in looked[:_KEPT]
                ),
            ),
            seconds=time.monotonic() - self.began,
            seed=self.seed,
            trace=tuple(self.trace),
        )
