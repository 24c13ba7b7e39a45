"""Lower front: every feasible design of a stage, reduced to few candidates that none of them can beat.

Designs are put into boxes of similar area and TDP. A box becomes one candidate with the least bound of
each phase time, the least area and the least TDP of its designs: a selection among these candidates is a
relaxation of the selection among all designs, so its optimum is a bound of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

import numpy as np
import numpy.typing as npt

from accmine.ports import NEVER, Clock
from accmine.problems.design_search.problem import Problem
from accmine.problems.design_search.space_bound import Block, batches, blocks, phase_bounds_of

__all__ = ["LowerCandidate", "lower_front"]

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LowerCandidate:
    """No design of its box is faster in any phase, smaller or cooler.

    Attributes
    ----------
    phase_s
        Bound of each phase of each task in seconds.
    """

    phase_s: tuple[tuple[float, ...], ...]
    area_mm2: float
    tdp_w: float


def lower_front(
    problem: Problem, clock: Clock = NEVER, *, boxes: int = 200, rounds: int = 5
) -> tuple[list[LowerCandidate], int]:
    """The candidates for the tasks of ``problem`` and the number of feasible designs.

    Parameters
    ----------
    clock
        When no more longest paths are added.
    boxes
        Steps into which the range of area, and of TDP, is cut.
    rounds
        How often the blocks that make the front get their longest paths; the front is valid after each.
    """
    found = list(blocks(problem))
    if not found:
        return [], 0
    feasible = sum(int(block.fits.sum()) for block in found)
    rows = _rows(problem, list(enumerate(found)), paths=False)
    full = np.zeros(len(found), dtype=bool)
    front = _front(np.concatenate(rows))
    for _ in range(rounds):
        weak = [int(i) for i in np.unique(front[:, 0]).astype(int) if not full[i]]
        if not weak:
            break
        for part in batches(weak, 16):
            if clock.over():
                break
            for index, table in zip(part, _rows(problem, [(i, found[i]) for i in part], paths=True), strict=True):
                rows[index], full[index] = table, True
        else:
            front = _front(np.concatenate(rows))
            continue
        break
    ends = np.cumsum([len(task.phases) for task in problem.tasks]).tolist()
    cuts = list(zip([0, *ends], ends, strict=False))
    return [
        LowerCandidate(tuple(tuple(row[2 + a : 2 + b]) for a, b in cuts), row[0], row[1])
        for row in _boxed(np.concatenate(rows), boxes).tolist()
    ], feasible


def _rows(problem: Problem, numbered: Sequence[tuple[int, Block]], *, paths: bool) -> list[FloatArray]:
    """Block index, area, TDP and phase times of each feasible design, by block; shape (designs, 3 + phases)."""
    found = []
    for part in batches(numbered):
        bounds = phase_bounds_of(problem, [block for _, block in part], paths=paths)
        for (index, block), by_task in zip(part, bounds, strict=True):
            columns = [block.area_mm2, block.tdp_w, *(phase for own in by_task for phase in own)]
            table = np.stack([column[block.fits] for column in columns], axis=1)
            found.append(np.concatenate([np.full((len(table), 1), float(index)), table], axis=1))
    return found


def _front(table: FloatArray) -> FloatArray:
    """Rows that no other row beats in total time at no more area: enough to find the blocks that matter."""
    total = table[:, 3:].sum(axis=1)
    order = np.lexsort((total, table[:, 1]))
    best = np.minimum.accumulate(total[order])
    keep = np.ones(len(order), dtype=bool)
    keep[1:] = total[order][1:] < best[:-1]
    return table[order[keep]]


def _boxed(table: FloatArray, boxes: int) -> FloatArray:
    """(area, TDP, phase times) of each box that no other box beats."""
    area, tdp = table[:, 1], table[:, 2]
    step_a = max((area.max() - area.min()) / boxes, 1e-9)
    step_p = max((tdp.max() - tdp.min()) / boxes, 1e-9)
    row, column = ((area - area.min()) // step_a).astype(np.int64), ((tdp - tdp.min()) // step_p).astype(np.int64)
    box = row * (boxes + 2) + column
    names, at = np.unique(box, return_inverse=True)
    least = np.full((len(names), table.shape[1] - 1), inf)
    np.minimum.at(least, at, table[:, 1:])
    return _undominated(least)


def _undominated(rows: FloatArray) -> FloatArray:
    """Rows (area, TDP, times) that no other row matches or beats in every column."""
    rows = rows[np.lexsort(rows.T[::-1])]
    kept: list[FloatArray] = []
    table = np.empty((0, rows.shape[1]))
    for row in rows:
        if kept and bool((table[: len(kept)] <= row).all(axis=1).any()):
            continue
        if len(kept) == len(table):
            table = np.concatenate([table, np.empty((max(64, len(table)), rows.shape[1]))])
        table[len(kept)] = row
        kept.append(row)
    return np.array(kept)
