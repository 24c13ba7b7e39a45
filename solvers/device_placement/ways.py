"""All ways to place a chain of layers but for the cut, each with a bound that holds for every cut."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from accmine.problems.device_placement import Option, Pipelining, Problem
from accmine.problems.device_placement.chain_bound import Rows
from accmine.problems.device_placement.memory import held_microbatches, layer_bytes
from accmine.problems.device_placement.numbers import Numbers, Way, numbers, replica_microbatches
from accmine.problems.device_placement.problem import GROUPS
from accmine.system import SCHEDULES

__all__ = ["Kind", "Layers", "Ways", "all_ways"]

Array = npt.NDArray[Any]
Kind = tuple[int, str]
"""Tensor degree, and what is recomputed."""


@dataclass(frozen=True, eq=False)
class Ways:
    """Ways that differ in replicas and stages only, by ascending bound.

    Attributes
    ----------
    data, pipeline, bound
        One entry each.
    """

    kinds: tuple[Kind, ...]
    pipelining: Pipelining
    order: tuple[str, ...]
    zero: int
    data: Array
    pipeline: Array
    bound: Array


class Layers:
    """The layers of a chain in their order, and what stages of them take in every way."""

    def __init__(self, problem: Problem) -> None:
        self.problem, self.numbers = problem, numbers(problem)
        self.line = problem.order_of_layers
        self.count = len(self.line)
        self._own: dict[Kind, tuple[list[Option | None], Array]] = {}
        self._reach: dict[object, Array] = {}
        self._crossing: dict[int, tuple[Array, Array]] = {}

    def kinds(self) -> list[tuple[Kind, ...]]:
        """Kinds of options that a placement may use: one at a time where stages are uniform, else all together."""
        of_layers = [{(o.tensor, o.recompute) for o in layer.options} for layer in self.problem.layers]
        if self.problem.uniform:
            return [(kind,) for kind in sorted(set.intersection(*of_layers))]
        return [tuple(sorted(set.union(*of_layers)))]

    def options(self, kind: Kind) -> tuple[list[Option | None], Array]:
        """(distinct options of a kind, which of them each layer has); ``None``: a layer without."""
        if kind not in self._own:
            found = [
                next((o for o in self.problem.layers[i].options if (o.tensor, o.recompute) == kind), None)
                for i in self.line
            ]
            distinct = list(dict.fromkeys(found))
            place = {option: i for i, option in enumerate(distinct)}
            self._own[kind] = distinct, np.array([place[o] for o in found])
        return self._own[kind]

    def phases(self, kind: Kind, way: Way) -> list[Array]:
        """Forward, backward, update and weight ticks of each layer; those of a layer without option are not used."""
        distinct, place = self.options(kind)
        table = [(0, 0, 0, 0) if o is None else self.numbers.layer(o, way) for o in distinct]
        return list(np.array(table, dtype=np.int64)[place].T)

    def crossing(self, tensor: int) -> tuple[Array, Array]:
        """(distinct sizes of messages, which of them crosses the boundary in front of each layer)."""
        if tensor not in self._crossing:
            rank = {layer: i for i, layer in enumerate(self.line)}
            sizes = [0] * self.count
            last: dict[int, list[tuple[int, int]]] = {}
            for edge in self.problem.edges:
                last.setdefault(rank[edge.source], []).append((rank[edge.target], edge.bytes_at(tensor)))
            for source, targets in last.items():
                for cut in range(source + 1, max(t for t, _ in targets) + 1):
                    sizes[cut] += max(size for t, size in targets if t >= cut)
            distinct, place = np.unique(np.array(sizes), return_inverse=True)
            self._crossing[tensor] = distinct, place
        return self._crossing[tensor]

    def reach(self, kind: Kind, held: int, data: int, zero: int) -> Array:
        """By first layer of a stage: the layer behind the longest one that fits in memory, and has options."""
        key = kind, held, data if zero or self.problem.expert > 1 else 0, zero
        if key not in self._reach:
            distinct, place = self.options(kind)
            limit = self.problem.memory_bytes
            rows = []
            for o in distinct:
                states, most = (limit + 1, 0) if o is None else layer_bytes(self.problem, o, data, zero)
                rows.append((states + held * (0 if o is None else o.stash_bytes), most))
            kept, working = np.array([[min(v, limit + 1) for v in row] for row in rows], dtype=np.int64)[place].T
            total = np.concatenate([[0], np.cumsum(kept)])
            largest = np.triu(np.broadcast_to(working, (self.count, self.count)))
            used = total[None, 1:] - total[:-1, None] + np.maximum.accumulate(largest, axis=1)
            fits = np.triu(used <= limit)
            self._reach[key] = np.arange(self.count) + fits.sum(axis=1)
        return self._reach[key]

    def forward_share(self, kinds: tuple[Kind, ...]) -> float:
        """Least share of the forward pass in the work of a layer, without exchanges."""
        shares = [1.0]
        for option in (o for kind in kinds for o in self.options(kind)[0] if o is not None):
            forward, backward = self.numbers.up(option.forward_s), self.numbers.up(option.backward_s)
            if forward + backward:
                shares.append(forward / (forward + backward))
        return min(shares)

    def fits(self, kinds: tuple[Kind, ...], pipelining: Pipelining, way: Way) -> bool:
        """Whether stages as long as memory allows hold all layers; of several chunks, whether their sum may fit.

        A stage that begins later ends no earlier, so the longest stages in turn reach as far as any. Where kinds may
        differ the longest of any kind is taken.
        """
        problem, p = self.problem, way.pipeline
        if pipelining.chunks > 1:
            distinct, place = self.options(kinds[0])
            states = [0 if o is None else layer_bytes(problem, o, way.data, way.zero)[0] for o in distinct]
            stash = [0 if o is None else o.stash_bytes for o in distinct]
            return bool(sum(states[i] + stash[i] for i in place.tolist()) <= problem.memory_bytes * p)
        microbatches, layer = replica_microbatches(problem, way.data), 0
        for s in range(p):
            held = held_microbatches(pipelining, s, p, microbatches)
            layer = max(int(self.reach(kind, held, way.data, way.zero)[layer]) for kind in kinds)
            if layer == self.count:
                return True
        return False

    def rows(self, kinds: tuple[Kind, ...], pipelining: Pipelining, way: Way) -> list[Rows]:
        """What stages are made of in a way, one entry for each kind of options."""
        problem, p = self.problem, way.pipeline
        microbatches = replica_microbatches(problem, way.data)
        held = [held_microbatches(pipelining, p - r, p, microbatches) for r in range(1, p + 1)]
        own = SCHEDULES[pipelining.schedule]
        late = [own.late(p - r, p, microbatches) for r in range(1, p + 1)] if own.split_backward else []
        found = []
        for kind in kinds:
            forward, backward, update, weight = self.phases(kind, way)
            sizes, place = self.crossing(kind[0])
            # row r - 1: in front of the r-th stage from the end, which is stage p - r
            sent = np.array([self.numbers.messages(int(size), way) for size in sizes], dtype=np.int64)
            there = sent[:, [(p - r - 1) % p for r in range(1, p + 1)]].T[:, place]
            if (there[: max(1, p - 1)] == there[0]).all():
                there = there[0]
            reach = np.stack([self.reach(kind, h, way.data, way.zero) for h in held])
            width = 0 if problem.uniform else kind[0]
            part = weight if own.split_backward else None
            found.append(Rows(forward, backward, update, there, there, reach, width, part, late))
        return found


def all_ways(layers: Layers) -> list[Ways]:
    """Every way that has enough devices, with the larger of

    m · (load of the fullest stage, at least) and a·T / (1 - (1 - a/m)^p), T one microbatch through all layers,

    without exchanges and updates. The second holds for one stage per device, whose chains are at least
    a·Σ_{k<s} t_k + m·t_s, with a = 1 where the whole backward pass goes back, and else the least share of forward
    passes: weights (1 - a/m)^(p - s) on the chains through stage s make every stage count alike.
    """
    problem = layers.problem
    found = []
    for kinds, pipelining in product(layers.kinds(), problem.pipelinings):
        work = _work(layers, kinds, layers.numbers)
        fullest = _fullest(work, min(layers.count, problem.devices), whole=pipelining.chunks == 1 and problem.chain)
        for order, zero in product(problem.orders, problem.zero):
            pairs = np.array(list(_degrees(problem, kinds, pipelining, order, zero)), dtype=np.int64).reshape(-1, 2)
            data, pipeline = pairs.T
            m = -(-problem.microbatches // np.maximum(data, 1))
            bound = m * fullest[pipeline - 1]
            if pipelining.chunks == 1:
                part = layers.forward_share(kinds) if SCHEDULES[pipelining.schedule].split_backward else 1.0
                share = 1 - (1 - part / m) ** pipeline
                mean = int(work.sum()) * part / np.where(share > 0, share, np.inf)
                bound = np.maximum(bound, np.floor(mean * (1 - 1e-9)).astype(np.int64))
            rank = np.argsort(bound, kind="stable")
            found.append(Ways(kinds, pipelining, order, zero, data[rank], pipeline[rank], bound[rank]))
    return found


def _work(layers: Layers, kinds: tuple[Kind, ...], table: Numbers) -> Array:
    """Ticks of a microbatch on each layer, without exchanges; the least of the kinds."""
    each = []
    for kind in kinds:
        distinct, place = layers.options(kind)
        ticks = [1 << 59 if o is None else table.up(o.forward_s) + table.up(o.backward_s) for o in distinct]
        each.append(np.array(ticks, dtype=np.int64)[place])
    return np.asarray(np.min(each, axis=0))


def _fullest(work: Array, stages: int, whole: bool) -> Array:
    """Least load of the fullest of 1, 2, … stages; of devices with several chunks at least the mean."""
    total = np.concatenate([[0], np.cumsum(work)])
    if not whole:
        return np.array([max(-(-int(total[-1]) // p), int(work.max())) for p in range(1, stages + 1)])
    load = total[None, 1:] - total[:-1, None]  # [first layer, last layer]
    load = np.where(np.triu(np.ones(load.shape, dtype=bool)), load, 1 << 60)
    best = load[:, -1]
    found = [best[0]]
    for _ in range(1, stages):
        behind = np.concatenate([best[1:], [1 << 60]])
        best = np.maximum(load, behind[None, :]).min(axis=1)
        found.append(min(best[0], found[-1]))  # fewer stages may be no worse, but then others wait for nothing
    return np.array(found)


def _degrees(
    problem: Problem, kinds: tuple[Kind, ...], pipelining: Pipelining, order: tuple[str, ...], zero: int
) -> Iterator[tuple[int, int]]:
    """Replicas and devices of a pipeline, without those that only another name tells from others."""
    tensor = min(kind[0] for kind in kinds)
    most = min(problem.devices // tensor, problem.microbatches)
    for data in problem.data or range(problem.expert, most + 1, problem.expert):
        if data == 1 and zero != problem.zero[0]:
            continue  # nothing to share
        room = min(len(problem.layers) // pipelining.chunks, problem.devices // (tensor * data))
        for pipeline in problem.pipeline or range(1, room + 1):
            m = -(-problem.microbatches // data)
            if SCHEDULES[pipelining.schedule].refusal(pipeline, m, pipelining.chunks) is not None:
                continue
            if pipeline <= room and order == _first_alike(problem, kinds, (data, pipeline), order):
                yield data, pipeline


def _first_alike(
    problem: Problem, kinds: tuple[Kind, ...], degrees: tuple[int, int], order: tuple[str, ...]
) -> tuple[str, ...]:
    """The first order whose groups of several devices have the ranks that they have in this one."""
    wide = kinds[0][0] if problem.uniform else max(problem.degrees)
    sizes = dict(zip(GROUPS, (wide, *degrees), strict=True))
    several = [[group for group in one if sizes[group] > 1] for one in (order, *problem.orders)]
    return problem.orders[several.index(several[0], 1) - 1]
