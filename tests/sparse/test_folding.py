"""Foldings: what is offered is what is allowed."""

from __future__ import annotations

from fractions import Fraction

import pytest

from accmine.sparse.folding import DENSE, SLACKS, SPARSE, Folding, divisors, fines, wrong_folding
from accmine.sparse.layer import Layer, Level, binomial


@pytest.mark.parametrize("number", [1, 2, 12, 49, 360, 1000])
def test_divisors(number: int) -> None:
    assert divisors(number) == [d for d in range(1, number + 1) if number % d == 0]


@pytest.mark.parametrize("engine", [DENSE, SPARSE])
def test_offered_is_allowed_and_nothing_else(engine: str) -> None:
    layer = Layer("l", 8, 6, (1, 3), (4, 4), (4, 4), 2, 2, levels=(Level("0", (binomial(6, Fraction(1)),)),))
    offered = {
        (ci, co, cg, fine)
        for ci in divisors(8 // (2 * 2))
        for co in divisors(6 // 2)
        for cg in divisors(2)
        for fine in fines(layer, engine)
    }
    every = [(ci, co, cg, f) for ci in range(10) for co in range(8) for cg in range(4) for f in range(8)]
    assert {own for own in every if not list(wrong_folding(layer, Folding(engine, *own)))} == offered
    slacks = {slack for slack in range(70) if not list(wrong_folding(layer, Folding(engine, 1, 1, 1, 6, slack=slack)))}
    assert slacks == ({1} if engine == DENSE else set(SLACKS))


def test_words_per_cycle() -> None:
    layer = Layer("l", 8, 6, groups=2, cluster=2, levels=(Level("0", (binomial(2, Fraction(1)),)),))
    folding = Folding(DENSE, 2, 3, 2, 2)
    assert folding.engines == 12
    assert folding.multipliers == 24
    assert folding.streams_in(layer) == 8, "all channels at once"
    assert folding.streams_out == 6
