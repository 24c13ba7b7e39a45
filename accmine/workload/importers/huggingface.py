"""Hugging Face ``config.json`` of BERT, GPT-2, OPT and Llama as transformer descriptions.

Keys that are absent take the defaults of the published configuration classes of each model type. Keys that
do not change the shape of the training graph (token ids, initialisation, caching, dtypes on disk) are left
aside; keys that would change it in a way that is not modelled are refused.
"""

from __future__ import annotations

from typing import Any

from accmine.workload.importers.fields import FLAG, POSITIVE, RATE, Allowed, Source, optional

__all__ = ["ACTIVATION_NAMES", "MODEL_TYPES", "description_of"]

ACTIVATION_NAMES: dict[str, str] = {
    "gelu": "gelu",
    "gelu_new": "gelu",
    "gelu_fast": "gelu",
    "gelu_python": "gelu",
    "gelu_pytorch_tanh": "gelu",
    "relu": "relu",
    "silu": "silu",
    "swish": "silu",
    "tanh": "tanh",
}
"""Activations by their names in configurations."""

_ACTIVATION = Allowed(
    "one of " + ", ".join(ACTIVATION_NAMES), lambda value: isinstance(value, str) and value in ACTIVATION_NAMES
)

_Row = tuple[str, Allowed, Any]

MODEL_TYPES: dict[str, dict[str, _Row]] = {
    "bert": {
        "layers": ("num_hidden_layers", POSITIVE, 12),
        "width": ("hidden_size", POSITIVE, 768),
        "heads": ("num_attention_heads", POSITIVE, 12),
        "mlp_width": ("intermediate_size", POSITIVE, 3072),
        "vocabulary": ("vocab_size", POSITIVE, 30522),
        "positions": ("max_position_embeddings", POSITIVE, 512),
        "token_types": ("type_vocab_size", POSITIVE, 2),
        "activation": ("hidden_act", _ACTIVATION, "gelu"),
        "dropout": ("hidden_dropout_prob", RATE, 0.1),
        "embedding_dropout": ("hidden_dropout_prob", RATE, 0.1),
        "attention_dropout": ("attention_probs_dropout_prob", RATE, 0.1),
        "tied": ("tie_word_embeddings", FLAG, True),
    },
    "gpt2": {
        "layers": ("n_layer", POSITIVE, 12),
        "width": ("n_embd", POSITIVE, 768),
        "heads": ("n_head", POSITIVE, 12),
        "mlp_width": ("n_inner", optional(POSITIVE), None),
        "vocabulary": ("vocab_size", POSITIVE, 50257),
        "positions": ("n_positions", POSITIVE, 1024),
        "activation": ("activation_function", _ACTIVATION, "gelu_new"),
        "dropout": ("resid_pdrop", RATE, 0.1),
        "embedding_dropout": ("embd_pdrop", RATE, 0.1),
        "attention_dropout": ("attn_pdrop", RATE, 0.1),
        "tied": ("tie_word_embeddings", FLAG, True),
    },
    "opt": {
        "layers": ("num_hidden_layers", POSITIVE, 12),
        "width": ("hidden_size", POSITIVE, 768),
        "heads": ("num_attention_heads", POSITIVE, 12),
        "mlp_width": ("ffn_dim", POSITIVE, 3072),
        "vocabulary": ("vocab_size", POSITIVE, 50272),
        "embedding_width": ("word_embed_proj_dim", optional(POSITIVE), None),
        "positions": ("max_position_embeddings", POSITIVE, 2048),
        "activation": ("activation_function", _ACTIVATION, "relu"),
        "dropout": ("dropout", RATE, 0.1),
        "attention_dropout": ("attention_dropout", RATE, 0.0),
        "pre_norm": ("do_layer_norm_before", FLAG, True),
        "bias": ("enable_bias", FLAG, True),
        "tied": ("tie_word_embeddings", FLAG, True),
    },
    "llama": {
        "layers": ("num_hidden_layers", POSITIVE, 32),
        "width": ("hidden_size", POSITIVE, 4096),
        "heads": ("num_attention_heads", POSITIVE, 32),
        "kv_heads": ("num_key_value_heads", optional(POSITIVE), None),
        "head_width": ("head_dim", optional(POSITIVE), None),
        "mlp_width": ("intermediate_size", POSITIVE, 11008),
        "vocabulary": ("vocab_size", POSITIVE, 32000),
        "positions": ("max_position_embeddings", POSITIVE, 2048),
        "activation": ("hidden_act", _ACTIVATION, "silu"),
        "attention_dropout": ("attention_dropout", RATE, 0.0),
        "attention_bias": ("attention_bias", FLAG, False),
        "mlp_bias": ("mlp_bias", FLAG, False),
        "tied": ("tie_word_embeddings", FLAG, False),
    },
}
"""Model type -> key of a transformer description -> (key of ``config.json``, what it allows, its default)."""

_REFUSED: dict[str, dict[str, tuple[Any, ...]]] = {
    "bert": {
        "position_embedding_type": ("absolute", None),
        "is_decoder": (False, None),
        "add_cross_attention": (False, None),
    },
    "gpt2": {"add_cross_attention": (False, None), "scale_attn_weights": (True, None)},
    "opt": {"layer_norm_elementwise_affine": (True, None)},
    "llama": {},
}
"""Keys whose other values would change the graph: model type -> key -> values that are read."""

_ALIASES: dict[str, dict[str, str]] = {
    "gpt2": {
        "num_hidden_layers": "n_layer",
        "hidden_size": "n_embd",
        "num_attention_heads": "n_head",
        "max_position_embeddings": "n_positions",
    },
}
"""Second names that the configuration class of a model type accepts."""


def description_of(source: Source) -> tuple[str, dict[str, Any]] | None:
    """Family and description of the ``config.json`` in ``source``; complaints go to it, with any ``None``."""
    data = source.data
    model_type = data.get("model_type")
    if model_type not in MODEL_TYPES:
        source.complain(("model_type",), f"one of {', '.join(MODEL_TYPES)} is expected, got {model_type!r}")
        return None
    before = len(source.complaints)
    names = _ALIASES.get(model_type, {})
    given: dict[str, str] = {}
    for key in data:
        if names.get(key, key) in given:
            source.complain((key,), f"given as well as {given[names.get(key, key)]}, another name of the same")
        given[names.get(key, key)] = key
    found: dict[str, Any] = {}
    for target, (key, allowed, default) in MODEL_TYPES[model_type].items():
        value = data[given[key]] if key in given else default
        if not allowed.test(value):
            source.complain((given[key],), f"{allowed.words} is expected, got {value!r}")
        found[target] = value
    for key, accepted in _REFUSED[model_type].items():
        if key in data and data[key] not in accepted:
            source.complain((key,), f"{data[key]!r} is not modelled; allowed: {accepted[0]!r}")
    if len(source.complaints) > before:
        return None
    found["activation"] = ACTIVATION_NAMES[found["activation"]]
    if model_type == "opt":
        # The published OPT has a final norm only where norms stand before the branches (OPT-350M has none).
        found["final_norm"] = found["pre_norm"] and not data.get("_remove_final_layer_norm", False)
    return model_type, {key: value for key, value in found.items() if value is not None or key == "mlp_width"}
