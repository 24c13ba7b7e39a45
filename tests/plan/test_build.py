"""From words to a plan: figures by hand, and complaints at the place that they are about."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.errors import InfeasibleError, InputError
from accmine.files import load_yaml, validate
from accmine.hardware.technology import area_mm2, tdp_w
from accmine.plan import PipelinePlan, plan_of
from accmine.plan.build import _layer_cost, baseline_costs, make_plan
from accmine.study import Study, load_study, read_inputs
from accmine.workload import Memory, balance
from tests.samples.search_sample import design, pipeline, planned, study, study_text, technology


def loaded_plan(path: Path, **keys: Any) -> Any:
    path.write_text(study_text(**keys))
    return plan_of(load_study(path))


FORWARD = [48 * 48, 48 * 32, 32 * 10]
"""Multiply-accumulates of a sample in the three products of ``mlp``, whose image has 4 · 4 · 3 values."""


@pytest.mark.parametrize("recompute", ["none", "full"])
@pytest.mark.parametrize(("batch", "microbatch"), [(8, 8), (8, 4), (12, 2)])
def test_work_of_a_step_by_hand(recompute: str, batch: int, microbatch: int) -> None:
    plan, _ = planned(workload={"batch": batch, "microbatch": microbatch, "recompute": recompute})
    (own,) = plan.pipelines
    # Forward, gradients of the weights, and those of the activations, which the first layer has no use for.
    model = 3 * sum(FORWARD) - FORWARD[0]
    assert own.model_macs == batch * model
    assert (own.batch, own.microbatch, own.microbatches) == (batch, microbatch, batch // microbatch)
    assert own.hardware_macs == own.model_macs  # every layer ends where the next begins: its input is kept
    assert [(phase.name, phase.repeats) for phase in own.tasks[0].phases] == [
        ("forward and backward", batch // microbatch),
        ("update", 1),
    ]


@pytest.mark.parametrize("depth", [1, 2])
def test_what_is_computed_again_is_part_of_the_forward_pass(depth: int) -> None:
    more = pipeline(depth) if depth > 1 else {}
    (kept,), (again,) = (
        planned(models=("gpt",), workload={"recompute": recompute}, **more)[0].pipelines
        for recompute in ("none", "full")
    )
    repeated = kept.microbatches * sum(o.work.repeated_macs for stage in kept.stages for o in stage.training.operators)
    assert repeated > 0  # scores
    assert kept.model_macs == kept.hardware_macs - repeated == again.model_macs
    forward = kept.microbatches * sum(stage.forward.macs for stage in kept.stages)
    assert 0 < again.hardware_macs - kept.hardware_macs <= forward


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 16), st.integers(1, 16), st.sampled_from((4, 8, 32)), st.sampled_from((7, 70, 900)))
def test_costs_of_the_baseline_are_the_next_thousandths(tensor: int, vector: int, dim: int, gbps: int) -> None:
    own, using = design(tensor, vector, dim=dim, gbps=gbps), technology()
    costs = baseline_costs(own, using)
    for rounded, exact in zip(costs, (area_mm2(own, using), tdp_w(own, using)), strict=True):
        assert exact <= rounded < exact + 0.001 * (1 + 1e-6)
        assert rounded == round(rounded, 3)


@pytest.mark.parametrize("change", [{"mode": "common"}, {"mode": "homogeneous"}, {"objective": "throughput-per-tdp"}])
def test_inputs_that_were_read_serve_another_study(change: dict[str, Any]) -> None:
    keys: dict[str, Any] = {"models": ("mlp", "gpt"), **pipeline(2)}
    other = study(**keys, **change)
    plan = make_plan(other, read_inputs(study(**keys)))
    assert plan.study is other
    anew = plan_of(other)
    assert (plan.devices, plan.limits, plan.baseline, plan.template) == (
        anew.devices,
        anew.limits,
        anew.baseline,
        anew.template,
    )
    for own, again in zip(plan.pipelines, anew.pipelines, strict=True):
        assert (own.memory, own.transfer_s, own.tied_s) == (again.memory, again.transfer_s, again.tied_s)
        figures = [[(t.name, t.macs, t.memory_bytes, t.microbatches) for t in p.tasks] for p in (own, again)]
        assert figures[0] == figures[1]


@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("models", [("mlp",), ("gpt", "mlp")])
@pytest.mark.parametrize("deployment", ["time-shared", "concurrent"])
def test_devices_are_shared_over_time_or_summed(depth: int, models: tuple[str, ...], deployment: str) -> None:
    more = pipeline(depth) if depth > 1 else {}
    plan, _ = planned(models=models, mode="common", deployment=deployment, **more)
    assert plan.devices == depth * (1 if deployment == "time-shared" else len(models))
    assert [p.name for p in plan.pipelines] == list(models)


@pytest.mark.parametrize("model", ["mlp", "gpt"])
@pytest.mark.parametrize("operator_split", ["even", "none"])
def test_stages_are_cut_where_the_slowest_costs_least(model: str, operator_split: str) -> None:
    alone, _ = planned(models=(model,), operator_split=operator_split)
    cost = _layer_cost(alone.pipelines[0].stages[0].training, alone.study, alone.inputs)
    for depth in range(2, len(cost) + 1):
        piped, _ = planned(models=(model,), operator_split=operator_split, **pipeline(depth))

        def slowest(cuts: tuple[int, ...]) -> float:
            ends = [0, *cuts, len(cost)]
            return max(sum(cost[a:b]) for a, b in pairwise(ends))

        cuts = tuple(stage.layers[0] for stage in piped.pipelines[0].stages[1:])
        assert cuts == balance(cost, depth)
        assert slowest(cuts) == pytest.approx(min(map(slowest, combinations(range(1, len(cost)), depth - 1))))


def test_layers_cost_what_the_busiest_part_of_the_baseline_takes() -> None:
    """With twice the cores no layer is slower, and at a bandwidth of nothing every one waits for its bytes alone."""
    plan, _ = planned(models=("gpt",))
    graph = plan.pipelines[0].stages[0].training
    cost = _layer_cost(graph, plan.study, plan.inputs)
    more = replace(plan.inputs, baseline=replace(plan.baseline, tensor_cores=4, vector_cores=2))
    wider = _layer_cost(graph, plan.study, more)
    assert all(w <= c * (1 + 1e-12) for w, c in zip(wider, cost, strict=True))
    slow, slower = (
        _layer_cost(graph, plan.study, replace(plan.inputs, baseline=replace(plan.baseline, hbm_bytes_per_s=rate)))
        for rate in (2 * 10**6, 10**6)
    )
    assert slower == pytest.approx([2 * c for c in slow])


def test_complaints_of_a_model_name_the_workload_and_its_line(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    with pytest.raises(InputError) as caught:
        loaded_plan(path, models=("mlp", "gpt"), workload={"image": 4})
    (complaint,) = caught.value.complaints
    assert complaint.field == "workloads.1.image"
    assert str(caught.value).startswith(f"{path}:1:")
    with pytest.raises(InputError) as bare:
        plan_of(study(models=("gpt", "mlp"), workload={"image": 4}))
    assert [c.field for c in bare.value.complaints] == ["workloads.0.image"]


def test_residency_needs_somewhere_to_stay() -> None:
    with pytest.raises(InputError, match=r"give accelerator\.shared_sram") as caught:
        plan_of(study(residency="shared-sram"))
    assert [c.field for c in caught.value.complaints] == ["residency"]


def test_a_pipeline_deeper_than_the_model_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    with pytest.raises(InfeasibleError, match="at most 3, the layers of mlp") as caught:
        loaded_plan(path, **pipeline(4))
    assert f"{path}:1:" in str(caught.value)
    assert len(loaded_plan(path, **pipeline(3)).pipelines[0].stages) == 3


def test_precision_masked_tokens_and_operands_reach_the_graphs() -> None:
    def need(line: str, chip: str = "tpuv3-like") -> tuple[PipelinePlan, Memory]:
        text = f"name: a\nworkloads: [{{use: bert-base, sequence: 64, {line}}}]\naccelerator: {{use: {chip}}}\n"
        (pipeline,) = plan_of(validate(load_yaml(text=f"{text}baseline: {chip}\n", name="a"), Study)).pipelines
        return pipeline, pipeline.memory[0]

    mixed, whole = need("batch: 2"), need("batch: 2, masked: 1")
    # 10 of 64 tokens of each sequence have a head: transform, decoder, and both gradients of each
    assert whole[0].model_macs - mixed[0].model_macs == 3 * 2 * 54 * 768 * (768 + 30522)
    pure = need("batch: 2, precision: pure-bf16")[1]
    weights = mixed[1].weights_bytes
    assert (mixed[1].gradients_bytes, mixed[1].optimizer_bytes) == (2 * weights, 6 * weights)
    assert (pure.weights_bytes, pure.gradients_bytes, pure.optimizer_bytes) == (weights, weights, 2 * weights)
    # several microbatches accumulate in the type for that
    for batch, size in ((2, 1), (4, 2)):
        line = f"batch: {batch}, microbatch: 2, precision: {{gradients: bf16, accumulation: fp32}}"
        assert need(line)[1].gradients_bytes == size * weights
    eight = need("batch: 2, dtype: fp8", "h100")[0]
    dtypes = {o.work.dtype for phase in eight.tasks[0].phases for o in phase.graph.operators if o.work.gemm}
    assert dtypes == {"bf16", "fp8"}
    with pytest.raises(InputError, match=r"workloads\.0\.masked: .*not trained on masked tokens"):
        plan_of(
            validate(
                load_yaml(
                    text="name: a\nworkloads: [{use: resnet-18, batch: 1, masked: 0.2}]\n"
                    "accelerator: {use: tpuv3-like}\nbaseline: tpuv3-like\n",
                    name="a",
                ),
                Study,
            )
        )
