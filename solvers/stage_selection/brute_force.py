"""Every choice of a stage selection, one by one: the proof that needs no theory, for small problems."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from accmine.errors import InputError
from accmine.ports import Incumbent, Stop
from accmine.problems.stage_selection import KIND, Problem, Solution, bound, check, objective, sense
from accmine.problems.stage_selection.integers import SelectionNumbers, integers
from accmine.result import Result, Status, StopReason

from .why_not import explain

__all__ = ["MOST_CHOICES", "BruteForce"]

MOST_CHOICES = 2_000_000
"""Largest number of choices that is enumerated."""

_CHUNK = 1 << 14
IntArray = npt.NDArray[np.int64]


class BruteForce:
    """Enumerates all choices of a stage selection, limits or not, and keeps the first of the best.

    ``stop.work`` is the number of choices looked at; ``stop.seconds`` and Ctrl-C are looked at between chunks.
    """

    name = "brute-force"

    def solve(
        self,
        problem: Any,
        *,
        stop: Stop,
        seed: int = 0,
        hint: Any | None = None,
        on_progress: Incumbent | None = None,
    ) -> Result[Any]:
        """Decide ``problem``; see ``accmine.ports.Solver``. ``seed`` changes nothing: all choices are seen.

        Raises
        ------
        InputError
            If it is no stage selection, has more than :data:`MOST_CHOICES` choices, or the hint is not valid.
        """
        if not isinstance(problem, Problem):
            raise InputError(f"brute-force enumerates {KIND} problems only")
        deadline, begin = stop.deadline(), time.monotonic()
        numbers = integers(problem)
        count = math.prod(len(slot.options) for slot in numbers.slots)
        if count > MOST_CHOICES:
            raise InputError(
                f"brute-force: {count} choices, at most {MOST_CHOICES} are enumerated; take highs or cp-sat"
            )
        if hint is not None and (wrong := check(problem, hint)):
            raise InputError(f"the hint is not a solution: {'; '.join(wrong)}")
        best = None if hint is None else (numbers.score(hint.choice), hint)
        floor, method = bound(problem)
        most = count if stop.work is None else min(count, int(stop.work))
        reason, done = StopReason.PROVED, 0
        trace: list[tuple[float, float | int | None, float | int | None]] = []
        try:
            while done < most:
                if time.monotonic() >= deadline:
                    reason = StopReason.TIME
                    break
                picked = _options(numbers, done, min(done + _CHUNK, most))
                best = _better(numbers, picked, best)
                done += len(picked)
                value = None if best is None else objective(problem, best[1])
                if best is not None and (not trace or trace[-1][1] != value):
                    trace.append((round(time.monotonic() - begin, 6), value, floor))
                    if on_progress is not None:
                        on_progress(*trace[-1])
        except KeyboardInterrupt:
            reason = StopReason.INTERRUPTED
        proved = done >= count
        if not proved and reason is StopReason.PROVED:
            reason = StopReason.TIME  # the work limit
        value = None if best is None else objective(problem, best[1])
        status = Status.UNKNOWN if best is None else Status.FEASIBLE
        if proved:
            status = Status.INFEASIBLE if best is None else Status.OPTIMAL
        conflict, remedy = explain(problem) if status is Status.INFEASIBLE else ((), ())
        return Result(
            kind=KIND,
            solver=self.name,
            status=status,
            stop=reason,
            objective=value,
            bound=value if proved else floor,
            bound_method=f"all {count} choices" if proved else method,
            solution=None if best is None else best[1],
            seconds=time.monotonic() - begin,
            seed=seed,
            sense=sense(problem),
            trace=tuple(trace),
            conflict=conflict,
            remedy=remedy,
        )


def _options(numbers: SelectionNumbers, first: int, last: int) -> IntArray:
    """Option of each slot of the choices ``first`` to ``last``; shape (choices, slots)."""
    shape = [len(slot.options) for slot in numbers.slots]
    return np.stack(np.unravel_index(np.arange(first, last), shape), axis=1).astype(np.int64)


def _better(
    numbers: SelectionNumbers, picked: IntArray, best: tuple[int, Solution] | None
) -> tuple[int, Solution] | None:
    """The best of ``best`` and the choices that meet all limits."""
    fits = np.ones(len(picked), dtype=bool)
    for limit, name in ((numbers.area_limit, "area"), (numbers.tdp_limit, "tdp")):
        if limit is not None:
            fits &= _sum(numbers, picked, name) <= limit
    steps = _steps(numbers, picked)
    if numbers.step_limit is not None:
        fits &= steps <= numbers.step_limit
    for row in _least(numbers, picked, steps, fits):
        choice = numbers.choice([int(o) for o in picked[row]])
        score = numbers.score(choice)
        if best is None or score < best[0]:
            best = (score, Solution(choice))
    return best


def _least(numbers: SelectionNumbers, picked: IntArray, steps: IntArray, fits: npt.NDArray[np.bool_]) -> Iterator[int]:
    """Rows that can be the best of the chunk: the first of least score, several if floats cannot tell them apart."""
    rows = np.flatnonzero(fits)
    if not len(rows):
        return
    scores = steps[rows].astype(float)
    if numbers.objective == "throughput-per-tdp":
        scores = scores * _sum(numbers, picked[rows], "power")
    yield from (int(r) for r in rows[scores <= scores.min() * (1 + 1e-12)])


def _sum(numbers: SelectionNumbers, picked: IntArray, name: str) -> IntArray:
    """Σ of a cost over the slots; shape (choices,)."""
    total = np.zeros(len(picked), dtype=np.int64)
    for i, slot in enumerate(numbers.slots):
        total += np.array([getattr(o, name) for o in slot.options], dtype=np.int64)[picked[:, i]]
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
    total: IntArray = np.maximum.reduce(each) if numbers.aggregate == "worst" else np.sum(each, axis=0)
    return total
