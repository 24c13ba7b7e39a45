"""The 1F1B pipeline of the Lagrangian: a dynamic program over levels of G; see ``pipeline_programs``.

G_s, the recursion of the chain up to stage s, is all that later stages need to know. Its range is an even grid after
every stage; G between two levels is let through like the upper one and counts like the lower one plus one tick, so the
result stays a lower bound, and is exact once the grid step is one tick. An option moves the whole front of costs by its
time, which is one addition of two slices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .pipeline_programs import GRID_WORK, Minimum, Prices, Program, StageOptions

__all__ = ["LEVELS", "OneForwardOneBackwardProgram"]

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

LEVELS = (4096, 16384)
"""Least and most levels of G after each stage; giving up options narrows their range."""

_NEAR = (-60, -20, -6, 6, 20, 60)  # levels that are proposed too


@dataclass(frozen=True, eq=False)
class _Pass:
    """The program from the first stage to the last.

    Attributes
    ----------
    fronts
        Least cost up to each stage for every level of G there; empty before the first stage that has a G.
    above
        Least cost before each stage without regard to G.
    value
        Least value for every level of the last G.
    """

    costs: list[FloatArray]
    fronts: list[FloatArray]
    above: list[float]
    value: FloatArray


class OneForwardOneBackwardProgram(Program):
    """Dynamic program over the levels of G; see the module.

    Parameters
    ----------
    transfer
        Ticks of the messages over each boundary, (there, back); shape (stages - 1, 2).
    slots
        Slots of the whole problem, which share the work of finer grids.
    """

    def __init__(
        self, stages: Sequence[StageOptions], transfer: Sequence[tuple[int, int]], microbatches: int, slots: int = 1
    ) -> None:
        super().__init__(stages)
        count, messages = len(stages), [there + back for there, back in transfer]
        self.most = self.levels = min(max(GRID_WORK // max(1, slots), LEVELS[0]), LEVELS[1])
        self.fixed = sum(messages)
        self.messages = [0, *messages]  # before each stage
        self.factor = [microbatches - count + s for s in range(count)]
        self.first = next((s for s in range(count) if self.factor[s] >= 1), count)
        self.low, self.high = 0, 1 << 62
        self.reset()

    def refine(self, share: float) -> None:
        """See :class:`Program`."""
        levels = max(64, int(self.most * share))
        if levels != self.levels:
            self.levels = levels
            self.reset()

    def reset(self) -> None:
        """Levels of G after every stage that can lead to a G between ``low`` and ``high``."""
        self._last: tuple[Prices, _Pass] | None = None
        fastest = [int(s.time[0]) for s in self.stages]
        slowest = [int(s.time[-1]) for s in self.stages]
        self.low = max(self.low, self._reach(fastest))
        self.high = max(self.low, min(self.high, self._reach(slowest)))
        count = len(self.stages)
        self.least = [self._reach(fastest, s) for s in range(count)]
        self.base, widths = [0] * count, [0] * count
        low, high = self.low, self.high
        for s in range(count - 1, self.first - 1, -1):
            self.base[s] = max(low, self.least[s])
            widths[s] = max(0, high - self.base[s])
            low -= slowest[s] + self.messages[s]
            high -= fastest[s] + self.messages[s]
        self.step = max(1, -(-max(widths) // self.levels))
        self.count = [-(-w // self.step) + 1 for w in widths]
        self.alone: list[IntArray] = []  # first level after a stage that is not below what each option needs at least
        self.shift: list[IntArray] = []  # levels before a stage minus those after it, rounded up: costs are limits
        for s, own in enumerate(self.stages):
            need = self.factor[s] * own.time
            if s > self.first:
                need = np.maximum(need, self.least[s - 1] + own.time + self.messages[s])
            self.alone.append(np.maximum(0, -((self.base[s] - need) // self.step)))
            self.shift.append(-((own.time + self.messages[s] + self.base[s - 1] - self.base[s]) // self.step))

    def _reach(self, times: Sequence[int], until: int | None = None) -> int:
        """G of given times of the stages, up to a stage."""
        reached = 0
        for s in range(self.first, len(self.stages) if until is None else until + 1):
            reached = max(self.factor[s] * times[s], reached + times[s] + self.messages[s] if s > self.first else 0)
        return reached

    def minimise(self, prices: Prices, more: bool = False) -> Minimum:
        done = self._forward(prices)
        best = int(done.value.argmin())
        points = [best]
        if more:
            near = [best + d for d in _NEAR]
            points += [p for p in near if 0 <= p < len(done.value) and np.isfinite(done.value[p])]
        rows = [self._trace(p, done) for p in points]
        return Minimum(float(done.value[best]), rows[0], tuple(rows[1:]))

    def _costs(self, prices: Prices) -> list[FloatArray]:
        """Time + priced costs of every option; the update of the first stage ends the chain."""
        costs = [own.time + own.cost(prices) for own in self.stages]
        costs[0] = costs[0] + self.stages[0].update
        return costs

    def _forward(self, prices: Prices) -> _Pass:
        """The program at these prices; that of the last prices is kept."""
        if self._last is None or self._last[0] != prices:
            self._last = (prices, self._pass(prices))
        return self._last[1]

    def _pass(self, prices: Prices) -> _Pass:
        costs = self._costs(prices)
        fronts: list[FloatArray] = []
        above = [float(self.fixed)]
        for s, cost in enumerate(costs):
            least = np.minimum.accumulate(cost)
            useful = np.flatnonzero(np.append(True, least[1:] < least[:-1]))  # slower and dearer ones never pay
            fronts.append(self._step_front(s, cost, useful, fronts, above[-1]) if s >= self.first else np.empty(0))
            above.append(above[-1] + float(least[-1]))
        value = np.array([above[-1]])
        if self.first < len(self.stages):
            value = np.maximum(self._lower(len(self.stages) - 1), self.low) + fronts[-1]
        return _Pass(costs, fronts, above, value)

    def _step_front(
        self, s: int, cost: FloatArray, useful: IntArray, fronts: list[FloatArray], above: float
    ) -> FloatArray:
        """Least cost up to stage ``s`` for every level of G after it."""
        count = self.count[s]
        front = np.full(count, np.inf)
        alone = self.alone[s][useful].tolist()
        if s == self.first:
            for start, c in zip(alone, cost[useful].tolist(), strict=True):
                np.minimum(front[start:], above + c, out=front[start:])
            return front
        shift = self.shift[s][useful]
        before = fronts[s - 1]
        below = max(0, -int(shift.min()))
        beyond = max(0, int(shift.max()) + count - len(before))
        padded = np.concatenate((np.full(below, before[0]), before, np.full(beyond, above)))
        for start, move, c in zip(alone, (shift + below).tolist(), cost[useful].tolist(), strict=True):
            if start < count:
                np.minimum(front[start:], padded[start + move : count + move] + c, out=front[start:])
        return front

    def _lower(self, s: int) -> IntArray:
        """Least G that each level after stage ``s`` stands for."""
        lower = self.base[s] + self.step * (np.arange(self.count[s], dtype=np.int64) - 1) + 1
        lower[0] = self.least[s]
        return lower

    def _trace(self, level: int, done: _Pass) -> IntArray:
        """Rows of the stages on the way to a level of the last G."""
        picks = np.zeros(len(self.stages), dtype=np.int64)
        for s in range(len(self.stages) - 1, -1, -1):
            cost = done.costs[s]
            if s <= self.first:
                allowed = self.alone[s] <= level if s == self.first else np.ones(len(cost), dtype=bool)
                picks[s] = np.where(allowed, cost, np.inf).argmin()
                continue
            last = self.count[s - 1] - 1
            at = np.maximum(level + self.shift[s], 0)
            total = np.where(at > last, done.above[s], done.fronts[s - 1][np.minimum(at, last)]) + cost
            picks[s] = np.where(self.alone[s] <= level, total, np.inf).argmin()
            level = min(int(at[picks[s]]), last)
        return picks

    def forced(self, prices: Prices) -> list[FloatArray]:
        """Both directions of the program meet at every stage."""
        done = self._forward(prices)
        result: list[FloatArray] = [np.empty(0)] * len(done.costs)
        after = np.empty(0)  # least cost behind a stage plus the last G, for each level after the stage
        for s in range(len(done.costs) - 1, -1, -1):
            cost = done.costs[s]
            if s < self.first:
                result[s] = cost + (float(done.value.min()) - float(cost.min()))
                continue
            if s == len(done.costs) - 1:
                after = np.maximum(self._lower(s), self.low).astype(np.float64)
            alone = np.minimum(self.alone[s], self.count[s])
            padded = np.append(after, np.inf)
            if s == self.first:
                result[s] = done.above[s] + cost + padded[alone]
                continue
            result[s], after = self._meet(s, cost, done.fronts[s - 1], padded, alone)
        return result

    def _meet(
        self, s: int, cost: FloatArray, front: FloatArray, after: FloatArray, alone: IntArray
    ) -> tuple[FloatArray, FloatArray]:
        """(least value with each option of stage ``s``, least cost behind stage ``s`` - 1 plus the last G).

        A level before the stage leads to the first level after it that holds its least G, or what the option alone
        needs if that is more; ``after`` is infinite beyond the last one.
        """
        levels, count = len(front), self.count[s]
        values = np.empty(len(cost))
        least = np.full(levels, np.inf)
        ahead = self.stages[s].time + self.messages[s] - self.base[s]
        # levels after minus before, of the least G that each level but the first stands for
        shift = -((-(ahead + self.base[s - 1] + 1)) // self.step) - 1
        first = np.minimum(np.maximum(-((-(ahead + self.least[s - 1])) // self.step), alone), count).tolist()
        below = max(0, -int(shift.min()))
        beyond = max(0, int(shift.max()) + levels - len(after))
        padded = np.concatenate((np.full(below, after[0]), after, np.full(beyond, np.inf)))
        for o, start in enumerate((shift + below).tolist()):
            # costs behind never fall with the level, so the later of two levels is the dearer
            behind = np.maximum(padded[start : start + levels], after[alone[o]])
            behind[0] = after[first[o]]
            values[o] = float((front + behind).min()) + cost[o]
            behind += cost[o]
            np.minimum(least, behind, out=least)
        return values, least

    def _confine(self, prices: Prices, most: float) -> None:
        good = np.flatnonzero(self._forward(prices).value <= most)
        if self.first < len(self.stages) and len(good):
            last = len(self.stages) - 1
            self.low = max(self.low, int(self._lower(last)[good[0]]))
            self.high = min(self.high, self.base[last] + int(good[-1]) * self.step)

    def relaxed(self, rows: IntArray) -> int:
        """See :class:`Program`."""
        times = [int(own.time[r]) for own, r in zip(self.stages, rows, strict=True)]
        return self.fixed + sum(times) + int(self.stages[0].update[rows[0]]) + self._reach(times)

    def exchanged(self, rows: IntArray) -> list[FloatArray]:
        """See :class:`Program`; the chains before, at and behind the stage."""
        time = np.array([int(own.time[r]) for own, r in zip(self.stages, rows, strict=True)], dtype=np.int64)
        count, first = len(time), self.first
        behind = np.append(np.cumsum((time + np.array(self.messages))[::-1])[::-1], 0)  # [s]: stages s and later
        chains = np.array(self.factor) * time + behind[1:]
        chains[:first] = 0
        update = int(self.stages[0].update[rows[0]])
        result = []
        for s, own in enumerate(self.stages):
            change = own.time - time[s]
            g = np.full(len(change), int(chains[s + 1 :].max(initial=0)))
            if s >= first:
                g = np.maximum(g, self.factor[s] * own.time + behind[s + 1])
                if s > first:
                    g = np.maximum(g, int(chains[first:s].max()) + change)
            total = self.fixed + int(time.sum()) + change + (own.update if s == 0 else update)
            result.append((total + g).astype(np.float64))
        assert len(result) == count
        return result
