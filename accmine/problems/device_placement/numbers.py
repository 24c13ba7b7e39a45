"""Ticks: the whole numbers that objective, check, bounds and models speak of.

Every duration of a layer (with its collectives), of a message and of the update of a layer is rounded up to ticks once;
those of stages are sums of these. A tick is 1, 2 or 5 · 10^k seconds, such that all durations on a chain of the
timeline together are rounded by at most 1e-9 of a step that no placement is below, unless the longest step that any
placement may take would then leave 2^59 ticks: those stay within the integers of 64 bits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from accmine.problems.device_placement.problem import GROUPS, Option, Problem
from accmine.system.collectives import collective_s
from accmine.workload.shard import Collective

__all__ = ["Numbers", "Way", "numbers", "replica_microbatches", "state_shares"]

_LOSS = Fraction(1, 10**9)
_MOST_TICKS = 1 << 59


@dataclass(frozen=True, slots=True)
class Way:
    """What a placement is but for its stages: degrees, order of ranks, ZeRO stage.

    Attributes
    ----------
    tensor
        Devices between neighbouring tensor groups: the degree, or the largest of the problem where degrees may differ.
    pipeline
        Devices of a pipeline, counted as tensor groups.
    """

    tensor: int
    data: int
    pipeline: int
    order: tuple[str, ...]
    zero: int

    def stride(self, group: str) -> int:
        """Ranks between neighbours of a group: the product of the sizes of the groups inside it."""
        sizes = dict(zip(GROUPS, (self.tensor, self.data, self.pipeline), strict=True))
        return math.prod(sizes[inner] for inner in self.order[: self.order.index(group)])

    @property
    def devices(self) -> int:
        """Ranks of all groups together."""
        return self.tensor * self.data * self.pipeline


def replica_microbatches(problem: Problem, data: int) -> int:
    """Microbatches of the fullest replica: those of a step shared by ``data`` replicas, rounded up."""
    return -(-problem.microbatches // data)


def state_shares(problem: Problem, option: Option, data: int) -> tuple[tuple[int, int, int, int, bool], ...]:
    """(weight, gradient and optimizer bytes, replicas that hold the same, whether experts) of the parts of a layer.

    Experts are held by data / expert devices, everything else by all replicas.
    """
    sizes = (
        (option.weight_bytes, option.expert_weight_bytes),
        (option.gradient_bytes, option.expert_gradient_bytes),
        (option.optimizer_bytes, option.expert_optimizer_bytes),
    )
    weights, gradients, states = (max(0, whole - expert) for whole, expert in sizes)
    dense = weights, gradients, states, data, False
    if not any(expert for _, expert in sizes):
        return (dense,)
    return dense, (sizes[0][1], sizes[1][1], sizes[2][1], max(1, data // problem.expert), True)


def _least_s(problem: Problem) -> float:
    """Seconds that no step is below: the work of all microbatches on all devices."""
    work = sum(min(o.tensor * (o.forward_s + o.backward_s) for o in layer.options) for layer in problem.layers)
    return work * problem.microbatches / problem.devices


def _most_s(problem: Problem) -> float:
    """Seconds that no step is above: everything one after the other, every exchange as wide and as far as possible."""
    cluster, devices, total = problem.cluster, problem.devices, 0.0
    for layer in problem.layers:
        worst = 0.0
        for option in layer.options:
            each = option.forward_s + option.backward_s
            for own in (*option.forward_collectives, *option.backward_collectives):
                ranks = option.tensor if own.group == "tensor" else problem.expert
                each += collective_s(cluster, own, ranks, max(1, devices // ranks))
            size = max(option.gradient_bytes, option.weight_bytes)
            sums = collective_s(cluster, Collective("all-reduce", size, "data"), devices)
            worst = max(worst, each * problem.microbatches + option.update_s + 4 * sums)
        total += worst
    messages = [max([e.message_bytes, *(size for _, size in e.by_tensor)]) for e in problem.edges]
    sent = sum(cluster.transfer_s(size, 0, devices - 1) for size in messages)
    return total + 2 * sent * problem.microbatches * len(problem.layers)


class Numbers:
    """Durations of a problem in ticks.

    Attributes
    ----------
    ticks
        Per second.
    rounding
        Ticks by which a step may be longer than that of the durations as they are given.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        layers, devices = len(problem.layers), min(problem.devices, len(problem.layers))
        self.rounding = 2 * (problem.microbatches + devices) * (layers + 1) + layers
        least, most = _least_s(problem), _most_s(problem)
        tick = max(float(_LOSS) * least / self.rounding, most / _MOST_TICKS) or 1e-12
        power = Fraction(10) ** math.ceil(math.log10(tick))
        self.ticks = 1 / min(f * power for f in (Fraction(1, 5), Fraction(1, 2), Fraction(1)) if f * power >= tick)
        self._layer: dict[object, tuple[int, int, int, int]] = {}
        self._sent: dict[object, tuple[int, ...]] = {}

    def up(self, seconds: float) -> int:
        """Seconds in ticks, rounded up; a float stands for the decimal number it prints as."""
        return math.ceil(Fraction(repr(float(seconds))) * self.ticks)

    def seconds(self, ticks: int) -> float:
        """Ticks in seconds."""
        return float(ticks / self.ticks)

    def layer(self, option: Option, way: Way) -> tuple[int, int, int, int]:
        """Forward pass, backward pass, update, and the part of the backward pass for weights, of one layer."""
        strides = way.stride("tensor"), way.stride("data")
        key = option, strides, way.data, way.zero, way.devices
        if key not in self._layer:
            forward = option.forward_s + self._collectives(option, option.forward_collectives, strides, way.devices)
            backward = option.backward_s + self._collectives(option, option.backward_collectives, strides, way.devices)
            update = self._update_s(option, way, strides[1])
            weight = min(self.up(option.weight_s), self.up(backward))
            self._layer[key] = self.up(forward), self.up(backward), self.up(update), weight
        return self._layer[key]

    def _collectives(self, option: Option, own: Sequence[Collective], strides: tuple[int, int], devices: int) -> float:
        total = 0.0
        for c in own:
            ranks, stride = (option.tensor, strides[0]) if c.group == "tensor" else (self.problem.expert, strides[1])
            total += collective_s(self.problem.cluster, c, ranks, stride, devices=devices)
        return total

    def _update_s(self, option: Option, way: Way, stride: int) -> float:
        """Seconds from the last backward pass: sum of gradients, optimiser, and weights handed round (ZeRO).

        One sum for each layer. ZeRO 1 and 2: reduce-scatter and all-gather; 3: the weights twice (Rajbhandari et al.
        2020: 3/2 of the bytes).
        """
        problem, total = self.problem, 0.0
        states = max(1, option.optimizer_bytes), option.expert_optimizer_bytes
        for weights, gradients, _, ranks, experts in state_shares(problem, option, way.data):
            apart = stride * problem.expert if experts else stride
            share = (states[1] if experts else states[0] - states[1]) / states[0]
            total += share * option.update_s / (ranks if way.zero else 1)
            summed = Collective("reduce-scatter" if way.zero else "all-reduce", gradients, "data")
            sums = collective_s(problem.cluster, summed, ranks, apart, devices=way.devices)
            gathers, gathered = (0, 1, 1, 2)[way.zero], Collective("all-gather", weights, "data")
            handed = collective_s(problem.cluster, gathered, ranks, apart, devices=way.devices) if gathers else 0.0
            total += (1 - problem.gradient_overlap) * sums + gathers * handed
        return total

    def messages(self, message_bytes: int, way: Way) -> tuple[int, ...]:
        """A message from each device of a pipeline to the next one, the worst of all replicas.

        The last one sends to the first one, as chunks do.
        """
        stride = way.stride("pipeline")
        key = message_bytes, stride, way.pipeline, way.devices
        if key not in self._sent:
            seconds = self.problem.cluster.boundary_s(
                message_bytes, stride, way.pipeline, stages=way.pipeline + 1, devices=way.devices
            )
            self._sent[key] = tuple(map(self.up, seconds.tolist()))
        return self._sent[key]


@lru_cache(maxsize=16)
def numbers(problem: Problem) -> Numbers:
    """The numbers of a problem, made once."""
    return Numbers(problem)
