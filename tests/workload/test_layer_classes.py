"""Classes of layers against the whole model, cut at every layer."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import lru_cache
from typing import Any

import pytest

from accmine.errors import InputError
from accmine.workload import (
    ModelDescription,
    OperatorGraph,
    Stage,
    TransformerConfig,
    cut,
    forward_graph,
    fuse,
    load_model,
    memory,
    training_graph,
)
from accmine.workload.layer_classes import layer_classes, module
from accmine.workload.shard import Shard
from accmine.workload.training.training import RECOMPUTE

NAMES = ("bert-base", "gpt2-xl", "llama-2-7b")
CASES = [(name, split, recompute) for name in NAMES for split in ("fused", "none") for recompute in RECOMPUTE]


def small(name: str, layers: int = 4) -> ModelDescription:
    model = load_model(name)
    config = model.config
    assert isinstance(config, TransformerConfig)
    numbers = {"layers": layers, "width": 64, "heads": 8, "kv_heads": 8, "head_width": 8, "mlp_width": 128}
    numbers |= {"vocabulary": 1000, "embedding_width": 64, "positions": 32}
    return replace(model, config=config.model_copy(update=numbers), sequence=32)


def whole(
    model: ModelDescription, split: str, recompute: str, shard: Shard = Shard(), fusion: str = "practical"
) -> Any:
    forward = forward_graph(model, batch=2, split=split, shard=shard)
    return fuse(training_graph(forward, recompute=recompute), fusion)


@lru_cache
def stages(name: str, split: str, recompute: str) -> tuple[Stage, ...]:
    graph = whole(small(name), split, recompute)
    return cut(graph, range(1, len(graph.layers)))


def works(graph: OperatorGraph, times: int = 1) -> Counter[Any]:
    found = Counter(operator.work for operator in graph.operators)
    return Counter({work: times * count for work, count in found.items()})


@pytest.mark.parametrize(("name", "split", "recompute"), CASES)
def test_classes_are_the_layers_of_the_whole_model(name: str, split: str, recompute: str) -> None:
    classes = layer_classes(small(name), microbatch=2, split=split, recompute=recompute)
    places = sorted(place for c in classes for place in c.layers)
    assert places == list(range(len(stages(name, split, recompute))))
    for c in classes:
        for place in c.layers:
            stage = stages(name, split, recompute)[place]
            for mine, cut_out in ((c.forward, stage.forward), (c.backward, stage.backward), (c.update, stage.update)):
                assert [o.work for o in mine.operators] == [o.work for o in cut_out.operators]
                assert mine.edges.tolist() == cut_out.edges.tolist()
            assert c.sends_bytes == stage.sends_forward_bytes
            assert c.tied_bytes == stage.tied_bytes


@pytest.mark.parametrize(("name", "split", "recompute"), CASES)
def test_modules_are_stages_of_equal_layers(name: str, split: str, recompute: str) -> None:
    block = layer_classes(small(name), microbatch=2, split=split, recompute=recompute)[1]
    graph = whole(small(name), split, recompute)
    for k in (1, 2, 3):
        stage = cut(graph, (1, 1 + k, len(graph.layers) - 1))[1]
        found = module(block, k)
        for phase in ("forward", "backward", "update"):
            mine, cut_out = found.phase(phase), stage.training.phase(phase)  # type: ignore[arg-type]
            assert [o.work for o in mine.operators] == [o.work for o in cut_out.operators]
            assert mine.edges.tolist() == cut_out.edges.tolist()
        assert memory(found) == memory(stage.training)


def test_a_module_has_no_more_layers_than_the_class() -> None:
    block = layer_classes(small("gpt2-xl"), microbatch=1)[1]
    with pytest.raises(InputError, match="allowed: 1 to 4"):
        module(block, 5)


@pytest.mark.parametrize("t", [1, 2, 4, 8])
@pytest.mark.parametrize("name", NAMES)
def test_shards_share_the_products(name: str, t: int) -> None:
    alone, shared = (layer_classes(small(name), microbatch=2, shard=Shard(n))[1] for n in (1, t))
    assert t * shared.macs == alone.macs


@pytest.mark.parametrize(("t", "what"), [(3, "8 heads"), (16, "8 heads")])
def test_degrees_that_do_not_divide(t: int, what: str) -> None:
    with pytest.raises(InputError, match=f"{what}; allowed: 1, 2, 4, 8") as error:
        forward_graph(small("gpt2-xl"), batch=1, shard=Shard(t))
    assert {c.field for c in error.value.complaints} == {"tensor"}
