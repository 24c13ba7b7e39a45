"""The declared orders of passes: as good as every order of tiny pipelines; what is known of 1F1B and of a split."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from accmine.models.pipeline_schedule_cpsat import PipelineScheduleCpSat
from accmine.ports import Stop
from accmine.problems.pipeline_schedule import Problem, Stage, check, eager, named, one_by_one, score
from accmine.result import Status
from accmine.solving import solve
from tests.models.test_schedule_window_cpsat import solved
from tests.samples.pipeline_sample import best_of_all, random_pipeline


@pytest.mark.parametrize(("stages", "microbatches", "cases"), [(1, 3, 15), (2, 2, 25), (3, 1, 15), (2, 3, 4)])
def test_as_good_as_every_order(stages: int, microbatches: int, cases: int) -> None:
    rng = random.Random(f"orders {stages} {microbatches}")
    for _ in range(cases):
        problem = random_pipeline(rng, stages, microbatches, split=rng.random() < 0.7)
        result = solve(problem, "cp-sat")
        assert result.status is Status.OPTIMAL
        assert result.objective == result.bound == best_of_all(problem, ascending=stages * microbatches > 4)


@pytest.mark.full
def test_as_good_as_every_order_often() -> None:
    rng = random.Random("often")
    for _ in range(300):
        stages, microbatches = rng.choice([(1, 3), (2, 2), (3, 1), (4, 1)])
        problem = random_pipeline(rng, stages, microbatches, split=rng.random() < 0.7)
        assert solve(problem, "cp-sat").objective == best_of_all(problem)


def test_orders_without_a_search_are_complete_hints_and_come_back() -> None:
    rng = random.Random(3)
    for _ in range(12):
        problem = random_pipeline(rng, rng.randint(1, 4), rng.randint(1, 6), split=rng.random() < 0.7)
        for solution in (*named(problem).values(), eager(problem), one_by_one(problem)):
            if check(problem, solution):
                continue
            model = PipelineScheduleCpSat()
            built = model.build(problem)
            top = next(v for v in built.proto.variables if v.name == "step").domain[1]
            if score(problem, solution) > top:
                continue  # beyond the horizon, which is that of the best of them
            model.hint(solution)
            assert built.validate() == ""
            assert sorted(built.proto.solution_hint.vars) == list(range(len(built.proto.variables)))
            again = model.read(solved(built, fixed=True).value)
            assert check(problem, again) == ()
            assert score(problem, again) == score(problem, solution)


def equal(stages: int, microbatches: int, *, split: bool, held: int = 0) -> Problem:
    """Equal stages of passes of 10; ``held``: microbatches that fit, else what 1F1B holds."""
    rows = (Stage(f"s{s}", 10, 10, 10, memory=held or min(microbatches, stages - s)) for s in range(stages))
    return Problem(tuple(rows), ((0, 0),) * (stages - 1), microbatches, split)


@pytest.mark.parametrize(("stages", "microbatches"), [(2, 4), (3, 4), (4, 4), (4, 6)])
def test_1f1b_is_optimal_for_its_memory_and_whole_backward_passes(stages: int, microbatches: int) -> None:
    problem = equal(stages, microbatches, split=False)
    result = solve(problem, "cp-sat")
    assert result.status is Status.OPTIMAL
    assert result.objective == score(problem, named(problem)["1f1b"]) == (microbatches + stages - 1) * 30


def test_1f1b_is_optimal_for_its_memory_with_unequal_stages() -> None:
    rng = random.Random(2)
    for _ in range(4):
        problem = equal(3, 5, split=False)
        rows = (replace(s, forward=rng.randint(5, 15), backward=rng.randint(5, 15)) for s in problem.stages)
        problem = replace(problem, stages=tuple(rows))
        assert solve(problem, "cp-sat").objective == score(problem, named(problem)["1f1b"])


def test_a_split_gains_and_zb_h1_is_optimal_for_equal_stages() -> None:
    whole = solve(equal(3, 6, split=False), "cp-sat").objective
    problem = equal(3, 6, split=True, held=3)
    result = solve(problem, "cp-sat")
    assert result.status is Status.OPTIMAL
    assert result.objective == score(problem, named(problem)["zb-h1"]) == 6 * 30 + 2 * 10
    assert whole == 6 * 30 + 2 * 30


def test_unequal_stages_gain_over_every_name() -> None:
    rows = tuple(
        Stage(f"s{s}", f, b, w, memory=4) for s, (f, b, w) in enumerate([(5, 9, 4), (12, 10, 3), (7, 7, 7), (9, 16, 5)])
    )
    problem = Problem(rows, ((1, 1),) * 3, 6)
    fitting = [score(problem, own) for own in named(problem).values() if not check(problem, own)]
    result = solve(problem, "cp-sat", stop=Stop(seconds=20))
    assert result.objective is not None
    assert result.bound is not None
    assert result.bound <= result.objective < min(fitting)
