"""Device placement: which layers form a stage, how many devices share a layer, and how many replicas there are.

The devices are equal. A step is that of a pipeline of stages with its replicas: passes of microbatches in the order of
a schedule, messages between stages, collectives inside of layers, which stop a device, sums of gradients among
replicas, and updates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from accmine.system import DEFAULT_SCHEDULE, Cluster
from accmine.workload.shard import Collective

__all__ = ["KIND", "ORDERS", "Edge", "Layer", "Option", "Pipelining", "Problem", "Solution", "StagePlan"]

KIND = "device-placement"

ORDERS = (("tensor", "data", "pipeline"), ("tensor", "pipeline", "data"))
"""Usual orders of ranks, innermost first: devices of a tensor group are neighbours. Any permutation is allowed."""


@dataclass(frozen=True, slots=True)
class Option:
    """One way to run a layer: a tensor degree and what is recomputed.

    Attributes
    ----------
    forward_s, backward_s
        Seconds of a pass of one microbatch, without collectives. ``weight_s`` is the part of ``backward_s`` that makes
        gradients of weights, for schedules that split the backward pass.
    update_s
        Seconds of the optimiser, all states on this device.
    forward_collectives, backward_collectives
        For one microbatch.
    weight_bytes, gradient_bytes, optimizer_bytes, stash_bytes, working_bytes
        See ``accmine.workload.shard.LayerMemory``; the expert parts likewise.
    """

    tensor: int
    recompute: str
    forward_s: float
    backward_s: float
    update_s: float
    weight_s: float = 0.0
    forward_collectives: tuple[Collective, ...] = ()
    backward_collectives: tuple[Collective, ...] = ()
    weight_bytes: int = 0
    gradient_bytes: int = 0
    optimizer_bytes: int = 0
    stash_bytes: int = 0
    working_bytes: int = 0
    expert_weight_bytes: int = 0
    expert_gradient_bytes: int = 0
    expert_optimizer_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer and the ways to run it; layers of one ``layer_class`` have equal options."""

    name: str
    options: tuple[Option, ...]
    layer_class: str = ""


@dataclass(frozen=True, slots=True)
class Edge:
    """Activations from one layer to another, by position, for one microbatch; gradients come back as large."""

    source: int
    target: int
    message_bytes: int


@dataclass(frozen=True, slots=True)
class Pipelining:
    """A schedule by name, and chunks of layers that each device holds (above 1 for interleaved ones)."""

    schedule: str = DEFAULT_SCHEDULE
    chunks: int = 1


@dataclass(frozen=True)
class Problem:
    """Layers, devices, and what is free to choose.

    Attributes
    ----------
    layers, edges
        A graph; in a chain every layer has an edge to the next one and to no other.
    devices
        At most so many are used.
    microbatches
        Of a step, over all replicas.
    memory_bytes
        HBM of a device.
    cluster
        What connects them.
    pipelinings, orders, zero
        Schedules, orders of ranks (innermost first) and ZeRO stages to choose from.
    pipeline, data
        Numbers of stages and of replicas to choose from; empty: all.
    uniform
        Whether all stages have one tensor degree and one way to recompute.
    expert
        Devices of an expert group; they are neighbours among the replicas, and divide their number.
    gradient_overlap
        Share of a gradient sum that hides behind the backward passes, 0 to 1: an assumption.
    semantics
        ``accmine``, or ``phaze`` for the objective of Phaze's program as it is.
    """

    kind: ClassVar[str] = KIND

    layers: tuple[Layer, ...]
    edges: tuple[Edge, ...]
    devices: int
    microbatches: int
    memory_bytes: int
    cluster: Cluster
    pipelinings: tuple[Pipelining, ...] = (Pipelining(),)
    orders: tuple[tuple[str, ...], ...] = (ORDERS[0],)
    zero: tuple[int, ...] = (0,)
    pipeline: tuple[int, ...] = ()
    data: tuple[int, ...] = ()
    uniform: bool = True
    expert: int = 1
    gradient_overlap: float = 0.0
    semantics: str = "accmine"


@dataclass(frozen=True, slots=True)
class StagePlan:
    """Layers of a stage, by position, and how they run. With chunks the stages of a device are p apart."""

    layers: tuple[int, ...]
    tensor: int = 1
    recompute: str = "none"


@dataclass(frozen=True, slots=True)
class Solution:
    """A placement: stages in pipeline order (p × chunks of them), replicas, order of ranks, schedule, ZeRO stage."""

    stages: tuple[StagePlan, ...]
    data: int = 1
    order: tuple[str, ...] = ORDERS[0]
    pipelining: Pipelining = Pipelining()
    zero: int = 0
