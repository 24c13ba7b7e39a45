"""Fusion of element-wise chains: behind a product, or among themselves.

A fused operator holds one tensor core and one vector core, and what its members exchange never leaves the
chip. An element-wise operator joins the operator that writes its input when

- both belong to one phase and one layer, and it is the only operator of that phase that reads what the
  other writes (readers in a later phase are served: the tensor is still written);
- it works on every element of that input, and on no more;
- its other inputs come from operators that stand before the head of the chain.

The fused operator takes the place of the head. Everything it reads is made before that place and all its
readers stand behind it, so no fusion can close a cycle. Reductions (norms, softmax, column sums, pooling)
and operators that write gradients of parameters never join.
"""

from __future__ import annotations

from dataclasses import replace

from accmine.errors import InputError
from accmine.workload.graph import Operator, OperatorGraph, Work, collector_paused

__all__ = ["ELEMENTWISE", "MODES", "fuse"]

MODES = ("elementwise", "paired", "none")

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

_MARKS = frozenset({"bool", "int8", "int32"})
"""Dtypes of masks and indices: a chain follows values, not the mask that its backward reads."""


@collector_paused()
def fuse(graph: OperatorGraph, mode: str = "elementwise") -> OperatorGraph:
    """The graph with its element-wise chains fused, or as it is with ``mode="none"``.

    ``paired`` fuses as ``elementwise`` does, and lets a fused product hold as many vector cores as tensor cores (WHAM's
    rule, ``Work.paired``); else each side takes the cores it takes.

    A fused operator has the name of its head followed by the kinds that joined (``x.up+gelu``), the kind,
    inputs first and attributes of its head, and an attribute ``fused`` with the names of all members in order.
    Multiply-accumulates and vector parts are those of the members; tensors read or written only inside are
    not traffic. Fusing again changes nothing.

    Raises
    ------
    InputError
        If the mode is unknown, or residency is marked already.
    """
    if mode not in MODES:
        raise InputError(f"unknown fusion {mode!r}; allowed: {', '.join(MODES)}", field="fusion")
    if mode == "none":
        return graph
    if mode == "paired":
        return _paired(fuse(graph))
    if any(operator.work.local for operator in graph.operators):
        raise InputError(f"{graph.name}: residency is marked already; fuse the graph first, then mark it")
    while True:
        head = _heads(graph)
        if all(h == i for i, h in enumerate(head)):
            return graph
        graph = _merge(graph, head)


def _paired(graph: OperatorGraph) -> OperatorGraph:
    """The graph whose fused products hold equal numbers of cores."""
    both = [operator.work.gemm is not None and bool(operator.work.vector) for operator in graph.operators]
    marked = {operator.work: replace(operator.work, paired=True) for operator in graph.operators}
    operators = (
        replace(operator, work=marked[operator.work]) if fused else operator
        for operator, fused in zip(graph.operators, both, strict=True)
    )
    return replace(graph, operators=tuple(operators))


def _joins(operator: Operator) -> bool:
    """Whether ``operator`` is element-wise work only."""
    work = operator.work
    return (
        work.gemm is None
        and bool(work.vector)
        and all(part.kind in ELEMENTWISE and part.row == 1 for part in work.vector)
        and not operator.attribute("parameter_gradients")
    )


def _heads(graph: OperatorGraph) -> list[int]:
    """Operator at the head of the chain of each operator; itself when it joins none."""
    producer = graph.producer.tolist()
    operators, tensors = graph.operators, graph.tensors
    readers: list[set[int]] = [set() for _ in operators]
    for index, operator in enumerate(operators):
        for t in operator.inputs:
            if (source := producer[t]) >= 0 and operators[source].phase == operator.phase:
                readers[source].add(index)
    waits: dict[int, list[int]] = {}
    for before, after in graph.after:
        waits.setdefault(after, []).append(before)
    head = list(range(len(operators)))
    tail = list(range(len(operators)))
    open_end = [o.work.gemm is not None or _joins(o) for o in operators]
    for index, operator in enumerate(operators):
        if operator.work.gemm is not None or not open_end[index]:
            continue
        sources = [(head[s], t) for t in operator.inputs if (s := producer[t]) >= 0]
        if not sources:
            continue
        place, value = max(sources)
        last = tail[place]
        if (
            open_end[place]
            and value in operators[last].outputs
            and tensors[value].dtype not in _MARKS
            and readers[last] == {index}
            and operators[last].phase == operator.phase
            and operators[last].layer == operator.layer
            and _covers(operator, tensors[value].elements, tensors[operator.outputs[0]].elements)
            and all(head[before] < place for before in waits.get(index, ()))
        ):
            head[index], tail[place] = place, index
    return head


def _covers(operator: Operator, read: int, written: int) -> bool:
    """Whether ``operator`` works once on every element of an input of ``read`` elements."""
    return written == read and all(part.elements == read for part in operator.work.vector)


def _merge(graph: OperatorGraph, head: list[int]) -> OperatorGraph:
    """The graph with the operators of equal ``head`` as one, at the place of the head."""
    members: dict[int, list[int]] = {}
    for index, place in enumerate(head):
        members.setdefault(place, []).append(index)
    read_by: list[set[int]] = [set() for _ in graph.tensors]
    for index, operator in enumerate(graph.operators):
        for t in operator.inputs:
            read_by[t].add(head[index])
    place_of = {place: i for i, place in enumerate(sorted(members))}
    operators = tuple(
        graph.operators[place]
        if len(group) == 1
        else _fused(graph, [graph.operators[i] for i in group], place, read_by)
        for place, group in sorted(members.items())
    )
    after = {(place_of[head[a]], place_of[head[b]]) for a, b in graph.after}
    merged = OperatorGraph(
        graph.name, graph.tensors, operators, graph.layers, tuple(sorted((a, b) for a, b in after if a != b))
    )
    return merged.select(range(len(operators)))  # drops the tensors that are gone


def _fused(graph: OperatorGraph, chain: list[Operator], place: int, read_by: list[set[int]]) -> Operator:
    """The operators of ``chain`` as one; ``read_by`` holds the chains that read each tensor."""
    size = graph.tensors
    made = {t for operator in chain for t in operator.outputs}
    inputs = tuple(dict.fromkeys(t for operator in chain for t in operator.inputs if t not in made))
    last = chain[-1].outputs
    outputs = tuple(
        t for operator in chain for t in operator.outputs if t in last or not read_by[t] or read_by[t] - {place}
    )
    # Members may touch less than the whole of their tensors: keep that difference.
    spared_in = sum(o.work.bytes_in - sum(size[t].nbytes for t in set(o.inputs)) for o in chain)
    spared_out = sum(o.work.bytes_out - sum(size[t].nbytes for t in o.outputs) for o in chain)
    first = chain[0]
    work = Work(
        gemm=first.work.gemm,
        vector=tuple(part for operator in chain for part in operator.work.vector),
        bytes_in=sum(size[t].nbytes for t in inputs) + spared_in,
        bytes_out=sum(size[t].nbytes for t in outputs) + spared_out,
        dtype=first.work.dtype,
    )
    names = [str(operator.attribute("fused") or operator.name) for operator in chain]
    kinds = [operator.name.partition("+")[2] for operator in chain[1:]]  # of chains fused before
    suffix = [part for o, more in zip(chain[1:], kinds, strict=True) for part in (o.kind, *([more] if more else []))]
    attributes = {**dict(first.attributes), "fused": ",".join(names)}
    return Operator(
        "+".join([first.name, *suffix]),
        first.kind,
        inputs,
        outputs,
        first.phase,
        first.layer,
        work,
        tuple(sorted(attributes.items())),
    )
