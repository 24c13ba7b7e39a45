"""Calculon: a chosen design as system, a transformer as application, its training step as execution.

Calculon (Apache-2.0; not on PyPI, ``git clone https://github.com/calculon-ai/calculon``) computes the step of a
transformer from a roofline per layer. It knows peak throughputs and a memory, no arrays: what its figures share with
accmine's are the peaks, the HBM and the parallelism. The formats are those of its repository since processors have one
entry per datatype; they were written from its source and not run.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from accmine.errors import InputError
from accmine.plan import PipelinePlan
from accmine.questions.export.comparison import Comparison
from accmine.questions.export.operators import RunAnswer, Winner
from accmine.study import StudyWorkload
from accmine.workload import ModelDescription, TransformerConfig

__all__ = ["Runner", "Step", "files", "run", "verify"]

VERSION = "0.1.0"

_DATATYPES = {"bf16": "bfloat16", "fp16": "float16", "fp32": "float32"}

_OPS: dict[str, list[Any]] = {
    # [scalar of the message size, offset in shares of a participant]: a ring sends (n - 1)/n of the message.
    "p2p": [1.0, None],
    "reduce_scatter": [1.0, -1],
    "all_gather": [1.0, -1],
    "all_reduce": [2.0, -1],
}


@dataclass(frozen=True)
class Step:
    """What Calculon says of a training step, in seconds; ``error`` where it refuses the configuration."""

    total_s: float | None
    parts_s: tuple[tuple[str, float], ...] = ()
    error: str = ""


Runner = Callable[[dict[str, Any], dict[str, Any], dict[str, Any]], Step]
"""(application, execution, system) -> step: ``run``, or something that stands for it."""


def _only_winner(answer: RunAnswer) -> Winner:
    if len(answer.winners) > 1:
        names = ", ".join(str(i) for i in range(len(answer.winners)))
        raise InputError(
            f"Calculon has one kind of processor, the run chose {len(answer.winners)} designs; "
            f"give --stage with one of {names}: all stages are then exported as if they had that design"
        )
    return answer.winners[0]


def _workloads(answer: RunAnswer) -> list[tuple[PipelinePlan, StudyWorkload, TransformerConfig]]:
    """The transformers that run on the exported design.

    Raises
    ------
    InputError
        If a workload is no transformer, or one that Calculon cannot express; every one at once.
    """
    wrong, found = [], []
    served = answer.pipelines(_only_winner(answer))
    plan = answer.plan
    for pipeline, workload, model in zip(plan.pipelines, plan.study.workloads, plan.inputs.models, strict=True):
        if pipeline not in served:
            continue
        config = model.config
        if not isinstance(config, TransformerConfig):
            wrong.append(f"{workload.name} is no transformer; Calculon models transformers only")
        elif config.experts or config.kv_rank:
            kind = "experts" if config.experts else "latent attention"
            wrong.append(f"{workload.name} has {kind}; Calculon models dense transformers with plain attention")
        elif config.kv_heads not in (1, config.heads):
            kinds = f"{config.heads} heads share {config.kv_heads} key-value heads"
            wrong.append(f"{workload.name}: {kinds}; Calculon knows multihead (as many) and multiquery (one)")
        elif workload.dtype not in _DATATYPES:
            wrong.append(f"{workload.name}: dtype {workload.dtype}; Calculon knows {', '.join(_DATATYPES)}")
        else:
            found.append((pipeline, workload, config))
    if wrong:
        raise InputError("; ".join(wrong))
    return found


def _model(answer: RunAnswer, pipeline: PipelinePlan) -> ModelDescription:
    return answer.plan.inputs.models[answer.plan.pipelines.index(pipeline)]


def _application(workload: StudyWorkload, model: ModelDescription) -> dict[str, Any]:
    config = model.config
    assert isinstance(config, TransformerConfig)
    return {
        "hidden": config.width,
        # A gated MLP has three matrices where Calculon has two: the same weights and multiplications in all.
        "feedforward": config.mlp_width * 3 // 2 if config.gated else config.mlp_width,
        "seq_size": workload.sequence or model.sequence,
        "attn_heads": config.heads,
        "attn_size": config.head_width,
        "num_blocks": config.layers,
    }


def _execution(pipeline: PipelinePlan, workload: StudyWorkload, config: TransformerConfig) -> dict[str, Any]:
    depth = len(pipeline.tasks)
    return {
        "num_procs": depth,
        "tensor_par": 1,
        "pipeline_par": depth,
        "data_par": 1,
        "tensor_par_net": 0,
        "pipeline_par_net": 0,
        "data_par_net": 0,
        "batch_size": workload.batch,
        "microbatch_size": workload.samples,
        "datatype": _DATATYPES[workload.dtype],
        "fused_activation": workload.fusion != "none",
        "attention_type": "multihead" if config.kv_heads == config.heads else "multiquery",
        "activation_recompute": "attn_only" if workload.recomputed == "selective" else workload.recomputed,
        "pipeline_interleaving": 1,
        "optimizer_sharding": False,
        "tensor_par_comm_type": "ar",
        "tensor_par_overlap": "none",
        "seq_par_ag_redo": False,
        "data_par_overlap": False,
        "weight_offload": False,
        "activations_offload": False,
        "optimizer_offload": False,
        "training": True,
    }


def _system(answer: RunAnswer, winner: Winner) -> dict[str, Any]:
    from accmine.cost import pace, resolve_timing

    design = winner.design
    calibration = design.calibration

    def tflops(dtype: str) -> float:
        """Of all arrays: at the stated rate, or fp32 as several passes of bf16."""
        passes, rate = pace(dtype, design.tensor.rates, resolve_timing(answer.timing))
        return design.peak_flops_per_s * rate / passes / 1e12

    vector_tflops = design.vector_cores * design.frequency_hz / 1e12
    matrix = {
        name: {"tflops": tflops(dtype), "gflops_efficiency": [[0, calibration.array_efficiency]]}
        for dtype, name in _DATATYPES.items()
    }
    vector = {
        name: {
            "tflops": vector_tflops * design.vector.width(dtype),
            "gflops_efficiency": [[0, calibration.vector_efficiency]],
        }
        for dtype, name in _DATATYPES.items()
    }
    memory = {"GiB": design.hbm_bytes / 2**30, "GBps": design.hbm_bytes_per_s / 1e9}
    cluster = answer.plan.inputs.cluster
    deepest = max(len(pipeline.tasks) for pipeline in answer.plan.pipelines)
    network = {
        "bandwidth": 1.0 if cluster is None else cluster.link_bytes_per_s / 1e9,
        "efficiency": 1.0,
        "size": deepest,
        "latency": 0.0 if cluster is None else cluster.latency_s,
        "ops": _OPS,
        "must_be_filled": False,
        "processor_usage": 0.0,
    }
    return {
        "matrix": matrix,
        "vector": vector,
        "mem1": {**memory, "MB_efficiency": [[0, calibration.hbm_efficiency]]},
        # Nothing is offloaded; the bandwidth only keeps a division defined.
        "mem2": {"GiB": 0, "GBps": 1.0, "MB_efficiency": [[0, 1.0]]},
        "processing_mode": "roofline",
        "networks": [network],
    }


def _inputs(answer: RunAnswer) -> list[tuple[PipelinePlan, dict[str, Any], dict[str, Any], dict[str, Any]]]:
    """Pipeline, application, execution and system of every workload of the exported design."""
    system = _system(answer, _only_winner(answer))
    return [
        (pipeline, _application(workload, _model(answer, pipeline)), _execution(pipeline, workload, config), system)
        for pipeline, workload, config in _workloads(answer)
    ]


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, allow_nan=False) + "\n"


def files(answer: RunAnswer) -> dict[str, str]:
    """``system.json``, and ``application_W.json`` and ``execution_W.json`` of every workload W, README.

    Raises
    ------
    InputError
        If several designs are exported at once, or a workload cannot be expressed.
    """
    inputs = _inputs(answer)
    made = {"system.json": _json(inputs[0][3])}
    for pipeline, application, execution, _ in inputs:
        made[f"application_{pipeline.name}.json"] = _json(application)
        made[f"execution_{pipeline.name}.json"] = _json(execution)
    made["README.txt"] = _readme(answer)
    return made


def _readme(answer: RunAnswer) -> str:
    from accmine.questions.export.readme import heading, operator_table

    winner = _only_winner(answer)
    commands = "".join(
        f"    PYTHONPATH=CALCULON CALCULON/bin/calculon llm application_{p.name}.json execution_{p.name}.json "
        "system.json -\n"
        for p, *_ in _inputs(answer)
    )
    return heading("Calculon", VERSION, answer, winner) + (
        "Run it (git clone https://github.com/calculon-ai/calculon CALCULON; pip install numpy pandas psutil):\n\n"
        f"{commands}\n"
        + operator_table(winner)
        + "\nWhat it models differently:\n\n"
        + "".join(f"- {line}\n" for p, *_ in _inputs(answer) for line in _reasons(answer, p))
    )


def _reasons(answer: RunAnswer, pipeline: PipelinePlan) -> tuple[str, ...]:
    """What the two steps do not share, from this study's settings."""
    winner, study = _only_winner(answer), answer.plan.study
    workload = study.workloads[answer.plan.pipelines.index(pipeline)]
    model = _model(answer, pipeline)
    config = model.config
    assert isinstance(config, TransformerConfig)
    design, name = winner.design, pipeline.name
    application = _application(workload, model)
    graphs = [stage.training for stage in pipeline.stages]
    outside = [o for g in graphs for o in g.operators if g.layers[o.layer] in ("embeddings", "head")]
    other = pipeline.microbatches * sum(o.work.macs for o in outside)
    reasons = [
        f"{name}: no systolic arrays: every product runs at peak × {design.calibration.array_efficiency:g}, without "
        "fill, drain and partial folds, and on all cores at once",
        f"{name}: blocks only: no embedding, head and loss: {other / pipeline.hardware_macs:.1%} of accmine's "
        f"{pipeline.hardware_macs:.4g} MACs of a step",
        f"{name}: operators run one after the other, each max(compute, memory); accmine overlaps independent ones on "
        f"{design.tensor_cores} tensor and {design.vector_cores} vector cores",
        f"{name}: every layer reads its inputs from and writes its outputs to HBM once; accmine fuses "
        f"({workload.fusion}) and re-reads what a core's SRAM cannot hold",
        f"{name}: Calculon's optimiser is Adam in 11 operations per weight; that of the study is {workload.optimizer}",
    ]
    if workload.attention == "fused":
        reasons.append(
            f"{name}: Calculon stores all scores; accmine's attention is fused: it stores none, makes them in the "
            "backward pass again, and none that a causal mask hides"
        )
    if config.gated:
        reasons.append(
            f"{name}: the gated MLP of 3 × {config.mlp_width} is written as 2 × {application['feedforward']}"
        )
    if len(pipeline.tasks) > 1:
        reasons.append(f"{name}: 1F1B of equal stages; accmine: {pipeline.schedule} of stages as they are cut")
    devices = {task.name for task in pipeline.tasks}
    if not devices <= set(winner.devices):
        reasons.append(f"{name}: all stages are exported as if they had the design of {', '.join(winner.devices)}")
    return tuple(reasons)


