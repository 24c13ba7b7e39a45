"""The exact and the bounding solvers of stage selections against enumeration and the declared models."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from accmine.errors import InputError
from accmine.ports import Stop
from accmine.problems import stage_selection as problems
from accmine.problems.stage_selection import Candidate, Limits, Pipeline, Problem, Solution, Stage
from accmine.problems.stage_selection.integers import integers
from accmine.result import Status, StopReason
from accmine.solvers.stage_selection import auto as selection_auto
from accmine.solvers.stage_selection import bottleneck_bisection, prefix_lagrangian, two_budgets
from accmine.solving import solve
from tests.samples.selection_sample import COMBINATIONS, first_choice, line, shuffled, tiny


def compare(problem: Problem) -> Status:
    """Every solver that applies agrees with enumeration; returns what that proves."""
    truth = solve(problem, "brute-force")
    numbers = integers(problem)
    exact = ["auto", *(["bisection"] if bottleneck_bisection.decided_by_slowest(numbers) else [])]
    for name in exact:
        result = solve(problem, name)
        assert (result.status, result.objective) == (truth.status, truth.objective), name
        assert result.bound == truth.bound or truth.status is Status.INFEASIBLE, name
        assert (result.conflict, result.remedy) == (truth.conflict, truth.remedy)
    if prefix_lagrangian.applies(numbers):
        bounded = solve(problem, "lagrangian")
        if truth.status is Status.INFEASIBLE:
            assert bounded.status is Status.INFEASIBLE
        else:
            assert truth.objective is not None
            assert bounded.bound is not None
            assert bounded.bound <= truth.objective
            assert bounded.objective is not None
            assert bounded.objective >= truth.objective
    return truth.status


@pytest.mark.parametrize(("mode", "objective", "aggregate"), COMBINATIONS)
def test_equals_enumeration(mode: str, objective: str, aggregate: str) -> None:
    assert {compare(tiny(seed, mode, objective, aggregate)) for seed in range(5)}


def test_instances_are_of_both_kinds() -> None:
    found = [compare(tiny(seed, "heterogeneous", "bottleneck", "worst")) for seed in range(20, 40)]
    assert found.count(Status.OPTIMAL) > 5
    assert found.count(Status.INFEASIBLE) > 1


@pytest.mark.full
def test_equals_enumeration_on_five_hundred() -> None:
    found = [compare(tiny(1000 + i, *COMBINATIONS[i % len(COMBINATIONS)])) for i in range(504)]
    assert found.count(Status.OPTIMAL) > 300


@pytest.mark.full
def test_equals_the_declared_models() -> None:
    for seed in range(12):
        for objective, aggregate in (("bottleneck", "worst"), ("bottleneck", "mean"), ("throughput", "mean")):
            problem = line(2, 6, 8, objective, aggregate, ("1f1b", "gpipe")[seed % 2], seed=seed)
            answers = {(r.status, r.objective, r.bound) for r in (solve(problem, n) for n in ("auto", "highs"))}
            assert len(answers) == 1
            assert next(iter(answers))[0] is Status.OPTIMAL


@pytest.mark.parametrize("schedule", ["gpipe", "1f1b"])
def test_sum_of_steps_is_proved_or_bounded(schedule: str) -> None:
    problem = line(2, 6, 6, schedule=schedule)
    best = solve(problem, "highs")
    assert best.status is Status.OPTIMAL
    found = solve(problem, "lagrangian", stop=Stop(seconds=20))
    assert found.bound is not None
    assert best.objective is not None
    assert found.objective is not None
    assert 0.9 * best.objective < found.bound <= best.objective <= found.objective < 1.05 * best.objective
    auto = solve(problem, "auto", stop=Stop(seconds=20))
    assert (auto.status, auto.objective) == (Status.OPTIMAL, best.objective)


def test_more_budget_is_never_worse_and_order_changes_nothing() -> None:
    for objective, aggregate in (("bottleneck", "worst"), ("bottleneck", "mean"), ("throughput", "mean")):
        values = []
        for factor in (1.0, 1.05, 1.3):
            problem = line(2, 3, 5, objective, aggregate)
            assert problem.limits.area_mm2 is not None
            assert problem.limits.tdp_w is not None
            limits = Limits(problem.limits.area_mm2 * factor, problem.limits.tdp_w * factor)
            result = solve(replace(problem, limits=limits), "auto")
            assert result.status is Status.OPTIMAL
            values.append(result.objective or 0.0)
        assert values == sorted(values, reverse=True)
        again = solve(shuffled(line(2, 3, 5, objective, aggregate), 1), "auto")
        assert again.objective == values[0]


def test_bisection_and_lagrangian_say_what_they_are_not_for() -> None:
    with pytest.raises(InputError, match="not decided by its slowest slot"):
        solve(line(2, 2, 3, "throughput", "worst"), "bisection")
    with pytest.raises(InputError, match="is no sum over pipelines"):
        solve(line(2, 2, 3, "throughput", "worst"), "lagrangian")


BOTH = [line(1, 8, 12, "bottleneck", "worst"), line(2, 4, 5)]


@pytest.mark.parametrize("problem", BOTH, ids=["slowest", "sum"])
def test_no_time_is_no_proof(problem: Problem) -> None:
    result = solve(problem, "auto", stop=Stop(seconds=0))
    assert result.stop is StopReason.TIME
    assert result.status in (Status.FEASIBLE, Status.UNKNOWN)
    best = solve(problem, "highs")
    assert best.objective is not None
    assert result.bound is None or result.bound <= best.objective
    assert result.objective is None or result.objective >= best.objective


@pytest.mark.parametrize("problem", BOTH, ids=["slowest", "sum"])
def test_work_repeats_and_a_hint_is_kept(problem: Problem) -> None:
    runs = [solve(problem, "auto", stop=Stop(work=3)) for _ in range(2)]
    assert runs[0].solution == runs[1].solution
    assert runs[0].bound == runs[1].bound
    best = solve(problem, "auto").solution
    kept = solve(problem, "auto", stop=Stop(seconds=0), hint=best)
    assert kept.solution is not None
    assert kept.objective == solve(problem, "auto").objective
    tight = replace(problem, limits=Limits(1.0, 1.0))
    with pytest.raises(InputError, match="the hint is not a solution: limits"):
        solve(tight, "auto", hint=first_choice(problem))


def test_gap_is_good_enough() -> None:
    result = solve(line(2, 8, 10), "auto", stop=Stop(gap=0.2))
    assert result.stop is StopReason.GAP
    assert result.gap is not None
    assert result.gap <= 0.2


def test_an_undecided_threshold_is_neither_met_nor_refuted(monkeypatch: pytest.MonkeyPatch) -> None:
    # even areas and TDPs against each other: half of the sum is odd and cannot be reached exactly
    rows = []
    for i in range(9):
        x = 2.0 * (51 + i * (i + 2))
        a, b = Candidate("a", 1, 1, 0, x, 0), Candidate("b", 1, 1, 0, 0, x)
        names = [replace(c, design=f"{c.design}{i}") for c in (a, b, Candidate("c", 4 + i, 4, 0, 0, 0))]
        rows.append(Stage(f"s{i}", tuple(names)))
    half = 735.0
    problem = Problem(
        (Pipeline("p", tuple(rows), 2, transfer_s=((0.0, 0.0),) * 8),), Limits(half, half), objective="bottleneck"
    )
    exact = solve(problem, "bisection")
    assert exact.status is Status.OPTIMAL
    assert exact.objective == solve(problem, "brute-force").objective
    monkeypatch.setattr(two_budgets, "_MOST_STATES", 1)
    unsure = solve(problem, "bisection")
    assert unsure.status is Status.FEASIBLE
    assert unsure.bound is not None
    assert exact.objective is not None
    assert unsure.bound < exact.objective <= (unsure.objective or 0)
    assert solve(problem, "auto").objective == exact.objective  # HiGHS settles it


@pytest.mark.parametrize("problem", [line(4, 16, 20), line(16, 16, 20, "bottleneck")], ids=["throughput", "bottleneck"])
@pytest.mark.parametrize("news", [1, 2, 5])
def test_interrupt_keeps_the_best_and_its_bound(problem: Problem, news: int) -> None:
    heard: list[tuple[float | None, float | None]] = []

    def interrupt(seconds: float, objective: float | None, bound: float | None) -> None:
        heard.append((objective, bound))
        if len(heard) == news:
            raise KeyboardInterrupt

    result = solve(problem, "auto", stop=Stop(seconds=30), on_progress=interrupt)
    assert result.stop is StopReason.INTERRUPTED
    assert len(heard) == news, "nothing is done after it"
    objective, bound = heard[-1]
    assert (result.objective, result.bound) == (objective, bound)
    assert result.verified == (objective is not None)


def test_extreme_times_keep_bound_and_order() -> None:
    a, b = Candidate("a", 1e-9, 0, 0, 10, 10), Candidate("b", 1e12, 1e12, 1e12, 1, 1)
    stages = (Stage("s", (a, b)), Stage("t", (a, b)))
    for objective in tuple(problems.OBJECTIVES)[:2]:
        for limit in (20.0, 11.0, 2.0):
            pipeline = Pipeline("p", stages, 4, transfer_s=((0.0, 0.0),))
            problem = Problem((pipeline,), Limits(limit), objective=objective)
            best = min(
                problems.objective(problem, Solution((choice,)))
                for choice in product((0, 1), repeat=2)
                if not problems.check(problem, Solution((choice,)))
            )
            result = solve(problem, "auto")
            assert result.objective == best
            assert result.bound is not None
            assert result.bound <= best


def test_most_binaries_leave_the_rest_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection_auto, "MOST_BINARIES", 1)
    result = solve(line(2, 8, 10), "auto")
    assert (result.status, result.stop) == (Status.FEASIBLE, StopReason.FINISHED)
    assert "Lagrangian" in result.bound_method
