"""Schedule window: rearrange part of a schedule so that all that comes later moves forward at once.

A schedule is cut in three. What is *free* is placed anew, in any of its modes; what is *fixed* stays where
it is; what is *moving* comes later and moves forward (to the left) rigidly by the gain γ ≥ 0. With time
counted from the start of the window, p_i the duration, and π_i the place of an operation:

    free:    π_i ≤ s_i,   s_i + p_i ≤ d_i - γ        (due: what waits for it outside the window moves as well)
    fixed:   s_i = π_i
    moving:  s_i = π_i - γ
    0 ≤ γ ≤ γ_max;   precedences and capacities as in ``operator_schedule``;   maximise γ.

The gain shortens the makespan of the whole schedule by as much. (Windows that are solved exactly: Palpant,
Artigues, Michelon, Annals of Operations Research 131 (2004) 237-257, there with due dates instead of a
common shift.)

The JSON form holds an operator schedule and the rest by operation:

.. code-block:: json

    {"kind": "schedule-window", "most_gain": 40, "schedule": {"resources": {}, "operations": []},
     "free": {"a": {"earliest": 0, "due": 90}}, "fixed": {"b": 0}, "moving": {"c": 85}}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from accmine.errors import InputError
from accmine.problems import operator_schedule
from accmine.result import Sense

__all__ = [
    "EXACT_DECIMALS",
    "FIXED",
    "FREE",
    "KIND",
    "MOVING",
    "Problem",
    "Solution",
    "bound",
    "check",
    "impossible",
    "objective",
    "problem_from_json",
    "problem_to_json",
    "score",
    "sense",
    "shown",
    "shown_bound",
    "solution_from_json",
    "solution_to_json",
]

KIND = "schedule-window"

EXACT_DECIMALS = True

FREE, FIXED, MOVING = 0, 1, 2
"""Roles of operations."""

_KEYS = ("kind", "schedule", "most_gain", "free", "fixed", "moving")

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Problem:
    """A window of a schedule.

    Attributes
    ----------
    schedule
        Operations, modes, precedences and capacities inside the window. Fixed and moving operations have one
        mode.
    role
        ``FREE``, ``FIXED`` or ``MOVING``; shape (operations,).
    place
        Earliest start of a free operation, start of a fixed one, start before the move of a moving one; at
        least 0, in time units from the start of the window. Shape (operations,).
    due
        Latest end of a free operation before the move; not used for the others. Shape (operations,).
    most_gain
        Largest gain that what lies outside the window allows; a moving operation is never moved below 0.
    """

    schedule: operator_schedule.Problem
    role: IntArray
    place: IntArray
    due: IntArray
    most_gain: int

    kind: ClassVar[str] = KIND

    def __len__(self) -> int:
        return len(self.schedule)


@dataclass(frozen=True, eq=False)
class Solution:
    """Start and mode of every operation, shapes (operations,), and the gain."""

    start: IntArray
    mode: IntArray
    gain: int


def objective(problem: Problem, solution: Solution) -> int:
    """The gain, in time units."""
    del problem
    return solution.gain


def sense(problem: Problem) -> Sense:
    """The gain is maximised."""
    del problem
    return Sense.MAXIMIZE


def score(problem: Problem, solution: Solution) -> int:
    """Minus the gain."""
    return -objective(problem, solution)


def shown(problem: Problem, score: int) -> int:
    """The gain of a score."""
    del problem
    return -score


shown_bound = shown
"""Nothing was rounded."""


def impossible(problem: Problem) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Nothing is known without search."""
    del problem
    return (), ()


