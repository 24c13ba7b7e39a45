"""The loop ends with a design that truly holds, whatever the proxy says, and claims no more than is so."""

from __future__ import annotations

import itertools
import random
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from functools import reduce

import numpy as np
import pytest

from accmine.problems.sparse_dataflow import Budget, Problem, tabulate
from accmine.questions.sparse.loop import End, Outcome, Settings, true_loss_loop
from accmine.sparse.layer import POINT, Layer, Level, binomial

Levels = tuple[int, ...]


def small(seed: int) -> Problem:
    """Two or three layers with up to four levels, on too few DSPs, with a loss budget of some of all losses."""
    rng = random.Random(seed)
    layers = []
    for i in range(rng.randint(2, 3)):
        kernel = rng.choice([(1, 2), (2, 2), (1, 3)])
        window, density, loss, levels = kernel[0] * kernel[1], Fraction(1), 0, []
        for v in range(rng.randint(2, 4)):
            levels.append(Level(f"t{v}", (binomial(window, density),), loss))
            density *= Fraction(rng.randint(50, 95), 100)
            loss += rng.randint(0, 400_000)
        size = (rng.randint(2, 9), rng.randint(2, 9))
        layers.append(
            Layer(f"l{i}", rng.choice([1, 2]), rng.choice([1, 2, 4]), kernel, size, size, levels=tuple(levels))
        )
    most = sum(max(level.loss for level in layer.levels) for layer in layers)
    budget = Budget(dsp=len(layers) + rng.randint(0, 9), loss=int(most * rng.uniform(0.1, 0.8)))
    return Problem(tuple(layers), budget=budget, engines=("sparse",), memories=("bram",), slacks=(1,))


def fastest(problem: Problem) -> dict[Levels, int]:
    """The shortest interval with each combination of levels, by looking at all foldings."""
    tables = tabulate(problem)
    dsp = reduce(np.add.outer, [own.use[:, 0] for own in tables])
    assert problem.budget == Budget(dsp=problem.budget.dsp), "this knows of no other budget"
    found: dict[Levels, int] = {}
    for levels in itertools.product(*(range(len(layer.levels)) for layer in problem.layers)):
        cycles = [own.cycles[level] for own, level in zip(tables, levels, strict=True)]
        slowest = reduce(np.maximum.outer, cycles)
        found[levels] = int(slowest[dsp <= (problem.budget.dsp or 0)].min())
    return found


def true_losses(problem: Problem, seed: int, *, monotone: bool) -> dict[Levels, float]:
    """Losses in parts of all levels: each layer's own is off by a factor, and pairs of layers lose more or less together."""
    rng = random.Random(seed)
    own = [[level.loss * rng.choice([0.2, 0.7, 1.5, 3.0]) for level in layer.levels] for layer in problem.layers]
    pairs = {(i, j): rng.uniform(-0.5, 2.0) for i, j in itertools.combinations(range(len(problem.layers)), 2)}
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
        return (
            true[tuple(own.index(chosen[layer.name]) for own, layer in zip(names, problem.layers, strict=True))] / POINT
        )

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
