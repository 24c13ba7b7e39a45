"""Descriptions of transformers: their numbers and structure, and what each family sets."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from accmine.files import FieldsError, derived
from accmine.workload.importers.values import Flag, Natural, Part, Rate, Size

__all__ = ["FAMILIES", "LABELLED", "TransformerConfig"]

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

LABELLED = ("sequence", "tokens")
"""Heads that score ``labels``."""

_POOLED = ("mlm", "sequence", "none")  # heads that may have a pooler


_OF_LATENT = ("query_rank", "rotary_width", "value_width")
_OF_EXPERTS = ("experts_per_token", "expert_width", "shared_expert_width", "dense_layers", "normalized_routing")


class TransformerConfig(Part):
    """Numbers and structure of a transformer; the keys of its description. Null is the default."""

    family: Literal["bert", "gpt2", "opt", "llama"] = Field(description="Whose structure the other keys default to.")
    layers: Size = Field(description="Transformer layers.")
    width: Size = Field(description="Columns of the residual stream.")
    heads: Size = Field(description="Query heads.")
    kv_heads: Size = Field(
        default_factory=derived(lambda data: data["heads"]),
        description="Key heads; fewer than heads: grouped-query attention.",
    )
    head_width: Size = Field(
        default_factory=derived(lambda data: data["width"] // data["heads"]), description="Columns of a head."
    )
    kv_rank: Natural = Field(
        default=0, description="Columns that keys and values of all heads are made from (latent attention); 0: none."
    )
    query_rank: Natural = Field(default=0, description="Columns that queries are made from, with kv_rank; 0: none.")
    rotary_width: Size = Field(
        default_factory=derived(lambda data: data["head_width"]),
        description="Columns of a head that are rotated; fewer with kv_rank.",
    )
    value_width: Size = Field(
        default_factory=derived(lambda data: data["head_width"]),
        description="Columns of a value of a head; others than head_width with kv_rank.",
    )
    qk_norm: Flag = Field(default=False, description="A norm over each head of queries and keys.")
    mlp_width: Size = Field(
        default_factory=derived(lambda data: 4 * data["width"]), description="Columns within the MLP."
    )
    vocabulary: Size = Field(description="Rows of the token embedding.")
    embedding_width: Size = Field(
        default_factory=derived(lambda data: data["width"]),
        description="Columns of the token embedding; projections stand between it and another width.",
    )
    positions: Size = Field(description="Longest sequence: rows of a learned position embedding.")
    position_offset: Natural = Field(default=0, description="Unused rows in front of these; OPT has 2.")
    position_embedding: Literal["learned", "rotary"] = Field(default="learned", description="How positions are told.")
    token_types: Natural = Field(default=0, description="Rows of the token type embedding; 0: none.")
    activation: Literal["gelu", "relu", "silu", "tanh"] = Field(default="gelu", description="Of the MLP.")
    gated: Flag = Field(default=False, description="MLP of act(gate(x)) · up(x).")
    experts: Natural = Field(default=0, description="Experts in the place of an MLP; 0: none.")
    experts_per_token: Natural = Field(default=0, description="Experts that work on a token, 1 to experts.")
    expert_width: Size = Field(
        default_factory=derived(lambda data: data["mlp_width"]), description="Columns within an expert."
    )
    shared_expert_width: Natural = Field(
        default=0, description="Columns within what stands beside the experts and works on all tokens; 0: none."
    )
    dense_layers: Natural = Field(default=0, description="First layers that have an MLP instead of experts.")
    normalized_routing: Flag = Field(default=True, description="Weights of the experts of a token sum to 1.")
    norm: Literal["layer-norm", "rms-norm"] = Field(default="layer-norm", description="Kind of norm.")
    pre_norm: Flag = Field(default=True, description="Norms before the branches, not behind them.")
    embedding_scale: Flag = Field(default=False, description="Token embeddings times the root of width.")
    embedding_norm: Flag = Field(default=False, description="A norm behind the embeddings.")
    final_norm: Flag = Field(default=True, description="A norm before the head.")
    bias: Flag = Field(default=True, description="Bias of linear layers.")
    attention_bias: Flag = Field(default_factory=derived(lambda data: data["bias"]), description="That of attention.")
    output_bias: Flag = Field(
        default_factory=derived(lambda data: data["attention_bias"]),
        description="That of the projection behind attention.",
    )
    mlp_bias: Flag = Field(default_factory=derived(lambda data: data["bias"]), description="That of the MLP.")
    fused_qkv: Flag = Field(default=False, description="One projection for queries, keys and values.")
    causal: Flag = Field(default=True, description="Lower-triangular attention; otherwise a padding mask.")
    window: Natural = Field(default=0, description="Most keys that a query sees, with causal: true; 0: all.")
    tied: Flag = Field(default=True, description="The language-model head uses the token embedding.")
    head: Literal["lm", "mlm", "sequence", "tokens", "span", "none"] = Field(
        default="lm",
        description="lm: next token. mlm: masked tokens, with a pooler also the next sentence. sequence, tokens: "
        "labels of a sequence or of every token. span: first and last token of an answer. none: nothing to train.",
    )
    labels: Size | None = Field(default=None, description="Labels of head: sequence or tokens, at least 2.")
    pooler: Flag = Field(
        default_factory=derived(lambda data: data["family"] == "bert" and data["head"] in _POOLED),
        description="A linear layer and tanh on the first token, before head: sequence and the next sentence.",
    )
    dropout: Rate = Field(default=0.1, description="Rate on the outputs of branches.")
    attention_dropout: Rate = Field(default=0.1, description="Rate on attention probabilities.")
    embedding_dropout: Rate = Field(default=0.1, description="Rate on embeddings.")
    head_dropout: Rate = Field(default=0.0, description="Rate on what is scored by head: sequence or tokens.")

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, data: Any) -> Any:
        """What the family sets, below what is given; a known key that is null is not given."""
        if not isinstance(data, dict):
            return data
        family = data.get("family")
        given = {key: value for key, value in data.items() if value is not None or key not in cls.model_fields}
        return (FAMILIES.get(family, {}) if isinstance(family, str) else {}) | given

    @model_validator(mode="after")
    def _fits(self) -> Self:
        errors: list[tuple[tuple[str | int, ...], str]] = []
        if "head_width" not in self.model_fields_set and self.width % self.heads:
            message = f"{self.heads} heads do not divide width {self.width}; allowed: its divisors, or head_width"
            errors.append((("heads",), message))
        elif self.position_embedding == "rotary" and self.rotary_width % 2:
            key = "rotary_width" if self.kv_rank else "head_width"
            errors.append(((key,), f"rotary positions need an even head width, got {self.rotary_width}"))
        if self.heads % self.kv_heads:
            errors.append((("kv_heads",), f"{self.kv_heads} key heads do not divide {self.heads} heads"))
        elif self.fused_qkv and self.kv_heads != self.heads:
            errors.append((("fused_qkv",), "a fused projection is offered for kv_heads = heads only"))
        if self.window and not self.causal:
            errors.append((("window",), "a window is offered with causal: true"))
        elif self.window > self.positions:
            message = f"{self.window} tokens are more than the {self.positions} positions; allowed: at most these"
            errors.append((("window",), message))
        errors += self._wrong_latent() + self._wrong_experts()
        if self.head == "mlm" and self.embedding_width != self.width:
            errors.append((("embedding_width",), "must equal width with head: mlm"))
        if self.pooler and (self.head not in _POOLED or self.embedding_width != self.width):
            message = f"a pooler is offered with head: {', '.join(_POOLED)} and embedding_width = width"
            errors.append((("pooler",), message))
        if self.head in LABELLED and (self.labels or 0) < 2:
            errors.append((("labels",), f"head: {self.head} needs at least 2, got {self.labels}"))
        for key in ("labels", "head_dropout"):
            if self.head not in LABELLED and key in self.model_fields_set:
                errors.append(((key,), f"belongs to head: {' or '.join(LABELLED)}, not to head: {self.head}"))
        if errors:
            raise FieldsError(errors)
        return self

    def _wrong_latent(self) -> list[tuple[tuple[str | int, ...], str]]:
        """What does not fit latent attention."""
        if not self.kv_rank:
            return [
                ((key,), "belongs to latent attention; allowed with kv_rank of at least 1")
                for key in _OF_LATENT
                if key in self.model_fields_set
            ]
        needed: dict[str, Any] = {"kv_heads": self.heads, "attention_bias": False, "fused_qkv": False, "qk_norm": False}
        needed |= {"position_embedding": "rotary"}
        errors: list[tuple[tuple[str | int, ...], str]] = [
            ((key,), f"with kv_rank it must be {str(value).lower()}")
            for key, value in needed.items()
            if getattr(self, key) != value
        ]
        if self.rotary_width >= self.head_width:
            message = f"{self.rotary_width} of {self.head_width} columns; allowed: at most {self.head_width - 1}"
            errors.append((("rotary_width",), message))
        return errors

    def _wrong_experts(self) -> list[tuple[tuple[str | int, ...], str]]:
        """What does not fit the experts."""
        if not self.experts:
            return [
                ((key,), "belongs to a model with experts; allowed with experts of at least 1")
                for key in _OF_EXPERTS
                if key in self.model_fields_set
            ]
        errors: list[tuple[tuple[str | int, ...], str]] = []
        if not 1 <= self.experts_per_token <= self.experts:
            message = f"{self.experts_per_token} of {self.experts} experts; allowed: 1 to {self.experts}"
            errors.append((("experts_per_token",), message))
        if self.dense_layers >= self.layers:
            message = f"{self.dense_layers} of {self.layers} layers; allowed: at most {self.layers - 1}"
            errors.append((("dense_layers",), message))
        if self.mlp_bias:
            errors.append((("mlp_bias",), "experts have no bias; allowed: false"))
        return errors
