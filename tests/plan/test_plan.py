"""The plan: a study's words as tasks, groups, limits and transfers."""

from __future__ import annotations

from itertools import pairwise
from math import inf
from typing import Any

import numpy as np
import pytest

from accmine.errors import InfeasibleError
from accmine.hardware import load_accelerator
from accmine.hardware.technology import area_mm2, tdp_w
from accmine.plan import plan_of
from accmine.problems.design_search import evaluate
from accmine.system import SCHEDULES, load_cluster
from accmine.workload import memory
from tests.samples.search_sample import folder, pipeline, planned, study


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("model", ["mlp", "gpt"])
def test_stages_cover_every_layer_and_every_operator(model: str, depth: int) -> None:
    more = pipeline(depth) if depth > 1 else {}
    plan, _ = planned(models=(model,), **more)
    whole, _ = planned(models=(model,))
    (own,), (one,) = plan.pipelines, whole.pipelines
    layers = [stage.layers for stage in own.stages]
    assert layers[0][0] == 0
    assert layers[-1][1] == len(one.stages[0].training.layers)
    assert all(a[1] == b[0] for a, b in pairwise(layers))
    assert sum(task.macs for task in plan.tasks) == sum(task.macs for task in whole.tasks) == own.hardware_macs
    repeated = sum(o.work.repeated_macs for stage in own.stages for o in stage.training.operators)
    assert own.model_macs == own.hardware_macs - own.microbatches * repeated
    assert (repeated > 0) == (model == "gpt")
    names = [o.name for task in plan.tasks for phase in task.phases for o in phase.graph.operators]
    single = [o.name for task in whole.tasks for phase in task.phases for o in phase.graph.operators]
    assert set(names) == set(single)


def test_phases_and_repeats() -> None:
    alone, _ = planned()
    assert [(p.name, p.repeats) for p in alone.tasks[0].phases] == [("forward and backward", 2), ("update", 1)]
    piped, _ = planned(**pipeline(2))
    for task in piped.tasks:
        assert [(p.name, p.repeats) for p in task.phases] == [("forward", 2), ("backward", 2), ("update", 1)]
        phases = {o.phase for p in task.phases for o in p.graph.operators}
        assert phases == {"forward", "backward", "update"}
    assert [task.name for task in piped.tasks] == ["mlp/stage0", "mlp/stage1"]


@pytest.mark.parametrize("cluster", ["point-to-point", "pcie-ring"])
def test_transfers_are_the_bytes_over_the_link(cluster: str) -> None:
    plan, _ = planned(models=("gpt",), system={"cluster": cluster}, parallel={"pipeline": 2})
    (own,) = plan.pipelines
    link = load_cluster(cluster)
    (there, back) = own.transfer_s[0]
    first, second = own.stages
    activations = 4 * 8 * 32 * 2  # samples of a microbatch, tokens, width, bytes of bf16
    assert first.sends_forward_bytes == second.sends_backward_bytes == activations
    assert there == back == link.transfer_s(activations) > 0
    assert first.tied_bytes == second.tied_bytes == 48 * 32 * 4  # fp32 gradients of the embedding, the head as well
    assert own.tied_s == tuple(link.transfer_s(stage.tied_bytes) for stage in own.stages)
    assert len(own.transfer_s) == len(own.stages) - 1


def test_a_stage_sends_tied_gradients_before_its_update() -> None:
    plan, _ = planned(models=("gpt",), **pipeline(2))
    (own,) = plan.pipelines
    assert own.tied_s[0] > 0
    assert own.times(0, (1.0, 2.0, 3.0)) == (1.0, 2.0, 3.0 + own.tied_s[0])
    alone, _ = planned()
    assert alone.pipelines[0].times(0, (1.0, 3.0)) == (1.0, 0.0, 3.0)
    assert alone.pipelines[0].step_s([(1.0, 3.0)]) == 2 * 1.0 + 3.0


@pytest.mark.parametrize("schedule", ["gpipe", "1f1b"])
@pytest.mark.parametrize("recompute", ["none", "full"])
def test_memory_per_stage(schedule: str, recompute: str) -> None:
    plan, _ = planned(models=("gpt",), workload={"batch": 16, "recompute": recompute}, **pipeline(2, schedule=schedule))
    (own,) = plan.pipelines
    assert own.microbatches == 4
    for s, (stage, need, task) in enumerate(zip(own.stages, own.memory, own.tasks, strict=True)):
        assert need.in_flight == SCHEDULES[schedule].held(s, 2, 4) == (4 if schedule == "gpipe" else 2 - s)
        assert need == memory(stage.training, in_flight=need.in_flight)
        assert task.memory_bytes == need.total_bytes
    repeated = sum(o.work.repeated_macs for stage in own.stages for o in stage.training.operators)
    own_macs = own.model_macs + own.microbatches * repeated
    assert own.hardware_macs > own_macs if recompute == "full" else own.hardware_macs == own_macs


