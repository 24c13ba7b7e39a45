"""What sharing the HBM costs: re-timed schedules, the relaxation, and the line of the report."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.cost import CostLibrary
from accmine.errors import InputError
from accmine.hardware import Calibration
from accmine.ports import Stop
from accmine.problems import operator_schedule
from accmine.problems.design_search.lowering import lower
from accmine.problems.operator_schedule import ModeSet, Problem, Solution
from accmine.questions.run.contention import contention, contentions, retimed
from accmine.questions.run.reading import page
from accmine.questions.run.record import Contention, Outcome
from accmine.questions.run.report import render
from accmine.report import from_json
from accmine.search import schedule_task
from accmine.solving import solve
from tests.samples.graph_sample import exhaustive, general, problem_of, unit
from tests.samples.report_sample import common, pipeline, single
from tests.samples.search_sample import (
    Shape,
    design,
    graph_of,
    planned,
    search,
    session,
    shapes,
    study_text,
    task_of,
    template,
)


def without_rate(problem: Problem) -> Problem:
    """The same operations without the last resource."""
    sets = tuple(ModeSet(own.duration, own.uses[:, :-1]) for own in problem.mode_sets)
    return replace(problem, resources=problem.resources[:-1], capacity=problem.capacity[:-1], mode_sets=sets)


def solved(problem: Problem, work: int, seed: int) -> Solution:
    solution = solve(problem, "critical-path", stop=Stop(work=work), seed=seed).solution
    assert isinstance(solution, Solution)
    return solution


@pytest.mark.parametrize("seed", range(40))
def test_a_retimed_schedule_is_valid_and_never_longer(seed: int) -> None:
    problem = general(seed, 4 + seed)
    private = without_rate(problem)
    solution = solved(problem, 3, seed)
    found = retimed(problem, solution, private)
    assert operator_schedule.check(private, found) == ()
    old, new = (operator_schedule.durations(p, s) for p, s in ((problem, solution), (private, found)))
    assert (found.start <= solution.start).all()
    assert (found.start + new <= solution.start + old).all()
    assert operator_schedule.objective(private, found) <= operator_schedule.objective(problem, solution)


@pytest.mark.parametrize("seed", range(20))
def test_a_retimed_schedule_of_the_same_problem_is_never_longer(seed: int) -> None:
    problem = unit(seed, 30, (3, 2))
    early = solved(problem, 1, seed)
    late = Solution(early.start * 3 + 5, early.mode)  # a schedule that waits
    found = retimed(problem, late, problem)
    assert operator_schedule.check(problem, found) == ()
    assert operator_schedule.objective(problem, found) < operator_schedule.objective(problem, late)


def test_operations_that_the_rate_kept_apart_run_side_by_side() -> None:
    rows: Any = [(name, [(10, [1, 0, 40])], []) for name in "abc"]
    problem = problem_of(rows, [3, 1, 50], ("t", "v", "rate"))
    apart = Solution(np.array([0, 10, 20]), np.zeros(3, dtype=np.int64))
    found = retimed(problem, apart, without_rate(problem))
    assert found.start.tolist() == [0, 0, 0]


def test_what_takes_no_time_waits_for_no_core() -> None:
    rows: Any = [("a", [(10, [1, 0, 0])], []), ("b", [(0, [1, 0, 0])], [])]
    problem = problem_of(rows, [1, 1, 1], ("t", "v", "rate"))
    found = retimed(problem, Solution(np.array([0, 5]), np.zeros(2, dtype=np.int64)), without_rate(problem))
    assert found.start.tolist() == [0, 0]


def _library(own: list[Shape], **more: Any) -> tuple[Any, CostLibrary]:
    task = task_of(graph_of(own), repeats=[3])
    return task, search([task], template(**more)).library


@settings(max_examples=25, deadline=None)
@given(shapes(), st.sampled_from((1, 2, 4)), st.sampled_from((1, 2)), st.sampled_from((1, 7, 70)))
def test_private_bandwidth_is_a_relaxation(own: list[Shape], tensor: int, vector: int, gbps: int) -> None:
    task, library = _library(own)
    chip = design(tensor, vector, gbps=gbps)
    (run,) = task.phases
    shared, private = lower(run.graph, library, chip), lower(run.graph, library, chip, private_hbm=True)
    assert private.problem.resources == ("tensor", "vector")
    assert private.problem.capacity.tolist() == [tensor, vector]
    for before, after, mode in zip(shared.tables, private.tables, private.problem.mode_sets, strict=True):
        assert mode.duration.tolist() == after.duration.tolist()
        assert min(after.duration) == min(before.duration)
        for duration, (t, v, _) in zip(before.duration.tolist(), before.uses.tolist(), strict=True):
            fits = (after.uses[:, 0] <= t) & (after.uses[:, 1] <= v)
            assert after.duration[fits].min() <= duration  # every shared mode has one at least as good
        for one, other in pairwise(after.uses[:, :2].tolist()):
            assert one != other


@settings(max_examples=20, deadline=None)
@given(shapes(), st.sampled_from((1, 2, 4)), st.sampled_from((1, 7, 70)))
def test_the_cost_is_never_negative_and_bounded(own: list[Shape], tensor: int, gbps: int) -> None:
    task, library = _library(own)
    schedule = schedule_task(task, library, design(tensor, 2, gbps=gbps), "list", Stop(), 0)
    found = contention(schedule, library)
    assert found.shared_cycles == 3 * schedule.phases[0].cycles
    assert found.private_bound_cycles <= found.private_cycles <= found.shared_cycles
    assert 0.0 <= found.cost <= found.cost_at_most
    assert found.cost == found.shared_cycles / found.private_cycles - 1


@settings(max_examples=12, deadline=None)
@given(shapes(most=4), st.sampled_from((1, 7)))
def test_the_bound_holds_for_the_best_private_schedule(own: list[Shape], gbps: int) -> None:
    task, library = _library(own, tensor_cores=(1, 2), vector_cores=(1,))
    schedule = schedule_task(task, library, design(2, 1, gbps=gbps), "list", Stop(), 0)
    best = exhaustive_private(task, library, schedule.design)
    found = contention(schedule, library)
    assert found.private_bound_cycles <= 3 * best <= found.private_cycles


def exhaustive_private(task: Any, library: CostLibrary, chip: Any) -> int:
    """Least makespan with private bandwidth; ``exhaustive`` counts time units, so cycles have to be few."""
    problem = lower(task.phases[0].graph, library, chip, private_hbm=True).problem
    longest = max(int(own.duration.max()) for own in problem.mode_sets)
    if longest < 300:
        return exhaustive(problem)
    return int(solve(problem, "cp-sat", stop=Stop(work=20)).objective or 0)


def test_bandwidth_without_end_costs_nothing_to_share() -> None:
    shapes_: list[Shape] = [("gemm", 64, ()), ("gemm", 64, ()), ("vector", 64, ()), ("vector", 64, ())]
    task, library = _library(shapes_)
    plenty = schedule_task(task, library, design(2, 2, gbps=700_000), "list", Stop(), 0)
    assert contention(plenty, library).cost == 0.0


def test_two_operators_bound_by_memory_take_twice_as_long_when_they_share() -> None:
    task, library = _library([("vector", 300, ()), ("vector", 300, ())])
    schedule = schedule_task(task, library, design(1, 2, gbps=1), "list", Stop(), 0)
    found = contention(schedule, library)
    assert 0.9 <= found.cost <= 1.0  # rates are whole bytes per cycle
    assert found.private_cycles == found.private_bound_cycles


def test_a_calibrated_launch_is_in_both() -> None:
    task, library = _library([("gemm", 16, ()), ("vector", 16, (0,))])
    chip = replace(design(1, 1), calibration=Calibration(launch_s=1e-6))
    found = contention(schedule_task(task, library, chip, "list", Stop(), 0), library)
    assert found.private_cycles >= 3 * 2 * chip.launch_cycles
    assert found.cost == 0.0  # a chain shares nothing


def test_equal_devices_are_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    plan, library = planned()
    schedule = schedule_task(plan.tasks[0], library, plan.baseline, "list", Stop(), 0)
    calls: list[object] = []

    def counted(*arguments: Any) -> Contention:
        calls.append(arguments)
        return contention(*arguments)

    monkeypatch.setattr("accmine.questions.run.contention.contention", counted)
    found = contentions(session(plan, library), {(0, 0): schedule, (0, 1): schedule})
    assert len(calls) == 1
    assert found[0, 0] == found[0, 1]


def test_a_mode_that_fits_no_core_is_refused() -> None:
    task, library = _library([("fused", 64, ())])
    with pytest.raises(InputError, match="no mode of an operator fits"):
        lower(task.phases[0].graph, library, design(0, 1), private_hbm=True)


def _with(outcome: Outcome, found: Contention) -> Outcome:
    return replace(outcome, stages=tuple(replace(stage, contention=found) for stage in outcome.stages))


LOOKED_AT = Contention(1_032_000, 1_000_000, 960_000, 0.032, 0.075)


@pytest.mark.parametrize("sample", [single, pipeline, common])
def test_the_report_prints_one_line_per_device(sample: Any) -> None:
    outcome = _with(sample(), LOOKED_AT)
    wanted = "sharing the HBM costs 3.2 % (against private bandwidth; at most 7.5 %)"
    printed = render(outcome, width=200)
    assert printed.count(wanted) == len(outcome.stages)
    assert page(outcome).count(wanted) == len(outcome.stages)
    assert all(f"{stage.name}: sharing the HBM" in printed for stage in outcome.stages)


def test_results_stored_before_can_be_read() -> None:
    stored = single().to_json()
    for stage in stored["stages"]:
        del stage["contention"]
    outcome = from_json(Outcome, stored)
    assert outcome.stages[0].contention is None
    assert "sharing the HBM" not in render(outcome)


def test_a_stored_result_keeps_it() -> None:
    outcome = _with(single(), LOOKED_AT)
    assert from_json(Outcome, outcome.to_json()).stages[0].contention == LOOKED_AT
    unknown = replace(LOOKED_AT, cost_at_most=float("inf"))
    printed = render(from_json(Outcome, _with(single(), unknown).to_json()), width=200)
    assert "sharing the HBM costs 3.2 % (against private bandwidth)." in printed


def test_average_power_stands_beside_tdp() -> None:
    outcome = single()
    row = outcome.workloads[0]
    average = row.energy_j / row.step_s
    printed = render(outcome, width=200)
    assert "average W" in printed
    assert f"{average:.1f}" in printed
    assert f"{100 * average / 279.6:.1f} %" in printed


@pytest.mark.parametrize(
    "keys", [{}, {"models": ("gpt",)}, {"system": {"cluster": "point-to-point"}, "parallel": {"pipeline": 2}}]
)
def test_a_run_reports_it_for_every_device(keys: dict[str, Any], tmp_path: Path) -> None:
    from accmine.questions.run.run import run
    from accmine.study import load_study

    file = tmp_path / "tiny.yaml"
    budget, search_ = {"work": 1, "deterministic": True}, {"refine": "none", "top_k": 2, "shares": 2}
    file.write_text(study_text(space={"tensor_cores": [1, 2]}, budget=budget, search=search_, **keys))
    outcome = run(load_study(file), runs_dir=tmp_path / "runs")
    for stage in outcome.stages:
        assert stage.contention is not None
        assert stage.contention.shared_cycles == sum(phase.repeats * phase.cycles for phase in stage.phases)
        assert stage.contention.cost >= 0
    assert render(outcome, width=200).count("sharing the HBM costs") == len(outcome.stages)
