"""Budgets that conflict, against brute force with and without each."""

from __future__ import annotations

import random
import re
from dataclasses import replace
from fractions import Fraction
from math import prod
from typing import Any

import pytest

from accmine.ports import Clock
from accmine.problems.sparse_dataflow import Budget, Least, Problem, loss_of, use_of
from accmine.result import Status
from accmine.solvers.sparse_dataflow.why_not import explain
from accmine.solving import solve
from accmine.sparse.layer import POINT, Layer, Level, binomial
from accmine.sparse.resources import RESOURCES
from tests.samples.sparse_sample import random_dataflow

KEYS = (*RESOURCES[:5], "loss")


def conflicting(kernel: tuple[int, int], **limits: Any) -> Problem:
    """A layer whose weights need BRAM, URAM, or so many engines that each has a few in LUTs."""
    levels = (
        Level("none", (binomial(prod(kernel), Fraction(1)),)),
        Level("half", (binomial(prod(kernel), Fraction(1, 2)),), 9),
    )
    layer = Layer("own", 32, 64, kernel, (4, 4), (4, 4), levels=levels)
    return Problem((layer,), (), Budget(**limits), engines=("sparse",), memories=("bram", "uram"), slacks=(1,))


def brute(problem: Problem) -> bool:
    return solve(problem, "brute-force").status is Status.OPTIMAL


@pytest.mark.parametrize(
    ("kernel", "limits", "conflict"),
    [
        ((1, 1), {"dsp": 20, "bram18": 1, "uram": 0, "lut": 10**6}, {"dsp", "bram18", "uram"}),
        ((2, 1), {"dsp": 20, "bram18": 1, "uram": 0, "loss": 5}, {"dsp", "bram18", "uram"}),
        ((2, 2), {"dsp": 900, "bram18": 2, "uram": 0, "lut": 20_000}, {"lut", "bram18", "uram"}),
        ((2, 1), {"lut": 3000, "ff": 10**6, "bram18": 1, "uram": 0}, {"lut", "bram18", "uram"}),
    ],
)
def test_minimal_conflicts_and_remedies(kernel: tuple[int, int], limits: dict[str, int], conflict: set[str]) -> None:
    problem = conflicting(kernel, **limits)
    result = solve(problem)
    assert result.status is Status.INFEASIBLE
    assert not brute(problem)
    assert (result.conflict, result.remedy) == explain(problem)
    keys = [own.removeprefix("budget.") for own in result.conflict]
    assert set(keys) == conflict
    only: dict[str, Any] = {key: limits[key] for key in keys}
    for key, text in zip(keys, result.remedy, strict=True):
        without: dict[str, Any] = only | {key: None}
        assert brute(replace(problem, budget=Budget(**without)))
        value = int(text.removeprefix(f"budget.{key}: at least "))
        enough: dict[str, Any] = limits | {key: value}
        below: dict[str, Any] = limits | {key: value - 1}
        assert brute(replace(problem, budget=Budget(**enough)))
        assert not brute(replace(problem, budget=Budget(**below)))


@pytest.mark.parametrize("of", KEYS)
def test_the_least_of_a_budget_at_an_interval(of: str) -> None:
    """The other direction: what is minimised in place of the interval."""
    for seed in range(6):
        problem = replace(random_dataflow(seed, most_layers=2), budget=Budget(dsp=40, loss=900_000))
        best = solve(problem, "brute-force")
        if best.solution is None:
            continue
        interval = int((best.objective or 0) * 1.5)
        turned = replace(problem, least=Least(of, interval))
        expected, own = solve(turned, "brute-force"), solve(turned, "bisection")
        assert (own.status, own.objective, own.bound) == (Status.OPTIMAL, expected.objective, expected.objective)
        taken = (*use_of(problem, own.solution), loss_of(problem, own.solution))  # type: ignore[arg-type]
        assert taken[(*RESOURCES, "loss").index(of)] == own.objective


def test_an_interval_conflicts_as_budgets_do() -> None:
    """Two resources are each enough for some interval, and the interval for some of them."""
    free = replace(random_dataflow(1, most_layers=2), budget=Budget(), least=None)
    fastest = int(solve(free).objective or 0)
    dsp = int(solve(replace(free, least=Least("dsp", fastest))).objective or 0)
    tight = replace(free, budget=Budget(dsp=dsp - 1), least=Least("lut", fastest))
    slower = int(solve(replace(free, budget=tight.budget)).objective or 0)
    assert explain(tight) == (
        ("budget.dsp", "least.interval"),
        (f"budget.dsp: at least {dsp}", f"least.interval: at least {slower}"),
    )


