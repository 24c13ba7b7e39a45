"""The account of a search: what it did, and to whom what is left of its gap belongs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf

import numpy as np
import numpy.typing as npt

from accmine.hardware import Design
from accmine.problems import device_placement
from accmine.problems.design_placement import NearPlan, Problem, Proof, Solution, problem_on
from accmine.problems.design_placement.times import class_at
from accmine.record import Record

from .key import Key
from .space import Space

FloatArray = npt.NDArray[np.float64]

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
    chains, scheduled, seconds
        As of ``Proof``; of pairs.
    least_simulated
        Least simulated step of a placement whose layers take their bounds, of those that were least in line.
    """

    designs: int = 0
    chains: int = 0
    scheduled: int = 0
    seconds: float = 0.0
    least_simulated: float = inf


def simulated(
    problem: Problem, key: Key, placement: device_placement.Solution, times: FloatArray | None = None
) -> float:
    """The step of a placement with some times of layers, (classes, 3); default: what is proven of them."""
    rows = key.seconds if times is None else times
    seconds = [tuple(rows[kind].tolist()) for kind in class_at(key.terms.variant)]
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
    # where nothing of least bound was simulated, no part of the gap is known to be that of cuts
    least = bound if counts.least_simulated == inf else max(bound, min(own, counts.least_simulated))
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
        plan_part=1 - bound / least if least > 0 else 0.0,  # 0: nothing is proven yet
        schedule_part=1 - own / step,
        design_part=1 - least / own,
        designs=counts.designs,
        plans=space.plan_count,
        pairs=space.pairs,
        chains=counts.chains,
        scheduled=counts.scheduled,
        seconds_of_pairs=counts.seconds,
        near=tuple(NearPlan(v, placement, step_s, step_s / step - 1) for step_s, v, _, placement in rows[:_NEAR]),
    )
