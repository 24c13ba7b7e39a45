"""Parameters of published checkpoints, with every head; and the tables of the reader."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from accmine.errors import InputError
from accmine.workload import TransformerConfig, forward_graph, training_graph
from accmine.workload.importers.model_types import ACTIVATION_NAMES, ARCHITECTURES, FIXED, HARMLESS, MODEL_TYPES, SETS
from tests.samples.huggingface_sample import (
    BERT,
    DEEPSEEK,
    GEMMA,
    GEMMA_7B,
    GPT2,
    LLAMA,
    LLAMA_3,
    MISTRAL,
    MIXTRAL,
    OPT,
    OPT_350M,
    QWEN2,
    QWEN2_SMALL,
    QWEN3,
    QWEN3_MOE,
    QWEN3_SMALL,
    TINY_LLAMA,
    load,
    total,
)


@pytest.mark.parametrize(
    ("config", "parameters"),
    [
        (GPT2, 124_439_808),
        (BERT, 109_482_240),
        (OPT, 125_239_296),
        (OPT_350M, 331_196_416),
        (LLAMA, 6_738_415_616),
        (TINY_LLAMA, 1_100_048_384),
        (LLAMA_3, 8_030_261_248),
        (MISTRAL, 7_241_732_096),
        (MIXTRAL, 46_702_792_704),
        (QWEN2, 7_615_616_512),
        (QWEN2_SMALL, 494_032_768),
        (QWEN3, 8_190_735_360),
        (QWEN3_SMALL, 596_049_920),
        (QWEN3_MOE, 30_532_122_624),
        (GEMMA, 2_506_172_416),
        (GEMMA_7B, 8_537_680_896),
        (DEEPSEEK, 15_706_484_224),
    ],
)
def test_parameters_of_published_checkpoints(tmp_path: Path, config: dict[str, Any], parameters: int) -> None:
    model = load(tmp_path, config)
    assert model.parameters == parameters
    assert model.family == SETS[config["model_type"]]["family"]
    assert model.name == "some-model"


# All parameters of the published classes on published sizes: what sum(p.numel() for p in model.parameters()) says.
HEADS = [
    (BERT, "BertModel", {}, 109_482_240),
    (BERT, "BertForPreTraining", {}, 110_106_428),
    (BERT, "BertForMaskedLM", {}, 109_514_298),
    (BERT, "BertForNextSentencePrediction", {}, 109_483_778),
    (BERT, "BertForSequenceClassification", {}, 109_483_778),
    (BERT, "BertForSequenceClassification", {"num_labels": 5}, 109_486_085),
    (BERT, "BertForTokenClassification", {"id2label": {str(i): "" for i in range(9)}}, 108_898_569),
    (BERT, "BertForQuestionAnswering", {}, 108_893_186),
    (GPT2, "GPT2Model", {}, 124_439_808),
    (GPT2, "GPT2LMHeadModel", {}, 124_439_808),
    (GPT2, "GPT2ForSequenceClassification", {}, 124_441_344),
    (GPT2, "GPT2ForTokenClassification", {}, 124_441_346),
    (GPT2, "GPT2ForQuestionAnswering", {}, 124_441_346),
    (OPT, "OPTModel", {}, 125_239_296),
    (OPT, "OPTForCausalLM", {}, 125_239_296),
    (OPT, "OPTForSequenceClassification", {"num_labels": 3}, 125_241_600),
    (OPT_350M, "OPTForSequenceClassification", {}, 331_197_440),
    (OPT, "OPTForQuestionAnswering", {}, 125_240_834),
    (LLAMA, "LlamaModel", {}, 6_607_343_616),
    (LLAMA, "LlamaForCausalLM", {}, 6_738_415_616),
    (LLAMA, "LlamaForSequenceClassification", {}, 6_607_351_808),
    (LLAMA, "LlamaForTokenClassification", {}, 6_607_351_810),
    (LLAMA, "LlamaForQuestionAnswering", {}, 6_607_351_810),
    (MISTRAL, "MistralModel", {}, 7_110_660_096),
    (MISTRAL, "MistralForCausalLM", {}, 7_241_732_096),
    (MISTRAL, "MistralForSequenceClassification", {}, 7_110_668_288),
    (MISTRAL, "MistralForTokenClassification", {}, 7_110_668_290),
    (MISTRAL, "MistralForQuestionAnswering", {}, 7_110_668_290),
]
# Without a head there is no output matrix, where it is not tied; labels have a bias but for those of a sequence.
LIKE_LLAMA = [
    (MIXTRAL, "Mixtral", 46_702_792_704),
    (QWEN2_SMALL, "Qwen2", 494_032_768),
    (QWEN3_SMALL, "Qwen3", 596_049_920),
    (QWEN3_MOE, "Qwen3Moe", 30_532_122_624),
    (GEMMA, "Gemma", 2_506_172_416),
    (DEEPSEEK, "DeepseekV2", 15_706_484_224),
]
for _config, _name, _whole in LIKE_LLAMA:
    _width = int(str(_config["hidden_size"]))
    _tied = _name == "Gemma" or bool(_config.get("tie_word_embeddings"))
    _body = _whole - (0 if _tied else _width * int(str(_config["vocab_size"])))
    HEADS += [
        (
            _config,
            _architecture,
            {},
            {"lm": _whole, "none": _body, "sequence": _body + 2 * _width}.get(
                str(_head["head"]), _body + 2 * _width + 2
            ),
        )
        for _architecture, _head in ARCHITECTURES[str(_config["model_type"])].items()
    ]


@pytest.mark.parametrize(("config", "architecture", "more", "parameters"), HEADS)
def test_architectures_name_the_head(
    tmp_path: Path, config: dict[str, Any], architecture: str, more: dict[str, Any], parameters: int
) -> None:
    model = load(tmp_path, config | {"architectures": [architecture]} | more)
    assert total(model) == parameters
    if architecture.endswith("Model") and "LMHead" not in architecture:
        with pytest.raises(InputError, match="some-model has no head, and so no loss to train"):
            forward_graph(model, batch=1, sequence=4)
        assert total(model) == forward_graph(model, batch=1, sequence=4, loss=False).parameters
    else:
        training_graph(forward_graph(model, batch=2, sequence=4, split="none"))  # every parameter is trained


def test_every_architecture_is_tested() -> None:
    tested = {(str(config["model_type"]), architecture) for config, architecture, *_ in HEADS}
    assert tested == {(family, name) for family, known in ARCHITECTURES.items() for name in known}


def test_every_row_is_a_key_of_a_description() -> None:
    for rows in MODEL_TYPES.values():
        assert rows.keys() <= TransformerConfig.model_fields.keys()
    assert set(ACTIVATION_NAMES.values()) == {"gelu", "relu", "silu", "tanh"}


def test_a_key_is_in_one_table_only() -> None:
    free = [key for keys in HARMLESS.values() for key in keys.split()]
    read = {key for rows in MODEL_TYPES.values() for key, _ in rows.values()}
    assert len(set(free)) == len(free)
    assert not set(free) & FIXED.keys()
    assert not read & (FIXED.keys() | set(free))
