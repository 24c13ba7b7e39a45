"""The fastest design outside of cuts is that of all combinations of levels that no cut forbids."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace

import pytest

from accmine.ports import Stop
from accmine.problems.sparse_dataflow import Budget, Problem, Solution, check, loss_of, score, tabulate, tabulate_from
from accmine.questions.sparse.truth.cuts import Cut, cut_of, fastest_outside, is_cut, levels_of, polished, sparser
from accmine.result import Result
from accmine.solving import solve
from accmine.sparse.layer import PARTS, Layer, Level
from tests.questions.sparse.truth.test_loop import fastest, small


def ask(problem: Problem, seconds: float) -> Result[Solution]:
    return solve(problem, stop=Stop(seconds=seconds))


def free(seed: int) -> Problem:
    problem = small(seed)
    return replace(problem, budget=replace(problem.budget, loss=None))


@pytest.mark.parametrize("seed", range(8))
def test_fastest_outside_of_cuts(seed: int) -> None:
    problem, rng = free(seed), random.Random(seed)
    every = fastest(problem)
    cuts: list[Cut] = []
    for turn in range(6):
        left = [interval for levels, interval in every.items() if not is_cut(levels, cuts)]
        found = fastest_outside(problem, cuts, ask, 60)
        assert found.complete
        if not left:
            assert found.solution is None
            assert found.bound is None
            break
        assert found.solution is not None
        assert not is_cut(levels_of(found.solution), cuts)
        assert found.bound == score(problem, found.solution) == min(left)
        assert not check(problem, found.solution)
        cuts.append(cut_of(problem, levels_of(found.solution), monotone=bool(turn % 2)))
        cuts.append(cut_of(problem, rng.choice(list(every)), monotone=False))


def test_among_some_levels() -> None:
    problem = free(2)
    allowed = tuple(frozenset([len(layer.levels) - 1]) for layer in problem.layers)
    found = fastest_outside(problem, [], ask, 60, allowed)
    assert found.solution is not None
    assert levels_of(found.solution) == tuple(len(layer.levels) - 1 for layer in problem.layers)
    assert score(problem, found.solution) == fastest(problem)[levels_of(found.solution)]


def test_no_time_is_no_proof() -> None:
    problem = free(2)
    cuts = [cut_of(problem, tuple(0 for _ in problem.layers), monotone=True)]
    assert fastest_outside(problem, cuts, ask, 60).complete
    found = fastest_outside(problem, cuts, ask, 0)
    assert found.solution is None
    assert not found.complete
    assert found.bound is not None


def test_sparser_is_a_partial_order() -> None:
    def level(name: str, zeros: int, loss: int) -> Level:
        return Level(name, ((PARTS - zeros, zeros),), loss)

    levels = (level("a", 0, 0), level("b", 10, 5), level("c", 20, 3), level("d", 20, 5))
    problem = Problem((Layer("l", 1, 1, levels=levels),), budget=Budget(loss=1))
    found = [set(sparser(problem, 0, v)) for v in range(4)]
    assert found == [{0, 1, 2, 3}, {1, 3}, {2, 3}, {3}], "c is sparser than b, and less lossy: neither follows"
    assert cut_of(problem, (1,), monotone=False) == (frozenset([1]),)


@pytest.mark.parametrize("seed", range(6))
def test_polished_is_no_slower_and_no_lossier(seed: int) -> None:
    problem = free(seed)
    solution = solve(problem).solution
    assert solution is not None
    found = polished(problem, solution)
    assert [own.folding for own in found] == [own.folding for own in solution]
    assert score(problem, found) <= score(problem, solution)
    others = itertools.product(*(range(len(layer.levels)) for layer in problem.layers))
    same = (
        Solution(tuple(replace(own, level=v) for own, v in zip(solution, levels, strict=True))) for levels in others
    )
    assert loss_of(problem, found) == min(
        loss_of(problem, own) for own in same if score(problem, own) <= score(problem, solution)
    )


def test_tables_of_some_levels_are_those_of_the_problem_itself() -> None:
    problem = free(4)
    chosen = [[len(layer.levels) - 1, 0] if len(layer.levels) > 1 else [0] for layer in problem.layers]
    layers = [
        replace(layer, levels=tuple(replace(layer.levels[v], loss=7 + v) for v in of))
        for layer, of in zip(problem.layers, chosen, strict=True)
    ]
    other = replace(problem, layers=tuple(layers))
    again = replace(other)
    tabulate_from(other, problem, chosen)
    taken = tabulate(other)
    del other
    for own, alone in zip(taken, tabulate(replace(again, name="alone")), strict=True):
        for field in ("rows", "cycles", "use", "streams", "loss"):
            assert (getattr(own, field) == getattr(alone, field)).all()
