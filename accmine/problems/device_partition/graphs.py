"""Layer graphs of others as device partitions: dnn-partitioning's JSON and PipeDream's ``graph.txt``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from accmine.errors import Complaint, InputError
from accmine.files import Document
from accmine.problems.device_partition.json import decimals_of, ticks
from accmine.problems.device_partition.problem import Node, Problem

__all__ = ["DEVICES", "LINK_BYTES_PER_S", "of_dnn_partitioning", "of_pipedream"]

DEVICES = 4
"""Of a ``graph.txt``, which says nothing of them."""

LINK_BYTES_PER_S = 10**10
"""Of a device, for a ``graph.txt``, which has bytes and no times of messages."""

_NODE_KEYS = ("id", "fpgaLatency", "size")
_PIPEDREAM_NODE = re.compile(
    r"(?P<name>\S+) -- (?P<says>.*) -- forward_compute_time=(?P<forward>[\d.e+-]+), "
    r"backward_compute_time=(?P<backward>[\d.e+-]+), activation_size=(?P<sent>\[[^\]]*\]|[\d.e+-]+), "
    r"parameter_size=(?P<weights>[\d.e+-]+)\s*"
)
_PIPEDREAM_EDGE = re.compile(r"\t(?P<source>\S+) -- (?P<target>\S+)\s*")


def of_dnn_partitioning(document: Document) -> Problem:
    """A problem of dnn-partitioning (at b207b6a), on its accelerators (``maxFPGAs``, ``fpgaLatency``).

    CPUs (``maxCPUs``, ``cpuLatency``) are not used: the partition is one of accelerators alone.

    Raises
    ------
    InputError
        For a missing key, a node that no accelerator supports, and edges of one node with different costs.
    """
    name, data = document.name, document.data
    wrong: list[Complaint] = []

    def say(path: str, message: str) -> None:
        wrong.append(Complaint(name, path, message))

    if not isinstance(data, Mapping):
        raise InputError("an object is needed", name)
    for key in ("maxSizePerFPGA", "maxFPGAs", "nodes", "edges"):
        if key not in data:
            say(key, "missing")
    if wrong:
        raise InputError(wrong)
    place: dict[Any, int] = {}
    for i, row in enumerate(data["nodes"]):
        for key in _NODE_KEYS:
            if not isinstance(row, Mapping) or not isinstance(row.get(key), int | float | Decimal):
                say(f"nodes[{i}].{key}", "a number is needed")
        if wrong:
            raise InputError(wrong)
        if not row.get("supportedOnFpga", 1):
            say(f"nodes[{i}].supportedOnFpga", "no accelerator runs this node, and CPUs are not used")
        if row["id"] in place:
            say(f"nodes[{i}].id", f"{row['id']} is there twice")
        place[row["id"]] = i
    edges: list[tuple[int, int]] = []
    sent: dict[int, Any] = {}
    for i, row in enumerate(data["edges"]):
        ends = [row.get(key) if isinstance(row, Mapping) else None for key in ("sourceId", "destId")]
        if any(end not in place for end in ends) or not isinstance(row.get("cost"), int | float | Decimal):
            say(f"edges[{i}]", "sourceId and destId of nodes and a cost are needed")
            continue
        source, target = place[ends[0]], place[ends[1]]
        if sent.setdefault(source, row["cost"]) != row["cost"]:
            say(f"edges[{i}].cost", f"{row['cost']}, but another edge of this node costs {sent[source]}")
        edges.append((source, target))
    if wrong:
        raise InputError(wrong)
    decimals, rounded = decimals_of([row["fpgaLatency"] for row in data["nodes"]] + list(sent.values()))
    nodes = tuple(
        Node(
            str(row.get("name", row["id"])),
            ticks(row["fpgaLatency"], decimals),
            ticks(sent.get(i, 0), decimals),
            int(row["size"]),
            str(row.get("colorClass", "")),
        )
        for i, row in enumerate(data["nodes"])
    )
    return _problem(name, nodes, tuple(edges), int(data["maxFPGAs"]), int(data["maxSizePerFPGA"]), (decimals, rounded))


def of_pipedream(text: str, name: str) -> Problem:
    """A profile of PipeDream (``graph.txt`` at 7db6a1c) as a training graph in ms.

    Every layer is a forward and a backward node on one device, as in dnn-partitioning's graphs; the gradient that comes
    back is as large as the activation. On ``DEVICES`` devices with ``LINK_BYTES_PER_S``, which the format has not.

    Raises
    ------
    InputError
        For a line that is neither node nor edge, and an edge to a node that is not there.
    """
    wrong, rows, links = [], {}, []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        node, edge = _PIPEDREAM_NODE.fullmatch(line), _PIPEDREAM_EDGE.fullmatch(line)
        if node is not None:
            rows[node["name"]] = node
        elif edge is not None:
            links.append((number, edge["source"], edge["target"]))
        else:
            wrong.append(Complaint(f"{name}:{number}:1", "", "is neither a node nor an edge of a PipeDream graph"))
    place = {key: i for i, key in enumerate(rows)}
    for number, *ends in links:
        wrong += [Complaint(f"{name}:{number}:1", "", f"{end!r} is no node") for end in ends if end not in place]
    if wrong or not rows:
        raise InputError(wrong or "holds no node of a PipeDream graph", *(() if wrong else (name,)))
    per_ms = Decimal(1000) / LINK_BYTES_PER_S
    sent = [sum(map(Decimal, re.findall(r"[\d.e+-]+", row["sent"]))) * per_ms for row in rows.values()]
    times = [(Decimal(row["forward"]), Decimal(row["backward"])) for row in rows.values()]
    decimals, rounded = decimals_of([*sent, *(time for pair in times for time in pair)])
    nodes = []
    for phase, suffix in enumerate(("", "grad")):
        for i, (key, row) in enumerate(rows.items()):
            size = 0 if phase else int(Decimal(row["weights"]))
            time, send = ticks(times[i][phase], decimals), ticks(sent[i], decimals)
            nodes.append(Node(key + suffix, time, send, size, key))
    pairs = [(place[source], place[target]) for _, source, target in links]
    edges = (*pairs, *((u + len(rows), v + len(rows)) for u, v in pairs))
    return _problem(name, tuple(nodes), edges, DEVICES, None, (decimals, rounded))


def _problem(
    name: str,
    nodes: tuple[Node, ...],
    edges: tuple[tuple[int, int], ...],
    devices: int,
    limit: int | None,
    digits: tuple[int, bool],
) -> Problem:
    try:
        return Problem(nodes, edges, devices, limit, digits[0], rounded=digits[1])
    except InputError as error:
        raise InputError([Complaint(name, c.field, c.message) for c in error.complaints]) from None
