"""A batch norm as the two operators that libraries run: statistics, and a scale and shift per channel.

Statistics only add up what they read, so they are made in the pass that writes it (cuDNN's BN-statistics kernels,
XLA's multi-output fusion); the rest is element-wise. Backward likewise: two sums, then dx = a·dy + b·x + c. What the
statistics hand over is a few bytes a channel and is not counted; an order without a tensor stands for it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from accmine.workload.graph import Operator, OperatorGraph, Vector, Work
from accmine.workload.training.training import parameter_gradients

__all__ = ["STATISTICS", "split_batch_norms"]

STATISTICS = ".statistics"
"""What the name of the statistics has behind that of the batch norm."""


def split_batch_norms(graph: OperatorGraph, whole: Collection[str]) -> OperatorGraph:
    """The graph with the batch norms in two whose statistics can be made where their input is written.

    That is, behind an operator of their layer and phase. Those named in ``whole`` stay as they are.
    """
    producer = graph.producer.tolist()
    operators: list[Operator] = []
    at: list[int] = []  # the last operator of each
    after: list[tuple[int, int]] = []
    for operator in graph.operators:
        backward = operator.kind == "batch-norm-backward"
        wanted = (backward and len(operator.outputs) == 3) or operator.kind == "batch-norm"
        source = producer[operator.inputs[0]] if wanted else -1
        if (
            source >= 0
            and (graph.operators[source].layer, graph.operators[source].phase) == (operator.layer, operator.phase)
            and len(operator.work.vector) == 1
            and operator.name not in whole
        ):
            after.append((len(operators), len(operators) + 1))
            operators += _parts(graph, operator, backward)
        else:
            operators.append(operator)
        at.append(len(operators) - 1)
    if len(operators) == len(graph):
        return graph
    first = [0, *(end + 1 for end in at[:-1])]
    after += [(at[a], first[b]) for a, b in graph.after]
    return replace(graph, operators=tuple(operators), after=tuple(sorted(after)))


def _parts(graph: OperatorGraph, operator: Operator, backward: bool) -> tuple[Operator, Operator]:
    """Statistics and the element-wise part of a batch norm or of its backward."""
    (part,) = operator.work.vector
    forward = {key: value for key, value in operator.attributes if not key.endswith("_gradients")}
    if backward:
        pairs = parameter_gradients(operator)
        running = [old for old, _ in pairs if old >= 0]
        read, written = (*operator.inputs[:2], *running), operator.outputs[1:]
        places = iter(range(2, 2 + len(running)))
        own = {
            **forward,
            "parameter_gradients": (0, 1),
            "running_gradients": tuple(-1 if old < 0 else next(places) for old, _ in pairs),
        }
        rest = operator.inputs[:3]
    else:
        read, written, own, rest = operator.inputs[:1], (), forward, operator.inputs
    names = ("batch-norm-statistics", "batch-norm-apply")
    kinds = [f"{name}-backward" for name in names] if backward else names

    def one(
        name: str, kind: str, inputs: tuple[int, ...], outputs: tuple[int, ...], attributes: dict[str, Any]
    ) -> Operator:
        work = Work(
            None,
            (Vector(kind, part.elements),),
            sum(graph.tensors[t].nbytes for t in set(inputs)),
            sum(graph.tensors[t].nbytes for t in outputs),
            operator.work.dtype,
        )
        return replace(
            operator,
            name=name,
            kind=kind,
            inputs=inputs,
            outputs=outputs,
            work=work,
            attributes=tuple(sorted(attributes.items())),
        )

    return (
        one(f"{operator.name}{STATISTICS}", kinds[0], read, written, own),
        one(operator.name, kinds[1], rest, operator.outputs[:1], forward),
    )
