"""A quick good choice for a stage selection: prices on area and power, and thresholds on the stage time.

It is where solvers start, and it sets the scale of the integer problem; it proves nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from accmine.problems.limits import TDP
from accmine.problems.stage_selection.problem import Problem
from accmine.problems.stage_selection.rounding import UNIT
from accmine.system import LONG

__all__ = ["FirstLook", "SlotArrays", "first_look"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

_PRICES = (0.0, *(float(p) for p in np.logspace(-3, 3, 37)))
_THRESHOLDS = 64
_SIMULATED = 8  # trials of a long pipeline whose timeline is simulated, those of least bound


@dataclass(frozen=True, slots=True, eq=False)
class SlotArrays:
    """A slot as arrays.

    Attributes
    ----------
    picks
        Candidate of every member; shape (options, members).
    costs
        As the limits count them, in the order of ``COSTS``; shape (costs, options).
    """

    picks: IntArray
    costs: IntArray


@dataclass(frozen=True)
class FirstLook:
    """A quick estimate of a good choice.

    Attributes
    ----------
    steps, power_w
        Aggregated relative step and Σ TDP of the best choice tried, or of the fastest when none fits.
    picked
        Option of each slot of that choice; ``None`` when none fits.
    """

    steps: float
    power_w: float
    picked: tuple[int, ...] | None


@dataclass(frozen=True, eq=False)
class _Times:
    """Relative times of the options of a slot; forward, backward and update have shape (members, options)."""

    forward: FloatArray
    backward: FloatArray
    update: FloatArray
    load: FloatArray


def _times(
    problem: Problem,
    groups: Sequence[Sequence[tuple[int, int]]],
    arrays: Sequence[SlotArrays],
    shares: Sequence[Fraction],
) -> list[_Times]:
    """Relative times of all options, and the busy time of the slowest member stage of each."""
    result = []
    for members, array in zip(groups, arrays, strict=True):
        phases: list[list[FloatArray]] = [[], [], []]
        busy = []
        for position, (w, s) in enumerate(members):
            pipeline = problem.pipelines[w]
            rows = [c.phases for c in pipeline.stages[s].candidates]
            forward, backward, update = np.array(rows, dtype=float)[array.picks[:, position]].T * float(shares[w])
            busy.append(pipeline.microbatches * (forward + backward) + update)
            for row, own in zip(phases, (forward, backward, update), strict=True):
                row.append(own)
        times = [np.array(row) for row in phases]
        result.append(_Times(times[0], times[1], times[2], np.maximum.reduce(busy)))
    return result


def _padded(rows: Sequence[FloatArray]) -> FloatArray:
    """Rows of different length as one array; infinity where a row has ended."""
    table = np.full((len(rows), max(map(len, rows))), np.inf)
    for i, row in enumerate(rows):
        table[i, : len(row)] = row
    return table


def _proposals(loads: list[FloatArray], costs: list[list[FloatArray]]) -> IntArray:
    """Options of each slot: cheapest of load + price · cost, and of cost alone under thresholds on the load.

    A cost is each of ``costs`` (per cost and slot, over its limit), and their mean.
    """
    scale = sum(float(load.min()) for load in loads)
    every = np.unique(np.concatenate(loads))
    floor = max(float(load.min()) for load in loads)
    every = every[every >= floor]
    thresholds = every[np.unique(np.linspace(0, len(every) - 1, _THRESHOLDS).astype(int))]
    # by load within each slot: of equal costs the first is the fastest
    order = [np.argsort(load, kind="stable") for load in loads]
    place = np.array([np.pad(o, (0, max(map(len, loads)) - len(o))) for o in order])
    load, *each = (_padded([row[o] for row, o in zip(table, order, strict=True)]) for table in (loads, *costs))
    relative = load / scale
    trials = []
    for cost in (*each, sum(each) / len(each)):
        trials += [np.argmin(relative + price * cost if price else relative, axis=1) for price in _PRICES]
        trials += [np.argmin(np.where(load <= limit, cost, np.inf), axis=1) for limit in thresholds]
    picked = np.take_along_axis(place, np.unique(np.array(trials), axis=0).T, axis=1).T
    return np.ascontiguousarray(picked, dtype=np.int64)


def _steps(
    problem: Problem,
    groups: Sequence[Sequence[tuple[int, int]]],
    times: Sequence[_Times],
    shares: Sequence[Fraction],
    picked: IntArray,
    exact: bool,
) -> FloatArray:
    """Aggregated relative step of each trial, or a bound of it; shape (trials,)."""
    phases: list[list[list[FloatArray]]] = [
        [[np.empty(0)] * len(p.stages) for _ in range(3)] for p in problem.pipelines
    ]
    for i, (members, own) in enumerate(zip(groups, times, strict=True)):
        for position, (w, s) in enumerate(members):
            for row, table in zip(phases[w], (own.forward, own.backward, own.update), strict=True):
                row[s] = table[position, picked[:, i]]
    each: list[Any] = []
    for w, pipeline in enumerate(problem.pipelines):
        links = [(there * float(shares[w]), back * float(shares[w])) for there, back in pipeline.transfer_s]
        forward, backward, update = phases[w]
        phase_s = forward, backward, update
        each.append(problem.value.step(pipeline.schedule, phase_s, links, pipeline.microbatches, exact=exact))
    return np.asarray(problem.joining.joined(each), dtype=float)


def first_look(
    problem: Problem,
    groups: Sequence[Sequence[tuple[int, int]]],
    arrays: Sequence[SlotArrays],
    limits: Sequence[int | None],
    shares: Sequence[Fraction],
) -> FirstLook:
    """The best of some hundred choices by prices and by thresholds.

    Parameters
    ----------
    groups
        (pipeline, stage) pairs that each slot covers.
    limits
        In the order of ``COSTS``.
    """
    if not all(len(own.picks) for own in arrays):
        return FirstLook(1.0, 1.0, None)  # no choice exists at all: any scale serves
    costs = [[own.costs[k].astype(float) for own in arrays] for k in range(len(limits))]
    relative = []
    for limit, own in zip(limits, costs, strict=True):
        scale = float(limit or sum(float(x.min()) for x in own) or 1.0)
        relative.append([x / scale for x in own])
    times = _times(problem, groups, arrays, shares)
    picked = _proposals([t.load for t in times], relative)
    used = [sum((x[picked[:, i]] for i, x in enumerate(own)), np.zeros(len(picked))) for own in costs]
    fits = np.ones(len(picked), dtype=bool)
    for total, limit in zip(used, limits, strict=True):
        if limit is not None:
            fits &= total <= limit
    power_w = used[TDP.index] * float(UNIT)
    rank = problem.value.valued(np.ones(len(picked)), power_w)
    if sum(len(p.stages) * p.microbatches for p in problem.pipelines) >= LONG and problem.value.timeline:
        rough = np.where(fits | ~fits.any(), _steps(problem, groups, times, shares, picked, exact=False) * rank, np.inf)
        some = np.argsort(rough, kind="stable")[:_SIMULATED]
        picked, fits, power_w, rank = picked[some], fits[some], power_w[some], rank[some]
    steps = _steps(problem, groups, times, shares, picked, exact=True)
    if problem.least_throughput > 0:
        fits &= steps * problem.least_throughput <= 1.0
    if not fits.any():
        index = int(np.argmin(steps))
        return FirstLook(float(steps[index]), float(power_w[index]), None)
    index = int(np.argmin(np.where(fits, steps * rank, np.inf)))
    return FirstLook(float(steps[index]), float(power_w[index]), tuple(picked[index].tolist()))
