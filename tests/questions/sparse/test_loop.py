"""The loop ends with a design that truly holds, whatever the proxy says, and claims no more than is so."""

from __future__ import annotations

import itertools
import random
from collections.abc import Mapping
from dataclasses import replace
from functools import cache

import pytest

from accmine.problems.sparse_dataflow import Problem, Solution, check, score, tabulate
from accmine.questions.sparse.loop import End, Outcome, Settings, true_loss_loop
from accmine.sparse.layer import POINT
from tests.samples.sparse_sample import random_dataflow

Levels = tuple[int, ...]


@cache
def fastest(problem: Problem) -> Mapping[Levels, int]:
    """The shortest interval with each combination of levels, by looking at every design."""
    tables = tabulate(problem)
    found: dict[Levels, int] = {}
    for levels in itertools.product(*(range(len(layer.levels)) for layer in problem.layers)):
        rows = [range(len(own.rows)) for own in tables]
        for row in itertools.product(*rows):
            pairs = zip(tables, levels, row, strict=True)
            solution = Solution(tuple(own.choice(level, i) for own, level, i in pairs))
            if (levels not in found or score(problem, solution) < found[levels]) and not check(problem, solution):
                found[levels] = score(problem, solution)
    return found


def small(seed: int) -> Problem:
    """A problem of at most three layers with a loss budget of some of all losses; the budgets of hardware are met."""
    rng = random.Random(seed)
    own = random_dataflow(seed, most_layers=3, most_levels=4, edges=seed % 3 == 0, tight=0.3)
    most = sum(max(level.loss for level in layer.levels) for layer in own.layers)
    return replace(own, budget=replace(own.budget, loss=int(most * rng.uniform(0.1, 0.8))))


def true_losses(problem: Problem, seed: int, *, monotone: bool) -> dict[Levels, float]:
    """Losses in parts of all levels: each layer's own is off by a factor, and pairs of layers lose more or less together."""
    rng = random.Random(seed)
    own = [[level.loss * rng.choice([0.2, 0.7, 1.5, 3.0]) for level in layer.levels] for layer in problem.layers]
    pairs = {
        (i, j): rng.uniform(-0.5, 2.0) for i, j in itertools.combinations(range(len(problem.layers)), 2)
    }
    found: dict[Levels, float] = {}
    for levels in itertools.product(*(range(len(layer.levels)) for layer in problem.layers)):
        parts = [own[i][level] for i, level in enumerate(levels)]
        found[levels] = sum(parts) + sum(by * min(parts[i], parts[j]) for (i, j), by in pairs.items())
    if monotone:
        below = dict(found)
        for levels in found:
            under = itertools.product(*(range(level + 1) for level in levels))
            found[levels] = max(below[other] for other in under)
    return found


def run(problem: Problem, true: Mapping[Levels, float], settings: Settings) -> Outcome:
    def evaluate(chosen: Mapping[str, str]) -> float:
        names = [[level.name for level in layer.levels] for layer in problem.layers]
        return true[tuple(own.index(chosen[layer.name]) for own, layer in zip(names, problem.layers, strict=True))] / POINT

    return true_loss_loop(problem, evaluate, settings)


@pytest.mark.parametrize("monotone", [True, False])
@pytest.mark.parametrize("seed", range(30))
def test_true_constraint_holds(seed: int, monotone: bool) -> None:
    problem = small(seed)
    true = true_losses(problem, seed, monotone=monotone)
    free = replace(problem, budget=replace(problem.budget, loss=None))
    every = fastest(free)
    allowed = problem.budget.loss or 0
    holding = [interval for levels, interval in every.items() if true[levels] <= allowed]
    outcome = run(problem, true, Settings(rounds=100, monotone=monotone))
    print(seed, monotone, outcome.end, len(outcome.rounds), outcome.bound, min(holding, default=None))
    if not holding:
        assert outcome.end is End.NOTHING
        assert outcome.best is None
        return
    assert outcome.end is End.PROVED
    assert outcome.best is not None
    assert outcome.best.interval == outcome.bound == min(holding)
