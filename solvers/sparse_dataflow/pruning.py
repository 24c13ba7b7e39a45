"""The options of layers that count at an interval: fast enough, and not worse than another in everything.

At a given interval an option is no longer asked how fast it is. So of all levels that keep a folding within it only the
one with the least loss counts, and of foldings those that no other undercuts in all resources that have a budget and in
the loss (or are minimised), with the same streams where these are joined to another layer (``adapters``).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from accmine.problems.sparse_dataflow import Candidates, LayerOptions, Problem, budget_at, place_of
from accmine.sparse.resources import RESOURCES

__all__ = ["at_interval", "fastest_enough", "non_dominated"]

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
    asked = None if problem.least is None else place_of(problem.least)
    limited = [i for i in range(len(RESOURCES)) if limits[i] is not None or i == asked]
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


def fastest_enough(table: LayerOptions, interval: int) -> tuple[Ints, Ints]:
    """(foldings that some level keeps within an interval, the level of each with the least loss)."""
    by_loss = np.argsort(table.loss, kind="stable")
    fast = table.cycles[by_loss] <= interval
    foldings = np.flatnonzero(fast.any(axis=0))
    return foldings, by_loss[fast[:, foldings].argmax(axis=0)]


def _of_layer(table: LayerOptions, interval: int, limited: list[int], joined: list[int]) -> Candidates:
    foldings, level = fastest_enough(table, interval)
    columns = [*table.use[foldings][:, limited].T, table.loss[level]]
    if joined:
        streams = table.streams[foldings][:, joined]
        _, group = np.unique(streams @ np.array([1, 1 << 31])[: len(joined)], return_inverse=True)
        order = np.argsort(group, kind="stable")
        parts = np.split(order, np.cumsum(np.bincount(group))[:-1]) if len(order) else []
        kept = [own[non_dominated([column[own] for column in columns])] for own in parts]
        which = np.sort(np.concatenate(kept)) if kept else np.zeros(0, dtype=np.int64)
    else:
        which = non_dominated(columns)
    own, level = foldings[which], level[which]
    return Candidates(level, own, table.cycles[level, own], table.loss[level], table.use[own], table.streams[own])


def non_dominated(columns: Sequence[Ints]) -> Ints:
    """Indices of the rows to which no other row is at most equal in every column, ascending; of equal rows the first.

    Parameters
    ----------
    columns
        Whole numbers of at least 0, each of the same length.
    """
    rest = np.arange(len(columns[0]))
    left = [np.ascontiguousarray(column) for column in columns]
    # strictly more for a row that is worse in one column and better in none
    total = np.zeros(len(rest), dtype=np.int64)
    for column in left:
        total += column * max(1, (1 << 56) // (len(left) * (int(column.max(initial=0)) + 1)))
    kept = []
    while len(rest):
        best = int(total.argmin())
        kept.append(rest[best])
        better = left[0] < left[0][best]
        for column in left[1:]:
            better |= column < column[best]
        rest, total = rest[better], total[better]
        left = [column[better] for column in left]
    return np.sort(np.array(kept, dtype=np.int64))
