"""Dynamic programming: the knapsack against every choice, and which problems it serves."""

from __future__ import annotations

import random
from dataclasses import replace
from fractions import Fraction
from itertools import product

import numpy as np
import numpy.typing as npt
import pytest

from accmine.errors import InputError
from accmine.ports import Stop
from accmine.problems.sparse_dataflow import Budget, Problem, tabulate
from accmine.result import Status, StopReason
from accmine.solvers.sparse_dataflow.dynamic_programming import one_resource
from accmine.solvers.sparse_dataflow.knapsack import fit, staircase
from accmine.solving import solve
from accmine.sparse.layer import Layer, Level, binomial
from accmine.sparse.resources import RESOURCES


def never() -> bool:
    return False


@pytest.mark.parametrize("seed", range(40))
def test_the_knapsack_knows_whether_any_choice_fits(seed: int) -> None:
    draw = random.Random(seed)
    losses, uses = [], []
    for _ in range(draw.randint(1, 5)):
        count = draw.randint(1, 5)
        losses.append(np.array([draw.choice([0, 1, 7, draw.randint(0, 10**7)]) for _ in range(count)]))
        uses.append(np.array([draw.choice([0, 2, draw.randint(0, 10**6)]) for _ in range(count)]))
    designs = list(product(*(range(len(own)) for own in losses)))

    def total(columns: list[npt.NDArray[np.int64]], own: tuple[int, ...]) -> int:
        return sum(int(column[o]) for column, o in zip(columns, own, strict=True))

    totals = [(total(losses, own), total(uses, own)) for own in designs]
    answers = set()
    some = draw.sample(totals, min(60, len(totals)))
    for most in [*some, *((a - 1, b) for a, b in some), *((a, b - 1) for a, b in some), (min(totals)[0] - 1, 10**9)]:
        fits, picks = fit(losses, uses, *most, never)
        assert fits is any(a <= most[0] and b <= most[1] for a, b in totals)
        if fits:
            own = totals[designs.index(tuple(picks))]
            assert own[0] <= most[0]
            assert own[1] <= most[1]
        answers.add(fits)
    assert answers == {True, False}


def test_the_knapsack_finds_what_no_price_supports() -> None:
    """Of each layer two points are on the hull, and the third one is needed once."""
    losses, uses = [np.array([0, 6, 10])] * 3, [np.array([10, 6, 0])] * 3
    fits, picks = fit(losses, uses, 16, 16, never)
    assert (fits, sorted(picks)) == (True, [0, 1, 2])
    assert fit(losses, uses, 15, 16, never)[0] is False
    assert fit(losses, uses, 16, 15, never)[0] is False
    assert fit(losses, uses, 16, 16, lambda: True) == (None, [])


def test_the_staircase_keeps_the_first_of_equal_points() -> None:
    first, second = np.array([2, 1, 1, 3, 2]), np.array([5, 6, 6, 5, 4])
    assert staircase(first, second, np.array([0.0, 1.0, 0.0, 0.0, 0.0])).tolist() == [2, 4]


def _problem(budget: Budget, *, joined: bool = False, streamed: bool = False) -> Problem:
    levels = tuple(Level(str(i), (binomial(9, Fraction(10 - 3 * i, 10)),), 1000 * i) for i in range(3))
    layers = tuple(Layer(f"l{i}", 4, 4, (3, 3), (8, 8), (8, 8), levels=levels) for i in range(3))
    memories = ("bram", "stream") if streamed else ("bram",)
    return Problem(layers, ((0, 1), (1, 2)) if joined else (), budget, memories=memories)


@pytest.mark.parametrize(
    ("budget", "joined", "resource"),
    [
        (Budget(dsp=40, loss=3000), True, "dsp"),  # nothing else is limited, so adapters are free
        (Budget(lut=20_000, loss=3000), False, "lut"),
        (Budget(bits_per_cycle=Fraction(300), bram18=100), False, "bram18"),
        (Budget(dsp=40, lut=10**6, bram18=1000), True, "dsp"),  # the others cannot bind
        (Budget(lut=10**7, loss=3000), True, None),
        (Budget(loss=3000), True, None),
    ],
)
def test_serves_where_one_limit_can_bind(budget: Budget, joined: bool, resource: str | None) -> None:
    problem = _problem(budget, joined=joined, streamed=budget.bits_per_cycle is not None)
    own = one_resource(problem, tabulate(problem)).resource
    assert (None if own is None else RESOURCES[own]) == resource
    found, other = solve(problem, "dynamic-programming"), solve(problem, "bisection")
    assert found.status is Status.OPTIMAL
    assert found.objective == other.objective


@pytest.mark.parametrize(
    ("budget", "joined", "named"),
    [
        (Budget(dsp=40, lut=20_000), False, "limits of dsp, lut can bind; take bisection"),
        (Budget(lut=20_000), True, "adapters take lut; take bisection"),
        (Budget(dsp=40, bram18=10), False, "limits of dsp, bram18 can bind"),
    ],
)
def test_says_what_it_does_not_serve(budget: Budget, joined: bool, named: str) -> None:
    with pytest.raises(InputError, match=named):
        solve(_problem(budget, joined=joined), "dynamic-programming")


def test_off_chip_weights_alone_may_be_what_takes_longest() -> None:
    problem = replace(_problem(Budget(bits_per_cycle=Fraction(7, 3)), streamed=True), memories=("stream",))
    found = solve(problem, "dynamic-programming")
    bits = sum(int(own.use[:, 5].min()) for own in tabulate(problem))
    assert found.objective == found.bound == -(-bits * 3 // 7)


def test_limits_of_work_leave_a_bound() -> None:
    found = solve(_problem(Budget(dsp=40, loss=3000)), "dynamic-programming", stop=Stop(work=2))
    assert (found.stop, found.work) == (StopReason.TIME, 2)
    assert found.bound is not None
    assert found.objective is not None
    assert found.bound < found.objective
