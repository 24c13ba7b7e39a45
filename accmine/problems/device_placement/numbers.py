"""Ticks: the whole numbers that objective, check, bounds and models speak of.

Every duration of a layer (with its collectives), of a message and of the update of a layer is rounded up to ticks once;
those of stages are sums of these. A tick is 1, 2 or 5 · 10^k seconds, such that all durations on a chain of the
timeline together are rounded by at most 1e-9 of a step that no placement is below, unless the longest step that any
placement may take would then leave 2^59 ticks: those stay within the integers of 64 bits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache

from accmine.problems.device_placement.memory import layer_memory
from accmine.problems.device_placement.problem import GROUPS, Option, Problem
from accmine.system import Cluster
from accmine.system.collectives import collective_s
from accmine.system.memory import exchange_s, stage_memory, zero_exchanges
from accmine.workload.shard import Collective

__all__ = ["MOST_TICKS", "Numbers", "Way", "numbers", "replica_microbatches"]

_LOSS = Fraction(1, 10**9)
MOST_TICKS = 1 << 59


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
            rounds = 3 * problem.microbatches if max(problem.zero) > 1 else 2
            ends = cluster.transfer_s(option.tied_bytes, 0, devices - 1)
            worst = max(worst, each * problem.microbatches + option.update_s + rounds * sums + ends)
        total += worst
    rank, sent = {layer: i for i, layer in enumerate(problem.order_of_layers)}, 0.0
    for edge in problem.edges:
        size = max([edge.message_bytes, *(size for _, size in edge.by_tensor)])
        sent += (rank[edge.target] - rank[edge.source]) * cluster.transfer_s(size, 0, devices - 1)
    return total + 2 * sent * problem.microbatches


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
        tick = max(float(_LOSS) * least / self.rounding, most / MOST_TICKS) or 1e-12
        power = Fraction(10) ** math.ceil(math.log10(tick))
        factors = Fraction(1, 5), Fraction(1, 2), Fraction(1), Fraction(2)  # 2: log10 is off by a bit now and then
        self.ticks = 1 / min(f * power for f in factors if f * power >= tick)
        cluster = problem.cluster
        self._larger = replace(cluster, levels=(*cluster.levels[:-1], replace(cluster.levels[-1], devices=None)))
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
        key = option, strides, way
        if key not in self._layer:
            forward = option.forward_s + self._collectives(option, option.forward_collectives, strides, way.devices)
            backward = option.backward_s + self._collectives(option, option.backward_collectives, strides, way.devices)
            update = self._update_s(option, way)
            weight = min(self.up(option.weight_s), self.up(backward))
            self._layer[key] = self.up(forward), self.up(backward), self.up(update), weight
        return self._layer[key]

    def _cluster(self, devices: int) -> Cluster:
        """What connects so many ranks: with groups spaced as if all were the widest there are more than devices."""
        return self.problem.cluster if devices <= self.problem.cluster.devices else self._larger

    def _collectives(self, option: Option, own: Sequence[Collective], strides: tuple[int, int], devices: int) -> float:
        total = 0.0
        for c in own:
            ranks, stride = (option.tensor, strides[0]) if c.group == "tensor" else (self.problem.expert, strides[1])
            total += collective_s(self._cluster(devices), c, ranks, stride, devices=devices)
        return total

    def _update_s(self, option: Option, way: Way) -> float:
        """Seconds from the last backward pass: sum of gradients, optimiser, and what ZeRO exchanges, layer by layer."""
        problem, memory = self.problem, layer_memory(option)
        degrees = {"tensor": way.tensor, "data": way.data, "pipeline": way.pipeline, "expert": problem.expert}
        total = option.update_s
        if way.zero and memory.optimizer:  # everyone updates what it owns
            own = stage_memory([memory], in_flight=0, zero=way.zero, data=way.data, expert=problem.expert)
            total *= own.optimizer / memory.optimizer
        microbatches = replica_microbatches(problem, way.data)
        for one in zero_exchanges([memory], zero=way.zero, microbatches=microbatches):
            seconds = exchange_s(self._cluster(way.devices), [one], way.order, degrees, devices=way.devices)
            total += seconds if one.kind == "all-gather" else (1 - problem.gradient_overlap) * seconds
        if way.pipeline > 1 and option.tied_bytes:
            far = way.stride("pipeline") * (way.pipeline - 1)
            total += self._cluster(way.devices).transfer_s(option.tied_bytes, 0, far)
        return total

    def message(self, message_bytes: int, way: Way, stage: int) -> int:
        """A message from a stage to the next one; stages are counted over all chunks."""
        return self.messages(message_bytes, way)[stage % way.pipeline]

    def messages(self, message_bytes: int, way: Way) -> tuple[int, ...]:
        """A message from each device of a pipeline to the next one, the worst of all replicas.

        The last one sends to the first one, as chunks do.
        """
        stride = way.stride("pipeline")
        key = message_bytes, stride, way.pipeline, way.devices
        if key not in self._sent:
            seconds = self._cluster(way.devices).boundary_s(
                message_bytes, stride, way.pipeline, stages=way.pipeline + 1, devices=way.devices
            )
            self._sent[key] = tuple(map(self.up, seconds.tolist()))
        return self._sent[key]


@lru_cache(maxsize=16)
def numbers(problem: Problem) -> Numbers:
    """The numbers of a problem, made once."""
    return Numbers(problem)
