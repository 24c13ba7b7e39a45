"""Collectives: what an exchange among the devices of a group takes.

Every algorithm takes a time that is a straight line in the bytes of the message, so costs of many messages are arrays.

S are the bytes of the message as in ``accmine.workload.shard.Collective``, of n devices; a is the latency, B what one
device sends in a second. On one switch (Thakur, Rabenseifner and Gropp, "Optimization of collective communication
operations in MPICH", IJHPCA 19(1), 2005; Sanders, Speck and Träff, "Two-tree algorithms for full bandwidth broadcast,
reduction and scan", Parallel Computing 35(12), 2009):

- all-reduce, ``ring``: 2 (n - 1) a + 2 (n - 1) / n S / B. Reduce-scatter and all-gather: half of that.
- all-reduce, ``tree`` (double binary tree): 2 log2(n) a + 2 S / B. Needs switches.
- all-to-all, ``pairwise``: (n - 1) a + (n - 1) / n S / B.

Over several levels the innermost k of a group share a block:

- ``ring``: as many rings as devices of the group in a block, each with its own way out (as NCCL builds them), so that a
  block has the outer bandwidth of all of them. The latency is that of the n - 1 hops in the order of the ranks.
- ``tree``: the same bandwidth, and the depth of every level with its latency.
- ``hierarchical``: reduce-scatter inside, all-reduce of S / k around it, all-gather inside; a collective of its own,
  with its own start, at every level.
- ``rotated``: the message is cut into as many pieces as there are levels, and each begins its hierarchy at another one,
  so that the links of all levels work at once (Rashidi et al., "Themis: a network bandwidth-aware collective scheduling
  policy for distributed training of DL models", ISCA 2022). Pieces are equal, and after each level all wait for the
  slowest. Needs rings, the dimensions of a torus: each has links of its own, where switches share a way out.
- ``pairwise``: what goes to devices of other blocks takes the outer latency and bandwidth.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from accmine.errors import InputError
from accmine.system.cluster import LINKED, Cluster
from accmine.workload.shard import COLLECTIVES, Collective

__all__ = ["ALGORITHMS", "FIXED_ROUTES", "GROUPS", "collective_lines", "collective_s", "group_ranks", "seconds"]

ALGORITHMS = {
    "all-reduce": ("ring", "tree", "hierarchical", "rotated"),
    "reduce-scatter": ("ring", "hierarchical", "rotated"),
    "all-gather": ("ring", "hierarchical", "rotated"),
    "all-to-all": ("pairwise",),
}
"""Ways to do a collective; ``best`` is the least of those that the topology allows."""

FIXED_ROUTES = 0.6
"""Share of the bandwidth that random pairs reach in a fat tree whose routes are fixed.

