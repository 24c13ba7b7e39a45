"""Options of a stage selection that can matter: undominated, and affordable beside the cheapest of the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from accmine.problems.limits import COSTS, TDP
from accmine.problems.stage_selection.integers import SelectionNumbers

__all__ = ["BOUND_METHOD", "Floor", "affordable", "lower_bound", "undominated", "useful_options"]

IntArray = npt.NDArray[np.int64]

_BLOCK = 256  # rows that are compared at once
_LARGEST = 1 << 61

BOUND_METHOD = "timeline with the shortest time of every phase of every stage, least power of every slot"


@dataclass(frozen=True, slots=True)
class Floor:
    """Lower bounds of every choice: aggregated steps in ticks, Σ TDP in power units, and the integer objective."""

    steps: int
    power: int
    score: int


def _measures(numbers: SelectionNumbers, index: int) -> IntArray:
    """What counts about each option of a slot, less is better; shape (options, measures)."""
    columns: list[Any] = []
    array = numbers.arrays[index]
    for position, (w, s) in enumerate(numbers.slots[index].members):
        pipeline = numbers.pipelines[w]
        phases = [
            [table[s][c] for c in array.picks[:, position].tolist()]
            for table in (pipeline.forward, pipeline.backward, pipeline.update)
        ]
        columns += [_compact(list(row)) for row in zip(*map(numbers.objective.counted, *phases), strict=True)]
    limited = {cost for cost, _ in numbers.limited} | ({TDP} if numbers.objective.power else set())
    columns += [array.costs[cost.index] for cost in COSTS if cost in limited]
    return np.array(columns, dtype=np.int64).T.reshape(len(array.picks), -1)


def _compact(ticks: list[int]) -> IntArray:
    """Times as 62-bit integers; longer ones are replaced by ranks in the same order, far above all others."""
    if max(ticks) < _LARGEST:
        return np.array(ticks, dtype=np.int64)
    rank = {t: i for i, t in enumerate(sorted({t for t in ticks if t >= _LARGEST}))}
    return np.array([t if t < _LARGEST else _LARGEST + rank[t] for t in ticks], dtype=np.int64)


def undominated(measures: IntArray) -> list[int]:
    """Rows that no other row beats or equals in every column; of equal rows the first. Shape (rows, columns).

    Replacing a dominated option by the one that beats it keeps every limit and worsens no timeline, because the
    step time is monotone in every duration.
    """
    # column by column: a row is beaten or equalled only by one before it
    order = np.lexsort((np.arange(len(measures)), *measures.T[::-1]))
    rows = measures[order]
    kept: list[int] = []
    front = rows[:0]
    for start in range(0, len(rows), _BLOCK):
        block = rows[start : start + _BLOCK]
        beaten = _beaten(block, front)
        earlier = np.tri(len(block), k=-1, dtype=bool)
        for column in block.T:
            earlier &= column[None, :] <= column[:, None]
        own = ~(beaten | earlier.any(axis=1))
        kept += order[start : start + _BLOCK][own].tolist()
        front = np.vstack([front, block[own]])
    return sorted(kept)


def _beaten(block: IntArray, front: IntArray) -> npt.NDArray[np.bool_]:
    """Rows of a block that a row of the front beats or equals."""
    beaten = np.zeros(len(block), dtype=bool)
    for start in range(0, len(front), _BLOCK):
        part = front[start : start + _BLOCK]
        better = np.ones((len(block), len(part)), dtype=bool)
        for mine, theirs in zip(block.T, part.T, strict=True):
            better &= theirs[None, :] <= mine[:, None]
        beaten |= better.any(axis=1)
    return beaten


def affordable(numbers: SelectionNumbers) -> list[list[int]]:
    """Options of each slot that fit within each limit when all other slots take their cheapest.

    An empty list means that the slot, and so the problem, has no choice.
    """
    if not all(slot.options for slot in numbers.slots):
        return [[] for _ in numbers.slots]
    fits = [np.ones(len(a.picks), dtype=bool) for a in numbers.arrays]
    for kind, limit in numbers.limited:
        costs = [a.costs[kind.index] for a in numbers.arrays]
        least = [int(cost.min()) for cost in costs]
        spare = limit - sum(least)
        for own, cost, cheapest in zip(fits, costs, least, strict=True):
            np.logical_and(own, cost - cheapest <= spare, out=own)
    return [np.flatnonzero(own).tolist() for own in fits]


def useful_options(numbers: SelectionNumbers) -> list[list[int]]:
    """Affordable options of each slot that no affordable one dominates; an optimum uses only these."""
    result: list[list[int]] = []
    for i, kept in enumerate(affordable(numbers)):
        rows = undominated(_measures(numbers, i)[kept]) if kept else []
        result.append([kept[row] for row in rows])
    return result


def lower_bound(numbers: SelectionNumbers, kept: Sequence[Sequence[int]]) -> Floor | None:
    """Bounds from the best of each quantity alone over the options ``kept``; ``None`` if a slot has no option.

    The timeline is monotone in every duration, so simulating the shortest ones is a valid lower bound.
    """
    if not all(kept):
        return None
    phases = [[[0] * len(p.forward) for _ in range(3)] for p in numbers.pipelines]
    power = 0
    for slot, options in zip(numbers.slots, kept, strict=True):
        chosen = [slot.options[o] for o in options]
        power += min(o.power for o in chosen)
        for position, (w, s) in enumerate(slot.members):
            p = numbers.pipelines[w]
            times = [(p.forward[s][c], p.backward[s][c], p.update[s][c]) for c in (o.picks[position] for o in chosen)]
            counted = zip(*(numbers.objective.counted(*row) for row in times), strict=True)
            for row, own in zip(phases[w], counted, strict=False):  # what does not count stays 0
                row[s] = min(own)
    each = [numbers.pipeline_step(p, *rows) for p, rows in zip(numbers.pipelines, phases, strict=True)]
    steps = int(numbers.aggregate.joined(each))
    return Floor(steps, power, numbers.objective.valued(steps, power))
