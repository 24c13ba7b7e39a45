from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.workload import OperatorGraph, TransformerConfig
from accmine.workload.forward.transformer import transformer_graph


def build(family: str, split: str = "none", sequence: int = 6, **more: Any) -> OperatorGraph:
    sizes: dict[str, Any] = {"layers": 2, "width": 16, "heads": 4, "vocabulary": 50, "positions": 12}
    config = TransformerConfig.model_validate(sizes | more | {"family": family})
    return transformer_graph(
        config, family, batch=2, sequence=sequence, split=split, dropout=True, loss=True, dtype="bf16"
    )


def kinds(graph: OperatorGraph, layer: str) -> list[str]:
    return [o.kind for o in graph.operators if graph.layers[o.layer] == layer]


def test_layer_of_gpt2() -> None:
    graph = build("gpt2")
    assert graph.layers == ("embeddings", "layer0", "layer1", "head")
    assert kinds(graph, "embeddings") == ["embedding", "embedding", "add", "dropout"]
    attention = ["layer-norm", "linear", "matmul", "scale", "mask", "softmax", "dropout", "matmul", "linear"]
    mlp = ["layer-norm", "linear", "gelu", "linear", "dropout", "add"]
    assert kinds(graph, "layer1") == [*attention, "dropout", "add", *mlp]
    assert kinds(graph, "head") == ["layer-norm", "linear", "cross-entropy"]


def test_layer_of_bert() -> None:
    graph = build("bert")
    assert kinds(graph, "embeddings") == ["embedding"] * 3 + ["add", "layer-norm", "dropout"]
    attention = ["linear"] * 3 + ["matmul", "scale", "mask", "softmax", "dropout", "matmul", "linear"]
    tail = ["dropout", "add", "layer-norm"]
    assert kinds(graph, "layer0") == [*attention, *tail, "linear", "gelu", "linear", *tail]
    assert kinds(graph, "head") == (
        ["linear", "gelu", "layer-norm", "linear", "linear", "tanh", "linear", "cross-entropy", "cross-entropy"]
    )


def test_layer_of_llama() -> None:
    graph = build("llama")
    assert kinds(graph, "embeddings") == ["embedding"]
    attention = ["linear"] * 3 + ["rotary", "rotary", "matmul", "scale", "mask", "softmax", "matmul", "linear", "add"]
    mlp = ["rms-norm", "linear", "silu", "linear", "multiply", "linear", "add"]
    assert kinds(graph, "layer0") == ["rms-norm", *attention, *mlp]
    assert kinds(graph, "head") == ["rms-norm", "linear", "cross-entropy"]


def test_layer_of_opt() -> None:
    graph = build("opt")
    assert kinds(graph, "embeddings") == ["embedding", "embedding", "add"]
    assert "relu" in kinds(graph, "layer0")
    table = next(t for t in graph.tensors if t.name == "embeddings.position.weight")
    assert table.shape == (12 + 2, 16)


def test_tied_embedding_is_one_tensor() -> None:
    graph = build("gpt2")
    head = next(o for o in graph.operators if o.name == "lm-head")
    embedding = graph.operators[0]
    assert head.inputs[1] == embedding.inputs[1]
    assert head.attribute("transpose_b") == 1
    untied = build("gpt2", tied=False)
    assert untied.parameters == graph.parameters + 50 * 16


@pytest.mark.parametrize("family", ["bert", "gpt2", "opt", "llama"])
def test_heads_have_their_own_tensors(family: str) -> None:
    graph = build(family, "heads")
    output = next(o for o in graph.operators if o.name == "layer0.attention.output")
    assert output.attribute("inputs_x") == 4
    assert [graph.tensors[t].shape for t in output.inputs[:4]] == [(2, 6, 4)] * 4
    softmax = [o for o in graph.operators if o.kind == "softmax" and o.layer == 1]
    assert [graph.tensors[o.outputs[0]].shape for o in softmax] == [(2, 6, 6)] * 4


def test_samples_lie_side_by_side_in_rows() -> None:
    graph = build("gpt2", "samples")
    qkv = next(o for o in graph.operators if o.name == "layer0.attention.qkv")
    output = next(o for o in graph.operators if o.name == "layer0.attention.output")
    assert len(qkv.outputs) == 3 * 2
    assert qkv.attribute("y_split") == output.attribute("x_split") == "m"


def test_embedding_of_another_width_is_projected() -> None:
    graph = build("opt", embedding_width=8)
    names = [o.name for o in graph.operators]
    assert "embeddings.project" in names
    assert "project-out" in names
    assert graph.tensors[graph.operators[-1].inputs[0]].shape == (2, 6, 50)


def test_pooler_reads_the_first_token_only() -> None:
    graph = build("bert")
    pooler = next(o for o in graph.operators if o.name == "pooler")
    assert pooler.work.macs == 2 * 16 * 16
    assert pooler.work.bytes_in == 2 * (2 * 16 + 16 * 16 + 16)


@settings(max_examples=40, deadline=None)
@given(
    width=st.sampled_from([8, 16, 32]),
    heads=st.sampled_from([2, 4]),
    group=st.sampled_from([1, 2]),
    sequence=st.integers(1, 12),
    split=st.sampled_from(["none", "heads", "samples"]),
)
def test_closed_formula(width: int, heads: int, group: int, sequence: int, split: str) -> None:
    more = {"width": width, "heads": heads, "kv_heads": heads // group, "mlp_width": 24}
    graph = build("llama", split, sequence, **more)
    projections = 2 * width * width + 2 * width * width // group
    layer = sequence * (projections + 3 * width * 24) + 2 * sequence * sequence * width
    assert graph.macs == 2 * (2 * layer + sequence * width * 50)
    assert graph.parameters == 2 * 50 * width + 2 * (projections + 3 * width * 24 + 2 * width) + width
