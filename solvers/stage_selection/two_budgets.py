"""One option per slot within two budgets: the multiple-choice knapsack behind a threshold on the slowest slot.

Any non-negative integers (y, z) prove: if the cheapest options in y·area + z·TDP together cost more than
y·A + z·P, no choice meets both limits A and P. The pair of most power is found by following the lines of the picks
seen (the surrogate dual of Glover, 1968; it is concave in the mix of the two). A pick within both limits settles the
question at once; what neither settles is decided by merging the options that the proof leaves, slot by slot.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

import numpy as np
import numpy.typing as npt

__all__ = ["Budgets", "Slots", "Verdict", "decide"]

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

_RESOLUTION = 1 << 20
_ROUNDS = 60
_MOST_STATES = 100_000


class Verdict(Enum):
    """Answer to the question whether a choice exists."""

    FITS = "fits"
    NONE = "none"
    UNPROVEN = "unproven"


@dataclass(frozen=True)
class Budgets:
    """Limits of the two costs, in their integer units."""

    area: int
    tdp: int


@dataclass(frozen=True, eq=False)
class Slots:
    """Options of every slot as padded arrays; shape (slots, options). Padding costs 0 and is never allowed."""

    area: IntArray
    tdp: IntArray


def decide(
    slots: Slots, allowed: BoolArray, budgets: Budgets, over: Callable[[], object] = lambda: False
) -> tuple[Verdict, IntArray | None]:
    """Whether a choice among the allowed options meets both budgets, and one that does.

    Parameters
    ----------
    allowed
        Options that may be taken; shape of the slots.
    over
        Asked in long searches whether to give up; the verdict is then ``UNPROVEN``.

    Returns
    -------
    (verdict, picks)
        Column of each slot; ``None`` unless it fits.
    """
    if not allowed.any(axis=1).all():
        return Verdict.NONE, None
    return _Decision(slots, allowed, budgets, over).run()


class _Decision:
    """The two nearest picks from either side, and the prices between them."""

    def __init__(self, slots: Slots, allowed: BoolArray, budgets: Budgets, over: Callable[[], object]) -> None:
        self.slots, self.allowed, self.budgets, self.over = slots, allowed, budgets, over
        self.rows = np.arange(len(allowed))
        most = max(int(slots.area.max()), int(slots.tdp.max()), 1)
        self.scale = max(1, min(_RESOLUTION, (1 << 61) // most))
        self.proofs: list[tuple[int, int]] = []  # prices tried

    def cheapest(self, y: int, z: int) -> tuple[IntArray, int, int]:
        """(pick of least y·area + z·TDP, its area, its TDP)."""
        cost = np.where(self.allowed, y * self.slots.area + z * self.slots.tdp, np.iinfo(np.int64).max)
        pick = cost.argmin(axis=1)
        self.proofs.append((y, z))
        area, tdp = self.slots.area[self.rows, pick], self.slots.tdp[self.rows, pick]
        return pick, sum(area.tolist()), sum(tdp.tolist())

    def prices(self, y: float, z: float) -> tuple[int, int]:
        """Integer prices of nearly this ratio."""
        top = max(y, z)
        return round(y / top * self.scale), round(z / top * self.scale)

    def run(self) -> tuple[Verdict, IntArray | None]:
        limits = self.budgets
        sides: dict[bool, tuple[IntArray, int, int]] = {}  # by whether the area is over
        for y, z in (self.prices(max(limits.tdp, 1), max(limits.area, 1)), (1, 0), (0, 1)):
            verdict, found = self._look(y, z, sides)
            if verdict is not None:
                return verdict, found
        for _ in range(_ROUNDS):
            (_, area_over, tdp_low), (_, area_low, tdp_over) = sides[True], sides[False]
            # equal surrogate cost of both picks: y·(area_over - area_low) = z·(tdp_over - tdp_low)
            y, z = self.prices(tdp_over - tdp_low, area_over - area_low)
            if (y, z) in self.proofs or self.over():
                break
            verdict, found = self._look(y, z, sides)
            if verdict is not None:
                return verdict, found
        between = self._between(sides[True][0], sides[False][0])
        if between is not None:
            return Verdict.FITS, between
        return self._merge()

    def _look(
        self, y: int, z: int, sides: dict[bool, tuple[IntArray, int, int]]
    ) -> tuple[Verdict | None, IntArray | None]:
        """Try one pair of prices; keeps the pick on its side."""
        limits = self.budgets
        pick, area, tdp = self.cheapest(y, z)
        if area <= limits.area and tdp <= limits.tdp:
            return Verdict.FITS, pick
        if y * area + z * tdp > y * limits.area + z * limits.tdp:
            return Verdict.NONE, None
        sides[area > limits.area] = (pick, area, tdp)
        return None, None

    def _between(self, first: IntArray, second: IntArray) -> IntArray | None:
        """A pick within both limits on the way from one pick to the other, the best exchange rates first."""
        pick = first.copy()
        differ = np.flatnonzero(first != second)
        saved = self.slots.area[differ, first[differ]] - self.slots.area[differ, second[differ]]
        paid = self.slots.tdp[differ, second[differ]] - self.slots.tdp[differ, first[differ]]
        order = differ[np.argsort(paid / np.maximum(saved, 1), kind="stable")]
        area = sum(self.slots.area[self.rows, pick].tolist())
        tdp = sum(self.slots.tdp[self.rows, pick].tolist())
        for slot in order.tolist():
            area += int(self.slots.area[slot, second[slot]] - self.slots.area[slot, pick[slot]])
            tdp += int(self.slots.tdp[slot, second[slot]] - self.slots.tdp[slot, pick[slot]])
            pick[slot] = second[slot]
            if area <= self.budgets.area and tdp <= self.budgets.tdp:
                return pick
        return None

    def _merge(self) -> tuple[Verdict, IntArray | None]:
        """Decide exactly: Pareto front of the sums over the slots, cut by every price tried."""
        allowed = self.allowed.copy()
        slack = []  # of every price, what a choice may cost above the cheapest one
        for y, z in self.proofs:
            cost = np.where(self.allowed, y * self.slots.area + z * self.slots.tdp, np.iinfo(np.int64).max)
            least = cost.min(axis=1)
            spare = y * self.budgets.area + z * self.budgets.tdp - sum(least.tolist())
            if spare < 0:
                return Verdict.NONE, None
            allowed &= cost - least[:, None] <= spare
            slack.append((y, z, spare, np.where(allowed, cost - least[:, None], 0)))
        counts = allowed.sum(axis=1)
        slack.sort(key=lambda entry: entry[2] / max(1, entry[0] + entry[1]))
        return self._fronts(allowed, np.argsort(counts, kind="stable"), slack[:6])

    def _fronts(
        self, allowed: BoolArray, order: IntArray, slack: list[tuple[int, int, int, IntArray]]
    ) -> tuple[Verdict, IntArray | None]:
        """Sums of the undominated part choices; each knows its option and the sum it came from."""
        least_area = np.where(allowed, self.slots.area, np.iinfo(np.int64).max).min(axis=1)
        least_tdp = np.where(allowed, self.slots.tdp, np.iinfo(np.int64).max).min(axis=1)
        area_room = self.budgets.area - sum(least_area.tolist())
        tdp_room = self.budgets.tdp - sum(least_tdp.tolist())
        sums = np.zeros((1, 2 + len(slack)), dtype=np.int64)  # costs above the least, and what the prices have left
        spare = np.array([area_room, tdp_room, *(s[2] for s in slack)], dtype=np.int64)
        history: list[tuple[IntArray, IntArray]] = []
        for slot in order.tolist():
            options = np.flatnonzero(allowed[slot])
            if not len(options) or self.over():
                return (Verdict.NONE if not len(options) else Verdict.UNPROVEN), None
            added = np.stack(
                [
                    self.slots.area[slot, options] - least_area[slot],
                    self.slots.tdp[slot, options] - least_tdp[slot],
                    *(excess[slot, options] for _, _, _, excess in slack),
                ],
                axis=1,
            )
            merged = (sums[:, None, :] + added[None, :, :]).reshape(-1, sums.shape[1])
            alive = np.flatnonzero((merged <= spare).all(axis=1))
            alive = alive[_front(merged[alive, :2])]
            if not len(alive):
                return Verdict.NONE, None
            if len(alive) > _MOST_STATES:
                return Verdict.UNPROVEN, None
            sums = merged[alive]
            history.append((alive // len(options), options[alive % len(options)]))
        pick = np.zeros(len(allowed), dtype=np.int64)
        state = 0
        for slot, (before, option) in zip(order[::-1].tolist(), reversed(history), strict=True):
            pick[slot] = option[state]
            state = int(before[state])
        return Verdict.FITS, pick


def _front(pairs: IntArray) -> IntArray:
    """Indices of the undominated pairs."""
    order = np.lexsort((pairs[:, 1], pairs[:, 0]))
    second = pairs[order, 1]
    before = np.concatenate(([np.iinfo(np.int64).max], np.minimum.accumulate(second)[:-1]))
    return np.asarray(order[second < before], dtype=np.int64)
