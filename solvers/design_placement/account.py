"""The account of a search: what it did, and to whom what is left of its gap belongs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf

from accmine.hardware import Design
from accmine.problems import device_placement
from accmine.problems.design_placement import NearPlan, Problem, Proof, Solution, problem_on
from accmine.problems.design_placement.times import class_at
from accmine.record import Record

from .key import Key
from .space import Space

__all__ = ["Counts", "proof_of", "simulated"]

_NEAR = 5
"""Plans that nearly won, which are told."""


@dataclass
class Counts:
    """What a search did.

    Attributes
    ----------
    designs
        Within the limits.
    chains, scheduled
        As of ``Proof``.
    least_simulated
        Least simulated step of a placement whose layers take their bounds, of those that were least in line.
    """

    designs: int = 0
    chains: int = 0
    scheduled: int = 0
    least_simulated: float = inf


def simulated(problem: Problem, key: Key, placement: device_placement.Solution) -> float:
    """The step of a placement when layers take what is proven of them."""
    seconds = [tuple(key.seconds[kind].tolist()) for kind in class_at(key.terms.variant)]
    placed = problem_on(problem, key.terms.variant, key.design.hbm_bytes, seconds)
    return float(device_placement.shown(placed, device_placement.score(placed, placement)))


def proof_of(
    record: Record[Solution],
    space: Space,
    counts: Counts,
    own: float,
    near: Mapping[tuple[Design, int, device_placement.Solution], float],
) -> Proof:
    """The proof of what is known: 1 - gap = (1 - plan part) (1 - design part) (1 - schedule part).

    Parameters
    ----------
    own
        Step of the answer's placement when layers take what is proven of them; infinite: not known.
    near
        Steps of placements that were looked at.
    """
    best = record.best
    assert best is not None
    bound, step = float(record.bound), float(record.score)
    own = min(step, own)
    least = max(bound, min(own, counts.least_simulated))
    own = max(own, least)
    rows = sorted(
        (step_s, variant, number, placement)
        for number, ((design, variant, placement), step_s) in enumerate(near.items())
        if design == best.design and placement != best.placement and step_s > step
    )
    return Proof(
        design=best.design,
        step_s=step,
        bound_s=bound,
        plan_part=1 - bound / least,
        schedule_part=1 - own / step,
        design_part=1 - least / own,
        designs=counts.designs,
        plans=space.plan_count,
        pairs=space.pairs,
        chains=counts.chains,
        scheduled=counts.scheduled,
        seconds_of_pairs=space.seconds,
        near=tuple(NearPlan(v, placement, step_s, step_s / step - 1) for step_s, v, _, placement in rows[:_NEAR]),
    )
