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
from accmine.workload.collectives import collectives, without_exchanges
from accmine.workload.kinds import EXCHANGE_KINDS
from accmine.workload.layer_classes import layer_classes, module
from accmine.workload.shard import WHOLE, Collective, Shard
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


def whole(model: ModelDescription, split: str, recompute: str, shard: Shard = WHOLE, fusion: str = "practical") -> Any:
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
            mine, cut_out = found.phase(phase), stage.training.phase(phase)
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


def gpt3(**numbers: Any) -> ModelDescription:
    model = load_model("gpt-3-175b")
    assert isinstance(model.config, TransformerConfig)
    return replace(model, config=model.config.model_copy(update=numbers))


def sent(collectives: tuple[Collective, ...], devices: int) -> float:
    """Bytes that a device sends: 2 (t - 1) / t of an all-reduced tensor, half of it otherwise."""
    return sum(c.message_bytes * (1 + (c.kind == "all-reduce")) * (devices - 1) / devices for c in collectives)


@pytest.mark.parametrize("recompute", RECOMPUTE)
@pytest.mark.parametrize("t", [2, 8])
def test_four_all_reduces_of_the_activation(t: int, recompute: str) -> None:
    """Shoeybi et al. 2019: two in either pass; a layer that is run again repeats its own two."""
    embeddings, layer, head = layer_classes(gpt3(), microbatch=1, shard=Shard(t), recompute=recompute)
    activation = Collective("all-reduce", 2 * 2048 * 12288)
    assert layer.forward_collectives == (activation,) * 2
    assert layer.backward_collectives == (activation,) * (4 if recompute == "full" else 2)
    assert embeddings.forward_collectives == (activation,)
    # Greatest logit, sum of exponentials and logit of the label of each token, in fp32.
    assert head.forward_collectives == (Collective("all-reduce", 4 * 2048),) * 3
    assert head.backward_collectives == (activation,)


def test_sequence_parallel_sends_a_quarter_more() -> None:
    """Each all-reduce becomes two halves; the inputs of QKV and of the MLP are gathered once more, for their gradients.

    352.3 and 440.4 MB for GPT-3 on 8 devices, as Megatron-LM sends.
    """
    plain, shared = (layer_classes(gpt3(), microbatch=1, shard=Shard(8, on))[1] for on in (False, True))
    both = [sent(c.forward_collectives + c.backward_collectives, 8) for c in (plain, shared)]
    assert [round(b / 1e6, 1) for b in both] == [352.3, 440.4]
    assert Counter(c.kind for c in shared.forward_collectives) == {"all-gather": 2, "reduce-scatter": 2}
    assert Counter(c.kind for c in shared.backward_collectives) == {"all-gather": 4, "reduce-scatter": 2}
    assert {c.message_bytes for c in shared.forward_collectives + shared.backward_collectives} == {2 * 2048 * 12288}


