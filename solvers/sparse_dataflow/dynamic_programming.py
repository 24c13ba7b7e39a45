"""Bisection on the interval, and at each one an exact knapsack over the loss and one resource (``knapsack``).

It serves where one resource has a limit that can bind, beside the loss, and no adapter takes of it. That the limit of
another resource cannot bind is known from the options: a best design is among the *fronts* of the layers, of which each
option is faster, takes less of the one resource or loses less than any other; the most that these take, and the widest
adapters between them, stay within it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from accmine.errors import InputError
from accmine.problems.sparse_dataflow import LayerOptions, Problem, Solution, bound, budget_at, needs_interval, tabulate
from accmine.record import Record
from accmine.result import StopReason
from accmine.sparse.resources import RESOURCES, adapter

from .knapsack import fit, staircase
from .pruning import non_dominated

__all__ = ["DynamicProgramming", "Front", "OneResource", "halve", "one_resource"]

Ints = npt.NDArray[np.int64]

_BITS = RESOURCES.index("bits")
_LOGIC = RESOURCES.index("lut"), RESOURCES.index("ff")
_METHOD = "dynamic programming over the loss and one resource, interval by interval"


@dataclass(frozen=True, eq=False)
class Front:
    """Options of a layer none of which is undercut in cycles, the one resource and the loss; shape (options,) each.

    Attributes
    ----------
    use
        Of the one resource; 0 where there is none.
    level, folding
        Indices for ``LayerOptions.choice``.
    """

    cycles: Ints
    use: Ints
    loss: Ints
    level: Ints
    folding: Ints


@dataclass(frozen=True, eq=False)
class OneResource:
    """A problem as the knapsack takes it.

    Attributes
    ----------
    resource
        Index in ``RESOURCES``; ``None``: no limit of any can bind.
    """

    problem: Problem
    tables: tuple[LayerOptions, ...]
    fronts: tuple[Front, ...]
    resource: int | None

    def decide(self, interval: int, over: Callable[[], object]) -> tuple[bool | None, Solution | None]:
        """Whether there is a design with an interval, ``None``: not decided; and one."""
        losses, uses, places = [], [], []
        for own in self.fronts:
            fast = np.flatnonzero(own.cycles <= interval)
            kept = fast[staircase(own.loss[fast], own.use[fast])]
            losses.append(own.loss[kept])
            uses.append(own.use[kept])
            places.append(kept)
        most_loss, most_use = self.problem.budget.loss, None
        if self.resource is not None:
            most_use = budget_at(self.problem, interval)[self.resource]
        if any(not len(own) for own in places):
            return False, None
        if most_loss is None:
            most_loss = sum(int(own.max()) for own in losses)
        if most_use is None:
            most_use = sum(int(own.max()) for own in uses)
        fits, picks = fit(losses, uses, most_loss, most_use, over)
        if not fits:
            return fits, None
        rows = zip(self.tables, self.fronts, places, picks, strict=True)
        return True, Solution(
            tuple(
                table.choice(int(own.level[place[pick]]), int(own.folding[place[pick]]))
                for table, own, place, pick in rows
            )
        )

    def intervals(self) -> Sequence[int]:
        """Those that a best design may have, ascending."""
        fastest = max(int(own.cycles.min()) for own in self.fronts)
        every = np.unique(np.concatenate([own.cycles for own in self.fronts]))
        if self.resource != _BITS:
            values: list[int] = every[every >= fastest].tolist()
            return values
        rate = self.problem.budget.bits_per_cycle
        assert rate is not None
        bits = sum(int(own.use.max()) for own in self.fronts)
        longest = max(int(every[-1]), -int(-bits / rate // 1) if rate else 0)
        return range(fastest, longest + 1)


def one_resource(problem: Problem, tables: Sequence[LayerOptions]) -> OneResource:
    """The problem with the one resource whose limit can bind.

    Raises
    ------
    InputError
        If limits of several resources can bind, or adapters take of the one.
    """
    limits = budget_at(problem, max(int(own.cycles.min()) for own in tables))  # bits of longer intervals are more
    limited = [r for r, most in enumerate(limits) if most is not None]
    refused: list[str] = []
    for resource in (*limited, None):
        if resource in _LOGIC and problem.edges:
            refused.append(f"adapters take {RESOURCES[resource]}")
            continue
        fronts = _fronts(problem, tables, resource)
        whole = all(len(own.cycles) for own in fronts)  # otherwise nothing fits, as this one resource shows
        others = [r for r in limited if r != resource]
        binding = [r for r in others if whole and _most(problem, tables, fronts, r) > (limits[r] or 0)]
        if not binding:
            return OneResource(problem, tuple(tables), fronts, resource)
        if resource is not None:
            refused.append(f"limits of {', '.join(RESOURCES[r] for r in (resource, *binding))} can bind")
    raise InputError(
        "dynamic-programming takes one resource whose limit can bind, and no adapters of it; here "
        f"{min(refused, key=lambda own: own.count(','))}; take bisection"
    )


def _fronts(problem: Problem, tables: Sequence[LayerOptions], resource: int | None) -> tuple[Front, ...]:
    """Layers that share a table share the front."""
    known: dict[int, Front] = {}
    others = [r for r, most in enumerate(budget_at(problem, 1)) if most is not None and r != resource]
    limits = budget_at(problem, 1)
    most = None if resource in (None, _BITS) else limits[resource]
    spare = None if most is None else most - sum(int(own.use[:, resource].min()) for own in tables)
    for table in tables:
        if id(table) not in known:
            known[id(table)] = _front(table, resource, spare, others)
    return tuple(known[id(table)] for table in tables)


def _front(table: LayerOptions, resource: int | None, spare: int | None, others: list[int]) -> Front:
    """Of a layer that may take ``spare`` more than its least; of equal options one that takes little else is kept."""
    use = table.use[:, resource] if resource is not None else np.zeros(len(table.rows), dtype=np.int64)
    small = np.arange(len(use)) if spare is None else np.flatnonzero(use - use.min() <= spare)
    rest = np.zeros(len(small))
    for r in others:
        rest += table.use[small, r] / max(1, int(table.use[:, r].max()))
    foldings = [small[staircase(own[small], use[small], rest)] for own in table.cycles]
    level, folding = np.repeat(np.arange(len(foldings)), [len(own) for own in foldings]), np.concatenate(foldings)
    kept = non_dominated([table.cycles[level, folding], use[folding], table.loss[level]])
    level, folding = level[kept], folding[kept]
    return Front(table.cycles[level, folding], use[folding], table.loss[level], level, folding)


def _most(problem: Problem, tables: Sequence[LayerOptions], fronts: Sequence[Front], resource: int) -> int:
    """What designs of the fronts take of a resource at most, adapters at their widest."""
    most = sum(int(t.use[own.folding, resource].max()) for t, own in zip(tables, fronts, strict=True))
    if resource not in _LOGIC:
        return most
    widest = [t.streams[own.folding].max(axis=0).tolist() for t, own in zip(tables, fronts, strict=True)]
    place = _LOGIC.index(resource)
    return most + sum(adapter(widest[i][1] + 1, widest[j][0], problem.model)[place] for i, j in problem.edges)


class DynamicProgramming:
    """Exact, for one resource and the loss. ``stop.work`` is the number of intervals looked at."""

    name = "dynamic-programming"

    def search(self, record: Record[Solution]) -> StopReason:
        """Halve the range of intervals. The seed changes nothing.

        Raises
        ------
        InputError
            If several resources can bind, or adapters take of the one.
        """
        needs_interval(record.problem, self.name)
        own = one_resource(record.problem, tabulate(record.problem))
        record.raise_bound(*bound(record.problem))
        return record.over() or halve(record, own)


def halve(record: Record[Solution], own: OneResource) -> StopReason:
    """The search for the least interval of a record's problem, from its bound on."""
    if any(not len(front.cycles) for front in own.fronts):
        record.no_solution(_METHOD)
        return StopReason.PROVED
    values = own.intervals()
    low, high = bisect_left(values, record.bound), len(values) - 1
    at = high  # whether there is any design comes first
    while record.over() is None:
        record.work += 1
        fits, solution = own.decide(values[at], record.over)
        if fits is None:
            break
        if solution is not None:
            record.offer(solution)
            high = bisect_right(values, record.score) - 1
        elif at + 1 == len(values):
            record.no_solution(_METHOD)
        else:
            low = at + 1
        if low < len(values):
            record.raise_bound(values[low], _METHOD)
        at = (low + high) // 2
    return record.over() or StopReason.FINISHED
