"""Every choice of a stage selection, one by one: the proof that needs no theory, for small problems."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from accmine.errors import InputError
from accmine.problems.stage_selection import Solution, bound
from accmine.problems.stage_selection.integers import SelectionNumbers, integers
from accmine.record import Record
from accmine.result import StopReason

__all__ = ["MOST_CHOICES", "BruteForce"]

MOST_CHOICES = 2_000_000
"""Largest number of choices that is enumerated."""

_CHUNK = 1 << 14
IntArray = npt.NDArray[np.int64]


class BruteForce:
    """Enumerates all choices of a stage selection, limits or not, and keeps the first of the best.

    ``stop.work`` is the number of choices looked at; ``stop.seconds`` is looked at between chunks.
    """

    name = "brute-force"

    def search(self, record: Record[Solution]) -> StopReason:
        """Look at one chunk of choices after the other. The seed changes nothing: all are seen.

        Raises
        ------
        InputError
            If there are more than :data:`MOST_CHOICES` choices.
        """
        numbers = integers(record.problem)
        count = math.prod(len(slot.options) for slot in numbers.slots)
        if count > MOST_CHOICES:
            raise InputError(
                f"brute-force: {count} choices, at most {MOST_CHOICES} are enumerated; take highs or cp-sat"
            )
        record.raise_bound(*bound(record.problem))
        most = count if record.stop.work is None else min(count, int(record.stop.work))
        while record.work < most:
            if record.left() <= 0:
                return StopReason.TIME
            first = int(record.work)
            picked = _options(numbers, first, min(first + _CHUNK, most))
            for choice in _best(numbers, picked):
                record.offer(Solution(choice))
            record.work += len(picked)
        if record.work < count:
            return StopReason.TIME  # the work limit
        if record.best is None:
            record.no_solution(f"all {count} choices")
        record.raise_bound(record.score, f"all {count} choices")
        return StopReason.PROVED


def _options(numbers: SelectionNumbers, first: int, last: int) -> IntArray:
    """Option of each slot of the choices ``first`` to ``last``; shape (choices, slots)."""
    shape = [len(slot.options) for slot in numbers.slots]
    return np.stack(np.unravel_index(np.arange(first, last), shape), axis=1).astype(np.int64)


def _best(numbers: SelectionNumbers, picked: IntArray) -> Iterator[tuple[tuple[int, ...], ...]]:
    """The choices that can be the best of those that meet all limits."""
    fits = np.ones(len(picked), dtype=bool)
    for cost, limit in numbers.limited:
        fits &= _sum(picked, [own.costs[cost.index] for own in numbers.arrays]) <= limit
    steps = _steps(numbers, picked)
    if numbers.step_limit is not None:
        fits &= steps <= numbers.step_limit
    for row in _least(numbers, picked, steps, fits):
        yield numbers.choice([int(o) for o in picked[row]])


def _least(numbers: SelectionNumbers, picked: IntArray, steps: IntArray, fits: npt.NDArray[np.bool_]) -> Iterator[int]:
    """Rows that can be the best of the chunk: the first of least score, several if floats cannot tell them apart."""
    rows = np.flatnonzero(fits)
    if not len(rows):
        return
    powers = [np.array([o.power for o in slot.options], dtype=np.int64) for slot in numbers.slots]
    scores = numbers.objective.valued(steps[rows].astype(float), _sum(picked[rows], powers))
    yield from (int(r) for r in rows[scores <= scores.min() * (1 + 1e-12)])


def _sum(picked: IntArray, costs: Sequence[IntArray]) -> IntArray:
    """Σ of a cost over the slots, from that of the options of each; shape (choices,)."""
    total = np.zeros(len(picked), dtype=np.int64)
    for i, own in enumerate(costs):
        total += own[picked[:, i]]
    return total


def _steps(numbers: SelectionNumbers, picked: IntArray) -> IntArray:
    """Aggregated step in ticks; shape (choices,)."""
    chosen: dict[tuple[int, int], IntArray] = {}
    for i, slot in enumerate(numbers.slots):
        table = np.array([o.picks for o in slot.options], dtype=np.int64)
        for position, member in enumerate(slot.members):
            chosen[member] = table[picked[:, i], position]
    each = []
    for w, p in enumerate(numbers.pipelines):
        phases = [
            [np.array(row, dtype=np.int64)[chosen[w, s]] for s, row in enumerate(table)]
            for table in (p.forward, p.backward, p.update)
        ]
        each.append(numbers.pipeline_step(p, *phases))
    return np.asarray(numbers.aggregate.joined(each))
