"""The interval given, and something else minimised: all exact solvers against looking at every design."""

from __future__ import annotations

import random
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from accmine.errors import InputError
from accmine.ports import Stop
from accmine.problems.sparse_dataflow import KIND, Budget, Least, Problem, check, interval_of, place_of, tabulate
from accmine.registry import solvers_of
from accmine.result import Status
from accmine.solvers.sparse_dataflow import bisection
from accmine.solvers.sparse_dataflow.relaxation import Relaxed, relaxed
from accmine.solving import solve
from accmine.sparse.layer import Layer, Level, binomial
from accmine.sparse.resources import RESOURCES
from tests.samples.sparse_sample import random_dataflow
from tests.solvers.sparse_dataflow.test_monotone import case


def _turned(seed: int, of: str) -> Problem:
    problem = random_dataflow(seed, edges=seed % 2 == 0, most_layers=2)
    every = sorted({own for table in tabulate(problem) for own in table.cycles.ravel().tolist()})
    return replace(problem, least=Least(of, random.Random(seed).choice(every[len(every) // 3 :])))


@pytest.mark.parametrize("of", [*RESOURCES, "loss"])
@pytest.mark.parametrize("seed", range(12))
def test_exact_solvers_agree(seed: int, of: str) -> None:
    problem = _turned(seed, of)
    truth = solve(problem, "brute-force")
    for solver in ("bisection", "cp-sat"):
        found = solve(problem, solver)
        assert found.status is truth.status, solver
        assert found.objective == truth.objective, solver
        if found.solution is not None:
            assert found.status is Status.OPTIMAL
            assert not check(problem, found.solution)
            assert problem.least is not None
            assert interval_of(problem, found.solution) <= problem.least.interval


def dearer(problem: Problem, times: int) -> Problem:
    """The same problem with losses so many times as large."""
    layers = tuple(
        replace(layer, levels=tuple(replace(level, loss=times * level.loss) for level in layer.levels))
        for layer in problem.layers
    )
    loss = problem.budget.loss
    return replace(problem, layers=layers, budget=replace(problem.budget, loss=None if loss is None else times * loss))


@pytest.mark.parametrize("times", [30, 10**4, 10**9])
def test_prices_of_large_losses_stay_within_64_bits(times: int) -> None:
    """A unit of a small budget has a price at which one option of some points would pass them."""
    for seed in range(60):
        problem = random_dataflow(seed, edges=True, most_layers=3, most_levels=3)
        every = sorted({own for table in tabulate(problem) for own in table.cycles.ravel().tolist()})
        problem = replace(
            problem, budget=replace(problem.budget, loss=None), least=Least("loss", every[-1 - seed % len(every) // 2])
        )
        expected, found = solve(problem), solve(dearer(problem, times))
        assert found.status is expected.status, seed
        if expected.objective is not None:
            assert found.objective == found.bound == times * expected.objective, seed


def test_a_loss_that_many_options_pass_alone() -> None:
    levels = [Level("0", (binomial(2, Fraction(1)),), 1), Level("1", (binomial(2, Fraction(1, 2)),), 2_000_001)]
    levels.append(Level("2", (binomial(2, Fraction(4, 5)),), 10_000_001))
    first = Layer("a", 4, 4, size_in=(6, 6), size_out=(6, 6), cluster=2, levels=tuple(levels))
    other = [Level("0", (binomial(2, Fraction(1)),)), Level("1", (binomial(2, Fraction(1, 5)),), 7_000_000)]
    second = Layer("b", 4, 3, size_in=(6, 6), size_out=(6, 6), cluster=2, levels=tuple(other))
    budget, least = Budget(lut=468), Least("loss", 251)
    problem = Problem((first, second), ((0, 1),), budget, slacks=(1,), memories=("bram",), least=least)
    assert solve(problem, "brute-force").objective == 1
    assert (solve(problem).objective, solve(problem).bound) == (1, 1)


@pytest.mark.parametrize(
    ("of", "loss", "most"), [("bits", 0, None), ("loss", 1 << 45, None), ("loss", 1 << 45, 1 << 46)]
)
def test_no_amount_is_too_large_to_be_found(of: str, loss: int, most: int | None) -> None:
    levels = (Level("0", (binomial(1, Fraction(1)),), loss),)
    layer = Layer("a", 64, 64, size_in=(2**15, 2**14), size_out=(2**15, 2**14), levels=levels)
    memories = ("stream",) if of == "bits" else ("bram",)
    problem = Problem((layer,), (), Budget(loss=most), memories=memories, engines=("dense",), least=Least(of, 1 << 50))
    expected, found = solve(problem, "brute-force"), solve(problem)
    assert found.status is expected.status is Status.OPTIMAL
    assert found.objective == found.bound == expected.objective


def test_an_interval_below_the_fastest_layer_is_refused_by_name() -> None:
    problem = random_dataflow(3)
    fastest = max(int(table.cycles.min()) for table in tabulate(problem))
    found = solve(replace(problem, budget=Budget(), least=Least("dsp", max(1, fastest) - 1)))
    assert found.status is Status.INFEASIBLE
    assert found.conflict == ("least.interval",)
    assert found.remedy == (f"least.interval: at least {fastest}",)


@pytest.mark.parametrize("solver", sorted({*solvers_of(KIND)} - {"bisection", "brute-force", "cp-sat"}))
def test_solvers_of_the_interval_refuse_by_name(solver: str) -> None:
    problem = replace(random_dataflow(3, most_layers=1), budget=Budget(), least=Least("dsp", 10**6))
    with pytest.raises(InputError, match=f"{solver}: minimises the interval only"):
        solve(problem, solver)


@pytest.mark.parametrize("of", ["dsp", "lut", "ff", "loss"])
def test_linear_programs_are_few_however_far_a_budget_may_go(of: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where two prices refute only together, and so no third budget helps."""
    asked = [0]

    def counted(*given: Any) -> Relaxed:
        asked[0] += 1
        return relaxed(*given)

    monkeypatch.setattr(bisection, "relaxed", counted)
    for seed in range(16):
        problem = replace(case(seed), memories=("bram",))
        blocks = sum(int(own.use[:, RESOURCES.index("bram18")].min()) for own in tabulate(problem))
        budget = replace(problem.budget, bram18=blocks, **{of: None})
        asked[0] = 0
        solve(replace(problem, budget=budget, least=Least(of, 1 << 50)), "bisection", stop=Stop(work=5.0))
        assert asked[0] < 1000, seed


def test_places() -> None:
    assert [place_of(Least(of, 1)) for of in (*RESOURCES, "loss")] == list(range(7))
