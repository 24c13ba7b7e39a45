"""A quick good choice for a stage selection: prices on area and power, and thresholds on the stage time.

It is where solvers start, and it sets the scale of the integer problem; it proves nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from accmine.pipeline.timeline import step_time
from accmine.problems.stage_selection import KIND, Problem, Solution, bound, objective, sense
from accmine.result import Result, Status, StopReason

if TYPE_CHECKING:
    from accmine.problems.selection_integers import SelectionNumbers, Slot

__all__ = ["estimate", "greedy", "greedy_result"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

_PRICES = (0.0, *(float(p) for p in np.logspace(-3, 3, 37)))
_MIXES = (0.0, 0.5, 1.0)  # share of area in the price; the rest is TDP
_THRESHOLDS = 64


@dataclass(frozen=True)
class _Trial:
    """Choices tried at once: option of each slot, shape (trials, slots), with their value."""

    picked: IntArray
    steps: FloatArray
    fits: npt.NDArray[np.bool_]
    power_w: FloatArray

    def best(self, product: bool) -> int | None:
        """Index of the best choice within the limits."""
        if not self.fits.any():
            return None
        value = self.steps * self.power_w if product else self.steps
        return int(np.argmin(np.where(self.fits, value, np.inf)))


def _loads(problem: Problem, slots: Sequence[Slot], shares: Sequence[Fraction]) -> list[FloatArray]:
    """Busy time of the slowest member stage of each option, relative to the reference."""
    loads = []
    for slot in slots:
        rows = []
        for option in slot.options:
            busy = []
            for (w, s), pick in zip(slot.members, option.picks, strict=True):
                pipeline = problem.pipelines[w]
                c = pipeline.stages[s].candidates[pick]
                busy.append((pipeline.microbatches * (c.forward_s + c.backward_s) + c.update_s) * float(shares[w]))
            rows.append(max(busy))
        loads.append(np.array(rows, dtype=float))
    return loads


def _proposals(loads: list[FloatArray], prices: list[tuple[FloatArray, FloatArray]]) -> IntArray:
    """Options of each slot: cheapest of load + price · cost, and of cost alone under thresholds on the load."""
    scale = sum(float(load.min()) for load in loads)
    every = np.unique(np.concatenate(loads))
    floor = max(float(load.min()) for load in loads)
    every = every[every >= floor]
    thresholds = every[np.unique(np.linspace(0, len(every) - 1, _THRESHOLDS).astype(int))]
    trials = []
    for mix in _MIXES:
        costs = [mix * area + (1 - mix) * tdp for area, tdp in prices]
        for price in _PRICES:
            priced = [load / scale + price * cost for load, cost in zip(loads, costs, strict=True)]
            trials.append([int(np.argmin(row)) for row in priced])
        for limit in thresholds:
            trials.append(
                [
                    int(np.lexsort((load, np.where(load <= limit, cost, np.inf)))[0])
                    for load, cost in zip(loads, costs, strict=True)
                ]
            )
    return np.unique(np.array(trials, dtype=np.int64), axis=0)


def _steps(problem: Problem, slots: Sequence[Slot], shares: Sequence[Fraction], picked: IntArray) -> FloatArray:
    """Aggregated relative step of each trial; shape (trials,)."""
    chosen: dict[tuple[int, int], IntArray] = {}
    for i, slot in enumerate(slots):
        picks = np.array([option.picks for option in slot.options], dtype=np.int64)
        for position, member in enumerate(slot.members):
            chosen[member] = picks[picked[:, i], position]
    each: list[Any] = []
    for w, pipeline in enumerate(problem.pipelines):
        times = []
        for s, stage in enumerate(pipeline.stages):
            table = np.array([(c.forward_s, c.backward_s, c.update_s) for c in stage.candidates])
            times.append(table[chosen[w, s]] * float(shares[w]))
        forward, backward, update = ([t[:, phase] for t in times] for phase in range(3))
        if problem.objective == "bottleneck":
            slowest = np.maximum.reduce([f + b for f, b in zip(forward, backward, strict=True)])
            link = max((t for pair in pipeline.transfer_s for t in pair), default=0.0) * float(shares[w])
            each.append(pipeline.microbatches * np.maximum(slowest, link))
        else:
            links = [(there * float(shares[w]), back * float(shares[w])) for there, back in pipeline.transfer_s]
            each.append(step_time(pipeline.schedule, forward, backward, update, links, pipeline.microbatches))
    total = np.maximum.reduce(each) if problem.aggregate == "worst" else np.sum(each, axis=0)
    return np.asarray(total, dtype=float)


def _try(
    problem: Problem,
    slots: Sequence[Slot],
    area_limit: int | None,
    tdp_limit: int | None,
    shares: Sequence[Fraction],
) -> _Trial:
    area = [np.array([o.area for o in slot.options], dtype=float) for slot in slots]
    tdp = [np.array([o.tdp for o in slot.options], dtype=float) for slot in slots]
    prices = []
    for a, p in zip(area, tdp, strict=True):
        area_scale = area_limit or sum(float(x.min()) for x in area) or 1.0
        tdp_scale = tdp_limit or sum(float(x.min()) for x in tdp) or 1.0
        prices.append((a / area_scale, p / tdp_scale))
    picked = _proposals(_loads(problem, slots, shares), prices)
    fits = np.ones(len(picked), dtype=bool)
    used_tdp: FloatArray = np.zeros(len(picked))
    for limit, name in ((area_limit, "area"), (tdp_limit, "tdp")):
        used = np.zeros(len(picked), dtype=np.int64)
        for i, slot in enumerate(slots):
            used += np.array([getattr(o, name) for o in slot.options], dtype=np.int64)[picked[:, i]]
        if limit is not None:
            fits &= used <= limit
        used_tdp = np.asarray(used * 1e-9, dtype=np.float64)  # of the last, the TDP
    steps = _steps(problem, slots, shares, picked)
    if problem.least_throughput > 0:
        fits &= steps * problem.least_throughput <= 1.0
    return _Trial(picked, steps, fits, used_tdp)


def estimate(
    problem: Problem,
    slots: Sequence[Slot],
    area_limit: int | None,
    tdp_limit: int | None,
    shares: Sequence[Fraction],
) -> tuple[float, float]:
    """(aggregated relative step, Σ TDP in W) of the best choice found, or the fastest tried when none fits."""
    if not all(slot.options for slot in slots):
        return 1.0, 1.0  # no choice exists at all: any scale serves
    trial = _try(problem, slots, area_limit, tdp_limit, shares)
    best = trial.best(problem.objective == "throughput-per-tdp")
    index = int(np.argmin(trial.steps)) if best is None else best
    return float(trial.steps[index]), float(trial.power_w[index])


def greedy(problem: Problem, numbers: SelectionNumbers) -> tuple[int, ...] | None:
    """Option of every slot of a choice within all limits, or ``None`` when none was found."""
    if not all(slot.options for slot in numbers.slots):
        return None
    from accmine.problems.selection_integers import shares_of

    trial = _try(problem, numbers.slots, numbers.area_limit, numbers.tdp_limit, shares_of(problem))
    best = trial.best(problem.objective == "throughput-per-tdp")
    if best is None:
        return None
    picked = tuple(int(o) for o in trial.picked[best])
    meets_floor = numbers.step_limit is None or numbers.steps(numbers.choice(picked)) <= numbers.step_limit
    return picked if meets_floor and numbers.fits(picked) else None


def greedy_result(problem: Problem) -> Result[Solution]:
    """The greedy choice as a result, with the bound that needs no search; always the same one."""
    from accmine.problems.selection_integers import integers

    numbers = integers(problem)
    picked = greedy(problem, numbers)
    solution = None if picked is None else Solution(numbers.choice(picked))
    value, method = bound(problem)
    return Result(
        kind=KIND,
        solver="greedy",
        status=Status.UNKNOWN if solution is None else Status.FEASIBLE,
        stop=StopReason.FINISHED,
        objective=None if solution is None else objective(problem, solution),
        bound=value,
        bound_method=method,
        solution=solution,
        sense=sense(problem),
    )
