"""Operators of a graph merged to one: what fusion rules share, whatever they join.

A rule says for every operator at which operator's place it stands (``head``). Everything that the members of a group
read is made before that place and all their readers stand behind it, so no merging can close a cycle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from accmine.workload.graph import Operator, OperatorGraph, Vector
from accmine.workload.training.training import parameter_gradients

__all__ = ["ACCUMULATING", "ELEMENTWISE", "MARKS", "covers", "merge"]

_FORWARD = (
    "add",
    "multiply",
    "bias",
    "relu",
    "relu6",
    "gelu",
    "silu",
    "sigmoid",
    "tanh",
    "hardswish",
    "hardsigmoid",
    "mask",
    "scale",
    "dropout",
)

ELEMENTWISE: frozenset[str] = frozenset(
    (*_FORWARD, *(f"{kind}-backward" for kind in _FORWARD if kind != "bias"), "accumulate")
)
"""Vector kinds that may join a chain. Those among them that reduce a broadcast operand have rows and do not."""

ACCUMULATING = frozenset({"batch-norm-statistics", "batch-norm-statistics-backward", "bias-backward"})
"""Kinds that only add up what they read, channel by channel: they can do so while another operator writes it."""

MARKS = frozenset({"bool", "int8", "int32"})
"""Dtypes of masks and indices: a chain follows values, not the mask that its backward reads."""


def covers(operator: Operator, read: int, written: int) -> bool:
    """Whether ``operator`` works once on every element of an input of ``read`` elements."""
    return written == read and all(part.elements == read for part in operator.work.vector)


def merge(graph: OperatorGraph, head: Sequence[int]) -> OperatorGraph:
    """The graph with the operators of equal ``head`` as one, at the place of the head.

    A merged operator has kind, inputs first and attributes of its head, whose name is followed by the kinds of the
    others (``x.up+gelu``), and an attribute ``fused`` with the names of all members in order. Multiply-accumulates and
    vector parts are those of the members; tensors read or written only inside are not traffic. What a product reads
    of a member in front of it stays written, since the product may read it again.
    """
    members: dict[int, list[int]] = {}
    for index, place in enumerate(head):
        members.setdefault(place, []).append(index)
    read_by: list[set[int]] = [set() for _ in graph.tensors]
    for index, operator in enumerate(graph.operators):
        for t in operator.inputs:
            read_by[t].add(head[index])
    place_of = {place: i for i, place in enumerate(sorted(members))}
    operators = tuple(
        graph.operators[place] if len(group) == 1 else _fused(graph, group, place, read_by)
        for place, group in sorted(members.items())
    )
    after = {(place_of[head[a]], place_of[head[b]]) for a, b in graph.after}
    merged = OperatorGraph(
        graph.name, graph.tensors, operators, graph.layers, tuple(sorted((a, b) for a, b in after if a != b))
    )
    return merged.select(range(len(operators)))  # drops the tensors that are gone


def _fused(graph: OperatorGraph, group: list[int], place: int, read_by: list[set[int]]) -> Operator:
    """The operators of ``group`` as one; ``read_by`` holds the groups that read each tensor."""
    size, chain = graph.tensors, [graph.operators[i] for i in group]
    first = graph.operators[place]
    others = [operator for operator in chain if operator is not first]
    ordered = [first, *others]
    maker = {t: operator for operator in chain for t in operator.outputs}

    def source(t: int) -> int:
        while t in maker:
            t = maker[t].inputs[0]
        return t

    inputs = tuple(
        dict.fromkeys(
            [*map(source, first.inputs), *(t for operator in others for t in operator.inputs if t not in maker)]
        )
    )
    again = set(first.inputs) if first.work.uses_tensor else set()
    outputs = tuple(t for o in ordered for t in o.outputs if not read_by[t] or read_by[t] - {place} or t in again)
    # Members may touch less than the whole of their tensors: keep that difference.
    spared_in = sum(o.work.bytes_in - sum(size[t].nbytes for t in set(o.inputs)) for o in chain)
    spared_out = sum(o.work.bytes_out - sum(size[t].nbytes for t in o.outputs) for o in chain)
    work = replace(
        first.work,
        vector=tuple(_inside(part) for operator in chain for part in operator.work.vector),
        bytes_in=sum(size[t].nbytes for t in inputs) + spared_in,
        bytes_out=sum(size[t].nbytes for t in outputs) + spared_out,
    )
    attributes = {**dict(first.attributes), "fused": ",".join(str(o.attribute("fused") or o.name) for o in chain)}
    gradients = [pair for operator in ordered for pair in parameter_gradients(operator)]
    if gradients:
        attributes["parameter_gradients"] = tuple(outputs.index(new) for _, new in gradients)
        attributes["running_gradients"] = tuple(-1 if old < 0 else inputs.index(old) for old, _ in gradients)
    kinds = [part for o in others for part in (o.kind, *filter(None, [o.name.partition("+")[2]]))]
    return Operator(
        "+".join([first.name, *kinds]),
        first.kind,
        inputs,
        outputs,
        first.phase,
        first.layer,
        work,
        tuple(sorted(attributes.items())),
    )


def _inside(part: Vector) -> Vector:
    """A part of a merged operator: column sums are added up as the tiles pass by, and need no column as a whole."""
    return Vector(part.kind, part.elements) if part.kind in ACCUMULATING else part
