"""Bounds without search: never above a design; and budgets that nothing meets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from accmine.problems.sparse_dataflow import Budget, bound, impossible, score, use_of
from accmine.problems.sparse_dataflow.rules import loss_of
from accmine.solving import solve
from tests.samples.sparse_sample import any_solution, random_dataflow


@pytest.mark.parametrize("seed", range(120))
def test_no_design_is_below(seed: int) -> None:
    """A design is a solution of the problem whose budget is what it takes."""
    problem = random_dataflow(seed)
    solution = any_solution(problem, seed)
    dsp = use_of(problem, solution)[0]
    least, method = bound(replace(problem, budget=Budget(dsp=dsp)))
    assert least is not None
    assert least <= score(problem, solution)
    assert method


def test_it_is_reached() -> None:
    """Somewhere, by either method."""
    methods = set()
    for seed in range(60):
        problem = random_dataflow(seed, most_layers=1, edges=False)
        done = solve(problem, "brute-force")
        least, method = bound(problem)
        if done.objective is not None:
            assert least is not None
            assert least <= done.objective
            if least == done.objective:
                methods.add(method)
    assert len(methods) == 2


@pytest.mark.parametrize("seed", range(40))
def test_what_is_called_impossible_is(seed: int) -> None:
    problem = random_dataflow(seed, most_layers=2, most_levels=2)
    for key in ("dsp", "lut", "loss"):
        least = min_of(problem, key)
        if least == 0:
            continue
        below: dict[str, Any] = {key: least - 1}
        enough: dict[str, Any] = {key: least}
        fields, remedies = impossible(replace(problem, budget=Budget(**below)))
        assert fields == (f"budget.{key}",)
        said = str(least / 1_000_000 if key == "loss" else least)
        assert remedies == (f"budget.{key}: at least {said}",)
        assert impossible(replace(problem, budget=Budget(**enough))) == ((), ())


def min_of(problem: object, key: str) -> int:
    """By the scalar formulas, over all designs of each layer."""
    from accmine.problems.sparse_dataflow import Problem, Solution, tabulate

    assert isinstance(problem, Problem)
    total = 0
    for layer, own in zip(problem.layers, tabulate(problem), strict=True):
        alone = replace(problem, layers=(layer,), edges=())
        designs = [Solution((own.choice(level, i),)) for level in range(len(own.cycles)) for i in range(len(own.rows))]
        if key == "loss":
            total += min(loss_of(alone, design) for design in designs)
        else:
            total += min(use_of(alone, design)[("dsp", "lut").index(key)] for design in designs)
    return total
