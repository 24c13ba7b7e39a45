"""The integer problem of a stage selection: what every solver, bound and check speaks of.

Times become ticks (rounded up), area and TDP become multiples of 1e-9 mm² and W (rounded up; limits rounded down),
and the TDP in the objective becomes power units (rounded up). A tick is chosen so that a good choice takes at most
``RESOLUTION`` ticks: a mixed-integer solver with tolerances of 1e-9 then separates neighbouring objective values.
Data that are short decimals are kept exactly.

A *slot* is one decision: a stage (heterogeneous), a pipeline (homogeneous) or everything (common); its options
name a candidate for each stage it covers. So no model needs rows that link stages.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from accmine.pipeline.timeline import step_time
from accmine.problems.stage_selection import Candidate, Pipeline, Problem

__all__ = [
    "AREA_UNIT",
    "RESOLUTION",
    "TDP_UNIT",
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

AREA_UNIT = Fraction(1, 10**9)
"""mm² per unit of an integer area."""

TDP_UNIT = Fraction(1, 10**9)
"""W per unit of an integer TDP, as the limits count it."""

LIMIT_ALLOWANCE = Fraction(1, 10**9)
"""Relative widening of a limit, so that one computed as the sum of the same floats admits exactly these designs."""

RESOLUTION = 1 << 25
"""Ticks (power units) of a good choice, at most: 3e-8 of its value, and 30 times the solvers' tolerance of 1e-9."""


def exact_value(value: float) -> Fraction:
    """The decimal number as it is written: 0.1 is 1/10."""
    return Fraction(value) if isinstance(value, int) else Fraction(repr(float(value)))


def cost_up(value: float, unit: Fraction) -> int:
    """An area or TDP in ``unit``, rounded up."""
    return math.ceil(exact_value(value) / unit)


def cost_limit(value: float, unit: Fraction) -> int:
    """A limit in ``unit``, rounded down after :data:`LIMIT_ALLOWANCE`."""
    return math.floor(exact_value(value) * (1 + LIMIT_ALLOWANCE) / unit)


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


@dataclass(frozen=True, slots=True)
class Option:
    """A way to fill a slot: candidate of each member, and the integer costs it adds."""

    picks: tuple[int, ...]
    area: int
    tdp: int
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
    area_limit, tdp_limit
        In :data:`AREA_UNIT` and :data:`TDP_UNIT`; ``None``: no limit.
    step_limit
        Largest aggregated step in ticks that meets the throughput floor; ``None``: no floor.
    """

    objective: str
    aggregate: str
    pipelines: tuple[IntegerPipeline, ...]
    slots: tuple[Slot, ...]
    ticks: Fraction
    powers: Fraction
    area_limit: int | None
    tdp_limit: int | None
    step_limit: int | None

    def choice(self, picked: Sequence[int]) -> tuple[tuple[int, ...], ...]:
        """Candidate of every stage, from the option of every slot."""
        grid = [[0] * len(p.forward) for p in self.pipelines]
        for slot, option in zip(self.slots, picked, strict=True):
            for (w, s), pick in zip(slot.members, slot.options[option].picks, strict=True):
                grid[w][s] = pick
        return tuple(map(tuple, grid))

    def picked(self, choice: Sequence[Sequence[int]]) -> tuple[int, ...]:
        """Option of every slot, from the candidate of every stage; inverse of :meth:`choice`."""
        found = []
        for slot in self.slots:
            picks = tuple(choice[w][s] for w, s in slot.members)
            found.append(next(i for i, option in enumerate(slot.options) if option.picks == picks))
        return tuple(found)

    def pipeline_steps(self, choice: Sequence[Sequence[int]]) -> tuple[int, ...]:
        """Step of each pipeline in ticks: simulated, or of the bottleneck."""
        steps = []
        for pipeline, picks in zip(self.pipelines, choice, strict=True):
            phases = [
                [row[c] for row, c in zip(table, picks, strict=True)]
                for table in (pipeline.forward, pipeline.backward, pipeline.update)
            ]
            steps.append(self.pipeline_step(pipeline, *phases))
        return tuple(steps)

    def pipeline_step(self, pipeline: IntegerPipeline, forward: Any, backward: Any, update: Any) -> Any:
        """Step of a pipeline in ticks from the times of its stages: ints, or integer arrays of equal shape."""
        if self.objective != "bottleneck":
            return step_time(pipeline.schedule, forward, backward, update, pipeline.transfer, pipeline.microbatches)
        slowest = np.maximum.reduce([f + b for f, b in zip(forward, backward, strict=True)])
        slowest = pipeline.microbatches * np.maximum(slowest, pipeline.link)
        return slowest if slowest.ndim else int(slowest)

    def steps(self, choice: Sequence[Sequence[int]]) -> int:
        """Aggregated step in ticks: the worst pipeline's, or the sum (weights are in the ticks)."""
        each = self.pipeline_steps(choice)
        return max(each) if self.aggregate == "worst" else sum(each)

    def power(self, choice: Sequence[Sequence[int]]) -> int:
        """Σ TDP in power units."""
        return sum(slot.options[o].power for slot, o in zip(self.slots, self.picked(choice), strict=True))

    def score(self, choice: Sequence[Sequence[int]]) -> int:
        """Integer objective, always minimised: steps, or steps x power for ``throughput-per-tdp``."""
        steps = self.steps(choice)
        return steps * self.power(choice) if self.objective == "throughput-per-tdp" else steps

    def value(self, score: int) -> float:
        """The objective in the problem's unit (and sense) of an integer score or a lower bound of it."""
        if self.objective != "throughput-per-tdp":
            return float(score / self.ticks)
        return float(self.ticks * self.powers / score) if score > 0 else math.inf

    def fits(self, picked: Sequence[int]) -> bool:
        """Whether the options of the slots meet the area and TDP limits."""
        chosen = [slot.options[o] for slot, o in zip(self.slots, picked, strict=True)]
        return (self.area_limit is None or sum(o.area for o in chosen) <= self.area_limit) and (
            self.tdp_limit is None or sum(o.tdp for o in chosen) <= self.tdp_limit
        )


