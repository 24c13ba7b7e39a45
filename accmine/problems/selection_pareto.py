"""Options of a stage selection that can matter: undominated, and affordable beside the cheapest of the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from accmine.problems.selection_integers import SelectionNumbers, Slot

__all__ = ["BOUND_METHOD", "Floor", "affordable", "lower_bound", "undominated", "useful_options"]

BOUND_METHOD = "timeline with the shortest time of every phase of every stage, least power of every slot"


@dataclass(frozen=True, slots=True)
class Floor:
    """Lower bounds of every choice: aggregated steps in ticks, Σ TDP in power units, and the integer objective."""

    steps: int
    power: int
    score: int


def _columns(numbers: SelectionNumbers, slot: Slot) -> npt.NDArray[np.int64]:
    """What counts about each option, less is better; shape (options, measures)."""
    columns: list[list[int]] = []
    for position, (w, s) in enumerate(slot.members):
        pipeline = numbers.pipelines[w]
        phases = [
            [table[s][o.picks[position]] for o in slot.options]
            for table in (pipeline.forward, pipeline.backward, pipeline.update)
        ]
        if numbers.objective == "bottleneck":
            columns.append([f + b for f, b in zip(phases[0], phases[1], strict=True)])
        else:
            columns += phases
    if numbers.area_limit is not None:
        columns.append([o.area for o in slot.options])
    if numbers.tdp_limit is not None or numbers.objective == "throughput-per-tdp":
        columns.append([o.tdp for o in slot.options])
    return np.array(columns, dtype=np.int64).T.reshape(len(slot.options), -1)


def undominated(measures: npt.NDArray[np.int64]) -> list[int]:
    """Rows that no other row beats or equals in every column; of equal rows the first. Shape (rows, columns).

    Replacing a dominated option by the one that beats it keeps every limit and worsens no timeline, because the
    step time is monotone in every duration.
    """
    kept: list[int] = []
    order = np.lexsort((np.arange(len(measures)), measures.sum(axis=1)))  # a row is beaten only by one before it
    front = np.empty((0, measures.shape[1]), dtype=np.int64)
    for row in order:
        if not (front <= measures[row]).all(axis=1).any():
            kept.append(int(row))
            front = np.vstack([front, measures[row]])
    return sorted(kept)


def affordable(numbers: SelectionNumbers) -> list[list[int]]:
    """Options of each slot that fit within each limit when all other slots take their cheapest.

    An empty list means that the slot, and so the problem, has no choice.
    """
    result = [list(range(len(slot.options))) for slot in numbers.slots]
    if not all(result):
        return [[] for _ in result]
    for limit, name in ((numbers.area_limit, "area"), (numbers.tdp_limit, "tdp")):
        if limit is None:
            continue
        least = [min(getattr(o, name) for o in slot.options) for slot in numbers.slots]
        spare = limit - sum(least)
        for i, slot in enumerate(numbers.slots):
            result[i] = [o for o in result[i] if getattr(slot.options[o], name) - least[i] <= spare]
    return result


def useful_options(numbers: SelectionNumbers) -> list[list[int]]:
    """Affordable options of each slot that no affordable one dominates; an optimum uses only these."""
    result: list[list[int]] = []
    for slot, kept in zip(numbers.slots, affordable(numbers), strict=True):
        if not kept:
            result.append([])
            continue
        measures = _columns(numbers, slot)[kept]
        result.append([kept[row] for row in undominated(measures)])
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
        power += min(slot.options[o].power for o in options)
        for position, (w, s) in enumerate(slot.members):
            p = numbers.pipelines[w]
            picks = [slot.options[o].picks[position] for o in options]
            if numbers.objective == "bottleneck":
                phases[w][0][s] = min(p.forward[s][c] + p.backward[s][c] for c in picks)
                continue
            for row, table in zip(phases[w], (p.forward, p.backward, p.update), strict=True):
                row[s] = min(table[s][c] for c in picks)
    each = [numbers.pipeline_step(p, *rows) for p, rows in zip(numbers.pipelines, phases, strict=True)]
    steps = max(each) if numbers.aggregate == "worst" else sum(each)
    return Floor(steps, power, steps * power if numbers.objective == "throughput-per-tdp" else steps)
