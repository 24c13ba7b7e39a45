"""A placement as files: YAML and JSON, with the flags of Megatron-LM that run it."""

from __future__ import annotations

import json
import shlex
from typing import Any

from accmine.files import dump
from accmine.plan.placement import PlacementPlan
from accmine.problems.design_placement.problem import Solution
from accmine.questions.run.placement.record import PlacementOutcome, PlacementRow
from accmine.workload import TransformerConfig

__all__ = ["megatron_flags", "placement_files"]

_SCHEDULES = ("1f1b", "interleaved")
"""Schedules that Megatron-LM runs."""

_ZERO = {2: "optim_grads", 3: "optim_grads_params"}


def placement_files(outcome: PlacementOutcome) -> dict[str, str]:
    """Name and text of the files of a placement in a run folder."""
    table = _table(outcome)
    text = json.dumps({**table, "megatron": list(outcome.megatron)}, indent=1, ensure_ascii=False) + "\n"
    return {"placement.yaml": dump(table), "placement.json": text}


def _table(outcome: PlacementOutcome) -> dict[str, Any]:
    row = outcome.placement
    return {
        "study": outcome.study,
        "design": outcome.design.name,
        "devices": row.devices,
        "tensor": row.tensor,
        "pipeline": row.pipeline,
        "data": row.data,
        "expert": row.expert,
        "order": list(row.order),
        "microbatch": row.microbatch,
        "schedule": row.schedule,
        "chunks": row.chunks,
        "recompute": row.recompute,
        "sequence_parallel": row.sequence_parallel,
        "zero": row.zero,
        "stages": [{"first": s.first, "last": s.last, "layers": s.layers} for s in outcome.stages],
    }


def megatron_flags(plan: PlacementPlan, solution: Solution, row: PlacementRow) -> tuple[str, ...]:
    """Options of Megatron-LM (core 0.14, names from memory) for a model and its placement.

    What it cannot run is a comment that begins with ``#``. Values are quoted for a shell where they need it.
    """
    config, workload = plan.model.config, plan.workload
    assert isinstance(config, TransformerConfig)
    sequence = workload.sequence or plan.model.sequence
    flags = [
        f"--num-layers {config.layers}",
        f"--hidden-size {config.width}",
        f"--ffn-hidden-size {config.mlp_width}",
        f"--num-attention-heads {config.heads}",
        f"--seq-length {sequence}",
        f"--max-position-embeddings {max(config.positions, sequence or 0)}",
        f"--vocab-size {config.vocabulary}",
        f"--micro-batch-size {row.microbatch}",
        f"--global-batch-size {workload.batch}",
        f"--tensor-model-parallel-size {row.tensor}",
        f"--pipeline-model-parallel-size {row.pipeline}",
    ]
    flags += [*_model(config), *_placement(row), *_cut(plan, solution, row)]
    if config.experts and row.tensor > 1 and not row.sequence_parallel:
        flags += ["# Megatron-LM trains experts with tensor groups only under --sequence-parallel"]
    flags += {"bf16": ["--bf16"], "fp16": ["--fp16"], "fp8": ["--bf16", "--fp8-format hybrid"]}.get(workload.dtype, [])
    flags += ["--overlap-grad-reduce"] if plan.problem.gradient_overlap else []
    flags += {"adam": [], "adamw": [], "sgd": ["--optimizer sgd"]}.get(
        workload.optimizer, [f"# optimizer {workload.optimizer} is not one of Megatron-LM: adam, sgd"]
    )
    if workload.batch % (row.microbatch * row.data):
        flags += [
            f"# Megatron-LM refuses a batch that {row.data} replicas do not divide: --global-batch-size "
            f"{row.microbatches * row.microbatch * row.data} takes as many microbatches of the fullest replica"
        ]
    return (*flags, f"# world size: {row.devices}")


def _model(config: TransformerConfig) -> list[str]:
    found = []
    if not config.kv_rank and config.head_width * config.heads != config.width:
        found += [f"--kv-channels {config.head_width}"]
    if config.kv_rank:
        found += ["--multi-latent-attention", f"--kv-lora-rank {config.kv_rank}", f"--v-head-dim {config.value_width}"]
        found += [f"--qk-head-dim {config.head_width - config.rotary_width}"]
        found += [f"--qk-pos-emb-head-dim {config.rotary_width}"]
        found += [f"--q-lora-rank {config.query_rank}"] if config.query_rank else []
    elif config.kv_heads != config.heads:
        found += ["--group-query-attention", f"--num-query-groups {config.kv_heads}"]
    if config.gated and config.activation == "silu":
        found += ["--swiglu"]
    elif config.gated or config.activation != "gelu":
        found += [f"# MLP of {'gated ' if config.gated else ''}{config.activation}: no option of Megatron-LM"]
    found += ["--qk-layernorm"] if config.qk_norm else []
    found += ["--normalization RMSNorm"] if config.norm == "rms-norm" else []
    found += ["--position-embedding-type rope"] if config.position_embedding == "rotary" else []
    found += [] if config.tied else ["--untie-embeddings-and-output-weights"]
    found += [] if config.bias else ["--disable-bias-linear"]
    found += ["--add-qkv-bias"] if config.attention_bias and not config.bias else []
    found += [] if config.causal else ["# a model of bidirectional attention: for pretrain_bert.py"]
    found += [f"# attention to the last {config.window} tokens: no option of Megatron-LM"] if config.window else []
    if config.experts:
        found += [f"--num-experts {config.experts}", f"--moe-router-topk {config.experts_per_token}"]
        found += [f"--moe-ffn-hidden-size {config.expert_width}"]
        shared, dense = config.shared_expert_width, config.dense_layers
        found += [f"--moe-shared-expert-intermediate-size {shared}"] if shared else []
        layers = shlex.quote(f"([0]*{dense}+[1]*{config.layers - dense})")
        found += [f"--moe-layer-freq {layers}"] if dense else []
    return found


def _placement(row: PlacementRow) -> list[str]:
    found = [f"--expert-model-parallel-size {row.expert}"] if row.expert > 1 else []
    found += ["--sequence-parallel"] if row.sequence_parallel else []
    if row.recompute == "full":
        found += ["--recompute-granularity full", "--recompute-method uniform", "--recompute-num-layers 1"]
    elif row.recompute == "selective":
        found += ["--recompute-granularity selective"]
    if row.zero == 1:
        found += ["--use-distributed-optimizer"]
    elif row.zero:
        found += ["--use-distributed-optimizer", "--use-megatron-fsdp", "--ckpt-format fsdp_dtensor"]
        found += [f"--data-parallel-sharding-strategy {_ZERO[row.zero]}", "--no-gradient-accumulation-fusion"]
    found += ["--use-tp-pp-dp-mapping"] if row.order == ("tensor", "pipeline", "data") else []
    if row.chunks > 1 and row.pipeline == 1:
        found += [f"# interleaved with one stage: Megatron-LM runs it without its {row.chunks} chunks"]
    if row.schedule not in _SCHEDULES:
        found += [f"# schedule {row.schedule} is not one of Megatron-LM: {', '.join(_SCHEDULES)}"]
    return found


def _cut(plan: PlacementPlan, solution: Solution, row: PlacementRow) -> list[str]:
    """Layers of each stage: E embeddings, t a block, L head and loss."""
    if row.pipeline == 1:
        return []
    last = plan.problem.variants[solution.variant].layers - 1
    signs = ["".join("E" if n == 0 else "L" if n == last else "t" for n in s.layers) for s in solution.placement.stages]
    return [f"--pipeline-model-parallel-layout {shlex.quote('|'.join(signs))}"]
