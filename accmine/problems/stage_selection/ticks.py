"""How fine a tick is: what a step loses when every duration of every microbatch is rounded up to whole ticks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

from accmine.problems.limits import ALLOWANCE
from accmine.problems.stage_selection.problem import Pipeline, Problem
from accmine.problems.stage_selection.rounding import UNIT, exact_value, nice_scale

__all__ = [
    "FINE_RESOLUTION",
    "RESOLUTION",
    "WIDER",
    "power_rounding",
    "powers_of",
    "rounding",
    "step_limit",
    "ticks_of",
]

WIDER = 1 + exact_value(ALLOWANCE)
"""By how much a limit is wider, so that one computed as the sum of the same floats admits exactly these designs."""

RESOLUTION = 1 << 25
"""Ticks (power units) of a good choice, at most: 3e-8 of its value, and 30 times the solvers' tolerance of 1e-9."""

FINE_RESOLUTION = 1 << 33
"""Ticks of a good step, at most, for every duration on a chain of its timeline, and power units for every device:
rounding every duration of every microbatch, or every TDP, then adds at most 3e-10 of a good choice."""


def ticks_of(problem: Problem, steps: float, shares: Sequence[Fraction]) -> Fraction:
    """Ticks per unit of aggregated relative step time.

    Parameters
    ----------
    steps
        Aggregated relative step of a good choice.
    shares
        Aggregated relative step time per second of each pipeline's step.
    """
    times = None
    if len(shares) == 1:  # one pipeline: ticks divide the second
        times = [t for p in problem.pipelines for s in p.stages for c in s.candidates for t in c.phases]
        times += [t for p in problem.pipelines for pair in p.transfer_s for t in pair]
    unit = shares[0] if times else Fraction(1)
    ticks = nice_scale(steps, unit, times, RESOLUTION)
    if rounding(problem, ticks, shares):
        ticks = nice_scale(steps, unit, times, FINE_RESOLUTION * _durations(problem, [1] * len(shares)))
    return ticks


def powers_of(problem: Problem, power_w: float) -> Fraction:
    """Power units per W of the objective, from the TDP of a good choice."""
    tdps = [c.tdp_w for p in problem.pipelines for s in p.stages for c in s.candidates]
    estimate = max(power_w, 1e-9)
    powers = nice_scale(estimate, Fraction(1), tdps, RESOLUTION)
    if power_rounding(problem, powers):
        powers = nice_scale(estimate, Fraction(1), None, FINE_RESOLUTION * _devices(problem))
    return powers


def power_rounding(problem: Problem, powers: Fraction) -> int:
    """Power units that rounding up, first to ``UNIT``, adds to the TDP of all devices, at most, where that counts."""
    tdps = (exact_value(c.tdp_w) for p in problem.pipelines for s in p.stages for c in s.candidates)
    if not problem.value.power or all((tdp / UNIT).denominator == 1 == (tdp * powers).denominator for tdp in tdps):
        return 0
    return _devices(problem) * (1 + math.ceil(UNIT * powers))


def _devices(problem: Problem) -> int:
    return sum(len(p.stages) for p in problem.pipelines)


def step_limit(problem: Problem, ticks: Fraction, shares: Sequence[Fraction]) -> int | None:
    """Largest aggregated step that meets the floor.

    One tick is added for every duration a chain of the timeline may hold, so that a choice which meets the floor
    in real time is not refused because its durations were rounded up. Exact durations need no such allowance.
    """
    floor = exact_value(problem.least_throughput)
    if not floor:
        return None
    return math.floor(ticks * WIDER / floor) + rounding(problem, ticks, shares)


def rounding(problem: Problem, ticks: Fraction, shares: Sequence[Fraction]) -> int:
    """Ticks that rounding all durations up adds to an aggregated step, at most."""
    rounded = [not _exact(p, ticks * share) for p, share in zip(problem.pipelines, shares, strict=True)]
    return _durations(problem, rounded)


def _durations(problem: Problem, counted: Sequence[int]) -> int:
    """Durations on the chains behind an aggregated step, at most; of the pipelines that are counted."""
    each = [n * 4 * (p.microbatches + len(p.stages)) for n, p in zip(counted, problem.pipelines, strict=True)]
    return int(problem.joining.joined(each))


def _exact(pipeline: Pipeline, ticks_per_s: Fraction) -> bool:
    """Whether every time of a pipeline is a whole number of ticks."""
    times = [t for pair in pipeline.transfer_s for t in pair]
    times += [t for s in pipeline.stages for c in s.candidates for t in c.phases]
    return all((exact_value(t) * ticks_per_s).denominator == 1 for t in times)
