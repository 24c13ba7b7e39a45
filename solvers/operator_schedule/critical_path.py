"""Critical-path scheduling: list schedules with the least slack first, in both directions of time.

The bound is that of ``operator_schedule.bound``: critical path, work over capacity, and what the ancestors
of an operation need of the machine before it can start. A schedule that meets it is optimal.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from accmine.errors import InputError
from accmine.problems.operator_schedule import Problem, Solution, bound, durations, heads, objective, tails
from accmine.record import Record
from accmine.result import StopReason

from .list_schedule import ListScheduler

__all__ = ["PORTFOLIO", "CriticalPath", "Slack", "quick", "slack"]

IntArray = npt.NDArray[np.int64]

REVERSE = "/reverse"

PORTFOLIO: tuple[str, ...] = (
    "earliest-finish/reverse",
    "aside",
    "patient/reverse",
    "fair/reverse",
    "aside/reverse",
    "earliest-finish",
    "fair",
    "patient",
    "slack/reverse",
    "fair-slack/reverse",
    "slack",
    "efficient",
)
"""Passes in order of how often they are best; ``/reverse`` schedules backwards from the end."""

_QUICK = PORTFOLIO[:3]
_ROUNDS = (None, "earliest-finish") * 2  # policies; None for the one of the best so far
_TRIES = 4
_NOISE = 0.05
_BOUND_SECONDS = 2e-4  # per operation, of the better bound; twice what was measured


@dataclass(frozen=True, eq=False)
class Slack:
    """Earliest and latest starts without regard to capacities, every operation in its fastest mode.

    Attributes
    ----------
    asap, alap
        Earliest start, and latest start that keeps the critical path; shape (operations,).
    length
        Length of the critical path.
    """

    asap: IntArray
    alap: IntArray
    length: int

    @property
    def slack(self) -> IntArray:
        """Time each operation can be late; 0 on a critical path. Shape (operations,)."""
        return self.alap - self.asap


def slack(problem: Problem) -> Slack:
    """ASAP and ALAP starts of every operation (critical path method, Kelley and Walker 1959)."""
    shortest = problem.shortest[problem.mode_set]
    head, tail = heads(problem), tails(problem)
    length = int((head + shortest).max()) if len(problem) else 0
    return Slack(head, length - tail - shortest, length)


def _one_pass(
    scheduler: ListScheduler, name: str, priority: IntArray | None = None, target: int | None = None
) -> Solution:
    policy = name.removesuffix(REVERSE)
    return scheduler.run(priority, policy=policy, reverse=name.endswith(REVERSE), target=target)


def quick(problem: Problem, policies: Sequence[str] = _QUICK) -> Solution:
    """The best of a few list schedules, for searches that schedule thousands of problems.

    Parameters
    ----------
    policies
        At least one key of ``list_schedule.POLICIES``, each with or without ``/reverse``. Later ones are
        left out once a schedule meets the lower bound.

    Raises
    ------
    InputError
        If no policy or an unknown one is given, or the problem cannot be scheduled.
    """
    if not policies:
        raise InputError("quick needs at least one policy")
    scheduler = ListScheduler(problem)
    best: Solution | None = None
    value = 0
    for name in policies:
        solution = _one_pass(scheduler, name)
        makespan = objective(problem, solution)
        if best is None or makespan < value:
            best, value = solution, makespan
        if value <= scheduler.bound:
            break
    assert best is not None
    return best


class _Search:
    """The passes of one call; their number is the work."""

    def __init__(self, record: Record[Solution]) -> None:
        self.record = record
        self.problem: Problem = record.problem
        self.scheduler = ListScheduler(self.problem)
        record.raise_bound(self.scheduler.bound, self.scheduler.bound_method)
        self.best_pass = PORTFOLIO[0]

    def tighten(self) -> None:
        """Take the better bound, once there is a solution, if the time allows it."""
        if _BOUND_SECONDS * len(self.problem) <= self.record.left():
            self.record.raise_bound(*bound(self.problem))

    def plan(self, seed: int) -> Iterator[tuple[str, IntArray | None]]:
        """Passes to try: the portfolio, forward-backward rounds on the best, and random priorities."""
        for name in PORTFOLIO:
            yield name, None
        # The policy that was best so far need not be the best one to go on with.
        for fixed in _ROUNDS:
            for reverse in (True, False):
                best = self.record.best
                assert best is not None
                policy = fixed or self.best_pass.removesuffix(REVERSE)
                if reverse:  # what ends last stands first in line, counted backwards
                    yield policy + REVERSE, best.start + durations(self.problem, best)
                else:
                    yield policy, -best.start
        random = np.random.default_rng(seed)
        shortest = self.problem.shortest[self.problem.mode_set]
        tries = 0
        # A work limit above the plan is used up; without one a few tries have to do.
        while self.record.stop.work is not None or tries < _TRIES:
            after = self.scheduler.heads if self.best_pass.endswith(REVERSE) else self.scheduler.tails
            base = (after + shortest).astype(np.float64)
            noise = random.normal(0.0, _NOISE * max(1.0, float(base.max(initial=0.0))), size=len(base))
            yield self.best_pass, np.rint(base + noise).astype(np.int64)
            tries += 1

    def run(self) -> StopReason:
        """All passes, until something says stop; at least one."""
        record = self.record
        for name, priority in self.plan(record.seed):
            if record.offer(_one_pass(self.scheduler, name, priority, record.score)):
                self.best_pass = name
            record.work += 1
            if record.work == 1 and record.closed() is not StopReason.PROVED:
                self.tighten()
            reason = record.over()
            if reason is not None:
                return reason
        return StopReason.FINISHED


class CriticalPath:
    """Portfolio of list schedules by least slack; proves optimality where the simple bound is met.

    ``stop.work`` counts list schedules; at least one is made, also with no time. With only
    ``stop.seconds`` the search may end early: it stops when its plan of about twenty-five passes is done.
    """

    name = "critical-path"

    def search(self, record: Record[Solution]) -> StopReason:
        """Passes until something says stop.

        Raises
        ------
        InputError
            If an operation fits in no mode, or the precedences hold a cycle.
        """
        search = _Search(record)
        reason = record.closed()
        return reason if reason is StopReason.PROVED else search.run()
