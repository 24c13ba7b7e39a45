"""Predicted steps: sums that can be done by hand, and what every term does to them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from accmine.problems.device_placement import check
from accmine.questions.accuracy.training.layers import run_layers, shape_of
from accmine.questions.accuracy.training.machine import ALL, Machine, machine_of
from accmine.questions.accuracy.training.runs import Run, read_runs
from accmine.questions.accuracy.training.step import placed, predict
from accmine.system.collectives import collective_s
from accmine.workload.shard import Collective

SAMPLES = Path(__file__).parents[3] / "data" / "training"
RUN = Run("a", 4, 1024, 16, 512, 51_200, 1, 1, 1, 2, 8, "none", False, 1, 1.0, "")


@pytest.fixture(scope="module")
def machine() -> Machine:
    return machine_of()


def test_one_device_is_a_sum(machine: Machine) -> None:
    layers = run_layers(shape_of(RUN))
    counts = {"embeddings": 1, "layer": 4, "head": 1}
    passes = sum(
        n * (machine.seconds(layers[k].forward) + machine.seconds(layers[k].backward)) for k, n in counts.items()
    )
    updates = sum(n * machine.seconds(layers[k].update) for k, n in counts.items())
    assert predict(RUN, machine) == pytest.approx(4 * passes + updates, rel=1e-8)


def test_replicas_share_the_batch_and_sum_their_gradients(machine: Machine) -> None:
    run = replace(RUN, data=4)
    layers = run_layers(shape_of(run))
    alone = predict(replace(RUN, batch=2), machine)
    sums = sum(
        n * collective_s(machine.cluster, Collective("all-reduce", layers[k].memory.gradients, "data"), 4)
        for k, n in {"embeddings": 1, "layer": 4, "head": 1}.items()
    )
    assert predict(run, machine) == pytest.approx(alone + sums, rel=1e-8)


def test_a_tensor_group_adds_its_collectives(machine: Machine) -> None:
    run = replace(RUN, tensor=2)
    without = predict(run, replace(machine, terms=replace(ALL, tensor=False)))
    reduce = collective_s(machine.cluster, Collective("all-reduce", 2 * 2 * 512 * 1024), 2)
    assert predict(run, machine) - without >= 4 * (4 * 4 + 2) * reduce * (1 - 1e-9)  # 4 layers, embeddings, head


def test_a_pipeline_of_equal_stages_has_its_bubble(machine: Machine) -> None:
    run = replace(RUN, pipeline=2, batch=16)
    bare = replace(machine, terms=replace(ALL, ends=False, messages=False, gradients=False, host=False))
    layer = run_layers(shape_of(run))["layer"]
    stage = 2 * (bare.seconds(layer.forward) + bare.seconds(layer.backward))
    assert predict(run, bare) == pytest.approx((8 + 2 - 1) * stage + 2 * bare.seconds(layer.update), rel=1e-8)


@pytest.mark.parametrize("term", ["gradients", "pipeline", "ends", "uneven", "update", "messages", "tensor", "host"])
def test_no_term_makes_a_step_shorter(machine: Machine, term: str) -> None:
    run = replace(RUN, tensor=2, pipeline=2, data=2, batch=16, layers=8)
    assert predict(run, replace(machine, terms=replace(ALL, **{term: False}), known={})) <= predict(run, machine) * (
        1 + 1e-9
    )


def test_runs_are_valid_placements(machine: Machine) -> None:
    for file in ("megatron_sc21_table1.csv", "recompute_korthikanti_table5.csv", "vtrain_single_node.csv"):
        for run in read_runs(SAMPLES / file):
            problem, solution = placed(run, machine)
            assert len(solution.stages) == run.pipeline * run.chunks
            assert check(replace(problem, memory_bytes=1 << 60), solution) == ()


def test_published_steps_are_met(machine: Machine) -> None:
    for file in ("megatron_sc21_table1.csv", "recompute_korthikanti_table5.csv"):
        for run in read_runs(SAMPLES / file):
            assert abs(predict(run, machine) / run.seconds - 1) < 0.1, run.name
