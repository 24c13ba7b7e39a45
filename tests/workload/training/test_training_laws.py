"""Totals of training graphs: how they scale, and what each kind costs by a written list of primitives.

The regressions are of defects found in published estimators: products that lose the batch, a wrong contraction,
backward passes without weight gradients, fused vector work for nothing, one cost for forward and backward, and
vector operators without traffic.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise

import pytest
from hypothesis import given, settings

from accmine.cost import VECTOR_TABLE
from accmine.workload import (
    OperatorGraph,
    TransformerConfig,
    forward_graph,
    fuse,
    list_models,
    load_model,
    training_graph,
)
from accmine.workload.forward import layers
from accmine.workload.forward.transformer import transformer_graph
from accmine.workload.graph import GraphBuilder, Operator
from accmine.workload.kinds import TENSOR_KINDS
from accmine.workload.training.gradients import RULES
from tests.samples.training_sample import forward_graphs

ZOO = [name for name in list_models() if name != "gpt-3-175b"]  # which is gpt2-xl, but too large for a fast test


def transformer(
    width: int = 16, sequence: int = 8, batch: int = 2, depth: int = 1, family: str = "gpt2-xl", heads: int = 4
) -> OperatorGraph:
    config = load_model(family).config
    assert isinstance(config, TransformerConfig)
    numbers = {"layers": depth, "width": width, "heads": heads, "kv_heads": heads, "head_width": width // heads}
    numbers |= {"mlp_width": 4 * width, "vocabulary": 50, "embedding_width": width, "positions": 64}
    small = config.model_copy(update=numbers)
    sizes = {"batch": batch, "sequence": sequence, "split": "none", "dropout": True, "loss": True, "dtype": "bf16"}
    return training_graph(transformer_graph(small, family, **sizes))  # type: ignore[arg-type]


@lru_cache
def zoo(name: str) -> OperatorGraph:
    model = load_model(name)
    if model.kind == "image":
        return training_graph(forward_graph(model, batch=2))
    return training_graph(forward_graph(model, batch=2, sequence=16, split="none"))


def by_name(graph: OperatorGraph) -> dict[str, Operator]:
    return {o.name: o for o in graph.operators}


def macs(graph: OperatorGraph, phase: str) -> int:
    return sum(o.work.macs for o in graph.operators if o.phase == phase)


def moved(graph: OperatorGraph, *phases: str) -> int:
    return sum(o.work.bytes_in + o.work.bytes_out for o in graph.operators if o.phase in phases)


def operations(graph: OperatorGraph, *phases: str) -> int:
    parts = (v for o in graph.operators if o.phase in phases for v in o.work.vector)
    return sum(VECTOR_TABLE[v.kind].operations * v.elements for v in parts)


TOTALS: dict[str, Callable[[OperatorGraph], int]] = {
    "forward multiply-accumulates": lambda g: macs(g, "forward"),
    "backward multiply-accumulates": lambda g: macs(g, "backward"),
    "forward bytes": lambda g: moved(g, "forward"),
    "backward bytes": lambda g: moved(g, "backward"),
    "forward vector operations": lambda g: operations(g, "forward"),
    "backward vector operations": lambda g: operations(g, "backward"),
}


def differences(values: list[int], times: int) -> list[int]:
    for _ in range(times):
        values = [b - a for a, b in pairwise(values)]
    return values


@pytest.mark.parametrize("name", TOTALS)
@pytest.mark.parametrize("family", ["gpt2-xl", "bert-large", "llama-2-7b"])
def test_totals_scale_as_they_must(name: str, family: str) -> None:
    """Affine in the batch (weights are moved once), quadratic in the sequence (scores) and in the width (weights)."""
    total = TOTALS[name]
    by_batch = [total(transformer(batch=b, family=family)) for b in (1, 2, 3, 4)]
    by_sequence = [total(transformer(sequence=s, family=family)) for s in (4, 8, 12, 16, 20)]
    by_width = [total(transformer(width=w, family=family)) for w in (16, 32, 48, 64, 80)]
    by_depth = [total(transformer(depth=d, family=family)) for d in (1, 2, 3, 4)]
    assert set(differences(by_batch, 2)) == set(differences(by_depth, 2)) == {0}
    assert set(differences(by_sequence, 3)) == set(differences(by_width, 3)) == {0}
    for values in (by_batch, by_sequence, by_width, by_depth):
        assert min(differences(values, 1)) > 0
    assert min(differences(by_sequence, 2)) > 0
    if "vector" in name:
        assert set(differences(by_width, 2)) == {0}  # lanes work on activations only
    else:
        assert min(differences(by_width, 2)) > 0
    assert (by_batch[3] == 4 * by_batch[0]) == ("bytes" not in name)


@pytest.mark.parametrize("name", ["gpt2-xl", "bert-base", "llama-2-7b", "opt-1.3b"])
def test_backward_is_twice_forward(name: str) -> None:
    """Every product of a transformer has a gradient for both its operands."""
    graph = zoo(name)
    assert macs(graph, "backward") == 2 * macs(graph, "forward")


@pytest.mark.parametrize("name", ["resnet-18", "vgg-16", "mobilenet-v3-large"])
def test_only_the_first_convolution_has_no_input_gradient(name: str) -> None:
    graph = zoo(name)
    first = next(o for o in graph.operators if o.kind == "conv2d")
    assert macs(graph, "backward") == 2 * macs(graph, "forward") - first.work.macs


@pytest.mark.parametrize("name", ZOO)
def test_every_product_with_a_weight_has_a_weight_gradient(name: str) -> None:
    """Regression: a backward pass of input gradients alone is as long as the forward pass."""
    graph = zoo(name)
    found = Counter(str(o.attribute("forward")) for o in graph.operators if o.kind.endswith("-weight-gradient"))
    products = [o for o in graph.operators if o.phase == "forward" and o.kind in ("linear", "conv2d")]
    assert found == Counter(o.name for o in products)
    gradients = by_name(graph)
    for operator in products:
        assert gradients[f"{operator.name}.dw"].work.macs == operator.work.macs
    updated = {str(o.attribute("parameter")) for o in graph.operators if o.phase == "update"}
    assert updated == {t.name for t in graph.tensors if t.role == "parameter"}
    updates = [v for o in graph.operators if o.phase == "update" for v in o.work.vector]
    assert sum(v.elements for v in updates) == graph.parameters


@pytest.mark.parametrize("batch", [1, 4, 16])
def test_linear_layers_keep_the_batch(batch: int) -> None:
    """Regression: [batch, sequence, width] taken as [sequence, width]."""
    graph = by_name(transformer(batch=batch))
    linear = graph["layer0.attention.qkv"].work.gemm
    assert linear is not None
    assert (linear.m, linear.k, linear.n) == (batch * 8, 16, 48)
    for part in ("dx", "dw"):
        assert graph[f"layer0.attention.qkv.{part}"].work.macs == batch * 8 * 16 * 48


def test_batched_products_contract_over_the_shared_axis() -> None:
    """Regression: scores contract over the head width, values over the keys, and not the other way round."""
    graph = by_name(transformer(width=64, sequence=8, batch=2))
    scores, values = graph["layer0.attention.scores"].work.gemm, graph["layer0.attention.values"].work.gemm
    assert scores is not None
    assert values is not None
    assert (scores.batch, scores.m, scores.k, scores.n) == (2 * 4, 8, 16, 8)
    assert (values.batch, values.m, values.k, values.n) == (2 * 4, 8, 8, 16)
    # Query gradient: scores' · keys, contracted over the keys; weights' gradient: values over the head width.
    da = graph["layer0.attention.scores.da"].work.gemm
    assert da is not None
    assert (da.m, da.k, da.n) == (8, 8, 16)
    da = graph["layer0.attention.values.da"].work.gemm
    assert da is not None
    assert (da.m, da.k, da.n) == (8, 16, 8)


@settings(deadline=None, max_examples=40)
@given(forward_graphs())
def test_fusion_keeps_all_vector_work(forward: OperatorGraph) -> None:
    """Regression: a fused activation costs one pass over its tensor, not a constant."""
    graph = training_graph(forward)
    fused = fuse(graph)
    for phase in ("forward", "backward", "update"):
        before, after = (Counter[str](), Counter[str]())
        for counter, one in ((before, graph), (after, fused)):
            for part in (v for o in one.operators if o.phase == phase for v in o.work.vector):
                counter[part.kind] += part.elements
        assert before == after
        assert macs(graph, phase) == macs(fused, phase)
        assert moved(fused, phase) <= moved(graph, phase)


def test_vector_work_behind_a_product_grows_with_the_tensor() -> None:
    def tanh_elements(tokens: int) -> int:
        b = GraphBuilder("fused")
        b.layer("only")
        x = layers.input_tensor(b, "x", (tokens, 8), "bf16")
        y = layers.linear(b, "up", [x], layers.parameter(b, "w", (8, 32), "bf16"), None, [(tokens, 32)], m=tokens)[0]
        layers.elementwise(b, "tanh", "tanh", y)
        graph = fuse(b.build())
        assert len(graph) == 1
        return graph.operators[0].work.vector[0].elements

    assert [tanh_elements(tokens) for tokens in (1, 10, 100)] == [32, 320, 3200]


def test_backward_vector_work_has_its_own_kinds_and_operands() -> None:
    """Regression: the backward cost of a kind is not its forward cost, and a broadcast works on the large operand."""
    forward = [v.kind for v in (v for o in zoo("mobilenet-v3-large").phase("forward").operators for v in o.work.vector)]
    backward = {v.kind for o in zoo("mobilenet-v3-large").phase("backward").operators for v in o.work.vector}
    assert backward <= {*(f"{kind}-backward" for kind in {*forward, "bias"}), "accumulate"}
    graph = zoo("mobilenet-v3-large")
    names = by_name(graph)
    gated = [o for o in graph.operators if o.kind == "multiply" and o.phase == "forward"]
    assert gated
    for operator in gated:
        image, gate = (graph.tensors[t].elements for t in operator.inputs)
        assert image > gate
        assert operator.work.vector[0].elements == image
        assert names[f"{operator.name}.bwd"].work.vector[0].elements == image


@pytest.mark.parametrize("name", ZOO)
def test_every_operator_moves_bytes_and_every_kind_has_one_cost(name: str) -> None:
    """Regression: vector operators without traffic; kinds without a cost."""
    graph = zoo(name)
    for operator in graph.operators:
        work = operator.work
        assert work.bytes_in > 0
        assert work.bytes_out > 0
        assert (work.gemm is None) == bool(work.vector)
        kind = operator.kind.removesuffix("-input-gradient").removesuffix("-weight-gradient")
        assert (work.gemm is not None) == (kind in TENSOR_KINDS)
        assert {v.kind for v in work.vector} <= set(VECTOR_TABLE)
        if operator.phase == "forward":
            assert operator.kind in RULES
            assert operator.kind in TENSOR_KINDS or f"{operator.kind}-backward" in VECTOR_TABLE


# Operations of a unit per element, from the definition of each function. A multiply-add is two.
ADD = SUB = MUL = MAX = COMPARE = SELECT = CONVERT = 1
EXP, RECIPROCAL, RSQRT = 4, 4, 6
SIGMOID = MUL + EXP + ADD + RECIPROCAL  # 1 / (1 + exp(-x))
TANH = SIGMOID + MUL + SUB  # 2·sigmoid(2x) - 1
CUBIC = MUL + (MUL + ADD) + MUL  # u = x·(k·c·x² + k)
RANDOM = 3  # a hardware generator: read, shift, xor

PRIMITIVES = {
    "softmax": MAX + SUB + EXP + ADD + MUL,
    "softmax-backward": MUL + ADD + SUB + MUL,  # y·(dy - sum(y·dy))
    "gelu": CUBIC + TANH + ADD + MUL + MUL,  # ½·x·(1 + tanh u)
    # t = tanh u; du = 3kc·x² + k; dy·½·(1 + t + x·(1 - t²)·du)
    "gelu-backward": CUBIC + TANH + (MUL + ADD) + (MUL + SUB) + MUL + MUL + (ADD + ADD) + MUL + MUL,
    "layer-norm": ADD + (MUL + ADD) + (SUB + MUL) + (MUL + ADD),
    "dropout": RANDOM + COMPARE + SELECT + MUL,
    "dropout-backward": SELECT + MUL,
    # m = b1·m + (1-b1)·g; v = b2·v + (1-b2)·g²; w -= a·m / (√v + e), √v = v·rsqrt(v); bias correction is in a
    "adam-update": (MUL + MUL + ADD)
    + (MUL + MUL + MUL + ADD)
    + (RSQRT + MUL + ADD)
    + (RECIPROCAL + MUL)
    + (MUL + SUB)
    + CONVERT,
    "silu-backward": SIGMOID + SUB + MUL + ADD + MUL + MUL,
    "sigmoid-backward": SUB + MUL + MUL,
    "tanh-backward": MUL + SUB + MUL,
}


@pytest.mark.parametrize("kind", PRIMITIVES)
def test_operations_by_primitives(kind: str) -> None:
    assert VECTOR_TABLE[kind].operations == PRIMITIVES[kind]


def test_layer_norm_backward_lies_between_its_two_forms() -> None:
    normalised, scaled = SUB + MUL, MUL
    two_sums = ADD + (MUL + ADD)
    dx = SUB + MUL + SUB + MUL  # rstd·(dy·gamma - mean - x̂·mean')
    parameters = (MUL + ADD) + ADD
    kept = normalised + scaled + two_sums + dx + parameters
    again = ADD + (MUL + ADD)  # sum and sum of squares, where the statistics are not kept
    assert kept <= VECTOR_TABLE["layer-norm-backward"].operations <= kept + again


def test_bytes_by_hand() -> None:
    """Softmax, layer norm, GELU, dropout and Adam on 6 x 8 bf16 elements."""
    b = GraphBuilder("bytes")
    b.layer("only")
    x = layers.input_tensor(b, "x", (6, 8), "bf16")
    x = layers.linear(b, "up", [x], layers.parameter(b, "w", (8, 8), "bf16"), None, [(6, 8)], m=6)[0]
    x = layers.norm(b, "norm", "layer-norm", x)
    x = layers.elementwise(b, "gelu", "gelu", x)
    x = layers.softmax(b, "softmax", x)
    x = layers.dropout(b, "dropout", x, 0.1)
    layers.cross_entropy(b, "loss", x, layers.input_tensor(b, "labels", (6,), "int32"), 8)
    graph = by_name(training_graph(b.build(), accumulate=False))
    tensor, mask, affine = 6 * 8 * 2, 6 * 8, 2 * 8
    expected = {
        "norm": (tensor + 2 * affine * 1, tensor),
        "norm.bwd": (2 * tensor + affine, tensor + 2 * 8 * 4),  # dy, x, gamma; dx and two fp32 gradients
        "gelu": (tensor, tensor),
        "gelu.bwd": (2 * tensor, tensor),  # dy, x
        "softmax": (tensor, tensor),
        "softmax.bwd": (2 * tensor, tensor),  # dy, y
        "dropout": (tensor, tensor + mask),
        "dropout.bwd": (tensor + mask, tensor),
        "w.update": (64 * 16, 64 * 14),  # gradient, master, two moments; master, moments and bf16 weight
    }
    assert {name: (graph[name].work.bytes_in, graph[name].work.bytes_out) for name in expected} == expected
