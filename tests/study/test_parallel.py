"""Keys of parallel and system: what is decided and what is given, and what does not go together."""

from __future__ import annotations

import pytest

from accmine.files import load_yaml, validate
from accmine.study import Study, effective
from tests.study.test_study import MINIMAL, complaint, read

PLACED = MINIMAL + "system: {devices: 16, cluster: pcie-ring}\nparallel: {tensor: [1, 2], pipeline: auto, data: auto}\n"


@pytest.mark.parametrize(
    ("change", "placed"),
    [
        ("parallel.pipeline=4", False),
        ("parallel={pipeline: 4, stages: balanced}", False),
        ("parallel={pipeline: 4, schedule: gpipe}", False),
        ("parallel={pipeline: 4, stages: auto}", True),
        ("parallel.tensor=2", True),
        ("parallel.data=2", True),
        ("parallel.zero=1", True),
        ("parallel.pipeline=auto", True),
        ("parallel.schedule=[gpipe, 1f1b]", True),
        ("workloads.0.microbatch=[1, 2]", True),
        ("workloads.0.microbatch=[2]", False),
        ("workloads.0.recompute=[none, full]", True),
    ],
)
def test_a_study_is_placed_where_something_is_open(change: str, placed: bool) -> None:
    more = ["system.devices=8"] if placed else []
    study = read(MINIMAL, "system.cluster=pcie-ring", "workloads.0.microbatch=4", change, *more)
    assert study.placed is placed
    assert study.mode == ("homogeneous" if placed else "heterogeneous")


def test_a_placed_study_written_out_is_itself() -> None:
    study = read(PLACED, "workloads.0.microbatch=[1, 2]", "parallel.order=[tensor, pipeline, data]")
    assert validate(load_yaml(text=effective(study)), Study) == study
    assert study.parallel.order == ("tensor", "pipeline", "data")


@pytest.mark.parametrize("key", ["pipeline", "schedule", "stages"])
def test_old_keys_of_the_system_say_where_they_went(key: str) -> None:
    text = MINIMAL + f"system:\n  {key}: 1\n"
    said = complaint(text)
    assert said.startswith(f"t.yaml:{text.count(chr(10))}:"), said
    assert f"system.{key}: has moved: write parallel.{key}" in said


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("parallel.tensor=0", "must be at least 1"),
        ("parallel.tensor=many", "allowed: a number, a list of numbers, or auto"),
        ("parallel.pipeline=[2, 2]", "names 2 twice"),
        ("parallel.zero=4", "must be 0, 1, 2 or 3"),
        ("parallel.order=[tensor, data]", "tensor, data, pipeline in some order"),
        ("parallel.schedule=2f2b", "must be one of gpipe, 1f1b"),
        ("parallel.sequence_parallel=perhaps", "must be true, false or auto"),
        ("parallel.overlap.gradients=1.5", "must be less than or equal to 1"),
        ("parallel.chunks=2", "belongs to schedule: interleaved"),
        ("parallel.stages=balanced", "the cut is decided with the placement"),
        ("parallel={tensor: 4, pipeline: 4, data: 2}", "at least 32"),
        ("system={devices: 16}", "system.cluster: is required"),
        ("system={cluster: pcie-ring}", "system.devices: is required"),
        ("parallel.data=48", "48 replicas cannot share the batch of 64"),
        ("mode=heterogeneous", "allowed: homogeneous"),
        ("objective=throughput-per-tdp", "allowed: throughput"),
        ("residency=shared-sram", "allowed: none"),
        ("search.top_k=3", "search: has no effect"),
        ("cost={use: zigzag, cache: x.csv}", "allowed: model, table"),
        ("workloads.0.microbatch=[1, 3]", "3 does not divide the batch of 64"),
        ("workloads.0.recompute=[none, some]", "must be one of none, selective, full"),
        ("recompute_per_stage=true", "unknown key"),
        ("budget={deterministic: true}", "budget.deterministic: a search for placements ends by the clock"),
        ("budget.seconds=null", "budget.seconds: a search for placements ends by the clock"),
        ("budget.work=3", "budget.work: a search for placements ends by the clock"),
        ("system.pipeline=2", "system.pipeline: has moved: write parallel.pipeline"),
    ],
)
def test_refuses(change: str, message: str) -> None:
    said = complaint(PLACED, change)
    assert message in said
    assert said.startswith(("--set ", "t.yaml:")), said


def test_two_models_are_not_placed_together() -> None:
    two = PLACED.replace("batch: 64}", "batch: 64}, {use: bert-base, batch: 8}")
    assert "workloads.1: one model is placed at a time" in complaint(two)


FIXED = "parallel={tensor: 2, pipeline: 2, data: 4}"


def test_devices_are_the_product_of_fixed_degrees() -> None:
    assert read(MINIMAL, "system.cluster=pcie-ring", "workloads.0.microbatch=1", FIXED).devices == 16
