from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from accmine.files import complaints_of
from accmine.workload import TransformerConfig
from accmine.workload.importers.transformer_config import FAMILIES

SIZES: dict[str, Any] = {"layers": 2, "width": 16, "heads": 4, "vocabulary": 50, "positions": 12}


def read(family: str, **more: Any) -> TransformerConfig:
    return TransformerConfig.model_validate(SIZES | more | {"family": family})


def wrong(family: str, **more: Any) -> list[str]:
    data = SIZES | more | {"family": family}
    with pytest.raises(ValidationError) as error:
        TransformerConfig.model_validate(data)
    return [f"{'.'.join(map(str, at))}: {text}" for at, _, text in complaints_of(error.value, TransformerConfig, data)]


def test_widths_follow_from_others() -> None:
    config = read("gpt2", mlp_width=None, kv_heads=None)
    assert (config.kv_heads, config.head_width, config.mlp_width, config.embedding_width) == (4, 4, 64, 16)
    assert config.fused_qkv
    assert config.attention_bias
    assert config.mlp_bias


@pytest.mark.parametrize("family", FAMILIES)
def test_families_set_known_keys(family: str) -> None:
    assert FAMILIES[family].keys() <= TransformerConfig.model_fields.keys()
    values = dict(read(family))
    assert {key: values[key] for key in FAMILIES[family]} == FAMILIES[family]


def test_every_key_of_a_family_can_be_overridden() -> None:
    config = read("llama", tied=True, bias=True, mlp_bias=False, dropout=0.2)
    assert config.tied
    assert config.attention_bias
    assert not config.mlp_bias
    assert config.dropout == 0.2


def test_a_pooler_belongs_to_heads_of_bert() -> None:
    assert [read("bert", head=head).pooler for head in ("mlm", "none", "lm", "span")] == [True, True, False, False]
    assert read("bert", head="sequence", labels=2).pooler
    assert not read("gpt2", head="sequence", labels=2).pooler


@pytest.mark.parametrize(
    ("family", "more", "complaint"),
    [
        ("gpt2", {"heads": 3}, "heads: 3 heads do not divide width 16; allowed: its divisors, or head_width"),
        ("llama", {"kv_heads": 3}, "kv_heads: 3 key heads do not divide 4 heads"),
        ("llama", {"head_width": 3}, "head_width: rotary positions need an even head width, got 3"),
        ("gpt2", {"kv_heads": 2}, "fused_qkv: a fused projection is offered for kv_heads = heads only"),
        ("bert", {"embedding_width": 8, "pooler": False}, "embedding_width: must equal width with head: mlm"),
        ("opt", {"activation": "x"}, "activation: must be one of gelu, relu, silu, tanh, got 'x'"),
        ("bert", {"head": "sequence"}, "labels: head: sequence needs at least 2, got None"),
        ("bert", {"head": "tokens", "labels": 1}, "labels: head: tokens needs at least 2, got 1"),
        ("bert", {"labels": 2}, "labels: belongs to head: sequence or tokens, not to head: mlm"),
        ("bert", {"head_dropout": 0.1}, "head_dropout: belongs to head: sequence or tokens, not to head: mlm"),
        (
            "bert",
            {"head": "span", "pooler": True},
            "pooler: a pooler is offered with head: mlm, sequence, none and embedding_width = width",
        ),
        ("llama", {"experts": 4, "experts_per_token": 5}, "experts_per_token: 5 of 4 experts; allowed: 1 to 4"),
        ("llama", {"experts": 4}, "experts_per_token: 0 of 4 experts; allowed: 1 to 4"),
        (
            "llama",
            {"experts": 4, "experts_per_token": 1, "dense_layers": 2},
            "dense_layers: 2 of 2 layers; allowed: at most 1",
        ),
        ("gpt2", {"experts": 4, "experts_per_token": 1}, "mlp_bias: experts have no bias; allowed: false"),
        (
            "llama",
            {"expert_width": 8},
            "expert_width: belongs to a model with experts; allowed with experts of at least",
        ),
        ("llama", {"value_width": 8}, "value_width: belongs to latent attention; allowed with kv_rank of at least 1"),
        ("llama", {"kv_rank": 8}, "rotary_width: 4 of 4 columns; allowed: at most 3"),
        ("llama", {"kv_rank": 8, "rotary_width": 3}, "rotary_width: rotary positions need an even head width, got 3"),
        ("llama", {"kv_rank": 8, "rotary_width": 2, "kv_heads": 2}, "kv_heads: with kv_rank it must be 4"),
        ("llama", {"kv_rank": 8, "rotary_width": 2, "qk_norm": True}, "qk_norm: with kv_rank it must be false"),
        ("gpt2", {"tied": "yes"}, "tied: must be true or false, got 'yes'"),
        ("gpt2", {"layers": True}, "layers: must be a whole number, got True"),
        ("gpt2", {"dropout": 1}, "dropout: must be less than 1, got 1"),
        ("gpt2", {"width": 2**31}, "width: must be less than or equal to 2147483647, got 2147483648"),
        ("gpt2", {"positions": None}, "positions: is required"),
        ("gpt2", {"widht": None}, "widht: unknown key 'widht'; did you mean 'width'? allowed: family, layers, width"),
        ("rnn", {}, "family: must be one of bert, gpt2, opt, llama, got 'rnn'"),
    ],
)
def test_numbers_that_do_not_fit(family: str, more: dict[str, Any], complaint: str) -> None:
    (found,) = wrong(family, **more)
    assert found.startswith(complaint)


@given(st.integers(1, 40), st.integers(1, 10))
def test_heads_divide_width(width: int, heads: int) -> None:
    if width % heads:
        assert wrong("gpt2", width=width, heads=heads)[0].startswith("heads: ")
    else:
        assert read("gpt2", width=width, heads=heads).head_width == width // heads
