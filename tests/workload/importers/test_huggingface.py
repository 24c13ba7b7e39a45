"""Every key of a published configuration is read or refused, with its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accmine.errors import InputError
from accmine.workload import TransformerConfig, forward_graph, load_model
from accmine.workload.importers.huggingface import guess
from accmine.workload.importers.model_types import FIXED, HARMLESS, MODEL_TYPES, REFUSED, REQUIRED
from tests.samples.huggingface_sample import (
    BERT,
    CONFIGS,
    DEEPSEEK,
    GEMMA,
    GPT2,
    LLAMA,
    MISTRAL,
    MIXTRAL,
    OPT,
    QWEN2,
    QWEN3,
    QWEN3_MOE,
    TINY_LLAMA,
    load,
    total,
)

TYPES = ", ".join(CONFIGS)
MISSING = f"is missing; give one of {TYPES}"

# The file of bert-base-uncased as it is published.
BERT_BASE_UNCASED = """{
  "architectures": ["BertForMaskedLM"],
  "attention_probs_dropout_prob": 0.1,
  "gradient_checkpointing": false,
  "hidden_act": "gelu",
  "hidden_dropout_prob": 0.1,
  "hidden_size": 768,
  "initializer_range": 0.02,
  "intermediate_size": 3072,
  "layer_norm_eps": 1e-12,
  "max_position_embeddings": 512,
  "model_type": "bert",
  "num_attention_heads": 12,
  "num_hidden_layers": 12,
  "pad_token_id": 0,
  "position_embedding_type": "absolute",
  "transformers_version": "4.6.0.dev0",
  "type_vocab_size": 2,
  "use_cache": true,
  "vocab_size": 30522
}
"""


def test_macs_of_the_heads(tmp_path: Path) -> None:
    b, s, h, v = 2, 8, 768, 30522

    def macs(architecture: str, **more: Any) -> int:
        model = load(tmp_path, BERT | {"architectures": [architecture]} | more)
        return forward_graph(model, batch=b, sequence=s, loss=architecture != "BertModel").macs

    pooler = b * h * h
    body = macs("BertModel") - pooler
    assert macs("BertForMaskedLM") == body + b * s * (h * h + h * v)
    assert macs("BertForPreTraining") == macs("BertForMaskedLM") + pooler + b * h * 2
    assert macs("BertForSequenceClassification", num_labels=7) == body + pooler + b * h * 7
    assert macs("BertForTokenClassification", num_labels=7) == body + b * s * h * 7
    assert macs("BertForQuestionAnswering") == body + b * s * h * 2


def test_dropout_and_loss_of_the_heads(tmp_path: Path) -> None:
    def head(config: dict[str, Any], architecture: str, **more: Any) -> list[Any]:
        graph = forward_graph(load(tmp_path, config | {"architectures": [architecture]} | more), batch=2, sequence=4)
        operators = [o for o in graph.operators if graph.layers[o.layer] == "head"]
        loss = operators[-1].work.vector[0]
        return [[o.kind for o in operators], loss.elements, loss.row]

    assert head(BERT, "BertForSequenceClassification") == [
        ["linear", "tanh", "dropout", "linear", "cross-entropy"],
        2 * 2,
        2,
    ]
    assert head(BERT, "BertForNextSentencePrediction")[0] == ["linear", "tanh", "linear", "cross-entropy"]
    tokens = head(BERT, "BertForTokenClassification", num_labels=3)
    assert tokens == [["dropout", "linear", "cross-entropy"], 2 * 4 * 3, 3]
    assert head(BERT, "BertForTokenClassification", classifier_dropout=0.0)[0] == ["linear", "cross-entropy"]
    assert head(GPT2, "GPT2ForQuestionAnswering") == [["layer-norm", "linear", "cross-entropy"], 2 * 4 * 2, 4]
    assert head(LLAMA, "LlamaForSequenceClassification")[0] == ["rms-norm", "linear", "cross-entropy"]


def test_a_published_file(tmp_path: Path) -> None:
    assert total(load(tmp_path, BERT_BASE_UNCASED)) == 109_514_298


@pytest.mark.parametrize("prefix", ["\ufeff", ""])
def test_files_of_windows_editors(tmp_path: Path, prefix: str) -> None:
    text = prefix + BERT_BASE_UNCASED.replace("  ", "\t").replace("\n", "\r\n")
    assert total(load(tmp_path, text)) == 109_514_298


def test_same_graph_as_the_zoo(tmp_path: Path) -> None:
    sizes = {"n_layer": 48, "n_embd": 1600, "n_head": 25, "vocab_size": 50257}
    model = load(tmp_path, {"model_type": "gpt2", "_name_or_path": "org/gpt2-xl"} | sizes)
    assert model.name == "gpt2-xl"
    assert model.config == load_model("gpt2-xl").config
    one, two = (forward_graph(m, batch=1, sequence=4) for m in (model, load_model("gpt2-xl")))
    assert one.operators == two.operators


@pytest.mark.parametrize("model_type", MODEL_TYPES)
def test_the_size_of_a_model_has_no_default(tmp_path: Path, model_type: str) -> None:
    with pytest.raises(InputError) as error:
        load(tmp_path, {"model_type": model_type})
    needed = {key for key, default in MODEL_TYPES[model_type].values() if default is REQUIRED}
    assert {c.field for c in error.value.complaints} == needed
    assert len(needed) == (8 if model_type == "deepseek_v2" else 4)
    assert all(c.message == "is required" and c.where.endswith("config.json:1:1") for c in error.value.complaints)


def test_second_names_of_keys(tmp_path: Path) -> None:
    config = {"num_hidden_layers": 24, "hidden_size": 1024, "num_attention_heads": 16, "vocab_size": 50257}
    assert load(tmp_path, {"model_type": "gpt2"} | config).parameters == 354_823_168


@pytest.mark.parametrize("model_type", MODEL_TYPES)
def test_harmless_keys_change_nothing(tmp_path: Path, model_type: str) -> None:
    plain = load(tmp_path, CONFIGS[model_type]).config
    free = {key: "x" for keys in HARMLESS.values() for key in keys.split()}
    fixed: dict[str, Any] = {key: values[0] if values else None for key, values in FIXED.items()}
    assert load(tmp_path, free | fixed | CONFIGS[model_type]).config == plain


@pytest.mark.parametrize("key", FIXED)
def test_other_values_are_refused(tmp_path: Path, key: str) -> None:
    with pytest.raises(InputError) as error:
        load(tmp_path, BERT | {key: {"5": [1]}})
    (complaint,) = error.value.complaints
    assert complaint.where.endswith(f"config.json:8:{len(key) + 6}")
    assert complaint.field == key
    assert '{"5": [1]} changes the graph and is not modelled; allowed: ' in complaint.message


@given(st.text("abcdefghijklmnopqrstuvwxyz_", min_size=1, max_size=12))
def test_no_unknown_key_is_left_aside(tmp_path_factory: pytest.TempPathFactory, key: str) -> None:
    known = {key for keys in HARMLESS.values() for key in keys.split()} | FIXED.keys() | BERT.keys()
    read = {key for key, _ in MODEL_TYPES["bert"].values()}
    folder = tmp_path_factory.mktemp("config")
    if key in known | read | {"architectures", "classifier_dropout", "id2label", "num_labels"}:
        return
    with pytest.raises(InputError, match=rf"config\.json:8:2: {key}: unknown key '{key}'; .*it may change the graph"):
        load(folder, BERT | {key: None})


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        (
            {"model_type": "t5"},
            f"config.json:2:16: model_type: must be one of {TYPES}, got 't5'",
        ),
        ({"model_type": 3}, f"config.json:2:16: model_type: must be one of {TYPES}, got 3"),
        (BERT | {"position_embedding_type": "relative_key"}, 'position_embedding_type: "relative_key" changes the'),
        (BERT | {"pruned_heads": {"0": [1, 2]}}, 'pruned_heads: {"0": [1, 2]} changes the graph'),
        (LLAMA | {"quantization_config": {"bits": 4}}, 'quantization_config: {"bits": 4} changes the graph and is not'),
        (LLAMA | {"sliding_window": 4096}, "config.json:8:20: sliding_window: 4096 tokens are more than the 2048"),
        (LLAMA | {"sliding_window": -1}, "config.json:8:20: sliding_window: must be greater than or equal to 0"),
        (LLAMA | {"use_sliding_window": 1}, "config.json:8:24: use_sliding_window: must be true or false, got 1"),
        (MISTRAL | {"max_position_embeddings": 4095, "sliding_window": 4096}, "sliding_window: 4096 tokens are more"),
        (BERT | {"sliding_window": 128}, "config.json:8:2: sliding_window: unknown key 'sliding_window'"),
        (LLAMA | {"rope_scaling": {"rope_type": "mrope"}}, "rope_scaling: 'mrope' changes the graph"),
        (LLAMA | {"num_experts": 8}, "config.json:8:2: num_experts: unknown key 'num_experts'; "),
        (LLAMA | {"rope_scaling": {"partial_rotary_factor": 0.5}}, "rope_scaling: partial_rotary_factor 0.5 changes"),
        (MIXTRAL | {"num_local_experts": 1}, "config.json:9:25: num_experts_per_tok: 2 of 1 experts; allowed: 1 to 1"),
        (MIXTRAL | {"router_jitter_noise": 0.1}, "router_jitter_noise: 0.1 changes the graph"),
        (QWEN3_MOE | {"decoder_sparse_step": 2}, "decoder_sparse_step: 2 changes the graph"),
        (QWEN3_MOE | {"mlp_only_layers": [0]}, "mlp_only_layers: [0] changes the graph"),
        (
            QWEN2 | {"use_sliding_window": True, "sliding_window": 64, "max_window_layers": 21},
            "max_window_layers: 7 of 28 layers have a window, which is not modelled; allowed: all or none",
        ),
        (
            QWEN3 | {"layer_types": ["sliding_attention"] + ["full_attention"] * 35},
            "layer_types: 1 layers have a window, but use_sliding_window or sliding_window gives none",
        ),
        (
            QWEN3 | {"layer_types": ["chunked_attention"] * 36},
            "layer_types: must be a list of full_attention or sliding",
        ),
        (
            QWEN3 | {"layer_types": ["full_attention"]},
            "layer_types: must be a list of full_attention or sliding_attent",
        ),
        (QWEN2 | {"max_window_layers": -1}, "max_window_layers: must be a whole number from 0, got -1"),
        (GEMMA | {"hidden_activation": "silu"}, "hidden_activation: 'silu' does not agree with hidden_act"),
        (GEMMA | {"use_bidirectional_attention": True}, "use_bidirectional_attention: true changes the graph"),
        (GEMMA | {"sliding_window": 128}, "sliding_window: unknown key 'sliding_window'"),
        (DEEPSEEK | {"topk_method": "group_limited_greedy"}, 'topk_method: "group_limited_greedy" changes the graph'),
        (DEEPSEEK | {"mlp_bias": True}, "mlp_bias: experts have no bias; allowed: false"),
        (DEEPSEEK | {"head_dim": 128}, "head_dim: 128 does not agree with qk_rope_head_dim"),
        (MIXTRAL | {"num_experts": 8}, "num_experts: given as well as num_local_experts, another name of the same"),
        (DEEPSEEK | {"moe_layer_freq": 2}, "moe_layer_freq: 2 changes the graph"),
        (DEEPSEEK | {"attention_bias": True}, "attention_bias: with kv_rank it must be false"),
        (DEEPSEEK | {"num_key_value_heads": 8}, "num_key_value_heads: with kv_rank it must be 16"),
        (DEEPSEEK | {"first_k_dense_replace": 27}, "first_k_dense_replace: 27 of 27 layers; allowed: at most 26"),
        (DEEPSEEK | {"qk_nope_head_dim": "128"}, "qk_nope_head_dim: must be a whole number, got '128'"),
        (LLAMA | {"auto_map": {"AutoModel": "code.Model"}}, 'auto_map: {"AutoModel": "code.Model"} changes the graph'),
        *(({"model_type": key}, f"got {key!r}, which is not modelled: {why}") for key, why in REFUSED.items()),
        (BERT | {"rope_theta": 1e4}, "rope_theta: unknown key 'rope_theta'"),
        (BERT | {"hidden_sise": 4}, "unknown key 'hidden_sise'; did you mean 'hidden_size'? it may change the graph"),
        (BERT | {"hidden_act": "mish"}, "hidden_act: must be one of gelu, "),
        (BERT | {"architectures": ["BertForMultipleChoice"]}, "architectures: must be a list of one of BertForPre"),
        (BERT | {"architectures": ["BertModel", "BertForMaskedLM"]}, "architectures: must be a list of one of"),
        (BERT | {"architectures": "BertModel"}, "architectures: must be a list of one of"),
        (
            BERT | {"architectures": ["BertForSequenceClassification"], "num_labels": 1},
            "num_labels: head: sequence needs at least 2, got 1",
        ),
        (
            BERT | {"architectures": ["BertForSequenceClassification"], "num_labels": 3, "id2label": {"0": "a"}},
            "num_labels: does not agree with id2label",
        ),
        (BERT | {"architectures": ["BertForQuestionAnswering"], "num_labels": 3}, "num_labels: an answer has a first"),
        (
            BERT | {"architectures": ["BertForTokenClassification"], "classifier_dropout": 2},
            "classifier_dropout: must be less than 1, got 2",
        ),
        (BERT | {"problem_type": "regression"}, 'problem_type: "regression" changes the graph'),
        (GPT2 | {"n_head": 7}, "config.json:5:12: n_head: 7 heads do not divide width 768"),
        (GPT2 | {"num_attention_heads": 12}, "num_attention_heads: given as well as n_head"),
        (TINY_LLAMA | {"num_key_value_heads": 5}, "num_key_value_heads: 5 key heads do not divide 32 heads"),
        (OPT | {"num_hidden_layers": "12"}, "num_hidden_layers: must be a whole number, got '12'"),
        (OPT | {"_remove_final_layer_norm": 1}, "_remove_final_layer_norm: must be true or false, got 1"),
        (OPT | {"vocab_size": 10**18}, "config.json:6:16: vocab_size: must be less than or equal to 2147483647, got 1"),
        (GPT2 | {"n_layer": 10**8}, "config.json:3:13: n_layer: 100000000 layers are 1,700,000,007 operators; allowed"),
        (
            OPT | {"vocab_size": 2**31 - 1, "hidden_size": 3 * 2**29},
            "config.json:3:17: hidden_size: tensors up to layer0.attention.q.weight",
        ),
    ],
)
def test_complaints(tmp_path: Path, config: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InputError) as error:
        load(tmp_path, config)
    assert complaint in str(error.value)


@pytest.mark.parametrize(
    ("config", "window", "sequence"),
    [
        (LLAMA, 0, 2048),
        (LLAMA | {"sliding_window": 1024}, 1024, 2048),
        (LLAMA | {"sliding_window": 1024, "use_sliding_window": True}, 1024, 2048),
        (LLAMA | {"sliding_window": 1024, "use_sliding_window": False}, 0, 2048),
        (MISTRAL, 0, 4096),
        ({key: value for key, value in MISTRAL.items() if key != "sliding_window"}, 4096, 4096),
        (MISTRAL | {"sliding_window": 8192}, 8192, 8192),
        (MIXTRAL, 0, 4096),
        (QWEN2, 0, 4096),
        (QWEN2 | {"use_sliding_window": None}, 0, 4096),
        (QWEN3 | {"use_sliding_window": True}, 0, 4096),
        (QWEN2 | {"use_sliding_window": True, "sliding_window": 512}, 0, 4096),
        (QWEN2 | {"use_sliding_window": True, "sliding_window": 512, "max_window_layers": 0}, 512, 4096),
        (
            QWEN3 | {"use_sliding_window": True, "sliding_window": 512, "layer_types": ["sliding_attention"] * 36},
            512,
            4096,
        ),
        (QWEN3 | {"layer_types": ["full_attention"] * 36}, 0, 4096),
        (QWEN3_MOE | {"use_sliding_window": True, "sliding_window": 512, "max_window_layers": None}, 512, 4096),
    ],
)
def test_windows_are_read(tmp_path: Path, config: dict[str, Any], window: int, sequence: int) -> None:
    model = load(tmp_path, config)
    assert isinstance(model.config, TransformerConfig)
    assert (model.config.window, model.sequence) == (window, sequence)
    if window:
        with pytest.raises(InputError, match=f"{window - 1} tokens are less than a window of {window}; allowed: at "):
            forward_graph(model, batch=1, sequence=window - 1, split="fused")
    graph = forward_graph(model, batch=1, sequence=sequence, split="fused")
    (work,) = {o.work.attention for o in graph.operators if o.kind == "attention"}
    assert work is not None
    heads = config["num_attention_heads"], model.config.kv_heads
    assert (work.window, work.causal, work.group) == (window, True, heads[0] // heads[1])


def test_all_complaints_at_once(tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        load(tmp_path, BERT | {"hidden_size": 0, "pruned_heads": {"0": [1]}, "wings": 2, "architectures": ["T5Model"]})
    assert [c.field for c in error.value.complaints] == ["pruned_heads", "wings", "architectures", "hidden_size"]


def test_a_key_given_twice_is_refused_with_tabs_as_without(tmp_path: Path) -> None:
    for indent in ("\t", "  "):
        with pytest.raises(InputError, match="duplicate key 'hidden_size'"):
            load(tmp_path, BERT_BASE_UNCASED.replace("  ", indent).replace("{\n", '{\n"hidden_size": 3,\n', 1))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (BERT | {"type_vocab_size": 2}, f"{MISSING}; the keys look like those of bert"),
        (GPT2, f"{MISSING}; the keys look like those of gpt2"),
        (LLAMA | {"type_vocab_size": 2}, MISSING),
        ({"dim": 4096, "n_layers": 32}, ""),
        ([1], ""),
    ],
)
def test_guesses(tmp_path: Path, config: Any, message: str) -> None:
    config = {k: v for k, v in config.items() if k != "model_type"} if isinstance(config, dict) else config
    assert guess(config) == message
    if message:
        with pytest.raises(InputError) as error:
            load(tmp_path, config)
        assert str(error.value).endswith(f"config.json:1:1: model_type: {message}")
