"""Critical-path scheduling: the longest way to the end first, in list and insertion schedules, in both directions.

No scheme of the two is always the better one: a list schedule never waits, so a long operation with slack may hold
what a critical one needs next; an insertion schedule in the same order lets nothing delay what came before it.

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

from .insertion import Inserter
from .list_schedule import ListScheduler

__all__ = ["PASSES", "PORTFOLIO", "CriticalPath", "Slack", "quick", "slack"]

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
_MOVES = ((True, True), (False, True), (True, False), (False, False))
"""Insertion schedules of the best one: (backwards?, in the same modes?)."""

PASSES = len(PORTFOLIO) + 2 + 2 * len(_ROUNDS) + _TRIES + len(_MOVES)
"""Schedules of the whole plan."""

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

    def __init__(self, record: Record[Solution], bounds: bool) -> None:
        self.record, self.bounds = record, bounds
        self.problem: Problem = record.problem
        self.scheduler = ListScheduler(self.problem)
        record.raise_bound(self.scheduler.bound, self.scheduler.bound_method)
        # List schedules go on from the best of their own: an insertion schedule that is better is not a better order
        # for them, and what they find does not depend on the insertions beside them.
        self.best_pass, self.listed, self.value = PORTFOLIO[0], record.best, record.score

    def tighten(self) -> None:
        """Take the better bound, once there is a solution, if the time allows it."""
        if self.bounds and _BOUND_SECONDS * len(self.problem) <= self.record.left():
            self.record.raise_bound(*bound(self.problem))

    def plan(self, seed: int) -> Iterator[Solution]:
        """The portfolio, insertions, rounds on the best, random priorities, and insertions in the order of the best."""
        for name in PORTFOLIO:
            yield self._list(name)
        inserter = Inserter(self.problem)
        for reverse in (False, True):
            yield inserter.run(reverse=reverse)
        # The policy that was best so far need not be the best one to go on with.
        for fixed in _ROUNDS:
            for reverse in (True, False):
                assert self.listed is not None
                policy = fixed or self.best_pass.removesuffix(REVERSE)
                yield self._list(policy + REVERSE * reverse, _from_end(self.problem, self.listed, reverse))
        random = np.random.default_rng(seed)
        for _ in range(_TRIES):
            yield self._random(random)
        for reverse, same in _MOVES:
            best = self.record.best
            assert best is not None
            priority = _from_end(self.problem, best, reverse)
            yield inserter.run(priority, reverse=reverse, mode=best.mode if same else None)
        while self.record.stop.work is not None:  # a work limit above the plan is used up
            yield self._random(random)

    def _random(self, random: np.random.Generator) -> Solution:
        after = self.scheduler.heads if self.best_pass.endswith(REVERSE) else self.scheduler.tails
        base = (after + self.problem.shortest[self.problem.mode_set]).astype(np.float64)
        noise = random.normal(0.0, _NOISE * max(1.0, float(base.max(initial=0.0))), size=len(base))
        return self._list(self.best_pass, np.rint(base + noise).astype(np.int64))

    def _list(self, name: str, priority: IntArray | None = None) -> Solution:
        """A list schedule; the best of them is what later ones begin with."""
        solution = _one_pass(self.scheduler, name, priority, self.value)
        value = objective(self.problem, solution)
        if self.value is None or value < self.value:
            self.best_pass, self.listed, self.value = name, solution, value
        return solution

    def run(self) -> StopReason:
        """All passes, until something says stop; at least one."""
        record = self.record
        for solution in self.plan(record.seed):
            record.offer(solution)
            record.work += 1
            if record.work == 1 and record.closed() is not StopReason.PROVED:
                self.tighten()
            reason = record.over()
            if reason is not None:
                return reason
        return StopReason.FINISHED


def _from_end(problem: Problem, solution: Solution, reverse: bool) -> IntArray:
    """The order of a schedule as priorities; what ends last stands first in line, counted backwards."""
    return solution.start + durations(problem, solution) if reverse else -solution.start


class CriticalPath:
    """Portfolio of list and insertion schedules by least slack; proves optimality where the simple bound is met.

    ``stop.work`` counts schedules; at least one is made, also with no time. With only ``stop.seconds`` the search may
    end early: it stops when its plan of ``PASSES`` is done.

    Parameters
    ----------
    bounds
        Whether to compute the better bound, which a solver around this one may know.
    """

    name = "critical-path"

    def __init__(self, *, bounds: bool = True) -> None:
        self.bounds = bounds

    def search(self, record: Record[Solution]) -> StopReason:
        """Passes until something says stop.

        Raises
        ------
        InputError
            If an operation fits in no mode, or the precedences hold a cycle.
        """
        search = _Search(record, self.bounds)
        reason = record.closed()
        return reason if reason is StopReason.PROVED else search.run()
