"""Options of Megatron-LM: those of the model, of the placement, and what it cannot run as comments."""

from __future__ import annotations

import shlex
from dataclasses import replace

import pytest

from accmine.problems.design_placement.problem import Solution
from accmine.questions.run.placement.files import megatron_flags
from accmine.questions.run.placement.summary import placement_row
from accmine.workload import TransformerConfig, load_model
from tests.samples.placed_study_sample import placement_plan, some_solution


def flags(data: int = 2, *, zero: int = 0, model: str = "", tensor_row: int | None = None) -> tuple[str, ...]:
    """Options of a tiny placement; of another model where one is named."""
    plan = placement_plan(parallel={"zero": [0, 1, 2, 3]})
    own = some_solution(plan.problem, variant=0, data=data)
    solution = Solution(own.design, own.variant, replace(own.placement, zero=zero), own.schedules)
    row = placement_row(plan.problem, solution)
    if tensor_row is not None:
        row = replace(row, tensor=tensor_row)
    if model:
        plan = replace(plan, inputs=replace(plan.inputs, models=(load_model(model),)))
    return megatron_flags(plan, solution, row)


def test_a_batch_that_replicas_do_not_divide_says_so() -> None:
    """16 samples in microbatches of 1 on 3 replicas: the fullest has 6."""
    assert not any("refuses" in flag for flag in flags(2))
    (said,) = [flag for flag in flags(3) if "refuses" in flag]
    assert said.startswith("# Megatron-LM refuses a batch that 3 replicas do not divide: --global-batch-size 18 ")


def test_every_line_is_one_option_for_a_shell() -> None:
    for flag in flags():
        words = shlex.split(flag, comments=True)
        assert len(words) <= 2, flag
        assert not words or words[0].startswith("--")
    assert "--pipeline-model-parallel-layout 'Ett|ttL'" in flags()


@pytest.mark.parametrize(
    ("zero", "options"),
    [
        (0, []),
        (1, ["--use-distributed-optimizer"]),
        (2, ["--use-distributed-optimizer", "--use-megatron-fsdp", "--data-parallel-sharding-strategy optim_grads"]),
        (3, ["--use-megatron-fsdp", "--data-parallel-sharding-strategy optim_grads_params"]),
    ],
)
def test_what_replicas_share(zero: int, options: list[str]) -> None:
    own = flags(zero=zero)
    assert [option for option in options if option not in own] == []
    assert ("--use-megatron-fsdp" in own) is (zero > 1)


@pytest.mark.parametrize(
    ("model", "options"),
    [
        ("gpt-3-175b", ["--vocab-size 50257", "--num-attention-heads 96"]),
        ("llama-3-8b", ["--num-query-groups 8", "--swiglu", "--normalization RMSNorm", "--disable-bias-linear"]),
        ("mixtral-8x7b", ["--num-experts 8", "--moe-router-topk 2"]),
        (
            "deepseek-v2-lite",
            [
                "--multi-latent-attention",
                "--kv-lora-rank 512",
                "--qk-head-dim 128",
                "--qk-pos-emb-head-dim 64",
                "--v-head-dim 128",
                "--moe-shared-expert-intermediate-size 2816",
                "--moe-layer-freq '([0]*1+[1]*26)'",
            ],
        ),
        ("opt-1.3b", ["# MLP of relu: no option of Megatron-LM"]),
        ("bert-large", ["# a model of bidirectional attention: for pretrain_bert.py"]),
    ],
)
def test_the_model_is_the_one_of_the_study(model: str, options: list[str]) -> None:
    assert isinstance(load_model(model).config, TransformerConfig)
    assert [option for option in options if option not in flags(model=model)] == []


def test_experts_in_tensor_groups_need_sequence_parallel() -> None:
    said = "# Megatron-LM trains experts with tensor groups only under --sequence-parallel"
    assert said in flags(model="mixtral-8x7b", tensor_row=2)
    assert said not in flags(model="mixtral-8x7b")