@pytest.mark.parametrize("schedule", ["gpipe", "1f1b"])
def test_one_device_holds_one_microbatch_whatever_the_schedule(schedule: str) -> None:
    plan, _ = planned(workload={"batch": 16}, parallel={"schedule": schedule})
    assert [need.in_flight for need in plan.pipelines[0].memory] == [1]


GROUPS: list[tuple[str, int, tuple[str, ...], list[list[tuple[int, int]]]]] = [
    ("common", 1, ("mlp", "gpt"), [[(0, 0), (1, 0)]]),
    ("homogeneous", 1, ("mlp", "gpt"), [[(0, 0)], [(1, 0)]]),
    ("heterogeneous", 1, ("mlp", "gpt"), [[(0, 0)], [(1, 0)]]),
    ("common", 2, ("mlp", "gpt"), [[(0, 0), (0, 1), (1, 0), (1, 1)]]),
    ("homogeneous", 2, ("mlp", "gpt"), [[(0, 0), (0, 1)], [(1, 0), (1, 1)]]),
    ("heterogeneous", 2, ("mlp", "gpt"), [[(0, 0)], [(0, 1)], [(1, 0)], [(1, 1)]]),
    ("heterogeneous", 1, ("mlp",), [[(0, 0)]]),
]


@pytest.mark.parametrize(("mode", "depth", "models", "expected"), GROUPS)
def test_groups(mode: str, depth: int, models: tuple[str, ...], expected: list[list[tuple[int, int]]]) -> None:
    more = pipeline(depth) if depth > 1 else {}
    plan, _ = planned(models=models, mode=mode, **more)
    groups = plan.groups(mode)
    assert [list(g.members) for g in groups] == expected
    assert len({g.name for g in groups}) == len(groups)
    shared = mode == "common"
    assert plan.devices == (depth if shared else depth * len(models))


def test_concurrent_workloads_count_every_device() -> None:
    plan, _ = planned(models=("mlp", "gpt"), mode="common", deployment="concurrent", **pipeline(2))
    assert plan.devices == 4


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_limits_of_the_baseline_admit_the_baseline(depth: int) -> None:
    more = pipeline(depth) if depth > 1 else {}
    limits = {"area": "baseline", "tdp": "baseline"}
    plan, library = planned(models=("gpt",), mode="common", limits=limits, device_limits=limits, **more)
    area, tdp = area_mm2(plan.baseline, plan.technology), tdp_w(plan.baseline, plan.technology)
    assert depth * area <= plan.area_mm2 <= depth * (area + 1e-3)
    assert depth * tdp <= plan.tdp_w <= depth * (tdp + 1e-3)
    assert area <= plan.device_area_mm2
    from accmine.problems.design_search.space_bound import block_of
    from accmine.search import search_problem

    problem = search_problem(plan, plan.groups("common")[0], 1, library)
    assert plan.template.contains(plan.baseline)
    block = block_of(problem, plan.baseline)
    at = plan.template.tensor_cores.index(2), plan.template.vector_cores.index(1)
    assert block.fits[at]
    assert evaluate(problem, plan.baseline, [[1] * len(t.phases) for t in plan.tasks]).area_mm2 == area


def test_without_limits_only_the_reticle_counts() -> None:
    plan, _ = planned()
    assert (plan.area_mm2, plan.tdp_w, plan.device_area_mm2, plan.device_tdp_w) == (inf, inf, 858.0, inf)
    assert plan.floor == 0.0
    assert planned(objective="throughput-per-tdp")[0].floor == 1.0


def test_the_library_has_splits_for_the_template_and_for_the_baseline() -> None:
    assert planned()[1].splits == (1, 2, 3, 4)
    assert planned(operator_split="powers")[1].splits == (1, 2, 4)
    assert planned(operator_split="none")[1].splits == (1,)
    wide = folder() / "wide.yaml"
    wide.write_text((folder() / "base.yaml").read_text().replace("vector_cores: 1", "vector_cores: 16"))
    assert load_accelerator(wide).vector_cores == 16
    assert plan_of(study(baseline=str(wide))).library().splits == tuple(range(1, 17))
    powers = study(baseline=str(wide), operator_split="powers")
    assert plan_of(powers).library().splits == (1, 2, 4, 8, 16)


