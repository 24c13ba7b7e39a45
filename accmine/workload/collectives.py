"""Exchanges among the devices of a group: what a graph has of them, and the graph that is left for the device alone.

A collective stops the device, so the time of a graph is that of its other operators and of its collectives.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, cast

from accmine.workload.graph import Operator, OperatorGraph
from accmine.workload.kinds import EXCHANGE_KINDS
from accmine.workload.shard import COLLECTIVES, Collective

__all__ = ["collectives", "storage", "without_exchanges"]


def collectives(graph: OperatorGraph) -> tuple[Collective, ...]:
    """The collectives of a graph in the order of its operators."""
    return tuple(_collective(graph, operator) for operator in graph.operators if operator.kind in COLLECTIVES)


def _collective(graph: OperatorGraph, operator: Operator) -> Collective:
    # An all-gather writes the whole tensor and a reduce-scatter reads it. An all-reduce may read more than what it
    # sums: of the logits one number per row.
    side = operator.inputs if operator.kind in ("reduce-scatter", "all-to-all") else operator.outputs
    return Collective(
        cast(Literal["all-reduce", "all-gather", "reduce-scatter", "all-to-all"], operator.kind),
        graph.tensors[side[0]].nbytes,
        cast(Literal["tensor", "expert", "data"], operator.attribute("group")),
    )


def without_exchanges(graph: OperatorGraph) -> OperatorGraph:
    """The graph without operators of ``EXCHANGE_KINDS``; whoever waited for one waits for what it waited for.

    A tensor that is exchanged in place stays one tensor: what is copied, or summed to one of equal size. Others come
    from outside.
    """
    gone = [operator.kind in EXCHANGE_KINDS for operator in graph.operators]
    if not any(gone):
        return graph
    before: dict[int, set[int]] = {}  # operators that stay, in front of each one by way of some that go
    for a, b in graph.edges.tolist():
        if gone[a]:
            before.setdefault(b, set()).update(before.get(a, ()))
        elif gone[b]:
            before.setdefault(b, set()).add(a)
    kept = [index for index, goes in enumerate(gone) if not goes]
    after = {(a, b) for a, b in graph.after if not gone[a] and not gone[b]}
    after |= {(a, b) for b in kept for a in before.get(b, ())}
    place = storage(graph).__getitem__
    operators = [
        replace(operator, inputs=tuple(map(place, operator.inputs)), outputs=tuple(map(place, operator.outputs)))
        for operator in graph.operators
    ]
    whole = replace(graph, operators=tuple(operators), after=tuple(sorted(after)))
    return whole.select(kept)


def storage(graph: OperatorGraph) -> list[int]:
    """The tensor in whose place each tensor is: itself, but for what is exchanged in place."""
    place = list(range(len(graph.tensors)))
    for operator in graph.operators:
        if operator.kind == "copy":
            place[operator.outputs[0]] = operator.inputs[0]
        elif operator.kind == "all-reduce":
            (x,), (y,) = operator.inputs, operator.outputs
            if graph.tensors[x].shape == graph.tensors[y].shape:
                place[x] = y
    for t in range(len(place)):
        while place[t] != place[place[t]]:
            place[t] = place[place[t]]
    return place
