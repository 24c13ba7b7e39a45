"""Layers that are equal for every placement, from a model with one of each; and modules of several equal ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from accmine.errors import InputError
from accmine.workload.fusion import fuse
from accmine.workload.graph import Operator, OperatorGraph, Phase, Tensor, collector_paused
from accmine.workload.importers.description import ModelDescription, forward_graph
from accmine.workload.importers.transformer_config import TransformerConfig
from accmine.workload.shard import WHOLE, Collective, LayerClass, LayerMemory, Shard
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
    kinds = _kinds(config)
    short = replace(model, config=config.model_copy(update={"layers": len(kinds)}))

    def training(how: str) -> OperatorGraph:
        forward = forward_graph(
            short, batch=microbatch, sequence=sequence, split=split, dtype=policy.compute, masked=masked, shard=shard
        )
        return training_graph(forward, optimizer=optimizer, recompute=how, accumulate=accumulate, policy=policy)

    plain = training("none")
    macs = [0] * len(plain.layers)
    for operator in plain.operators:
        macs[operator.layer] += operator.work.macs - operator.work.repeated_macs
    graph = fuse(plain if recompute == "none" else training(recompute), fusion)
    crossing = _Crossing(graph)
    working = working_set(graph).tolist()
    last = config.layers + 1
    names = {0: "embeddings", len(kinds) + 1: "head"}
    chain = {0: (0,), len(kinds) + 1: (last,)}
    for index, (name, layers) in enumerate(kinds.items(), start=1):
        names[index], chain[index] = name, layers
    stages = cut(graph, range(1, len(graph.layers)))
    found = []
    for index, stage in enumerate(stages):
        peak = max((b for b, o in zip(working, graph.operators, strict=True) if o.layer == index), default=0)
        forward, backward = _collectives(config, shard, recompute, microbatch, sequence or model.sequence or 1, index)
        found.append(_layer_class(names[index], chain[index], stage, crossing, peak, forward, backward, macs[index]))
    return tuple(found)


def _kinds(config: TransformerConfig) -> dict[str, tuple[int, ...]]:
    """Kinds of blocks in the order of their first ones, with their places in the chain."""
    return {"layer": tuple(range(1, config.layers + 1))}


def _layer_class(
    name: str,
    layers: tuple[int, ...],
    stage: Stage,
    crossing: _Crossing,
    peak: int,
    forward: tuple[Collective, ...],
    backward: tuple[Collective, ...],
    macs: int,
) -> LayerClass:
    need, index = memory(stage.training), stage.layers[0]
    tensors = {tensor.name: i for i, tensor in enumerate(stage.training.tensors)}
    operators = {operator.name: i for i, operator in enumerate(stage.training.operators)}
    enters, leaves = (tuple(tensors[n] for n in crossing.tensors(i, "forward")) for i in (index - 1, index))
    back_enters, back_leaves = (tuple(tensors[n] for n in crossing.tensors(i, "backward")) for i in (index, index - 1))
    at = {operator.name: i for i, operator in enumerate(stage.backward.operators)}
    left = {stage.training.tensors[t].name for t in back_leaves}
    makers = [
        at[o.name] for o in stage.backward.operators if left & {stage.backward.tensors[t].name for t in o.outputs}
    ]
    return LayerClass(
        name=name,
        layers=layers,
        training=stage.training,
        forward=stage.forward,
        backward=stage.backward,
        update=stage.update,
        through=_ancestors(stage.backward, makers),
        forward_collectives=forward,
        backward_collectives=backward,
        memory=LayerMemory(
            weights=need.weights_bytes,
            gradients=need.gradients_bytes,
            optimizer=need.optimizer_bytes,
            stash=need.stash_bytes_per_microbatch,
            working=max(need.working_set_bytes, peak),
        ),
        sends_bytes=stage.sends_forward_bytes,
        macs=macs,
        enters=enters,
        leaves=leaves,
        gradients_enter=back_enters,
        gradients_leave=back_leaves,
        gated=tuple(operators[n] for n in crossing.gated(index)),
        tied_bytes=stage.tied_bytes,
    )


@dataclass(frozen=True, eq=False)
class _Crossing:
    """What crosses from one layer to the next in a training graph."""

    graph: OperatorGraph

    @cached_property
    def _found(self) -> dict[tuple[int, str], list[str]]:
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

    def tensors(self, layer: int, phase: Phase) -> Sequence[str]:
        """Names of what crosses from ``layer`` to the next one (``forward``) or comes back from there."""
        return self._found.get((layer, phase), ())

    def gated(self, layer: int) -> list[str]:
        """Operators of ``layer`` that wait for one of another layer without reading from it."""
        operators = self.graph.operators
        pairs = ((operators[a], operators[b]) for a, b in self.graph.after)
        return list(dict.fromkeys(b.name for a, b in pairs if b.layer == layer != a.layer))


def _ancestors(graph: OperatorGraph, ends: Iterable[int]) -> tuple[int, ...]:
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
    return tuple(sorted(found))


def _collectives(
    config: TransformerConfig, shard: Shard, recompute: str, batch: int, sequence: int, layer: int
) -> tuple[tuple[Collective, ...], tuple[Collective, ...]]:
    """Forward and backward collectives of a layer."""
    if shard.tensor == 1:
        return (), ()
    reduce = Collective("all-reduce", 2 * batch * sequence * config.width)
    if layer == 0:
        return (reduce,), ()
    return (reduce,) * 2, (reduce,) * (4 if recompute == "full" else 2)


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
    producer = graph.producer.tolist()
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
            data = tensor.role == "input" and producer[t] < 0
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
    makers = sorted({producer[t] for t in layer.gradients_leave})
    after += [(place[copy + 1, m], place[copy, g]) for copy in range(last) for m in makers for g in layer.gated]
    names = tuple(f"{layer.name}{copy}" for copy in range(last + 1))
    return OperatorGraph(
        f"{graph.name}.{layer.name}×{last + 1}", tensors, tuple(operators), names, tuple(sorted(after))
    )
