"""Layers that are equal for every placement, from a model with one of each; and modules of several equal ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from accmine.errors import InputError
from accmine.workload.collectives import collectives, without_exchanges
from accmine.workload.fusion import fuse
from accmine.workload.graph import Operator, OperatorGraph, Phase, Tensor, collector_paused
from accmine.workload.importers.description import ModelDescription, forward_graph
from accmine.workload.importers.transformer_config import TransformerConfig
from accmine.workload.kinds import EXCHANGE_KINDS
from accmine.workload.shard import WHOLE, LayerClass, LayerMemory, Shard
from accmine.workload.stages import Stage, cut
from accmine.workload.training.memory import memory, working_set
from accmine.workload.training.training import DtypePolicy, parameter_gradients, training_graph

__all__ = ["layer_classes", "module"]


@collector_paused()
def layer_classes(
    model: ModelDescription,
    *,
    microbatch: int,
    sequence: int | None = None,
    shard: Shard = WHOLE,
    recompute: str = "none",
    optimizer: str = "adam",
    policy: DtypePolicy = DtypePolicy(),  # noqa: B008  (frozen)
    fusion: str = "practical",
    split: str = "fused",
    masked: float | None = None,
    accumulate: bool = True,
) -> tuple[LayerClass, ...]:
    """The layers of a transformer by class: embeddings, each kind of block, head.

    The chain of the whole model has the embeddings at 0, blocks from 1 on, and the head behind them. The graphs are
    those that ``accmine.workload.stages.cut`` makes of every layer of the whole model, found in one with a block of
    each kind.

    Parameters
    ----------
    microbatch
        Samples that pass through a device together.
    sequence, shard, split, masked
        As for ``forward_graph``.
    recompute, optimizer, policy, accumulate
        As for ``training_graph``; operands of linear layers are those of ``policy``.
    fusion
        As for ``fuse``.

    Raises
    ------
    InputError
        If the model is no transformer, or an option does not fit it.
    """
    config = model.config
    if not isinstance(config, TransformerConfig):
        raise InputError(f"{model.name} is no transformer; layers of equal work are found in these", field="use")
    kinds, less = _kinds(config)
    short = replace(model, config=config.model_copy(update=less))
    forward = forward_graph(
        short, batch=microbatch, sequence=sequence, split=split, dtype=policy.compute, masked=masked, shard=shard
    )

    def training(how: str) -> OperatorGraph:
        return training_graph(forward, optimizer=optimizer, recompute=how, accumulate=accumulate, policy=policy)

    plain = training("none")
    macs = [0] * len(plain.layers)
    for operator in plain.operators:
        macs[operator.layer] += operator.work.macs - operator.work.repeated_macs
    whole = _Whole(fuse(plain if recompute == "none" else training(recompute), fusion))
    names = ("embeddings", *kinds, "head")
    places = ((0,), *kinds.values(), (config.layers + 1,))
    rows = zip(names, places, cut(whole.graph, range(1, len(names))), macs, strict=True)
    return tuple(_layer_class(name, layers, stage, own, whole) for name, layers, stage, own in rows)


def _kinds(config: TransformerConfig) -> tuple[dict[str, tuple[int, ...]], dict[str, int]]:
    """Kinds of blocks with their places in the chain, and what a model with one of each has in its description."""
    dense = min(config.dense_layers, config.layers) if config.experts else config.layers
    if dense in (0, config.layers):
        return {"layer": tuple(range(1, config.layers + 1))}, {"layers": 1, "dense_layers": min(1, dense)}
    places = {"layer0": tuple(range(1, dense + 1)), "layer1": tuple(range(dense + 1, config.layers + 1))}
    return places, {"layers": 2, "dense_layers": 1}


def _layer_class(name: str, layers: tuple[int, ...], stage: Stage, macs: int, whole: _Whole) -> LayerClass:
    index = stage.layers[0]
    block = 0 < index < len(whole.graph.layers) - 1
    training = without_exchanges(stage.training)
    backward = training.phase("backward")
    tensors = {tensor.name: i for i, tensor in enumerate(training.tensors)}
    waiting, through = whole.waiting(index), _through(stage.backward, whole.crossing(index - 1, "backward"))

    def crossing(layer: int, phase: Phase) -> tuple[int, ...]:
        return tuple(tensors[name] for name in whole.crossing(layer, phase)) if block else ()

    return LayerClass(
        name=name,
        layers=layers,
        training=training,
        forward=training.phase("forward"),
        backward=backward,
        update=training.phase("update"),
        through=tuple(i for i, operator in enumerate(backward.operators) if operator.name in through),
        forward_collectives=collectives(stage.forward),
        backward_collectives=collectives(stage.backward),
        memory=_memory(stage.training, whole.working(index)),
        sends_bytes=stage.sends_forward_bytes,
        macs=macs,
        enters=crossing(index - 1, "forward"),
        leaves=crossing(index, "forward"),
        gradients_enter=crossing(index, "backward"),
        gradients_leave=crossing(index - 1, "backward"),
        waiting=tuple(i for i, operator in enumerate(training.operators) if operator.name in waiting),
        tied_bytes=stage.tied_bytes,
    )


def _memory(training: OperatorGraph, working: int) -> LayerMemory:
    """Memory of one layer; ``working`` is what is alive in it while its neighbours are there."""
    need, of_experts = memory(training), memory(training, part=".experts.")
    return LayerMemory(
        weights=need.weights_bytes,
        gradients=need.gradients_bytes,
        optimizer=need.optimizer_bytes,
        stash=need.stash_bytes_per_microbatch,
        working=max(need.working_set_bytes, working),
        expert_weights=of_experts.weights_bytes,
        expert_gradients=of_experts.gradients_bytes,
        expert_optimizer=of_experts.optimizer_bytes,
    )


@dataclass(frozen=True, eq=False)
class _Whole:
    """The training graph of the short model, and what crosses from one layer to the next in it."""

    graph: OperatorGraph

    def working(self, layer: int) -> int:
        """Most bytes alive in ``layer`` beside what is held, and all constants."""
        alive = zip(self._alive, self.graph.operators, strict=True)
        constants = sum(tensor.nbytes for tensor in self.graph.tensors if tensor.role == "constant")
        return constants + max((size for size, operator in alive if operator.layer == layer), default=0)

    def crossing(self, layer: int, phase: Phase) -> Sequence[str]:
        """Names of what crosses from ``layer`` to the next one (``forward``) or comes back from there."""
        return self._crossing.get((layer, phase), ())

    def waiting(self, layer: int) -> set[str]:
        """Operators of ``layer`` that wait for one of another layer without reading from it, or behind an exchange."""
        operators, after = self.graph.operators, set(self.graph.after)
        found: set[str] = set()
        for a, b in self.graph.edges.tolist():
            before, operator = operators[a], operators[b]
            if operator.layer != layer or operator.phase != before.phase:
                continue
            if before.layer != layer:
                waits = (a, b) in after or operator.kind in EXCHANGE_KINDS
            else:  # whoever reads what is exchanged waits as well
                waits = before.name in found and before.kind in EXCHANGE_KINDS
            if waits:
                found.add(operator.name)
        return found

    @cached_property
    def _alive(self) -> list[int]:
        alive: list[int] = working_set(self.graph).tolist()
        return alive

    @cached_property
    def _crossing(self) -> dict[tuple[int, str], list[str]]:
        graph, producer = self.graph, self.graph.producer.tolist()
        summed = {t for operator in graph.operators for pair in parameter_gradients(operator) for t in pair}
        found: dict[tuple[int, str], dict[str, None]] = {}
        for operator in graph.operators:
            for t in operator.inputs:
                source = producer[t]
                if source < 0 or t in summed or operator.phase == "update":
                    continue
                writer = graph.operators[source]
                if writer.layer != operator.layer:
                    key = min(writer.layer, operator.layer), writer.phase
                    found.setdefault(key, {})[graph.tensors[t].name] = None
        return {key: list(names) for key, names in found.items()}


def _through(backward: OperatorGraph, left: Sequence[str]) -> set[str]:
    """Names of the operators that make the tensors ``left``, and of all operators before them."""
    ends = [
        i
        for i, operator in enumerate(backward.operators)
        if {backward.tensors[t].name for t in operator.outputs} & set(left)
    ]
    return {backward.operators[i].name for i in _ancestors(backward, ends)}


def _ancestors(graph: OperatorGraph, ends: Sequence[int]) -> set[int]:
    """``ends`` and all operators before them."""
    before: dict[int, list[int]] = {}
    for a, b in graph.edges.tolist():
        before.setdefault(b, []).append(a)
    found, open_ends = set(ends), list(ends)
    while open_ends:
        for a in before.get(open_ends.pop(), ()):
            if a not in found:
                found.add(a)
                open_ends.append(a)
    return found


@collector_paused()
def module(layer: LayerClass, repeats: int) -> OperatorGraph:
    """Training graph of ``repeats`` consecutive layers of a class: in its backward pass they overlap.

    Forward operators of the first layer stand first, backward ones of the last. Data of the batch is shared.

    Raises
    ------
    InputError
        If there are fewer layers of the class, or several of a class that no layer of its own follows.
    """
    if not 1 <= repeats <= len(layer.layers):
        message = f"{repeats} layers of class {layer.name}; allowed: 1 to {len(layer.layers)}"
        raise InputError(message, field="repeats")
    if repeats == 1:
        return layer.training
    graph, tensors = layer.training, list[Tensor]()
    maps: list[dict[int, int]] = []
    shared: dict[int, int] = {}
    for copy in range(repeats):
        to: dict[int, int] = {}
        if copy:
            to = {e: maps[copy - 1][t] for e, t in zip(layer.enters, layer.leaves, strict=True)}
            # The gradient that leaves this copy is what enters the one before.
            to |= {e: maps[copy - 1][t] for e, t in zip(layer.gradients_leave, layer.gradients_enter, strict=True)}
        for t, tensor in enumerate(graph.tensors):
            if t in to:
                continue
            if t in shared:
                to[t] = shared[t]
                continue
            to[t] = len(tensors)
            data = tensor.role in ("input", "constant")
            tensors.append(tensor if data else replace(tensor, name=f"{copy}/{tensor.name}"))
            if data:
                shared[t] = to[t]
        maps.append(to)
    return _joined(layer, tuple(tensors), maps)


def _joined(layer: LayerClass, tensors: tuple[Tensor, ...], maps: Sequence[dict[int, int]]) -> OperatorGraph:
    """Copies of the operators of ``layer`` whose tensors are ``maps``, each phase in the order of a training graph."""
    graph, last = layer.training, len(maps) - 1
    turns: list[tuple[Phase, Iterable[int]]] = [
        ("forward", range(last + 1)),
        ("backward", range(last, -1, -1)),
        ("update", range(last + 1)),
    ]
    operators, place = list[Operator](), dict[tuple[int, int], int]()
    for phase, copies in turns:
        for copy in copies:
            for index, operator in enumerate(graph.operators):
                if operator.phase != phase:
                    continue
                place[copy, index] = len(operators)
                inputs, outputs = (tuple(maps[copy][t] for t in side) for side in (operator.inputs, operator.outputs))
                named = replace(operator, name=f"{copy}/{operator.name}", layer=copy)
                operators.append(replace(named, inputs=inputs, outputs=outputs))
    after = [(place[copy, a], place[copy, b]) for copy in range(last + 1) for a, b in graph.after]
    producer = graph.producer.tolist()
    for index in layer.waiting:
        forward = graph.operators[index].phase == "forward"
        for maker in sorted({producer[t] for t in (layer.leaves if forward else layer.gradients_leave)}):
            for copy in range(last):
                here, there = (copy, copy + 1) if forward else (copy + 1, copy)
                after.append((place[here, maker], place[there, index]))
    names = tuple(f"{layer.name}{copy}" for copy in range(last + 1))
    return OperatorGraph(
        f"{graph.name}.{layer.name}×{last + 1}", tensors, tuple(operators), names, tuple(sorted(after))
    )
