"""The options of layers that count at an interval: fast enough, and not worse than another in everything.

At a given interval an option is no longer asked how fast it is. So of all levels that keep a folding within it only the
one with the least loss counts, and of foldings those that no other undercuts in all resources that have a budget and in
the loss, with the same streams where these are joined to another layer (``adapters``).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from accmine.problems.sparse_dataflow import Candidates, LayerOptions, Problem, budget_at
from accmine.sparse.resources import RESOURCES

__all__ = ["at_interval", "non_dominated"]

Ints = npt.NDArray[np.int64]


def at_interval(
    problem: Problem, tables: Sequence[LayerOptions], interval: int, *, adapters: bool = True
) -> tuple[Candidates, ...]:
    """The options of each layer that count; of a layer that is never so fast: none.

    Parameters
    ----------
    tables
        Of ``tabulate``; layers that share a table share the answer.
    adapters
        Whether options differ by their streams. Without, the answer is one of the problem without adapters.
    """
    limits = budget_at(problem, interval)
    limited = [i for i in range(len(RESOURCES)) if limits[i] is not None]
    read = {j for _, j in problem.edges} if adapters else set()
    written = {i for i, _ in problem.edges} if adapters else set()
    known: dict[tuple[int, bool, bool], Candidates] = {}
    found = []
    for i, table in enumerate(tables):
        key = id(table), i in read, i in written
        if key not in known:
            known[key] = _of_layer(table, interval, limited, [s for s in (0, 1) if key[1 + s]])
        found.append(known[key])
    return tuple(found)


def _of_layer(table: LayerOptions, interval: int, limited: list[int], joined: list[int]) -> Candidates:
    by_loss = np.argsort(table.loss, kind="stable")
    fast = table.cycles[by_loss] <= interval
    foldings = np.flatnonzero(fast.any(axis=0))
    level = by_loss[fast[:, foldings].argmax(axis=0)]
    every = Candidates(
        level,
        foldings,
        table.cycles[level, foldings],
        table.loss[level],
        table.use[foldings],
        table.streams[foldings],
    )
    points = np.column_stack([every.use[:, limited], every.loss])
    if not joined:
        return every.take(non_dominated(points))
    _, group = np.unique(every.streams[:, joined], axis=0, return_inverse=True)
    group = group.reshape(-1)
    kept = []
    for own in range(int(group.max(initial=-1)) + 1):
        members = np.flatnonzero(group == own)
        kept.append(members[non_dominated(points[members])])
    return every.take(np.sort(np.concatenate(kept)) if kept else np.zeros(0, dtype=np.int64))


def non_dominated(points: Ints) -> Ints:
    """Indices of the rows to which no other row is at most equal in every column, ascending; of equal rows the first.

    Parameters
    ----------
    points
        Shape (rows, columns).
    """
    if not len(points):
        return np.zeros(0, dtype=np.int64)
    total = np.zeros(len(points))
    for column in points.T:  # in this order for every row, so that rounding keeps the order of rows
        total = total + column / max(1, int(column.max()))
    order = np.lexsort((*points.T[::-1], total))
    rest, kept = points[order], []
    while len(rest):
        kept.append(order[0])
        left = (rest < rest[0]).any(axis=1)
        rest, order = rest[left], order[left]
    return np.sort(np.array(kept, dtype=np.int64))
