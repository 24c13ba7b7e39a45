"""Windows of a schedule: where to cut, and what is cut out as a ``schedule-window`` problem."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from accmine.problems import operator_schedule as whole
from accmine.problems import schedule_window as window
from accmine.problems.operator_schedule.precedence import Order
from accmine.problems.schedule_window import FIXED, FREE, MOVING

__all__ = ["Cut", "Timeline", "borders", "cut", "put_back"]

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Timeline:
    """A schedule in order of its starts.

    Attributes
    ----------
    solution, end
        The schedule, and the end of each operation; shape (operations,).
    line, rank
        Operations by start, and the position of each of them in that line; shape (operations,).
    """

    problem: whole.Problem
    order: Order
    solution: whole.Solution
    end: IntArray
    line: IntArray
    rank: IntArray

    @classmethod
    def of(cls, problem: whole.Problem, solution: whole.Solution) -> Timeline:
        """The timeline of a valid schedule; predecessors stand before their successors."""
        found = whole.order(problem)
        depth = np.empty(len(problem), dtype=np.int64)
        depth[found.sequence] = np.arange(len(problem))
        line = np.lexsort((depth, solution.start))
        rank = np.empty_like(line)
        rank[line] = np.arange(len(line))
        return cls(problem, found, solution, solution.start + whole.durations(problem, solution), line, rank)


@dataclass(frozen=True, eq=False)
class Cut:
    """A window with where it comes from.

    Attributes
    ----------
    problem, now
        The window, and the schedule as it is inside it, with gain 0.
    free
        Operations of the schedule that are free in the window; they are its first ones.
    stop
        Position in the line behind the last free operation: what stands there or later moves.
    origin
        Time at which the window starts.
    key
        Equal for windows that differ only in names: a solution of one is a solution of the others.
    """

    problem: window.Problem
    now: window.Solution
    free: IntArray
    stop: int
    origin: int
    key: bytes


def borders(timeline: Timeline, least: int, most: int, first: int) -> list[tuple[int, int]]:
    """Windows one behind the other as (start, stop) positions in the line.

    Each ends, between ``least`` and ``most`` operations (the first one ``first`` operations) behind its
    start, where the fewest operations are running, so that few fixed ones stand in the way; of equal
    positions the latest is taken.
    """
    n = len(timeline.line)
    starts = timeline.solution.start[timeline.line]
    crossing = np.arange(n + 1)
    crossing[:n] -= np.searchsorted(np.sort(timeline.end), starts, side="right")
    crossing[n] = -1
    found: list[tuple[int, int]] = []
    at = 0
    while at < n:
        low, high = (least, most) if found or not first else (max(1, first // 2), first)
        near, far = min(n, at + low), min(n, at + high)
        if n - far < least:
            far = n
        cost = crossing[near : far + 1]
        stop = near + len(cost) - 1 - int(np.argmin(cost[::-1]))
        found.append((at, stop))
        at = stop
    return found


def cut(timeline: Timeline, begin: int, stop: int) -> Cut:
    """The window that frees positions ``begin`` to ``stop`` (excluded) of the line."""
    problem, solution, end = timeline.problem, timeline.solution, timeline.end
    start = solution.start
    free = timeline.line[begin:stop]
    origin = int(start[free[0]])
    before, after = timeline.line[:begin], timeline.line[stop:]
    running = before[end[before] > origin]
    last = int(end[free].max())
    most = _most_gain(timeline, begin, stop, origin)
    reach = max(last, int(end[running].max(initial=origin)) + most)
    moving = after[start[after] < reach]
    earliest, inner = _precedences(timeline, begin, stop, free, moving)
    members = np.concatenate([free, running, moving])
    role = np.repeat(np.array([FREE, FIXED, MOVING]), [len(free), len(running), len(moving)])
    place = np.concatenate([np.maximum(earliest, origin), np.full(len(running), origin), start[moving]]) - origin
    due = np.where(role == FREE, last - origin, 0)
    # Of those that are running only what is left of them.
    left = np.minimum(end[members] - origin, end[members] - start[members])
    uses = problem.modes.uses[(problem.first_mode[problem.mode_set] + solution.mode)[members]]
    mode_sets, mode_set = _modes(problem, members, len(free), left, uses)
    inside = whole.Problem(
        problem.resources,
        problem.capacity,
        tuple(problem.names[i] for i in members.tolist()),
        mode_sets,
        mode_set,
        inner,
        problem.time_unit,
    )
    now = window.Solution(
        np.where(role == FREE, start[members] - origin, place),
        np.where(role == FREE, solution.mode[members], 0),
        0,
    )
    parts = (problem.mode_set[free], role, place, due, inner, now.start, now.mode, left[len(free) :])
    key = b"".join(len(p).to_bytes(4) + p.tobytes() for p in parts) + uses[len(free) :].tobytes() + most.to_bytes(8)
    return Cut(window.Problem(inside, role, place, due, most), now, free, stop, origin, key)


def _modes(
    problem: whole.Problem, members: IntArray, free: int, left: IntArray, uses: IntArray
) -> tuple[tuple[whole.ModeSet, ...], IntArray]:
    """Mode sets of the window: all modes for the first ``free`` members, and the chosen one for the others."""
    index: dict[object, int] = {}
    mode_sets: list[whole.ModeSet] = []
    mode_set = np.zeros(len(members), dtype=np.int64)
    for k, i in enumerate(members.tolist()):
        group = int(problem.mode_set[i])
        name: object = group if k < free else (int(left[k]), uses[k].tobytes())
        if name not in index:
            index[name] = len(mode_sets)
            one = whole.ModeSet(left[k : k + 1], uses[k : k + 1])
            mode_sets.append(problem.mode_sets[group] if k < free else one)
        mode_set[k] = index[name]
    return tuple(mode_sets), mode_set


def _most_gain(timeline: Timeline, begin: int, stop: int, origin: int) -> int:
    """How far what stands behind ``stop`` may move, as far as what stands before ``begin`` says."""
    rank, end, start = timeline.rank, timeline.end, timeline.solution.start
    makespan = int(end.max())
    moves = timeline.line[stop:]
    most = int(start[moves[0]]) - origin if len(moves) else makespan - origin
    if begin:
        most = min(most, makespan - int(end[timeline.line[:begin]].max()))
    edges = timeline.problem.edges.reshape(-1, 2)
    across = edges[(rank[edges[:, 0]] < begin) & (rank[edges[:, 1]] >= stop)]
    if len(across):
        most = min(most, int((start[across[:, 1]] - end[across[:, 0]]).min()))
    return most


def _precedences(
    timeline: Timeline, begin: int, stop: int, free: IntArray, moving: IntArray
) -> tuple[IntArray, IntArray]:
    """Earliest starts of the free operations, and the precedences from free ones, in positions of the window."""
    rank, end, order = timeline.rank, timeline.end, timeline.order
    # Behind the free ones stand the running ones, and behind these the moving ones.
    position = {i: k for k, i in enumerate(free.tolist())}
    running = int((end[timeline.line[:begin]] > timeline.solution.start[free[0]]).sum())
    position |= {i: len(free) + running + k for k, i in enumerate(moving.tolist())}
    earliest = np.zeros(len(free), dtype=np.int64)
    pairs: list[tuple[int, int]] = []
    for k, i in enumerate(free.tolist()):
        earliest[k] = max((int(end[p]) for p in order.predecessors[i] if rank[p] < begin), default=0)
        pairs += [(k, position[j]) for j in order.successors[i] if j in position]
    return earliest, np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2)


def put_back(timeline: Timeline, piece: Cut, found: window.Solution) -> whole.Solution:
    """The whole schedule with the window as ``found``, and everything behind it moved by the gain."""
    start, mode = timeline.solution.start.copy(), timeline.solution.mode.copy()
    count = len(piece.free)
    start[piece.free] = piece.origin + found.start[:count]
    mode[piece.free] = found.mode[:count]
    start[timeline.line[piece.stop :]] -= found.gain
    return whole.Solution(start, mode)
