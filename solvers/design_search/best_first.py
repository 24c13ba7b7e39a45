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
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass, field, replace
from math import inf

from accmine.errors import InputError
from accmine.hardware import Design
from accmine.hardware.technology import tdp_w
from accmine.problems.design_search import Evaluation, Problem, Solution, by_value, evaluate, evaluated, fits
from accmine.record import Record
from accmine.result import StopReason
from accmine.workers import stop_workers, workers

from .design_job import FIRST_LOOK, LEVELS, Outcome, work_on
from .design_table import DesignTable
from .trimming import trimmed

__all__ = ["BestFirst"]

METHOD = (
    "best-first over every feasible design: work, bytes, longest paths and barriers of all, resource-aware heads and "
    "tails, spine programs and module-exact bounds of those near the best; designs left out are dominated"
)

_FIRST = 6
"""Designs that are scheduled at once: without a good value everything is in question."""

_TRIMMED = 3
"""Best designs that are looked at again without the cores that they never use."""


class BestFirst:
    """Solver of design searches with a bound over every feasible design.

    Parameters
    ----------
    levels
        Levels of effort per design, see ``design_job``.

    Raises
    ------
    InputError
        If there are no such levels.
    """

    name = "best-first"

    def __init__(self, *, levels: int = LEVELS) -> None:
        if not 1 <= levels <= LEVELS:
            raise InputError(f"must be 1 to {LEVELS}, got {levels}", field="levels")
        self.levels = levels

    def search(self, record: Record[Solution]) -> StopReason:
        """Search until the gap is ``stop.gap``, or time or work are used up.

        ``stop.work`` counts list schedules. The designs of ``problem.first`` that fit are scheduled before all others.
        With a limit in work, none in seconds and one worker the search repeats exactly. The pool holds every design
        that was scheduled, with its schedules.

        Designs are compared by value alone: the rule for ties within ``design_search.TIE`` would return a value that
        the bound is not about. Whoever wants it applies it to the pool.
        """
        problem = replace(record.problem, shares=())
        with workers(record.stop.workers, [problem]) as executor:
            search = _Search(record, problem, self.levels, executor)
            reason = search.run()
            search.trim()
        return reason


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
    bound: float
    level: int = 0


@dataclass(order=True)
class _Entry:
    bound: float
    number: int
    design: Design | None = field(compare=False, default=None)
    level: int = field(compare=False, default=0)


class _Search:
    """The designs of one call that are still in question, and what is known of each."""

    def __init__(self, record: Record[Solution], problem: Problem, levels: int, executor: Executor | None) -> None:
        self.record, self.problem, self.levels, self.executor = record, problem, levels, executor
        self.table = DesignTable(problem)
        self.queue: list[_Entry] = []
        self.later: list[_Entry] = []
        self.cap = 1
        self.flying: dict[Future[Outcome], _Entry] = {}
        self.known: dict[int, _Known] = {}
        self.least_spent = inf

    @property
    def upper(self) -> float:
        """Value of the best design found."""
        return inf if self.record.score is None else float(self.record.score)

    def report(self) -> None:
        """Raise the bound of the whole: no feasible design has a lower value than the least of all bounds."""
        waiting = [*self.queue[:1], *self.later[:1], *self.flying.values()]
        lower = min(self.upper, self.table.unseen, min((e.bound for e in waiting), default=inf), self.least_spent)
        if lower == inf:
            self.record.no_solution(METHOD)
        else:
            self.record.raise_bound(lower, METHOD)

    # The search

    def run(self) -> StopReason:
        """Look at designs until something says stop."""
        self.report()
        for design in dict.fromkeys(self.problem.first):
            if fits(self.problem, design):
                outcome = work_on(
                    self.problem, design, FIRST_LOOK, None, self._targets(design, None), None, self.record.seed
                )
                self._keep(design, outcome, 0.0)
        while True:
            self.report()
            reason = self.record.over()
            if reason is not None:
                if reason is StopReason.TIME:
                    self._drop()
                return reason
            if not self._submit():
                if not self.flying:
                    return StopReason.FINISHED
                self._land()
            elif self.executor is not None and len(self.flying) >= self.record.stop.workers:
                self._land()

    def _next(self) -> _Entry | None:
        """The design to look at next; ``None`` if there is no open one that could matter."""
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
        return heapq.heappop(self.queue)

    def _submit(self) -> bool:
        """Begin one level of effort on the next design; False if there is none."""
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
        seconds = self.record.clock.seconds()
        arguments = (self.problem, design, level, outcome, self._targets(design, outcome), seconds, self.record.seed)
        if self.executor is None:
            self._done(entry, work_on(*arguments))
        else:
            self.flying[self.executor.submit(work_on, *arguments)] = entry
        return True

    def _land(self) -> None:
        """Wait for one of the running jobs, at most until the time is over."""
        done, _ = wait(self.flying, timeout=self.record.clock.seconds(), return_when=FIRST_COMPLETED)
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
        self.known[entry.number] = known = self._keep(entry.design, outcome, entry.bound)
        known.level = level = max(1, entry.level + 1)  # a first look includes what level 0 does
        finished = all(p.cycles is not None and p.cycles <= p.bound for row in outcome.parts for p in row)
        if finished or level >= self.levels:
            self.least_spent = min(self.least_spent, known.bound)
        else:
            heapq.heappush(self.queue if level < self.cap else self.later, _Entry(known.bound, entry.number))

    def _keep(self, design: Design, outcome: Outcome, bound: float) -> _Known:
        """Take in what was found of a design; offer it if it is the best."""
        self.record.work += outcome.made
        schedules = outcome.schedules()
        if schedules is not None:
            cycles = [[p.cycles or 0 for p in row] for row in outcome.parts]
            found = replace(evaluate(self.problem, design, cycles), schedules=schedules)
            before: Evaluation | None = self.record.pool.get(design)
            if before is None or found.value < before.value:
                self.record.pool[design] = found
            if found.value < self.upper:
                self.record.offer(Solution(design, schedules))
        return _Known(design, outcome, max(bound, self._value(design, outcome)))

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

    def trim(self) -> None:
        """Offer the best designs without the cores that they never use."""
        for evaluation in by_value(self.record.pool.values())[:_TRIMMED]:
            fewer = trimmed(self.problem, evaluation)
            if fewer is not None and fewer.design not in self.record.pool:
                self.record.pool[fewer.design] = evaluated(self.problem, fewer)
                self.record.offer(fewer)
