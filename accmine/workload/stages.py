"""Pipeline stages: a training graph cut along its layer chain."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise

from accmine.errors import InputError
from accmine.workload.graph import Operator, OperatorGraph, collector_paused
from accmine.workload.residency import resident
from accmine.workload.training.training import parameter_gradients, without_running

__all__ = ["Stage", "balance", "cut", "device_stage"]


@dataclass(frozen=True, eq=False)
class Stage:
    """The part of a training graph that one device holds.

    Attributes
    ----------
    name
        ``stage0``, ``stage1``, …
    layers
        (first, last) index of its layers, last exclusive.
    training
        Its operators of all phases; what crosses its boundaries comes from outside. ``forward``,
        ``backward`` and ``update`` are the subgraphs of the phases.
    sends_forward_bytes, sends_backward_bytes
        Per microbatch: activations to the next stage, gradients to the stage before. A tensor used further
        away is relayed by the stages between. Data of the batch (ids, masks, labels) comes from the host.
    tied_bytes
        Per step: what this stage sends to sum the gradients of parameters that other stages hold as well,
        2 (k - 1) / k of their size in an all-reduce among k holders (their size for two).
    """

    name: str
    layers: tuple[int, int]
    training: OperatorGraph
    forward: OperatorGraph
    backward: OperatorGraph
    update: OperatorGraph
    sends_forward_bytes: int
    sends_backward_bytes: int
    tied_bytes: int = 0


def device_stage(training: OperatorGraph, *, window: int = 0) -> Stage:
    """The whole graph as the one stage of one device; ``window`` as for ``cut``."""
    return cut(training, (), window=window)[0]


@collector_paused()
def cut(training: OperatorGraph, boundaries: Sequence[int], *, window: int = 0) -> tuple[Stage, ...]:
    """Stages of a training graph; every operator is in the stage of its layer.

    A parameter used in several stages (an embedding tied to the head) is held, and updated, in each of them:
    stages other than that of its update operator have a copy of it.

    Parameters
    ----------
    training
        Training graph, fused or not.
    boundaries
        First layer of each stage after the first, ascending.
    window
        Above 0, mark what may stay on chip between operators that are at most this far apart
        (``accmine.workload.residency.resident``).

    Raises
    ------
    InputError
        If the boundaries are not ascending inside the chain, a forward tensor would run backwards, the window
        is negative, or the graph is marked already.
    """
    count = len(training.layers)
    starts = [0, *boundaries]
    if any(b <= a for a, b in pairwise(starts)) or starts[-1] >= max(count, 1):
        raise InputError(
            f"boundaries {list(boundaries)} do not cut {count} layers; allowed: ascending, 1 to {count - 1}",
            field="boundaries",
        )
    if any(operator.work.local for operator in training.operators):
        raise InputError("residency is marked already, maybe across boundaries; pass the plain graph and a window")
    if window:
        training = resident(training, window=window, boundaries=boundaries)
    stage_of = [bisect_right(starts, operator.layer) - 1 for operator in training.operators]
    sends = _sends(training, stage_of, len(starts))
    copies, tied = _tied(training, stage_of, len(starts))
    stages = []
    for index, start in enumerate(starts):
        end = starts[index + 1] if index + 1 < len(starts) else count
        graph = _part(training, stage_of, index, copies[index])
        stages.append(
            Stage(
                f"stage{index}",
                (start, end),
                graph,
                graph.phase("forward"),
                graph.phase("backward"),
                graph.phase("update"),
                sends[index][0],
                sends[index][1],
                tied[index],
            )
        )
    return tuple(stages)


def _sends(graph: OperatorGraph, stage_of: list[int], stages: int) -> list[tuple[int, int]]:
    """Bytes each stage sends to the next and to the one before, per microbatch."""
    producer = graph.producer.tolist()
    summed = {t for operator in graph.operators for pair in parameter_gradients(operator) for t in pair}
    farthest: dict[int, int] = {}
    for index, operator in enumerate(graph.operators):
        if operator.phase == "update":
            continue
        for t in operator.inputs:
            source = producer[t]
            if source < 0 or t in summed or stage_of[source] == stage_of[index]:
                continue
            if (stage_of[index] > stage_of[source]) != (graph.operators[source].phase == "forward"):
                raise InputError(
                    f"{operator.name} of layer {graph.layers[operator.layer]} reads {graph.tensors[t].name}, which "
                    "the layer chain has on its other side; allowed: cuts that tensors cross in one direction"
                )
            if abs(stage_of[index] - stage_of[source]) > abs(farthest.get(t, stage_of[source]) - stage_of[source]):
                farthest[t] = stage_of[index]
    sends = [[0, 0] for _ in range(stages)]
    for t, end in farthest.items():
        start, size = stage_of[producer[t]], graph.tensors[t].nbytes
        for stage in range(start, end):
            sends[stage][0] += size
        for stage in range(start, end, -1):
            sends[stage][1] += size
    return [(forward, backward) for forward, backward in sends]


def _tied(graph: OperatorGraph, stage_of: list[int], stages: int) -> tuple[list[list[Operator]], list[int]]:
    """Copies of update operators that each stage needs, and the bytes it sends to sum tied gradients."""
    so_far = _so_far(graph)
    producer = graph.producer.tolist()
    copies: list[list[Operator]] = [[] for _ in range(stages)]
    tied = [0] * stages
    for index, operator in enumerate(graph.operators):
        if operator.phase != "update":
            continue
        last: dict[int, int] = {}  # stage -> the last gradient written in it
        gradient = operator.inputs[0]
        while gradient >= 0 and producer[gradient] >= 0:
            last.setdefault(stage_of[producer[gradient]], gradient)
            gradient = so_far[gradient]
        size = graph.tensors[operator.inputs[0]].nbytes
        for stage, written in last.items():
            if len(last) > 1:
                tied[stage] += 2 * (len(last) - 1) * size // len(last)
            if stage != stage_of[index]:
                copies[stage].append(replace(operator, inputs=(written, *operator.inputs[1:])))
    return copies, tied


def _so_far(graph: OperatorGraph) -> dict[int, int]:
    """Gradient of a parameter -> the gradient it was added to, -1 for none."""
    return {new: old for operator in graph.operators for old, new in parameter_gradients(operator)}


def _part(graph: OperatorGraph, stage_of: list[int], stage: int, copies: list[Operator]) -> OperatorGraph:
    """The operators of one stage with its own gradients of tied parameters."""
    producer = graph.producer.tolist()
    operators = list(graph.operators)
    keep = [index for index, at in enumerate(stage_of) if at == stage]
    so_far: dict[int, int] | None = None
    for index in keep:
        for old, _ in parameter_gradients(operators[index]):
            if old < 0 or producer[old] < 0 or stage_of[producer[old]] == stage:
                continue
            # The chain of gradients comes from another stage. Here it starts anew: from the gradient of the
            # earlier microbatches, of the same size, or from nothing when these are not accumulated.
            so_far = _so_far(graph) if so_far is None else so_far
            start = old
            while start >= 0 and producer[start] >= 0:
                start = so_far[start]
            if start < 0:
                operators[index] = without_running(graph, operators[index], old)
    operators += copies
    keep += range(len(graph.operators), len(operators))
    return replace(graph, operators=tuple(operators)).select(keep, f"{graph.name}.stage{stage}")


def balance(layer_cost: Sequence[float], stages: int) -> tuple[int, ...]:
    """Boundaries that split the layer chain into contiguous stages with the smallest largest cost.

    Exact, by dynamic programming over prefixes, O(stages · layers²). Among the splits with the smallest
    largest cost, the one with the smallest sum of squares.

    Parameters
    ----------
    layer_cost
        Cost of each layer, at least 0, in any one unit.
    stages
        Number of stages; each gets at least one layer.

    Returns
    -------
    tuple of int
        First layer of each stage after the first, as ``cut`` takes it.

    Raises
    ------
    InputError
        If there are fewer layers than stages, or a cost is negative or not finite.
    """
    count = len(layer_cost)
    if not 1 <= stages <= count:
        raise InputError(f"{count} layers cannot make {stages} stages; allowed: 1 to {count}", field="stages")
    if any(not 0 <= cost < float("inf") for cost in layer_cost):
        raise InputError("costs of layers must be finite and at least 0", field="layer_cost")
    prefix = [0.0, *accumulate(float(cost) for cost in layer_cost)]
    cost = [[prefix[end] - prefix[start] for end in range(count + 1)] for start in range(count)]
    # First the smallest largest cost alone: the pair (largest, squares) has no optimal substructure.
    best = cost[0]
    for parts in range(1, stages):
        best = [
            min((max(best[start], cost[start][end]) for start in range(parts, end)), default=float("inf"))
            for end in range(count + 1)
        ]
    return _least_squares(cost, stages, best[count])


def _least_squares(cost: list[list[float]], stages: int, limit: float) -> tuple[int, ...]:
    """Boundaries of the split with the least sum of squared costs, none of them above ``limit``."""
    count = len(cost)
    squares = [c * c if c <= limit else float("inf") for c in cost[0]]
    choices: list[list[int]] = []
    for parts in range(1, stages):
        following, choice = [float("inf")] * (count + 1), [0] * (count + 1)
        for end in range(parts + 1, count + 1):
            for start in range(parts, end):
                c = cost[start][end]
                if c <= limit and squares[start] + c * c < following[end]:
                    following[end], choice[end] = squares[start] + c * c, start
        squares = following
        choices.append(choice)
    boundaries: list[int] = []
    end = count
    for choice in reversed(choices):
        end = choice[end]
        boundaries.append(end)
    return tuple(reversed(boundaries))
