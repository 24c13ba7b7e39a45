"""Device placement: which layers form a stage, how many devices share a layer, and how many replicas there are.

The devices are equal. A step is that of a pipeline of stages with its replicas: passes of microbatches in the order of
a schedule, messages between stages, collectives inside of layers, which stop a device, sums of gradients among
replicas, and updates.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import ClassVar

from accmine.errors import Complaint, InputError
from accmine.system import DEFAULT_SCHEDULE, SCHEDULES, Cluster
from accmine.workload.shard import Collective

__all__ = [
    "GROUPS",
    "KIND",
    "ORDERS",
    "SEMANTICS",
    "Edge",
    "Layer",
    "Option",
    "Pipelining",
    "Problem",
    "Solution",
    "StagePlan",
]

KIND = "device-placement"

ORDERS = (("tensor", "data", "pipeline"), ("tensor", "pipeline", "data"))
"""Usual orders of ranks, innermost first: devices of a tensor group are neighbours. Any permutation is allowed."""

GROUPS = ("tensor", "data", "pipeline")

SEMANTICS = ("accmine", "phaze")


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
    tied_bytes
        Gradients of parameters that a layer at the other end of the pipeline holds as well; the devices at both ends
        sum them once in a step.
    whole
        The layer is not divided whatever the degree: under ``phaze`` a stage of such layers has one device.
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
    tied_bytes: int = 0
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer and the ways to run it; in a file, layers of one ``layer_class`` may say their options once."""

    name: str
    options: tuple[Option, ...]
    layer_class: str = ""


@dataclass(frozen=True, slots=True)
class Edge:
    """Activations from one layer to another, by position, for one microbatch; gradients come back as large.

    Attributes
    ----------
    by_tensor
        (tensor degree, bytes) where they differ from ``message_bytes``.
    """

    source: int
    target: int
    message_bytes: int
    by_tensor: tuple[tuple[int, int], ...] = ()

    def bytes_at(self, tensor: int) -> int:
        """Bytes at a tensor degree."""
        return next((size for degree, size in self.by_tensor if degree == tensor), self.message_bytes)


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

    Raises
    ------
    InputError
        If a value is not allowed, or the graph has a cycle or several sources; every complaint at once.
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

    def __post_init__(self) -> None:
        complaints = [Complaint("", name, message) for name, message in _complaints(self)]
        if complaints:
            raise InputError(complaints)

    @cached_property
    def _hash(self) -> int:
        parts = self.layers, self.edges, self.devices, self.microbatches, self.memory_bytes, self.semantics
        return hash((parts, self.pipelinings, self.orders, self.zero, self.pipeline, self.data, self.expert))

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def order_of_layers(self) -> tuple[int, ...]:
        """Layers such that every edge points forward; of all such orders the first by position."""
        return tuple(_topological(len(self.layers), self.edges))

    @cached_property
    def chain(self) -> bool:
        """Whether only one order of the layers is possible: each has an edge to the next one."""
        there = {(e.source, e.target) for e in self.edges}
        line = self.order_of_layers
        return all(pair in there for pair in pairwise(line))

    @cached_property
    def degrees(self) -> tuple[int, ...]:
        """Tensor degrees of all options, ascending."""
        return tuple(sorted({option.tensor for layer in self.layers for option in layer.options}))


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


def _topological(layers: int, edges: Sequence[Edge]) -> list[int]:
    """Layers in order; those of a cycle are left out."""
    waits = [0] * layers
    after: list[list[int]] = [[] for _ in range(layers)]
    for edge in edges:
        waits[edge.target] += 1
        after[edge.source].append(edge.target)
    ready, found = [i for i in range(layers) if not waits[i]], []
    while ready:
        ready.sort(reverse=True)
        layer = ready.pop()
        found.append(layer)
        for other in after[layer]:
            waits[other] -= 1
            if not waits[other]:
                ready.append(other)
    return found


def _whole(value: object, least: int = 0) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _complaints(problem: Problem) -> Iterator[tuple[str, str]]:
    for name in ("devices", "microbatches", "memory_bytes", "expert"):
        if not _whole(getattr(problem, name), 1):
            yield name, f"{getattr(problem, name)!r} is not allowed; a whole number of at least 1 is needed"
            return
    if problem.devices > problem.cluster.devices:
        outermost = problem.cluster.levels[-1]
        yield "devices", f"{problem.devices} devices; {outermost.name}, the outermost level, joins {outermost.devices}"
    if problem.semantics not in SEMANTICS:
        yield "semantics", f"{problem.semantics!r} is not allowed; allowed: {', '.join(SEMANTICS)}"
    if not 0 <= problem.gradient_overlap <= 1:
        yield "gradient_overlap", f"{problem.gradient_overlap!r} is not allowed; a share from 0 to 1 is needed"
    for name in ("pipelinings", "orders", "zero"):
        if not getattr(problem, name):
            yield name, "at least one is needed"
    for i, pipelining in enumerate(problem.pipelinings):
        if pipelining.schedule not in SCHEDULES:
            yield (
                f"pipelinings[{i}].schedule",
                f"{pipelining.schedule!r} is not allowed; allowed: {', '.join(SCHEDULES)}",
            )
        if not _whole(pipelining.chunks, 1):
            yield f"pipelinings[{i}].chunks", f"{pipelining.chunks!r} is not allowed; at least 1 is needed"
        elif pipelining.chunks > 1 and not SCHEDULES.get(pipelining.schedule, SCHEDULES[DEFAULT_SCHEDULE]).chunked:
            yield f"pipelinings[{i}].chunks", f"{pipelining.schedule} has one stage per device"
    for i, order in enumerate(problem.orders):
        if sorted(order) != sorted(GROUPS):
            yield f"orders[{i}]", f"{list(order)} is not allowed; an order of {', '.join(GROUPS)} is needed"
    for i, stage in enumerate(problem.zero):
        if stage not in (0, 1, 2, 3):
            yield f"zero[{i}]", f"{stage!r} is not allowed; allowed: 0, 1, 2, 3"
    yield from _degree_complaints(problem)
    yield from _layer_complaints(problem)
    yield from _edge_complaints(problem)


