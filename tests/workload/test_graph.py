from __future__ import annotations

import gc

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accmine.errors import InputError
from accmine.workload import OperatorGraph, forward_graph, load_model
from accmine.workload.graph import MOST_BYTES, MOST_MACS, Gemm, GraphBuilder, Tensor, collector_paused
from tests.samples.training_sample import forward_graphs


def chain(count: int = 3) -> GraphBuilder:
    builder = GraphBuilder("chain")
    builder.layer("only")
    x = builder.tensor("x", (4,))
    for i in range(count):
        y = builder.tensor(f"y{i}", (4,))
        builder.operator(f"o{i}", "relu", (x,), (y,))
        x = y
    return builder


def test_sizes_of_a_tensor() -> None:
    tensor = Tensor("t", (3, 5), "fp32", "activation")
    assert (tensor.elements, tensor.nbytes) == (15, 60)
    assert Tensor("s", (), "bool", "input").elements == 1


@pytest.mark.parametrize(("shape", "dtype", "message"), [((2, 0), "bf16", "positive"), ((2,), "fp7", "unknown dtype")])
def test_tensors_that_cannot_be(shape: tuple[int, ...], dtype: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GraphBuilder("g").tensor("t", shape, dtype)


def test_a_name_is_given_once() -> None:
    builder = chain()
    with pytest.raises(ValueError, match="duplicate operator name 'o0'"):
        builder.operator("o0", "relu", (0,), (1,))


def test_traffic_is_that_of_distinct_tensors_unless_said() -> None:
    builder = GraphBuilder("g")
    builder.layer("l")
    x, y = builder.tensor("x", (4,)), builder.tensor("y", (4,), "fp32")
    works = builder.operators
    builder.operator("twice", "add", (x, x), (y,))
    builder.operator("rows", "embedding", (x,), (builder.tensor("z", (4,)),), bytes_in=3)
    assert [(o.work.bytes_in, o.work.bytes_out) for o in works] == [(8, 16), (3, 8)]


def test_bytes_have_a_bound_with_those_of_the_graph_that_is_extended() -> None:
    builder = GraphBuilder("g")
    builder.tensor("half", (MOST_BYTES // 4,))
    again = GraphBuilder.extend(builder.build())
    again.tensor("rest", (MOST_BYTES // 4,))
    with pytest.raises(
        InputError, match=r"tensors up to one \[1\] take 1,152,921,504,606,846,977 bytes; allowed: 1,152"
    ):
        again.tensor("one", (1,), "bool")


def test_multiply_accumulates_have_a_bound() -> None:
    builder = GraphBuilder("g")
    builder.layer("l")
    x = builder.tensor("x", (1,))
    builder.operator("most", "linear", (x,), (builder.tensor("y", (1,)),), gemm=(MOST_MACS, 1, 1, 1))
    again = GraphBuilder.extend(builder.build())
    for name in (builder, again):
        with pytest.raises(InputError, match=r"operators up to more take .* multiply-accumulates; allowed: 1,152,921"):
            name.operator("more", "linear", (x,), (name.tensor("z", (1,)),), gemm=Gemm(1, 1, 1, 1, 1, 1, 1))


@given(forward_graphs(), st.data())
def test_a_selection_keeps_works_and_edges(graph: OperatorGraph, data: st.DataObject) -> None:
    kept = sorted(data.draw(st.sets(st.integers(0, len(graph) - 1), min_size=1)))
    part = graph.select(kept)
    assert [o.work for o in part.operators] == [graph.operators[i].work for i in kept]
    inside = {(kept.index(a), kept.index(b)) for a, b in graph.edges.tolist() if a in kept and b in kept}
    assert {(a, b) for a, b in part.edges.tolist()} == inside
    assert [part.tensors[t].name for o in part.operators for t in o.outputs] == [
        graph.tensors[t].name for i in kept for t in graph.operators[i].outputs
    ]


@given(forward_graphs())
def test_derived_arrays(graph: OperatorGraph) -> None:
    for tensor, producer in enumerate(graph.producer.tolist()):
        writers = [i for i, o in enumerate(graph.operators) if tensor in o.outputs]
        assert writers == ([] if producer < 0 else [producer])
    assert [graph.works[i] for i in graph.work_index] == [o.work for o in graph.operators]
    assert graph.macs == sum(o.work.macs for o in graph.operators)
    assert (graph.edges[:, 0] < graph.edges[:, 1]).all()


def test_networkx() -> None:
    graph = forward_graph(load_model("bert-base"), batch=1, sequence=4, split="none")
    other = graph.networkx()
    names = [o.name for o in graph.operators]
    assert list(other) == names
    assert sorted(other.edges) == sorted((names[a], names[b]) for a, b in graph.edges.tolist())
    assert sum(macs for _, macs in other.nodes(data="macs")) == graph.macs
    assert nx.is_directed_acyclic_graph(other)


@pytest.mark.parametrize("enabled", [True, False])
def test_the_collector_is_as_it_was(enabled: bool) -> None:
    @collector_paused()
    def fail() -> None:
        raise KeyError(gc.isenabled())

    before = gc.isenabled()
    try:
        (gc.enable if enabled else gc.disable)()
        with pytest.raises(KeyError, match="False"):
            fail()
        assert gc.isenabled() == enabled
    finally:
        (gc.enable if before else gc.disable)()
