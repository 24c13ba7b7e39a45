"""What a larger budget buys, against looking at every design."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import product
from typing import Any

import pytest

from accmine.errors import InputError
from accmine.ports import Stop
from accmine.problems.sparse_dataflow import (
    Budget,
    Choice,
    Least,
    Problem,
    Solution,
    check,
    interval_of,
    loss_of,
    tabulate,
    use_of,
)
from accmine.questions.sparse.buys import BUDGETS, Amount, Purchase, buys
from accmine.result import Status
from accmine.solving import solve
from accmine.sparse.resources import RESOURCES
from tests.samples.sparse_sample import random_dataflow

Design = tuple[int, dict[str, int]]
"""(cycles of the slowest layer, what it takes by the names of ``Budget``, of off-chip weights in bits)."""


def _designs(problem: Problem) -> list[Design]:
    free = replace(problem, budget=Budget())
    tables = tabulate(free)
    each: list[list[Choice]] = [
        [own.choice(level, i) for level in range(len(own.cycles)) for i in range(len(own.rows))] for own in tables
    ]
    found = []
    for design in map(Solution, product(*each)):
        use = dict(zip(RESOURCES, use_of(free, design), strict=True))
        bits = use.pop("bits")
        taken = {**use, "bits_per_cycle": bits, "loss": loss_of(free, design)}
        found.append((interval_of(free, design), taken))
    return found


def _interval(problem: Problem, own: Design, without: str = "") -> int | None:
    """Of a design within the budgets, but for one."""
    interval, taken = own
    for name in BUDGETS:
        most = getattr(problem.budget, name)
        if most is None or name == without:
            continue
        if name != "bits_per_cycle":
            if taken[name] > most:
                return None
        elif taken[name] and not most:
            return None
        elif most:
            interval = max(interval, -int(-taken[name] / most // 1))
    return interval


def _best(problem: Problem, designs: list[Design]) -> int | None:
    return min((found for own in designs if (found := _interval(problem, own)) is not None), default=None)


def _staircase(problem: Problem, designs: list[Design], name: str, interval: int) -> tuple[Amount, int] | None:
    """(least budget with which an interval falls, to what) by definition."""
    needed: list[Amount] = []
    for own in designs:
        found = _interval(problem, own, without=name)
        if found is not None and found < interval:
            bits = own[1][name]
            needed.append(Fraction(bits, interval - 1) if name == "bits_per_cycle" else bits)
    if not needed:
        return None
    changed: dict[str, Any] = {name: min(needed)}
    reached = _best(replace(problem, budget=replace(problem.budget, **changed)), designs)
    assert reached is not None
    return min(needed), reached


@pytest.mark.parametrize("seed", range(24))
def test_against_all_designs(seed: int) -> None:
    problem = random_dataflow(seed, edges=seed % 2 == 0, most_layers=2)
    result = solve(problem, "bisection")
    if result.solution is None:
        assert result.status is Status.INFEASIBLE
        return
    designs = _designs(problem)
    for own in buys(problem, result, reach=Fraction(10), steps=3):
        interval, before = int(result.objective or 0), own.budget
        assert own.binds is (_staircase(problem, designs, own.name, interval) is not None), own.name
        for step in own.steps:
            assert step.proven
            assert (step.budget, step.interval) == _staircase(problem, designs, own.name, interval), own.name
            assert step.budget > before
            assert step.interval < interval
            changed: dict[str, Any] = {own.name: step.budget}
            assert not check(replace(problem, budget=replace(problem.budget, **changed)), step.solution)
            interval, before = step.interval, step.budget
        more: Any = own.budget * 11
        at_most = _best(replace(problem, budget=replace(problem.budget, **{own.name: more})), designs)
        if own.within is None:
            assert at_most == result.objective
        else:
            assert (own.within.interval, own.within.bound) == (at_most, at_most)


def test_what_does_not_bind_is_told_apart() -> None:
    problem = replace(random_dataflow(1, edges=False), budget=Budget(dsp=10**6, lut=10**9))
    found = buys(problem, solve(problem))
    assert [(own.name, own.binds, own.steps, own.within) for own in found] == [
        ("dsp", False, (), None),
        ("lut", False, (), None),
    ]


def test_of_a_design_that_is_not_proven_only_what_is_known_to_be_better() -> None:
    cases = (p for p in map(random_dataflow, range(99)) if p.budget.dsp is not None)
    problem = next(p for p in cases if solve(p).solution and buys(p, solve(p), names=["dsp"])[0].binds)
    best = solve(problem)
    worse = replace(best, status=Status.FEASIBLE, bound=0)
    (own,) = buys(problem, worse, names=["dsp"], reach=Fraction(10))
    (truth,) = buys(problem, best, names=["dsp"], reach=Fraction(10))
    assert (own.binds, own.steps) == (None, ())
    assert (own.within and own.within.interval) == (truth.within and truth.within.interval)


def test_no_time_says_nothing_that_is_not_known() -> None:
    problem = next(p for p in map(random_dataflow, range(99)) if p.budget.dsp is not None and solve(p).solution)
    said: list[Purchase] = []
    (own,) = buys(problem, solve(problem), names=["dsp"], stop=Stop(seconds=0), told=said.append)
    (truth,) = buys(problem, solve(problem), names=["dsp"])
    assert said == [own]
    assert own.binds in (None, truth.binds)
    if own.bound is not None and truth.steps:
        assert own.bound <= truth.steps[0].budget


def test_bad_questions() -> None:
    problem = replace(random_dataflow(1, edges=False), budget=Budget(dsp=10**6))
    result = solve(problem)
    with pytest.raises(InputError, match=r"'lut' has no limit; limited: dsp"):
        buys(problem, result, names=["lut"])
    with pytest.raises(InputError, match="no design"):
        buys(problem, replace(result, solution=None))
    with pytest.raises(InputError, match="the interval only"):
        buys(replace(problem, least=Least("dsp", 10)), result)
