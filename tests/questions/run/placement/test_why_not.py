"""Why nothing fits: the least memory is that of a brute force over cuts, and every remedy works alone."""

from __future__ import annotations

import json
from itertools import combinations
from typing import Any

import pytest

from accmine.errors import InfeasibleError
from accmine.files import parse_quantity
from accmine.plan import PlacementPlan, make_placement
from accmine.problems.design_placement import Problem, problem_on
from accmine.problems.device_placement.memory import held_microbatches, stage_bytes
from accmine.questions.run.placement.flow import solve_placement
from accmine.questions.run.placement.why_not import hopeless, least_bytes, why_not
from accmine.study import read_inputs
from tests.samples.placed_study_sample import loaded, placed_text, placement_plan


def brute(problem: Problem) -> int:
    """Least over variants, plans and cuts of the fullest device."""
    found = []
    for variant in problem.variants:
        placed = problem_on(problem, variant, 1, [(0.0, 0.0, 0.0)] * variant.layers)
        options, layers = [layer.options[0] for layer in placed.layers], variant.layers
        for stages in problem.pipeline or range(1, layers + 1):
            most = min(problem.devices // (stages * variant.shard.tensor), placed.microbatches)
            for data in [d for d in problem.data or range(1, most + 1) if d <= most]:
                held = [
                    held_microbatches(problem.pipelinings[0], s, stages, -(-placed.microbatches // data))
                    for s in range(stages)
                ]
                for cut in combinations(range(1, layers), stages - 1):
                    ends = [0, *cut, layers]
                    found += [
                        max(
                            stage_bytes(placed, options[ends[s] : ends[s + 1]], held[s], data, zero)
                            for s in range(stages)
                        )
                        for zero in problem.zero
                    ]
    return min(found)


@pytest.mark.parametrize(
    "keys",
    [
        {"workload": {"microbatch": 2}},
        {"workload": {"microbatch": 1, "recompute": ["none", "full"]}, "parallel": {"zero": [0, 2], "data": [1, 2]}},
        {"workload": {"microbatch": 4}, "parallel": {"pipeline": [2, 3], "schedule": "gpipe"}},
    ],
)
def test_the_least_memory_is_that_of_a_brute_force(keys: dict[str, Any]) -> None:
    problem = placement_plan(**keys).problem
    assert least_bytes(problem) == pytest.approx(brute(problem), rel=3e-4)


BIG: dict[str, Any] = {
    "workload": {"batch": 1 << 16, "microbatch": 1 << 15},
    "parallel": {"tensor": 1, "data": 1, "pipeline": [1, 2]},
}


def cramped(hbm: str = "600 MiB", **more: Any) -> PlacementPlan:
    accelerator = {**json.loads(placed_text())["accelerator"], "hbm": hbm}
    return placement_plan(**{**BIG, "accelerator": accelerator, **more})


def test_every_remedy_of_memory_works_alone() -> None:
    plan = cramped()
    error = why_not(plan)
    assert error.conflict[0].startswith("accelerator.hbm: ")
    remedies = dict(text.split(": ", 1) for text in error.remedy)
    assert {"accelerator.hbm", "workloads.0.recompute"} <= set(remedies)
    most = max(plan.problem.template.hbm_bytes)
    assert least_bytes(plan.problem) > most
    need = least_bytes(plan.problem)
    told = parse_quantity(remedies["accelerator.hbm"].removeprefix("at least "), "bytes")
    assert need <= told < need + 2**20
    full = cramped(workload={**BIG["workload"], "recompute": remedies["workloads.0.recompute"].split()[0]})
    assert least_bytes(full.problem) <= most


def test_a_run_says_so() -> None:
    with pytest.raises(InfeasibleError, match="no placement of deep fits"):
        solve_placement(cramped(budget={"seconds": 10, "workers": 1}), lambda *_: None)


@pytest.mark.parametrize(
    "limits", [{"device_limits": {"area": "300 mm^2"}}, {"limits": {"area": "none", "tdp": "80 W"}}]
)
def test_limits_of_cost_name_the_least_that_works(limits: dict[str, Any]) -> None:
    error = why_not(placement_plan(**limits))
    (conflict,), (remedy,) = error.conflict, error.remedy
    key, _, value = remedy.partition(": at least ")
    assert conflict.startswith(key)
    section, name = key.split(".")
    changed = loaded(placed_text(**{section: {name: value}}))
    problem = make_placement(changed.study, read_inputs(changed)).problem
    assert not hopeless(problem)
    assert hopeless(placement_plan(**limits).problem)
