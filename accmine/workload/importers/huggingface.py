"""Hugging Face ``config.json`` as transformer descriptions, of the types in ``accmine.workload.importers.model_types``.

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
from accmine.workload.importers.model_types import (
    ACTIVATION_NAMES,
    ALIASES,
    ARCHITECTURES,
    FIXED,
    HARMLESS,
    LABELS,
    MODEL_TYPES,
    OF_TYPE,
    REFUSED,
    REQUIRED,
    ROPE,
    SETS,
)
from accmine.workload.importers.transformer_config import LABELLED, TransformerConfig

__all__ = ["guess", "read_huggingface"]

_TELLING = {"bert": "type_vocab_size", "gpt2": "n_embd", "opt": "word_embed_proj_dim", "llama": "rms_norm_eps"}
_READ = {"model_type", "architectures", "classifier_dropout", *LABELS}  # beside the rows
_ROTARY = ("rope_scaling", "rope_parameters")
_FULL, _SLIDING = "full_attention", "sliding_attention"


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
        why = REFUSED.get(family) if isinstance(family, str) else None
        message = f"must be one of {', '.join(MODEL_TYPES)}, got {family!r}" + (
            f", which is not modelled: {why}" if why else ""
        )
        raise InputError(message, where=document.locate(("model_type",)), field="model_type")
    names = ALIASES.get(family, {})
    given = {names.get(key, key): key for key in reversed(data)}
    found = list(_refused(family, data, given))
    config, wrong = _numbers(family, data, given)
    head, more = _head(family, data)
    found += wrong + more
    keys = {target: given.get(key, key) for target, (key, _) in MODEL_TYPES[family].items()}
    keys |= {
        "labels": next((key for key in LABELS if data.get(key) is not None), "architectures"),
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
    read = {key for key, _ in MODEL_TYPES[family].values()} | _READ | (OF_TYPE.get(family, set()))
    free = {key for keys in HARMLESS.values() for key in keys.split()}
    names = ALIASES.get(family, {})
    for key, value in data.items():
        if names.get(key, key) in read:
            if given[names.get(key, key)] != key:
                yield key, f"given as well as {given[names.get(key, key)]}, another name of the same"
        elif key in _ROTARY and SETS[family]["family"] == "llama":
            kind = value.get("rope_type", value.get("type", "default")) if isinstance(value, dict) else value
            part = value.get("partial_rotary_factor", 1) if isinstance(value, dict) else 1
            if kind is not None and kind not in ROPE:
                yield key, f"{kind!r} changes the graph and is not modelled; allowed: null or type {', '.join(ROPE)}"
            if part not in (1, None):
                yield key, f"partial_rotary_factor {part!r} changes the graph and is not modelled; allowed: 1"
        elif key in FIXED:
            if value is not None and value not in FIXED[key]:
                allowed = " or ".join([*map(json.dumps, FIXED[key]), "null"])
                yield key, f"{json.dumps(value)[:60]} changes the graph and is not modelled; allowed: {allowed}"
        elif key not in free:
            hint = did_you_mean(key, {*read, *names, *FIXED, *free})
            yield key, f"unknown key {key!r}; {hint}it may change the graph: remove it where it does not"


def _numbers(family: str, data: dict[str, Any], given: dict[str, str]) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """What the rows of a model type read, and (key, message) of what cannot be said in a description."""
    config: dict[str, Any] = dict(SETS[family])
    wrong = []
    for target, (key, default) in MODEL_TYPES[family].items():
        value = data[given[key]] if key in given else default
        if target == "activation":
            if not isinstance(value, str) or value not in ACTIVATION_NAMES:
                wrong.append((key, f"must be one of {', '.join(ACTIVATION_NAMES)}, got {value!r}"))
                continue
            value = ACTIVATION_NAMES[value]
        if value is not REQUIRED:
            config[target] = value
        elif not TransformerConfig.model_fields[target].is_required():
            wrong.append((key, "is required"))  # a description has a default
    if "window" in config:
        config["window"], more = _window(family, data, config["window"])
        wrong += more
    name = data.get("hidden_activation") if family == "gemma" else None
    if name is not None and (not isinstance(name, str) or ACTIVATION_NAMES.get(name) != config.get("activation")):
        wrong.append(("hidden_activation", f"{name!r} does not agree with hidden_act"))
    if family == "deepseek_v2":
        if data.get("head_dim") not in (None, config.get("rotary_width")):
            wrong.append(("head_dim", f"{data['head_dim']!r} does not agree with qk_rope_head_dim"))
        _products(config)
    if family == "opt":
        # The published OPT has a final norm only where norms stand before the branches (OPT-350M has none).
        removed = data.get("_remove_final_layer_norm", False)
        if not isinstance(removed, bool):
            wrong.append(("_remove_final_layer_norm", f"must be true or false, got {removed!r}"))
        config["final_norm"] = config["pre_norm"] is True and removed is not True
    return config, wrong


def _products(config: dict[str, Any]) -> None:
    """Sizes that DeepSeek-V2 gives in two keys; what is no number is left to be complained about."""
    for target, other, joined in (
        ("head_width", "rotary_width", int.__add__),
        ("shared_expert_width", "expert_width", int.__mul__),
    ):
        if type(config.get(target)) is int and type(config.get(other)) is int:
            config[target] = joined(config[target], config[other])


def _window(family: str, data: dict[str, Any], window: Any) -> tuple[Any, list[tuple[str, str]]]:
    """The window of all layers, and (key, message) where layers differ, which is not modelled.

    Qwen has windows only where ``use_sliding_window`` is true, from layer ``max_window_layers`` on or where
    ``layer_types`` says so; other types have them in all layers unless it is false.
    """
    qwen = family.startswith("qwen")
    windowed = data.get("use_sliding_window")
    if windowed is not None and not isinstance(windowed, bool):
        return None, [("use_sliding_window", f"must be true or false, got {windowed!r}")]
    if windowed is None:
        windowed = not qwen
    window = window if windowed else None
    if not qwen:
        return window, []
    layers, first, kinds = data.get("num_hidden_layers"), data.get("max_window_layers"), data.get("layer_types")
    if first is None:
        first = 0 if family == "qwen3_moe" else 28
    if type(first) is not int or first < 0:
        return None, [("max_window_layers", f"must be a whole number from 0, got {first!r}")]
    if type(layers) is not int:
        return None, []  # complained about elsewhere
    if kinds is not None:
        if not isinstance(kinds, list) or len(kinds) != layers or not {*map(str, kinds)} <= {_FULL, _SLIDING}:
            return None, [("layer_types", f"must be a list of {_FULL} or {_SLIDING} for each of {layers} layers")]
        sliding, key = kinds.count(_SLIDING), "layer_types"
        if sliding and not window:
            return None, [(key, f"{sliding} layers have a window, but use_sliding_window or sliding_window gives none")]
    else:
        sliding, key = max(0, layers - first), "max_window_layers"
    if window and 0 < sliding < layers:
        return None, [(key, f"{sliding} of {layers} layers have a window, which is not modelled; allowed: all or none")]
    return (window if sliding else None), []


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
    counts = {key: len(data[key]) if key == "id2label" else data[key] for key in LABELS if data.get(key) is not None}
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
