from collections import Counter
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.errors import InputError
from accmine.workload import DtypePolicy, OperatorGraph, forward_graph, fuse, load_model, training_graph
from accmine.workload.forward import layers
from accmine.workload.graph import GraphBuilder
from accmine.workload.training.training import parameter_gradients
from tests.samples.training_sample import batch_pairs, convnet, forward_graphs, is_ordered

ZOO = ("bert-base", "resnet-18", "mobilenet-v3-large", "inception-v3", "gnmt-4")


def two_layers() -> OperatorGraph:
    """x·W1 (gelu) ·W2 with a loss, in two layers."""
    b = GraphBuilder("two")
    b.layer("first")
    x = layers.input_tensor(b, "x", (6, 4), "bf16")
    w1, b1 = layers.parameter(b, "w1", (4, 8), "bf16"), layers.parameter(b, "b1", (8,), "bf16")
    y = layers.linear(b, "up", [x], w1, b1, [(6, 8)], m=6)[0]
    y = layers.elementwise(b, "gelu", "gelu", y)
    b.layer("last")
    y = layers.linear(b, "down", [y], layers.parameter(b, "w2", (8, 3), "bf16"), None, [(6, 3)], m=6)[0]
    layers.cross_entropy(b, "loss", y, layers.input_tensor(b, "labels", (6,), "int32"), 3)
    return b.build()


def by_name(graph: OperatorGraph) -> dict[str, tuple[list[str], list[str]]]:
    names = [t.name for t in graph.tensors]
    return {o.name: ([names[t] for t in o.inputs], [names[t] for t in o.outputs]) for o in graph.operators}


def test_two_layers_by_hand() -> None:
    graph = training_graph(two_layers(), accumulate=False)
    found = by_name(graph)
    assert list(found) == [
        *("up", "gelu", "down", "loss"),
        *("loss.bwd", "down.dx", "down.dw", "gelu.bwd", "up.dw", "up.db"),
        *("w1.update", "b1.update", "w2.update"),
    ]
    assert found["loss.bwd"][0] == ["loss.probabilities", "labels"]
    assert found["down.dx"][0] == ["down.y.grad@loss.bwd", "w2"]
    assert found["down.dw"][0] == ["down.y.grad@loss.bwd", "gelu.y"]
    assert found["gelu.bwd"][0] == ["gelu.y.grad@down.dx", "up.y"]
    assert found["up.dw"][0] == ["up.y.grad@gelu.bwd", "x"]  # and no up.dx: x is data
    assert found["up.db"][0] == ["up.y.grad@gelu.bwd"]
    assert found["w1.update"][0] == ["w1.grad@up.dw", "w1.master", "w1.state", "w1.state1"]
    assert graph.parameters == 4 * 8 + 8 + 8 * 3
    phases = [o.phase for o in graph.operators]
    assert phases == sorted(phases, key=("forward", "backward", "update").index)


def test_accumulation_reads_the_gradient_so_far() -> None:
    plain, adding = (training_graph(two_layers(), accumulate=flag) for flag in (False, True))
    for one, two in zip(plain.operators, adding.operators, strict=True):
        extra = sum(adding.tensors[old].nbytes for old, _ in parameter_gradients(two))
        assert two.work.bytes_in - one.work.bytes_in == extra
        assert (extra > 0) == two.name.endswith((".dw", ".db"))
    assert all(old == -1 for o in plain.operators for old, _ in parameter_gradients(o))


def test_update_traffic_of_both_optimisers() -> None:
    # per parameter: gradient 4, master 4 and moments 4 each are read; master, moments and bf16 weight written
    for optimizer, moments in (("adam", 2), ("sgd", 1)):
        update = training_graph(two_layers(), optimizer=optimizer).phase("update").operators[0]
        assert update.kind == f"{optimizer}-update"
        assert update.work.bytes_in == 32 * (4 + 4 + 4 * moments)
        assert update.work.bytes_out == 32 * (4 + 4 * moments + 2)


def test_no_master_copy_when_weights_are_trained_in_full_precision() -> None:
    forward = forward_graph(load_model("resnet-18"), batch=1, dtype="fp32")
    graph = training_graph(forward, optimizer="sgd", policy=DtypePolicy(compute="fp32"))
    update = graph.phase("update").operators[0]
    elements = update.work.vector[0].elements
    assert update.work.bytes_in == elements * (4 + 4 + 4)
    assert update.work.bytes_out == elements * (4 + 4)


@settings(deadline=None, max_examples=60)
@given(forward_graphs(), st.sampled_from(("none", "full")), st.booleans())
def test_laws_on_random_graphs(forward: OperatorGraph, recompute: str, accumulate: bool) -> None:
    graph = training_graph(forward, recompute=recompute, accumulate=accumulate)
    assert is_ordered(graph)
    check_gradients(forward, graph)
    assert graph.operators[: len(forward)] == forward.operators


