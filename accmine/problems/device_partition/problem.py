"""Throughput partitioning of a layer graph, as defined by Tarnawski et al., NeurIPS 2020 (dnn-partitioning).

    load(D) = Σ time of the nodes in D + Σ send of every node outside of D with a successor in D
                                       + Σ send of every node in D with a successor outside of D;

the largest load of a device is minimised: in a pipeline that is full it is the time between two samples. Nodes of one
group share a device. Contiguous: the number of the device never falls along an edge. Backward nodes of training graphs
have their edges in the direction of the forward ones.

Times are whole multiples of 10^-decimals of the unit of the file. Where those of a file do not fit into 60 bits with
all their digits, they are rounded up to as many as do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from accmine.errors import Complaint, InputError
from accmine.result import Sense

__all__ = [
    "KIND",
    "MOST_TICKS",
    "Node",
    "Problem",
    "Solution",
    "bound",
    "check",
    "impossible",
    "loads",
    "score",
    "sense",
    "shown",
    "shown_bound",
]

KIND = "device-partition"
MOST_TICKS = 1 << 60


@dataclass(frozen=True, slots=True)
class Node:
    """An operator or layer.

    Attributes
    ----------
    time, send
        Ticks of its work, and of moving its output between a device and where the others find it.
    memory_bytes
        What it keeps on its device.
    group
        Nodes of one group share a device; empty: it is alone.
    """

    name: str
    time: int
    send: int = 0
    memory_bytes: int = 0
    group: str = ""


@dataclass(frozen=True)
class Problem:
    """Nodes, edges (source, target) by position, and devices.

    Attributes
    ----------
    memory_bytes
        Of a device; ``None``: no limit.
    decimals
        A tick is 10^-decimals of the unit of the file.
    contiguous
        Whether the number of the device never falls along an edge.
    rounded
        Whether times were rounded up.

    Raises
    ------
    InputError
        If a value is not allowed, or a contiguous partition has a cycle; every complaint at once.
    """

    kind: ClassVar[str] = KIND

    nodes: tuple[Node, ...]
    edges: tuple[tuple[int, int], ...]
    devices: int
    memory_bytes: int | None = None
    decimals: int = 0
    contiguous: bool = True
    rounded: bool = False

    def __post_init__(self) -> None:
        wrong = [Complaint("", field, message) for field, message in _complaints(self)]
        if wrong:
            raise InputError(wrong)

    @property
    def groups(self) -> list[list[int]]:
        """Nodes that share a device, by first node."""
        found: dict[object, list[int]] = {}
        for i, node in enumerate(self.nodes):
            found.setdefault(node.group or i, []).append(i)
        return list(found.values())


@dataclass(frozen=True, slots=True)
class Solution:
    """Device of each node."""

    device: tuple[int, ...]


def _complaints(problem: Problem) -> Iterator[tuple[str, str]]:
    if problem.devices < 1:
        yield "devices", f"{problem.devices} is not allowed; at least 1 is needed"
    if problem.memory_bytes is not None and problem.memory_bytes < 0:
        yield "memory_bytes", f"{problem.memory_bytes} is not allowed; at least 0 is needed"
    if not problem.nodes:
        yield "nodes", "at least one node is needed"
    twice = [name for name, count in Counter(node.name for node in problem.nodes).items() if count > 1]
    if twice:
        yield "nodes", f"names must differ; twice: {', '.join(twice[:5])}"
    for i, node in enumerate(problem.nodes):
        for name in ("time", "send", "memory_bytes"):
            if getattr(node, name) < 0:
                yield f"nodes[{i}].{name}", f"{getattr(node, name)} is not allowed; at least 0 is needed"
    if sum(node.time + 2 * node.send for node in problem.nodes) > MOST_TICKS:
        yield "nodes", f"times leave 60 bits with {problem.decimals} decimals; give fewer decimals"
    for i, (source, target) in enumerate(problem.edges):
        if not (0 <= source < len(problem.nodes) and 0 <= target < len(problem.nodes)) or source == target:
            yield f"edges[{i}]", f"joins nodes {source} and {target} of {len(problem.nodes)}"
            return
    if cycle := _in_cycle(problem):
        yield "edges", f"a cycle of nodes; among or behind it: {', '.join(cycle[:5])}"


def _in_cycle(problem: Problem) -> list[str]:
    """Nodes that no order of the edges reaches."""
    waits = [0] * len(problem.nodes)
    after: list[list[int]] = [[] for _ in problem.nodes]
    for source, target in problem.edges:
        waits[target] += 1
        after[source].append(target)
    ready = [i for i, count in enumerate(waits) if not count]
    for i in ready:
        for j in after[i]:
            waits[j] -= 1
            if not waits[j]:
                ready.append(j)
    return [node.name for i, node in enumerate(problem.nodes) if waits[i] > 0]


def sense(problem: Problem) -> Sense:
    """Direction of the objective: the largest load, minimised."""
    del problem
    return Sense.MINIMIZE


def loads(problem: Problem, solution: Solution) -> tuple[int, ...]:
    """Load of each device in ticks."""
    load = [0] * problem.devices
    for i, node in enumerate(problem.nodes):
        load[solution.device[i]] += node.time
    crossing = {(u, solution.device[v]) for u, v in problem.edges if solution.device[u] != solution.device[v]}
    for source, device in crossing:
        load[device] += problem.nodes[source].send
    for source in {u for u, _ in crossing}:
        load[solution.device[source]] += problem.nodes[source].send
    return tuple(load)


def score(problem: Problem, solution: Solution) -> int:
    """The largest load in ticks."""
    return max(loads(problem, solution))


def shown(problem: Problem, score: int) -> float:
    """A score in the unit of the file."""
    return float(score / 10**problem.decimals)


def shown_bound(problem: Problem, score: int) -> float:
    """What a bound proves of the times as they are given: each of them was rounded by less than a tick."""
    return shown(problem, max(0, score - (3 * len(problem.nodes) if problem.rounded else 0)))


def check(problem: Problem, solution: Solution) -> tuple[str, ...]:
    """Everything wrong with a partition, in words; empty when it is valid."""
    if len(solution.device) != len(problem.nodes):
        return (f"{len(solution.device)} devices for {len(problem.nodes)} nodes; one for each is needed",)
    wrong = [
        f"node {problem.nodes[i].name!r}: no device {device}; 0 to {problem.devices - 1} exist"
        for i, device in enumerate(solution.device)
        if not 0 <= device < problem.devices
    ]
    for members in problem.groups:
        if len({solution.device[i] for i in members}) > 1:
            wrong.append(f"nodes of group {problem.nodes[members[0]].group!r} are on several devices")
    for source, target in problem.edges if problem.contiguous else ():
        first, last = solution.device[source], solution.device[target]
        if first > last:
            names = problem.nodes[source].name, problem.nodes[target].name
            wrong.append(f"device number falls from {first} to {last} along the edge {names[0]!r} to {names[1]!r}")
    if problem.memory_bytes is not None:
        used: Counter[int] = Counter()
        for i, device in enumerate(solution.device):
            used[device] += problem.nodes[i].memory_bytes
        over = {device: size for device, size in sorted(used.items()) if size > problem.memory_bytes}
        for device, size in over.items():
            wrong.append(f"memory_bytes: device {device} needs {size:,} bytes, {problem.memory_bytes:,} are there")
    return tuple(wrong)


def bound(problem: Problem) -> tuple[int, str]:
    """(the mean load and the longest group, the larger of both, how it is obtained)."""
    mean = -(-sum(node.time for node in problem.nodes) // problem.devices)
    longest = max(sum(problem.nodes[i].time for i in members) for members in problem.groups)
    return max(mean, longest), "mean load of all devices, and the longest group"


def impossible(problem: Problem) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Memory that all devices together, or the largest group, lack."""
    if problem.memory_bytes is None:
        return (), ()
    total = sum(node.memory_bytes for node in problem.nodes)
    largest = max(sum(problem.nodes[i].memory_bytes for i in members) for members in problem.groups)
    need = max(largest, -(-total // problem.devices))
    if need <= problem.memory_bytes:
        return (), ()
    more = () if largest > problem.memory_bytes else (f"devices: at least {-(-total // max(1, problem.memory_bytes))}",)
    return ("memory_bytes",), (f"memory_bytes: at least {need:,}, of {total:,} in all", *more)
