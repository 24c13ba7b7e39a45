"""The product of two factors: limits by chords hold, and closing all intervals gives the best of every choice."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.ports import Stop
from accmine.problems import stage_selection as problems
from accmine.problems.stage_selection import AGGREGATES, MODES, Limits
from accmine.result import Status
from accmine.solvers.engines.interval_product import chord_limit
from accmine.solving import solve
from tests.samples.selection_sample import best_score, line, tiny


@settings(max_examples=200, deadline=None)
@given(
    low=st.integers(1, 1000),
    width=st.integers(0, 500),
    slope=st.fractions(Fraction(1, 100), 100),
    sigma=st.fractions(1, 10**5),
    part=st.fractions(0, 1),
    more=st.integers(0, 50),
)
def test_chord_limit_is_valid(
    low: int, width: int, slope: Fraction, sigma: Fraction, part: Fraction, more: int
) -> None:
    high = low + width
    a = low + int(part * width)
    p = max(0, -(-(sigma - a) // slope)) + more  # least integer with a + slope·p ≥ sigma, and above
    assert a + slope * p >= sigma
    assert a * p >= chord_limit(low, high, slope, sigma)


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 60), st.integers(0, 30), st.integers(1, 500), st.fractions(Fraction(1, 20), 20))
def test_chord_limit_is_tight_at_an_end(low: int, width: int, worth: int, slope: Fraction) -> None:
    """The limit is the least product over the ends of the interval, on the line a + slope·p = sigma."""
    high, sigma = low + width, low + slope * worth
    ends = [a * (sigma - a) / slope for a in (low, high)]
    assert chord_limit(low, high, slope, sigma) - 1 < min(ends) <= chord_limit(low, high, slope, sigma)


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(MODES), st.sampled_from(list(AGGREGATES)))
def test_the_product_is_minimised_over_every_choice(seed: int, mode: str, aggregate: str) -> None:
    problem = tiny(seed, mode, "throughput-per-tdp", aggregate, most=3)
    best, result = best_score(problem), solve(problem, "highs")
    assert (result.status is Status.INFEASIBLE) == (best is None)
    if best is not None:
        assert result.status is Status.OPTIMAL
        assert result.solution is not None
        assert problems.score(problem, result.solution) == best


@pytest.mark.parametrize("seconds", [0.0, 0.05, 0.2])
def test_what_is_left_open_keeps_a_bound(seconds: float) -> None:
    problem = replace(line(1, 5, 9), objective="throughput-per-tdp", aggregate="worst", floor=0.0, limits=Limits())
    best = solve(problem, "brute-force").objective
    assert best is not None
    cut = solve(problem, "highs", stop=Stop(seconds=seconds))
    assert cut.bound is not None
    assert cut.bound >= best * (1 - 1e-12)
    assert cut.objective is None or cut.objective <= best * (1 + 1e-12)
