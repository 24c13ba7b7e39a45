"""The kernels of Megatron-LM in 2021: which operators of a layer ran as one, and which of ours ran as two.

Products are those of the vendor's library and stand alone. Scale, mask and softmax are one kernel, forward and
backward; so are dropout and the residual that it is added to. Gradients of weights are written in the type of the
product and added to the running sum by a kernel of its own. The loss is computed in fp32 by eight kernels that each
pass over all logits (``megatron/mpu/cross_entropy.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from accmine.workload.graph import BYTES, Operator, OperatorGraph, Vector, Work
from accmine.workload.merging import merge
from accmine.workload.training.training import parameter_gradients

__all__ = ["Kernel", "calls", "kernels", "library_kernels"]

Part = Literal["core", "product", "vector", "accumulate", "update"]

_ONE = frozenset(
    {
        ("scale", "mask"),
        ("mask", "softmax"),
        ("scale", "softmax"),
        ("dropout", "add"),
        ("softmax-backward", "mask-backward"),
        ("softmax-backward", "scale-backward"),
        ("mask-backward", "scale-backward"),
    }
)
"""Kinds of which the second joins the kernel of the first, where nobody else in its phase reads that."""


_LOSS = {
    "cross-entropy": ((2, 4), (4, 0), (4, 4), (4, 4), (4, 0), (4, 4)),
    "cross-entropy-backward": ((4, 4), (4, 2)),
}
"""Kind -> bytes read and written for each logit by the kernels that stand for it: to fp32, maximum, subtraction,
exponential, sum, division; product with the gradient, back to 16 bit."""


@dataclass(frozen=True, slots=True)
class Kernel:
    """A kernel of a layer.

    Attributes
    ----------
    work
        What it does.
    part
        ``core`` (scores, softmax and values of attention), ``product``, ``vector``, ``accumulate`` or ``update``.
    """

    work: Work
    part: Part


def library_kernels(graph: OperatorGraph) -> OperatorGraph:
    """The operators of one phase of a layer, with those merged that the library runs as one."""
    producer = graph.producer.tolist()
    readers: dict[int, set[int]] = {}
    for index, operator in enumerate(graph.operators):
        for tensor in operator.inputs:
            readers.setdefault(tensor, set()).add(index)
    head = list(range(len(graph)))
    for index, operator in enumerate(graph.operators):
        sources = [producer[t] for t in operator.inputs if producer[t] >= 0]
        for source in sources:
            before = graph.operators[source]
            passed = [t for t in operator.inputs if t in before.outputs]
            alone = all(readers[t] == {index} for t in passed)
            made = all(other == source or other < head[source] for other in sources)
            if (before.kind, operator.kind) in _ONE and alone and made:
                head[index] = head[source]
    return merge(graph, head)


def calls(graph: OperatorGraph) -> int:
    """Calls of the framework: every operator of the graph, and the sum of the gradient of every parameter."""
    return len(graph) + sum(len(parameter_gradients(operator)) for operator in graph.operators)


def kernels(graph: OperatorGraph, *, apart: bool = True, loss: bool = True) -> tuple[Kernel, ...]:
    """The kernels of a graph in order.

    Parameters
    ----------
    apart
        Whether gradients of weights are accumulated by kernels of their own.
    loss
        Whether the loss is Megatron's; else one kernel forward and one backward.
    """
    found = []
    for operator in graph.operators:
        work, part = operator.work, _part(operator)
        gradients = [new for old, new in parameter_gradients(operator) if old >= 0]
        if apart and gradients and work.gemm is not None:
            written, added = _apart(graph, work, gradients)
            found += [Kernel(written, part), Kernel(added, "accumulate")]
        elif loss and operator.kind in _LOSS:
            found += [Kernel(_passed(work, *moved), part) for moved in _LOSS[operator.kind]]
        elif work.uses_tensor or work.vector:
            found.append(Kernel(work, part))
    return tuple(found)


def _passed(work: Work, read: int, written: int) -> Work:
    """One pass over all logits of a loss."""
    (loss,) = work.vector
    return Work(None, (Vector("scale", loss.elements),), read * loss.elements, written * loss.elements, work.dtype)


def _apart(graph: OperatorGraph, work: Work, gradients: Sequence[int]) -> tuple[Work, Work]:
    """The product that writes gradients in its own type, and what adds them to the running sums."""
    elements = sum(graph.tensors[t].elements for t in gradients)
    running = sum(graph.tensors[t].nbytes for t in gradients)
    own = BYTES[work.dtype] * elements
    written = replace(work, bytes_in=work.bytes_in - running, bytes_out=work.bytes_out - running + own)
    return written, Work(None, (Vector("accumulate", elements),), own + running, running, work.dtype)


def _part(operator: Operator) -> Part:
    if operator.phase == "update":
        return "update"
    softmax = ".softmax" in operator.name or any("softmax" in part.kind for part in operator.work.vector)
    if operator.kind.startswith("matmul") or operator.work.attention is not None or softmax:
        return "core"
    return "product" if operator.work.uses_tensor else "vector"
