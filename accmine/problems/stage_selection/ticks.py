"""How fine a tick is: what a step loses when every duration of every microbatch is rounded up to whole ticks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

from accmine.problems.stage_selection.problem import Candidate, Pipeline, Problem
from accmine.problems.stage_selection.rounding import exact_value, nice_scale

__all__ = ["FINE_RESOLUTION", "LIMIT_ALLOWANCE", "RESOLUTION", "rounding", "step_limit", "ticks_of"]

LIMIT_ALLOWANCE = Fraction(1, 10**9)
"""Relative widening of a limit, so that one computed as the sum of the same floats admits exactly these designs."""

RESOLUTION = 1 << 25
"""Ticks (power units) of a good choice, at most: 3e-8 of its value, and 30 times the solvers' tolerance of 1e-9."""

FINE_RESOLUTION = 1 << 33
"""Ticks of a good step, at most, for every duration on a chain of its timeline, where the step alone is the score:
rounding every duration of every microbatch then adds at most 3e-10 of a good step."""


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
        times = [t for p in problem.pipelines for s in p.stages for c in s.candidates for t in _phases(c)]
        times += [t for p in problem.pipelines for pair in p.transfer_s for t in pair]
    unit = shares[0] if times else Fraction(1)
    ticks = nice_scale(steps, unit, times, RESOLUTION)
    if rounding(problem, ticks, shares):
        ticks = nice_scale(steps, unit, times, _fine(problem))
    return ticks


def _phases(candidate: Candidate) -> tuple[float, float, float]:
    return candidate.forward_s, candidate.backward_s, candidate.update_s


def step_limit(problem: Problem, ticks: Fraction, shares: Sequence[Fraction]) -> int | None:
    """Largest aggregated step that meets the floor.

    One tick is added for every duration a chain of the timeline may hold, so that a choice which meets the floor
    in real time is not refused because its durations were rounded up. Exact durations need no such allowance.
    """
    floor = exact_value(problem.least_throughput)
    if not floor:
        return None
    return math.floor(ticks * (1 + LIMIT_ALLOWANCE) / floor) + rounding(problem, ticks, shares)


def _fine(problem: Problem) -> int:
    """Ticks of a good step, at most, where durations are no whole number of coarse ones."""
    durations = _durations(problem, [1] * len(problem.pipelines))
    if problem.objective != "throughput-per-tdp":
        return FINE_RESOLUTION * durations
    # steps x power has to fit 61 bits, and intervals of steps have to be told apart by a solver with tolerances
    return RESOLUTION * min(max(1, durations // 64), FINE_RESOLUTION // RESOLUTION)


def rounding(problem: Problem, ticks: Fraction, shares: Sequence[Fraction]) -> int:
    """Ticks that rounding all durations up adds to an aggregated step, at most."""
    rounded = [not _exact(p, ticks * share) for p, share in zip(problem.pipelines, shares, strict=True)]
    return _durations(problem, rounded)


def _durations(problem: Problem, counted: Sequence[int]) -> int:
    """Durations on the chains behind an aggregated step, at most; of the pipelines that are counted."""
    each = [n * 4 * (p.microbatches + len(p.stages)) for n, p in zip(counted, problem.pipelines, strict=True)]
    return max(each) if problem.aggregate == "worst" else sum(each)


def _exact(pipeline: Pipeline, ticks_per_s: Fraction) -> bool:
    """Whether every time of a pipeline is a whole number of ticks."""
    times = [t for pair in pipeline.transfer_s for t in pair]
    times += [t for s in pipeline.stages for c in s.candidates for t in _phases(c)]
    return all((exact_value(t) * ticks_per_s).denominator == 1 for t in times)
