"""Least sum of one cost, one option per slot, while the sum of another cost stays within a limit.

The multiple-choice knapsack behind "what would this limit have to be": a Lagrangian bound from below, a pick from
above, and between them the undominated sums of part choices, merged slot by slot. Options and sums that the bound
proves to be no better than the pick are left out, so that what remains is small; where it does not stay small, the
bound and the pick are the answer. All sums are exact integers.

The bound: for prices y, z of the two costs Σ min (y·cost + z·other) - z·limit is at most y times the least sum
(Everett, 1963; the best prices are found by following the picks on either side of the limit).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["LeastCost", "least_cost"]

IntArray = npt.NDArray[np.int64]

MOST_STATES = 200_000
"""Sums of part choices that are kept at once; beyond, the answer is not exact."""

_LARGEST = 1 << 61
_RESOLUTION = 1 << 20
_ROUNDS = 60


@dataclass(frozen=True, slots=True)
class LeastCost:
    """What is known of the least sum.

    Attributes
    ----------
    needed
        No choice has less.
    works
        A choice has this; equal to ``needed`` if the answer is exact.
    """

    needed: int
    works: int

    @property
    def exact(self) -> bool:
        """Whether the least sum itself is known."""
        return self.needed == self.works


def least_cost(costs: Sequence[IntArray], others: Sequence[IntArray], limit: int) -> LeastCost | None:
    """The least Σ cost while Σ other stays within ``limit``; ``None`` if no choice meets the limit.

    Parameters
    ----------
    costs, others
        Per slot, of each option, at least 0; sums below 2^62.
    limit
        Of Σ other.
    """
    if not all(len(cost) for cost in costs) or sum(int(other.min()) for other in others) > limit:
        return None
    fronts = [_front(np.stack([cost, other], axis=1)) for cost, other in zip(costs, others, strict=True)]
    return _Search(fronts, limit).run()


def _front(rows: IntArray) -> IntArray:
    """Rows undominated in the first two columns, by rising first one; of equal pairs the first row."""
    rows = rows[np.lexsort((rows[:, 1], rows[:, 0]))]
    before = np.concatenate(([np.iinfo(np.int64).max], np.minimum.accumulate(rows[:, 1])[:-1]))
    return rows[rows[:, 1] < before]


class _Search:
    """Options of all slots in one array, slot after slot."""

    def __init__(self, fronts: list[IntArray], limit: int) -> None:
        self.limit = limit
        rows = np.concatenate(fronts)
        self.cost, self.other = rows[:, 0].copy(), rows[:, 1].copy()
        self.size = np.array([len(front) for front in fronts])
        self.first = np.cumsum(self.size) - self.size
        self.slot = np.repeat(np.arange(len(fronts)), self.size)
        self.scale = max(1, min(_RESOLUTION, _LARGEST // max(1, int(self.cost.max()), int(self.other.max()))))
        self.prices = (1, 0)  # of the best bound
        self.bound = int(self.cost[self.first].sum())

    def run(self) -> LeastCost:
        cheap = self.first  # the front rises in cost, so its first option is the cheapest, its last the most frugal
        if self._other(cheap) <= self.limit:
            return LeastCost(self.bound, self.bound)
        frugal = self.first + self.size - 1
        best = self._cost(frugal)
        for _ in range(_ROUNDS):
            # equal price of both picks: y·(cost of frugal - of cheap) = z·(other of cheap - of frugal)
            pick = self._follow(self._cost(frugal) - self._cost(cheap), self._other(cheap) - self._other(frugal))
            if pick is None:
                break
            if self._other(pick) <= self.limit:
                frugal = pick
            else:
                cheap = pick
            best = min(best, self._cost(frugal))
        best = min(best, self._filled(self._between(cheap, frugal)), self._filled(frugal))
        return self._merged(best)

    def _cost(self, pick: IntArray) -> int:
        return int(self.cost[pick].sum())

    def _other(self, pick: IntArray) -> int:
        return int(self.other[pick].sum())

    def _follow(self, saved: int, paid: int) -> IntArray | None:
        """The cheapest pick at the prices where two picks cost the same; ``None`` when the bound is no better."""
        top = max(saved, paid)
        y, z = max(1, round(paid / top * self.scale)), round(saved / top * self.scale)
        price = y * self.cost + z * self.other
        least = np.minimum.reduceat(price, self.first)
        value = sum(least.tolist()) - z * self.limit
        if -(-value // y) <= self.bound:
            return None
        self.bound, self.prices = -(-value // y), (y, z)
        at = np.flatnonzero(price == least[self.slot])
        return at[np.unique(self.slot[at], return_index=True)[1]]

    def _between(self, cheap: IntArray, frugal: IntArray) -> IntArray:
        """A pick within the limit on the way from the cheap one to the frugal one, the best exchanges first."""
        differ = np.flatnonzero(cheap != frugal)
        saved = self.other[cheap[differ]] - self.other[frugal[differ]]
        paid = self.cost[frugal[differ]] - self.cost[cheap[differ]]
        order = differ[np.argsort(paid / np.maximum(saved, 1), kind="stable")]
        over = np.cumsum(np.concatenate(([self._other(cheap)], self.other[frugal[order]] - self.other[cheap[order]])))
        count = int(np.argmax(over <= self.limit)) if (over <= self.limit).any() else len(order)
        pick = cheap.copy()
        pick[order[:count]] = frugal[order[:count]]
        return pick

    def _filled(self, pick: IntArray) -> int:
        """Cost of a pick once the room below the limit is used, the largest saving first."""
        pick = pick.copy()
        room = self.limit - self._other(pick)
        while True:
            current = pick[self.slot]
            gain = np.where(self.other - self.other[current] <= room, self.cost[current] - self.cost, 0)
            at = int(gain.argmax())
            if gain[at] <= 0:
                return self._cost(pick)
            slot = int(self.slot[at])
            room -= int(self.other[at] - self.other[pick[slot]])
            pick[slot] = at

    def _merged(self, best: int) -> LeastCost:
        """The exact least sum, as far as the number of part choices allows."""
        if self.bound >= best:
            return LeastCost(best, best)
        y, z = self.prices
        price = y * self.cost + z * self.other
        least = np.minimum.reduceat(price, self.first)
        excess = price - least[self.slot]
        # a choice cheaper than ``best`` costs at most this above the cheapest at these prices
        spare = y * (best - 1) + z * self.limit - sum(least.tolist())
        if spare > _LARGEST:  # sums of excesses would leave 64 bits: cut by the limit alone
            excess, spare = np.zeros_like(excess), 0
        alive = excess <= spare
        frugal = np.minimum.reduceat(np.where(alive, self.other, np.iinfo(np.int64).max), self.first)
        room = self.limit - sum(frugal.tolist())
        if room < 0:
            return LeastCost(best, best)
        counts = np.bincount(self.slot[alive], minlength=len(self.size))
        sums = np.zeros((1, 3), dtype=np.int64)  # cost, other above the frugal ones, excess
        for slot in np.argsort(counts, kind="stable").tolist():
            own = np.flatnonzero(alive[self.first[slot] : self.first[slot] + self.size[slot]]) + self.first[slot]
            if len(sums) * len(own) > 16 * MOST_STATES:
                return LeastCost(self.bound, best)
            added = np.stack([self.cost[own], self.other[own] - frugal[slot], excess[own]], axis=1)
            merged = (sums[:, None, :] + added[None, :, :]).reshape(-1, 3)
            sums = _front(merged[(merged[:, 1] <= room) & (merged[:, 2] <= spare)])
            if not len(sums):
                return LeastCost(best, best)
            if len(sums) > MOST_STATES:
                return LeastCost(self.bound, best)
        found = min(best, int(sums[:, 0].min()))
        return LeastCost(found, found)