@pytest.mark.parametrize("name", ZOO)
def test_laws_on_the_zoo(name: str) -> None:
    forward = forward_graph(load_model(name), batch=2, split="none")
    for recompute in ("none", "full"):
        graph = training_graph(forward, recompute=recompute)
        assert is_ordered(graph)
        check_gradients(forward, graph)


def check_gradients(forward: OperatorGraph, graph: OperatorGraph) -> None:
    """Every parameter updated once from its gradient; gradient shapes; twice the products' work."""
    updates = graph.phase("update")
    parameters = [t for t in forward.tensors if t.role == "parameter"]
    assert [o.name for o in updates.operators] == [f"{t.name}.update" for t in parameters]
    producer = graph.producer
    for operator, parameter in zip(updates.operators, parameters, strict=True):
        assert updates.tensors[operator.inputs[0]].shape == parameter.shape
        assert updates.tensors[operator.inputs[0]].dtype == "fp32"
    for operator in graph.operators:
        if operator.phase == "update":
            assert producer[operator.inputs[0]] >= 0
    shape_of = {t.name: t.shape for t in forward.tensors}
    for tensor in graph.tensors:
        if tensor.role == "gradient":
            assert tensor.shape == shape_of[tensor.name.rpartition(".grad")[0]]
    needed = {t for o in graph.operators for t in o.inputs if graph.tensors[t].role == "activation"}
    macs: Counter[str] = Counter()
    for operator in graph.operators:
        if operator.phase == "backward" and not operator.name.endswith(".re"):
            macs[str(operator.attribute("forward"))] += operator.work.macs
    for operator in forward.operators:
        if operator.work.gemm is not None:
            data = all(forward.tensors[t].role == "input" for t in operator.inputs[:1])
            assert macs[operator.name] == (1 if data else 2) * operator.work.macs
    assert needed


@settings(deadline=None, max_examples=60)
@given(batch_pairs())
def test_cost_is_linear_in_the_batch(pair: tuple[OperatorGraph, OperatorGraph]) -> None:
    one, three = (training_graph(forward) for forward in pair)
    assert [o.name for o in one.operators] == [o.name for o in three.operators]
    for a, b in zip(one.operators, three.operators, strict=True):
        assert b.work.macs == 3 * a.work.macs
        factor = 1 if a.phase == "update" else 3
        assert [v.elements for v in b.work.vector] == [factor * v.elements for v in a.work.vector]
        assert b.work.bytes_in >= a.work.bytes_in
        assert b.work.bytes_out >= a.work.bytes_out


def test_tied_weights_have_one_chain_and_one_update() -> None:
    graph = training_graph(forward_graph(load_model("bert-base"), batch=1, sequence=64))
    word = next(i for i, t in enumerate(graph.tensors) if t.name == "embeddings.word.weight")
    chain = [(o, p) for o in graph.operators for p in parameter_gradients(o) if graph.tensors[p[1]].shape[0] == 30522]
    chain = [(o, p) for o, p in chain if graph.tensors[word].shape == graph.tensors[p[1]].shape]
    assert [o.kind for o, _ in chain] == ["linear-weight-gradient", "embedding-backward"]
    (_, (running, first)), (scatter, (second, last)) = chain
    assert second == first
    assert graph.producer[running] == -1
    updates = [o for o in graph.operators if o.phase == "update" and last in o.inputs]
    assert [o.name for o in updates] == ["embeddings.word.weight.update"]
    rows = 64 * 768 * 4  # only the rows of the 64 tokens are read and written
    assert scatter.work.bytes_in == 64 * 768 * 2 + 64 * 4 + rows
    assert scatter.work.bytes_out == rows


def test_contributions_are_summed_once_per_layer() -> None:
    graph = training_graph(forward_graph(load_model("bert-base"), batch=1, sequence=64))
    sums = Counter(o.layer for o in graph.operators if o.kind == "accumulate")
    assert all(sums[layer] == 2 for layer in range(1, 13))  # q, k, v and residual; MLP and residual
    four = next(o for o in graph.operators if o.kind == "accumulate" and len(o.inputs) == 4)
    assert [v.elements for v in four.work.vector] == [64 * 768] * 3


@settings(deadline=None, max_examples=60)
@given(forward_graphs())
def test_recompute_changes_nothing_but_what_is_read(forward: OperatorGraph) -> None:
    plain, full = (training_graph(forward, recompute=mode) for mode in ("none", "full"))
    again = [o for o in full.operators if o.name.endswith(".re")]
    rest = [o for o in full.operators if not o.name.endswith(".re")]
    assert Counter(o.name for o in rest) == Counter(o.name for o in plain.operators)
    assert {o.name: o.work for o in rest} == {o.name: o.work for o in plain.operators}
    names = {o.name: o for o in forward.operators}
    last = len(forward.layers) - 1
    layers_again = {o.layer for o in again}
    assert last not in layers_again
    for operator in again:
        assert operator.phase == "backward"
        assert operator.work == names[str(operator.attribute("forward"))].work
    for layer in layers_again:  # whole layers
        assert sum(o.layer == layer for o in again) == sum(o.layer == layer for o in forward.operators)
    producer = full.producer.tolist()
    crossing = {t for o in forward.operators for t in o.inputs if layer_before(forward, t) != o.layer}
    for operator in full.operators:
        if operator.phase == "backward":
            for t in operator.inputs:
                kept = producer[t] >= 0 and full.operators[producer[t]].phase == "forward"
                assert not kept or t in crossing or operator.layer not in layers_again


