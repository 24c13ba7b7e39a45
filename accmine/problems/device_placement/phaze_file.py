"""Inputs of Phaze's placement program (``device_placement.cpp`` at fed7cde) as device placements.

Nodes and edges stand there once for each tensor degree. What the format cannot say of an option is chosen so that
``phaze`` finds its own numbers again: parameters are weights and gradients, ``Adam`` adds one state of the optimiser
(``SGD`` none), and all activations of a microbatch are stashed, or with ``activationRecomputation`` worked with, while
the tensors that enter a layer are stashed and the backward pass runs the forward one again. ``fixedPP``, ``fixedTMPC``
and ``fixedDP`` (a plan to compare with), ``numTransformerLayers``, ``energy`` and names do not bear on the best plan.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from accmine.errors import Complaint, InputError
from accmine.files import Document
from accmine.problems.device_placement.problem import Edge, Layer, Option, Problem
from accmine.system import Cluster, Level

__all__ = ["looks_like", "problem_of"]

_MARKS = ("maxMemoryPerDevice", "mbsInBatch", "nodes")
_STATES = {"SGD": 0, "Adam": 1}
_KEYS = (
    "maxMemoryPerDevice", "maxDevices", "bandwidth", "mbsInBatch", "nodes", "edges", "activationRecomputation",
    "optimizerAlgorithm",
)  # fmt: skip
_NODE_KEYS = ("id", "parameterSize", "activationSize", "isTensorParallelized", "optimalLatencyFw", "optimalLatencyBw")
_EDGE_KEYS = ("sourceId", "destId", "communicationCost")


def looks_like(text: str) -> bool:
    """Whether a text has the keys of such an input."""
    return all(re.search(rf'"{mark}"\s*:', text) for mark in _MARKS)


class _Complaints(list[Complaint]):
    def __init__(self, where: str) -> None:
        self.where = where

    def wrong(self, path: str, message: str) -> None:
        self.append(Complaint(self.where, path, message))

    def number(self, row: Mapping[str, Any], key: str, path: str) -> float:
        value = row.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
            self.wrong(f"{path}.{key}" if path else key, f"{value!r:.60} is not allowed; a number of at least 0 is")
            return 1.0
        return value

    def table(self, value: Any, path: str) -> dict[int, list[Mapping[str, Any]]]:
        """Rows by tensor degree."""
        if not isinstance(value, Mapping) or not value or not all(str(k).isdigit() and int(k) for k in value):
            self.wrong(path, "an object with a list for each tensor degree is needed")
            return {}
        found = {}
        for key, rows in value.items():
            whole = [row for row in rows if isinstance(row, Mapping)] if isinstance(rows, list) else []
            if not isinstance(rows, list) or len(whole) < len(rows):
                self.wrong(f"{path}.{key}", "a list of objects is needed")
            found[int(key)] = whole
        return dict(sorted(found.items()))


def problem_of(document: Document) -> Problem:
    """The problem of such an input, under the semantics ``accmine``.

    Raises
    ------
    InputError
        For a missing key or a value that is not allowed, and where degrees have other nodes or edges.
    """
    wrong = _Complaints(document.name)
    data = document.data if isinstance(document.data, Mapping) else {}
    for key in _KEYS:
        if key not in data:
            wrong.wrong(key, "missing")
    nodes, edges = wrong.table(data.get("nodes"), "nodes"), wrong.table(data.get("edges"), "edges")
    if list(nodes) != list(edges):
        wrong.wrong("edges", f"degrees {list(edges)}; those of nodes, {list(nodes)}, are needed")
    if data.get("optimizerAlgorithm") not in _STATES:
        wrong.wrong("optimizerAlgorithm", f"{data.get('optimizerAlgorithm')!r} is not allowed; allowed: SGD, Adam")
    tables = {t: _rows(wrong, t, rows, f"nodes.{t}", _NODE_KEYS) for t, rows in nodes.items()}
    links = {t: _rows(wrong, t, rows, f"edges.{t}", _EDGE_KEYS) for t, rows in edges.items()}
    for name, found in (("nodes", tables), ("edges", links)):
        for t, rows in found.items():
            if rows.keys() != next(iter(found.values())).keys():
                wrong.wrong(f"{name}.{t}", "other ids than those of the first degree")
    if wrong:
        raise InputError(wrong)
    ids = list(next(iter(tables.values())))
    place = {own[0]: i for i, own in enumerate(ids)}
    for t, rows in links.items():
        for i, (source, target) in enumerate(rows):
            if source not in place or target not in place:
                wrong.wrong(f"edges.{t}[{i}]", f"joins {source!r} and {target!r}; both must be ids of nodes")
    values = {key: wrong.number(data, key, "") for key in _KEYS[:4]}
    if wrong:
        raise InputError(wrong)
    again, states = bool(data["activationRecomputation"]), _STATES[data["optimizerAlgorithm"]]
    joined = [_edge(links, pair, place) for pair in next(iter(links.values()))]
    layers = []
    for i, own in enumerate(ids):
        enters = {t: sum(e.bytes_at(t) for e in joined if e.target == i) for t in tables}
        options = [_option(t, rows[own], again, states, enters[t]) for t, rows in tables.items()]
        layers.append(Layer(str(own[0]), tuple(options)))
    flat = Level("link", None, values["bandwidth"], 0.0)
    try:
        return Problem(
            tuple(layers),
            tuple(joined),
            devices=int(values["maxDevices"]),
            microbatches=int(values["mbsInBatch"]),
            memory_bytes=int(values["maxMemoryPerDevice"]),
            cluster=Cluster("phaze", (flat,)),
        )
    except InputError as error:
        raise InputError([Complaint(document.name, c.field, c.message) for c in error.complaints]) from None


def _rows(
    wrong: _Complaints, tensor: int, rows: list[Mapping[str, Any]], path: str, keys: tuple[str, ...]
) -> dict[tuple[Any, ...], Mapping[str, Any]]:
    """Rows by id, or by the ids of both ends."""
    del tensor
    found: dict[tuple[Any, ...], Mapping[str, Any]] = {}
    named = 1 if keys is _NODE_KEYS else 2
    for i, row in enumerate(rows):
        for key in keys:
            if key not in row:
                wrong.wrong(f"{path}[{i}].{key}", "missing")
            elif key not in (*keys[:named], "isTensorParallelized"):
                wrong.number(row, key, f"{path}[{i}]")
        own = tuple(str(row.get(key)) for key in keys[:named])
        if own in found:
            wrong.wrong(f"{path}[{i}]", f"{', '.join(own)} is there twice")
        found[own] = row
    return found


def _option(tensor: int, row: Mapping[str, Any], again: bool, states: int, enters: int) -> Option:
    parameters, held = round(row["parameterSize"]), round(row["activationSize"])
    forward, backward = float(row["optimalLatencyFw"]), float(row["optimalLatencyBw"])
    return Option(
        tensor,
        "full" if again else "none",
        forward,
        backward + (forward if again else 0.0),
        update_s=0.0,
        weight_bytes=parameters,
        gradient_bytes=parameters,
        optimizer_bytes=states * parameters,
        stash_bytes=enters if again else held,
        working_bytes=held if again else 0,
        whole=tensor > 1 and not row["isTensorParallelized"],
    )


def _edge(
    links: Mapping[int, Mapping[tuple[Any, ...], Mapping[str, Any]]], pair: tuple[Any, ...], place: Mapping[Any, int]
) -> Edge:
    sizes = [(t, round(rows[pair]["communicationCost"])) for t, rows in links.items()]
    alike = len({size for _, size in sizes}) == 1
    return Edge(place[pair[0]], place[pair[1]], sizes[0][1], () if alike else tuple(sizes))