@pytest.mark.parametrize("turned", [False, True])
def test_out_of_time_the_conflict_is_one_and_the_answer_says_what_is_open(turned: bool) -> None:
    problem = conflicting((2, 1), dsp=20, bram18=1, uram=0, lut=3000)
    if turned:
        problem = replace(problem, least=Least("dsp", 100_000))
    whole, short = explain(problem), explain(problem, Clock(0.0))
    assert set(whole[0]) <= set(short[0]), "more is named than needed"
    assert not any("in time" in text for text in whole[1])
    if short[0] != whole[0]:
        assert short[1][-1] == "whether fewer budgets conflict already was not decided in time"
    assert any("not found in time" in text for text in short[1])
    kept: dict[str, Any] = {key: getattr(problem.budget, key) for key in KEYS if f"budget.{key}" in short[0]}
    assert not brute(replace(problem, budget=Budget(**kept)))
    for text in short[1][: len(short[0])]:
        key, _, said = text.partition(": ")
        least = re.match(r"(?:more than|at least) ([0-9]+)", said)
        own = dict(zip(whole[0], whole[1], strict=True)).get(key, "")
        needed = re.search(r"at least ([0-9]+)$", own)
        assert least is None or needed is None or int(least[1]) <= int(needed[1]), "nothing is said that is not so"


def test_a_rate_that_is_said_to_be_enough_is() -> None:
    levels = (Level("0", (binomial(1, Fraction(1)),)),)
    tight = Budget(bits_per_cycle=Fraction(1, 100))
    layers = (Layer("a", 2, 1, levels=levels),)
    problem = Problem(layers, (), tight, memories=("stream",), engines=("dense",), least=Least("dsp", 3))
    result = solve(problem)
    assert result.status is Status.INFEASIBLE
    key, _, said = result.remedy[0].partition(": at least ")
    assert key == "budget.bits_per_cycle"
    assert brute(replace(problem, budget=Budget(bits_per_cycle=Fraction(said))))
    assert not brute(replace(problem, budget=Budget(bits_per_cycle=Fraction(said) - Fraction(1, 10**9))))


def test_a_slow_rate_is_in_nobody_s_way() -> None:
    """Weights that take longer than any interval that is looked at fit all the same."""
    levels = [(Level("0", (binomial(cluster, Fraction(1)),)),) for cluster in (1, 2)]
    layers = (Layer("a", 1, 1, levels=levels[0]), Layer("b", 2, 1, cluster=2, levels=levels[1]))
    free = Problem(layers, ((0, 1),), Budget(), memories=("stream",), engines=("dense",), slacks=(1,))
    lut = int(solve(replace(free, least=Least("lut", 10**6))).objective or 0)
    slow = Budget(lut=lut - 1, bits_per_cycle=Fraction(1, 1 << 60))
    assert solve(replace(free, budget=slow)).remedy == (f"budget.lut: at least {lut}",)
    enough = replace(free, budget=replace(slow, lut=lut))
    assert brute(enough)
    assert solve(enough).solution is not None


@pytest.mark.parametrize("seed", range(30))
def test_several_conflicts_are_all_named_and_what_is_said_together_is_enough(seed: int) -> None:
    """Of budgets that are each too small by themselves, and others: against brute force."""
    draw = random.Random(seed)
    free = replace(random_dataflow(seed, most_layers=2), budget=Budget())
    least: dict[str, int] = {of: int(solve(replace(free, least=Least(of, 1 << 40))).objective or 0) for of in KEYS}
    small = draw.sample([key for key in KEYS if least[key] > 0], 2)
    budget: dict[str, Any] = {
        key: draw.randrange(least[key]) if key in small else least[key] + draw.randrange(9) for key in KEYS
    }
    problem = replace(free, budget=Budget(**budget))
    result = solve(problem)
    assert result.status is Status.INFEASIBLE
    members = [own.removeprefix("budget.") for own in result.conflict]
    assert set(small) <= set(members)
    for key, text in zip(members, result.remedy, strict=True):
        said = re.fullmatch(rf"budget\.{key}: at least ([0-9.]+)(?:, and (.*) must change as well)?", text)
        if said is None:
            assert text.startswith(f"budget.{key}: no change of it alone is enough")
            continue
        elsewhere = [own.removeprefix("budget.") for own in (said[2] or "").split(" and ") if own]
        assert set(small) - {key} <= set(elsewhere)
        amount = round(float(said[1]) * POINT) if key == "loss" else int(said[1])
        without: dict[str, Any] = dict.fromkeys(elsewhere)
        assert brute(replace(problem, budget=replace(problem.budget, **without | {key: amount})))
        assert not brute(replace(problem, budget=replace(problem.budget, **without | {key: amount - 1})))
