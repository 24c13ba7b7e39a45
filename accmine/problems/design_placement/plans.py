"""The plans of a variant: every placement without its cut, with what it adds to the times of layers.

Replicas that leave as many microbatches to the fullest one are one plan at first, with the least of what they add; its
members are told apart where it matters (``members``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from accmine.problems import device_placement
from accmine.problems.design_placement.plan_bounds import Plans
from accmine.problems.design_placement.problem import Problem, Variant
from accmine.problems.design_placement.times import class_at, problem_on
from accmine.problems.device_placement.memory import held_microbatches, state_bytes
from accmine.problems.device_placement.numbers import Numbers, Way, numbers

__all__ = ["Terms", "terms_of"]

_CHOICE = ("stages", "microbatches", "data", "data_most", "chunks", "order", "pipelining", "zero")

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Terms:
    """What plans of one variant add to its layers: collectives, messages, sums of gradients, memory."""

    problem: Problem
    variant: Variant

    @cached_property
    def placed(self) -> device_placement.Problem:
        """The device placement of layers that take no time of their own."""
        return problem_on(self.problem, self.variant, 1, [(0.0, 0.0, 0.0)] * self.variant.layers)

    @cached_property
    def numbers(self) -> Numbers:
        """Its durations."""
        return numbers(self.placed)

    @cached_property
    def runs(self) -> tuple[tuple[int, int], ...]:
        """(class, layers) along the chain."""
        found: list[tuple[int, int]] = []
        for kind in class_at(self.variant):
            if found and found[-1][0] == kind:
                found[-1] = (kind, found[-1][1] + 1)
            else:
                found.append((kind, 1))
        return tuple(found)

    @cached_property
    def options(self) -> tuple[device_placement.Option, ...]:
        """The option of each class."""
        return tuple(self.placed.layers[c.layers[0]].options[0] for c in self.variant.classes)

    def way(self, stages: int, data: int, order: int, zero: int) -> Way:
        """Degrees and order of a plan."""
        tensor = self.variant.shard.tensor
        return Way(tensor, data, stages, self.problem.orders[order], self.problem.zero[zero])

    def added(self, way: Way) -> tuple[FloatArray, FloatArray]:
        """Seconds of collectives, shape (classes, 2), and of the sum of gradients of a layer, shape (classes,)."""
        rows = np.array([self.numbers.layer(option, way)[:3] for option in self.options], dtype=np.float64)
        seconds = rows / float(self.numbers.ticks)
        return seconds[:, :2], seconds[:, 2]

    def plans(self) -> Plans:
        """Every plan, by stages and microbatches of the fullest replica; sums of gradients count as nothing yet."""
        return self._plans

    @cached_property
    def _plans(self) -> Plans:
        rows, collectives, transfers = [], [], []
        known: dict[object, FloatArray] = {}
        sent: dict[int, float] = {}
        for stages, (least, most, microbatches), order, pipelining, zero in self._choices():
            way = self.way(stages, least, order, zero)
            strides = way.stride("tensor"), way.stride("data") if self.placed.expert > 1 else 0
            if strides not in known:
                known[strides] = self.added(way)[0]
            stride = way.stride("pipeline")
            if stride not in sent:
                sent[stride] = self._least_transfer_s(stride)
            chunks = self.problem.pipelinings[pipelining].chunks
            rows.append((stages, microbatches, least, most, chunks, order, pipelining, zero))
            collectives.append(known[strides])
            transfers.append(sent[stride])
        table = np.array(rows, dtype=np.int64).reshape(-1, 8).T
        kinds = len(self.variant.classes)
        first, last = self.runs[0][0], self.runs[-1][0]
        return Plans(
            np.array([len(c.layers) for c in self.variant.classes], dtype=np.int64),
            first,
            last,
            **dict(zip(_CHOICE, table, strict=True)),
            collective_s=np.array(collectives).reshape(-1, kinds, 2),
            gradient_s=np.zeros((len(rows), kinds)),
            shards=np.where(np.array(self.problem.zero, dtype=np.int64)[table[7]] > 0, table[3], 1),
            transfer_s=np.array(transfers),
        )

    def members(self, plans: Plans) -> Plans:
        """The plans with every number of replicas apart, and their sums of gradients."""
        rows, sums, shards, transfers = [], [], [], []
        for i in range(len(plans)):
            for data in self.replicas(int(plans.data[i]), int(plans.data_most[i])):
                key = int(plans.stages[i]), data, int(plans.order[i]), int(plans.zero[i])
                if key not in self._members:
                    way = self.way(*key)
                    self._members[key] = self.added(way)[1], data if way.zero else 1, self._least_messages_s(way)
                own = self._members[key]
                rows.append((i, data))
                sums.append(own[0])
                shards.append(own[1])
                transfers.append(own[2])
        table = np.array(rows, dtype=np.int64).reshape(-1, 2)
        found = plans.take(table[:, 0])
        gradient = np.array(sums).reshape(-1, plans.gradient_s.shape[1])
        return replace(
            found,
            data=table[:, 1],
            data_most=table[:, 1],
            gradient_s=gradient,
            shards=np.array(shards, dtype=np.int64),
            transfer_s=np.array(transfers, dtype=np.float64),
        )

    @cached_property
    def _members(self) -> dict[tuple[int, int, int, int], tuple[FloatArray, int, float]]:
        """Sums of gradients, shares of the optimiser and messages, by stages, replicas, order and ZeRO stage."""
        return {}

    def _choices(self) -> Iterator[tuple[int, tuple[int, int, int], int, int, int]]:
        p, placed = self.problem, self.placed
        for pipelining, how in enumerate(p.pipelinings):
            # ascending, as are replicas: what the first way with some strides adds is least, as it has fewest devices
            for stages in sorted(p.pipeline) or range(1, self.variant.layers + 1):
                if stages * how.chunks > self.variant.layers or stages * self.variant.shard.tensor > p.devices:
                    continue
                most = min(p.devices // (stages * self.variant.shard.tensor), placed.microbatches)
                for group in self._groups(most):
                    for order in range(len(p.orders)):
                        for zero in range(len(p.zero)):
                            yield stages, group, order, pipelining, zero

    def _groups(self, most: int) -> list[tuple[int, int, int]]:
        """(least, most) replicas that leave so many microbatches to the fullest one."""
        found: dict[int, tuple[int, int]] = {}
        for data in self.replicas(1, most):
            microbatches = -(-self.placed.microbatches // data)
            found[microbatches] = (found.get(microbatches, (data, data))[0], data)
        return [(least, last, microbatches) for microbatches, (least, last) in found.items()]

    def replicas(self, least: int, most: int) -> list[int]:
        """Numbers of replicas between two that are allowed."""
        given = sorted(self.problem.data) or range(1, most + 1)
        return [d for d in given if least <= d <= most and d % self.placed.expert == 0]

    def _least_transfer_s(self, stride: int) -> float:
        """Least seconds of a message to the next stage and back, over all boundaries."""
        sends = [edge.message_bytes for edge in self.placed.edges]
        if not sends or stride >= self.problem.devices:
            return 0.0
        return 2 * self.problem.cluster.transfer_s(min(sends), 0, stride)

    @cached_property
    def _messages(self) -> dict[Way, float]:
        return {}

    def _least_messages_s(self, way: Way) -> float:
        """Least seconds of a message to the next stage and back, over the boundaries that there are."""
        plain = replace(way, zero=0)
        if plain not in self._messages:
            sends = [edge.message_bytes for edge in self.placed.edges]
            ticks = [self.numbers.message(min(sends), way, k) for k in range(way.pipeline - 1)] if sends else []
            self._messages[plain] = 2 * min(ticks, default=0) / float(self.numbers.ticks)
        return self._messages[plain]

    # One plan

    def boundaries(self, plan: Plans) -> FloatArray:
        """Seconds of a message in front of each layer that begins the r-th stage from the end; (stages, layers)."""
        (p,) = plan.stages.tolist()
        way = self.way(p, int(plan.data[0]), int(plan.order[0]), int(plan.zero[0]))
        sizes = [0, *(edge.message_bytes for edge in self.placed.edges)]
        rows = np.zeros((p, len(sizes)))
        for r in range(1, p):  # the message over boundary p - r - 1 is in front of the r-th stage from the end
            by_size = {size: self.numbers.messages(size, way)[p - r - 1] for size in set(sizes)}
            rows[r - 1] = [by_size[size] / float(self.numbers.ticks) for size in sizes]
        return rows

    def held(self, pipelining: int, stages: int, microbatches: int) -> IntArray:
        """Microbatches in flight by stage."""
        return _held(self.problem.pipelinings[pipelining], stages, microbatches)

    @cached_property
    def _states(self) -> dict[tuple[int, int], FloatArray]:
        return {}

    def static_bytes(self, data: int, zero: int) -> FloatArray:
        """States of one layer of each class; shape (classes,)."""
        key = (data if self.problem.zero[zero] else 1), zero
        if key not in self._states:
            own = [state_bytes(self.placed, option, data, self.problem.zero[zero]) for option in self.options]
            self._states[key] = np.array(own, dtype=np.float64)
        return self._states[key]

    @cached_property
    def stash_bytes(self) -> FloatArray:
        """Of one layer and microbatch; shape (classes,)."""
        return np.array([option.stash_bytes for option in self.options], dtype=np.float64)

    @cached_property
    def working_bytes(self) -> FloatArray:
        """Of one layer; shape (classes,)."""
        return np.array([option.working_bytes for option in self.options], dtype=np.float64)

    def fullest(self, plans: Plans, hbm_bytes: int) -> FloatArray:
        """Layers of the class with most of them that some stage must hold, by memory; infinite: they fit nowhere."""
        kind = int(plans.layers.argmax())
        layers = int(plans.layers[kind])
        held, there = self.in_flight(plans)
        free = hbm_bytes - self.working_bytes.min()
        each = self.static_of(plans)[kind] + held * self.stash_bytes[kind]
        caps = np.where(there, np.clip(np.floor(free / np.maximum(each, 1e-9)), 0, layers), 0.0)
        low, high = -(-plans.layers[kind] // plans.stages), np.full(len(plans), layers, dtype=np.int64)
        for _ in range(layers.bit_length() + 1):
            middle = (low + high) // 2
            enough = np.minimum(caps, middle).sum(axis=0) >= layers
            low, high = np.where(enough, low, np.minimum(middle + 1, high)), np.where(enough, middle, high)
        return np.where(caps.sum(axis=0) >= layers, high.astype(np.float64), np.inf)

    def in_flight(self, plans: Plans) -> tuple[IntArray, BoolArray]:
        """Microbatches in flight by stage, and which stages there are; shape (most stages, plans).

        With several chunks on a device one: it keeps more, but that depends on the chunk.
        """
        if plans in self._flights:
            return self._flights[plans]
        stages = int(plans.stages.max(initial=1))
        held = np.ones((stages, len(plans)), dtype=np.int64)
        rows = zip(
            *(a.tolist() for a in (plans.pipelining, plans.stages, plans.microbatches, plans.chunks)), strict=True
        )
        for i, (how, p, m, chunks) in enumerate(rows):
            if chunks == 1:
                held[:p, i] = self.held(how, p, m)
        self._flights[plans] = held, np.arange(stages)[:, None] < plans.stages
        return self._flights[plans]

    @cached_property
    def _flights(self) -> WeakKeyDictionary[Plans, tuple[IntArray, BoolArray]]:
        """What was counted: the same plans are asked about for every size of memory."""
        return WeakKeyDictionary()

    @cached_property
    def _static(self) -> WeakKeyDictionary[Plans, FloatArray]:
        return WeakKeyDictionary()

    def static_of(self, plans: Plans) -> FloatArray:
        """States of one layer of each class with the most replicas of each plan; shape (classes, plans)."""
        if plans not in self._static:
            found = np.empty((len(self.options), len(plans)))
            for i, (data, zero) in enumerate(zip(plans.data_most.tolist(), plans.zero.tolist(), strict=True)):
                found[:, i] = self.static_bytes(data, zero)
            self._static[plans] = found
        return self._static[plans]


@dataclass(frozen=True)
class _Given:
    """A problem, equal to others in which only the chips differ."""

    same: tuple[object, ...]
    problem: Problem = field(compare=False)


def terms_of(problem: Problem, variant: Variant) -> Terms:
    """The terms of a variant, made once for all problems in which only the chips differ."""
    p = problem
    same = p.batch, p.devices, p.cluster, p.pipeline, p.data, p.orders, p.pipelinings, p.zero, p.gradient_overlap
    return _terms(_Given(same, problem), variant)


@lru_cache(maxsize=64)
def _terms(given: _Given, variant: Variant) -> Terms:
    return Terms(given.problem, variant)


@lru_cache(maxsize=1 << 16)
def _held(pipelining: device_placement.Pipelining, stages: int, microbatches: int) -> IntArray:
    rows = [held_microbatches(pipelining, s, stages, microbatches) for s in range(stages)]
    return np.array(rows, dtype=np.int64)
