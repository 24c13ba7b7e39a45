"""Descriptions of transformers: their numbers and structure, and what each family sets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from accmine.workload.importers.fields import (
    FLAG,
    NATURAL,
    POSITIVE,
    RATE,
    Field,
    Keys,
    Source,
    choice,
    optional,
    read_fields,
)

__all__ = ["ACTIVATIONS", "FAMILIES", "FIELDS", "TransformerConfig", "read_transformer"]

ACTIVATIONS = ("gelu", "relu", "silu", "tanh")


@dataclass(frozen=True)
class TransformerConfig:
    """Numbers and structure of a transformer; the YAML keys of the same name.

    Attributes
    ----------
    layers, width, heads, kv_heads, head_width, mlp_width
        Depth and sizes. ``kv_heads`` < ``heads`` is grouped-query attention.
    vocabulary, embedding_width
        Rows and columns of the token embedding; projections stand between ``embedding_width`` and
        ``width`` where they differ.
    positions, position_offset
        Rows of the learned position embedding, and unused rows in front of them (OPT has 2).
    position_embedding
        ``learned`` or ``rotary``.
    token_types
        Rows of the token type embedding; 0 for none.
    activation, gated
        Of the MLP; gated: act(gate(x)) · up(x).
    norm, pre_norm, embedding_norm, final_norm
        Kind of norm, whether it stands before or behind each branch, and norms at either end.
    bias, attention_bias, mlp_bias
        Bias of linear layers; the last two override ``bias`` for the attention projections and the MLP.
    fused_qkv
        One projection for queries, keys and values.
    causal
        Lower-triangular attention; otherwise a padding mask.
    tied
        The head uses the token embedding.
    head
        ``lm``, or ``mlm``: masked LM with transform, pooler and next-sentence prediction.
    dropout, attention_dropout, embedding_dropout
        Rates on branch outputs, attention probabilities, embeddings.
    """

    layers: int
    width: int
    heads: int
    kv_heads: int
    head_width: int
    mlp_width: int
    vocabulary: int
    embedding_width: int
    positions: int
    position_offset: int
    position_embedding: str
    token_types: int
    activation: str
    gated: bool
    norm: str
    pre_norm: bool
    embedding_norm: bool
    final_norm: bool
    attention_bias: bool
    mlp_bias: bool
    fused_qkv: bool
    causal: bool
    tied: bool
    head: str
    dropout: float
    attention_dropout: float
    embedding_dropout: float


FIELDS: dict[str, Field] = {
    "layers": Field(POSITIVE, required=True),
    "width": Field(POSITIVE, required=True),
    "heads": Field(POSITIVE, required=True),
    "kv_heads": Field(optional(POSITIVE)),
    "head_width": Field(optional(POSITIVE)),
    "mlp_width": Field(optional(POSITIVE)),
    "vocabulary": Field(POSITIVE, required=True),
    "embedding_width": Field(optional(POSITIVE)),
    "positions": Field(POSITIVE, required=True),
    "position_offset": Field(NATURAL, 0),
    "position_embedding": Field(choice("learned", "rotary"), "learned"),
    "token_types": Field(NATURAL, 0),
    "activation": Field(choice(*ACTIVATIONS), "gelu"),
    "gated": Field(FLAG, False),
    "norm": Field(choice("layer-norm", "rms-norm"), "layer-norm"),
    "pre_norm": Field(FLAG, True),
    "embedding_norm": Field(FLAG, False),
    "final_norm": Field(FLAG, True),
    "bias": Field(FLAG, True),
    "attention_bias": Field(optional(FLAG)),
    "mlp_bias": Field(optional(FLAG)),
    "fused_qkv": Field(FLAG, False),
    "causal": Field(FLAG, True),
    "tied": Field(FLAG, True),
    "head": Field(choice("lm", "mlm"), "lm"),
    "dropout": Field(RATE, 0.1),
    "attention_dropout": Field(RATE, 0.1),
    "embedding_dropout": Field(RATE, 0.1),
}
"""The keys of a transformer description. Null widths follow from others: ``kv_heads`` = heads,
``head_width`` = width / heads, ``mlp_width`` = 4 width, ``embedding_width`` = width."""

FAMILIES: dict[str, dict[str, Any]] = {
    "bert": {
        "token_types": 2,
        "pre_norm": False,
        "embedding_norm": True,
        "final_norm": False,
        "causal": False,
        "head": "mlm",
    },
    "gpt2": {"fused_qkv": True},
    "opt": {"position_offset": 2, "activation": "relu", "embedding_dropout": 0.0},
    "llama": {
        "position_embedding": "rotary",
        "activation": "silu",
        "gated": True,
        "norm": "rms-norm",
        "bias": False,
        "tied": False,
        "dropout": 0.0,
        "attention_dropout": 0.0,
        "embedding_dropout": 0.0,
    },
}
"""What each family sets; every key can be overridden by a description of one's own."""


def read_transformer(source: Source, data: dict[str, Any], family: str, present: Keys) -> TransformerConfig | None:
    """The description in ``data`` (top level of ``source``), completed by its family.

    Complaints go to ``source``; with any, the result is ``None``.
    """
    before = len(source.complaints)
    fields = {name: Field(f.allowed, FAMILIES[family].get(name, f.default), f.required) for name, f in FIELDS.items()}
    values = read_fields(source, (), data, fields, present)
    if len(source.complaints) > before:
        return None
    width, heads = values["width"], values["heads"]
    if values["head_width"] is None and width % heads:
        source.complain(("heads",), f"{heads} heads do not divide width {width}; allowed: its divisors, or head_width")
        return None
    defaults = {
        "kv_heads": heads,
        "head_width": width // heads,
        "mlp_width": 4 * width,
        "embedding_width": width,
        "attention_bias": values["bias"],
        "mlp_bias": values["bias"],
    }
    del values["bias"]
    values |= {name: default for name, default in defaults.items() if values[name] is None}
    config = TransformerConfig(**values)
    for key, message in _conflicts(config):
        source.complain((key,), message)
    return config if len(source.complaints) == before else None


def _conflicts(config: TransformerConfig) -> list[tuple[str, str]]:
    """(key, message) of every pair of values that do not fit each other."""
    found = []
    if config.heads % config.kv_heads:
        found.append(("kv_heads", f"{config.kv_heads} key heads do not divide {config.heads} heads"))
    if config.position_embedding == "rotary" and config.head_width % 2:
        found.append(("head_width", f"rotary positions need an even head width, got {config.head_width}"))
    if config.fused_qkv and config.kv_heads != config.heads:
        found.append(("fused_qkv", "a fused projection is offered for kv_heads = heads only"))
    if config.head == "mlm" and config.embedding_width != config.width:
        found.append(("embedding_width", "must equal width with head: mlm"))
    return found
