"""Objective, check and bound of a placement, by hand and against each other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from accmine.problems.device_placement import (
    Edge,
    Layer,
    Option,
    Pipelining,
    Problem,
    Solution,
    StagePlan,
    bound,
    check,
    impossible,
    score,
    shown,
    shown_bound,
    stage_times,
)
from accmine.problems.device_placement.numbers import numbers
from accmine.solving import solve
from accmine.system import Cluster, Level
from accmine.workload.shard import Collective
from tests.samples.device_placement_sample import random_placement

CLUSTER = Cluster("two levels", (Level("node", 2, 10.0, 0.5), Level("all", 8, 4.0, 1.0)))


def problem(**changes: Any) -> Problem:
    option = Option(
        2, "none", 3.0, 5.0, 4.0, weight_s=2.0, forward_collectives=(Collective("all-reduce", 20),),
        weight_bytes=10, gradient_bytes=8, optimizer_bytes=16, stash_bytes=5, working_bytes=7,
    )  # fmt: skip
    values: dict[str, Any] = {
        "layers": tuple(Layer(f"l{i}", (option,), "block") for i in range(3)),
        "edges": (Edge(0, 1, 40), Edge(1, 2, 20), Edge(0, 2, 12)),
        "devices": 8,
        "microbatches": 6,
        "memory_bytes": 1000,
        "cluster": CLUSTER,
    }
    return Problem(**(values | changes))


def plan(*groups: tuple[int, ...], data: int = 2, **changes: Any) -> Solution:
    return replace(Solution(tuple(StagePlan(g, 2) for g in groups), data), **changes)


def test_a_step_by_hand() -> None:
    """Two stages of two replicas of two devices: each term from its formula."""
    given = problem()
    solution = plan((0, 1), (2,))
    (forward, backward, update, weight), sent = stage_times(given, solution)
    ticks = float(numbers(given).ticks)
    exchanged = 2 * (0.5 + 20 / 2 / 10)  # ring of two in a node: 2 latencies, 2 halves
    summed = 2 * (1.0 + 8 / 2 / 4)  # gradients of two replicas across nodes
    assert [f / ticks for f in forward] == pytest.approx([2 * (3 + exchanged), 3 + exchanged])
    assert [b / ticks for b in backward] == pytest.approx([10.0, 5.0])
    assert [w / ticks for w in weight] == pytest.approx([4.0, 2.0])
    assert [u / ticks for u in update] == pytest.approx([2 * (4 + summed), 4 + summed])
    assert [s / ticks for s in sent] == pytest.approx([1.0 + (20 + 12) / 4])  # the output of l0 goes on as well
    f, b = forward[0], backward[0]
    assert score(given, solution) >= f + 3 * b


def test_the_simulated_step_of_one_stage() -> None:
    given = problem()
    (forward, backward, update, _), _ = stage_times(given, plan((0, 1, 2)))
    assert score(given, plan((0, 1, 2))) == 3 * (forward[0] + backward[0]) + update[0]
    assert shown(given, score(given, plan((0, 1, 2)))) == pytest.approx(
        (3 * (forward[0] + backward[0]) + update[0]) / float(numbers(given).ticks)
    )


def test_every_stage_sums_its_gradients_and_overlap_hides_them() -> None:
    solution = plan((0,), (1, 2))
    updates = [stage_times(problem(gradient_overlap=x), solution)[0][2] for x in (0.0, 0.5, 1.0)]
    ticks = float(numbers(problem()).ticks)
    assert [u / ticks for u in updates[2]] == pytest.approx([4.0, 8.0])
    for stage in (0, 1):
        assert updates[0][stage] + updates[2][stage] == pytest.approx(2 * updates[1][stage], abs=4)
        assert updates[0][stage] > updates[1][stage] > updates[2][stage]


def test_replicas_that_do_not_divide_take_the_fullest() -> None:
    given = problem(microbatches=7)
    one, two = (stage_times(given, plan((0, 1, 2), data=d))[0] for d in (1, 2))
    assert score(given, plan((0, 1, 2), data=2)) == 4 * (two[0][0] + two[1][0]) + two[2][0]
    assert score(given, plan((0, 1, 2), data=1)) == 7 * (one[0][0] + one[1][0]) + one[2][0]


@pytest.mark.parametrize(
    ("solution", "message"),
    [
        (plan((0, 1)), "layer 'l2' is in no stage"),
        (plan((0, 1), (1, 2)), "layer 'l1' is in stage 0 already"),
        (plan((0, 2), (1,)), "stage number falls from 1 to 0 along the edge 'l1' to 'l2'"),
        (plan((0, 1), (), (2,)), r"stages\[1\]: no layer"),
        (plan((0, 1, 9), (2,)), "no layer 9; 0 to 2 exist"),
        (plan((0,), (1,), (2,), data=2), "devices: 12 in use, 8 allowed"),
        (plan((0, 1, 2), data=8), "data: 8 replicas cannot share 6 microbatches"),
        (plan((0, 1, 2), zero=1), "zero: 1 is not among 0"),
        (plan((0, 1, 2), order=("data", "tensor", "pipeline")), "order: .* is not among"),
        (plan((0, 1, 2), pipelining=Pipelining("gpipe")), "pipelining: .* is not among"),
        (Solution((StagePlan((0, 1, 2), 1),)), "layer 'l0' has no option tensor 1, recompute 'none'"),
        (Solution(()), "layer 'l0' is in no stage"),
    ],
)
def test_violations(solution: Solution, message: str) -> None:
    assert any(__import__("re").search(message, text) for text in check(problem(), solution))


def test_a_valid_plan_has_no_violations() -> None:
    assert check(problem(), plan((0, 1), (2,))) == ()


@pytest.mark.parametrize(("schedule", "held"), [("1f1b", (2, 1)), ("gpipe", (3, 3))])
def test_memory_counts_what_the_schedule_keeps(schedule: str, held: tuple[int, int]) -> None:
    needs = [states * 34 + h * states * 5 + 7 for states, h in zip((2, 1), held, strict=True)]
    own = (Pipelining(schedule),)
    for limit, wrong in ((max(needs), ()), (max(needs) - 1, ("memory_bytes: device 0",))):
        given = problem(pipelinings=own, memory_bytes=limit)
        found = check(given, plan((0, 1), (2,), pipelining=own[0]))
        assert len(found) == len(wrong)
        assert all(text.startswith(w) for text, w in zip(found, wrong, strict=True))


def test_zero_shards_and_uniform_binds() -> None:
    given = problem(zero=(0, 1, 2, 3), memory_bytes=120)
    need = {zero: not check(given, plan((0, 1, 2), zero=zero)) for zero in (0, 1, 2, 3)}
    assert need == {0: False, 1: True, 2: True, 3: True}  # 3·34 + 3·5 + 7 bytes, and less with shards
    mixed = Solution((StagePlan((0, 1), 2), StagePlan((2,), 2, "full")))
    assert check(given, mixed)


def test_interleaved_needs_full_groups_of_microbatches() -> None:
    own = Pipelining("interleaved", 2)
    given = problem(pipelinings=(own,), microbatches=3)
    found = check(given, plan((0,), (1, 2), data=1, pipelining=own))
    assert found == ()  # one device, two chunks
    four = problem(
        pipelinings=(own,), microbatches=3, layers=tuple(replace(problem().layers[0], name=f"l{i}") for i in range(4)),
        edges=tuple(Edge(i, i + 1, 1) for i in range(3)),
    )  # fmt: skip
    assert "no multiple" in check(four, plan((0,), (1,), (2,), (3,), data=1, pipelining=own))[0]


def test_impossible_names_memory_and_what_may_help() -> None:
    assert impossible(problem()) == ((), ())
    conflict, remedy = impossible(problem(memory_bytes=20))
    assert conflict == ("memory_bytes",)
    assert remedy[0].startswith("memory_bytes: at least 46")
    assert {text.partition(":")[0] for text in remedy} == {"memory_bytes", "recompute", "tensor", "zero"}


def test_bounds_without_search_are_below_the_optimum() -> None:
    tight = 0
    for seed in range(20):
        given = random_placement(seed)
        result = solve(given, "brute-force")
        if result.solution is not None:
            best = score(given, result.solution)
            assert bound(given)[0] is not None
            assert int(bound(given)[0] or 0) <= best
            assert shown_bound(given, best) <= shown(given, best)
            tight += int(bound(given)[0] or 0) > 0.5 * best
    assert tight > 3