def _degree_complaints(problem: Problem) -> Iterator[tuple[str, str]]:
    chunks = min((p.chunks for p in problem.pipelinings if _whole(p.chunks, 1)), default=1)
    for i, stages in enumerate(problem.pipeline):
        if not 1 <= stages * chunks <= len(problem.layers):
            of = f" of {chunks} chunks" if chunks > 1 else ""
            yield f"pipeline[{i}]", f"{stages} stages{of} for {len(problem.layers)} layers; each needs a layer"
        elif stages > problem.devices:
            yield f"pipeline[{i}]", f"{stages} stages on {problem.devices} devices; each needs a device"
    for i, replicas in enumerate(problem.data):
        if not 1 <= replicas <= problem.devices:
            yield f"data[{i}]", f"{replicas} replicas on {problem.devices} devices; each needs a device"
        elif replicas > problem.microbatches:
            yield f"data[{i}]", f"{replicas} replicas cannot share {problem.microbatches} microbatches; each needs one"
        elif replicas % problem.expert:
            yield f"data[{i}]", f"{replicas} replicas hold no whole expert groups of {problem.expert} devices"
    if not problem.data and problem.expert > min(problem.devices, problem.microbatches):
        yield "expert", f"{problem.expert} devices of an expert group need as many replicas, devices and microbatches"


_TIMES = ("forward_s", "backward_s", "update_s", "weight_s")
_SIZES = ("weight_bytes", "gradient_bytes", "optimizer_bytes", "stash_bytes", "working_bytes", "tied_bytes")
_EXPERTS = ("expert_weight_bytes", "expert_gradient_bytes", "expert_optimizer_bytes")


def _layer_complaints(problem: Problem) -> Iterator[tuple[str, str]]:
    if not problem.layers:
        yield "layers", "at least one layer is needed"
    if len({layer.name for layer in problem.layers}) < len(problem.layers):
        yield "layers", "names of layers must differ"
    for i, layer in enumerate(problem.layers):
        if not layer.options:
            yield f"layers[{i}].options", "at least one option is needed"
        if len({(o.tensor, o.recompute) for o in layer.options}) < len(layer.options):
            yield f"layers[{i}].options", "options must differ in tensor degree or in what they recompute"
        for o, option in enumerate(layer.options):
            at = f"layers[{i}].options[{o}]"
            if not _whole(option.tensor, 1) or option.tensor > problem.devices:
                yield f"{at}.tensor", f"degree {option.tensor!r} is not allowed; 1 to {problem.devices} are"
            for name in _TIMES:
                value = getattr(option, name)
                if not (math.isfinite(value) and value >= 0):
                    yield f"{at}.{name}", f"{value!r} is not allowed; a number of at least 0 is needed"
            if option.weight_s > option.backward_s:
                yield f"{at}.weight_s", f"{option.weight_s!r} is more than the whole backward pass"
            for name in (*_SIZES, *_EXPERTS):
                if not _whole(getattr(option, name)):
                    yield f"{at}.{name}", f"{getattr(option, name)!r} is not allowed; a whole number is needed"


def _edge_complaints(problem: Problem) -> Iterator[tuple[str, str]]:
    layers, seen = len(problem.layers), set()
    for i, edge in enumerate(problem.edges):
        if not (0 <= edge.source < layers and 0 <= edge.target < layers):
            yield f"edges[{i}]", f"joins layers {edge.source} and {edge.target} of {layers}"
            return
        if edge.source == edge.target:
            yield f"edges[{i}]", f"layer {problem.layers[edge.source].name!r} waits for itself"
        if (edge.source, edge.target) in seen:
            yield f"edges[{i}]", "these two layers are joined twice"
        seen.add((edge.source, edge.target))
        if edge.message_bytes < 0:
            yield f"edges[{i}].bytes", f"{edge.message_bytes!r} is not allowed; at least 0 is needed"
        if edge.by_tensor and not problem.uniform:
            yield f"edges[{i}]", "bytes by tensor degree need one degree for all stages (uniform)"
    order = _topological(layers, problem.edges)
    if len(order) < layers:
        rest = sorted(set(range(layers)) - set(order))
        names = ", ".join(repr(problem.layers[i].name) for i in rest[:5])
        yield "edges", f"the layers form a cycle; among or behind it: {names}{', …' if len(rest) > 5 else ''}"
    targets = {edge.target for edge in problem.edges}
    sources = [layer.name for i, layer in enumerate(problem.layers) if i not in targets]
    if len(sources) > 1:
        names = ", ".join(map(repr, sources[:5]))
        yield "edges", f"{len(sources)} layers wait for nothing ({names}); a pipeline has one first layer"
