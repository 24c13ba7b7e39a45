"""Stage selection whose value is that of its slowest slot: bisection over the sorted times of the options.

It applies wherever the score is the largest of one number per slot: ``bottleneck`` with ``aggregate: worst`` or one
pipeline in every mode; one design per pipeline with ``aggregate: worst``, where the number is the simulated step;
and one slot alone, whatever the objective, whose options are looked at one by one. Whether a threshold can be met is a
multiple-choice knapsack with two budgets (``two_budgets``). A threshold that could not be decided counts neither as
met nor as refuted: the answer is then ``feasible``, with the bound of the thresholds that were refuted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from accmine.errors import InputError
from accmine.problems.limits import COSTS
from accmine.problems.stage_selection import Solution
from accmine.problems.stage_selection.integers import SelectionNumbers, integers
from accmine.record import Record
from accmine.result import StopReason

from .two_budgets import Budgets, Slots, Verdict, decide

__all__ = ["BottleneckBisection", "bisect", "decided_by_slowest", "pipeline_steps", "slot_scores"]

IntArray = npt.NDArray[np.int64]

_METHOD = "bisection over the time of the slowest slot; thresholds below refuted by surrogate knapsacks"
_LARGEST = 1 << 61


def decided_by_slowest(numbers: SelectionNumbers) -> bool:
    """Whether the score is the largest of one number per slot."""
    if len(numbers.slots) == 1:
        return True
    if (numbers.aggregate.weighted and len(numbers.pipelines) > 1) or numbers.objective.power:
        return False
    one_each = all(len(slot.members) == len(numbers.pipelines[slot.members[0][0]].forward) for slot in numbers.slots)
    return not numbers.objective.timeline or one_each


def slot_scores(numbers: SelectionNumbers) -> tuple[list[IntArray], int]:
    """(score of each option of each of several slots, least score of all) where :func:`decided_by_slowest`.

    Times beyond 61 bits count as 2^61 - 1; the scores are lower limits then.
    """
    if numbers.objective.timeline:
        return [_step(numbers, i) for i in range(len(numbers.slots))], 0
    return _busy(numbers)


def _saturated(values: list[int]) -> IntArray:
    return np.array([min(v, _LARGEST - 1) for v in values], dtype=np.int64)


def _phase(table: tuple[tuple[int, ...], ...], s: int, picks: IntArray, most: int) -> IntArray:
    return np.array([min(v, most) for v in table[s]], dtype=np.int64)[picks]


def _busy(numbers: SelectionNumbers) -> tuple[list[IntArray], int]:
    """Microbatches x (forward + backward) of the slowest member of every option."""
    scores = []
    for slot, array in zip(numbers.slots, numbers.arrays, strict=True):
        rows = []
        for position, (w, s) in enumerate(slot.members):
            p = numbers.pipelines[w]
            busy = [p.microbatches * (f + b) for f, b in zip(p.forward[s], p.backward[s], strict=True)]
            rows.append(_saturated(busy)[array.picks[:, position]])
        scores.append(np.maximum.reduce(rows))
    return scores, max(p.microbatches * p.link for p in numbers.pipelines)


def _step(numbers: SelectionNumbers, index: int) -> IntArray:
    """Step of the pipeline that a slot covers, for every option."""
    slot, picks = numbers.slots[index], numbers.arrays[index].picks
    w = slot.members[0][0]
    return pipeline_steps(numbers, w, {s: picks[:, i] for i, (_, s) in enumerate(slot.members)})


def pipeline_steps(numbers: SelectionNumbers, w: int, picks: dict[int, IntArray]) -> IntArray:
    """Step of pipeline ``w`` for many candidates of its stages; huge times are cut so that the sums fit 61 bits."""
    p = numbers.pipelines[w]
    most = _LARGEST // (4 * (p.microbatches + 1) * (len(p.forward) + 1))
    phases = [
        [_phase(table, s, picks[s], most) for s in range(len(p.forward))] for table in (p.forward, p.backward, p.update)
    ]
    return np.asarray(numbers.pipeline_step(p, *phases), dtype=np.int64)


def _only_slot(record: Record[Solution], numbers: SelectionNumbers) -> None:
    """The least score among the options of the only slot; one of huge times counts as less than it is."""
    (slot,), (array,) = numbers.slots, numbers.arrays
    columns: dict[int, dict[int, IntArray]] = {}
    for i, (w, s) in enumerate(slot.members):
        columns.setdefault(w, {})[s] = array.picks[:, i]
    each = [pipeline_steps(numbers, w, columns[w]) for w in range(len(numbers.pipelines))]
    fits = np.ones(len(array.picks), dtype=bool)
    for cost, limit in numbers.limited:
        fits &= array.costs[cost.index] <= limit
    scores = []
    for o, steps in enumerate(numbers.aggregate.joined(each).tolist()):
        if fits[o] and (numbers.step_limit is None or steps <= numbers.step_limit):
            scores.append((numbers.objective.valued(steps, slot.options[o].power), o))
    if not scores:
        record.no_solution()
        return
    least, best = min(scores)
    if numbers.start is not None:  # of equal ones the first look's is kept
        record.offer(Solution(numbers.choice(numbers.start)), doubtful=True)
    record.offer(Solution(numbers.choice((best,))), doubtful=True)
    record.raise_bound(least, _METHOD)


@dataclass(frozen=True, eq=False)
class _Table:
    """Affordable options of every slot by rising score, padded; shape (slots, options)."""

    score: IntArray
    option: IntArray
    slots: Slots
    budgets: Budgets


def _table(numbers: SelectionNumbers, scores: list[IntArray]) -> _Table | None:
    """``None`` if a slot has no option that fits beside the cheapest of the others."""
    columns: dict[str, list[IntArray]] = {}
    limits: dict[str, int] = {}
    keep = [score < _LARGEST for score in scores]
    for kind, limit in zip(COSTS, numbers.limits, strict=True):
        name, costs = kind.key, [array.costs[kind.index] for array in numbers.arrays]
        if limit is None:  # nothing to keep within
            columns[name], limits[name] = [np.zeros_like(cost) for cost in costs], 0
            continue
        least = [int(cost.min()) for cost in costs]
        spare = limit - sum(least)
        keep = [own & (cost - low <= spare) for own, cost, low in zip(keep, costs, least, strict=True)]
        columns[name], limits[name] = costs, limit
    if not all(own.any() for own in keep):
        return None
    order = []
    for own, score in zip(keep, scores, strict=True):
        index = np.flatnonzero(own)
        order.append(index[np.argsort(score[index], kind="stable")])
    width = max(map(len, order))

    def padded(rows: list[IntArray], fill: int) -> IntArray:
        table = np.full((len(rows), width), fill, dtype=np.int64)
        for i, (row, at) in enumerate(zip(rows, order, strict=True)):
            table[i, : len(at)] = row[at]
        return table

    return _Table(
        padded(scores, _LARGEST),
        padded([np.arange(len(s)) for s in scores], 0),
        Slots(padded(columns["area"], 0), padded(columns["tdp"], 0)),
        Budgets(limits["area"], limits["tdp"]),
    )


class BottleneckBisection:
    """Exact for scores that are the largest of one number per slot; see the module.

    ``stop.work`` counts thresholds; ``stop.seconds`` and Ctrl-C are looked at before each and inside long ones.
    """

    name = "bisection"

    def search(self, record: Record[Solution]) -> StopReason:
        """Probe thresholds. The seed changes nothing.

        Raises
        ------
        InputError
            If the score is not that of the slowest slot.
        """
        numbers = integers(record.problem)
        if not all(slot.options for slot in numbers.slots):
            record.no_solution()
            return StopReason.PROVED
        if not bisect(record):
            raise InputError(
                f"bisection: {numbers.objective.name} with aggregate {numbers.aggregate.name} is not decided by its "
                "slowest slot; take auto, lagrangian, highs or cp-sat"
            )
        return record.over() or StopReason.FINISHED


def bisect(record: Record[Solution]) -> bool:
    """Find the least threshold that can be met, where the slowest slot decides; what is refuted is the bound.

    Whether it does.
    """
    numbers = integers(record.problem)
    if not decided_by_slowest(numbers):
        return False
    if len(numbers.slots) == 1:
        _only_slot(record, numbers)
    else:
        _bisect(record, numbers, *slot_scores(numbers))
    return True


def _bisect(record: Record[Solution], numbers: SelectionNumbers, scores: list[IntArray], least: int) -> None:
    table = _table(numbers, scores)
    if table is None:
        record.no_solution()
        return
    floor = max(least, int(table.score[:, 0].max()))
    levels = np.unique(table.score[table.score < _LARGEST])
    levels = np.concatenate(([floor], levels[levels > floor]))
    record.raise_bound(floor, _METHOD)
    if numbers.start is not None:
        record.offer(Solution(numbers.choice(numbers.start)), doubtful=True)
    verdicts: dict[int, Verdict] = {}

    def probe(index: int) -> Verdict:
        if index not in verdicts:
            record.work += 1
            verdict, pick = decide(table.slots, table.score <= levels[index], table.budgets, record.over)
            verdicts[index] = verdict
            if pick is not None:
                picked = table.option[np.arange(len(pick)), pick].tolist()
                record.offer(Solution(numbers.choice(picked)), doubtful=True)
            elif verdict is Verdict.NONE:
                if index + 1 == len(levels):
                    record.no_solution()
                else:
                    record.raise_bound(int(levels[index + 1]), _METHOD)
        return verdicts[index]

    # an undecided threshold counts as refuted when the best choice is sought, and as met when the bound is
    for doubtful in (Verdict.NONE, Verdict.FITS):
        low, high = -1, len(levels) - 1  # refuted, and above everything refuted
        while low < high and not record.over():
            if record.score is not None:  # no threshold above the best choice is of interest
                high = min(high, int(np.searchsorted(levels, record.score)))
            middle = (low + high) // 2 if low >= 0 or high > 0 else 0
            middle = max(middle, low + 1)
            if middle >= high and record.score is not None and levels[high] >= record.score:
                break
            verdict = probe(middle)
            verdict = doubtful if verdict is Verdict.UNPROVEN else verdict
            if verdict is Verdict.NONE:
                low = middle
            elif middle == high:
                break
            else:
                high = middle
        if Verdict.UNPROVEN not in verdicts.values():
            break
