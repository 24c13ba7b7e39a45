"""The share of one device of a group, as a description and as a graph."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accmine.errors import InputError
from accmine.workload import OperatorGraph, TransformerConfig, forward_graph, load_model, training_graph
from accmine.workload.collectives import collectives
from accmine.workload.forward.shards import VOCABULARY_TILE, part_of
from accmine.workload.kinds import EXCHANGE_KINDS
from accmine.workload.shard import WHOLE, Shard


def config(**numbers: int) -> TransformerConfig:
    found = load_model("llama-2-7b").config
    assert isinstance(found, TransformerConfig)
    return found.model_copy(update=numbers)


def graph(name: str, shard: Shard, **numbers: int) -> OperatorGraph:
    model = load_model(name)
    assert isinstance(model.config, TransformerConfig)
    short = replace(model, config=model.config.model_copy(update={"layers": 2, **numbers}))
    return forward_graph(short, batch=2, sequence=64, split="fused", shard=shard)


@given(st.sampled_from([1, 2, 4, 8]), st.integers(1, 16), st.integers(1, 40), st.integers(1, 5000))
def test_a_share_of_everything_but_the_width(t: int, heads: int, columns: int, vocabulary: int) -> None:
    own = config(heads=t * heads, kv_heads=t * heads, mlp_width=t * columns, vocabulary=vocabulary)
    part = part_of(own, Shard(t), 64)
    assert (part.heads, part.kv_heads, part.mlp_width) == (heads, heads, columns)
    assert (part.width, part.head_width, part.layers) == (own.width, own.head_width, own.layers)
    if t == 1:
        assert part is own
    else:
        assert part.vocabulary % VOCABULARY_TILE == 0
        assert 0 <= t * part.vocabulary - vocabulary < t * VOCABULARY_TILE


@pytest.mark.parametrize(("t", "kv_heads", "own"), [(2, 8, 4), (8, 8, 1), (16, 8, 1), (16, 1, 1)])
def test_few_key_heads_are_copied(t: int, kv_heads: int, own: int) -> None:
    assert part_of(config(heads=32, kv_heads=kv_heads, mlp_width=1024), Shard(t), 64).kv_heads == own


@pytest.mark.parametrize(
    ("numbers", "t", "message"),
    [
        (
            {"heads": 12, "kv_heads": 12, "mlp_width": 48},
            5,
            "5 devices do not divide 12 heads; allowed: 1, 2, 3, 4, 6, 12",
        ),
        ({"heads": 8, "kv_heads": 8, "mlp_width": 100}, 8, "an MLP of width 100; allowed: 1, 2, 4"),
        ({"heads": 12, "kv_heads": 3, "mlp_width": 48}, 2, "3 key heads; allowed: 1, 3, 6, 12"),
    ],
)
def test_degrees_that_do_not_divide(numbers: dict[str, int], t: int, message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        part_of(config(**numbers), Shard(t), 64)
    assert {c.field for c in error.value.complaints} == {"tensor"}


@pytest.mark.parametrize("name", ["gpt2-xl", "bert-base", "mixtral-8x7b"])
def test_one_device_is_the_whole_model(name: str) -> None:
    alone, shared = graph(name, WHOLE), graph(name, Shard(1))
    assert alone.operators == shared.operators
    assert not {operator.kind for operator in training_graph(alone).operators} & set(EXCHANGE_KINDS)


@pytest.mark.parametrize("t", [2, 4])
@pytest.mark.parametrize("name", ["llama-2-7b", "bert-base", "mixtral-8x7b", "deepseek-v2-lite"])
def test_sequence_parallel_has_the_same_products_on_fewer_rows_between(name: str, t: int) -> None:
    plain, shared = (graph(name, Shard(t, on)) for on in (False, True))
    products = [[o.work.macs for o in g.operators if o.work.macs] for g in (plain, shared)]
    assert products[0] == products[1]
    rows = {on: {o.name: o.work.vector for o in g.operators} for on, g in ((False, plain), (True, shared))}
    for part in ("attention.norm", "mlp.norm", "attention.add", "mlp.add"):
        (one,), (other,) = (rows[on][f"layer1.{part}"] for on in (False, True))
        assert one.elements == t * other.elements
        assert one.row == other.row


def test_experts_are_sent_for_and_sent_back() -> None:
    """Every token goes to 2 experts: tokens × 2 × width × bytes out and back, and the same for the gradients."""
    training = training_graph(graph("mixtral-8x7b", Shard(expert=4)))
    sent = [c for c in collectives(training) if c.kind == "all-to-all"]
    assert len(sent) == 2 * 4
    assert {c.message_bytes for c in sent} == {2 * 64 * 2 * 4096 * 2}
    assert {c.group for c in sent} == {"expert"}
    assert not [c for c in collectives(training_graph(graph("mixtral-8x7b", Shard(2)))) if c.kind == "all-to-all"]


def test_a_dense_model_has_no_experts_to_share() -> None:
    with pytest.raises(InputError, match="in a model without; allowed: 1"):
        graph("gpt2-xl", Shard(expert=2))
