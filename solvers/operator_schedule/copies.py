"""Microbatches found by structure: the equal, separate copies of a graph that meet only in what they share."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from accmine.problems.operator_schedule import Problem, heads, order

__all__ = ["copies"]

IntArray = npt.NDArray[np.int64]

_TRIED = 64
"""Classes of equal operations looked at, latest first."""

_LEAST = 0.1
"""Part of all operations that the copies have to hold together."""


def copies(problem: Problem) -> IntArray | None:
    """Which copy every operation belongs to, counted from 0; ``None`` where there are no copies.

    Operations are equal when their modes are and, all the way up, those of their predecessors are. The
    latest class of equal operations of which no two have an ancestor in common names the copies: each is
    one of them with all its ancestors. Every other operation belongs to the last of the copies that it
    waits for. Shape (operations,).
    """
    n = len(problem)
    line = order(problem)
    group = problem.mode_set.tolist()
    known: dict[tuple[int, tuple[int, ...]], int] = {}
    name, source = [0] * n, [0] * n  # of the equal ones, and the first of the sources above
    for i in line.sequence:
        before = line.predecessors[i]
        name[i] = known.setdefault((group[i], tuple(sorted([name[j] for j in before]))), len(known))
        source[i] = min([source[j] for j in before], default=i)
    classes: list[list[int]] = [[] for _ in known]
    for i in range(n):
        classes[name[i]].append(i)
    apart = [own for own in classes if len(own) > 1 and len({source[i] for i in own}) == len(own)]
    head = heads(problem)
    apart.sort(key=lambda own: (-int(head[own[0]]), own[0]))
    for own in apart[:_TRIED]:
        copy = _cones(line.predecessors, own, n)
        if copy is None:
            continue
        if sum(c >= 0 for c in copy) < _LEAST * n:
            return None  # earlier classes have smaller cones
        for i in line.sequence:
            if copy[i] < 0:
                copy[i] = max([copy[j] for j in line.predecessors[i]], default=0)
        return np.array(copy, dtype=np.int64)
    return None


def _cones(predecessors: list[list[int]], own: list[int], n: int) -> list[int] | None:
    """For each operation of whose ancestors it is one (-1: of none); ``None`` if one is of two."""
    copy = [-1] * n
    for k, i in enumerate(own):
        if copy[i] >= 0:
            return None
        copy[i] = k
        open_ones = [i]
        while open_ones:
            for j in predecessors[open_ones.pop()]:
                if copy[j] < 0:
                    copy[j] = k
                    open_ones.append(j)
                elif copy[j] != k:
                    return None
    return copy
