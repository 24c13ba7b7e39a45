"""Operator schedule: place the operators of a graph on cores so that the makespan is smallest.

A multi-mode resource-constrained project scheduling problem with renewable resources (tensor cores,
vector cores, HBM bandwidth). Every operation runs in exactly one of its modes, without interruption;
a mode has an integer duration and holds integer amounts of resources for all of it. A mode of duration 0
holds nothing, whatever it asks for, and so it always fits.
The JSON form is read and written in ``accmine.problems.operator_schedule.json``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from accmine.errors import InputError
from accmine.problems.operator_schedule.precedence import Order, find_cycle, longest_before, order_of

__all__ = [
    "EXACT_DECIMALS",
    "KIND",
    "MAX_TIME",
    "ModeSet",
    "Problem",
    "Solution",
    "check",
    "durations",
    "heads",
    "least_work",
    "lower_bound",
    "objective",
    "order",
    "reverse",
    "reverse_solution",
    "tails",
]

KIND = "operator-schedule"

EXACT_DECIMALS = True

MAX_TIME = 1 << 62
"""Largest time and largest sum of durations: start + duration stays within int64."""

_SHOWN = 20  # violations of one kind that are spelled out

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class ModeSet:
    """The modes of an operation; operations of equal work share one object.

    Attributes
    ----------
    duration
        Time units, at least 0; shape (modes,).
    uses
        Amount of each resource held; shape (modes, resources). Of a mode of duration 0 it is 0, whatever was given:
        here, so that no solver, bound or check has to think of it.
    """

    duration: IntArray
    uses: IntArray

    def __post_init__(self) -> None:
        if not self.duration.all():
            object.__setattr__(self, "uses", np.where(self.duration[:, None] > 0, self.uses, 0))


@dataclass(frozen=True, eq=False)
class Problem:
    """Operations, their modes, their order, and the capacities.

    Attributes
    ----------
    resources, capacity
        Names, and how much there is of each; shape (resources,).
    names
        Unique names of the operations.
    mode_sets, mode_set
        Distinct mode sets, and the index of the one of each operation; shape (operations,).
    edges
        (before, after) pairs of operation indices; shape (edges, 2).
    time_unit
        Seconds per time unit when durations were decimal; ``None`` for plain cycles.
    """

    resources: tuple[str, ...]
    capacity: IntArray
    names: tuple[str, ...]
    mode_sets: tuple[ModeSet, ...]
    mode_set: IntArray
    edges: IntArray
    time_unit: str | None = None

    kind: ClassVar[str] = KIND

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def modes(self) -> ModeSet:
        """All modes of all mode sets in one, in order."""
        if not self.mode_sets:
            return ModeSet(np.zeros(0, dtype=np.int64), np.zeros((0, len(self.resources)), dtype=np.int64))
        return ModeSet(
            np.concatenate([m.duration for m in self.mode_sets]), np.concatenate([m.uses for m in self.mode_sets])
        )

    @cached_property
    def mode_count(self) -> IntArray:
        """Number of modes of each mode set; shape (mode sets,)."""
        return np.array([len(m.duration) for m in self.mode_sets], dtype=np.int64)

    @cached_property
    def first_mode(self) -> IntArray:
        """Position in ``modes`` of the first mode of each mode set; shape (mode sets,)."""
        return np.cumsum(self.mode_count) - self.mode_count

    @cached_property
    def fits(self) -> BoolArray:
        """Which of ``modes`` fit the capacities; the others can never run. Shape (all modes,)."""
        return np.asarray((self.modes.uses <= self.capacity).all(axis=1))

    @cached_property
    def shortest(self) -> IntArray:
        """Duration of the fastest mode that fits, of each mode set; shape (mode sets,).

        Raises
        ------
        InputError
            If an operation has no mode that fits the capacities.
        """
        return self._least(self.modes.duration)

    def _least(self, value: IntArray) -> IntArray:
        """Least value among the fitting modes of each mode set."""
        least = np.full(len(self.mode_sets), np.iinfo(np.int64).max, dtype=np.int64)
        owner = np.repeat(np.arange(len(self.mode_sets)), self.mode_count)
        found = np.zeros(len(self.mode_sets), dtype=bool)
        found[owner[self.fits]] = True
        stuck = np.flatnonzero(~found[self.mode_set]) if len(self) else np.zeros(0, dtype=np.int64)
        if len(stuck):
            names = ", ".join(self.names[i] for i in stuck[:_SHOWN])
            raise InputError(f"no mode fits the capacities: {names}")
        np.minimum.at(least, owner[self.fits], value[self.fits])
        return least


@dataclass(frozen=True, eq=False)
class Solution:
    """Start time and chosen mode of every operation; shapes (operations,)."""

    start: IntArray
    mode: IntArray


def order(problem: Problem) -> Order:
    """The precedences of ``problem`` as lists, with a topological order.

    Raises
    ------
    InputError
        If the edges hold a cycle; the message names one.
    """
    found = order_of(len(problem), problem.edges)
    if not found.acyclic:
        cycle = find_cycle(found)
        names = [problem.names[i] for i in [*cycle, cycle[0]]]
        raise InputError(f"operations wait for each other: {' -> '.join(names)}")
    return found


def heads(problem: Problem) -> IntArray:
    """Longest path, in fastest modes, before the start of each operation; shape (operations,)."""
    return np.array(longest_before(order(problem), problem.shortest[problem.mode_set].tolist()), dtype=np.int64)


def tails(problem: Problem) -> IntArray:
    """Longest path, in fastest modes, after the end of each operation; shape (operations,)."""
    return np.array(
        longest_before(order(problem).reversed(), problem.shortest[problem.mode_set].tolist()), dtype=np.int64
    )


def lower_bound(problem: Problem) -> tuple[int, str]:
    """A valid lower bound of the makespan, and how it was obtained.

    max(critical path, max_r ⌈W_r / C_r⌉) with every operation in its fastest mode for the path, and
    in its mode of least duration × amount for the work W_r of resource r with capacity C_r.

    Returns
    -------
    tuple[int, str]
        Time units and method.
    """
    if not len(problem):
        return 0, "no operation"
    shortest = problem.shortest[problem.mode_set]
    best = int((heads(problem) + shortest).max())
    method = "critical path of the fastest modes"
    count = np.bincount(problem.mode_set, minlength=len(problem.mode_sets)).tolist()
    for r, name in enumerate(problem.resources):
        work = sum(w * c for w, c in zip(least_work(problem, r), count, strict=True) if c)
        if work == 0:
            continue
        bound = -(-work // int(problem.capacity[r]))
        if bound > best:
            best, method = bound, f"work of {name} over its capacity"
    return best, method


def least_work(problem: Problem, resource: int) -> list[int]:
    """Least duration × amount of a resource among the modes that fit, of each mode set that is in use."""
    duration, uses = problem.modes.duration, problem.modes.uses[:, resource]
    if not uses.any():
        return [0] * len(problem.mode_sets)
    if int(duration.max()) * int(uses.max()) < MAX_TIME:
        least: list[int] = problem._least(duration * uses).tolist()
        return least
    return _least_exact(problem, resource)


def _least_exact(problem: Problem, resource: int) -> list[int]:
    """The same beyond int64."""
    capacity = problem.capacity.tolist()
    least: list[int] = []
    for modes in problem.mode_sets:
        rows = zip(modes.duration.tolist(), modes.uses.tolist(), strict=True)
        work = [d * u[resource] for d, u in rows if all(a <= c for a, c in zip(u, capacity, strict=True))]
        least.append(min(work, default=0))
    return least


def durations(problem: Problem, solution: Solution) -> IntArray:
    """Duration of every operation in its chosen mode; shape (operations,).

    Raises
    ------
    ValueError
        If the solution has another number of operations.
    """
    if solution.start.shape != (len(problem),) or solution.mode.shape != (len(problem),):
        raise ValueError(f"the solution is not one of {len(problem)} operations")
    if not len(problem):
        return np.zeros(0, dtype=np.int64)
    return np.asarray(problem.modes.duration[problem.first_mode[problem.mode_set] + solution.mode])


def objective(problem: Problem, solution: Solution) -> int:
    """Makespan: the last end, in time units; 0 without operations."""
    end = solution.start + durations(problem, solution)
    return int(end.max()) if len(end) else 0


def reverse(problem: Problem) -> Problem:
    """The same problem with time running backwards: equal makespans, mirrored schedules."""
    return Problem(
        problem.resources,
        problem.capacity,
        problem.names,
        problem.mode_sets,
        problem.mode_set,
        np.ascontiguousarray(problem.edges.reshape(-1, 2)[:, ::-1]),
        problem.time_unit,
    )


def reverse_solution(problem: Problem, solution: Solution) -> Solution:
    """The mirror of a solution of ``problem``: a solution of ``reverse(problem)``, and the other way round."""
    end = solution.start + durations(problem, solution)
    return Solution(end.max(initial=0) - end, solution.mode)


def check(problem: Problem, solution: Solution) -> tuple[str, ...]:
    """Everything wrong with a solution; empty when it is valid.

    Shares nothing with any solver: exact integer arithmetic on the problem as it is, O(n log n) by a
    sweep over starts and ends.

    Returns
    -------
    tuple[str, ...]
        One line per violation; of each kind the first twenty and the number of the others.
    """
    n = len(problem)
    for what, array in (("start", solution.start), ("mode", solution.mode)):
        if array.shape != (n,):
            return (f"{what} has shape {array.shape}, not ({n},)",)
        if not np.issubdtype(array.dtype, np.integer):
            return (f"{what} holds {array.dtype}, not integers",)
    if n == 0:
        return ()
    count = problem.mode_count[problem.mode_set]
    wrong_mode = np.flatnonzero((solution.mode < 0) | (solution.mode >= count))
    wrong_start = np.flatnonzero((solution.start < 0) | (solution.start > MAX_TIME))
    found = _lines(f"{problem.names[i]}: has no mode {solution.mode[i]}" for i in wrong_mode)
    found += _lines(f"{problem.names[i]}: starts at {solution.start[i]}" for i in wrong_start)
    if found:
        return tuple(found)
    found += _order_violations(problem, solution)
    for r in range(len(problem.resources)):
        found += _resource_violations(problem, solution, r)
    return tuple(found)


def _lines(lines: Iterable[str]) -> list[str]:
    every = list(lines)
    more = len(every) - _SHOWN
    return every if more <= 0 else [*every[:_SHOWN], f"… and {more} more of this kind"]


def _order_violations(problem: Problem, solution: Solution) -> list[str]:
    edges = problem.edges.reshape(-1, 2)
    end = solution.start + durations(problem, solution)
    early = edges[solution.start[edges[:, 1]] < end[edges[:, 0]]]
    names = problem.names
    return _lines(
        f"{names[b]}: starts at {solution.start[b]} before {names[a]} ends at {end[a]}" for a, b in early.tolist()
    )


def _resource_violations(problem: Problem, solution: Solution, resource: int) -> list[str]:
    name, capacity = problem.resources[resource], int(problem.capacity[resource])
    chosen = problem.first_mode[problem.mode_set] + solution.mode
    amount, length = problem.modes.uses[chosen, resource], problem.modes.duration[chosen]
    too_much = np.flatnonzero(amount > capacity)
    if len(too_much):
        return _lines(f"{problem.names[i]}: holds {amount[i]} of {name}, there are {capacity}" for i in too_much)
    held = np.flatnonzero(amount > 0)
    if len(held) == 0:
        return []
    amount, begin, end = amount[held], solution.start[held], solution.start[held] + length[held]
    if len(held) * capacity >= MAX_TIME:  # exact beyond int64
        amount = amount.astype(object)
    time = np.concatenate([end, begin])
    by_time = np.argsort(time)
    time = time[by_time]
    level = np.cumsum(np.concatenate([-amount, amount])[by_time])
    # What ends at t is free for what starts at t: only the level after all changes of one time counts.
    settled = np.append(time[1:] != time[:-1], True)
    over = np.flatnonzero(settled & (level > capacity))
    return _lines(f"at {time[k]}: {level[k]} of {name} held, there are {capacity}" for k in over)
