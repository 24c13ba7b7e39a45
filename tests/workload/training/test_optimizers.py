"""States, traffic and dtype policies of optimisers."""

import pytest

from accmine.cost import VECTOR_TABLE
from accmine.errors import InputError
from accmine.workload import DtypePolicy, OperatorGraph, forward_graph, fuse, load_model, memory, training_graph
from accmine.workload.forward import layers
from accmine.workload.graph import GraphBuilder, Operator
from accmine.workload.training.training import OPTIMIZERS

N = 64 * 4096  # elements of the weight


def one_layer() -> OperatorGraph:
    """A linear layer with a weight of N elements."""
    b = GraphBuilder("one")
    b.layer("only")
    x = layers.input_tensor(b, "x", (8, 64), "bf16")
    y = layers.linear(b, "up", [x], layers.parameter(b, "weight", (64, 4096), "bf16"), None, [(8, 4096)], m=8)[0]
    layers.cross_entropy(b, "loss", y, layers.input_tensor(b, "labels", (8,), "int32"), 4096)
    return b.build()


def update(optimizer: str, policy: DtypePolicy = DtypePolicy()) -> Operator:  # noqa: B008  (frozen)
    graph = training_graph(one_layer(), optimizer=optimizer, policy=policy)
    (operator,) = graph.phase("update").operators
    return operator


SCALES = 2 * 4 * N // 2048


@pytest.mark.parametrize(
    ("optimizer", "read", "written", "states"),
    [
        ("sgd", 4 + 4 + 4, 4 + 4 + 2, 4 + 4),
        ("adam", 4 + 4 + 8, 4 + 8 + 2, 4 + 8),
        ("adamw", 4 + 4 + 8, 4 + 8 + 2, 4 + 8),
        # the step in the place of the gradient: written, and read again with the weight
        ("lamb", 4 + 4 + 8 + 4 + 4, 4 + 8 + 2 + 4, 4 + 8),
    ],
)
def test_bytes_of_an_update(optimizer: str, read: int, written: int, states: int) -> None:
    operator = update(optimizer)
    assert (operator.work.bytes_in, operator.work.bytes_out) == (read * N, written * N)
    assert operator.work.vector[0].kind == f"{optimizer}-update"
    assert operator.work.vector[0].elements == N
    assert memory(training_graph(one_layer(), optimizer=optimizer)).optimizer_bytes == states * N


@pytest.mark.parametrize("optimizer", ["adam-8bit", "adamw-8bit"])
def test_moments_of_eight_bits(optimizer: str) -> None:
    operator = update(optimizer)
    assert operator.work.bytes_in == (4 + 4 + 2) * N + SCALES
    assert operator.work.bytes_out == (4 + 2 + 2) * N + SCALES
    assert memory(training_graph(one_layer(), optimizer=optimizer)).optimizer_bytes == (4 + 2) * N + SCALES


def test_pure_bf16_has_no_master_weights() -> None:
    policy = DtypePolicy(gradient="bf16", master="bf16", state="bf16")
    operator = update("adamw", policy)
    assert (operator.work.bytes_in, operator.work.bytes_out) == ((2 + 4 + 2) * N, (4 + 2) * N)
    need = memory(training_graph(one_layer(), optimizer="adamw", policy=policy))
    assert (need.weights_bytes, need.gradients_bytes, need.optimizer_bytes) == (2 * N, 2 * N, 4 * N)


def test_operations_grow_with_what_an_optimiser_does() -> None:
    operations = [VECTOR_TABLE[f"{name}-update"].operations for name in ("sgd", "adam", "adamw", "lamb")]
    assert operations == sorted(set(operations))
    for name in ("adam", "adamw"):
        assert VECTOR_TABLE[f"{name}-8bit-update"].operations > VECTOR_TABLE[f"{name}-update"].operations
    with pytest.raises(InputError, match="allowed: sgd, adam, adamw, lamb, adam-8bit, adamw-8bit"):
        training_graph(one_layer(), optimizer="lion")


@pytest.mark.parametrize("optimizer", list(OPTIMIZERS))
def test_updates_of_a_layer_are_one_operator(optimizer: str) -> None:
    plain = training_graph(forward_graph(load_model("bert-base"), batch=1, sequence=32), optimizer=optimizer)
    fused = fuse(plain)
    one, many = fused.phase("update"), plain.phase("update")
    # a layer each, and the embedding that the head uses as well
    assert len(one) == len(plain.layers) + 1
    assert sum(v.elements for o in one.operators for v in o.work.vector) == plain.parameters
    for side in ("bytes_in", "bytes_out"):
        assert sum(getattr(o.work, side) for o in one.operators) == sum(getattr(o.work, side) for o in many.operators)
    assert "embeddings.word.weight.update" in {o.name for o in one.operators}
    assert memory(fused).optimizer_bytes == memory(plain).optimizer_bytes
    assert memory(fused).gradients_bytes == memory(plain).gradients_bytes


def test_products_of_linear_layers_in_eight_bits() -> None:
    forward = forward_graph(load_model("bert-base"), batch=1, sequence=32, split="none")
    graph = training_graph(forward, policy=DtypePolicy(operands="fp8"))
    dtypes = {o.name: o.work.dtype for o in graph.operators if o.work.gemm is not None}
    for part in ("", ".dx", ".dw"):
        assert dtypes[f"layer3.mlp.up{part}"] == "fp8"
        assert dtypes[f"head.decoder{part}"] == "bf16"
    assert dtypes["layer3.attention.scores"] == dtypes["layer3.attention.values.da"] == "bf16"
    assert {t.dtype for t in graph.tensors} == {t.dtype for t in training_graph(forward).tensors}
    with pytest.raises(InputError, match="operands"):
        training_graph(forward, policy=DtypePolicy(operands="fp4"))