def layer_before(graph: OperatorGraph, tensor: int) -> int:
    producer = int(graph.producer[tensor])
    return -1 if producer < 0 else graph.operators[producer].layer


def test_recomputation_waits_for_the_gradient() -> None:
    graph = training_graph(forward_graph(load_model("bert-base"), batch=1, sequence=64), recompute="full")
    reach = {index: set[int]() for index in range(len(graph))}
    for before, after in graph.edges.tolist():
        reach[after].add(before)
    roots = [i for i, o in enumerate(graph.operators) if o.name.endswith("attention.q.re")]
    for index in roots:
        makers = [graph.operators[b] for b in reach[index] if graph.operators[b].phase == "backward"]
        assert [m.layer for m in makers] == [graph.operators[index].layer + 1]


def test_three_forwards_of_work_with_full_recompute() -> None:
    forward = forward_graph(load_model("bert-base"), batch=1, sequence=64, split="none")
    graph = training_graph(forward, recompute="full")
    inner = sum(o.work.macs for o in forward.operators if 1 <= o.layer <= 12)
    assert graph.phase("backward").macs == 2 * forward.macs + inner


def test_complaints_come_together() -> None:
    with pytest.raises(InputError) as caught:
        training_graph(two_layers(), optimizer="lion", recompute="some", policy=DtypePolicy(compute="fp64"))
    text = str(caught.value)
    for part in ("lion", "allowed: sgd, adam", "some", "allowed: none, selective, full", "fp64", "parameters are bf16"):
        assert part in text


def test_a_graph_that_cannot_be_trained() -> None:
    b = GraphBuilder("no-loss")
    b.layer("only")
    x = layers.input_tensor(b, "x", (2, 4), "bf16")
    weight = layers.parameter(b, "w", (4, 4), "bf16")
    logits = layers.linear(b, "linear", [x], weight, None, [(2, 4)], m=2)[0]
    with pytest.raises(InputError, match="no loss"):
        training_graph(b.build())
    layers.cross_entropy(b, "loss", logits, layers.input_tensor(b, "labels", (2,), "int32"), 4)
    training_graph(b.build())
    layers.linear(b, "dead-end", [x], layers.parameter(b, "lost", (4, 4), "bf16"), None, [(2, 4)], m=2)
    with pytest.raises(InputError, match=r"no loss depends on 1 parameter\(s\): lost"):
        training_graph(b.build())
    with pytest.raises(InputError, match="already a training graph"):
        training_graph(training_graph(two_layers()))
    with pytest.raises(InputError, match="fused already"):
        training_graph(fuse(two_layers()))
    b.operator("odd", "reduce", (logits,), (b.tensor("odd.y", (2, 4)),))
    with pytest.raises(InputError, match="'reduce' has no gradient"):
        training_graph(b.build())


def test_convnet_has_no_gradient_of_the_image() -> None:
    graph = training_graph(convnet())
    names = {o.name for o in graph.operators}
    assert "stem.dw" in names
    assert "stem.dx" not in names
    assert is_ordered(graph)


def test_time_of_seven_thousand_operators_is_not_quadratic() -> None:
    forward = forward_graph(load_model("gpt2-xl"), batch=1)
    start = process_time()
    graph = fuse(training_graph(forward))
    assert process_time() - start < 30  # some 1.5 s; pairs of operators would take minutes
    assert len(forward) > 7000
    assert len(graph) > 10000


@pytest.mark.parametrize("model", ["bert-base", "resnet-18"])
def test_tf32_is_the_type_of_all_products_and_of_nothing_that_is_stored(model: str) -> None:
    forward = forward_graph(load_model(model), batch=1, dtype="fp32")
    plain = training_graph(forward, policy=DtypePolicy(compute="fp32"))
    tf32 = training_graph(forward, policy=DtypePolicy(compute="fp32", operands="tf32"))
    assert tf32.tensors == plain.tensors
    assert tf32.macs == plain.macs > 0
    for own, other in zip(tf32.operators, plain.operators, strict=True):
        assert (own.name, own.inputs, own.outputs) == (other.name, other.inputs, other.outputs)
        assert own.work.dtype == ("tf32" if other.work.uses_tensor else other.work.dtype)
        assert (own.work.bytes_in, own.work.bytes_out) == (other.work.bytes_in, other.work.bytes_out)
