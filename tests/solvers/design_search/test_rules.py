"""Trivial rules: what each of them is, against enumeration."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import pytest

from accmine.hardware import DesignSpace
from accmine.hardware.technology import area_mm2
from accmine.ports import Stop
from accmine.problems.design_search import fits
from accmine.solvers.design_search import rules
from accmine.solvers.design_search.rules import bounds_of, random_designs, tpu_shaped
from accmine.solvers.design_search.space import Space
from accmine.solving import solve
from tests.samples.search_sample import design, everything, graph_of, search, task_of, template
from tests.solvers.design_search.test_space import SPACE, STEP, tiny


def test_the_largest_is_the_largest() -> None:
    problem = tiny()
    (found,) = solve(problem, "largest").pool
    areas = [area_mm2(d, problem.technology) for d in DesignSpace(SPACE) if fits(problem, d)]
    assert area_mm2(found.design, problem.technology) == max(areas)


def test_a_shape_is_scaled_to_the_limits() -> None:
    space = template(tensor_cores=tuple(range(1, 9)), vector_cores=tuple(range(1, 9)), tensor_rows=(4, 8, 16))
    free = search([task_of(graph_of(STEP))], space)
    shape = design(tensor_cores=2, vector_cores=1, dim=8)
    scaled = tpu_shaped(free, shape)
    assert scaled is not None
    assert (scaled.tensor_cores, scaled.vector_cores, scaled.tensor.rows) == (8, 4, 8)
    limit = area_mm2(shape.with_cores(6, 3), free.technology)
    within = tpu_shaped(replace(free, area_mm2=limit), shape)
    assert within is not None
    assert (within.tensor_cores, within.vector_cores) == (6, 3)
    assert tpu_shaped(replace(free, area_mm2=1.0), shape) is None
    near = tpu_shaped(free, design(dim=7))
    assert near is not None
    assert near.tensor.rows == 8


def test_tpu_scaled_evaluates_one_design() -> None:
    result = solve(tiny(), "tpu-scaled")
    assert len(result.pool) == 1
    assert fits(tiny(), result.pool[0].design)


@pytest.mark.parametrize("objective", ["throughput", "throughput-per-tdp"])
def test_the_best_of_a_thousand_is_that_of_all_where_there_are_fewer(objective: str) -> None:
    problem = tiny(objective=objective)
    result = solve(problem, "best-of-1000")
    assert result.objective == min(e.value for e in everything(problem))
    assert len(result.pool) <= Space(problem).size
    assert solve(problem, "best-of-1000", stop=Stop(seconds=0)).pool == ()


def test_the_best_of_few_is_the_best_of_those(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = tiny()
    monkeypatch.setattr(rules, "RANDOM", 5)
    drawn = random_designs(Space(problem), 3, 5)
    assert len(set(drawn)) == 5
    monkeypatch.setattr(rules, "random_designs", lambda space, seed: random_designs(space, seed, 5))
    values = {e.design: e.value for e in everything(problem)}
    assert solve(problem, "best-of-1000", seed=3).objective == min(values[d] for d in drawn)


def test_no_design_is_below_its_own_bound() -> None:
    problem = tiny(objective="throughput-per-tdp")
    every = everything(problem)
    for low, e in zip(bounds_of(problem, [e.design for e in every]), every, strict=True):
        assert 0 < low <= e.value * (1 + 1e-12)


def test_given_designs_are_evaluated_whatever_they_are() -> None:
    problem = tiny()
    outside = next(d for d in DesignSpace(SPACE) if not fits(problem, d))
    inside = next(d for d in DesignSpace(SPACE) if fits(problem, d))
    result = solve(replace(problem, first=(outside, inside)), "given")
    assert [e.design for e in result.pool] == [outside, inside]
    assert result.solution is not None
    assert result.solution.design == inside
    assert all(e.value < inf for e in result.pool)