Hoefler, Schneider and Lumsdaine, "Multistage switches are not crossbars: effects of static routing in high-performance
networks", CLUSTER 2008: 40 % less than nominal on large InfiniBand machines (figure from memory).
"""

GROUPS = ("tensor", "pipeline", "data", "expert", "data-expert")
"""Groups of devices: ``expert`` are neighbours in the data group, ``data-expert`` hold copies of the same experts."""


@dataclass(frozen=True, slots=True)
class _Step:
    """What a group sees of a level that it crosses.

    Attributes
    ----------
    before, after
        Devices of the group in a block of the level inside, and of this level.
    latency_s
        Of a hop.
    bytes_per_s
        Of one device, for collectives among neighbours.
    all_to_all_bytes_per_s, all_to_all_latency_s
        The same where everyone speaks to everyone.
    """

    before: int
    after: int
    latency_s: float
    bytes_per_s: float
    all_to_all_latency_s: float
    all_to_all_bytes_per_s: float
    start_s: float
    switched: bool

    @property
    def parts(self) -> int:
        return self.after // self.before


def collective_s(
    cluster: Cluster,
    collective: Collective,
    ranks: int,
    stride: int = 1,
    *,
    algorithm: str = "best",
    devices: int | None = None,
) -> float:
    """Seconds of a collective among ``ranks`` devices that are ``stride`` ranks apart.

    As ``seconds``, whose errors it raises.
    """
    size = collective.message_bytes
    if size < 0:
        raise InputError(f"a message of {size} bytes; at least 0 is needed")
    lines = collective_lines(cluster, collective.kind, ranks, stride, algorithm=algorithm, devices=devices)
    return min(fixed + slope * size for fixed, slope in lines) if size else 0.0


def seconds(
    cluster: Cluster,
    kind: str,
    message_bytes: np.ndarray[Any, Any] | Sequence[float],
    ranks: int,
    stride: int = 1,
    *,
    algorithm: str = "best",
    devices: int | None = None,
) -> np.ndarray[Any, Any]:
    """Seconds of collectives of one kind, by bytes of the message.

    Parameters
    ----------
    kind
        One of ``accmine.workload.shard.COLLECTIVES``.
    message_bytes
        Any shape.
    ranks, stride
        The group has the ranks 0, stride, 2 stride, …; several of them side by side each have their own devices, and
        so their own bandwidth. With blocks that the group does not fill evenly, the worst group counts.
    algorithm
        A name of ``ALGORITHMS``, or ``best``.
    devices
        In use, all groups together: blocks that hold all of them hold every group. Default: more than any block.

    Returns
    -------
    array
        Of the shape of ``message_bytes``; 0 where there is nothing to send, or only one device.

    Raises
    ------
    InputError
        For an unknown kind or algorithm, one that the topology does not allow, a negative message, and more devices
        than the cluster joins.
    """
    messages = np.asarray(message_bytes, dtype=float)
    if (messages < 0).any():
        raise InputError(f"a message of {messages.min():g} bytes; at least 0 is needed")
    lines = collective_lines(cluster, kind, ranks, stride, algorithm=algorithm, devices=devices)
    times = np.min([fixed + slope * messages for fixed, slope in lines], axis=0)
    return np.where(messages > 0, times, 0.0)


@lru_cache(maxsize=65536)
def collective_lines(
    cluster: Cluster,
    kind: str,
    ranks: int,
    stride: int = 1,
    *,
    algorithm: str = "best",
    devices: int | None = None,
) -> tuple[tuple[float, float], ...]:
    """(seconds, seconds per byte) of every algorithm; the least of these lines is what the collective takes.

    Parameters and errors as of ``seconds``.
    """
    if kind not in ALGORITHMS:
        raise InputError(f"{kind!r} is no collective; allowed: {', '.join(COLLECTIVES)}")
    if ranks < 1 or stride < 1:
        raise InputError(f"{ranks} devices, {stride} ranks apart; at least 1 is needed of both")
    if ranks == 1:
        return ((0.0, 0.0),)
    cluster.require(max(devices or 0, (ranks - 1) * stride + 1))
    steps = _steps(cluster, ranks, stride, devices)
    unfit = {"tree"} if any(not step.switched for step in steps) else set()
    unfit |= {"rotated"} if any(step.switched for step in steps) else set()
    names = [name for name in ALGORITHMS[kind] if name not in unfit]
    if algorithm != "best":
        if algorithm not in names:
            raise InputError(f"algorithm {algorithm!r} of {kind} on {cluster.name}; allowed: best, {', '.join(names)}")
        names = [algorithm]
    times = 2 if kind == "all-reduce" else 1
    return tuple(_LINES[name](steps, times) for name in names)


def _ring(steps: Sequence[_Step], times: int) -> tuple[float, float]:
    ranks = steps[-1].after
    latency = sum((ranks // step.before - ranks // step.after) * step.latency_s for step in steps)
    return (
        max(step.start_s for step in steps) + times * latency,
        times * (ranks - 1) / ranks / min(step.before * step.bytes_per_s for step in steps),
    )


def _tree(steps: Sequence[_Step], times: int) -> tuple[float, float]:
    depth = sum(math.log2(step.parts) * step.latency_s for step in steps)
    return (
        max(step.start_s for step in steps) + times * depth,
        times / min(step.before * step.bytes_per_s for step in steps),
    )


def _hierarchical(steps: Sequence[_Step], times: int) -> tuple[float, float]:
    fixed = slope = 0.0
    for step in steps:
        starts = 1 if step is steps[-1] else times  # the outermost all-reduce is one collective
        fixed += starts * step.start_s + times * (step.parts - 1) * step.latency_s
        slope += times * (step.parts - 1) / step.after / step.bytes_per_s
    return fixed, slope


def _rotated(steps: Sequence[_Step], times: int) -> tuple[float, float]:
    levels = len(steps)
    start = max(step.start_s for step in steps)
    fixed = (times * levels - (times - 1)) * start  # the last reduce-scatter and the first all-gather are one
    slope, before = 0.0, [1] * levels  # how often piece j was divided
    for turn in range(levels):
        now = [steps[(piece + turn) % levels] for piece in range(levels)]
        fixed += times * max((step.parts - 1) * step.latency_s for step in now)
        before = [divided * step.parts for divided, step in zip(before, now, strict=True)]
        slope += times / levels * max((s.parts - 1) / b / s.bytes_per_s for s, b in zip(now, before, strict=True))
    return fixed, slope


def _pairwise(steps: Sequence[_Step], times: int) -> tuple[float, float]:
    ranks = steps[-1].after
    others = [(step, step.after - step.before) for step in steps]
    return (
        max(step.start_s for step in steps) + times * sum(k * step.all_to_all_latency_s for step, k in others),
        times * sum(k / ranks / step.all_to_all_bytes_per_s for step, k in others),
    )


_LINES = {"ring": _ring, "tree": _tree, "hierarchical": _hierarchical, "rotated": _rotated, "pairwise": _pairwise}


def _steps(cluster: Cluster, ranks: int, stride: int, devices: int | None) -> tuple[_Step, ...]:
    """The levels that a group crosses, from the inside out."""
    steps: list[_Step] = []
    before, unit, latency, rate, crowded, start = 1, 1, 0.0, math.inf, math.inf, 0.0
    for level in cluster.levels:
        size = level.devices
        after = ranks
        if size is not None and level is not cluster.levels[-1] and not (devices is not None and devices <= size):
            # the most neighbours of the group that share a block wherever the group begins
            after = math.gcd(size // stride, ranks) if size % stride == 0 else 1
        latency, start = max(latency, level.latency_s), max(start, level.start_s)
        # what goes out of a block crosses the levels inside
        rate = min(rate, level.bytes_per_s * level.efficiency)
        routes = FIXED_ROUTES if level.topology == "fat-tree" else 1.0
        crowded = min(crowded, level.bytes_per_s * level.efficiency * routes)
        if after > before:
            parts, apart = after // before, max(1, stride // unit)
            share, far, crowded_share = 1.0, 1.0, 1.0
            if level.topology in LINKED:
                around = (size or devices or ranks * stride) // unit
                whole = level.topology == "ring" and parts * apart >= around
                share, far, crowded_share = _on_links(parts, apart, whole)
            steps.append(
                _Step(
                    before,
                    after,
                    latency * (apart if level.topology in LINKED else 1),
                    rate * share,
                    latency * far,
                    crowded * crowded_share,
                    start,
                    level.topology not in LINKED,
                )
            )
        before, unit = after, size or unit
    return tuple(steps)


def _on_links(parts: int, apart: int, whole: bool) -> tuple[float, float, float]:
    """Share of the bandwidth among neighbours, mean hops and share of the bandwidth in an all-to-all.

    Groups side by side use the same links: each has one part in ``apart`` of them. Without the whole ring one of the
    two directions brings the message back to the first.
    """
    if whole:
        far = (parts * parts // 4) / (parts - 1)  # the sum of min(d, parts - d) over all others
        return 1 / apart, far * apart, 1 / (far * apart)
    # everything from one half to the other takes the link in the middle, which has half of the bandwidth
    middle = 2 * (parts // 2) * ((parts + 1) // 2) / (parts - 1)
    return 0.5 / apart, (parts + 1) / 3 * apart, 1 / (middle * apart)


def group_ranks(order: Sequence[str], degrees: Mapping[str, int], group: str) -> tuple[int, int]:
    """Devices of a group and how many ranks they are apart.

    Parameters
    ----------
    order
        ``tensor``, ``data`` and ``pipeline``, innermost first.
    degrees
        Of ``tensor``, ``data``, ``pipeline`` and ``expert`` (default 1 each); ``expert`` divides ``data``.
    group
        One of ``GROUPS``.

    Raises
    ------
    InputError
        For another order or group, or an expert degree that does not divide.
    """
    axes = ("tensor", "data", "pipeline")
    if sorted(order) != sorted(axes):
        raise InputError(f"{', '.join(order)}; all of {', '.join(axes)} are needed, innermost first", field="order")
    if group not in GROUPS:
        raise InputError(f"{group!r} is no group; allowed: {', '.join(GROUPS)}")
    axis = group if group in axes else "data"
    stride = math.prod(degrees.get(inside, 1) for inside in order[: list(order).index(axis)])
    ranks, expert = degrees.get(axis, 1), degrees.get("expert", 1)
    if group == axis:
        return ranks, stride
    if ranks % expert:
        raise InputError(f"{expert} devices do not divide the {ranks} replicas", field="expert")
    return (expert, stride) if group == "expert" else (ranks // expert, stride * expert)