def bound(problem: Problem) -> tuple[int, str]:
    """Minus an upper bound of the gain without search, and how it was obtained.

    With D the latest due date, everything free ends by D - γ. What the free operations, the fixed ones and
    what moves out of [0, D) need of a resource between 0 and D - γ is at most its capacity times that.
    """
    free = problem.role == FREE
    best, method = problem.most_gain, "what lies outside the window"
    moving = problem.role == MOVING
    if moving.any() and int(problem.place[moving].min()) < best:
        best, method = int(problem.place[moving].min()), "start of what moves"
    if not free.any():
        return -best, method
    inner = problem.schedule
    shortest = inner.shortest[inner.mode_set]
    room = int((problem.due - problem.place - shortest)[free].min())
    if room < best:
        best, method = room, "earliest start and due date of an operation"
    last = int(problem.due[free].max())
    # Fixed ones count as far as they run before D - γ for every γ up to here.
    inside = np.clip(np.where(problem.role == FIXED, last - max(best, 0), last) - problem.place, 0, shortest)
    for r, name in enumerate(inner.resources):
        work = sum(w for w, own in zip(_least_of_each(inner, r), free.tolist(), strict=True) if own)
        held = inner.modes.uses[inner.first_mode[inner.mode_set], r]
        work += sum(int(a) * int(b) for a, b in zip(inside[~free], held[~free], strict=True))
        gain = last - -(-work // int(inner.capacity[r])) if inner.capacity[r] else best
        if gain < best:
            best, method = gain, f"work of {name} over its capacity"
    return -max(0, best), method


def _least_of_each(schedule: operator_schedule.Problem, resource: int) -> list[int]:
    least = operator_schedule.least_work(schedule, resource)
    return [least[g] for g in schedule.mode_set.tolist()]


def check(problem: Problem, solution: Solution) -> tuple[str, ...]:
    """Everything wrong with a solution; empty when it is valid. See ``operator_schedule.check``."""
    placed = operator_schedule.Solution(solution.start, solution.mode)
    wrong = list(operator_schedule.check(problem.schedule, placed))
    if not 0 <= solution.gain <= problem.most_gain:
        wrong.append(f"the gain is {solution.gain}, not in 0..{problem.most_gain}")
    if wrong:
        return tuple(wrong)
    names, role, place, start = problem.schedule.names, problem.role, problem.place, solution.start
    end = start + operator_schedule.durations(problem.schedule, placed)
    due = problem.due - solution.gain
    early = (role == FREE) & (start < place)
    late = (role == FREE) & (end > due)
    wrong += [f"{names[i]}: starts at {start[i]}, before {place[i]}" for i in np.flatnonzero(early)]
    wrong += [f"{names[i]}: ends at {end[i]}, after {due[i]}" for i in np.flatnonzero(late)]
    should = place - np.where(role == MOVING, solution.gain, 0)
    moved = (role != FREE) & (start != should)
    wrong += [f"{names[i]}: starts at {start[i]}, not at {should[i]}" for i in np.flatnonzero(moved)]
    return tuple(wrong)


def problem_to_json(problem: Problem) -> dict[str, Any]:
    """The JSON object of a window; see the head of this module."""
    names, place = problem.schedule.names, problem.place.tolist()
    roles: dict[int, dict[str, Any]] = {FREE: {}, FIXED: {}, MOVING: {}}
    for i, role in enumerate(problem.role.tolist()):
        roles[role][names[i]] = {"earliest": place[i], "due": int(problem.due[i])} if role == FREE else place[i]
    return {
        "kind": KIND,
        "most_gain": problem.most_gain,
        "schedule": operator_schedule.problem_to_json(problem.schedule),
        "free": roles[FREE],
        "fixed": roles[FIXED],
        "moving": roles[MOVING],
    }


def problem_from_json(obj: Any, where: str = "") -> Problem:
    """The window of a JSON object.

    Raises
    ------
    InputError
        If a key is missing or unknown, or an operation has no role, or two, or a role does not fit it.
    """
    if not isinstance(obj, Mapping):
        raise InputError(f"needs an object with {', '.join(_KEYS)}", where)
    for key in obj:
        if key not in _KEYS:
            raise InputError(f"unknown key; allowed: {', '.join(_KEYS)}", where, str(key))
    if "schedule" not in obj:
        raise InputError("needs an operator schedule", where, "schedule")
    schedule = operator_schedule.problem_from_json(obj["schedule"], where)
    n = len(schedule)
    role = np.full(n, -1, dtype=np.int64)
    place, due = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
    index = {name: i for i, name in enumerate(schedule.names)}
    for kind, key in ((FREE, "free"), (FIXED, "fixed"), (MOVING, "moving")):
        rows = obj.get(key, {})
        if not isinstance(rows, Mapping):
            raise InputError("needs an object by operation", where, key)
        for name, row in rows.items():
            field = f"{key}.{name}"
            if name not in index:
                raise InputError("is no operation of the schedule", where, field)
            i = index[name]
            if role[i] >= 0:
                raise InputError("has a role already", where, field)
            role[i] = kind
            if kind == FREE:
                if not isinstance(row, Mapping) or set(row) != {"earliest", "due"}:
                    raise InputError("needs earliest and due", where, field)
                place[i] = _time(row["earliest"], where, f"{field}.earliest")
                due[i] = _time(row["due"], where, f"{field}.due")
                continue
            place[i] = _time(row, where, field)
            if schedule.mode_count[schedule.mode_set[i]] != 1:
                raise InputError("needs exactly one mode, as it is not free", where, field)
    left = np.flatnonzero(role < 0)
    if len(left):
        raise InputError(f"{schedule.names[left[0]]} must be free, fixed or moving", where, "schedule")
    return Problem(schedule, role, place, due, _time(obj.get("most_gain"), where, "most_gain"))


def _time(value: Any, where: str, field: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= operator_schedule.MAX_TIME:
        raise InputError(f"needs an integer in 0..{operator_schedule.MAX_TIME}, got {value!r}", where, field)
    return value


def solution_to_json(problem: Problem, solution: Solution) -> dict[str, Any]:
    """``{"gain": …, "start": {name: time}, "mode": {name: index}}``."""
    placed = operator_schedule.Solution(solution.start, solution.mode)
    return {"gain": solution.gain, **operator_schedule.solution_to_json(problem.schedule, placed)}


def solution_from_json(problem: Problem, obj: Any, where: str = "") -> Solution:
    """The solution of a JSON object.

    Raises
    ------
    InputError
        If it is not of the form that ``solution_to_json`` writes.
    """
    if not isinstance(obj, Mapping):
        raise InputError("needs an object with gain, start and mode", where)
    placed = operator_schedule.solution_from_json(
        problem.schedule, {key: value for key, value in obj.items() if key != "gain"}, where
    )
    return Solution(placed.start, placed.mode, _time(obj.get("gain"), where, "gain"))
