"""Several chunks on a device: cuts taken apart from the front, by the chains of the schedule.

What is known of a cut whose first stages are fixed: the first chunks of the first devices, hence when these begin at
the earliest and what follows them, and a part of the work of every device. With T the ticks of a microbatch on all
layers, A_s the first pass of device s and R_s what comes behind its last one, no timeline is shorter than

    A_s + m·(what device s has already) + R_s,  nor than the mean of A_s + R_s + m·T / p over all p devices.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from accmine.problems.device_placement import Pipelining, Problem, Solution, StagePlan
from accmine.problems.device_placement.numbers import Way, replica_microbatches

from .ways import Kind, Layers

__all__ = ["Chunked"]

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Chunked:
    """One way of a schedule with several chunks per device, for uniform stages.

    Attributes
    ----------
    forward, backward, update
        Prefix sums over the layers; shape (layers + 1,).
    sent
        Message in front of a layer over each boundary modulo the devices; shape (devices, layers).
    """

    kind: Kind
    pipelining: Pipelining
    way: Way
    microbatches: int
    forward: Array
    backward: Array
    update: Array
    sent: Array

    @classmethod
    def of(cls, layers: Layers, kind: Kind, pipelining: Pipelining, way: Way) -> Chunked:
        """The numbers of a way."""
        problem: Problem = layers.problem
        sizes, place = layers.crossing(kind[0])
        sent = np.array([layers.numbers.messages(int(size), way) for size in sizes], dtype=np.int64)
        sums = [np.concatenate([[0], np.cumsum(own)]) for own in layers.phases(kind, way)[:3]]
        m = replica_microbatches(problem, way.data)
        return cls(kind, pipelining, way, m, sums[0], sums[1], sums[2], sent.T[:, place])

    @property
    def stages(self) -> int:
        """Stages of a pipeline, all chunks."""
        return self.way.pipeline * self.pipelining.chunks

    @property
    def layers(self) -> int:
        """Length of the chain."""
        return len(self.forward) - 1

    def balanced(self) -> tuple[int, ...]:
        """First layers of stages that have about the same work each."""
        work = self.forward + self.backward
        wanted = work[-1] * np.arange(1, self.stages) / self.stages
        firsts = [0]
        for k, near in enumerate(np.searchsorted(work, wanted).tolist(), 1):
            lower = near - 1 if near and wanted[k - 1] - work[near - 1] < work[near] - wanted[k - 1] else near
            firsts.append(min(max(lower, firsts[-1] + 1), self.layers - self.stages + k))
        return tuple(firsts)

    def plan(self, firsts: tuple[int, ...], line: tuple[int, ...]) -> Solution:
        """The placement of a cut."""
        ends = (*firsts[1:], self.layers)
        plans = tuple(StagePlan(line[a:b], *self.kind) for a, b in zip(firsts, ends, strict=True))
        return Solution(plans, self.way.data, self.way.order, self.pipelining, self.way.zero)

    def next_cuts(self, firsts: tuple[int, ...], layer: int) -> Iterator[tuple[int, tuple[int, ...], int]]:
        """(bound, first layers with that of the next stage, layer behind it) of all next stages."""
        left = self.stages - len(firsts) - 1
        ends = range(layer + 1, self.layers - left + 1) if left else (self.layers,)
        for end in ends:
            yield self._bound((*firsts, layer), end), (*firsts, layer), end

    def _bound(self, firsts: tuple[int, ...], end: int) -> int:
        p, m = self.way.pipeline, self.microbatches
        bounds = np.array([*firsts, end])
        f, b, u = (np.diff(total[bounds]) for total in (self.forward, self.backward, self.update))
        load, update = np.zeros(p, dtype=np.int64), np.zeros(p, dtype=np.int64)
        np.add.at(load, np.arange(len(f)) % p, f + b)
        np.add.at(update, np.arange(len(f)) % p, u)
        best = arrived = tail = mean = 0
        for s in range(p):
            tail = max(tail, int(update[s]))
            best = max(best, arrived + m * int(load[s]) + tail)
            mean += arrived + tail
            if s < len(f) and s + 1 < p and s + 1 < len(bounds):
                message = int(self.sent[s, bounds[s + 1]]) if bounds[s + 1] < self.layers else 0
                arrived += int(f[s]) + message
                tail += int(b[s]) + message
        total = m * int(self.forward[-1] + self.backward[-1])
        return max(best, -(-(mean + total) // p))
