"""The loop ends with a design that truly holds, whatever the proxy says, and claims no more than is so."""

from __future__ import annotations

import itertools
import json
import math
import random
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from functools import reduce

import numpy as np
import pytest

from accmine.errors import InputError
from accmine.problems.sparse_dataflow import Budget, Problem, check, tabulate
from accmine.questions.sparse.truth import End, Outcome, Settings, true_loss_loop
from accmine.questions.sparse.truth.cuts import levels_of
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
    """Losses of all levels in parts: each layer's by a factor, those of pairs more or less than their sum."""
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


def held(seed: int, *, monotone: bool) -> Outcome:
    """A loop with as many rounds as it needs, compared with all combinations of levels."""
    problem = small(seed)
    true, allowed = true_losses(problem, seed, monotone=monotone), problem.budget.loss or 0
    every = fastest(replace(problem, budget=replace(problem.budget, loss=None)))
    least = min(interval for levels, interval in every.items() if true[levels] <= allowed)
    outcome = run(problem, true, Settings(rounds=100, monotone=monotone))
    assert outcome.end is End.PROVED
    assert outcome.best is not None
    assert outcome.best.interval == outcome.bound == least, "of all levels that truly hold the fastest"
    lost = {levels_of(own.solution) for own in outcome.rounds if not own.holds}
    assert outcome.sure == min(least, *(interval for levels, interval in every.items() if levels not in lost))
    for own in outcome.rounds:
        levels = tuple(choice.level for choice in own.solution)
        assert own.true_loss == true[levels] / POINT
        assert (
            own.proxy_loss == sum(layer.levels[v].loss for layer, v in zip(problem.layers, levels, strict=True)) / POINT
        )
        assert own.holds == (true[levels] <= allowed)
        assert own.interval >= every[levels]
    assert len({own.levels for own in outcome.rounds}) == len(outcome.rounds), "nothing is asked twice"
    assert not check(replace(problem, budget=replace(problem.budget, loss=None)), outcome.best.solution)
    return outcome


@pytest.mark.parametrize("monotone", [True, False])
@pytest.mark.parametrize("seed", [0, 11, 12])
def test_true_constraint_holds(seed: int, monotone: bool) -> None:
    held(seed, monotone=monotone)


@pytest.mark.full
def test_true_constraint_holds_often() -> None:
    outcomes = [held(seed, monotone=monotone) for seed in range(30) for monotone in (True, False)]
    rounds = [own for outcome in outcomes for own in outcome.rounds]
    assert sum(own.true_loss > own.proxy_loss + 0.01 for own in rounds) >= 30, "the proxy was too optimistic"
    assert sum(own.true_loss < own.proxy_loss - 0.01 for own in rounds) >= 30, "and too pessimistic"
    assert sum(not outcome.rounds[0].holds for outcome in outcomes) >= 10, "the first design alone would not do"
    assert sum(outcome.best != outcome.rounds[0] for outcome in outcomes if outcome.rounds[0].holds) >= 5


def test_rounds_used_up_keep_the_best_that_held() -> None:
    problem = small(16)
    true = true_losses(problem, 16, monotone=False)
    every = run(problem, true, Settings(rounds=100, monotone=False))
    few = run(problem, true, Settings(rounds=6, monotone=False))
    assert len(every.rounds) > 6
    assert few.end is End.ROUNDS
    assert len(few.rounds) == 6
    assert [own.levels for own in few.rounds] == [own.levels for own in every.rounds[:6]]
    held = [own.interval for own in few.rounds if own.holds]
    assert few.best is not None
    assert few.best.interval == min(held)
    assert few.bound is not None
    assert few.bound <= (every.bound or 0) <= min(held)
    assert any(claim.startswith("Not proven: that none has less than") for claim in few.claims())
    assert not few.assumes


def test_first_that_holds_is_enough_when_nothing_faster_is_asked_for() -> None:
    problem = small(20)
    outcome = run(problem, true_losses(problem, 20, monotone=True), Settings(improve=False))
    assert outcome.end is End.HELD
    assert [own.holds for own in outcome.rounds] == [False] * (len(outcome.rounds) - 1) + [True]


@pytest.mark.parametrize("monotone", [True, False])
def test_nothing_holds(monotone: bool) -> None:
    problem = small(3)
    outcome = run(problem, defaultdict(lambda: 9.0 * POINT), Settings(rounds=100, monotone=monotone))
    count = math.prod(len(layer.levels) for layer in problem.layers)
    assert outcome.end is End.NOTHING
    assert outcome.best is None
    assert outcome.bound is None
    assert len(outcome.rounds) < count / 2 if monotone else len(outcome.rounds) == count
    assert any("assumed" in claim for claim in outcome.claims()) == monotone
    rounds = run(problem, defaultdict(lambda: 9.0 * POINT), Settings(rounds=1, monotone=False))
    assert rounds.end is End.ROUNDS
    assert any(claim.startswith("Not proven: that no levels lose") for claim in rounds.claims())


def test_no_design_fits_whatever_it_loses() -> None:
    problem = replace(small(3), budget=Budget(dsp=1, loss=POINT))
    outcome = run(problem, {}, Settings())
    assert (outcome.end, outcome.rounds) == (End.NOTHING, ())
    assert "Proven: no design fits the device, whatever it loses." in outcome.claims()


def test_a_broken_assumption_is_said() -> None:
    problem = small(20)
    every = itertools.product(*(range(len(layer.levels)) for layer in problem.layers))
    true = {levels: (8 - 0.1 * sum(levels)) * POINT for levels in every}
    outcome = run(problem, true, Settings(rounds=100))
    assert outcome.end is End.NOTHING
    assert outcome.contradictions
    for i, j in outcome.contradictions:
        assert outcome.rounds[j - 1].true_loss < outcome.rounds[i - 1].true_loss
    i, j = outcome.contradictions[0]
    assert any(f"though round {j} is sparser than round {i} and lost less" in claim for claim in outcome.claims())
    assert outcome.to_json()["contradictions"] == [list(pair) for pair in outcome.contradictions]
    assert outcome.sure is not None, "some levels were not evaluated"


def test_lines_show_proxy_and_truth() -> None:
    problem = small(0)
    outcome = run(problem, true_losses(problem, 0, monotone=True), Settings())
    header, *rows = outcome.table()
    for row, own in zip(rows, outcome.rounds, strict=True):
        cells = dict(zip(header, row, strict=True))
        assert cells["proxy loss"] == f"{own.proxy_loss:.3f}"
        assert cells["true loss"] == f"{own.true_loss:.3f}"
    assert "accuracy %" not in header
    data = json.loads(json.dumps(outcome.to_json()))
    assert data["interval"] == outcome.bound
    assert set(data["rounds"][0]) >= {"proxy_loss", "true_loss", "interval", "solve_s", "evaluate_s", "solution"}


@pytest.mark.parametrize(
    ("budget", "settings", "words"),
    [
        (Budget(dsp=9), Settings(), "budget.loss: a limit is needed"),
        (Budget(loss=1), Settings(rounds=0), "rounds: 0 is not allowed; above 0"),
        (Budget(loss=1), Settings(solve_s=float("nan")), "solve_s: nan is not allowed; above 0"),
        (Budget(loss=1), Settings(evaluate_s=-1), "evaluate_s: -1 is not allowed; above 0"),
    ],
)
def test_wrong_settings(budget: Budget, settings: Settings, words: str) -> None:
    with pytest.raises(InputError, match=words):
        true_loss_loop(replace(small(0), budget=budget), lambda levels: 0, settings)
