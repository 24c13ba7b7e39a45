"""What a device of a placement keeps in its memory."""

from __future__ import annotations

from collections.abc import Sequence

from accmine.problems.device_placement.numbers import state_shares
from accmine.problems.device_placement.problem import Option, Pipelining, Problem
from accmine.system import SCHEDULES

__all__ = ["held_microbatches", "stage_bytes", "state_bytes"]


def held_microbatches(pipelining: Pipelining, stage: int, stages: int, microbatches: int) -> int:
    """Microbatches whose stash a device keeps at the peak, of a pipeline of so many devices."""
    return SCHEDULES[pipelining.schedule].held(stage, stages, microbatches)


def state_bytes(problem: Problem, option: Option, data: int, zero: int) -> int:
    """Weights, gradients and optimiser state of a layer on one device.

    Sharded over the replicas that hold the same: the optimiser state from ZeRO 1 on, gradients from 2 on, weights in 3
    (Rajbhandari et al. 2020).
    """
    total = 0
    for weights, gradients, states, ranks, _ in state_shares(problem, option, data):
        parts = ((weights, 3), (gradients, 2), (states, 1))
        total += sum(-(-size // ranks) if zero >= least else size for size, least in parts)
    return total


def stage_bytes(problem: Problem, options: Sequence[Option], held: int, data: int, zero: int) -> int:
    """Bytes of a stage: states, the stash of the microbatches in flight, and the largest working set of a layer."""
    states = sum(state_bytes(problem, option, data, zero) for option in options)
    return states + held * sum(o.stash_bytes for o in options) + max((o.working_bytes for o in options), default=0)
