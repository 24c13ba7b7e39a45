"""The check of a sparse dataflow: every limit by itself, and what a design is worth."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import ceil
from typing import Any

import pytest

from accmine.problems.sparse_dataflow import (
    Budget,
    Choice,
    Problem,
    Solution,
    band_of,
    budget_at,
    check,
    explain,
    loss_of,
    score,
    use_of,
)
from accmine.sparse.folding import Folding
from accmine.sparse.layer import PARTS, Layer, Level, binomial
from accmine.sparse.resources import RESOURCES, adapter
from tests.samples.sparse_sample import any_solution, random_dataflow


def two() -> Problem:
    """A convolution and a matrix product."""
    half = Level("half", (binomial(9, Fraction(1, 2)),), 200_000)
    conv = Layer("conv", 4, 8, (3, 3), (8, 8), (8, 8), levels=(Level("0", (binomial(9, Fraction(1)),)), half))
    fc = Layer("fc", 8, 10, cluster=2, levels=(Level("0", ((PARTS, 0, 0),)),))
    return Problem((conv, fc), ((0, 1),))


def design(level: int = 0, **fold: Any) -> Solution:
    conv = replace(Folding("sparse", 2, 4, 1, 3), **fold)
    return Solution((Choice(level, conv), Choice(0, Folding("dense", 1, 1, 1, 2))))


def test_by_hand() -> None:
    """8·8·4·8 windows on 8 engines, 3 cycles each; half of the weights zero, 9 products take Σ h·⌈n/3⌉."""
    assert score(two(), design(slack=1)) == 8 * 8 * 4 * 8 // 8 * 3
    mean = sum(max(1, -(-n // 3)) * count for n, count in enumerate(reversed(binomial(9, Fraction(1, 2)))))
    alone = Solution((Choice(1, Folding("sparse", 1, 1, 1, 3)), design().choices[1]))
    assert score(two(), alone) == -(-8 * 8 * 4 * 8 * mean // PARTS)
    assert use_of(two(), design())[0] == 8 * 3 + 2


def test_streams_limit() -> None:
    """4 words in of 8·8 at 2 per cycle are faster than 8 out of 8·8 at 1 per cycle."""
    solution = Solution((Choice(0, Folding("dense", 4, 1, 1, 9)), design().choices[1]))
    rows = explain(two(), solution)
    assert rows[0].cycles == rows[0].streams == 8 * 8 * 8
    assert rows[0].binds == "streams"


def test_adapters_are_paid() -> None:
    problem, solution = two(), design()
    apart = use_of(replace(problem, edges=()), solution)
    lut, ff = adapter(4, 2, problem.model)
    assert use_of(problem, solution) == (apart[0], apart[1] + lut, apart[2] + ff, *apart[3:])
    assert adapter(3, 3, problem.model) == (0, 0)


@pytest.mark.parametrize("name", RESOURCES)
def test_each_budget_is_held(name: str) -> None:
    problem = two()
    solution = design(level=1, memory="uram" if name == "uram" else "stream" if name == "bits" else "bram")
    if name in ("uram", "bram18"):  # weights of the small layer are in LUTs
        wide = replace(problem.layers[0], channels_in=256, channels_out=256, levels=problem.layers[0].levels)
        problem = replace(problem, layers=(wide, problem.layers[1]), edges=())
    used = use_of(problem, solution)[RESOURCES.index(name)]
    assert used > 0
    if name == "bits":  # a rate: it makes the interval as long as it takes, unless it is 0
        apart = score(problem, solution)
        half = replace(problem, budget=Budget(bits_per_cycle=Fraction(used, 2 * apart)))
        assert score(half, solution) == 2 * apart
        assert check(half, solution) == ()
        enough, less = Budget(bits_per_cycle=Fraction(used, apart)), Budget(bits_per_cycle=Fraction(0))
        assert score(replace(problem, budget=enough), solution) == apart
    else:
        most: dict[str, Any] = {name: used}
        fewer: dict[str, Any] = {name: used - 1}
        enough, less = Budget(**most), Budget(**fewer)
    assert check(replace(problem, budget=enough), solution) == ()
    assert name in " ".join(check(replace(problem, budget=less), solution))


def test_logic_has_a_band_and_nothing_else() -> None:
    problem, solution = two(), design()
    use = dict(zip(RESOURCES, use_of(problem, solution), strict=True))
    problem = replace(problem, model=replace(problem.model, band=(0.5, 1.25)))
    band = band_of(problem, solution)
    assert band == {name: (use[name] // 2, -(-use[name] * 5 // 4)) for name in ("lut", "ff")}
    alone = replace(problem, model=replace(problem.model, band=(1.0, 1.0)))
    assert band_of(alone, solution) == {name: (use[name], use[name]) for name in ("lut", "ff")}


def test_the_loss_is_held() -> None:
    problem, solution = two(), design(level=1)
    assert loss_of(problem, solution) == 200_000
    assert check(replace(problem, budget=Budget(loss=200_000)), solution) == ()
    assert check(replace(problem, budget=Budget(loss=199_999)), solution) == (
        "loss is 0.2, at most 0.199999 is allowed",
    )


@pytest.mark.parametrize(
    ("fold", "message"),
    [
        ({"coarse_in": 3}, "coarse_in 3 does not divide 4"),
        ({"coarse_out": 16}, "coarse_out 16 does not divide 8"),
        ({"coarse_group": 2}, "coarse_group 2 does not divide 1"),
        ({"fine": 10}, "fine 10 is not allowed"),
        ({"fine": 0}, "fine 0 is not allowed"),
        ({"engine": "dense", "fine": 2}, "fine 2 is not allowed for a window of 9; allowed: a divisor"),
        ({"slack": 2}, "slack 2 is not allowed"),
        ({"engine": "dense", "slack": 4}, "slack 4 is not allowed; allowed: 1"),
        ({"memory": "ddr"}, "memory 'ddr' is not allowed"),
        ({"engine": "systolic"}, "engine 'systolic' is not allowed"),
    ],
)
def test_foldings_that_are_none(fold: dict[str, Any], message: str) -> None:
    assert message in "; ".join(check(two(), design(**fold)))


def test_what_a_problem_leaves_out() -> None:
    problem = replace(two(), engines=("dense",), memories=("uram",), slacks=(4,))
    found = "; ".join(check(problem, design(slack=16)))
    assert "engine sparse is not among dense" in found
    assert "memory bram is not among uram" in found
    assert "slack 16 is not among" in found
    assert "slack 1 is not among" in "; ".join(check(replace(two(), slacks=(4,)), design(slack=1)))
    assert check(replace(two(), slacks=(4,)), design(slack=4)) == (), "dense engines never wait"
    assert "level 7 is not there" in "; ".join(check(two(), design(level=7)))
    assert check(two(), Solution(design().choices[:1])) == ("1 choices for 2 layers",)


@pytest.mark.parametrize("seed", range(60))
def test_sums(seed: int) -> None:
    """The interval is that of the slowest layer or of off-chip weights; rows add up to the use without adapters."""
    problem = random_dataflow(seed)
    solution = any_solution(problem, seed)
    rows = explain(problem, solution)
    apart, bits = use_of(replace(problem, edges=()), solution), problem.budget.bits_per_cycle
    weights = 0 if bits is None else ceil(apart[5] / bits)
    assert score(problem, solution) == max(weights, *(row.cycles for row in rows))
    assert apart == tuple(sum(row.use[i] for row in rows) for i in range(len(RESOURCES)))
    assert all(a <= b for a, b in zip(apart, use_of(problem, solution), strict=True))
    assert budget_at(problem, 7)[5] == (None if bits is None else int(7 * bits))
