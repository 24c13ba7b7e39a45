"""What may stay on chip between operators: tensors that are read soon after they are written.

Without it every operator reads its inputs from HBM and writes its outputs there. ``resident`` marks the
traffic that vanishes where a shared SRAM holds a tensor from its producer to its last consumer. It is an
assumption about the schedule, made by whoever calls it. A tensor qualifies if

- it is an activation, or the gradient of one, and an operator of the graph writes it;
- operators of the producer's phase and pipeline stage read it, and all of these stand at most ``window``
  places behind the producer in the order of the graph.

These consumers save their reads. The producer saves its write if nobody else needs the tensor: no operator
of another phase (the backward pass of a stashed activation) and none of another stage. A tensor that
nothing in the graph reads is an output, and is written.

**Capacity.** In the order of the graph a tensor is alive from its producer to its last consumer, both
included. Those that are alive for the fewest operators come first, the smaller ones of these before the
larger: a tensor stays if it fits beside all qualifying tensors that come before it and are alive at the same
operator. So the tensors that stay in a given capacity fit it together at every operator, and neither a larger
capacity nor a wider window keeps less.

Left out: the SRAM also holds tiles of operands; several operators run at once, and a schedule may put
others between producer and consumer. Both ask for more than the order of the graph shows.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from accmine.errors import InputError
from accmine.workload.graph import OperatorGraph, collector_paused
from accmine.workload.training.training import parameter_gradients
from accmine.workload.work import Work

__all__ = ["WINDOW", "local_bytes", "resident"]

WINDOW = 8
"""Places from a producer to its last consumer, by default: about a branch of a transformer layer."""


@dataclass(frozen=True)
class _Stay:
    """A tensor that qualifies: where it is written, who saves a read, and whether the write is saved."""

    tensor: int
    source: int
    readers: tuple[int, ...]
    unwritten: bool


@collector_paused()
def resident(graph: OperatorGraph, *, window: int = WINDOW, boundaries: Sequence[int] = ()) -> OperatorGraph:
    """The graph whose works say which traffic vanishes where their tensors stay on chip.

    Tensors, operators and their order are those of ``graph``; only ``Work.local`` is filled in, and what it
    held is replaced. Mark the whole training graph, after fusion and before it is cut into stages or phases
    (``accmine.workload.stages.cut`` does): readers that were cut off are not seen.

    Parameters
    ----------
    graph
        Training or forward graph, fused or not.
    window
        Most places from a producer to its consumers; 0 marks nothing.
    boundaries
        First layer of each pipeline stage after the first: what crosses one goes to another device.

    Raises
    ------
    InputError
        If the window is negative.
    """
    if window < 0:
        raise InputError(f"a window of {window} operators; allowed: 0 or more", field="window")
    saved: list[Counter[int]] = [Counter() for _ in graph.operators]
    unread, unwritten = _untouched(graph)
    stays = _stays(graph, window, list(boundaries))
    for stay, need in zip(stays, _needs(graph, stays), strict=True):
        size = graph.tensors[stay.tensor].nbytes
        for index in stay.readers:
            saved[index][need] += max(0, size - unread[index])
        if stay.unwritten:
            saved[stay.source][need] += max(0, size - unwritten[stay.source])
    works: dict[tuple[Work, tuple[tuple[int, int], ...]], Work] = {}  # equal works stay one object
    operators = []
    for operator, found in zip(graph.operators, saved, strict=True):
        key = operator.work, tuple(sorted((need, amount) for need, amount in found.items() if amount))
        if key not in works:
            works[key] = replace(operator.work, local=key[1])
        operators.append(replace(operator, work=works[key]))
    return replace(graph, operators=tuple(operators))


def local_bytes(work: Work, capacity_bytes: int) -> int:
    """HBM bytes that ``work`` saves where ``capacity_bytes`` of SRAM hold tensors between operators.

    Never more than ``work.bytes_in + work.bytes_out``, and never less with more capacity. 0 unless the work is
    of a graph that ``resident`` has marked.
    """
    return sum(saved for need, saved in work.local if need <= capacity_bytes)


def _stays(graph: OperatorGraph, window: int, starts: list[int]) -> list[_Stay]:
    """The tensors that qualify, in order of their indices."""
    operators = graph.operators
    stage = [bisect_right(starts, operator.layer) for operator in operators]
    readers: list[set[int]] = [set() for _ in graph.tensors]
    sums: set[int] = set()
    for index, operator in enumerate(operators):
        for t in operator.inputs:
            readers[t].add(index)
        for pair in parameter_gradients(operator):
            sums.update(pair)
    found = []
    for t, source in enumerate(graph.producer.tolist()):
        if source < 0 or t in sums or graph.tensors[t].role not in ("activation", "gradient"):
            continue
        place = operators[source].phase, stage[source]
        near = sorted(i for i in readers[t] if (operators[i].phase, stage[i]) == place)
        if near and near[-1] - source <= window:
            found.append(_Stay(t, source, tuple(near), len(near) == len(readers[t])))
    return found


def _needs(graph: OperatorGraph, stays: Sequence[_Stay]) -> list[int]:
    """Bytes of SRAM from which each tensor stays."""
    load = np.zeros(len(graph), dtype=np.int64)
    needs = [0] * len(stays)

    def rank(i: int) -> tuple[int, int]:
        return stays[i].readers[-1] - stays[i].source, graph.tensors[stays[i].tensor].nbytes

    for i in sorted(range(len(stays)), key=rank):
        alive = slice(stays[i].source, stays[i].readers[-1] + 1)
        load[alive] += graph.tensors[stays[i].tensor].nbytes
        needs[i] = int(load[alive].max())
    return needs


def _untouched(graph: OperatorGraph) -> tuple[list[int], list[int]]:
    """Bytes of its input and output tensors that each operator does not touch (rows of a table, one token).

    Which tensor they belong to is not known, so each one saves that much less.
    """
    size = [tensor.nbytes for tensor in graph.tensors]
    unread = [max(0, sum(size[t] for t in set(o.inputs)) - o.work.bytes_in) for o in graph.operators]
    unwritten = [max(0, sum(size[t] for t in o.outputs) - o.work.bytes_out) for o in graph.operators]
    return unread, unwritten