def _groups(problem: Problem) -> list[list[tuple[int, int]]]:
    members = [[(w, s) for s in range(len(p.stages))] for w, p in enumerate(problem.pipelines)]
    if problem.mode == "heterogeneous":
        return [[member] for row in members for member in row]
    return members if problem.mode == "homogeneous" else [[member for row in members for member in row]]


def _picks(problem: Problem, members: list[tuple[int, int]]) -> Iterator[tuple[int, ...]]:
    """Candidates of each option: one design that all members have."""
    stages = [problem.pipelines[w].stages[s] for w, s in members]
    index = [{c.design: i for i, c in enumerate(stage.candidates)} for stage in stages]
    for candidate in stages[0].candidates:
        if all(candidate.design in row for row in index):
            yield tuple(row[candidate.design] for row in index)


def _counted(problem: Problem, members: list[tuple[int, int]], picks: tuple[int, ...]) -> list[Candidate]:
    """Candidates whose cost an option adds: time-shared devices are counted once."""
    pairs = list(zip(members, picks, strict=True))
    if problem.time_shared:
        longest = max(range(len(problem.pipelines)), key=lambda w: len(problem.pipelines[w].stages))
        pairs = [(member, pick) for member, pick in pairs if member[0] == longest]
    return [problem.pipelines[w].stages[s].candidates[c] for (w, s), c in pairs]


def _share(problem: Problem, pipeline: Pipeline) -> Fraction:
    """Aggregated relative step time per second of a pipeline's step."""
    share = 1 / exact_value(pipeline.reference_s or 1.0)
    if problem.aggregate == "mean":
        share *= exact_value(pipeline.weight) / sum(exact_value(p.weight) for p in problem.pipelines)
    return share


def shares_of(problem: Problem) -> list[Fraction]:
    """Aggregated relative step time per second of each pipeline's step."""
    return [_share(problem, pipeline) for pipeline in problem.pipelines]


def _nice_scale(estimate: float, unit: Fraction, decimals: int) -> Fraction:
    """1, 2 or 5 · 10^k, over ``unit``, so that ``estimate`` units become at most :data:`RESOLUTION`.

    Fewer digits are taken when the data have only ``decimals`` of them: they are then exact.
    """
    room = Fraction(RESOLUTION) / Fraction(estimate) * unit
    if 10**decimals <= room:
        return Fraction(10**decimals) / unit
    power = math.floor(math.log10(room))
    while Fraction(10) ** power > room:  # log10 may be off by one at a power of ten
        power -= 1
    return max(d * Fraction(10) ** power for d in (1, 2, 5) if d * Fraction(10) ** power <= room) / unit


