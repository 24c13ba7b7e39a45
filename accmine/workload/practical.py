"""Fusion as compilers and libraries do it (cuDNN, cuBLASLt, XLA, fused optimisers).

Operators of one layer and phase become one where this saves traffic and never costs any:

- *element-wise work* joins the operator that writes its input: a product, other element-wise work, or a reduction
  along rows (softmax, norms). Others may read the same tensor; it is then written as well;
- *column sums* (gradients of biases, statistics of batch norms) are added up where their input is written;
- a *batch norm* is statistics behind the operator that writes its input, and a scale and shift per channel
  (``accmine.workload.batch_norms``); one whose statistics find no place stays whole;
- a *reduction along rows* takes the element-wise work in front of it that nobody else reads (scale and mask of a
  softmax), and any that no product makes (a sum and its norm);
- element-wise work that no operator in front can take goes to the *first reader* of what it writes. A product takes
  it where it reads its operand; the operand is still written, since tiles of it may be read again;
- *updates* of the parameters of a layer are one operator. A parameter that several layers use has its own.

Nothing joins across layers, so stages can be cut anywhere. What would raise the peak of memory stays apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from accmine.workload.batch_norms import STATISTICS, split_batch_norms
from accmine.workload.graph import Operator, OperatorGraph, Vector, Work
from accmine.workload.kinds import EXCHANGE_KINDS
from accmine.workload.merging import ACCUMULATING, ELEMENTWISE, MARKS, covers, merge
from accmine.workload.training.memory import working_set
from accmine.workload.training.training import parameter_gradients

__all__ = ["practical"]

_Rule = Callable[[OperatorGraph, set[str]], list[int]]
"""Head of each operator of a graph; those named stand apart."""

_APPLIED = ("rotary", "rotary-backward", "batch-norm-apply", "batch-norm-apply-backward")
_SINGLE = ELEMENTWISE | {*_APPLIED}
_ALONG_ROWS = frozenset(
    f"{kind}{suffix}" for kind in ("softmax", "layer-norm", "rms-norm", "batch-norm") for suffix in ("", "-backward")
)


def practical(graph: OperatorGraph, most: int) -> tuple[OperatorGraph, set[str]]:
    """The graph fused by the rules of this module, itself where nothing joins, and what stands apart for its memory.

    Groups that would take the memory beside stash, parameters and states above both ``most`` bytes and what it was at
    their place before stay apart.
    """
    apart: set[str] = set()
    while True:
        found = _joined(graph, apart, most)
        found = _merged(found, _sunk, apart, most)
        if found is graph:
            return _updates(graph), apart
        graph = found


def _joined(graph: OperatorGraph, apart: set[str], most: int) -> OperatorGraph:
    """The graph with what joins behind its producers, and with batch norms whose statistics do in two."""
    whole: set[str] = set()
    while True:
        split = split_batch_norms(graph, whole | apart)
        joined = _merged(split, _hoisted, apart, most)
        left = {o.name.removesuffix(STATISTICS) for o in joined.operators if o.kind.startswith("batch-norm-statistics")}
        if not left:
            return joined
        whole |= left


def _merged(graph: OperatorGraph, rule: _Rule, apart: set[str], most: int) -> OperatorGraph:
    """The graph with groups merged, but for those that take its memory above ``most``; these go to ``apart``."""
    while (head := rule(graph, apart)) != list(range(len(graph))):
        merged = merge(graph, head)
        after = working_set(merged)
        if not (after > most).any():
            return merged
        before = working_set(graph)
        groups: dict[int, list[int]] = {}
        for index, place in enumerate(head):
            groups.setdefault(place, []).append(index)
        places = np.array(sorted(groups))
        above = places[after > most]
        blamed: set[int] = set()
        for group in groups.values():
            inside = (above >= group[0]) & (above <= group[-1])
            if len(group) > 1 and inside.any():
                span = (places >= group[0]) & (places <= group[-1])
                if after[span].max() > before[group[0] : group[-1] + 1].max():
                    blamed.update(group)
        if not blamed:
            return merged
        apart.update(graph.operators[i].name for i in blamed)
    return graph


@dataclass(frozen=True, eq=False)
class _Sides:
    """What a rule asks of the operators of a graph."""

    graph: OperatorGraph
    apart: set[str]

    @cached_property
    def producer(self) -> list[int]:
        found: list[int] = self.graph.producer.tolist()
        return found

    @cached_property
    def readers(self) -> list[set[int]]:
        """Operators that read each tensor."""
        readers: list[set[int]] = [set() for _ in self.graph.tensors]
        for index, operator in enumerate(self.graph.operators):
            for t in operator.inputs:
                readers[t].add(index)
        return readers

    @cached_property
    def waits(self) -> dict[int, list[int]]:
        """Operators before each one by an order without a tensor."""
        waits: dict[int, list[int]] = {}
        for before, after in self.graph.after:
            waits.setdefault(after, []).append(before)
        return waits

    @cached_property
    def followed(self) -> dict[int, list[int]]:
        """Operators behind each one by an order without a tensor."""
        followed: dict[int, list[int]] = {}
        for before, after in self.graph.after:
            followed.setdefault(before, []).append(after)
        return followed

    @cached_property
    def what(self) -> list[str]:
        """``product``, ``rows``, ``single`` (element-wise), ``sums``, ``exchange`` or ``other`` of each operator."""
        return [_what(operator) for operator in self.graph.operators]

    def together(self, a: int, b: int) -> bool:
        """Whether two operators are of one layer and phase, and neither has to stand apart."""
        first, second = self.graph.operators[a], self.graph.operators[b]
        return (first.layer, first.phase) == (second.layer, second.phase) and not (
            {first.name, second.name} & self.apart
        )

    def follows(self, index: int, value: int) -> bool:
        """Whether operator ``index`` works once on every element of tensor ``value``."""
        operator, tensors = self.graph.operators[index], self.graph.tensors
        read = tensors[value].elements
        if tensors[value].dtype in MARKS:
            return False
        if self.what[index] == "sums":
            return all(part.elements == read for part in operator.work.vector)
        return covers(operator, read, tensors[operator.outputs[0]].elements)


def _what(operator: Operator) -> str:
    work, kinds = operator.work, {part.kind for part in operator.work.vector}
    if operator.kind in EXCHANGE_KINDS:
        return "exchange"
    if work.uses_tensor:
        return "product"
    if operator.phase == "update" or not kinds:
        return "other"
    if kinds & _ALONG_ROWS:
        rest = kinds - _ALONG_ROWS
        return "rows" if rest <= _SINGLE | ACCUMULATING else "other"
    if kinds <= ACCUMULATING:
        return "sums"
    single = kinds <= _SINGLE | ACCUMULATING and all(part.row == 1 for part in work.vector)
    return "single" if single and (not operator.attribute("parameter_gradients") or kinds & ACCUMULATING) else "other"


def _hoisted(graph: OperatorGraph, apart: set[str]) -> list[int]:
    """Head of each operator where element-wise work and sums go to the operator that writes their input."""
    sides = _Sides(graph, apart)
    head = list(range(len(graph)))
    for index, operator in enumerate(graph.operators):
        what = sides.what[index]
        sources = [(head[s], t) for t in operator.inputs if (s := sides.producer[t]) >= 0]
        if what not in ("single", "sums", "rows") or not sources:
            continue
        place = max(sources)[0]
        values = [t for at, t in sources if at == place]
        value = next((t for t in values if sides.follows(index, t)), -1)
        if value < 0 or not sides.together(place, index) or sides.what[place] == "exchange":
            continue
        if what == "rows":
            _take(sides, head, index, place, value)
            continue
        open_end = sides.what[place] in ("product", "single", "rows") or what == "sums"
        same = all(graph.tensors[t].elements == graph.tensors[value].elements for t in values)
        waits = all(head[before] < place for before in sides.waits.get(index, ()))
        if open_end and same and waits and graph.operators[place].phase != "update":
            head[index] = place
    return head


def _take(sides: _Sides, head: list[int], index: int, place: int, value: int) -> None:
    """Move to ``index`` the element-wise work in front of it that a product makes and that nobody else reads."""
    graph, moved = sides.graph, {index}
    while sides.what[place] == "product":
        source = sides.producer[value]
        before = [t for t in graph.operators[source].inputs if (s := sides.producer[t]) >= 0 and head[s] == place]
        if (
            source == place
            or sides.what[source] != "single"
            or not sides.readers[value] <= moved
            or any(i not in moved and i < index for t in graph.operators[source].outputs for i in sides.readers[t])
            or any(i < index for i in sides.followed.get(source, ()))
            or len(before) != 1
            or not sides.follows(source, before[0])
        ):
            return
        head[source] = index
        moved.add(source)
        (value,) = before


def _sunk(graph: OperatorGraph, apart: set[str]) -> list[int]:
    """Head of each operator where element-wise work goes to the first reader of what it writes."""
    sides = _Sides(graph, apart)
    head = list(range(len(graph)))
    taken: set[int] = set()
    for index in reversed(range(len(graph))):
        operator = graph.operators[index]
        readers = sorted({i for t in operator.outputs for i in sides.readers[t]})
        sums = any(part.kind in ACCUMULATING for part in operator.work.vector)
        if sides.what[index] != "single" or sums or index in taken or not readers:
            continue
        place = readers[0]
        values = [t for t in operator.outputs if place in sides.readers[t]]
        if (
            head[place] == place
            and sides.together(index, place)
            and _accepts(sides, place, values)
            and all(after > place for after in sides.followed.get(index, ()))
        ):
            head[index] = place
            taken.add(place)
    return head


def _accepts(sides: _Sides, place: int, values: Iterable[int]) -> bool:
    """Whether the operator at ``place`` can take the work that writes ``values`` in front of it."""
    operator, tensors = sides.graph.operators[place], sides.graph.tensors
    if sides.what[place] == "product":
        whole = operator.work.bytes_in >= sum(tensors[t].nbytes for t in set(operator.inputs))
        return whole and all(tensors[t].dtype not in MARKS for t in values)
    if sides.what[place] not in ("single", "rows"):
        return False
    return all(sides.follows(place, t) for t in values)


def _updates(graph: OperatorGraph) -> OperatorGraph:
    """The graph with one update operator for each layer, beside those of parameters that several layers use."""
    head = list(range(len(graph)))
    first: dict[tuple[int, str], int] = {}
    for index in _own(graph):
        operator = graph.operators[index]
        head[index] = first.setdefault((operator.layer, operator.kind), index)
    if all(h == i for i, h in enumerate(head)):
        return graph
    merged = merge(graph, head)
    groups = {graph.operators[h].name for i, h in enumerate(head) if h != i}
    operators = []
    for operator in merged.operators:
        if operator.phase == "update" and operator.name.partition("+")[0] in groups:
            operators.append(_one_launch(graph, operator))
        else:
            operators.append(operator)
    return OperatorGraph(merged.name, merged.tensors, tuple(operators), merged.layers, merged.after)


def _one_launch(graph: OperatorGraph, operator: Operator) -> Operator:
    """A merged update with its elements summed up and a name of its layer."""
    elements: dict[str, int] = {}
    for part in operator.work.vector:
        elements[part.kind] = elements.get(part.kind, 0) + part.elements
    vector = tuple(Vector(kind, count) for kind, count in elements.items())
    work = operator.work
    attributes = tuple((key, value) for key, value in operator.attributes if key != "parameter")
    return Operator(
        f"{graph.layers[operator.layer]}.update",
        operator.kind,
        operator.inputs,
        operator.outputs,
        operator.phase,
        operator.layer,
        Work(None, vector, work.bytes_in, work.bytes_out, work.dtype),
        attributes,
    )


def _own(graph: OperatorGraph) -> Iterator[int]:
    """Update operators whose gradient is made in their own layer alone."""
    producer = graph.producer.tolist()
    so_far = {new: old for operator in graph.operators for old, new in parameter_gradients(operator)}
    for index, operator in enumerate(graph.operators):
        if operator.phase != "update":
            continue
        layers = set()
        for t in operator.inputs:
            if graph.tensors[t].role != "gradient":
                continue
            gradient = t
            while gradient >= 0 and producer[gradient] >= 0:
                layers.add(graph.operators[producer[gradient]].layer)
                gradient = so_far[gradient]
        if layers <= {operator.layer}:
            yield index
