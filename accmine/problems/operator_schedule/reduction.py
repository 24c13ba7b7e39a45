"""Transitive reduction: precedences that follow from others left out.

An activation that the backward pass reads again is an edge over half the graph, and says nothing that the path
between its ends does not say. Without such edges the graph falls apart into what runs one after the other.
"""

from __future__ import annotations

import weakref

import numpy as np
import numpy.typing as npt

from accmine.errors import InputError
from accmine.problems.operator_schedule.precedence import Order
from accmine.problems.operator_schedule.problem import Problem, order

__all__ = ["members", "reduced", "transitive_reduction"]

IntArray = npt.NDArray[np.int64]

_CACHE: dict[int, tuple[weakref.ref[IntArray], Order]] = {}


def members(bits: int) -> IntArray:
    """Positions of the set bits of a non-negative integer, ascending."""
    if bits < 0:
        raise InputError("a set of operations is a non-negative integer")
    octets = np.frombuffer(bits.to_bytes((bits.bit_length() + 7) // 8, "little"), dtype=np.uint8)
    return np.flatnonzero(np.unpackbits(octets, bitorder="little")).astype(np.int64)


def transitive_reduction(line: Order) -> Order:
    """The least set of edges with the same paths as ``line``; its sequence is kept.

    For every operation the set of its descendants is a Python integer, one bit each, given up once all its
    predecessors have been looked at: at most n²/16 bytes for n operations, and one OR of such integers per edge.

    Raises
    ------
    InputError
        If the edges hold a cycle.
    """
    if not line.acyclic:
        raise InputError("operations wait for each other: there is no transitive reduction")
    n = line.operations
    # Counted from the end, so that the integers of late operations are small.
    place = [0] * n
    for k, v in enumerate(line.sequence):
        place[v] = n - 1 - k
    below = [0] * n
    waiting = [len(before) for before in line.predecessors]
    successors: list[list[int]] = [[] for _ in range(n)]
    predecessors: list[list[int]] = [[] for _ in range(n)]
    for u in reversed(line.sequence):
        found = 0
        after = line.successors[u]
        # The nearest first: whatever is behind another successor is met behind it.
        for v in sorted(after, key=place.__getitem__, reverse=True) if len(after) > 1 else after:
            if not found >> place[v] & 1:
                found |= below[v] | 1 << place[v]
                successors[u].append(v)
                predecessors[v].append(u)
            waiting[v] -= 1
            if not waiting[v]:
                below[v] = 0
        below[u] = found
    return Order(n, list(line.sequence), successors, predecessors)


def reduced(problem: Problem) -> Order:
    """The transitive reduction of the precedences, computed once for all problems with the same array of edges.

    Raises
    ------
    InputError
        If the precedences hold a cycle; the message names one.
    """
    line = order(problem)
    key = id(problem.edges)
    known = _CACHE.get(key)
    if known is not None and known[0]() is problem.edges and known[1].operations == len(problem):
        return known[1]
    found = transitive_reduction(line)
    # An id may be used again after its array is gone: the entry leaves with the array.
    _CACHE[key] = (weakref.ref(problem.edges, lambda _: _CACHE.pop(key, None)), found)
    return found
