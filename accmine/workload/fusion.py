"""Fusion of operators: what one kernel does in practice, by one of several rules.

A fused operator holds tensor and vector cores, and what its members exchange never leaves the chip.

``practical`` is what compilers and libraries do today (``accmine.workload.practical``). Under ``elementwise`` an
element-wise operator joins the operator that writes its input when

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
from accmine.workload.graph import Operator, OperatorGraph, collector_paused
from accmine.workload.merging import ELEMENTWISE, MARKS, covers, merge
from accmine.workload.practical import practical
from accmine.workload.training.memory import working_set

__all__ = ["ELEMENTWISE", "MODES", "fuse"]

MODES = ("practical", "elementwise", "paired", "none")


@collector_paused()
def fuse(graph: OperatorGraph, mode: str = "practical") -> OperatorGraph:
    """The graph with its operators fused by the rule ``mode``, or as it is with ``none``.

    ``paired`` fuses as ``elementwise`` does, and lets a fused product hold as many vector cores as tensor cores (WHAM's
    rule, ``Work.paired``); else each side takes the cores it takes.

    What a fused operator is called and holds: ``accmine.workload.merging.merge``. Fusing again changes nothing.

    Raises
    ------
    InputError
        If the mode is unknown, or residency is marked already.
    """
    if mode not in MODES:
        raise InputError(f"unknown fusion {mode!r}; allowed: {', '.join(MODES)}", field="fusion")
    if mode == "none":
        return graph
    if any(operator.work.local for operator in graph.operators):
        raise InputError(f"{graph.name}: residency is marked already; fuse the graph first, then mark it")
    if mode == "elementwise":
        return _elementwise(graph)
    if mode == "paired":
        return _paired(_elementwise(graph))
    while True:
        most = min(int(working_set(either).max(initial=0)) for either in (graph, _elementwise(graph)))
        found, apart = practical(graph, most)
        if found is graph or not apart:
            return found
        graph = found  # what stands apart for its memory may join where there is less of it


def _elementwise(graph: OperatorGraph) -> OperatorGraph:
    while True:
        head = _heads(graph)
        if all(h == i for i, h in enumerate(head)):
            return graph
        graph = merge(graph, head)


def _paired(graph: OperatorGraph) -> OperatorGraph:
    """The graph whose fused products hold equal numbers of cores."""
    both = [operator.work.uses_tensor and bool(operator.work.vector) for operator in graph.operators]
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
        not work.uses_tensor
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
    open_end = [o.work.uses_tensor or _joins(o) for o in operators]
    for index, operator in enumerate(operators):
        if operator.work.uses_tensor or not open_end[index]:
            continue
        sources = [(head[s], t) for t in operator.inputs if (s := producer[t]) >= 0]
        if not sources:
            continue
        place, value = max(sources)
        last = tail[place]
        if (
            open_end[place]
            and value in operators[last].outputs
            and tensors[value].dtype not in MARKS
            and readers[last] == {index}
            and operators[last].phase == operator.phase
            and operators[last].layer == operator.layer
            and covers(operator, tensors[value].elements, tensors[operator.outputs[0]].elements)
            and all(head[before] < place for before in waits.get(index, ()))
        ):
            head[index], tail[place] = place, index
    return head
