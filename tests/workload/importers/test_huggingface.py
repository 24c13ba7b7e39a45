"""Configurations of published checkpoints: their parameters are known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from accmine.errors import InputError
from accmine.workload import ModelDescription, forward_graph, load_model
from accmine.workload.importers.huggingface import MODEL_TYPES
from accmine.workload.importers.transformer_config import FIELDS

# Numbers of published configurations, and the parameters of their checkpoints.
GPT2 = {"model_type": "gpt2", "n_layer": 12, "n_embd": 768, "n_head": 12, "n_ctx": 1024, "n_positions": 1024}
BERT = {"model_type": "bert", "hidden_size": 768, "num_hidden_layers": 12, "layer_norm_eps": 1e-12}
OPT = {"model_type": "opt", "hidden_size": 768, "word_embed_proj_dim": 768, "do_layer_norm_before": True}
OPT_350M = {
    "model_type": "opt",
    "hidden_size": 1024,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "ffn_dim": 4096,
    "word_embed_proj_dim": 512,
    "do_layer_norm_before": False,
}
TINY_LLAMA = {
    "model_type": "llama",
    "hidden_size": 2048,
    "intermediate_size": 5632,
    "num_hidden_layers": 22,
    "num_attention_heads": 32,
    "num_key_value_heads": 4,
    "rms_norm_eps": 1e-05,
}


def load(tmp_path: Path, config: dict[str, Any]) -> ModelDescription:
    folder = tmp_path / "some-model"
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config, indent=1))
    return load_model(folder)


@pytest.mark.parametrize(
    ("config", "parameters"),
    [
        (GPT2, 124_439_808),
        (BERT, 109_482_240),
        (OPT, 125_239_296),
        (OPT_350M, 331_196_416),
        (TINY_LLAMA, 1_100_048_384),
    ],
)
def test_parameters_of_published_checkpoints(tmp_path: Path, config: dict[str, Any], parameters: int) -> None:
    model = load(tmp_path, config)
    assert model.parameters == parameters
    assert model.family == config["model_type"]
    assert model.name == "some-model"


def test_same_graph_as_the_zoo(tmp_path: Path) -> None:
    config = {"model_type": "gpt2", "n_layer": 48, "n_embd": 1600, "n_head": 25, "_name_or_path": "org/gpt2-xl"}
    model = load(tmp_path, config)
    assert model.name == "gpt2-xl"
    assert model.config == load_model("gpt2-xl").config
    one, two = (forward_graph(m, batch=1, sequence=4) for m in (model, load_model("gpt2-xl")))
    assert one.operators == two.operators


def test_absent_keys_take_the_published_defaults(tmp_path: Path) -> None:
    assert load(tmp_path, {"model_type": "bert"}).parameters == 109_482_240
    assert load(tmp_path, {"model_type": "llama"}).parameters == 6_738_415_616


def test_second_names_of_keys(tmp_path: Path) -> None:
    config = {"model_type": "gpt2", "num_hidden_layers": 24, "hidden_size": 1024, "num_attention_heads": 16}
    assert load(tmp_path, config).parameters == 354_823_168


def test_every_row_is_a_key_of_a_description() -> None:
    for rows in MODEL_TYPES.values():
        assert rows.keys() <= FIELDS.keys()
        for _, allowed, default in rows.values():
            assert allowed.test(default)


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        ({"model_type": "t5"}, "config.json:2:16: model_type: one of bert, gpt2, opt, llama is expected, got 't5'"),
        (BERT | {"position_embedding_type": "relative_key"}, "position_embedding_type: 'relative_key' is not modelled"),
        (BERT | {"hidden_act": "mish"}, "hidden_act: one of gelu, "),
        (GPT2 | {"n_head": 7}, "config.json:5:12: n_head: 7 heads do not divide width 768"),
        (GPT2 | {"num_attention_heads": 12}, "num_attention_heads: given as well as n_head"),
        (TINY_LLAMA | {"num_key_value_heads": 5}, "num_key_value_heads: 5 key heads do not divide 32 heads"),
        (OPT | {"num_hidden_layers": "12"}, "num_hidden_layers: a positive integer is expected, got '12'"),
    ],
)
def test_complaints(tmp_path: Path, config: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InputError) as error:
        load(tmp_path, config)
    assert complaint in str(error.value)
