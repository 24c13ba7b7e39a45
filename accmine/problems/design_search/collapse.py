"""Longest paths of an operator graph for many core types at once.

Operators of equal work behind equal predecessors have equal heads, so the graph is collapsed to its
classes first: sixteen attention heads become one chain. The longest path is the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from accmine.workload import OperatorGraph

__all__ = ["CollapsedGraph", "collapse", "collapse_parts"]

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class CollapsedGraph:
    """The distinct operators of a graph as far as longest paths see them.

    Attributes
    ----------
    work
        Index into ``OperatorGraph.works`` of each class, in topological order; shape (classes,).
    before
        Predecessor classes of each class.
    sinks
        Classes without successor.
    count
        Operators of each distinct work of the graph; shape (works,).
    """

    work: IntArray
    before: tuple[IntArray, ...]
    sinks: IntArray
    count: IntArray

    def longest_path(self, duration: FloatArray) -> FloatArray:
        """Length of the longest path for each column of durations.

        Parameters
        ----------
        duration
            Of each distinct work in any unit; shape (works, columns).

        Returns
        -------
        FloatArray
            Shape (columns,).
        """
        end = np.zeros((len(self.work), duration.shape[1]))
        for index, before in enumerate(self.before):
            own = duration[self.work[index]]
            if len(before) == 0:
                end[index] = own
            elif len(before) == 1:
                np.add(end[before[0]], own, out=end[index])
            else:
                np.add(end[before].max(axis=0), own, out=end[index])
        if len(self.sinks) == 0:
            return np.zeros(duration.shape[1])
        longest: FloatArray = end[self.sinks].max(axis=0)
        return longest


@lru_cache(maxsize=1024)
def collapse(graph: OperatorGraph) -> CollapsedGraph:
    """Collapse ``graph``; linear in operators and edges."""
    predecessors: list[list[int]] = [[] for _ in graph.operators]
    for before, after in graph.edges.tolist():
        predecessors[after].append(before)
    return collapse_parts(graph.work_index.tolist(), predecessors, len(graph.works))


def collapse_parts(works: Sequence[int], predecessors: Sequence[Sequence[int]], distinct: int) -> CollapsedGraph:
    """Collapse operators given by work and predecessors (positions, in topological order); ``distinct`` works exist."""
    class_of: list[int] = []
    key_class: dict[tuple[int, frozenset[int]], int] = {}
    for work, before_operators in zip(works, predecessors, strict=True):
        key = (work, frozenset(class_of[p] for p in before_operators))
        class_of.append(key_class.setdefault(key, len(key_class)))
    has_successor = {c for _, before in key_class for c in before}
    return CollapsedGraph(
        work=np.array([work for work, _ in key_class], dtype=np.int64),
        before=tuple(np.array(sorted(before), dtype=np.int64) for _, before in key_class),
        sinks=np.array([c for c in range(len(key_class)) if c not in has_successor], dtype=np.int64),
        count=np.bincount(np.array(works, dtype=np.int64), minlength=distinct).astype(np.int64),
    )
