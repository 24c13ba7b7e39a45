from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.errors import InputError
from accmine.workload import VECTOR_KINDS, OperatorGraph, forward_graph, fuse, load_model, training_graph
from accmine.workload.forward import layers
from accmine.workload.fusion import ELEMENTWISE
from accmine.workload.graph import GraphBuilder, Operator
from tests.samples.training_sample import convnet, forward_graphs, is_ordered


class Chain:
    """A builder with one layer, an input x of 6x4 and short names for what the tests add."""

    def __init__(self) -> None:
        self.b = GraphBuilder("chain")
        self.b.layer("only")
        self.x = layers.input_tensor(self.b, "x", (6, 4), "bf16")

    def linear(self, name: str, x: int) -> int:
        weight = layers.parameter(self.b, f"{name}.weight", (4, 4), "bf16")
        return layers.linear(self.b, name, [x], weight, None, [(6, 4)], m=6)[0]

    def unary(self, name: str, x: int, kind: str = "gelu") -> int:
        return layers.elementwise(self.b, name, kind, x)

    def names(self) -> list[str]:
        return [o.name for o in fuse(self.b.build(), "elementwise").operators]


def find(graph: OperatorGraph, name: str) -> Operator:
    return next(o for o in graph.operators if o.name == name)


def test_a_chain_behind_a_product() -> None:
    c = Chain()
    y = layers.dropout(c.b, "drop", c.unary("gelu", c.linear("up", c.x)), 0.1)
    layers.add(c.b, "residual", (c.x, y))
    (operator,) = fuse(c.b.build(), "elementwise").operators
    assert operator.name == "up+gelu+dropout+add"
    assert operator.kind == "linear"
    assert operator.attribute("fused") == "up,gelu,drop,residual"
    assert [v.kind for v in operator.work.vector] == ["gelu", "dropout", "add"]
    assert operator.work.bytes_in == 2 * (24 + 16)  # x once, and the weight
    assert operator.work.bytes_out == 48 + 24  # the sum, and the mask that nobody in this graph reads
    assert operator.work.macs == 6 * 4 * 4


def test_what_the_backward_reads_is_still_written() -> None:
    c = Chain()
    y = c.linear("down", c.unary("gelu", c.linear("up", c.x)))
    layers.cross_entropy(c.b, "loss", y, layers.input_tensor(c.b, "labels", (6,), "int32"), 4)
    graph = fuse(training_graph(c.b.build(), accumulate=False), "elementwise")
    up = find(graph, "up+gelu")
    assert [graph.tensors[t].name for t in up.outputs] == ["up.y", "gelu.y"]
    assert up.work.bytes_out == 2 * 48
    backward = find(graph, "down.dx+gelu-backward")
    assert [graph.tensors[t].name for t in backward.outputs] == ["up.y.grad@gelu.bwd"]
    assert backward.work.bytes_in == 48 + 32 + 48  # gradient, weight, input of the gelu


def test_chains_of_vector_operators() -> None:
    c = Chain()
    c.unary("c", c.unary("b", c.unary("a", c.x, "scale"), "relu"))
    assert c.names() == ["a+relu+gelu"]


def test_a_second_reader_in_the_phase_keeps_them_apart() -> None:
    c = Chain()
    y = c.linear("up", c.x)
    c.unary("a", y)
    c.unary("b", y)
    assert c.names() == ["up", "a", "b"]


def test_a_reader_of_both_ends_joins_in_the_end() -> None:
    c = Chain()
    y = c.linear("up", c.x)
    layers.add(c.b, "swish", (y, c.unary("gate", y, "sigmoid")), kind="multiply")
    assert c.names() == ["up+sigmoid+multiply"]
    (operator,) = fuse(c.b.build(), "elementwise").operators
    assert operator.attribute("fused") == "up,gate,swish"


def test_layers_and_reductions_stay_apart() -> None:
    c = Chain()
    y = layers.softmax(c.b, "softmax", c.linear("up", c.x))
    y = c.linear("down", c.unary("gelu", y))
    c.b.layer("next")
    c.unary("act", y)
    assert c.names() == ["up", "softmax", "gelu", "down", "act"]


def test_two_products_feed_one_sum() -> None:
    c = Chain()
    layers.add(c.b, "add", (c.linear("first", c.x), c.linear("second", c.x)))
    assert c.names() == ["first", "second+add"]  # behind the later one: the other input is there before


def test_no_cycle_where_the_other_input_depends_on_the_head() -> None:
    c = Chain()
    y = layers.dropout(c.b, "drop", c.linear("up", c.x), 0.1)
    z = layers.softmax(c.b, "soft", y)
    layers.add(c.b, "add", (y, z))
    graph = fuse(c.b.build(), "elementwise")
    assert [o.name for o in graph.operators] == ["up+dropout", "soft", "add"]
    assert is_ordered(graph)


