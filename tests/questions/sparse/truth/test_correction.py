"""Corrected losses agree with evaluations, and stay losses."""

from __future__ import annotations

from dataclasses import replace

import pytest

from accmine.questions.sparse.truth.correction import corrected, rescaled_by
from accmine.sparse.layer import POINT
from tests.questions.sparse.truth.test_loop import Levels, small


def total(problem_losses: list[list[int]], levels: Levels) -> int:
    return sum(own[v] for own, v in zip(problem_losses, levels, strict=True))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_evaluations_are_about_met(seed: int, factor: float) -> None:
    problem = small(seed)
    problem = replace(problem, budget=replace(problem.budget, loss=POINT))
    given = [[level.loss for level in layer.levels] for layer in problem.layers]
    sparsest: Levels = tuple(len(own) - 1 for own in given)
    true = factor * total(given, sparsest)
    found = corrected(problem, {sparsest: true})
    losses = [[level.loss for level in layer.levels] for layer in found.layers]
    assert abs(total(losses, sparsest) - true) <= abs(total(given, sparsest) - true) / 5
    for own in losses:
        assert own[0] == 0, "what zeroes nothing loses nothing"
        assert own == sorted(own)
    assert replace(found, layers=()) == replace(problem, layers=())
    assert [[level.histograms for level in layer.levels] for layer in found.layers] == [
        [level.histograms for level in layer.levels] for layer in problem.layers
    ]


def test_nothing_known_nothing_changed() -> None:
    problem = small(0)
    assert corrected(problem, {}) is problem
    assert rescaled_by(problem, {}) == 1


def test_levels_measured_as_lossless_may_lose() -> None:
    problem = small(1)
    layers = tuple(
        replace(layer, levels=tuple(replace(level, loss=0) for level in layer.levels)) for layer in problem.layers
    )
    problem = replace(problem, layers=layers, budget=replace(problem.budget, loss=POINT))
    sparsest: Levels = tuple(len(layer.levels) - 1 for layer in problem.layers)
    found = corrected(problem, {sparsest: 2.0 * POINT})
    losses = [[level.loss for level in layer.levels] for layer in found.layers]
    assert total(losses, sparsest) > POINT, "now it is over the budget"
    assert total(losses, tuple(0 for _ in sparsest)) == 0


def test_no_correction_is_out_of_bounds() -> None:
    problem = small(0)
    problem = replace(problem, budget=replace(problem.budget, loss=POINT))
    sparsest: Levels = tuple(len(layer.levels) - 1 for layer in problem.layers)
    assert rescaled_by(problem, {sparsest: 1000.0 * POINT}) == 4
    assert rescaled_by(problem, {sparsest: -1000.0 * POINT}) == 0.25
    for layer, given in zip(corrected(problem, {sparsest: -1000.0 * POINT}).layers, problem.layers, strict=True):
        for level, before in zip(layer.levels, given.levels, strict=True):
            assert level.loss >= before.loss / 16 - 1, "better than it was: the least that is believed"
