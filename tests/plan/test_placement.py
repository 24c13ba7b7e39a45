"""From a study to the problem of its placement: variants, limits of a chip, what does not fit the model."""

from __future__ import annotations

from typing import Any

import pytest

from accmine.errors import InfeasibleError, InputError
from accmine.hardware.technology import area_mm2, tdp_w
from accmine.plan import make_plan, placement_of
from accmine.problems.design_placement import problem_on
from accmine.problems.device_placement import ORDERS, Pipelining
from accmine.study import read_inputs
from tests.samples.placed_study_sample import loaded, placed_text, placement_plan


def test_variants_are_all_ways_to_divide_and_run() -> None:
    plan = placement_plan(workload={"microbatch": [1, 2], "recompute": ["none", "full"]})
    ways = [(v.shard.tensor, v.shard.sequence_parallel, v.microbatch, v.recompute) for v in plan.problem.variants]
    assert len(ways) == len(set(ways)) == 3 * 2 * 2  # sequence parallel with tensor 2 only
    assert {v.layers for v in plan.problem.variants} == {6}


def test_every_operator_of_every_variant_has_costs() -> None:
    problem = placement_plan().problem
    for variant in problem.variants:
        for c in variant.classes:
            for graph in (c.forward, c.backward, c.update):
                assert len(problem.library.index(graph)) == len(graph.works)


def test_the_macs_are_those_of_the_whole_model_whatever_is_decided() -> None:
    plan = placement_plan()
    whole = next(v for v in plan.problem.variants if (v.shard.tensor, v.microbatch) == (1, 2))
    assert plan.model_macs == 8 * sum(len(c.layers) * c.macs for c in whole.classes)


def test_auto_takes_powers_of_two_of_the_innermost_level() -> None:
    degrees = [v.shard.tensor for v in placement_plan(parallel={"tensor": "auto"}).problem.variants]
    assert sorted(set(degrees)) == [1, 2]


@pytest.mark.parametrize(
    ("limits", "share"),
    [
        ({"device_limits": {"area": "600 mm^2", "tdp": "500 W"}}, (600.0, 500.0)),
        ({"device_limits": {"area": "600 mm^2"}, "limits": {"area": "4000 mm^2", "tdp": "800 W"}}, (500.0, 100.0)),
    ],
)
def test_limits_of_a_chip_are_its_own_or_its_share(limits: dict[str, Any], share: tuple[float, float]) -> None:
    problem = placement_plan(**limits).problem
    assert (problem.area_mm2, problem.tdp_w) == share


def test_the_baseline_is_first_where_it_is_allowed_and_always_a_reference() -> None:
    plan = placement_plan()
    assert plan.problem.first == (plan.inputs.baseline,)
    ((_, reference),) = plan.references
    assert list(reference.first) == [plan.inputs.baseline]
    assert reference.template.size == 1
    own = area_mm2(plan.inputs.baseline, plan.problem.technology), tdp_w(plan.inputs.baseline, plan.problem.technology)
    tight = placement_plan(device_limits={"area": f"{own[0] - 1} mm^2"})
    assert plan.inputs.baseline not in tight.problem.first
    assert all(area_mm2(d, plan.problem.technology) <= own[0] - 1 for d in tight.problem.first)


def test_degrees_and_schedules_of_the_study() -> None:
    problem = placement_plan(
        parallel={"pipeline": [2, 3], "data": 2, "zero": [0, 1], "schedule": ["gpipe", "1f1b"]}
    ).problem
    assert (problem.pipeline, problem.data, problem.zero) == ((2, 3), (2,), (0, 1))
    assert problem.pipelinings == (Pipelining("gpipe"), Pipelining("1f1b"))
    assert problem.orders == ORDERS
    order = ["data", "tensor", "pipeline"]
    assert placement_plan(parallel={"order": order}).problem.orders == (tuple(order),)


def test_replicas_that_cannot_share_one_microbatch_are_left_to_the_others() -> None:
    """A batch of 16: 8 replicas have no part of 4 microbatches, and 4 no part of 2."""
    plan = placement_plan(
        workload={"microbatch": [1, 4, 8]}, system={"devices": 16, "cluster": "pcie-ring"}, parallel={"data": [8, 4]}
    )
    problem = plan.problem
    assert {v.microbatch for v in problem.variants} == {1, 4}
    allowed = {v.microbatch: problem_on(problem, v, 2**34, [(1.0, 1.0, 1.0)] * v.layers).data for v in problem.variants}
    assert allowed == {1: (8, 4), 4: (4,)}


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"parallel": {"tensor": [1, 8]}}, r"tiny.yaml:1:\d+: parallel.tensor: 8 devices do not divide 4 heads"),
        (
            {"system": {"devices": 4096, "cluster": "pcie-ring"}, "parallel": {"tensor": 3}},
            "parallel.tensor: 3 devices",
        ),
        ({"workload": {"use": "resnet-50"}}, "workloads.0.use: resnet-50 is no transformer"),
    ],
)
def test_what_does_not_fit_the_model_names_its_place(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        placement_of(loaded(placed_text(**keys)))


@pytest.mark.parametrize(
    ("parallel", "message"),
    [
        ({"data": [1, 16]}, r"tiny.yaml:1:\d+: parallel.data: 16 replicas of 1 devices or more: the study has 8"),
        ({"pipeline": [1, 6], "tensor": 2}, r"tiny.yaml:1:\d+: parallel.pipeline: 6 stages of 2 devices or more"),
        (
            {"pipeline": 3, "data": 1, "schedule": "interleaved", "chunks": 2},
            r"tiny.yaml:1:\d+: parallel.schedule: interleaved with 2 chunks: no replica has microbatches that fill",
        ),
    ],
)
def test_degrees_that_no_plan_takes_are_named(parallel: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        placement_of(loaded(placed_text(parallel=parallel)))


def test_a_variant_has_the_degrees_that_it_can_take() -> None:
    """8 replicas share 16 microbatches of 1, but not 2 of 8: that is no reason to refuse the study."""
    problem = placement_plan(workload={"microbatch": [1, 8, 16]}, parallel={"data": [2, 8]}).problem
    own = [
        (v.microbatch, v.shard.tensor, problem_on(problem, v, 1, [(1.0, 1.0, 1.0)] * v.layers).data)
        for v in problem.variants
        if not v.shard.sequence_parallel
    ]
    assert own == [(1, 1, (2, 8)), (8, 1, (2,)), (1, 2, (2,)), (8, 2, (2,))]


def test_fewer_devices_in_the_cluster() -> None:
    text = placed_text().replace('"devices": 8', '"devices": 16')
    with pytest.raises(InputError, match=r"tiny.yaml:1:\d+: system.cluster: 16 devices are disconnected"):
        placement_of(loaded(text))


def test_more_stages_than_layers() -> None:
    with pytest.raises(
        InfeasibleError, match=r"parallel.pipeline: 7 \(tiny.yaml:1:\d+\) -> at most 6, the layers of deep"
    ):
        placement_of(loaded(placed_text(parallel={"pipeline": [2, 7]})))


def test_other_questions_refuse_a_study_whose_placement_is_open() -> None:
    asked = loaded(placed_text())
    with pytest.raises(InputError, match="to be decided"):
        make_plan(asked.study, read_inputs(asked))
