from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accmine.workload.importers.fields import Source
from accmine.workload.importers.transformer_config import FAMILIES, FIELDS, TransformerConfig, read_transformer

SIZES: dict[str, Any] = {"layers": 2, "width": 16, "heads": 4, "vocabulary": 50, "positions": 12}


def read(family: str, **more: Any) -> tuple[TransformerConfig | None, list[str]]:
    source = Source("f.yaml", {})
    config = read_transformer(source, SIZES | more, family, ())
    return config, [str(c) for c in source.complaints]


def test_widths_follow_from_others() -> None:
    config, complaints = read("gpt2")
    assert complaints == []
    assert config is not None
    assert (config.kv_heads, config.head_width, config.mlp_width, config.embedding_width) == (4, 4, 64, 16)
    assert config.fused_qkv
    assert config.attention_bias
    assert config.mlp_bias


@pytest.mark.parametrize("family", FAMILIES)
def test_families_set_known_keys(family: str) -> None:
    assert FAMILIES[family].keys() <= FIELDS.keys()
    config, complaints = read(family)
    assert complaints == []
    assert config is not None
    values = vars(config)
    assert {key: values[key] for key in FAMILIES[family] if key in values} == {
        key: value for key, value in FAMILIES[family].items() if key in values
    }


def test_every_key_of_a_family_can_be_overridden() -> None:
    config, _ = read("llama", tied=True, bias=True, mlp_bias=False, dropout=0.2)
    assert config is not None
    assert config.tied
    assert config.attention_bias
    assert not config.mlp_bias
    assert config.dropout == 0.2


@pytest.mark.parametrize(
    ("family", "more", "complaint"),
    [
        ("gpt2", {"heads": 3}, "f.yaml: heads: 3 heads do not divide width 16; allowed: its divisors, or head_width"),
        ("llama", {"kv_heads": 3}, "f.yaml: kv_heads: 3 key heads do not divide 4 heads"),
        ("llama", {"head_width": 3}, "f.yaml: head_width: rotary positions need an even head width, got 3"),
        ("gpt2", {"kv_heads": 2}, "f.yaml: fused_qkv: a fused projection is offered for kv_heads = heads only"),
        ("bert", {"embedding_width": 8}, "f.yaml: embedding_width: must equal width with head: mlm"),
        ("opt", {"activation": "x"}, "f.yaml: activation: one of gelu, relu, silu, tanh is expected, got 'x'"),
    ],
)
def test_numbers_that_do_not_fit(family: str, more: dict[str, Any], complaint: str) -> None:
    config, complaints = read(family, **more)
    assert config is None
    assert complaints == [complaint]


@given(st.integers(1, 40), st.integers(1, 10))
def test_heads_divide_width(width: int, heads: int) -> None:
    config, complaints = read("gpt2", width=width, heads=heads)
    assert (config is None) == bool(complaints) == bool(width % heads)
