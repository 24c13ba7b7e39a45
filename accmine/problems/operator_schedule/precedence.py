"""The order of a set of operations: topological sort, cycles, longest paths.

Derived once per array of edges and shared by all problems that hold the same array object, so that a
search that schedules one graph on thousands of designs sorts it once.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Order", "find_cycle", "longest_before", "order_of"]

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Order:
    """Precedences as lists, and one topological order.

    Attributes
    ----------
    sequence
        Operation indices, every one after all its predecessors; shorter than ``operations`` when the
        edges hold a cycle (then exactly the operations on or behind a cycle are missing).
    successors, predecessors
        Neighbours of each operation.
    """

    operations: int
    sequence: list[int]
    successors: list[list[int]]
    predecessors: list[list[int]]

    @property
    def acyclic(self) -> bool:
        """Whether the edges hold no cycle."""
        return len(self.sequence) == self.operations

    def reversed(self) -> Order:
        """The same order with time running backwards."""
        return Order(self.operations, self.sequence[::-1], self.predecessors, self.successors)


def _neighbours(operations: int, key: IntArray, value: IntArray) -> list[list[int]]:
    by_key = np.argsort(key, kind="stable")
    values = value[by_key].tolist()
    ends = np.cumsum(np.bincount(key, minlength=operations)).tolist()
    rows: list[list[int]] = []
    begin = 0
    for end in ends:
        rows.append(values[begin:end])
        begin = end
    return rows


def _sort(operations: int, edges: IntArray) -> Order:
    edges = edges.reshape(-1, 2)
    successors = _neighbours(operations, edges[:, 0], edges[:, 1]) if operations else []
    predecessors = _neighbours(operations, edges[:, 1], edges[:, 0]) if operations else []
    waiting = [len(row) for row in predecessors]
    sequence = [i for i, count in enumerate(waiting) if count == 0]
    for i in sequence:  # grows while it is walked
        for j in successors[i]:
            waiting[j] -= 1
            if waiting[j] == 0:
                sequence.append(j)
    return Order(operations, sequence, successors, predecessors)


_CACHE: dict[tuple[int, int], tuple[weakref.ref[IntArray], Order]] = {}


def order_of(operations: int, edges: IntArray) -> Order:
    """The order given by ``edges`` ((before, after) pairs, shape (edges, 2)); cached by array object.

    Linear in operations and edges. The array must not be changed afterwards.
    """
    key = (id(edges), operations)
    known = _CACHE.get(key)
    if known is not None and known[0]() is edges:
        return known[1]
    order = _sort(operations, edges)
    # An id may be used again after its array is gone: the entry leaves with the array.
    _CACHE[key] = (weakref.ref(edges, lambda _: _CACHE.pop(key, None)), order)
    return order


def find_cycle(order: Order) -> list[int]:
    """One cycle of the edges, in order; empty when there is none."""
    if order.acyclic:
        return []
    left = set(range(order.operations)).difference(order.sequence)
    # Each operation that is left has a predecessor that is left: walking back must meet itself.
    walk: list[int] = []
    position: dict[int, int] = {}
    at = min(left)
    while at not in position:
        position[at] = len(walk)
        walk.append(at)
        at = next(p for p in order.predecessors[at] if p in left)
    return walk[position[at] :][::-1]


def longest_before(order: Order, duration: Sequence[int]) -> list[int]:
    """Longest path that ends where each operation starts, with exact Python integers."""
    head = [0] * order.operations
    end = [0] * order.operations
    for i in order.sequence:
        before = order.predecessors[i]
        start = max([end[p] for p in before]) if before else 0
        head[i] = start
        end[i] = start + duration[i]
    return head
