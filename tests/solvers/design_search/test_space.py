"""Spaces by position, and what holds for every black-box search on them."""

from __future__ import annotations

from dataclasses import replace
from math import inf, log
from typing import Any

import numpy as np
import pytest

from accmine.hardware import DesignSpace
from accmine.hardware.technology import area_mm2, tdp_w
from accmine.ports import Stop
from accmine.problems.design_search import Evaluation, Problem, Solution, check, fits
from accmine.record import Record
from accmine.registry import make_solver
from accmine.result import Result, Status, StopReason
from accmine.solvers.design_search.space import Looks, Space, guide
from accmine.solving import bound_of, solve
from tests.samples.search_sample import Shape, design, everything, graph_of, search, task_of, template

METHODS = ("random", "ga", "tpe", "gp-features")
SPACE = template(tensor_cores=(1, 2, 4), tensor_rows=(4, 8), vector_lanes=(4, 8), dataflow=("os", "ws"))
STEP: list[Shape] = [("gemm", 64, ()), ("vector", 300, (0,)), ("fused", 64, (1,)), ("gemm", 300, (0,))]


def tiny(**more: Any) -> Problem:
    """48 designs, of which the limit leaves some 30."""
    free = search([task_of(graph_of(STEP))], SPACE, **more)
    areas = sorted(area_mm2(d, free.technology) for d in DesignSpace(SPACE))
    return replace(free, area_mm2=areas[2 * len(areas) // 3])


def found(problem: Problem, method: str, stop: Stop | None = None, seed: int = 0) -> Result[Solution]:
    return solve(problem, make_solver("design-search", method), stop=stop or Stop(), seed=seed)


def test_a_space_holds_the_feasible_designs_and_no_others() -> None:
    problem = tiny()
    space = Space(problem)
    designs = [space.design(space.at(i)) for i in range(space.size)]
    assert set(designs) == {d for d in DesignSpace(SPACE) if fits(problem, d)}
    assert len(designs) == len(set(designs)) < len(DesignSpace(SPACE))
    assert [space.code(d) for d in designs] == [space.at(i) for i in range(space.size)]
    too_large = next(d for d in DesignSpace(SPACE) if not fits(problem, d))
    assert space.code(too_large) is None
    assert space.code(design(dim=64)) is None


def test_what_is_repaired_fits_and_what_fits_stays() -> None:
    problem = tiny()
    space = Space(problem)
    random = np.random.default_rng(0)
    for _ in range(200):
        wanted = random.integers(-1, [n + 1 for n in space.sizes]).tolist()
        assert fits(problem, space.design(space.repaired([max(0, i) for i in wanted])))
    assert all(space.repaired(space.at(i)) == space.at(i) for i in range(space.size))


def test_draws_are_uniform_and_the_last_unseen_is_found() -> None:
    space, random = Space(tiny()), np.random.default_rng(0)
    counts = np.bincount([space.code(space.design(space.draw(random))) is not None for _ in range(100)])
    assert counts[1] == 100
    drawn = [space.draw(random) for _ in range(200 * space.size)]
    often = [drawn.count(space.at(i)) for i in range(space.size)]
    assert min(often) > 120, "200 each on average"
    assert max(often) < 290
    last = space.at(3)
    assert space.unseen(random, {space.at(i) for i in range(space.size)} - {last}) == last


def test_a_neighbour_is_near_and_fits() -> None:
    problem = tiny()
    looks = Looks(Record[Solution](problem))
    for i in range(looks.space.size):
        code = looks.space.at(i)
        assert fits(problem, looks.space.design(looks.moved(code, 0.0)))
    alone = Looks(Record[Solution](search([task_of(graph_of(STEP))], template(tensor_cores=(1,), vector_cores=(1,)))))
    only = alone.space.at(0)
    assert alone.moved(only, 0.5) == only


def test_below_the_floor_the_guide_points_back_to_it() -> None:
    problem = replace(tiny(), objective="throughput-per-tdp", floor=2.0)

    def at(relative: float, value: float) -> float:
        found: float = guide(problem, Evaluation(design(), (), (), 1.0, 10.0, relative, value))
        return found

    assert at(0.5, 5.0) == pytest.approx(log(5.0))
    assert at(0.5, 5.0) < at(0.6, inf) < at(0.7, inf) < at(5.0, inf)


@pytest.mark.parametrize(
    ("method", "objective"), [*((method, "throughput-per-tdp") for method in METHODS), ("random", "throughput")]
)
def test_the_best_of_a_small_space_is_found_each_design_once(method: str, objective: str) -> None:
    problem = tiny(objective=objective)
    result = found(problem, method)
    values = [e.value for e in everything(problem)]
    assert result.objective == min(values)
    assert result.stop is StopReason.FINISHED
    assert len(result.pool) == len(values) == result.work, "one schedule for each design of one phase"
    assert all(fits(problem, e.design) for e in result.pool)
    assert result.solution is not None
    assert check(problem, result.solution) == ()
    low, _ = bound_of(problem)
    assert low is not None
    assert low <= result.objective


@pytest.mark.parametrize("method", METHODS)
def test_a_seed_repeats_and_limits_are_kept(method: str) -> None:
    problem = tiny()
    one, again, other = (found(problem, method, Stop(work=14), seed) for seed in (3, 3, 4))
    assert [e.design for e in one.pool] == [e.design for e in again.pool]
    assert [e.design for e in one.pool] != [e.design for e in other.pool]
    assert len(one.pool) == 14
    assert one.stop is StopReason.TIME
    assert found(problem, method, Stop(seconds=0)).pool == ()


@pytest.mark.parametrize("method", [*METHODS, "best-of-1000", "largest", "tpu-scaled"])
def test_nothing_fits_is_said(method: str) -> None:
    result = found(replace(tiny(), area_mm2=1.0), method)
    assert result.status is Status.INFEASIBLE
    assert result.pool == ()


@pytest.mark.parametrize("method", METHODS)
def test_a_floor_that_nothing_reaches_gives_no_answer_and_no_proof(method: str) -> None:
    result = found(tiny(objective="throughput-per-tdp", floor=1e9), method)
    assert result.status is Status.UNKNOWN
    assert result.solution is None
    assert len(result.pool) == Space(tiny()).size


@pytest.mark.parametrize("method", METHODS)
def test_designs_that_are_known_come_first(method: str) -> None:
    problem = tiny()
    known = Space(problem).design(Space(problem).at(7))
    outside = next(d for d in DesignSpace(SPACE) if not fits(problem, d))
    result = found(replace(problem, first=(outside, known, known)), method, Stop(work=3))
    assert result.pool[0].design == known
    assert len(result.pool) == 3


def test_a_limit_on_tdp_is_one_too() -> None:
    free = search([task_of(graph_of(STEP))], SPACE)
    limits = sorted(tdp_w(d, free.technology) for d in DesignSpace(SPACE))
    problem = replace(free, tdp_w=limits[len(limits) // 2])
    assert Space(problem).size == sum(fits(problem, d) for d in DesignSpace(SPACE))