@pytest.mark.parametrize("t", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("h", [2048, 12288])
def test_stash_of_shards(t: int, h: int) -> None:
    """Korthikanti et al. 2022, table 2: bytes that a layer keeps of a microbatch."""
    s, b, a = 512, 2, 16
    model = gpt3(width=h, heads=a, kv_heads=a, head_width=h // a, mlp_width=4 * h, embedding_width=h)
    sbh, core = s * b * h, 5 * a * s / h

    def stash(recompute: str, sequence_parallel: bool) -> int:
        shard = Shard(t, sequence_parallel)
        classes = layer_classes(model, microbatch=b, sequence=s, shard=shard, recompute=recompute, split="none")
        return classes[1].memory.stash

    assert stash("none", False) == sbh * (10 + 24 / t + core / t)
    assert stash("selective", False) == sbh * (10 + 24 / t)
    assert stash("full", False) == 2 * sbh
    if t > 1:
        assert stash("none", True) == sbh / t * (34 + core)
        assert stash("selective", True) == 34 * sbh / t
        assert stash("full", True) == 2 * sbh / t


@pytest.mark.parametrize("sequence_parallel", [False, True])
@pytest.mark.parametrize("t", [2, 4, 8])
@pytest.mark.parametrize("name", NAMES)
def test_macs_of_shards_add_up(name: str, t: int, sequence_parallel: bool) -> None:
    model = small(name)
    model = replace(model, config=model.config.model_copy(update={"vocabulary": 1024}))  # type: ignore[union-attr]
    alone = layer_classes(model, microbatch=2)
    shared = layer_classes(model, microbatch=2, shard=Shard(t, sequence_parallel))
    assert t * shared[1].macs == alone[1].macs
    if name != "bert-base":  # whose head has a transform that every device does
        assert t * shared[2].macs == alone[2].macs


@pytest.mark.parametrize("recompute", RECOMPUTE)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shard", [WHOLE, Shard(4), Shard(4, True)], ids=str)
def test_memory_of_layers_adds_up(name: str, shard: Shard, recompute: str) -> None:
    for split in ("fused", "none"):
        model = small(name)
        assert isinstance(model.config, TransformerConfig)
        model = replace(model, config=model.config.model_copy(update={"tied": False}))
        classes = layer_classes(model, microbatch=2, shard=shard, recompute=recompute, split=split)
        need = memory(whole(model, split, recompute, shard))

        def total(part: str) -> int:
            return sum(len(c.layers) * getattr(c.memory, part) for c in classes)  # noqa: B023

        assert total("weights") == need.weights_bytes
        assert total("gradients") == need.gradients_bytes
        assert total("optimizer") == need.optimizer_bytes
        assert max(c.memory.working for c in classes) == need.working_set_bytes
        # Layers that read a mask of padding have it each.
        masks = 3 * 2 * 32 if name == "bert-base" and (split == "fused" or recompute != "none") else 0
        assert total("stash") - need.stash_bytes_per_microbatch == masks


@pytest.mark.parametrize("shard", [Shard(4), Shard(4, True)], ids=str)
@pytest.mark.parametrize("recompute", RECOMPUTE)
@pytest.mark.parametrize("name", NAMES)
def test_shards_compose_like_the_whole(name: str, shard: Shard, recompute: str) -> None:
    classes = layer_classes(small(name), microbatch=2, shard=shard, recompute=recompute)
    graph = whole(small(name), "fused", recompute, shard)
    stage = cut(graph, (1, 4))[1]
    found, cut_out = module(classes[1], 3), without_exchanges(stage.training)
    assert [o.work for o in found.operators] == [o.work for o in cut_out.operators]
    for phase in ("forward", "backward"):
        assert found.phase(phase).edges.tolist() == cut_out.phase(phase).edges.tolist()
    parts = collectives(stage.forward), collectives(stage.backward)
    assert parts == (3 * classes[1].forward_collectives, 3 * classes[1].backward_collectives)
    kinds = {o.kind for c in classes for o in (*c.training.operators, *c.forward.operators)}
    assert not kinds & set(EXCHANGE_KINDS)


@pytest.mark.parametrize("recompute", RECOMPUTE)
def test_macs_leave_recomputation_out(recompute: str) -> None:
    for split in ("fused", "none"):
        plain, again = (
            layer_classes(small("gpt2-xl"), microbatch=2, split=split, recompute=r) for r in ("none", recompute)
        )
        assert [c.macs for c in plain] == [c.macs for c in again]
        assert (sum(c.training.macs for c in again) > sum(c.training.macs for c in plain)) == (
            recompute == "full" or (recompute == "selective" and split == "none")
        )


def test_selective_runs_the_core_of_attention_again() -> None:
    block = layer_classes(small("gpt2-xl"), microbatch=2, split="none", recompute="selective", fusion="none")[1]
    again = [o.name for o in block.training.operators if o.name.endswith(".re")]
    parts = ("scores", "scale", "mask", "softmax", "softmax.dropout", "values")
    assert again == [f"layer0.attention.{part}.re" for part in parts]
    products = [o.work.macs for o in block.training.operators if o.name.endswith((".scores.re", ".values.re"))]
    assert sum(products) == 2 * 2 * 32 * 32 * 64  # 2 b s² h
    fused = [layer_classes(small("gpt2-xl"), microbatch=2, recompute=r)[1] for r in ("none", "selective")]
    assert fused[0].training.works == fused[1].training.works


def test_through_is_what_the_gradient_that_leaves_waits_for() -> None:
    for recompute in RECOMPUTE:
        block = layer_classes(small("gpt2-xl"), microbatch=2, recompute=recompute, fusion="none", shard=Shard(2, True))[
            1
        ]
        through = {block.backward.operators[i].name for i in block.through}
        assert "layer0.attention.qkv.dx" in through
        assert not {name for name in through if name.endswith((".dw", ".db"))}
        assert ("layer0.mlp.up.re" in through) == (recompute == "full")


def test_groups_that_a_model_has_no_use_for() -> None:
    for shard, field in (
        (Shard(expert=2), "expert"),
        (Shard(1, True), "sequence_parallel"),
        (Shard(2, True), "sequence"),
    ):
        with pytest.raises(InputError) as error:
            forward_graph(small("gpt2-xl"), batch=1, sequence=31, shard=shard)
        assert error.value.complaints[0].field == field
    with pytest.raises(InputError, match="no transformer"):
        layer_classes(load_model("resnet-18"), microbatch=1)
    with pytest.raises(InputError, match="no transformer"):
        forward_graph(load_model("resnet-18"), batch=1, shard=Shard(2))


def test_experts_have_classes_and_memory_of_their_own() -> None:
    model = load_model("deepseek-v2-lite")
    one, four = (layer_classes(model, microbatch=1, sequence=128, shard=Shard(expert=e)) for e in (1, 4))
    assert [(c.name, c.layers[0], c.layers[-1]) for c in one] == [
        ("embeddings", 0, 0),
        ("layer0", 1, 1),
        ("layer1", 2, 27),
        ("head", 28, 28),
    ]
    for alone, shared in zip(one, four, strict=True):
        for part in ("weights", "gradients", "optimizer"):
            own, group = (getattr(c.memory, f"expert_{part}") for c in (alone, shared))
            assert own == 4 * group
            assert (own > 0) == (alone.name == "layer1")
            rest = [getattr(c.memory, part) - getattr(c.memory, f"expert_{part}") for c in (alone, shared)]
            assert rest[0] == rest[1] > 0
    parameters = sum(len(c.layers) * c.memory.weights for c in one) // 2
    assert parameters == model.parameters


@pytest.mark.parametrize("recompute", RECOMPUTE)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shard", [WHOLE, Shard(4), Shard(4, True)], ids=str)
def test_memory_of_a_stage_is_that_of_its_layers(name: str, shard: Shard, recompute: str) -> None:
    classes = layer_classes(small(name), microbatch=2, shard=shard, recompute=recompute)
    owner = {place: c for c in classes for place in c.layers}
    for stage in cut(whole(small(name), "fused", recompute, shard), (2, 4)):
        own, need = [owner[place] for place in range(*stage.layers)], memory(stage.training)

        def total(part: str) -> int:
            return sum(getattr(c.memory, part) for c in own)  # noqa: B023

        assert total("weights") == need.weights_bytes
        assert total("gradients") == need.gradients_bytes
        assert total("optimizer") == need.optimizer_bytes
        masks = sum(0 < place < 5 for place in range(*stage.layers)) - 1 if name == "bert-base" else 0
        assert total("stash") == need.stash_bytes_per_microbatch + masks * 2 * 32
        working = max(c.memory.working for c in own)
        assert need.working_set_bytes <= working <= need.working_set_bytes + own[0].sends_bytes