def _decimals(values: Iterator[float]) -> int:
    """Digits behind the point that all values need; 40, i.e. too many, when one has no short decimal form."""
    most = 0
    for value in values:
        denominator = exact_value(value).denominator
        digits = 0
        while 10**digits % denominator and digits < 40:
            digits += 1
        most = max(most, digits)
    return most


def _pipeline_numbers(pipeline: Pipeline, ticks_per_s: Fraction) -> IntegerPipeline:
    def ticks(seconds: float) -> int:
        return math.ceil(exact_value(seconds) * ticks_per_s)

    forward, backward, update = (
        tuple(tuple(ticks(getattr(c, f"{phase}_s")) for c in stage.candidates) for stage in pipeline.stages)
        for phase in ("forward", "backward", "update")
    )
    transfer = tuple((ticks(there), ticks(back)) for there, back in pipeline.transfer_s)
    return IntegerPipeline(pipeline.schedule, pipeline.microbatches, forward, backward, update, transfer)


@lru_cache(maxsize=16)
def integers(problem: Problem) -> SelectionNumbers:
    """The integer problem; the same for every caller."""
    from accmine.problems.selection_greedy import estimate

    slots = []
    for members in _groups(problem):
        options = []
        for picks in _picks(problem, members):
            counted = _counted(problem, members, picks)
            area = sum(cost_up(c.area_mm2, AREA_UNIT) for c in counted)
            tdp = sum(cost_up(c.tdp_w, TDP_UNIT) for c in counted)
            options.append(Option(picks, area, tdp, 0))
        slots.append(Slot(tuple(members), tuple(options)))
    limits = problem.limits
    area_limit = None if limits.area_mm2 is None else cost_limit(limits.area_mm2, AREA_UNIT)
    tdp_limit = None if limits.tdp_w is None else cost_limit(limits.tdp_w, TDP_UNIT)
    shares = shares_of(problem)
    steps, power_w = estimate(problem, slots, area_limit, tdp_limit, shares)
    candidates = [c for p in problem.pipelines for s in p.stages for c in s.candidates]
    single = shares[0] if len(shares) == 1 else Fraction(1)  # one pipeline: ticks divide the second
    times = [t for c in candidates for t in (c.forward_s, c.backward_s, c.update_s)]
    times += [t for p in problem.pipelines for pair in p.transfer_s for t in pair]
    ticks = _nice_scale(steps, single, _decimals(iter(times)) if len(shares) == 1 else 40)
    powers = _nice_scale(max(power_w, 1e-9), Fraction(1), _decimals(c.tdp_w for c in candidates))
    return SelectionNumbers(
        objective=problem.objective,
        aggregate=problem.aggregate,
        pipelines=tuple(
            _pipeline_numbers(p, ticks * share) for p, share in zip(problem.pipelines, shares, strict=True)
        ),
        slots=tuple(_with_power(slot, powers) for slot in slots),
        ticks=ticks,
        powers=powers,
        area_limit=area_limit,
        tdp_limit=tdp_limit,
        step_limit=_step_limit(problem, ticks, shares),
    )


def _step_limit(problem: Problem, ticks: Fraction, shares: Sequence[Fraction]) -> int | None:
    """Largest aggregated step that meets the floor.

    One tick is added for every duration a chain of the timeline may hold, so that a choice which meets the floor
    in real time is not refused because its durations were rounded up. Exact durations need no such allowance.
    """
    floor = exact_value(problem.least_throughput)
    if not floor:
        return None
    rounding = [
        0 if _exact(pipeline, ticks * share) else 4 * (pipeline.microbatches + len(pipeline.stages))
        for pipeline, share in zip(problem.pipelines, shares, strict=True)
    ]
    allowance = max(rounding) if problem.aggregate == "worst" else sum(rounding)
    return math.floor(ticks * (1 + LIMIT_ALLOWANCE) / floor) + allowance


def _exact(pipeline: Pipeline, ticks_per_s: Fraction) -> bool:
    """Whether every time of a pipeline is a whole number of ticks."""
    times = [t for pair in pipeline.transfer_s for t in pair]
    times += [t for s in pipeline.stages for c in s.candidates for t in (c.forward_s, c.backward_s, c.update_s)]
    return all((exact_value(t) * ticks_per_s).denominator == 1 for t in times)


def _with_power(slot: Slot, powers: Fraction) -> Slot:
    scale = powers * TDP_UNIT
    options = tuple(Option(o.picks, o.area, o.tdp, math.ceil(o.tdp * scale)) for o in slot.options)
    return Slot(slot.members, options)
