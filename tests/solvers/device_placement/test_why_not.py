"""No placement: proven, with what would be enough."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from accmine.ports import Clock
from accmine.problems.device_placement import Edge, Layer, Option, Pipelining, Problem, check
from accmine.result import Status
from accmine.solvers.device_placement.why_not import explain, least_memory
from accmine.solving import solve
from accmine.system import Cluster, Level
from tests.samples.device_placement_sample import random_placement
from tests.solvers.device_placement.test_phaze_chain import drawn as phaze_sample

OPTION = Option(1, "none", 1.0, 2.0, 0.5, weight_bytes=10, gradient_bytes=10, optimizer_bytes=40, stash_bytes=30)


def line(**changes: Any) -> Problem:
    values: dict[str, Any] = {
        "layers": tuple(Layer(f"l{i}", (OPTION,)) for i in range(4)),
        "edges": tuple(Edge(i, i + 1, 10) for i in range(3)),
        "devices": 2,
        "microbatches": 4,
        "memory_bytes": 190,
        "cluster": Cluster("c", (Level("all", None, 1e9, 1e-6),)),
    }
    return Problem(**(values | changes))


def test_memory_and_every_remedy_that_is_enough() -> None:
    result = solve(line())
    assert result.status is Status.INFEASIBLE
    assert result.conflict == ("memory_bytes",)
    need = 2 * 60 + 2 * 2 * 30  # two stages of two layers, two microbatches in flight in the first
    assert result.remedy[0] == f"memory_bytes: at least {need}"
    assert [text.partition(":")[0] for text in result.remedy] == ["memory_bytes", "recompute", "tensor"]
    assert solve(line(memory_bytes=need)).status is Status.OPTIMAL
    assert solve(line(memory_bytes=need - 1)).status is Status.INFEASIBLE


def test_zero_that_is_enough() -> None:
    replicated = line(devices=8, pipeline=(2,), data=(4,), microbatches=8, zero=(0,), memory_bytes=200)
    result = solve(replicated)
    assert result.status is Status.INFEASIBLE
    assert any(text.startswith("zero: 1") for text in result.remedy)
    assert solve(replace(replicated, zero=(1,))).status is Status.OPTIMAL


def test_a_schedule_that_nothing_fills() -> None:
    own = (Pipelining("interleaved", 2),)
    problem = line(pipelinings=own, pipeline=(2,), microbatches=3, data=(1,), memory_bytes=10**6)
    result = solve(problem)
    assert result.status is Status.INFEASIBLE
    assert "interleaved with 2 chunks" in result.remedy[0]


@pytest.mark.parametrize("seed", range(40))
def test_the_memory_that_is_named_is_the_least(seed: int) -> None:
    problem = random_placement(seed, uniform=True)
    need = least_memory(problem)
    assert need is not None
    assert solve(replace(problem, memory_bytes=max(1, need)), "chain").status is Status.OPTIMAL
    if need > 1:
        result = solve(replace(problem, memory_bytes=need - 1), "chain")
        assert result.status is Status.INFEASIBLE
        assert any(text.startswith(f"memory_bytes: at least {need:,}") for text in result.remedy)


@pytest.mark.parametrize("seed", range(30))
def test_the_memory_of_phaze_is_the_least(seed: int) -> None:
    problem = replace(phaze_sample(seed), memory_bytes=1)
    result = solve(problem)
    if result.status is Status.OPTIMAL:
        return  # layers without parameters and activations
    need = int(result.remedy[0].rpartition(" ")[2].replace(",", ""))
    assert solve(replace(problem, memory_bytes=need)).status is Status.OPTIMAL
    assert solve(replace(problem, memory_bytes=need - 1)).status is Status.INFEASIBLE


def test_what_has_a_solution_has_no_conflict() -> None:
    problem = line(memory_bytes=10**6)
    assert explain(problem) == ((), ())
    result = solve(problem)
    assert result.solution is not None
    assert check(problem, result.solution) == ()


def test_out_of_time_the_memory_is_told_and_nothing_else_is_tried() -> None:
    assert explain(line(), Clock(0.0)) == (("memory_bytes",), explain(line())[1][:1])
