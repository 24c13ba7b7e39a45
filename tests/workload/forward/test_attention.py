from __future__ import annotations

import pytest

from accmine.errors import InputError
from accmine.workload import OperatorGraph
from accmine.workload.forward import layers
from accmine.workload.forward.attention import AttentionShape, attention, padding_masks
from accmine.workload.graph import GraphBuilder


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