def test_broadcast_operands_stay_apart() -> None:
    c = Chain()
    gate = layers.parameter(c.b, "gate", (6, 1), "bf16")
    gate = c.unary("gate", gate, "sigmoid")
    y = layers.add(c.b, "mul", (c.x, gate), kind="multiply")
    c.unary("act", y)
    assert c.names() == ["gate", "mul+gelu"]
    names = {o.name for o in fuse(training_graph(convnet()), "elementwise").operators}
    assert "block.excite.bwd" in names  # its backward reduces the gate's gradient


def test_orders_without_a_tensor_are_kept() -> None:
    c = Chain()
    y = c.unary("a", c.x)
    c.unary("b", c.x, "relu")
    c.unary("c", y, "relu")
    graph = c.b.build()
    ordered = OperatorGraph(graph.name, graph.tensors, graph.operators, graph.layers, after=((1, 2),))
    assert [o.name for o in fuse(graph, "elementwise").operators] == ["a+relu", "b"]
    assert [o.name for o in fuse(ordered, "elementwise").operators] == ["a", "b", "c"]
    early = OperatorGraph(graph.name, graph.tensors, graph.operators, graph.layers, after=((0, 1),))
    assert fuse(early, "elementwise").after == ((0, 1),)


def test_none_and_unknown_modes() -> None:
    graph = training_graph(convnet())
    assert fuse(graph, "none") is graph
    with pytest.raises(InputError, match="allowed: practical, elementwise, paired, none"):
        fuse(graph, "full")


def test_element_wise_kinds_are_vector_kinds() -> None:
    assert set(VECTOR_KINDS) >= ELEMENTWISE
    assert not ELEMENTWISE & {"softmax", "layer-norm", "bias-backward", "reduce"}


def check_fusion(graph: OperatorGraph) -> OperatorGraph:
    """Order, conserved work, and traffic that does not grow."""
    fused = fuse(graph, "elementwise")
    assert is_ordered(fused)
    assert len(fused) <= len(graph)
    assert fused.macs == graph.macs
    assert parts(fused) == parts(graph)
    assert {t.name for t in fused.tensors} <= {t.name for t in graph.tensors}
    for kind in ("bytes_in", "bytes_out"):
        before = sum(getattr(o.work, kind) for o in graph.operators)
        after = sum(getattr(o.work, kind) for o in fused.operators)
        assert after <= before
        if len(fused) < len(graph) and kind == "bytes_in":
            assert after < before
    original = {o.name: o for o in graph.operators}
    members = [str(o.attribute("fused") or o.name).split(",") for o in fused.operators]
    assert sorted(name for group in members for name in group) == sorted(original)
    for operator, group in zip(fused.operators, members, strict=True):
        assert {(original[n].phase, original[n].layer) for n in group} == {(operator.phase, operator.layer)}
    assert reachable(fused) >= contracted(graph, members)
    assert fuse(fused, "elementwise") is fused
    return fused


def parts(graph: OperatorGraph) -> Counter[object]:
    return Counter(v for o in graph.operators for v in o.work.vector)


def contracted(graph: OperatorGraph, members: list[list[str]]) -> set[tuple[int, int]]:
    """Edges of ``graph`` between groups."""
    group_of = {name: i for i, group in enumerate(members) for name in group}
    names = [group_of[o.name] for o in graph.operators]
    return {(names[a], names[b]) for a, b in graph.edges.tolist() if names[a] != names[b]}


def reachable(graph: OperatorGraph) -> set[tuple[int, int]]:
    return {(a, b) for a, b in graph.edges.tolist()}


@settings(deadline=None, max_examples=60)
@given(forward_graphs(), st.sampled_from(("none", "full")), st.booleans())
def test_laws_on_random_graphs(forward: OperatorGraph, recompute: str, train: bool) -> None:
    check_fusion(training_graph(forward, recompute=recompute) if train else forward)


@pytest.mark.parametrize("name", ["bert-base", "mobilenet-v3-large", "inception-v3", "gnmt-4"])
def test_laws_on_the_zoo(name: str) -> None:
    forward = forward_graph(load_model(name), batch=2, split="none")
    for recompute in ("none", "full"):
        graph = training_graph(forward, recompute=recompute)
        assert len(check_fusion(graph)) < 0.97 * len(graph)


def test_a_bert_layer() -> None:
    graph = fuse(
        training_graph(forward_graph(load_model("bert-base"), batch=1, sequence=64, split="none")), "elementwise"
    )
    layer = [o for o in graph.operators if o.layer == 4 and o.phase == "forward"]
    assert [(o.kind, *(v.kind for v in o.work.vector)) for o in layer if o.work.gemm is not None] == [
        *(("linear",), ("linear",), ("linear",)),
        ("matmul", "scale", "mask"),
        ("matmul",),
        ("linear", "dropout", "add"),
        ("linear", "gelu"),
        ("linear", "dropout", "add"),
    ]
    assert [o.kind for o in layer if o.work.gemm is None] == ["softmax", "dropout", "layer-norm", "layer-norm"]
