"""Hugging Face ``config.json`` of BERT, GPT-2, OPT, Llama and Mistral as transformer descriptions.

Every key is read, or harmless by its name or its value, or refused: none is left aside silently. Width, layers,
heads and vocabulary are required; other absent keys take the defaults that the configuration class of their
model type documents. ``architectures`` names the head; without it the model is trained as it was pre-trained.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from accmine.errors import Complaint, InputError
from accmine.files import Document, complaints_of, did_you_mean
from accmine.workload.importers.transformer_config import LABELLED, TransformerConfig

__all__ = ["ACTIVATION_NAMES", "ARCHITECTURES", "FIXED", "HARMLESS", "MODEL_TYPES", "guess", "read_huggingface"]

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

REQUIRED = object()
"""In the place of a default: the key must be given."""

_Rows = dict[str, tuple[str, Any]]

MODEL_TYPES: dict[str, _Rows] = {
    "bert": {
        "layers": ("num_hidden_layers", REQUIRED),
        "width": ("hidden_size", REQUIRED),
        "heads": ("num_attention_heads", REQUIRED),
        "mlp_width": ("intermediate_size", 3072),
        "vocabulary": ("vocab_size", REQUIRED),
        "positions": ("max_position_embeddings", 512),
        "token_types": ("type_vocab_size", 2),
        "activation": ("hidden_act", "gelu"),
        "dropout": ("hidden_dropout_prob", 0.1),
        "embedding_dropout": ("hidden_dropout_prob", 0.1),
        "attention_dropout": ("attention_probs_dropout_prob", 0.1),
        "tied": ("tie_word_embeddings", True),
    },
    "gpt2": {
        "layers": ("n_layer", REQUIRED),
        "width": ("n_embd", REQUIRED),
        "heads": ("n_head", REQUIRED),
        "mlp_width": ("n_inner", None),
        "vocabulary": ("vocab_size", REQUIRED),
        "positions": ("n_positions", 1024),
        "activation": ("activation_function", "gelu_new"),
        "dropout": ("resid_pdrop", 0.1),
        "embedding_dropout": ("embd_pdrop", 0.1),
        "attention_dropout": ("attn_pdrop", 0.1),
        "tied": ("tie_word_embeddings", True),
    },
    "opt": {
        "layers": ("num_hidden_layers", REQUIRED),
        "width": ("hidden_size", REQUIRED),
        "heads": ("num_attention_heads", REQUIRED),
        "mlp_width": ("ffn_dim", 3072),
        "vocabulary": ("vocab_size", REQUIRED),
        "embedding_width": ("word_embed_proj_dim", None),
        "positions": ("max_position_embeddings", 2048),
        "activation": ("activation_function", "relu"),
        "dropout": ("dropout", 0.1),
        "attention_dropout": ("attention_dropout", 0.0),
        "pre_norm": ("do_layer_norm_before", True),
        "bias": ("enable_bias", True),
        "tied": ("tie_word_embeddings", True),
    },
    "llama": {
        "layers": ("num_hidden_layers", REQUIRED),
        "width": ("hidden_size", REQUIRED),
        "heads": ("num_attention_heads", REQUIRED),
        "kv_heads": ("num_key_value_heads", None),
        "head_width": ("head_dim", None),
        "mlp_width": ("intermediate_size", 11008),
        "vocabulary": ("vocab_size", REQUIRED),
        "positions": ("max_position_embeddings", 2048),
        "activation": ("hidden_act", "silu"),
        "window": ("sliding_window", None),
        "attention_dropout": ("attention_dropout", 0.0),
        "attention_bias": ("attention_bias", False),
        "mlp_bias": ("mlp_bias", False),
        "tied": ("tie_word_embeddings", False),
    },
}
MODEL_TYPES["mistral"] = {
    **{key: row for key, row in MODEL_TYPES["llama"].items() if key not in ("attention_bias", "mlp_bias")},
    "kv_heads": ("num_key_value_heads", 8),
    "mlp_width": ("intermediate_size", 14336),
    "positions": ("max_position_embeddings", 131072),
    "window": ("sliding_window", 4096),
}
"""Model type -> key of a transformer description -> (key of ``config.json``, its default)."""

ARCHITECTURES: dict[str, dict[str, dict[str, Any]]] = {
    "bert": {
        "BertForPreTraining": {"head": "mlm"},
        "BertForMaskedLM": {"head": "mlm", "pooler": False},
        "BertForNextSentencePrediction": {"head": "sequence", "labels": 2, "head_dropout": 0.0},
        "BertForSequenceClassification": {"head": "sequence"},
        "BertForTokenClassification": {"head": "tokens"},
        "BertForQuestionAnswering": {"head": "span"},
        "BertModel": {"head": "none"},
    },
    "gpt2": {
        "GPT2LMHeadModel": {"head": "lm"},
        "GPT2ForSequenceClassification": {"head": "sequence", "head_dropout": 0.0},
        "GPT2ForTokenClassification": {"head": "tokens"},
        "GPT2ForQuestionAnswering": {"head": "span"},
        "GPT2Model": {"head": "none"},
    },
    "opt": {
        "OPTForCausalLM": {"head": "lm"},
        "OPTForSequenceClassification": {"head": "sequence", "head_dropout": 0.0},
        "OPTForQuestionAnswering": {"head": "span"},
        "OPTModel": {"head": "none"},
    },
    "llama": {
        "LlamaForCausalLM": {"head": "lm"},
        "LlamaForSequenceClassification": {"head": "sequence", "head_dropout": 0.0},
        "LlamaForTokenClassification": {"head": "tokens"},
        "LlamaForQuestionAnswering": {"head": "span"},
        "LlamaModel": {"head": "none"},
    },
}
ARCHITECTURES["mistral"] = {name.replace("Llama", "Mistral"): row for name, row in ARCHITECTURES["llama"].items()}
"""Model type -> architecture -> its head, in keys of a transformer description."""

HARMLESS: dict[str, str] = {
    "where the file comes from": "_name_or_path name_or_path _commit_hash transformers_version finetuning_task "
    "task_specific_params tokenizer_class language label2id",
    "how the published code runs": "torch_dtype dtype use_bfloat16 use_cache output_past output_attentions "
    "output_hidden_states output_scores return_dict return_dict_in_generate attn_implementation _attn_implementation "
    "_attn_implementation_internal _attn_implementation_autoset tf_legacy_loss",
    "initialisation": "initializer_range initializer_factor init_std",
    "constants within an operator": "layer_norm_eps layer_norm_epsilon rms_norm_eps",
    "tokens by their number": "bos_token_id eos_token_id pad_token_id sep_token_id cls_token_id mask_token_id "
    "decoder_start_token_id prefix",
    "generation": "bad_words_ids begin_suppress_tokens diversity_penalty do_sample early_stopping "
    "encoder_no_repeat_ngram_size exponential_decay_length_penalty forced_bos_token_id forced_eos_token_id "
    "length_penalty max_length min_length no_repeat_ngram_size num_beam_groups num_beams num_return_sequences "
    "remove_invalid_values repetition_penalty suppress_tokens temperature top_k top_p typical_p",
    "never read by the architectures above": "n_ctx summary_activation summary_first_dropout summary_proj_to_logits "
    "summary_type summary_use_proj directionality pooler_fc_size pooler_num_attention_heads pooler_num_fc_layers "
    "pooler_size_per_head pooler_type",
}
"""Why -> keys that change neither operators nor their sizes, whatever they hold."""

_ROPE = ("default", "linear", "dynamic", "yarn", "longrope", "llama3")  # other angles in the same operators

FIXED: dict[str, tuple[Any, ...]] = {
    "add_cross_attention": (False,),
    "auto_map": (),
    "chunk_size_feed_forward": (0,),
    "cross_attention_hidden_size": (),
    "gradient_checkpointing": (False,),
    "is_decoder": (False,),
    "is_encoder_decoder": (False,),
    "problem_type": ("single_label_classification",),
    "pruned_heads": ({},),
    "quantization_config": (),
    "tie_encoder_decoder": (False,),
    "torchscript": (False,),
    # bert
    "position_embedding_type": ("absolute",),
    # gpt2
    "reorder_and_upcast_attn": (False,),
    "scale_attn_by_inverse_layer_idx": (False,),
    "scale_attn_weights": (True,),
    # opt
    "activation_dropout": (0.0,),
    "layer_norm_elementwise_affine": (True,),
    "layerdrop": (0.0,),
    # llama, mistral
    "partial_rotary_factor": (1.0,),
    "pretraining_tp": (1,),
}
"""Key -> the values that change nothing, beside null; any other one changes the graph and is not modelled."""

_ALIASES: dict[str, dict[str, str]] = {
    "gpt2": {
        "num_hidden_layers": "n_layer",
        "hidden_size": "n_embd",
        "num_attention_heads": "n_head",
        "max_position_embeddings": "n_positions",
    },
}
"""Second names that the configuration class of a model type accepts."""

_TELLING = {"bert": "type_vocab_size", "gpt2": "n_embd", "opt": "word_embed_proj_dim", "llama": "rms_norm_eps"}
_LABELS = ("id2label", "num_labels", "_num_labels")
_WINDOWED = "use_sliding_window"
_READ = {"model_type", "architectures", "classifier_dropout", *_LABELS}  # beside the rows
_STRUCTURE = {"mistral": "llama"}  # model type -> the family of another name that has its operators
_OF_TYPE = {
    "llama": {"rope_theta", _WINDOWED},
    "mistral": {"rope_theta", _WINDOWED},
    "opt": {"_remove_final_layer_norm"},
}  # the angles of a rotation are constants
_ROTARY = ("rope_scaling", "rope_parameters")


def guess(data: Any) -> str:
    """What is missing in a configuration without ``model_type``, with the likely type; empty if it is none."""
    if not isinstance(data, dict):
        return ""
    likely = [model for model, key in _TELLING.items() if key in data]
    if not likely and not {"hidden_size", "architectures"} & data.keys():
        return ""
    hint = f"; the keys look like those of {likely[0]}" if len(likely) == 1 else ""
    return f"is missing; give one of {', '.join(MODEL_TYPES)}{hint}"


def read_huggingface(document: Document) -> tuple[TransformerConfig, dict[str, str]]:
    """The description of the ``config.json`` in ``document``, and the key it has there for each of its own.

    Raises
    ------
    InputError
        With every key that is wrong, missing, or not known to be harmless.
    """
    data = document.data
    family = data["model_type"]
    if not isinstance(family, str) or family not in MODEL_TYPES:
        message = f"must be one of {', '.join(MODEL_TYPES)}, got {family!r}"
        raise InputError(message, where=document.locate(("model_type",)), field="model_type")
    names = _ALIASES.get(family, {})
    given = {names.get(key, key): key for key in reversed(data)}
    found = list(_refused(family, data, given))
    config, wrong = _numbers(family, data, given)
    head, more = _head(family, data)
    found += wrong + more
    keys = {target: given.get(key, key) for target, (key, _) in MODEL_TYPES[family].items()}
    keys |= {
        "labels": next((key for key in _LABELS if data.get(key) is not None), "architectures"),
        "head_dropout": "classifier_dropout",
    }
    try:
        checked = TransformerConfig.model_validate(config | head)
    except ValidationError as error:
        told = {key for key, _ in found}
        more = [
            (keys.get(str(place[0]), str(place[0])), message)
            for place, _, message in complaints_of(error, TransformerConfig, config | head)
        ]
        found += [(key, message) for key, message in dict.fromkeys(more) if key not in told]
    if found:
        at_key = [message.startswith("unknown key") for _, message in found]
        raise InputError(
            [Complaint(document.locate((k,), key=of_key), k, m) for (k, m), of_key in zip(found, at_key, strict=True)]
        )
    return checked, keys


def _refused(family: str, data: dict[str, Any], given: dict[str, str]) -> Iterator[tuple[str, str]]:
    """(key, message) of every key that is given twice, unknown, or has a value that changes the graph."""
    read = {key for key, _ in MODEL_TYPES[family].values()} | _READ | (_OF_TYPE.get(family, set()))
    free = {key for keys in HARMLESS.values() for key in keys.split()}
    names = _ALIASES.get(family, {})
    for key, value in data.items():
        if names.get(key, key) in read:
            if given[names.get(key, key)] != key:
                yield key, f"given as well as {given[names.get(key, key)]}, another name of the same"
        elif key in _ROTARY and family in ("llama", "mistral"):
            kind = value.get("rope_type", value.get("type", "default")) if isinstance(value, dict) else value
            if kind is not None and kind not in _ROPE:
                yield key, f"{kind!r} changes the graph and is not modelled; allowed: null or type {', '.join(_ROPE)}"
        elif key in FIXED:
            if value is not None and value not in FIXED[key]:
                allowed = " or ".join([*map(json.dumps, FIXED[key]), "null"])
                yield key, f"{json.dumps(value)[:60]} changes the graph and is not modelled; allowed: {allowed}"
        elif key not in free:
            hint = did_you_mean(key, {*read, *names, *FIXED, *free})
            yield key, f"unknown key {key!r}; {hint}it may change the graph: remove it where it does not"


def _numbers(family: str, data: dict[str, Any], given: dict[str, str]) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """What the rows of a model type read, and (key, message) of what cannot be said in a description."""
    config: dict[str, Any] = {"family": _STRUCTURE.get(family, family)}
    wrong = []
    windowed = data.get(_WINDOWED)
    if windowed is not None and not isinstance(windowed, bool):
        wrong.append((_WINDOWED, f"must be true or false, got {windowed!r}"))
    for target, (key, default) in MODEL_TYPES[family].items():
        value = data[given[key]] if key in given else default
        if target == "activation":
            if not isinstance(value, str) or value not in ACTIVATION_NAMES:
                wrong.append((key, f"must be one of {', '.join(ACTIVATION_NAMES)}, got {value!r}"))
                continue
            value = ACTIVATION_NAMES[value]
        if value is not REQUIRED:
            config[target] = None if target == "window" and windowed is False else value
    if family == "opt":
        # The published OPT has a final norm only where norms stand before the branches (OPT-350M has none).
        removed = data.get("_remove_final_layer_norm", False)
        if not isinstance(removed, bool):
            wrong.append(("_remove_final_layer_norm", f"must be true or false, got {removed!r}"))
        config["final_norm"] = config["pre_norm"] is True and removed is not True
    return config, wrong


def _head(family: str, data: dict[str, Any]) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """The head that ``architectures`` names, and (key, message) of what is wrong with it."""
    named, known = data.get("architectures"), ARCHITECTURES[family]
    if not named:
        return {}, []
    if not isinstance(named, list) or len(named) > 1 or str(named[0]) not in known:
        hint = did_you_mean(str(named[0]), known) if isinstance(named, list) else ""
        return {}, [
            ("architectures", f"must be a list of one of {', '.join(known)}, got {named!r}; {hint}".rstrip("; "))
        ]
    head = dict(known[str(named[0])])
    counts = {key: len(data[key]) if key == "id2label" else data[key] for key in _LABELS if data.get(key) is not None}
    wrong = [
        (key, f"does not agree with {next(iter(counts))}")
        for key in counts
        if counts[key] != next(iter(counts.values()))
    ]
    labels = next(iter(counts.values()), 2)
    if head["head"] == "span" and family == "bert" and labels != 2:
        wrong.append((next(iter(counts)), f"an answer has a first and a last token; allowed: 2 labels, got {labels}"))
    if head["head"] in LABELLED:
        rate = data.get("classifier_dropout")
        if rate is None:
            rate = data.get("hidden_dropout_prob", 0.1) if family == "bert" else 0.1
        head = {"labels": labels, "head_dropout": rate} | head
    return head, wrong
