"""The integer problem of a stage selection: what every solver, bound and check speaks of.

Times become ticks (rounded up), costs become multiples of 1e-9 mm² and W (rounded up; limits rounded down),
and the TDP in the objective becomes power units (rounded up). Data that are short decimals are kept exactly. How fine a
tick is, and what a bound may exceed that of the data by: ``accmine.problems.stage_selection.ticks``.

A *slot* is one decision: a stage (heterogeneous), a pipeline (homogeneous) or everything (common); its options
name a candidate for each stage it covers. So no model needs rows that link stages.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from accmine.errors import InputError
from accmine.problems.limits import COSTS, TDP, Cost
from accmine.problems.stage_selection.first_look import SlotArrays, first_look
from accmine.problems.stage_selection.objectives import Aggregate, Objective
from accmine.problems.stage_selection.problem import Pipeline, Problem
from accmine.problems.stage_selection.rounding import UNIT, exact_value, scaled_up
from accmine.problems.stage_selection.ticks import WIDER, power_rounding, powers_of, rounding, step_limit, ticks_of
from accmine.system import LONG, SCHEDULES

__all__ = [
    "IntegerPipeline",
    "Option",
    "SelectionNumbers",
    "Slot",
    "cost_limit",
    "cost_up",
    "exact_value",
    "integers",
    "shares_of",
]

IntArray = npt.NDArray[np.int64]


def cost_up(value: float) -> int:
    """A cost in ``UNIT``, rounded up."""
    return math.ceil(exact_value(value) / UNIT)


def cost_limit(value: float) -> int:
    """A limit in ``UNIT``, rounded down after the allowance."""
    return math.floor(exact_value(value) * WIDER / UNIT)


@dataclass(frozen=True)
class IntegerPipeline:
    """Times of a pipeline in ticks; ``forward[s][c]`` is that of candidate c of stage s."""

    schedule: str
    microbatches: int
    forward: tuple[tuple[int, ...], ...]
    backward: tuple[tuple[int, ...], ...]
    update: tuple[tuple[int, ...], ...]
    transfer: tuple[tuple[int, int], ...]

    @cached_property
    def link(self) -> int:
        """Slowest message over any boundary, in ticks."""
        return max((t for pair in self.transfer for t in pair), default=0)


class Option(NamedTuple):
    """A way to fill a slot: candidate of each member, and the integer costs (as ``COSTS``) and power that it adds."""

    picks: tuple[int, ...]
    costs: tuple[int, ...]
    power: int


@dataclass(frozen=True, slots=True)
class Slot:
    """One decision: the (pipeline, stage) pairs it covers, and its options in the order of the first candidates."""

    members: tuple[tuple[int, int], ...]
    options: tuple[Option, ...]


@dataclass(frozen=True)
class SelectionNumbers:
    """The integer problem.

    Attributes
    ----------
    ticks
        Ticks per unit of aggregated relative step time.
    powers
        Power units per W in the objective.
    limits
        In ``UNIT``, in the order of ``COSTS``; ``None``: no limit.
    step_limit
        Largest aggregated step in ticks that meets the throughput floor; ``None``: no floor.
    rounding
        Ticks that rounding all durations up adds to an aggregated step, at most; 0 where all are exact.
    power_rounding
        Power units that rounding up adds to the power of all slots, at most; 0 where all are exact.
    start
        Options of a choice that a quick look found within area and TDP; ``None``: none found.
    arrays
        The slots as arrays.
    """

    objective: Objective
    aggregate: Aggregate
    pipelines: tuple[IntegerPipeline, ...]
    slots: tuple[Slot, ...]
    ticks: Fraction
    powers: Fraction
    limits: tuple[int | None, ...]
    step_limit: int | None
    rounding: int
    power_rounding: int
    start: tuple[int, ...] | None
    arrays: tuple[SlotArrays, ...]

    @cached_property
    def limited(self) -> tuple[tuple[Cost, int], ...]:
        """The costs that have a limit, with it."""
        return tuple((cost, limit) for cost, limit in zip(COSTS, self.limits, strict=True) if limit is not None)

    @cached_property
    def _option_of(self) -> list[dict[tuple[int, ...], int]]:
        return [{option.picks: i for i, option in enumerate(slot.options)} for slot in self.slots]

    def choice(self, picked: Sequence[int]) -> tuple[tuple[int, ...], ...]:
        """Candidate of every stage, from the option of every slot."""
        grid = [[0] * len(p.forward) for p in self.pipelines]
        for slot, option in zip(self.slots, picked, strict=True):
            for (w, s), pick in zip(slot.members, slot.options[option].picks, strict=True):
                grid[w][s] = pick
        return tuple(map(tuple, grid))

    def picked(self, choice: Sequence[Sequence[int]]) -> tuple[int, ...]:
        """Option of every slot, from the candidate of every stage; inverse of :meth:`choice`."""
        return tuple(
            options[tuple(choice[w][s] for w, s in slot.members)]
            for slot, options in zip(self.slots, self._option_of, strict=True)
        )

    def pipeline_steps(self, choice: Sequence[Sequence[int]]) -> tuple[int, ...]:
        """Step of each pipeline in ticks: simulated, or of the bottleneck."""
        shapes: dict[tuple[str, int, int], list[int]] = {}
        for w, p in enumerate(self.pipelines):
            shapes.setdefault((p.schedule, len(p.forward), p.microbatches), []).append(w)
        found: dict[int, int] = {}
        for (_, stages, microbatches), group in shapes.items():
            times = {w: self._phases(w, choice[w]) for w in group}
            if self.objective.timeline and len(group) > 1 and stages * microbatches >= LONG:
                found |= self._together(times)
            else:
                found |= {w: int(self.pipeline_step(self.pipelines[w], *times[w])) for w in group}
        return tuple(found[w] for w in range(len(self.pipelines)))

    def _phases(self, w: int, picks: Sequence[int]) -> list[list[int]]:
        """Forward, backward and update times of the stages of pipeline ``w``."""
        p = self.pipelines[w]
        return [[row[c] for row, c in zip(table, picks, strict=True)] for table in (p.forward, p.backward, p.update)]

    def _together(self, times: dict[int, list[list[int]]]) -> dict[int, int]:
        """Simulated steps of pipelines of one shape."""
        table = np.array(list(times.values())).transpose(1, 2, 0)
        first = self.pipelines[next(iter(times))]
        transfer = np.array([self.pipelines[w].transfer for w in times]).reshape(len(times), -1, 2)
        own = SCHEDULES[first.schedule]
        steps = own.steps(table[0], table[1], table[2], transfer.transpose(1, 2, 0), first.microbatches)
        return {w: int(step) for w, step in zip(times, steps, strict=True)}

    def pipeline_step(self, pipeline: IntegerPipeline, forward: Any, backward: Any, update: Any) -> Any:
        """Step of a pipeline in ticks from the times of its stages: ints, or integer arrays of equal shape."""
        own = forward, backward, update
        return self.objective.step(pipeline.schedule, own, pipeline.transfer, pipeline.microbatches)

    def steps(self, choice: Sequence[Sequence[int]]) -> int:
        """Aggregated step in ticks: the worst pipeline's, or the sum (weights are in the ticks)."""
        return int(self.aggregate.joined(self.pipeline_steps(choice)))

    def power(self, choice: Sequence[Sequence[int]]) -> int:
        """Σ TDP in power units."""
        return sum(slot.options[o].power for slot, o in zip(self.slots, self.picked(choice), strict=True))

    def score(self, choice: Sequence[Sequence[int]]) -> int:
        """Integer objective, always minimised: steps, or steps x power for a value per TDP."""
        return int(self.objective.valued(self.steps(choice), self.power(choice) if self.objective.power else 1))

    def value(self, score: int | Fraction) -> float:
        """The objective in the problem's unit (and sense) of a score or a lower bound of it."""
        if not self.objective.power:
            return float(score / self.ticks)
        return float(self.ticks * self.powers / score) if score > 0 else math.inf

    def fits(self, picked: Sequence[int]) -> bool:
        """Whether the options of the slots meet the limits of cost."""
        chosen = [slot.options[o] for slot, o in zip(self.slots, picked, strict=True)]
        return all(sum(o.costs[cost.index] for o in chosen) <= limit for cost, limit in self.limited)


