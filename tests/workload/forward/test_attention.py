from __future__ import annotations

from dataclasses import replace

import pytest

from accmine.errors import InputError
from accmine.workload import (
    ModelDescription,
    OperatorGraph,
    TransformerConfig,
    forward_graph,
    fuse,
    load_model,
    training_graph,
)
from accmine.workload.forward import layers
from accmine.workload.forward.attention import SPLITS, AttentionShape, attention, padding_masks
from accmine.workload.forward.transformer import transformer_graph
from accmine.workload.graph import Attention, GraphBuilder


def chains(split: str, kv_heads: int = 4, causal: bool = False) -> tuple[OperatorGraph, list[int]]:
    """Attention of 3 samples, 4 heads of width 8, 6 queries on 5 keys."""
    shape = AttentionShape(3, 6, 5, 4, kv_heads, 8, split)
    builder = GraphBuilder("attention")
    builder.layer("only")
    q = [layers.input_tensor(builder, f"q{i}", s, "bf16") for i, s in enumerate(shape.query_shapes)]
    k = [layers.input_tensor(builder, f"k{i}", s, "bf16") for i, s in enumerate(shape.key_shapes)]
    v = [layers.input_tensor(builder, f"v{i}", s, "bf16") for i, s in enumerate(shape.key_shapes)]
    masks = padding_masks(builder, shape)
    read = attention(builder, "a", q, k, v, masks, shape=shape, factor=0.25, causal=causal, dropout=0.1)
    assert [builder.tensors[t].shape for t in read] == shape.query_shapes
    return builder.build(), read


@pytest.mark.parametrize(("split", "count"), [("none", 1), ("heads", 4), ("samples", 3)])
@pytest.mark.parametrize("kv_heads", [1, 2, 4])
def test_chains(split: str, count: int, kv_heads: int) -> None:
    graph, read = chains(split, kv_heads)
    assert len(read) == count
    kinds = ["matmul", "scale", "mask", "softmax", "dropout", "matmul"]
    assert [o.kind for o in graph.operators] == kinds * count
    assert graph.macs == 2 * 3 * 4 * 6 * 5 * 8
    for kind in kinds[1:5]:
        assert sum(o.work.vector[0].elements for o in graph.operators if o.kind == kind) == 3 * 4 * 6 * 5
    assert {o.work.vector[0].row for o in graph.operators if o.kind == "softmax"} == {5}
    assert sum(t.elements for t in graph.tensors if t.dtype == "bool" and t.role == "input") == 3 * 5


def test_key_heads_are_shared_by_consecutive_query_heads() -> None:
    graph, _ = chains("heads", kv_heads=2)
    keys = [graph.tensors[o.inputs[1]].name for o in graph.operators if o.name.endswith("scores")]
    assert keys == ["k0", "k0", "k1", "k1"]


def test_factor_and_causal_are_attributes() -> None:
    graph, _ = chains("none", causal=True)
    assert graph.operators[1].attribute("factor") == 0.25
    assert graph.operators[2].attribute("causal") == 1


def test_unknown_split() -> None:
    with pytest.raises(InputError, match="allowed: fused, none, heads, samples"):
        AttentionShape(1, 1, 1, 1, 1, 1, "tokens")


