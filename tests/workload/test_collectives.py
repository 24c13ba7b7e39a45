"""Exchanges of a group in a graph, and the graph without them."""

from __future__ import annotations

import pytest

from accmine.workload import OperatorGraph, fuse, memory, training_graph
from accmine.workload.collectives import collectives, storage, without_exchanges
from accmine.workload.forward import layers
from accmine.workload.graph import GraphBuilder
from accmine.workload.kinds import EXCHANGE_KINDS
from accmine.workload.shard import Collective


def two_devices(sequence_parallel: bool) -> OperatorGraph:
    """norm -> [enter] -> linear -> relu -> linear -> [leave] -> relu -> loss: the share of one of two devices.

    8 tokens of 4 columns, of which a device has 6 of 12 inside.
    """
    b = GraphBuilder("mlp")
    b.layer("only")
    own = (4, 4) if sequence_parallel else (8, 4)
    x = layers.embedding(
        b, "table", layers.input_tensor(b, "ids", own[:1], "int32"), layers.parameter(b, "t", (9, 4), "bf16")
    )
    x = layers.norm(b, "norm", "rms-norm", x)
    x = layers.exchange(b, "enter", "all-gather" if sequence_parallel else "copy", x, (8, 4))
    x = layers.linear(b, "up", [x], layers.parameter(b, "u", (4, 6), "bf16"), None, [(8, 6)], m=8)[0]
    x = layers.elementwise(b, "relu", "relu", x)
    x = layers.linear(b, "down", [x], layers.parameter(b, "d", (6, 4), "bf16"), None, [(8, 4)], m=8)[0]
    x = layers.exchange(b, "leave", "reduce-scatter" if sequence_parallel else "all-reduce", x, own)
    x = layers.elementwise(b, "behind", "gelu", x)
    layers.cross_entropy(b, "loss", x, layers.input_tensor(b, "labels", own[:1], "int32"), 4)
    return b.build()


def kinds(graph: OperatorGraph) -> list[tuple[str, int]]:
    assert {c.group for c in collectives(graph)} <= {"tensor"}
    return [(c.kind, c.message_bytes) for c in collectives(graph)]


def test_collectives_of_a_pass_and_of_its_gradients() -> None:
    whole = 8 * 4 * 2
    plain = training_graph(two_devices(False))
    assert kinds(plain.phase("forward")) == [("all-reduce", whole)]
    assert kinds(plain.phase("backward")) == [("all-reduce", whole)]
    shared = training_graph(two_devices(True))
    assert kinds(shared.phase("forward")) == [("all-gather", whole), ("reduce-scatter", whole)]
    # The gradient is gathered; for the weight's own gradient the input is gathered again; its gradient is summed.
    backward = [("all-gather", whole), ("reduce-scatter", whole), ("all-gather", whole)]
    assert sorted(kinds(shared.phase("backward"))) == sorted(backward)


def test_an_all_to_all_counts_what_a_device_sends() -> None:
    b = GraphBuilder("rows")
    b.layer("only")
    x = layers.parameter(b, "x", (3, 5, 7), "bf16")
    layers.exchange(b, "send", "all-to-all", x, (3, 5, 7), "expert")
    assert collectives(b.build()) == (Collective("all-to-all", 3 * 5 * 7 * 2, "expert"),)


@pytest.mark.parametrize("fusion", ["none", "elementwise", "practical"])
@pytest.mark.parametrize("sequence_parallel", [False, True])
def test_a_graph_without_exchanges_keeps_every_order(sequence_parallel: bool, fusion: str) -> None:
    graph = fuse(training_graph(two_devices(sequence_parallel)), fusion)
    bare = without_exchanges(graph)
    stays = [o for o in graph.operators if o.kind not in EXCHANGE_KINDS]
    assert [(o.name, o.work) for o in bare.operators] == [(o.name, o.work) for o in stays]
    before, after = graph.networkx(), bare.networkx()
    import networkx as nx

    for a in stays:
        reached = nx.descendants(before, a.name) & {o.name for o in stays}
        assert nx.descendants(after, a.name) == reached
    assert without_exchanges(bare) is bare


@pytest.mark.parametrize("fusion", ["elementwise", "practical"])
@pytest.mark.parametrize("sequence_parallel", [False, True])
def test_nothing_joins_across_a_collective(sequence_parallel: bool, fusion: str) -> None:
    graph = fuse(training_graph(two_devices(sequence_parallel)), fusion)
    together = [str(o.attribute("fused")).split(",") for o in graph.operators if o.attribute("fused")]
    assert ["up", "relu"] in together
    assert not any({"down", "behind"} <= set(group) or {"up.dx", "norm.bwd"} <= set(group) for group in together)


def test_what_is_exchanged_in_place_is_one_tensor() -> None:
    graph = training_graph(two_devices(False))
    place, names = storage(graph), [tensor.name for tensor in graph.tensors]
    assert names[place[names.index("enter.y")]] == "norm.y"
    assert names[place[names.index("down.y")]] == "leave.y"
    bare = without_exchanges(graph)
    assert memory(graph) == memory(bare)
    gathered = training_graph(two_devices(True))
    assert storage(gathered) == list(range(len(gathered.tensors)))
    # A device keeps the shard of what is gathered, for its gradient: ids, table.y, norm.y, relu.y, gelu's input, loss.
    kept = 4 * 4 + 3 * 4 * 4 * 2 + 8 * 6 * 2 + 4 * 4 * 2 + 4 * 4
    assert memory(gathered).stash_bytes_per_microbatch == kept
