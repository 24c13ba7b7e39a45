"""Phaze's objective, term by term."""

from __future__ import annotations

from dataclasses import replace

import pytest

from accmine.problems.device_placement import Edge, Layer, Option, Problem, Solution, StagePlan, check, score
from accmine.problems.device_placement.phaze import stage_limit, stage_load
from accmine.system import Cluster, Level


def chain(recompute: str = "none", **changes: object) -> Problem:
    """Three layers with a skip edge; as read from a file."""
    again = recompute == "full"
    layers = []
    for i, (forward, backward) in enumerate(((1.0, 2.0), (3.0, 5.0), (2.0, 4.0))):
        option = Option(
            1, recompute, forward, backward + (forward if again else 0), 0.0,
            weight_bytes=10, gradient_bytes=10, stash_bytes=4 if again else 20, working_bytes=20 if again else 0,
        )  # fmt: skip
        layers.append(Layer(f"{i}", (option,)))
    edges = (Edge(0, 1, 8), Edge(1, 2, 8), Edge(0, 2, 6))
    flat = Cluster("phaze", (Level("link", None, 2.0, 0.0),))
    given = Problem(tuple(layers), edges, 4, 5, 1000, flat, semantics="phaze")
    return replace(given, **changes)  # type: ignore[arg-type]


def chosen(problem: Problem, *layers: int) -> dict[int, Option]:
    return {i: problem.layers[i].options[0] for i in layers}


def test_messages_are_paid_by_the_receiver() -> None:
    problem = chain()
    assert stage_load(problem, chosen(problem, 0), last=False) == 1 + (4 + 2)  # the gradient of the output arrives at 4
    assert stage_load(problem, chosen(problem, 1, 2), last=True) == (4 + 3 + 2) + (4 + 5)
    assert stage_load(problem, chosen(problem, 2), last=True) == (4 + 2) + 4


def test_recomputation_is_left_out_at_the_end() -> None:
    problem = chain("full")
    assert stage_load(problem, chosen(problem, 0), last=False) == 1 + max(1, 4) + 2
    assert stage_load(problem, chosen(problem, 1, 2), last=False) == 9 + 5 + 9
    assert stage_load(problem, chosen(problem, 1, 2), last=True) == 9 + 9


def test_memory_is_a_limit_of_position() -> None:
    problem = chain(memory_bytes=85)
    assert stage_limit(problem, chosen(problem, 0)) == 1 + (85 - 20 - 20) // 20
    assert stage_limit(problem, chosen(problem, 0, 1)) == 1
    assert stage_limit(problem, chosen(problem, 0, 1, 2)) == 0
    again = chain("full", memory_bytes=60)
    assert stage_limit(again, chosen(again, 1)) == 1 + (60 - 20 - 20) // 8
    assert stage_limit(again, chosen(again, 0)) == 4  # nothing enters it


def test_batch_time_by_hand() -> None:
    problem = chain()
    solution = Solution((StagePlan((0,)), StagePlan((1, 2))), 2)
    assert score(problem, solution) == pytest.approx(18 * (3 + 2 - 1) + 4 * 0.5 * 10 / 2)
    assert check(problem, solution) == ()


def test_violations() -> None:
    tight = chain(memory_bytes=85)
    assert "memory_bytes: stage 0 fits" in check(tight, Solution((StagePlan((0, 1)), StagePlan((2,)))))[0]
    wide = Solution((StagePlan((0,)), StagePlan((1,)), StagePlan((2,))), 2)
    assert check(chain(), wide) == ("devices: 6 in use, 4 allowed",)
    fork = chain(edges=(Edge(0, 1, 8), Edge(0, 2, 8)))
    assert "branches, which Phaze does not support" in check(fork, Solution((StagePlan((0, 1, 2)),)))[0]
