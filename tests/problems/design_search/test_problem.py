"""Design search: aggregates, scores, ties, and the check that a miner cannot get past."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from math import inf

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from accmine.hardware.technology import area_mm2, tdp_w
from accmine.problems import operator_schedule
from accmine.problems.design_search import (
    TIE,
    Evaluation,
    Problem,
    Solution,
    aggregate,
    best,
    bound,
    by_value,
    check,
    check_claim,
    evaluate,
    evaluated,
    impossible,
    lowered,
    ranked,
    score,
    sense,
    shown,
    shown_bound,
    value_of,
)
from accmine.result import Sense
from accmine.solvers.operator_schedule.critical_path import quick
from tests.samples.search_sample import design, graph_of, planned, search, task_of, template

RATIOS = st.lists(st.floats(0.01, 100), min_size=1, max_size=4)
TASKS = (
    task_of(graph_of([("gemm", 16, ()), ("fused", 64, (0,))]), graph_of([("vector", 5, ())]), repeats=(4, 1)),
    task_of(graph_of([("gemm", 300, ()), ("vector", 300, ())]), name="u"),
)


def evaluation(value: float, tdp: float, area: float, name: int = 1) -> Evaluation:
    return Evaluation(design(name), ((1,),), (value,), area, tdp, value, value)


def solved(problem: Problem) -> tuple[Solution, Evaluation]:
    """A schedule of everything on a design, and its honest evaluation."""
    chosen = design(2, 1)
    parts = lowered(problem, chosen)
    schedules = tuple(tuple(quick(part.problem) for part in own) for own in parts)
    cycles = [
        [operator_schedule.objective(part.problem, schedule) for part, schedule in zip(own, found, strict=True)]
        for own, found in zip(parts, schedules, strict=True)
    ]
    return Solution(chosen, schedules), evaluate(problem, chosen, cycles)


@settings(max_examples=40, deadline=None)
@given(RATIOS, st.data())
def test_aggregates_lie_between_least_and_largest(ratios: list[float], data: st.DataObject) -> None:
    weights = data.draw(st.lists(st.floats(0.1, 10), min_size=len(ratios), max_size=len(ratios)))
    assert aggregate(ratios, weights, "worst") == max(ratios)
    mean = aggregate(ratios, weights, "mean")
    assert mean == pytest.approx(np.average(ratios, weights=weights))
    assert min(ratios) * (1 - 1e-12) <= mean <= max(ratios) * (1 + 1e-12)


@settings(max_examples=40, deadline=None)
@given(RATIOS, st.data(), st.sampled_from(("worst", "mean")))
def test_aggregates_are_monotone_and_work_on_arrays(ratios: list[float], data: st.DataObject, how: str) -> None:
    weights = [1.0 + i for i in range(len(ratios))]
    slower = [r + data.draw(st.floats(0, 10)) for r in ratios]
    assert aggregate(slower, weights, how) >= aggregate(ratios, weights, how)
    arrays = [np.array(pair) for pair in zip(ratios, slower, strict=True)]
    joined = aggregate(arrays, weights, how)
    assert joined.tolist() == pytest.approx([aggregate(ratios, weights, how), aggregate(slower, weights, how)])


@settings(max_examples=40, deadline=None)
@given(st.floats(0.01, 100), st.floats(1, 1000), st.floats(0, 10))
def test_scores(relative: float, tdp: float, floor: float) -> None:
    plain = search(TASKS[:1])
    assert value_of(plain, relative, tdp) == relative
    efficient = search(TASKS[:1], objective="throughput-per-tdp", floor=floor)
    value = float(value_of(efficient, relative, tdp))
    fast_enough = floor == 0 or relative * floor <= 1 + 1e-9
    assume(floor == 0 or not 1 + 1e-10 < relative * floor < 1 + 1e-8)
    assert value == (relative * tdp if fast_enough else inf)
    assert float(value_of(efficient, relative, tdp * 2)) >= value
    assert float(value_of(efficient, relative * 2, tdp)) >= value
    both = value_of(efficient, np.array([relative, relative * 2]), np.array([tdp, tdp]))
    assert np.asarray(both).tolist() == [value, float(value_of(efficient, relative * 2, tdp))]


@settings(max_examples=40, deadline=None)
@given(st.floats(0.01, 100))
def test_the_reference_itself_meets_a_floor_of_one(step_s: float) -> None:
    problem = search(TASKS[:1], objective="throughput-per-tdp", floor=1.0)
    assert float(value_of(problem, step_s / step_s, 5.0)) == 5.0


POOL = st.lists(st.tuples(st.floats(0.5, 0.502), st.integers(1, 3), st.integers(1, 3)), min_size=1, max_size=8).map(
    lambda rows: [evaluation(v, float(t), float(a), i + 1) for i, (v, t, a) in enumerate(rows)]
)


@settings(max_examples=40, deadline=None)
@given(POOL)
def test_ties_go_to_the_least_tdp_then_area(pool: list[Evaluation]) -> None:
    winner = best(pool)
    assert winner is not None
    least = min(e.value for e in pool)
    assert winner.value <= least * (1 + TIE)
    tied = [e for e in pool if e.value <= least * (1 + TIE)]
    assert (winner.tdp_w, winner.area_mm2) == min((e.tdp_w, e.area_mm2) for e in tied)
    assert best(pool[::-1]) == winner, "the order does not matter"


def test_nothing_below_the_floor_wins() -> None:
    assert best([]) is None
    assert best([evaluation(inf, 1, 1)]) is None
    assert best([evaluation(inf, 1, 1), evaluation(9.0, 9, 9)]) == evaluation(9.0, 9, 9)
    assert best([evaluation(1.0, 50, 9), evaluation(1.0009, 40, 9), evaluation(1.002, 1, 1)]) == evaluation(
        1.0009, 40, 9
    )


@pytest.mark.parametrize("objective", ["throughput", "throughput-per-tdp"])
@pytest.mark.parametrize("how", ["worst", "mean"])
def test_evaluation_is_the_formula(objective: str, how: str) -> None:
    problem = search(TASKS, objective=objective, aggregate=how, reference_s=(2e-6, 3e-6), weights=(1.0, 3.0))
    found = evaluate(problem, design(), [[100, 10], [700]])
    steps = (410 / 7e8, 700 / 7e8)
    assert found.step_s == pytest.approx(steps)
    ratios = [steps[0] / 2e-6, steps[1] / 3e-6]
    assert found.relative == pytest.approx(max(ratios) if how == "worst" else (ratios[0] + 3 * ratios[1]) / 4)
    factor = tdp_w(design(), problem.technology) if objective == "throughput-per-tdp" else 1.0
    assert found.value == pytest.approx(found.relative * factor)
    assert found.area_mm2 == area_mm2(design(), problem.technology)
    assert problem.memory_bytes == 1 << 20


def test_an_honest_solution_passes() -> None:
    for problem in (
        search(TASKS),
        search(TASKS, split="none"),
        search(TASKS, objective="throughput-per-tdp", floor=0.1),
    ):
        solution, claim = solved(problem)
        assert check_claim(problem, solution, claim) == ()


def test_limits_are_inclusive() -> None:
    solution, claim = solved(search(TASKS))
    exact = search(TASKS, area_mm2=claim.area_mm2, tdp_w=claim.tdp_w)
    assert check_claim(exact, solution, claim) == ()
    # A third of three times a design's own area may be less than that area by a rounding error.
    rounded = replace(exact, area_mm2=float(np.nextafter(claim.area_mm2, 0)), tdp_w=float(np.nextafter(claim.tdp_w, 0)))
    assert check_claim(rounded, solution, claim) == ()


def broken(problem: Problem, solution: Solution, claim: Evaluation) -> str:
    return "; ".join(check_claim(problem, solution, claim))


def test_every_mutation_is_caught() -> None:
    problem = search(TASKS)
    solution, claim = solved(problem)
    other = template(tensor_cores=(1, 4))
    assert "not in the template" in broken(replace(problem, template=other), solution, claim)
    assert "area" in broken(replace(problem, area_mm2=claim.area_mm2 * 0.999), solution, claim)
    assert "TDP" in broken(replace(problem, tdp_w=claim.tdp_w * 0.999), solution, claim)
    greedy = replace(problem, tasks=(replace(TASKS[0], memory_bytes=17 << 30), TASKS[1]))
    assert "bytes of HBM" in broken(greedy, solution, claim)
    assert "claimed" in broken(problem, solution, replace(claim, value=claim.value * 1.001))
    cycles = ((claim.cycles[0][0] + 1, *claim.cycles[0][1:]), *claim.cycles[1:])
    assert "claimed" in broken(problem, solution, replace(claim, cycles=cycles))
    assert "claimed" in broken(problem, Solution(design(4, 1), solution.schedules), claim)
    assert "every task" in broken(problem, Solution(solution.design, solution.schedules[:1]), claim)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1), st.integers(0, 5), st.sampled_from((-1, -3, 1)))
def test_a_moved_operator_is_caught(task: int, operator: int, by: int) -> None:
    problem = search(TASKS)
    solution, claim = solved(problem)
    own = solution.schedules[task][0]
    operator %= len(own.start)
    start = own.start.copy()
    start[operator] += by
    moved = operator_schedule.Solution(start, own.mode)
    schedules = [list(row) for row in solution.schedules]
    schedules[task][0] = moved
    part = lowered(problem, solution.design)[task][0].problem
    wrong = check_claim(problem, Solution(solution.design, tuple(map(tuple, schedules))), claim)
    still_valid = not operator_schedule.check(part, moved)
    same_length = operator_schedule.objective(part, moved) == operator_schedule.objective(part, own)
    assert (wrong == ()) == (still_valid and same_length)


def test_a_study_of_a_real_model_passes() -> None:
    from accmine.search import search_problem

    plan, library = planned(models=("mlp", "gpt"))
    problem = search_problem(plan, plan.groups("common")[0], 1, library)
    solution, claim = solved(problem)
    assert check_claim(problem, solution, claim) == ()
    assert all(a > 0 for a, _ in pairwise((*claim.step_s, 0.0)))


def test_a_solution_is_worth_its_evaluation() -> None:
    problem = search(TASKS, objective="throughput-per-tdp")
    solution, claim = solved(problem)
    assert evaluated(problem, solution) == claim
    assert score(problem, solution) == claim.value
    assert check(problem, solution) == ()
    assert sense(problem) is Sense.MINIMIZE
    assert shown(problem, 0.5) == shown_bound(problem, 0.5) == 0.5
    value, method = bound(problem)
    assert value is not None
    assert 0 < value <= claim.value
    assert "every feasible design" in method
    assert bound(replace(problem, area_mm2=1.0)) == (None, "no design meets the limits")
    assert impossible(problem) == ((), ())


def test_a_solution_below_the_floor_is_none() -> None:
    problem = search(TASKS, objective="throughput-per-tdp")
    solution, claim = solved(problem)
    floored = replace(problem, floor=2 / claim.relative)
    assert score(floored, solution) == inf
    assert check(floored, solution) == (
        f"throughput is {1 / claim.relative} of the reference, the floor is {floored.floor}",
    )
    assert check_claim(floored, solution, replace(claim, value=inf)) == (), "a part of a choice need not meet it"
    assert check(replace(problem, floor=0.5 / claim.relative), solution) == ()


def test_what_cannot_be_evaluated_is_said_in_words() -> None:
    problem = search(TASKS)
    solution, _ = solved(problem)
    first = solution.schedules[0][0]
    short = operator_schedule.Solution(first.start[:1], first.mode[:1])
    wrong = operator_schedule.Solution(first.start, first.mode + 99)
    none = replace(solution.design, tensor_cores=0)
    for broken_solution, says in (
        (Solution(solution.design, solution.schedules[:1]), "every task"),
        (Solution(solution.design, ((short, *solution.schedules[0][1:]), *solution.schedules[1:])), "has shape"),
        (Solution(solution.design, ((wrong, *solution.schedules[0][1:]), *solution.schedules[1:])), "has no mode"),
        (Solution(none, solution.schedules), "no mode of an operator fits"),
    ):
        assert score(problem, broken_solution) == inf
        assert says in "; ".join(check(problem, broken_solution))


@settings(max_examples=40, deadline=None)
@given(POOL, st.integers(1, 10))
def test_the_best_stands_first_and_the_others_by_value(pool: list[Evaluation], count: int) -> None:
    found = ranked(pool, count)
    assert found[0] == best(pool)
    assert len(found) == min(count, len(pool))
    assert [e for e in by_value(pool) if e != found[0]][: count - 1] == found[1:]
    assert ranked([evaluation(inf, 1, 1)], 3) == []


@given(RATIOS)
def test_mixes_are_the_worst_of_weighted_sums(ratios: list[float]) -> None:
    n = len(ratios)
    alone = [[float(i == j) for j in range(n)] for i in range(n)]
    even = [1.0 / n] * n
    ones = [1.0] * n
    assert aggregate(ratios, ones, "mean", alone) == aggregate(ratios, ones, "worst")
    assert aggregate(ratios, ones, "worst", [even]) == pytest.approx(aggregate(ratios, ones, "mean"))
    assert aggregate(ratios, ones, "mean", [*alone, even]) == max(ratios)
    arrays = [np.array([r, 2 * r]) for r in ratios]
    found = aggregate(arrays, ones, "worst", [even, *alone])
    assert found.tolist() == [max(ratios), 2 * max(ratios)]