def run(application: dict[str, Any], execution: dict[str, Any], system: dict[str, Any]) -> Step:
    """Run Calculon on one configuration.

    Raises
    ------
    InputError
        If Calculon cannot be imported.
    """
    import logging

    try:
        from calculon import System
        from calculon.llm import Llm
    except ImportError as error:
        raise InputError(
            f"needs Calculon ({error.name or error} is missing); it is not on PyPI: "
            "git clone https://github.com/calculon-ai/calculon, add it to PYTHONPATH, pip install numpy pandas psutil",
            field="--verify",
        ) from None
    machine = System(system)
    model = Llm(Llm.Application(application), logging.getLogger("calculon"))
    try:
        model.compile(machine, Llm.Execution.from_json(execution))
        model.run(machine)
    except Llm.Error as error:
        return Step(None, error=str(error))
    parts = (
        ("forward", model.get_fw_time()),
        ("backward", model.get_bw_time()),
        ("optimiser", model.get_optim_step_time()),
        ("recompute", model.get_recompute_time()),
        ("bubble", model.get_bubble_time()),
        ("pipeline communication", model.get_pp_comm_exposed_time()),
    )
    return Step(float(model.get_total_time()), tuple((name, float(seconds)) for name, seconds in parts))


def verify(answer: RunAnswer, runner: Runner = run) -> tuple[Comparison, ...]:
    """Let Calculon compute the step of every workload on the exported design, beside accmine's verified schedule.

    Raises
    ------
    InputError
        If Calculon cannot be imported, or the run cannot be expressed.
    """
    found = []
    ours = {row.name: row.step_s for row in answer.outcome.workloads}
    name = _only_winner(answer).name
    for pipeline, application, execution, system in _inputs(answer):
        step = runner(application, execution, system)
        reasons = [f"Calculon: {', '.join(f'{part} {seconds:.4g} s' for part, seconds in step.parts_s)}"]
        if step.total_s is None:
            reasons = [f"Calculon refuses it: {step.error}"]
        reasons += _reasons(answer, pipeline)
        what = f"{pipeline.name}: batch {pipeline.batch}"
        found.append(Comparison(name, what, "step, s", ours[pipeline.name], step.total_s, False, tuple(reasons)))
    return tuple(found)