def _groups(problem: Problem) -> list[list[tuple[int, int]]]:
    members = [[(w, s) for s in range(len(p.stages))] for w, p in enumerate(problem.pipelines)]
    if problem.mode == "heterogeneous":
        return [[member] for row in members for member in row]
    return members if problem.mode == "homogeneous" else [[member for row in members for member in row]]


def _picks(problem: Problem, members: list[tuple[int, int]]) -> list[tuple[int, ...]]:
    """Candidates of each option: one design that all members have."""
    stages = [problem.pipelines[w].stages[s] for w, s in members]
    if len(stages) == 1:
        return [(c,) for c in range(len(stages[0].candidates))]
    index = [{c.design: i for i, c in enumerate(stage.candidates)} for stage in stages]
    designs = [c.design for c in stages[0].candidates if all(c.design in row for row in index)]
    return [tuple(row[design] for row in index) for design in designs]


def _counted(problem: Problem, members: list[tuple[int, int]]) -> list[int]:
    """Positions of the members whose costs an option adds: time-shared devices are counted once."""
    if not problem.time_shared:
        return list(range(len(members)))
    longest = max(range(len(problem.pipelines)), key=lambda w: len(problem.pipelines[w].stages))
    return [position for position, (w, _) in enumerate(members) if w == longest]


