"""Barriers: operators that cut a training graph into pieces that can only run one after the other.

Let R be an operator with the most ancestors, and these ancestors: the forward pass and the chain of data
gradients; weight gradients, which nothing waits for, are not in it. An operator of R is a barrier if nearly
every other operator of R is its ancestor or its descendant: layer norms, residual additions, their gradients.
Barriers that are ancestors of each other form a chain. What lies behind one and before the next is a segment,
and segments run strictly one after the other. So for every barrier k of the chain

    T ≥ max(Σ_{j≤k} L_j, W(A_k)) + max(Σ_{j>k} L_j, W(D_k))

with L_j any lower bound of segment j, A_k the barrier and its ancestors, D_k its descendants (in the whole
graph, weight gradients included), and W work per core or bytes per bandwidth, whichever is larger.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from accmine.problems.design_search.collapse import CollapsedGraph, collapse_parts
from accmine.workload import OperatorGraph

__all__ = ["Barriers", "Chain", "barriers", "chain"]

IntArray = npt.NDArray[np.int64]

MOST_OPERATORS = 30_000
"""Above this the ancestor sets, quadratic in bits, are not built and there are no barriers."""

MOST_BESIDE = 2
"""Operators of R that may be neither before nor behind a barrier: the gradient of a tied embedding, a shortcut."""

MOST_CUTS = 32
"""Barriers at which the bound is evaluated; more add little and cost time."""


@dataclass(frozen=True, eq=False)
class Barriers:
    """The segments of a graph, equal ones once, and the cuts at which the bound is evaluated.

    Attributes
    ----------
    segments
        The distinct segments.
    counts
        Operators of each work in each distinct segment; shape (segments, works).
    through
        How many of each distinct segment end at or before each cut; shape (cuts, segments).
    total
        How many of each distinct segment there are; shape (segments,).
    before, after
        Operators of each work that are (ancestors of) the cut, and descendants; shape (cuts, works).
    """

    segments: tuple[CollapsedGraph, ...]
    counts: IntArray
    through: IntArray
    total: IntArray
    before: IntArray
    after: IntArray


@dataclass(frozen=True, eq=False)
class Chain:
    """The barriers of a graph in order of time, and when every operator may run between them.

    Interval k ends with barrier k and begins with the end of the one before; the last interval has no barrier.

    Attributes
    ----------
    barrier
        Operators; shape (barriers,).
    first, last
        Earliest and latest interval each operator may run in, whatever the schedule; shape (operators,).
    """

    barrier: IntArray
    first: IntArray
    last: IntArray


@lru_cache(maxsize=1024)
def chain(graph: OperatorGraph) -> Chain | None:
    """The barriers of ``graph`` and the intervals of its operators; ``None`` if it has none, or too many operators."""
    found = _found(graph)
    if found is None:
        return None
    _, ancestors, descendants, line = found
    first = np.zeros(len(graph), dtype=np.int64)
    last = np.full(len(graph), len(line), dtype=np.int64)
    for k in range(len(line) - 1, -1, -1):
        last[_members(ancestors[line[k]] | (1 << line[k]))] = k
    for k, barrier in enumerate(line):
        first[_members(descendants[barrier])] = k + 1
    return Chain(np.array(line, dtype=np.int64), first, last)


@lru_cache(maxsize=1024)
def barriers(graph: OperatorGraph) -> Barriers | None:
    """The barriers of ``graph``; ``None`` if it has none, or too many operators."""
    found = _found(graph)
    return None if found is None else _assemble(graph, *found)


_Found = tuple[list[list[int]], list[int], dict[int, int], list[int]]
"""Predecessors, ancestors, descendants of those before the last barrier, and the barriers."""


@lru_cache(maxsize=8)
def _found(graph: OperatorGraph) -> _Found | None:
    n = len(graph)
    if not 0 < n <= MOST_OPERATORS:
        return None
    predecessors: list[list[int]] = [[] for _ in range(n)]
    for before, after in graph.edges.tolist():
        predecessors[after].append(before)
    ancestors = _closure(predecessors)
    last = max(range(n), key=lambda v: ancestors[v].bit_count())
    spine = ancestors[last] | (1 << last)
    inside = [v for v in range(n) if spine >> v & 1]
    descendants = _descendants(predecessors, inside)
    size = len(inside)
    around = {v: ancestors[v].bit_count() + (descendants[v] & spine).bit_count() + 1 for v in inside}
    line: list[int] = []
    for v in sorted((v for v in inside if size - around[v] <= MOST_BESIDE), key=lambda v: ancestors[v].bit_count()):
        if not line or ancestors[v] >> line[-1] & 1:
            line.append(v)
    return (predecessors, ancestors, descendants, line) if len(line) > 1 else None


def _closure(predecessors: list[list[int]]) -> list[int]:
    """Ancestors of every operator as a bit set; operators are in topological order."""
    ancestors: list[int] = []
    for before in predecessors:
        bits = 0
        for p in before:
            bits |= ancestors[p] | (1 << p)
        ancestors.append(bits)
    return ancestors


def _descendants(predecessors: list[list[int]], wanted: list[int]) -> dict[int, int]:
    """Descendants of the operators ``wanted`` as bit sets."""
    n = len(predecessors)
    bits = [0] * n
    for v in range(n - 1, -1, -1):
        own = bits[v] | (1 << v)
        for p in predecessors[v]:
            bits[p] |= own
    return {v: bits[v] for v in wanted}


def _assemble(
    graph: OperatorGraph,
    predecessors: list[list[int]],
    ancestors: list[int],
    descendants: dict[int, int],
    found: list[int],
) -> Barriers:
    works = graph.work_index
    width = len(graph.works)
    index: dict[tuple[tuple[int, ...], tuple[tuple[int, ...], ...]], int] = {}
    segments: list[CollapsedGraph] = []
    counts: list[IntArray] = []
    order: list[int] = []
    behind = -1  # everything is behind the start
    for barrier in found:
        members = _members((ancestors[barrier] & behind) | (1 << barrier))
        behind = descendants[barrier]
        place = {v: i for i, v in enumerate(members)}
        local = tuple(tuple(place[p] for p in predecessors[v] if p in place) for v in members)
        key = (tuple(works[members].tolist()), local)
        if key not in index:
            index[key] = len(segments)
            segments.append(collapse_parts(key[0], local, width))
            counts.append(np.bincount(works[members], minlength=width).astype(np.int64))
        order.append(index[key])
    chosen = sorted({round(i * (len(found) - 1) / (MOST_CUTS - 1)) for i in range(MOST_CUTS)})
    running = np.cumsum(np.eye(len(segments), dtype=np.int64)[order], axis=0)

    def of(bits: int) -> IntArray:
        return np.bincount(works[_members(bits)], minlength=width).astype(np.int64)

    return Barriers(
        segments=tuple(segments),
        counts=np.array(counts),
        through=running[chosen],
        total=running[-1],
        before=np.array([of(ancestors[found[i]] | (1 << found[i])) for i in chosen]),
        after=np.array([of(descendants[found[i]]) for i in chosen]),
    )


def _members(bits: int) -> list[int]:
    """Positions of the set bits, ascending."""
    array = np.frombuffer(bits.to_bytes(bits.bit_length() // 8 + 1, "little"), dtype=np.uint8)
    positions: list[int] = np.flatnonzero(np.unpackbits(array, bitorder="little")).tolist()
    return positions