@pytest.mark.parametrize("kv_heads", [1, 2, 4])
def test_fused_attention_is_one_operator_without_scores(kv_heads: int) -> None:
    graph, (read,) = chains("fused", kv_heads)
    (operator,) = graph.operators
    work = operator.work.attention
    assert (operator.kind, operator.work.gemm) == ("attention", None)
    assert work == Attention(3 * kv_heads, 4 // kv_heads, 6, 5, 8, 8, dropout=True)
    assert work.scores == 3 * 4 * 6 * 5
    assert graph.macs == operator.work.macs == 2 * 3 * 4 * 6 * 5 * 8
    assert operator.work.uses_tensor
    # q, o, k and v in bf16, a log-sum-exp a row in fp32, and the padding mask
    rows, keys = 3 * 4 * 6, 3 * kv_heads * 5
    assert operator.work.bytes_in + operator.work.bytes_out == 2 * 8 * 2 * (rows + keys) + 4 * rows + 3 * 5
    assert operator.work.bytes_in + operator.work.bytes_out == work.bytes(2) + 3 * 5
    assert max(t.elements for t in graph.tensors) == rows * 8
    assert [graph.tensors[t].shape for t in operator.outputs] == [(3, kv_heads, 24 // kv_heads, n) for n in (8,)] + [
        (3, kv_heads, 24 // kv_heads)
    ]
    assert operator.outputs[0] == read
    vectors = {part.kind: part.elements for part in operator.work.vector}
    assert vectors == {
        "attention-softmax": work.scores,
        "attention-rescale": rows * 8 * 2,  # one block of keys, and by the sum
        "dropout": work.scores,
        "mask": work.scores,
    }


def causal_model(window: int, sequence: int, split: str) -> OperatorGraph:
    config = load_model("llama-2-7b").config
    assert isinstance(config, TransformerConfig)
    sizes = {"layers": 1, "heads": 4, "kv_heads": 2, "head_width": 8, "width": 32, "embedding_width": 32}
    small = config.model_copy(update={**sizes, "mlp_width": 16, "vocabulary": 11, "window": window})
    return transformer_graph(small, "m", batch=2, sequence=sequence, split=split, dropout=True, loss=True, dtype="bf16")


@pytest.mark.parametrize(("window", "seen"), [(0, 10 * 11 // 2), (1, 10), (4, 1 + 2 + 3 + 7 * 4), (10, 10 * 11 // 2)])
def test_causal_masks_and_windows_are_no_tensors_and_no_work(window: int, seen: int) -> None:
    graph = causal_model(window, 10, "fused")
    (operator,) = (o for o in graph.operators if o.kind == "attention")
    work = operator.work.attention
    assert work is not None
    assert (work.group, work.batch, work.queries, work.keys) == (2, 4, 10, 10)
    assert work.scores == 2 * 4 * seen
    assert len(operator.inputs) == 3
    assert not any(t.dtype == "bool" for t in graph.tensors)
    assert {part.kind: part.elements for part in operator.work.vector}["mask"] == work.scores
    dense = causal_model(window, 10, "none")
    assert graph.macs == dense.macs - 2 * 2 * 4 * (100 - seen) * 8


@pytest.mark.parametrize(("recompute", "made"), [("none", 1), ("full", 2)])
def test_one_backward_operator_makes_the_scores_again(recompute: str, made: int) -> None:
    forward = causal_model(0, 12, "fused")
    graph = training_graph(forward, recompute=recompute)
    assert sum(o.kind == "attention" for o in graph.operators) == made
    (backward,) = (o for o in graph.operators if o.kind == "attention-backward")
    (first, *_) = (o for o in graph.operators if o.kind == "attention")
    work, own = backward.work.attention, first.work.attention
    assert work is not None
    assert own is not None
    assert work == replace(own, backward=True)
    assert 2 * backward.work.macs == 5 * first.work.macs
    assert backward.work.repeated_macs == first.work.macs // 2
    assert backward.work.bytes_in + backward.work.bytes_out == work.bytes(2)
    # q, k, v, o, do and the log-sum-exp: nothing as long as the scores
    assert max(graph.tensors[t].elements for t in (*backward.inputs, *backward.outputs)) == 2 * 4 * 12 * 8
    names = [graph.tensors[t].name.removesuffix(".re") for t in backward.inputs[1:]]
    assert names == [forward.tensors[t].name for t in (*first.inputs, *first.outputs)]
    assert [graph.tensors[t].shape for t in backward.outputs] == [graph.tensors[t].shape for t in first.inputs]
    fused = fuse(graph)
    assert fused.macs == graph.macs
    kinds = [o.work.attention for o in fused.operators if o.work.attention]
    assert len(kinds) == made + 1


def test_fused_attention_of_a_translator() -> None:
    graph = forward_graph(load_model("gnmt-4"), batch=2, sequence=6, split="fused")
    (operator,) = (o for o in graph.operators if o.kind == "attention")
    assert operator.work.attention == Attention(2, 1, 6, 6, 1024, 1024)


@pytest.mark.parametrize(("kind", "extra"), [("rms-norm", 1), ("layer-norm", 2)])
@pytest.mark.parametrize("split", SPLITS)
def test_norms_of_heads_share_their_parameters(kind: str, extra: int, split: str) -> None:
    def made(**given: bool) -> OperatorGraph:
        sizes = {"layers": 1, "width": 32, "heads": 4, "kv_heads": 2, "head_width": 6, "vocabulary": 9, "positions": 8}
        config = TransformerConfig.model_validate({"family": "llama", "norm": kind} | sizes | given)
        return forward_graph(ModelDescription("sample", "llama", config, 8, None), batch=2, split=split)

    plain, normed = made(), made(qk_norm=True)
    assert normed.parameters == plain.parameters + 2 * 6 * extra
    norms = [o for o in normed.operators if ".q.norm" in o.name or ".k.norm" in o.name]
    assert len(norms) == {"heads": 4 + 2, "samples": 2 + 2}.get(split, 2)
    assert {part.row for o in norms for part in o.work.vector} == {6}
    assert sum(part.elements for o in norms for part in o.work.vector) == 2 * 8 * (4 + 2) * 6
    backward = training_graph(normed)
    assert sum(o.phase == "update" for o in backward.operators) == sum(t.role == "parameter" for t in normed.tensors)
