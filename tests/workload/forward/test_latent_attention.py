"""Latent attention: shapes, work and gradients of what makes queries, keys and values."""

from __future__ import annotations

from typing import Any

import pytest

from accmine.workload import ModelDescription, OperatorGraph, TransformerConfig, forward_graph, training_graph
from accmine.workload.forward.attention import SPLITS
from accmine.workload.fusion import fuse

SIZES: dict[str, Any] = {
    "family": "llama",
    "layers": 1,
    "width": 40,
    "heads": 4,
    "head_width": 12,
    "kv_rank": 16,
    "rotary_width": 4,
    "value_width": 6,
    "mlp_width": 48,
    "vocabulary": 50,
    "positions": 64,
}
B, S = 2, 8


def graph(split: str = "none", **given: Any) -> OperatorGraph:
    config = TransformerConfig.model_validate(SIZES | given)
    return forward_graph(ModelDescription("sample", "llama", config, S, None), batch=B, split=split)


def shapes(found: OperatorGraph) -> dict[str, tuple[int, ...]]:
    start = "layer0.attention."
    return {t.name.removeprefix(start): t.shape for t in found.tensors if t.name.startswith(start)}


@pytest.mark.parametrize("query_rank", [0, 20])
def test_shapes(query_rank: int) -> None:
    found = shapes(graph(query_rank=query_rank))
    assert found["kv.down.weight"] == (40, 16 + 4)
    assert found["kv.norm.weight"] == (16,)
    assert found["kv.weight"] == (16, 4 * (8 + 6))
    assert found["q.weight"] == (query_rank or 40, 4 * 12)
    assert found.get("q.down.weight") == ((40, 20) if query_rank else None)
    assert found["output.weight"] == (4 * 6, 40)
    assert found["q.concat0.y"] == found["k.concat0.y"] == (B, 4, S, 12)
    assert found["k.rotary0.y"] == (B, 1, S, 4)  # one for all heads
    assert found["q.rotary0.y"] == (B, 4, S, 4)
    assert found["values.c"] == (B, 4, S, 6)


@pytest.mark.parametrize("split", SPLITS)
def test_work_is_that_of_the_products(split: str) -> None:
    found = graph(split, query_rank=20)
    projections = 40 * 20 + 20 * 48 + 40 * 20 + 16 * 56 + 24 * 40
    scores = 4 * (S * (S + 1) // 2 if split == "fused" else S * S)
    rest = 3 * 40 * 48 + 40 * 50
    assert found.macs == B * (S * (projections + rest) + scores * (12 + 6))
    assert found.parameters == projections + rest + 50 * 40 + 20 + 16 + 3 * 40


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("recompute", ["none", "full"])
def test_training(split: str, recompute: str) -> None:
    forward = graph(split, query_rank=20)
    found = training_graph(forward, recompute=recompute)
    updated = [str(o.attribute("parameter")) for o in found.operators if o.phase == "update"]
    assert sorted(updated) == sorted(t.name for t in forward.tensors if t.role == "parameter")
    assert (found.edges[:, 0] < found.edges[:, 1]).all()
    assert fuse(found, "practical").macs == found.macs


def test_the_shared_key_has_the_gradients_of_all_heads() -> None:
    found = training_graph(graph("heads"))
    (total,) = (
        o for o in found.operators if o.kind == "accumulate" and o.name.startswith("layer0.attention.k.rotary0")
    )
    assert len(total.inputs) == 4
    assert {found.tensors[t].shape for t in total.inputs} == {(B, S, 4)}
