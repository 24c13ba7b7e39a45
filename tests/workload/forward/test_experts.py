"""Laws of mixtures of experts: work, parameters, shards and training."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accmine.errors import InputError
from accmine.workload import (
    ModelDescription,
    OperatorGraph,
    TransformerConfig,
    forward_graph,
    load_model,
    training_graph,
)
from accmine.workload.forward import layers
from accmine.workload.forward.experts import expert_rows, routed_experts
from accmine.workload.fusion import fuse
from accmine.workload.graph import GraphBuilder
from accmine.workload.layer_classes import layer_classes
from accmine.workload.shard import WHOLE, Shard

SIZES: dict[str, Any] = {
    "family": "llama",
    "layers": 1,
    "width": 32,
    "heads": 4,
    "mlp_width": 48,
    "vocabulary": 50,
    "positions": 64,
}


def model(**given: Any) -> ModelDescription:
    return ModelDescription("sample", "llama", TransformerConfig.model_validate(SIZES | given), 16, None)


def graph(*, batch: int = 2, **given: Any) -> OperatorGraph:
    return forward_graph(model(**given), batch=batch, split="fused")


def routed(config: TransformerConfig, tokens: int, shard: Shard = WHOLE) -> OperatorGraph:
    """The routed experts alone."""
    b = GraphBuilder("experts")
    b.layer("only")
    x = layers.input_tensor(b, "x", (1, tokens, config.width), "bf16")
    y = routed_experts(b, "mlp", x, config, "bf16", shard)
    assert b.tensors[y].shape == b.tensors[x].shape
    return b.build()


@pytest.mark.parametrize("gated", [True, False])
def test_one_expert_for_all_tokens_is_the_dense_mlp(gated: bool) -> None:
    dense, one = graph(gated=gated), graph(gated=gated, experts=1, experts_per_token=1)
    router = 2 * 16 * 32
    assert one.macs == dense.macs + router
    assert one.parameters == dense.parameters + 32
    products = [o.work.gemm for o in dense.operators if o.name.startswith("layer0.mlp.") and o.work.gemm]
    grouped = [o.work.gemm for o in one.operators if ".experts." in o.name and o.work.gemm]
    assert grouped == products


@given(st.integers(1, 8), st.integers(1, 8), st.integers(1, 40), st.integers(1, 40))
def test_work_of_balanced_experts(experts: int, taken: int, tokens: int, width: int) -> None:
    taken = min(taken, experts)
    config = TransformerConfig.model_validate(
        SIZES | {"experts": experts, "experts_per_token": taken, "expert_width": width}
    )
    found = routed(config, tokens)
    rows = -(-tokens * taken // experts)
    assert found.macs == tokens * 32 * experts + experts * rows * 3 * 32 * width
    assert rows * experts - tokens * taken < experts
    assert found.parameters == 32 * experts + experts * 3 * 32 * width


@pytest.mark.parametrize("taken", [1, 2, 4])
@pytest.mark.parametrize(("expert", "tensor"), [(1, 1), (2, 1), (4, 2), (8, 4)])
def test_shards_add_up_to_the_whole(taken: int, expert: int, tensor: int) -> None:
    config = TransformerConfig.model_validate(SIZES | {"experts": 8, "experts_per_token": taken})
    whole, shard = routed(config, 64), routed(config, 64, Shard(tensor=tensor, expert=expert))

    def of_experts(found: OperatorGraph) -> tuple[int, int]:
        trained = sum(t.elements for t in found.tensors if ".experts." in t.name and t.role == "parameter")
        return trained, sum(o.work.macs for o in found.operators if ".experts." in o.name)

    parameters, macs = of_experts(shard)
    assert (parameters * expert * tensor, macs * tensor) == of_experts(whole)  # each device has tokens of its own
    assert shard.parameters - parameters == whole.parameters - of_experts(whole)[0]


def test_shards_that_do_not_fit_are_refused() -> None:
    config = TransformerConfig.model_validate(SIZES | {"experts": 6, "experts_per_token": 2})
    with pytest.raises(InputError, match="expert: 4 devices do not divide 6 experts; allowed: 1, 2, 3, 6"):
        expert_rows(config, 8, Shard(expert=4))
    with pytest.raises(InputError, match="tensor: 5 devices do not divide the 48 columns of an expert"):
        routed(config, 8, Shard(tensor=5))


@pytest.mark.parametrize("normalized", [True, False])
def test_what_the_router_does(normalized: bool) -> None:
    found = graph(experts=4, experts_per_token=2, normalized_routing=normalized)
    router = [o for o in found.operators if o.name.startswith("layer0.mlp.router")]
    assert [o.kind for o in router] == ["linear", *(["top-k", "softmax"] if normalized else ["softmax", "top-k"])]
    top = next(o for o in router if o.kind == "top-k")
    assert [(part.elements, part.row) for part in top.work.vector] == [(2 * 16 * 4, 4)] * 2
    softmax = next(o for o in router if o.kind == "softmax")
    assert [(part.elements, part.row) for part in softmax.work.vector] == [(64, 2) if normalized else (128, 4)]


def test_traffic_of_gathering_and_combining() -> None:
    found = {o.kind: o.work for o in graph(experts=4, experts_per_token=2).operators}
    rows, weights = 2 * 16 * 2 * 32 * 2, 2 * 16 * 2 * 2
    indices = 2 * weights
    assert (found["gather"].bytes_in, found["gather"].bytes_out) == (rows // 2 + indices, rows)
    assert (found["combine"].bytes_in, found["combine"].bytes_out) == (rows + weights + indices, rows // 2)


def test_dense_layers_and_shared_experts() -> None:
    given_: dict[str, Any] = {"layers": 3, "experts": 4, "experts_per_token": 2, "expert_width": 16}
    found = graph(**given_, dense_layers=1, shared_expert_width=24)
    sizes = {t.name: t.shape for t in found.tensors if t.role == "parameter" and ".mlp." in t.name}
    assert sizes["layer0.mlp.up.weight"] == (32, 48)
    assert sizes["layer2.mlp.shared.up.weight"] == (32, 24)
    assert sizes["layer1.mlp.experts.down.weight"] == (4, 16, 32)
    assert {name.split(".")[0] for name in sizes if ".experts." in name} == {"layer1", "layer2"}
    assert {name.split(".")[0] for name in sizes if ".experts." not in name and ".up." in name} == {
        "layer0",
        "layer1",
        "layer2",
    }


@pytest.mark.parametrize("recompute", ["none", "full"])
@pytest.mark.parametrize("normalized", [True, False])
def test_training(recompute: str, normalized: bool) -> None:
    forward = graph(
        layers=2, experts=4, experts_per_token=2, dense_layers=1, shared_expert_width=8, normalized_routing=normalized
    )
    found = training_graph(forward, recompute=recompute)
    updated = [str(o.attribute("parameter")) for o in found.operators if o.phase == "update"]
    assert sorted(updated) == sorted(t.name for t in forward.tensors if t.role == "parameter")
    assert (found.edges[:, 0] < found.edges[:, 1]).all()
    work = {o.name: o.work for o in found.operators}
    for part in ("gate", "up", "down"):
        name = f"layer1.mlp.experts.{part}"
        assert work[f"{name}.dx"].macs == work[f"{name}.dw"].macs == work[name].macs
        # The gradient so far of 4-byte elements is read and written.
        assert work[f"{name}.dw"].bytes_out == 4 * work[name].gemm.b_elements  # type: ignore[union-attr]
    assert fuse(found, "practical").macs == found.macs


def test_gradients_of_rows_and_weights() -> None:
    found = training_graph(graph(experts=4, experts_per_token=2), accumulate=False)
    operators = {o.name: o for o in found.operators}

    def names(tensors: tuple[int, ...]) -> list[str]:
        return [found.tensors[t].name.partition(".grad")[0].removeprefix("layer0.mlp.") for t in tensors]

    combine = operators["layer0.mlp.experts.combine.bwd"]
    assert names(combine.inputs)[1:] == ["experts.down.y", "router.softmax.y", "router.top-k.i"]
    assert names(combine.outputs) == ["experts.down.y", "router.softmax.y"]
    assert [(v.elements, v.row) for v in combine.work.vector] == [(2 * 16 * 2 * 32, 32)]
    gather = operators["layer0.mlp.experts.gather.bwd"]
    assert names(gather.inputs)[1:] == ["router.top-k.i"]
    assert names(gather.outputs) == ["norm.y"]
    top = operators["layer0.mlp.router.top-k.bwd"]
    assert names(top.inputs)[1:] == ["router.top-k.i"]
    assert names(top.outputs) == ["router.y"]
    assert [(v.elements, v.row) for v in top.work.vector] == [(2 * 16 * 4, 1)]


def test_one_layer_of_mixtral_is_the_closed_form() -> None:
    sizes = {"width": 4096, "heads": 32, "kv_heads": 8, "mlp_width": 14336, "experts": 8, "experts_per_token": 2}
    mixtral = model(**sizes)
    s, h = 16, 4096
    attention = s * h * (2 * h + 2 * 1024) + 2 * s * s * h
    head = s * h * 50
    found = forward_graph(mixtral, batch=1, split="none")
    assert found.macs == attention + s * h * 8 + 2 * s * 3 * h * 14336 + head


@pytest.mark.parametrize("name", ["mixtral-8x7b", "deepseek-v2-lite", "llama-3-8b"])
@pytest.mark.parametrize("recompute", ["none", "selective", "full"])
def test_classes_of_the_catalogue_hold_all_parameters(name: str, recompute: str) -> None:
    found = load_model(name)
    assert isinstance(found.config, TransformerConfig)

    def held(shard: Shard) -> tuple[int, int]:
        classes = layer_classes(found, microbatch=1, sequence=64, shard=shard, recompute=recompute)
        weights, of_experts = (
            sum(len(c.layers) * size for c, size in zip(classes, sizes, strict=True)) // 2  # bf16
            for sizes in ([c.memory.weights for c in classes], [c.memory.expert_weights for c in classes])
        )
        return weights - of_experts, of_experts

    rest, of_experts = held(WHOLE)
    assert rest + of_experts == found.parameters
    blocks = found.config.layers - found.config.dense_layers
    assert of_experts == blocks * found.config.experts * 3 * found.config.expert_width * found.config.width
    if found.config.experts:
        assert held(Shard(expert=4)) == (rest, of_experts // 4)


@pytest.mark.parametrize("name", ["mixtral-8x7b", "deepseek-v2-lite", "llama-3-8b", "llama-3-70b"])
@pytest.mark.parametrize("shard", [WHOLE, Shard(tensor=4), Shard(tensor=4, sequence_parallel=True)])
def test_training_of_the_catalogue(name: str, shard: Shard) -> None:
    whole = load_model(name)
    assert isinstance(whole.config, TransformerConfig)
    short = replace(whole, config=whole.config.model_copy(update={"layers": 2}))
    forward = forward_graph(short, batch=1, sequence=64, split="fused", shard=shard)
    found = training_graph(forward)
    assert (found.edges[:, 0] < found.edges[:, 1]).all()
    updated = [str(o.attribute("parameter")) for o in found.operators if o.phase == "update"]
    assert sorted(updated) == sorted(t.name for t in forward.tensors if t.role == "parameter")
    assert found.phase("forward").macs == forward.macs
