"""Phaze's objective: the arrays against every placement."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest

from accmine.problems.device_placement import Edge, Layer, Option, Problem
from accmine.result import Status
from accmine.solving import solve
from accmine.system import Cluster, Level


def drawn(seed: int) -> Problem:
    draw = random.Random(seed)
    count, degrees = draw.randint(1, 5), draw.choice([[1], [1, 2], [2]])
    recompute = draw.choice(["none", "full"])
    whole = [draw.random() < 0.3 for _ in range(count)]
    layers = []
    for i in range(count):
        options = []
        for t in degrees:
            option = Option(t, recompute, draw.uniform(1, 9) / t, draw.uniform(10, 20), 0.0, whole=whole[i] and t > 1)
            sizes: dict[str, Any] = {"weight_bytes": draw.randint(0, 9), "gradient_bytes": draw.randint(0, 9)}
            options.append(replace(option, stash_bytes=draw.randint(1, 9), working_bytes=draw.randint(1, 9), **sizes))
        layers.append(Layer(f"l{i}", tuple(options)))
    edges = {(i, i + 1): draw.randint(0, 9) for i in range(count - 1)}
    for target in range(2, count):
        if draw.random() < 0.4:
            edges[draw.randrange(target - 1), target] = draw.randint(1, 9)
    flat = Cluster("phaze", (Level("link", None, 2.0, 0.0),))
    rows = tuple(Edge(s, t, size) for (s, t), size in edges.items())
    limit = draw.randint(20, 120)
    return Problem(tuple(layers), rows, draw.choice([2, 4, 6]), draw.randint(1, 6), limit, flat, semantics="phaze")


def compare(seed: int) -> Status:
    problem = drawn(seed)
    one, all_of_them = solve(problem, "chain"), solve(problem, "brute-force")
    assert one.status is all_of_them.status
    if one.objective is not None:
        assert one.objective == pytest.approx(all_of_them.objective, rel=1e-12)
    return one.status


@pytest.mark.parametrize("seed", range(25))
def test_against_brute_force(seed: int) -> None:
    compare(seed)


@pytest.mark.full
def test_three_hundred_against_brute_force() -> None:
    found = [compare(seed) for seed in range(100, 400)]
    assert found.count(Status.OPTIMAL) > 150
    assert Status.INFEASIBLE in found
