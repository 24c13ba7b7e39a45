"""Every placement is looked at, and only those."""

from __future__ import annotations

from dataclasses import replace

import pytest

from accmine.errors import InputError
from accmine.ports import Stop
from accmine.problems.device_placement import Edge, Problem
from accmine.result import StopReason
from accmine.solvers.device_placement import brute_force
from accmine.solving import solve
from tests.samples.device_placement_sample import random_placement


def test_placements_are_counted() -> None:
    problem = random_placement(0, chain=True, layers=1, devices=2, microbatches=2, uniform=True, zero=(0,))
    kinds = len({(o.tensor, o.recompute) for o in problem.layers[0].options})
    result = solve(problem, "brute-force")
    assert f"all {2 * kinds * len(problem.orders)} placements" in result.bound_method


def test_a_fork_has_more_cuts_than_a_chain() -> None:
    fork = list(brute_force._cuts(_three((Edge(0, 1, 1), Edge(0, 2, 1))), 2))
    chain = list(brute_force._cuts(_three((Edge(0, 1, 1), Edge(1, 2, 1))), 2))
    assert len(chain) == 2
    assert len(fork) == 3


def _three(edges: tuple[Edge, ...]) -> Problem:
    one = random_placement(0, layers=1)

    layers = tuple(replace(one.layers[0], name=f"l{i}") for i in range(3))
    return replace(one, layers=layers, edges=edges)


def test_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = random_placement(4, layers=5)
    assert solve(problem, "brute-force", stop=Stop(work=2)).stop is StopReason.TIME
    monkeypatch.setattr(brute_force, "MOST_PLACEMENTS", 3)
    with pytest.raises(InputError, match="more than 3 placements"):
        solve(problem, "brute-force")
