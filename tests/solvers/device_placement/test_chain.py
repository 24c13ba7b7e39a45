"""The dynamic programme with branch and bound, against every placement."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from accmine.errors import InputError
from accmine.ports import Stop
from accmine.problems.device_placement import Edge, Layer, Option, Pipelining, Problem, score
from accmine.result import Status, StopReason
from accmine.solving import solve
from accmine.system import Cluster, Level
from tests.samples.device_placement_sample import random_placement

SCHEDULES = ("gpipe", "1f1b", "zb-h1", "zb-h2", "interleaved")


def agrees(problem: Problem, solver: str = "chain") -> Status:
    """The status, after the answers of a solver and of brute force were compared."""
    one, all_of_them = solve(problem, solver), solve(problem, "brute-force")
    assert one.status is all_of_them.status
    assert one.stop is StopReason.PROVED
    if one.solution is not None and all_of_them.solution is not None:
        assert score(problem, one.solution) == score(problem, all_of_them.solution)
        assert one.verified
    return one.status


def drawn(seed: int) -> Problem:
    """All schedules in turn, several at once now and then."""
    name = SCHEDULES[seed % 5]
    own = [Pipelining(name, 2 if name == "interleaved" else 1)]
    if seed % 7 == 0:
        own.append(Pipelining("1f1b"))
    chunked = any(one.chunks > 1 for one in own)
    changes: dict[str, Any] = {"uniform": True, "microbatches": (2, 4, 6)[seed % 3]} if chunked else {}
    return random_placement(seed, layers=6 if chunked else 5, pipelinings=tuple(dict.fromkeys(own)), **changes)


@pytest.mark.parametrize("seed", range(30))
def test_every_schedule_against_brute_force(seed: int) -> None:
    agrees(drawn(seed))


@pytest.mark.full
def test_three_hundred_against_brute_force() -> None:
    found = [agrees(drawn(seed)) for seed in range(100, 420)]
    assert found.count(Status.OPTIMAL) > 200
    assert Status.INFEASIBLE in found


def equal_layers(layers: int, devices: int, microbatches: int, memory_bytes: int) -> Problem:
    def options(share: float) -> tuple[Option, ...]:
        return tuple(
            Option(
                t, "none", 0.011 * share / t**0.9, 0.023 * share / t**0.9, 0.002 / t,
                weight_bytes=int(4e9) // t, gradient_bytes=int(3e8) // t, optimizer_bytes=int(24e9) // t,
                stash_bytes=int(4e8) // t,
            )
            for t in (4, 8)
        )  # fmt: skip

    own = options(1.0)
    rows = tuple(Layer(f"l{i}", own, "block") for i in range(layers))
    nodes = Level("node", 8, 3e11, 1e-6), Level("all", None, 5e10, 5e-6)
    edges = tuple(Edge(i, i + 1, 25_000_000) for i in range(layers - 1))
    return Problem(rows, edges, devices, microbatches, memory_bytes, Cluster("c", nodes))


def test_many_equal_layers_are_proven() -> None:
    """97 layers on 1,024 devices: the fullest stage has seven of them, whichever the six of 14 stages."""
    result = solve(equal_layers(97, 1024, 4096, 80_000_000_000), "chain")
    assert result.status is Status.OPTIMAL
    assert result.solution is not None
    assert sorted({len(plan.layers) for plan in result.solution.stages}) == [6, 7]
    assert result.solution.data * len(result.solution.stages) * result.solution.stages[0].tensor <= 1024


def test_a_certified_gap_where_time_is_short() -> None:
    problem = random_placement(3, layers=5)
    long = replace(equal_layers(40, 64, 32, 200_000_000_000), pipelinings=(Pipelining("interleaved", 2),))
    result = solve(long, "chain", stop=Stop(work=300))
    assert result.stop is StopReason.TIME
    assert result.solution is not None
    assert result.gap is not None
    assert 0 < result.gap < 0.6
    assert solve(problem, "chain", stop=Stop(seconds=0)).stop in (StopReason.TIME, StopReason.PROVED)


def test_what_is_no_chain_is_refused() -> None:
    fork = random_placement(0, chain=True, layers=1)
    layers = tuple(replace(fork.layers[0], name=f"l{i}") for i in range(3))
    problem = replace(fork, layers=layers, edges=(Edge(0, 1, 1), Edge(0, 2, 1)))
    with pytest.raises(InputError, match="take cp-sat"):
        solve(problem, "chain")


def test_chunks_need_uniform_stages() -> None:
    problem = random_placement(1, uniform=False, pipelinings=(Pipelining("interleaved", 2),))
    with pytest.raises(InputError, match="uniform"):
        solve(problem, "chain")
