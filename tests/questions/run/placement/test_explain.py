"""What a step is made of: parts sum to it, memory is what the check counts, and the timeline is drawn."""

from __future__ import annotations

import pytest

from accmine.problems import device_placement
from accmine.problems.design_placement.rules import check, makespans
from accmine.problems.design_placement.times import placed_problem
from accmine.problems.device_placement.memory import stage_bytes
from accmine.questions.run.placement.explain import placement_lanes, stage_rows, step_parts
from accmine.report import perfetto
from tests.samples.placed_study_sample import placement_plan, some_solution


@pytest.mark.parametrize(
    ("variant", "stages", "data", "zero"), [(0, 1, 1, 0), (1, 2, 2, 0), (3, 2, 2, 1), (2, 2, 1, 3)]
)
def test_the_parts_sum_to_the_step(variant: int, stages: int, data: int, zero: int) -> None:
    problem = placement_plan(parallel={"zero": [zero]}).problem
    solution = some_solution(problem, variant=variant, stages=stages, data=data)
    assert check(problem, solution) == ()
    placed, own = placed_problem(problem, solution, makespans(problem, solution)), solution.placement
    step = device_placement.shown(placed, device_placement.score(placed, own))
    parts, rows = step_parts(placed, own), stage_rows(placed, own)
    assert parts.step_s == pytest.approx(step)
    assert min(parts.compute_s, parts.update_s) > 0
    assert min(parts.bubble_s, parts.messages_s, parts.collectives_s, parts.gradient_s) >= -1e-12
    assert (parts.collectives_s > 0) == (problem.variants[variant].shard.tensor > 1)
    assert (parts.gradient_s > 0) == (data > 1 or stages > 1)  # the ends of a pipeline sum a tied table
    assert (parts.messages_s > 0) == (parts.bubble_s > 1e-9) == (stages > 1)
    assert [row.layers for row in rows] == [len(plan.layers) for plan in own.stages]
    for row, plan in zip(rows, own.stages, strict=True):
        options = [placed.layers[layer].options[0] for layer in plan.layers]
        assert row.memory.total == stage_bytes(placed, options, row.memory.in_flight, data, zero)


def test_the_timeline_has_a_track_for_each_stage_and_link() -> None:
    problem = placement_plan().problem
    solution = some_solution(problem, stages=3, data=1)
    placed = placed_problem(problem, solution, makespans(problem, solution))
    lanes = placement_lanes(placed, solution.placement)
    tracks = list(dict.fromkeys((lane.process, lane.thread) for lane in lanes))
    assert [thread for _, thread in tracks] == [
        *("stage 0", "stage 1", "stage 2"),
        *("stage 0 → 1", "stage 1 → 0", "stage 1 → 2", "stage 2 → 1"),
    ]
    assert sum(lane.thread == "stage 0 → 1" for lane in lanes) == 16  # a message for each microbatch
    assert perfetto(lanes)["traceEvents"]
    step = device_placement.shown(placed, device_placement.score(placed, solution.placement))
    assert max(lane.end_s for lane in lanes) == pytest.approx(step)


@pytest.mark.parametrize(("schedule", "chunks"), [("interleaved", 3), ("zb-h1", 1)])
def test_chunks_and_split_backward_passes(schedule: str, chunks: int) -> None:
    parallel = {"schedule": schedule, **({"chunks": chunks} if chunks > 1 else {})}
    problem = placement_plan(parallel=parallel).problem
    solution = some_solution(problem, stages=2 * chunks, data=2)
    assert check(problem, solution) == ()
    placed, own = placed_problem(problem, solution, makespans(problem, solution)), solution.placement
    step = device_placement.shown(placed, device_placement.score(placed, own))
    parts = step_parts(placed, own)
    assert parts.step_s == pytest.approx(step)
    assert min(parts.bubble_s, parts.messages_s) > 0
    assert perfetto(placement_lanes(placed, own))["traceEvents"]
