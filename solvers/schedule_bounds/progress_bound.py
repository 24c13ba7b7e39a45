"""What one kind of core can have done by some time, when the other kinds have to feed it.

The work of every resource over its capacity is a weak bound when the resource cannot be kept busy from the first
moment on: the backward pass of a training step comes late, and until then only forward operations run, which wait
for softmaxes on other cores. For a time τ after the begin (and σ before the end) let y_i be the share of operation i
that is done by then. In every schedule of makespan T

    y_j ≤ y_i                     for every precedence i → j: j has not begun before i has ended,
    0 ≤ y_i ≤ (τ - h_i) / p_i     with heads h and least durations p (in the same way for tails and σ),
    Σ_i w_ir y_i ≤ C_r τ          for every resource r, with least works w,
    Σ_i w_ir (1 - y_i) ≤ C_r (T - τ),

so the least T of this linear program is a bound of the makespan. Operations that are alike (same work, alike
predecessors and successors) are one variable. HiGHS proposes multipliers; the bound is their Lagrangian value in
exact integers, valid whatever HiGHS returned.
"""

from __future__ import annotations

from heapq import heappop, heappush
from math import inf

import numpy as np

from accmine.ports import NEVER, Clock
from accmine.problems.operator_schedule import Problem
from accmine.problems.operator_schedule.cone_bound import Cones
from accmine.problems.operator_schedule.subset_bound import energy

from .progress_program import Data, Program, collect

__all__ = ["METHOD", "Search", "progress_bound"]

METHOD = "work that waits for work of another kind"

_PROGRAMS = 10
"""Programs in each direction of time to see where something may be gained."""

_HALVINGS = 6
"""Rounds of bisection around the best time."""

_MARGIN = 1.0002
"""What an interval of times must promise to be looked at."""

_EFFORT = 10**8
"""Simplex iterations × columns of all programs together: one to three seconds."""

_PIVOTS = 0.8
"""Simplex iterations per column, as seen on training graphs and on random ones."""


class Search:
    """Programs tried so far, the best bound, and what is left of the effort."""

    def __init__(self, data: Data, target: int | None, clock: Clock) -> None:
        self.data, self.clock = data, clock
        self.target = inf if target is None else target
        self.effort = _EFFORT
        self.best, self.at = data.bound, (0, 0)
        self.tried: dict[tuple[int, int], int] = {}

    def look(self, tau: int, sigma: int) -> int:
        """The bound for one choice of τ and σ; 0 when it was not tried."""
        at = tau, sigma
        if at in self.tried or self.best >= self.target or not self.data.work or not 0 < sum(at) <= self.data.bound:
            return self.tried.get(at, 0)
        program = Program(self.data, tau, sigma)
        left = self.clock.left()
        if _PIVOTS * program.columns**2 > self.effort or left <= 0:
            return 0
        multipliers, pivots = program.solve(left)
        self.effort -= pivots * program.columns
        value = self.tried[at] = 0 if multipliers is None else program.exact(multipliers)
        if value > self.best:
            self.best, self.at = value, at
        return value

    def climb(self, begin: bool) -> None:
        """One of the two times alone: first where most may be gained, then halvings around the best.

        What is done at τ may be all that is done at τ + δ, so the bound at τ + δ is at most the one at τ plus δ: an
        interval whose left end is too low holds nothing.
        """

        def look(at: int) -> int:
            return self.look(at, 0) if begin else self.look(0, at)

        last, before = self.data.bound, self.best
        load = max(-(-sum(w) // c) for w, c in zip(self.data.work, self.data.capacity, strict=True))
        value = {0: load, last: 0}
        intervals = [(-load - last, 0, last)]
        for _ in range(_PROGRAMS):
            if not intervals or -intervals[0][0] <= self.best * _MARGIN:
                break
            _, left, right = heappop(intervals)
            middle = (left + right) // 2 if left else right // 4
            if middle in value:
                continue
            found = look(middle)
            if not found:  # out of effort, time or need
                return
            value[middle] = found
            heappush(intervals, (left - middle - value[left], left, middle))
            heappush(intervals, (middle - right - found, middle, right))
        if self.best == before:
            return
        for _ in range(_HALVINGS):
            times = sorted(value)
            place = max(range(1, len(times) - 1), key=lambda k: value[times[k]])
            for other in place - 1, place + 1:
                middle = (times[place] + times[other]) // 2
                value.setdefault(middle, look(middle))

    def cut_other_end(self) -> None:
        """At the best τ also the σ at which the last work of a kind begins, and the other way round."""
        tau, sigma = self.at
        times = self.data.tail if tau else self.data.head
        for work in self.data.work:
            held = np.array([w > 0 for w in work])
            other = int(times[held].min(initial=self.data.bound))
            self.look(tau or other, sigma or other)


def progress_bound(problem: Problem, known: Cones, *, target: int | None = None, clock: Clock = NEVER) -> int:
    """The best bound over times τ and σ that a search of about forty programs finds; at least ``known.bound``.

    Parameters
    ----------
    known
        Heads, tails and a bound.
    target
        Value at which the search ends.
    clock
        When it ends; without a limit the answer does not depend on the clock.

    Raises
    ------
    InputError
        If an operation fits in no mode, or the precedences hold a cycle.
    """
    needed = energy(problem)
    if len(needed.resource) < 2 or known.bound <= 0:
        return known.bound  # one resource alone waits for nothing: heads, tails and subsets say it all
    search = Search(collect(problem, known, needed), target, clock)
    for begin in (True, False):
        search.climb(begin)
    if search.best > known.bound:
        search.cut_other_end()
    return search.best
