"""Least (relaxed step + priced costs) of one pipeline: the subproblem of the Lagrangian bound, solved exactly.

The step of a timeline is bounded by chains of waiting events, linear in the durations. With t_s = f_s + b_s, m
microbatches, S stages and messages c_k over boundary k (there and back together):

- **1F1B** (``one_forward_one_backward``): step ≥ Σ_k t_k + Σ_k c_k + u_0 + G,
  G = max over s of (m - S + s)·t_s + Σ_{k>s} (t_k + c_{k-1}). The chain
  goes through the stages before s, works there on all microbatches, and takes the way to the last stage and back
  twice, with the first and with the last microbatch, while stage s would only do forward (backward) passes. It
  exists when m - S + s ≥ 1, i.e. when the two microbatches differ. G is a recursion over the stages,
  G_s = max((m - S + s)·t_s, G_{s-1} + t_s + c_{s-1}), so a dynamic program over levels of G finds the least value
  for every G at once. Levels are an integer grid; what falls between two of them counts as the lower one.
- **GPipe**: step ≥ Σ_k t_k + Σ_k c_k + u_0 + (m - 1)·(max f or message + max b or message); the two maxima are levels
  of a grid.
- **bottleneck**: step = m·max(t_s, slowest message), exactly, by thresholds on t.
- **one slot per pipeline**: the simulated step of every option, exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = [
    "GRID_WORK",
    "BottleneckProgram",
    "GPipeProgram",
    "Minimum",
    "Prices",
    "Program",
    "SlotProgram",
    "StageOptions",
]

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

GRID = (40, 160)
"""Least and most levels of each of the two maxima (GPipe)."""

GRID_WORK = 1_000_000
"""Levels of all stages of all pipelines together, where the least number of levels allows."""


@dataclass(frozen=True, slots=True)
class Prices:
    """Ticks per unit of area, TDP and power."""

    area: float
    tdp: float
    power: float = 0.0


@dataclass(frozen=True, eq=False)
class StageOptions:
    """Options of one slot by rising time; arrays of shape (options,).

    Attributes
    ----------
    option
        Index in the slot.
    time
        Forward + backward in ticks; of a :class:`SlotProgram` the whole step.
    """

    option: IntArray
    time: IntArray
    forward: IntArray
    backward: IntArray
    update: IntArray
    area: IntArray
    tdp: IntArray
    power: IntArray

    def take(self, rows: IntArray) -> StageOptions:
        """These rows only."""
        return StageOptions(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))

    def cost(self, prices: Prices) -> FloatArray:
        """Priced costs in ticks."""
        return np.asarray(prices.area * self.area + prices.tdp * self.tdp + prices.power * self.power, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Minimum:
    """Least value of a program, and rows that reach it.

    Attributes
    ----------
    value
        Lower bound of step + priced costs, in ticks, up to the rounding of floats.
    rows
        Row of each stage.
    others
        Rows of other good points, with smaller and larger steps.
    """

    value: float
    rows: IntArray
    others: tuple[IntArray, ...] = ()


class Program:
    """One pipeline of the Lagrangian; see the module."""

    def __init__(self, stages: Sequence[StageOptions]) -> None:
        self.stages = list(stages)

    def minimise(self, prices: Prices, more: bool = False) -> Minimum:
        """Least step + priced costs; ``more`` asks for other points as well."""
        raise NotImplementedError

    def forced(self, prices: Prices) -> list[FloatArray]:
        """Lower bound of step + priced costs with each option of each stage; shape (stages, (options,))."""
        raise NotImplementedError

    def exchanged(self, rows: IntArray) -> list[FloatArray]:
        """The relaxed step after one stage takes another option, for each stage and option."""
        raise NotImplementedError

    def refine(self, share: float) -> None:
        """Use this share of the levels that a grid may have."""

    def relaxed(self, rows: IntArray) -> int:
        """The relaxed step of one option per stage."""
        raise NotImplementedError

    def reset(self) -> None:
        """Prepare for the options as they are now."""

    def _confine(self, prices: Prices, most: float) -> None:
        """Narrow the range of the levels to those of values up to ``most``; the options are still the old ones."""

    def restrict(self, prices: Prices, most: float) -> bool:
        """Give up options and steps that only values above ``most`` have; whether any choice is left."""
        kept = [np.flatnonzero(values <= most) for values in self.forced(prices)]
        if not all(len(rows) for rows in kept):
            return False
        self._confine(prices, most)
        self.stages = [own.take(rows) for own, rows in zip(self.stages, kept, strict=True)]
        self.reset()
        return True


class SlotProgram(Program):
    """One slot for the whole pipeline."""

    def minimise(self, prices: Prices, more: bool = False) -> Minimum:
        (total,) = self.forced(prices)
        best = np.argsort(total, kind="stable")[: 12 if more else 1]
        return Minimum(float(total[best[0]]), best[:1], tuple(best[i : i + 1] for i in range(1, len(best))))

    def forced(self, prices: Prices) -> list[FloatArray]:
        (own,) = self.stages
        return [own.time + own.cost(prices)]

    def relaxed(self, rows: IntArray) -> int:
        return int(self.stages[0].time[rows[0]])

    def exchanged(self, rows: IntArray) -> list[FloatArray]:
        return [self.stages[0].time.astype(np.float64)]


class BottleneckProgram(Program):
    """m·max(slowest stage, slowest message): thresholds on the time of a stage."""

    def __init__(self, stages: Sequence[StageOptions], microbatches: int, link: int) -> None:
        super().__init__(stages)
        self.microbatches, self.link = microbatches, link
        self.reset()

    def reset(self) -> None:
        times = np.concatenate([s.time for s in self.stages])
        self.order = np.argsort(times, kind="stable")
        self.levels = times[self.order]
        self.floor = max(*(int(s.time[0]) for s in self.stages), self.link)
        self.first = int(np.searchsorted(self.levels, self.floor, side="right")) - 1

    def _values(self, prices: Prices) -> tuple[list[FloatArray], FloatArray, FloatArray]:
        """(cheapest option up to each of every stage, levels, least value of each level)."""
        least = [np.minimum.accumulate(s.cost(prices)) for s in self.stages]
        # what the sum of the cheapest allowed options falls by at each option, in the order of their times
        drops = np.concatenate([np.diff(row, prepend=0.0) for row in least])[self.order]
        total = np.cumsum(drops)[self.first :]
        levels = np.maximum(self.levels[self.first :], self.floor)
        last = np.append(levels[1:] != levels[:-1], True)  # of equal times only the last counts
        return least, levels, np.where(last, self.microbatches * levels + total, np.inf)

    def minimise(self, prices: Prices, more: bool = False) -> Minimum:
        least, levels, value = self._values(prices)
        best = int(value.argmin())
        picks = [best]
        if more:
            near = np.flatnonzero(np.isfinite(value))
            at = int(np.searchsorted(near, best))
            picks += [int(near[i]) for i in range(max(0, at - 6), min(len(near), at + 7)) if near[i] != best]
        rows = [self._rows(int(levels[i]), least) for i in picks]
        return Minimum(float(value[best]), rows[0], tuple(rows[1:]))

    def forced(self, prices: Prices) -> list[FloatArray]:
        least, levels, value = self._values(prices)
        result = []
        for own, row in zip(self.stages, least, strict=True):
            cheapest = row[np.searchsorted(own.time, levels, side="right") - 1]
            after = np.minimum.accumulate((value - cheapest)[::-1])[::-1]
            at = np.searchsorted(levels, np.maximum(own.time, self.floor))
            result.append(after[at] + own.cost(prices))
        return result

    def relaxed(self, rows: IntArray) -> int:
        slowest = max(int(own.time[r]) for own, r in zip(self.stages, rows, strict=True))
        return self.microbatches * max(slowest, self.link)

    def exchanged(self, rows: IntArray) -> list[FloatArray]:
        times = np.array([own.time[r] for own, r in zip(self.stages, rows, strict=True)])
        result = []
        for s, own in enumerate(self.stages):
            others = max(int(np.delete(times, s).max(initial=0)), self.link)
            result.append(self.microbatches * np.maximum(own.time, others).astype(np.float64))
        return result

    def _rows(self, level: int, least: list[FloatArray]) -> IntArray:
        rows = []
        for own, row in zip(self.stages, least, strict=True):
            last = int(np.searchsorted(own.time, level, side="right")) - 1
            rows.append(int(np.searchsorted(-row, -row[last])))
        return np.array(rows, dtype=np.int64)


class GPipeProgram(Program):
    """Grid over the slowest forward and the slowest backward pass; see the module."""

    def __init__(
        self, stages: Sequence[StageOptions], transfer: Sequence[tuple[int, int]], microbatches: int, slots: int = 1
    ) -> None:
        super().__init__(stages)
        self.levels = min(max(int((6 * GRID_WORK / max(1, slots)) ** 0.5), GRID[0]), GRID[1])
        self.fixed = sum(there + back for there, back in transfer)
        self.again = microbatches - 1
        self.links = (max((t for t, _ in transfer), default=0), max((t for _, t in transfer), default=0))
        self.low, self.high = [0, 0], [1 << 62, 1 << 62]
        self.reset()

    def reset(self) -> None:
        passes = [[s.forward for s in self.stages], [s.backward for s in self.stages]]
        for axis, (link, own) in enumerate(zip(self.links, passes, strict=True)):
            self.low[axis] = max(self.low[axis], link, *(int(p.min()) for p in own))
            self.high[axis] = max(self.low[axis], min(self.high[axis], max(link, *(int(p.max()) for p in own))))
        self.step = [max(1, -(-(high - low) // self.levels)) for low, high in zip(self.low, self.high, strict=True)]
        shape = [-(-(h - low) // d) + 1 for low, h, d in zip(self.low, self.high, self.step, strict=True)]
        self.shape = (shape[0], shape[1])
        self.cell: list[
            IntArray
        ] = []  # first level of both maxima at which an option is allowed; beyond the grid it never is
        for stage in self.stages:
            at = [
                np.maximum(0, -((low - p) // d))
                for p, low, d in zip((stage.forward, stage.backward), self.low, self.step, strict=True)
            ]
            self.cell.append(np.where((at[0] < shape[0]) & (at[1] < shape[1]), at[0] * shape[1] + at[1], -1))

    def _values(self, prices: Prices) -> tuple[FloatArray, list[FloatArray]]:
        """(least value for every pair of levels, cost of every row of every stage)."""
        total = np.full(self.shape, float(self.fixed))
        costs = []
        self.squares: list[FloatArray] = []
        for s, (own, cell) in enumerate(zip(self.stages, self.cell, strict=True)):
            cost = own.time + own.cost(prices)
            if s == 0:
                cost = cost + own.update
            costs.append(cost)
            inside = cell >= 0
            table = np.full(self.shape[0] * self.shape[1], np.inf)
            np.minimum.at(table, cell[inside], cost[inside])
            square = np.minimum.accumulate(np.minimum.accumulate(table.reshape(self.shape), axis=0), axis=1)
            total += square
            self.squares.append(square)
        for axis in (0, 1):  # what lies between two levels counts as just above the lower one
            at = self.low[axis] + self.step[axis] * (np.arange(self.shape[axis]) - 1) + 1
            at[0] = self.low[axis]
            total += self.again * (at[:, None] if axis == 0 else at[None, :])
        return total, costs

    def minimise(self, prices: Prices, more: bool = False) -> Minimum:
        value, costs = self._values(prices)
        best = divmod(int(value.argmin()), self.shape[1])
        points = [best]
        if more:
            for d in (-9, -6, -4, -2, -1, 1, 2, 4, 6, 9):
                for point in ((best[0] + d, best[1] + d), (best[0] + d, best[1]), (best[0], best[1] + d)):
                    inside = 0 <= point[0] < self.shape[0] and 0 <= point[1] < self.shape[1]
                    if inside and np.isfinite(value[point]):
                        points.append(point)
        rows = [self._rows(p, costs) for p in points]
        return Minimum(float(value[best]), rows[0], tuple(rows[1:]))

    def _rows(self, point: tuple[int, int], costs: list[FloatArray]) -> IntArray:
        rows = []
        for cell, cost in zip(self.cell, costs, strict=True):
            allowed = (cell >= 0) & (cell // self.shape[1] <= point[0]) & (cell % self.shape[1] <= point[1])
            rows.append(int(np.where(allowed, cost, np.inf).argmin()))
        return np.array(rows, dtype=np.int64)

    def forced(self, prices: Prices) -> list[FloatArray]:
        value, costs = self._values(prices)
        result = []
        for square, cell, cost in zip(self.squares, self.cell, costs, strict=True):
            with np.errstate(invalid="ignore"):  # inf - inf: cells that no choice reaches
                rest = np.where(np.isfinite(value), value - square, np.inf)[::-1, ::-1]
            after = np.minimum.accumulate(np.minimum.accumulate(rest, axis=0), axis=1)[::-1, ::-1].ravel()
            result.append(np.where(cell >= 0, after[cell] + cost, np.inf))
        return result

    def relaxed(self, rows: IntArray) -> int:
        picked = [(int(s.forward[r]), int(s.backward[r])) for s, r in zip(self.stages, rows, strict=True)]
        slowest = [max(self.links[axis], *(p[axis] for p in picked)) for axis in (0, 1)]
        return self.fixed + sum(map(sum, picked)) + int(self.stages[0].update[rows[0]]) + self.again * sum(slowest)

    def exchanged(self, rows: IntArray) -> list[FloatArray]:
        picked = [(own.forward[r], own.backward[r], own.time[r]) for own, r in zip(self.stages, rows, strict=True)]
        forward, backward, time = (np.array(column) for column in zip(*picked, strict=True))
        update = int(self.stages[0].update[rows[0]])
        result = []
        for s, own in enumerate(self.stages):
            slowest = [
                np.maximum(passes, max(int(np.delete(mine, s).max(initial=0)), link))
                for passes, mine, link in zip((own.forward, own.backward), (forward, backward), self.links, strict=True)
            ]
            total = self.fixed + int(time.sum() - time[s]) + own.time + (own.update if s == 0 else update)
            result.append((total + self.again * (slowest[0] + slowest[1])).astype(np.float64))
        return result

    def _confine(self, prices: Prices, most: float) -> None:
        value, _ = self._values(prices)
        good = value <= most
        for axis in (0, 1):
            at = np.flatnonzero(good.any(axis=1 - axis))
            if len(at):
                low, d = self.low[axis], self.step[axis]
                self.high[axis] = min(self.high[axis], low + int(at[-1]) * d)
                self.low[axis] = low + (int(at[0]) - 1) * d + 1 if at[0] else low