def _arrays(
    members: list[tuple[int, int]],
    picks: list[tuple[int, ...]],
    counted: list[int],
    costs: list[dict[tuple[int, int], list[int]]],
) -> SlotArrays:
    """The options of a slot."""
    own = [table[members[0]] for table in costs]
    if len(members) > 1:
        own = [[sum(table[members[i]][row[i]] for i in counted) for row in picks] for table in costs]
    try:
        sums = np.array(own, dtype=np.int64).reshape(len(costs), -1)
    except OverflowError:
        raise InputError("areas of 9e9 mm² or TDPs of 9e9 W do not fit 64 bits; leave such designs out") from None
    return SlotArrays(np.array(picks, dtype=np.int64).reshape(-1, len(members)), sums)


def _slot(members: list[tuple[int, int]], picks: list[tuple[int, ...]], own: SlotArrays, powers: Fraction) -> Slot:
    scale = powers * UNIT
    above, below = scale.numerator, scale.denominator
    rows = zip(picks, own.costs.T.tolist(), strict=True)
    return Slot(
        tuple(members),
        tuple(Option(row, tuple(costs), -(-costs[TDP.index] * above // below)) for row, costs in rows),
    )


def _split(flat: list[int], problem: Problem) -> Iterator[tuple[tuple[int, int], list[int]]]:
    """((pipeline, stage), its part) of a list over all candidates."""
    start = 0
    for w, pipeline in enumerate(problem.pipelines):
        for s, stage in enumerate(pipeline.stages):
            yield (w, s), flat[start : start + len(stage.candidates)]
            start += len(stage.candidates)


def _share(problem: Problem, pipeline: Pipeline) -> Fraction:
    """Aggregated relative step time per second of a pipeline's step."""
    share = 1 / exact_value(pipeline.reference_s or 1.0)
    if problem.joining.weighted:
        share *= exact_value(pipeline.weight) / sum(exact_value(p.weight) for p in problem.pipelines)
    return share


def shares_of(problem: Problem) -> list[Fraction]:
    """Aggregated relative step time per second of each pipeline's step."""
    return [_share(problem, pipeline) for pipeline in problem.pipelines]


def _pipeline_numbers(pipeline: Pipeline, ticks_per_s: Fraction) -> IntegerPipeline:
    counts = [len(stage.candidates) for stage in pipeline.stages]
    ends = list(accumulate(counts))

    def table(phase: str) -> tuple[tuple[int, ...], ...]:
        flat = scaled_up([getattr(c, phase) for stage in pipeline.stages for c in stage.candidates], ticks_per_s)
        return tuple(tuple(flat[end - count : end]) for count, end in zip(counts, ends, strict=True))

    ticks = scaled_up([t for pair in pipeline.transfer_s for t in pair], ticks_per_s)
    transfer = tuple(zip(ticks[::2], ticks[1::2], strict=True))
    forward, backward, update = (table(f"{phase}_s") for phase in ("forward", "backward", "update"))
    return IntegerPipeline(pipeline.schedule, pipeline.microbatches, forward, backward, update, transfer)


@lru_cache(maxsize=16)
def integers(problem: Problem) -> SelectionNumbers:
    """The integer problem; the same for every caller.

    Raises
    ------
    InputError
        If an area or a TDP does not fit 64 bits.
    """
    candidates = [c for p in problem.pipelines for s in p.stages for c in s.candidates]
    costs = [dict(_split(scaled_up([getattr(c, cost.name) for c in candidates], 1 / UNIT), problem)) for cost in COSTS]
    groups = _groups(problem)
    picks = [_picks(problem, members) for members in groups]
    arrays = tuple(
        _arrays(members, rows, _counted(problem, members), costs) for members, rows in zip(groups, picks, strict=True)
    )
    limits = tuple(None if limit is None else cost_limit(limit) for limit in problem.limits.values)
    shares = shares_of(problem)
    look = first_look(problem, groups, arrays, limits, shares)
    ticks = ticks_of(problem, look.steps, shares)
    powers = powers_of(problem, look.power_w)
    return SelectionNumbers(
        objective=problem.value,
        aggregate=problem.joining,
        pipelines=tuple(_pipeline_numbers(p, ticks * own) for p, own in zip(problem.pipelines, shares, strict=True)),
        slots=tuple(
            _slot(members, rows, own, powers) for members, rows, own in zip(groups, picks, arrays, strict=True)
        ),
        ticks=ticks,
        powers=powers,
        limits=limits,
        step_limit=step_limit(problem, ticks, shares),
        rounding=rounding(problem, ticks, shares),
        power_rounding=power_rounding(problem, powers),
        start=look.picked,
        arrays=arrays,
    )
