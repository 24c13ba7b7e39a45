"""Best-first design search: never a bound above what a design achieves, never an answer that does not hold."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from math import inf
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.errors import InputError
from accmine.hardware.technology import area_mm2, tdp_w
from accmine.ports import Stop
from accmine.problems.design_search import Problem, Solution, by_value, check, evaluated
from accmine.problems.design_search.lowering import lower
from accmine.registry import make_solver, solvers_of
from accmine.result import Result, Status, StopReason
from accmine.solvers.design_search import best_first, design_job
from accmine.solving import solve
from tests.samples.search_sample import Shape, design, designs, everything, graph_of, search, shapes, task_of, template

SPACE = template(tensor_cores=(1, 2), tensor_rows=(4, 8), vector_lanes=(4, 8), hbm_bytes_per_s=(7 * 10**9,))
OBJECTIVES = st.sampled_from(("throughput", "throughput-per-tdp"))
TRAINING: list[Shape] = [
    ("gemm", 64, ()),
    ("vector", 300, (0,)),
    ("gemm", 64, (1,)),
    ("vector", 300, (2,)),
    ("gemm", 64, (3,)),
    ("gemm", 300, (2,)),
    ("vector", 64, (4,)),
    ("gemm", 300, (4,)),
    ("gemm", 16, (6,)),
    ("vector", 300, (5, 7)),
]


def found(problem: Problem, stop: Stop | None = None, first: tuple[Any, ...] = (), **options: Any) -> Result[Solution]:
    solver = make_solver("design-search", "best-first", **options)
    return solve(replace(problem, first=first), solver, stop=stop or Stop(work=60))


@settings(max_examples=5, deadline=None)
@given(shapes(6), shapes(4), OBJECTIVES, st.sampled_from(("worst", "mean")), st.sampled_from(("even", "none")))
def test_no_design_is_below_the_bound(
    one: list[Shape], two: list[Shape], objective: str, aggregate: str, split: str
) -> None:
    tasks = [task_of(graph_of(one), repeats=(3,)), task_of(graph_of(two), name="u")]
    problem = search(tasks, SPACE, split=split, objective=objective, aggregate=aggregate)
    result = found(problem)
    values = [e.value for e in everything(problem)]
    assert result.objective is not None
    assert result.bound is not None
    assert result.bound <= min(values) * (1 + 1e-12)
    assert result.bound <= result.objective
    # Every other list schedule may be better only within the gap that is admitted.
    assert min(values) >= result.objective * (1 - (result.gap or 0.0)) * (1 - 1e-9)
    if result.stop is StopReason.PROVED:
        assert min(values) >= result.objective * (1 - 1.1e-3), "ties are decided by TDP within a thousandth"


@settings(max_examples=2, deadline=None)
@given(shapes(5), OBJECTIVES)
def test_no_optimal_schedule_of_any_design_is_below_the_bound(one: list[Shape], objective: str) -> None:
    problem = search([task_of(graph_of(one))], SPACE, split="none", objective=objective)
    result = found(problem)
    assert result.bound is not None
    for d in designs(SPACE):
        part = lower(problem.tasks[0].phases[0].graph, problem.library, d)
        best = solve(part.problem, "cp-sat", stop=Stop(work=5), seed=0)
        assert best.objective is not None
        relative = best.objective / d.frequency_hz / problem.reference_s[0]
        value = relative * (tdp_w(d, problem.technology) if objective == "throughput-per-tdp" else 1.0)
        assert result.bound <= value * (1 + 1e-12)


def test_a_training_graph_is_closed_on_a_small_space() -> None:
    result = found(search([task_of(graph_of(TRAINING))], SPACE, split="none"), Stop(work=4000))
    assert result.status is Status.OPTIMAL
    assert result.stop is StopReason.PROVED
    assert result.gap == 0.0


@pytest.mark.parametrize("objective", ["throughput", "throughput-per-tdp"])
def test_larger_limits_never_raise_the_bound_above_what_fitted_before(objective: str) -> None:
    free = search([task_of(graph_of(TRAINING))], SPACE, split="none", objective=objective)
    areas = sorted(area_mm2(d, free.technology) for d in designs(SPACE))
    results = [found(replace(free, area_mm2=limit)) for limit in (areas[0], areas[len(areas) // 2], inf)]
    for small, large in pairwise(results):
        assert large.bound is not None
        assert small.objective is not None
        assert large.bound <= small.objective
        assert large.objective is not None
        assert large.objective <= small.objective * (1 + 1e-9)


def test_names_of_operators_change_nothing_and_work_repeats() -> None:
    names = [f"z{len(TRAINING) - i}" for i in range(len(TRAINING))]
    rows = []
    for graph in (graph_of(TRAINING), graph_of(TRAINING, names), graph_of(TRAINING)):
        result = found(search([task_of(graph)], SPACE, split="none"), Stop(work=25))
        rows.append((result.objective, result.bound, result.work, result.pool, [r[1:] for r in result.trace]))
    assert rows[0] == rows[1] == rows[2]


def test_two_workers_prove_the_same() -> None:
    problem = search([task_of(graph_of(TRAINING))], SPACE, split="none")
    one, two = found(problem, Stop(work=4000)), found(problem, Stop(seconds=120, workers=2))
    assert two.status is Status.OPTIMAL
    assert one.objective == two.objective


def test_no_time_leaves_a_bound() -> None:
    problem = search([task_of(graph_of(TRAINING))], SPACE)
    result = found(problem, Stop(seconds=0))
    assert result.stop is StopReason.TIME
    assert result.bound is not None
    assert 0 < result.bound <= min(e.value for e in everything(problem))


def test_a_design_to_begin_with_is_never_beaten_by_the_answer() -> None:
    problem = search([task_of(graph_of(TRAINING))], template())
    first = design(tensor_cores=4, vector_cores=2)
    result = found(problem, Stop(seconds=0), (first,))
    assert result.objective is not None
    assert by_value(result.pool)[0].design.tensor == first.tensor
    everywhere = found(problem, Stop(work=200), (first,))
    assert everywhere.objective is not None
    assert everywhere.objective <= result.objective


def test_nothing_fits() -> None:
    result = found(replace(search([task_of(graph_of(TRAINING))], SPACE), area_mm2=1.0))
    assert result.status is Status.INFEASIBLE
    assert result.objective is None
    assert result.stop is StopReason.PROVED
    assert (result.solution, result.pool) == (None, ())


def test_a_floor_nothing_reaches_is_proven() -> None:
    problem = search([task_of(graph_of(TRAINING))], SPACE, objective="throughput-per-tdp", floor=1e9)
    assert found(problem).status is Status.INFEASIBLE


def test_a_floor_is_kept() -> None:
    free = search([task_of(graph_of(TRAINING))], SPACE, objective="throughput-per-tdp")
    relative = sorted(e.relative for e in everything(free))
    problem = replace(free, floor=1 / relative[len(relative) // 3])
    result = found(problem)
    assert result.solution is not None
    assert by_value(result.pool)[0].relative <= (1 + 1e-9) / problem.floor
    assert result.solution.design == by_value(result.pool)[0].design
    assert result.bound is not None
    assert result.bound <= min(e.value for e in everything(problem))


def test_an_interrupt_keeps_the_best_and_its_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = search([task_of(graph_of(TRAINING))], SPACE, split="none")
    calls = []
    real = design_job.work_on

    def interrupted(*arguments: Any) -> Any:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(best_first, "work_on", interrupted)
    result = found(problem, Stop(work=4000))
    assert result.stop is StopReason.INTERRUPTED
    assert result.solution is not None
    assert len(result.pool) == 2
    assert result.objective == min(e.value for e in result.pool)
    assert result.bound is not None
    assert result.bound <= min(e.value for e in everything(problem)) * (1 + 1e-12)


def test_a_gap_that_is_good_enough_ends_the_search() -> None:
    result = found(search([task_of(graph_of(TRAINING))], SPACE, split="none"), Stop(work=4000, gap=0.5))
    assert result.stop in (StopReason.GAP, StopReason.PROVED)
    assert result.work < 4000


def test_progress_is_told_and_only_gets_better() -> None:
    heard: list[tuple[float, Any, Any]] = []
    problem = search([task_of(graph_of(TRAINING))], SPACE, split="none")
    solve(problem, "best-first", stop=Stop(work=40), on_progress=lambda *row: heard.append(row))
    assert heard
    for before, after in pairwise(heard):
        assert after[2] >= before[2]
        assert (after[1] or 0.0) <= (before[1] or inf)


def test_the_pool_holds_what_was_scheduled_with_its_schedules() -> None:
    problem = search([task_of(graph_of(TRAINING))], SPACE, split="none")
    result = found(problem)
    kept = [e for e in result.pool if e.schedules is not None]
    assert kept
    for e in kept:
        assert check(problem, Solution(e.design, e.schedules)) == ()
        assert evaluated(problem, Solution(e.design, e.schedules)) == e


def test_cores_that_no_schedule_uses_are_left_out() -> None:
    """One chain keeps one core of a kind busy: the first design looked at has more, the answer has not."""
    chain: list[Shape] = [("gemm", 300, ()), ("vector", 300, (0,)), ("gemm", 300, (1,))]
    problem = search([task_of(graph_of(chain))], template(), split="none", objective="throughput-per-tdp")
    result = found(problem, Stop(seconds=0), (design(tensor_cores=4, vector_cores=2),))
    assert result.solution is not None
    assert result.verified
    assert (result.solution.design.tensor_cores, result.solution.design.vector_cores) == (1, 1)
    assert len(result.pool) == 2


@pytest.mark.parametrize("options", [{"levels": 0}, {"levels": 99}])
def test_wrong_options_are_refused(options: dict[str, Any]) -> None:
    assert "best-first" in solvers_of("design-search")
    with pytest.raises(InputError):
        make_solver("design-search", "best-first", **options)


def test_a_design_that_is_known_before_gets_better_schedules() -> None:
    """What is found of it later counts, not the first look."""
    problem = search([task_of(graph_of(TRAINING))], SPACE, split="none")
    winner = found(problem, Stop(work=4000)).solution
    assert winner is not None
    look = found(problem, Stop(work=0), (winner.design,))
    result = found(problem, Stop(work=4000), (winner.design,))
    assert result.status is Status.OPTIMAL
    assert result.solution is not None
    assert result.objective == by_value(result.pool)[0].value
    assert look.objective is not None
    assert result.objective < look.objective
