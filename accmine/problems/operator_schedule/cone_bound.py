"""A stronger bound of operator schedules: what has to run before an operation shares the machine.

With w_ir the least duration × amount of resource r among the modes of operation i, C_r the capacity, and
p_v the least duration, in topological order

    h_v = max( max_{u before v} h_u + p_u,
               max_{r, a} a + ⌈ Σ {w_ir : i an ancestor of v, h_i ≥ a} / C_r ⌉ ),

since all those ancestors start at a or later and end before v starts. Tails q_v follow the same way with
time reversed, and max_v h_v + p_v + q_v bounds the makespan. (The resource-aware heads known for
cumulative scheduling as energy precedence: Laborie, Artificial Intelligence 143 (2003) 151-188.)
Any subset of the ancestors is valid; the latest ``WINDOW`` of them, or more, are looked at.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from accmine.problems.operator_schedule.precedence import Order, longest_before
from accmine.problems.operator_schedule.problem import Problem, lower_bound
from accmine.problems.operator_schedule.reduction import members, reduced
from accmine.problems.operator_schedule.subset_bound import Energy, energy, subset_bound

__all__ = ["CONE_OPERATIONS", "METHOD", "WINDOW", "Cones", "Gap", "bound", "cones", "ends", "with_gaps"]

CONE_OPERATIONS = 40_000
"""Largest problem whose resource-aware heads and tails are computed without being asked for."""

METHOD = "resource-aware heads and tails"
WINDOW = 512
"""Ancestors looked at per operation; more cost time and give little."""

_LOOKED_AT = 1 << 22
"""Where few operations have several predecessors, more are looked at: so many in all, in each direction."""

IntArray = npt.NDArray[np.int64]

Gap = tuple[int, int, int]
"""(before, after, gap): at least so much time between the end of one operation and the start of another, in every
schedule; -1 stands for the begin before all operations and the end behind them."""


@dataclass(frozen=True, eq=False)
class Cones:
    """Heads, tails and the bound they give.

    Attributes
    ----------
    head
        Earliest start of each operation in any schedule; shape (operations,).
    tail
        Least time between the end of each operation and the end of any schedule; shape (operations,).
    bound
        Valid lower bound of the makespan.
    """

    head: IntArray
    tail: IntArray
    bound: int


def _latest(ancestors: int, window: int) -> IntArray:
    """Positions of the latest ``window`` of a set, ascending."""
    # Most sets are dense at the end: few bits hold the window.
    for width in (4 * window, 32 * window):
        shift = ancestors.bit_length() - width
        if shift <= 0:
            break
        own = members(ancestors >> shift)
        if len(own) >= window:
            return own[-window:] + shift
    return members(ancestors)[-window:]


def _packed(head: IntArray, work: IntArray, capacity: IntArray) -> int:
    """max_{r, a} a + ⌈Σ {work_ir : head_i ≥ a} / C_r⌉; one row per operation."""
    if not work.size:
        return 0
    latest_first = np.argsort(-head)
    total = np.cumsum(work[latest_first], axis=0)
    return int((head[latest_first, None] - (-total // capacity)).max())


def _heads(line: Order, shortest: list[int], needed: Energy, gaps: Mapping[int, Sequence[tuple[int, int]]]) -> IntArray:
    """Resource-aware heads; ``line`` without edges that others imply, ``gaps`` by the operation behind."""
    n = line.operations
    plain = np.array(longest_before(line, shortest), dtype=np.int64)
    sequence = np.array(line.sequence, dtype=np.int64)
    # By head, so that the last ancestors are the latest; stable, so that it stays a topological order.
    sequence = sequence[np.argsort(plain[sequence], kind="stable")]
    place = np.empty(n, dtype=np.int64)
    place[sequence] = np.arange(n)
    position: list[int] = place.tolist()
    work, capacity = needed.work[sequence], needed.capacity
    above = [0] * n  # ancestors of each operation, one bit each, until the last successor has read them
    waiting = [len(after) for after in line.successors]
    head = np.zeros(n, dtype=np.int64)  # by position
    end = [0] * n
    joins = len({tuple(before) for before in line.predecessors if len(before) > 1})
    window = max(WINDOW, _LOOKED_AT // max(1, joins))
    behind: dict[tuple[int, ...], tuple[int, int]] = {}  # operations behind the same ones start alike
    for k, v in enumerate(sequence.tolist()):
        before = line.predecessors[v]
        start, found = 0, 0
        if len(before) == 1:  # the end of a single one says as much as its ancestors and itself
            u = before[0]
            start, found = end[u], above[u] | 1 << position[u]
        elif before:
            known = behind.get(key := tuple(before))
            if known is None:
                for u in before:
                    found |= above[u] | 1 << position[u]
                own = _latest(found, window)
                start = max(*[end[u] for u in before], _packed(head[own], work[own], capacity))
                behind[key] = start, found
            else:
                start, found = known
        for u, gap in gaps.get(v, ()):
            start = max(start, (end[u] if u >= 0 else 0) + gap)
        above[v] = found
        head[k] = start
        end[v] = start + shortest[v]
        for u in before:
            waiting[u] -= 1
            if not waiting[u]:
                above[u] = 0
    return head[place]


def ends(shortest: IntArray, head: IntArray, tail: IntArray, needed: Energy) -> int:
    """The bound that heads and tails give: path through an operation, and work between any two times."""
    best = int((head + shortest + tail).max(initial=0))
    for r, capacity in enumerate(needed.capacity.tolist()):
        best = max(best, subset_bound(head, tail, needed.work[:, r], capacity))
    return best


_CACHE: weakref.WeakKeyDictionary[Problem, Cones] = weakref.WeakKeyDictionary()


def cones(problem: Problem) -> Cones:
    """Resource-aware heads and tails, computed once per problem.

    About 0.015 s per thousand operations of a training graph, and at most n²/16 bytes of memory while it runs.

    Raises
    ------
    InputError
        If an operation fits in no mode, or the precedences hold a cycle.
    """
    if problem not in _CACHE:
        _CACHE[problem] = _cones(problem, ())
    return _CACHE[problem]


def with_gaps(problem: Problem, gaps: Iterable[Gap]) -> Cones:
    """Heads, tails and bound when it is known how long what lies between some operations takes.

    Raises
    ------
    InputError
        If an operation fits in no mode, or the precedences hold a cycle.
    """
    known = list(gaps)
    return _cones(problem, known) if known else cones(problem)


def _cones(problem: Problem, gaps: Sequence[Gap]) -> Cones:
    line = reduced(problem)
    if not len(problem):
        empty = np.zeros(0, dtype=np.int64)
        return Cones(empty, empty, 0)
    before: dict[int, list[tuple[int, int]]] = {}
    after: dict[int, list[tuple[int, int]]] = {}
    whole = 0
    for u, v, gap in gaps:
        if v >= 0:
            before.setdefault(v, []).append((u, gap))
        if u >= 0:
            after.setdefault(u, []).append((v, gap))
        if u < 0 and v < 0:
            whole = max(whole, gap)
    shortest = problem.shortest[problem.mode_set]
    needed = energy(problem)
    head = _heads(line, shortest.tolist(), needed, before)
    tail = _heads(line.reversed(), shortest.tolist(), needed, after)
    return Cones(head, tail, max(whole, ends(shortest, head, tail, needed)))


def bound(problem: Problem) -> tuple[int, str]:
    """The best bound that needs no search, and its method.

    ``lower_bound``, or the resource-aware heads and tails where they are stronger (problems of up to
    ``CONE_OPERATIONS`` operations).
    """
    value, method = lower_bound(problem)
    if len(problem) <= CONE_OPERATIONS:
        cone = cones(problem).bound
        if cone > value:
            return cone, METHOD
    return value, method