@pytest.mark.parametrize("rule", ["even", "powers", "none"])
@pytest.mark.parametrize("fusion", ["elementwise", "paired"])
def test_a_design_costs_the_same_alone_and_in_a_space(rule: str, fusion: str) -> None:
    keys: dict[str, Any] = {"operator_split": rule, "workload": {"fusion": fusion}}
    alone, among = (
        planned(space=space, **keys) for space in ({}, {"tensor_cores": [1, 2, 5, 7, 12], "vector_cores": [1, 6]})
    )
    chip = alone[0].baseline
    first = dict(zip(alone[1].works, alone[1].modes(chip), strict=True))
    for work, modes in zip(among[1].works, among[1].modes(chip), strict=True):
        assert np.array_equal(modes.duration, first[work].duration)
        assert np.array_equal(modes.uses, first[work].uses)


@pytest.mark.parametrize("depth", [1, 2])
def test_sketches_are_the_same_work_in_fewer_operators(depth: int) -> None:
    more = pipeline(depth) if depth > 1 else {}
    plan, library = planned(models=("gpt",), workload={"attention": "materialised"}, **more)
    (own,) = plan.pipelines
    size, coarse = (sum(len(p.graph) for task in tasks for p in task.phases) for tasks in (own.tasks, own.sketch))
    assert coarse < size
    for task, sketch in zip(own.tasks, own.sketch, strict=True):
        assert (sketch.name, sketch.macs, sketch.memory_bytes) == (task.name, task.macs, task.memory_bytes)
        assert [(p.name, p.repeats) for p in sketch.phases] == [(p.name, p.repeats) for p in task.phases]
        assert all(work in library.works for p in sketch.phases for work in p.graph.works)
    for keys in ({"models": ("mlp",)}, {"models": ("gpt",)}, {"models": ("gpt",), "workload": {"split": "none"}}):
        same, _ = planned(**keys)
        assert same.pipelines[0].sketch == same.pipelines[0].tasks
    for same in (planned(models=("gpt",), operator_split="none", workload={"split": "heads"})[0],):
        assert same.pipelines[0].sketch == same.pipelines[0].tasks


def test_own_stage_boundaries_are_taken() -> None:
    plan, _ = planned(models=("mlp",), **pipeline(2, stages=[1]))
    assert plan.pipelines[0].stages[0].layers == (0, 1)


def test_a_pipeline_deeper_than_the_model_is_refused() -> None:
    with pytest.raises(InfeasibleError, match="at most 3, the layers of mlp"):
        plan_of(study(**pipeline(64)))


def test_balanced_stages_are_no_worse_than_any_other_cut() -> None:
    from accmine.plan.build import _layer_cost
    from accmine.workload import balance

    plan, _ = planned(models=("gpt",))
    (stage,) = plan.pipelines[0].stages
    cost = _layer_cost(stage.training, plan.study, plan.inputs)
    assert len(cost) == len(stage.training.layers)
    assert all(c >= 0 for c in cost)
    (cut,) = balance(cost, 2)
    assert max(sum(cost[:cut]), sum(cost[cut:])) == min(max(sum(cost[:c]), sum(cost[c:])) for c in range(1, len(cost)))
    more: dict[str, Any] = pipeline(2)
    piped, _ = planned(models=("gpt",), **more)
    assert piped.pipelines[0].stages[1].layers[0] == cut


def test_a_balanced_cut_that_is_asked_for_is_the_plan_of_a_pipeline() -> None:
    """What a pipeline of one device for each stage was before its keys stood in ``parallel``."""
    plain, _ = planned(models=("gpt",), **pipeline(2))
    asked, _ = planned(models=("gpt",), **pipeline(2, stages="balanced"))
    (one,), (other,) = plain.pipelines, asked.pipelines
    assert [stage.layers for stage in one.stages] == [stage.layers for stage in other.stages]
    assert (one.transfer_s, one.tied_s, one.memory) == (other.transfer_s, other.tied_s, other.memory)
    assert [task.signature for task in one.tasks] == [task.signature for task in other.tasks]
    assert (plain.reference_s, plain.devices) == (asked.reference_s, asked.devices) == (plain.reference_s, 2)
