"""What a search for a design and a placement did, and to whom what is left of its gap belongs."""

from __future__ import annotations

from dataclasses import dataclass

from accmine.hardware import Design
from accmine.problems.device_placement import Solution as Placement

__all__ = ["NearPlan", "Proof"]


@dataclass(frozen=True)
class NearPlan:
    """A placement that nearly won on the design of the answer.

    Attributes
    ----------
    variant
        Position among the variants of the problem.
    step_s
        Its simulated step.
    loses
        Relative to the answer: step_s / answer - 1.
    """

    variant: int
    placement: Placement
    step_s: float
    loses: float


@dataclass(frozen=True)
class Proof:
    """Counters of a search, and the parts of its gap; in ``Result.pool``.

    Attributes
    ----------
    design, step_s, bound_s
        The answer, and what no design and placement is below.
    plan_part
        1 - bound / (least simulated step with bound times of layers): what chains and cuts leave open.
    schedule_part
        1 - (step of the answer's placement with bound times) / answer: what its operator schedules leave open.
    design_part
        The rest of the gap: other designs and plans whose bounds are lower.
    designs, plans
        Designs within the limits, and plans (degrees, orders, schedules, microbatches, recompute; without cuts).
    pairs
        Pairs of a design and a plan that were bounded one by one.
    chains, scheduled
        Pairs whose bound over all cuts is exact, and designs with variants that were scheduled.
    seconds_of_pairs
        What bounding the pairs took.
    near
        Plans that nearly won, best first.
    """

    design: Design
    step_s: float
    bound_s: float
    plan_part: float
    schedule_part: float
    design_part: float
    designs: int
    plans: int
    pairs: int
    chains: int
    scheduled: int
    seconds_of_pairs: float
    near: tuple[NearPlan, ...]
