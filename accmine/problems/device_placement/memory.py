"""What a device of a placement keeps in its memory: see ``accmine.system.memory``."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from accmine.problems.device_placement.problem import Option, Pipelining, Problem
from accmine.system import SCHEDULES
from accmine.system.memory import stage_memory
from accmine.workload.shard import LayerMemory

__all__ = ["device_bytes", "held_microbatches", "layer_bytes", "layer_memory", "stage_bytes", "state_bytes"]


@lru_cache(maxsize=1 << 16)
def held_microbatches(pipelining: Pipelining, stage: int, stages: int, microbatches: int) -> int:
    """Microbatches whose stash a device keeps at the peak, of a pipeline of so many devices; counted in chunks."""
    return SCHEDULES[pipelining.schedule].held(stage, stages, microbatches, pipelining.chunks)


@lru_cache(maxsize=4096)
def layer_memory(option: Option) -> LayerMemory:
    """The bytes of an option in the words of a workload."""
    return LayerMemory(
        option.weight_bytes,
        option.gradient_bytes,
        option.optimizer_bytes,
        option.stash_bytes,
        option.working_bytes,
        option.expert_weight_bytes,
        option.expert_gradient_bytes,
        option.expert_optimizer_bytes,
    )


def layer_bytes(problem: Problem, option: Option, data: int, zero: int) -> tuple[int, int]:
    """(weights, gradients and state of the optimiser; working set) of a layer on one device."""
    own = stage_memory([layer_memory(option)], in_flight=0, zero=zero, data=data, expert=problem.expert)
    return own.weights + own.gradients + own.optimizer, own.working


def state_bytes(problem: Problem, option: Option, data: int, zero: int) -> int:
    """Weights, gradients and state of the optimiser of a layer on one device."""
    return layer_bytes(problem, option, data, zero)[0]


def stage_bytes(problem: Problem, options: Sequence[Option], held: int, data: int, zero: int) -> int:
    """Bytes of a stage with so many microbatches in flight."""
    layers = [layer_memory(option) for option in options]
    return stage_memory(layers, in_flight=held, zero=zero, data=data, expert=problem.expert).total


def device_bytes(
    problem: Problem,
    chunks: Sequence[Sequence[Option]],
    pipelining: Pipelining,
    place: tuple[int, int, int],
    degrees: tuple[int, int],
) -> int:
    """Bytes of a device that holds several chunks: the stash at its peak along the order of the schedule.

    Parameters
    ----------
    place
        Device, devices of the pipeline, microbatches.
    degrees
        Replicas, ZeRO stage.
    """
    device, devices, microbatches = place
    if len(chunks) == 1:
        return stage_bytes(problem, chunks[0], held_microbatches(pipelining, *place), *degrees)
    own = SCHEDULES[pipelining.schedule]
    steps = own.device_order(device, devices, microbatches, len(chunks))
    stash = np.array([sum(o.stash_bytes for o in options) for options in chunks], dtype=np.int64)
    signs = np.array([1, -1] if not own.split_backward else [1, 0, -1], dtype=np.int64)
    level = np.cumsum(stash[steps[:, 0] // devices] * signs[steps[:, 1]])
    return stage_bytes(problem, [o for options in chunks for o in options], 0, *degrees) + int(level.max())
