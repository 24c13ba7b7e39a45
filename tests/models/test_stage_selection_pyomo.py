"""Stage selection decided three ways, and the declared Pyomo rows as LP files.

The golden files are written anew by ``ACCMINE_UPDATE_GOLDEN=1 pytest tests/models/test_stage_selection_pyomo.py``.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from ortools.sat.python import cp_model

from accmine.models.stage_selection_cpsat import StageSelectionCpSat
from accmine.models.stage_selection_pyomo import StageSelectionPyomo
from accmine.ports import BaseModel, Model, Stop
from accmine.problems.stage_selection import (
    OBJECTIVES,
    Candidate,
    Limits,
    Pipeline,
    Problem,
    Solution,
    Stage,
    score,
)
from accmine.problems.stage_selection.greedy import greedy
from accmine.result import Status
from accmine.solving import solve
from tests.samples.selection_sample import COMBINATIONS, tiny

GOLDEN = Path(__file__).parents[1] / "golden"


def agree(problem: Problem, *solvers: str) -> Status:
    """Every solver proves the same; returns what. CP-SAT has only the leading bits of products beyond 61 bits."""
    results = [solve(problem, name, stop=Stop(seconds=60)) for name in solvers]
    first = results[0]
    for result in results:
        if result.status is Status.FEASIBLE:
            assert result.solver == "cp-sat"
            assert problem.value.power
            assert first.status is Status.OPTIMAL
            assert first.objective is not None
            assert first.bound is not None
            assert result.objective is not None
            assert result.bound is not None
            assert first.objective * (1 - 1e-7) <= result.objective <= first.objective
            assert first.bound <= result.bound <= first.bound * (1 + 1e-7)
    results = [result for result in results if result.status is not Status.FEASIBLE]
    assert {r.status for r in results} <= {Status.OPTIMAL, Status.INFEASIBLE}
    assert len({(r.status, r.objective, r.bound) for r in results}) == 1, [(r.solver, r.objective) for r in results]
    assert all(r.verified == (r.solution is not None) for r in results)
    assert all(bool(r.conflict) == bool(r.remedy) == (r.status is Status.INFEASIBLE) for r in results)
    return results[0].status


@pytest.mark.parametrize(("mode", "objective", "aggregate"), COMBINATIONS)
def test_three_solvers_agree(mode: str, objective: str, aggregate: str) -> None:
    found = [agree(tiny(i, mode, objective, aggregate, most=4), "highs", "cp-sat", "brute-force") for i in range(2)]
    assert found  # both optimal and infeasible ones occur over all combinations


def test_instances_are_of_both_kinds() -> None:
    kinds = {agree(tiny(i, "heterogeneous", "throughput", "worst", most=4), "highs", "cp-sat") for i in range(2, 8)}
    assert kinds == {Status.OPTIMAL, Status.INFEASIBLE}


@pytest.mark.full
def test_three_solvers_agree_on_two_hundred() -> None:
    proven = 0
    for i in range(200):
        mode, objective, aggregate = COMBINATIONS[i % len(COMBINATIONS)]
        status = agree(tiny(100 + i, mode, objective, aggregate, most=4), "highs", "cp-sat", "brute-force")
        proven += status is Status.OPTIMAL
    assert proven >= 100


def chip(name: str, forward: int, area: int, tdp: int) -> Candidate:
    return Candidate(name, forward, 2 * forward, 1, area, tdp)


SMALL, LARGE = chip("small", 4, 100, 60), chip("large", 2, 300, 200)


def line(name: str, stages: int = 1, **values: Any) -> Pipeline:
    row = tuple(Stage(f"s{i}", (SMALL, LARGE)) for i in range(stages))
    return Pipeline(name, row, 3, transfer_s=((1.0, 0.0),) * (stages - 1), **({"reference_s": 1.0} | values))


FAMILIES = {
    "choice": Problem((line("a", 2),)),
    "area": Problem((line("a", 2),), Limits(area_mm2=400)),
    "tdp": Problem((line("a", 2),), Limits(tdp_w=260)),
    "chain": Problem((line("a", 3, schedule="gpipe"),), Limits(area_mm2=700)),
    "homogeneous": Problem((line("a", 2), line("b")), Limits(area_mm2=700), "homogeneous"),
    "common": Problem((line("a", 2), line("b")), Limits(area_mm2=600), "common"),
    "mean": Problem((line("a", weight=1.0), line("b", weight=1.0)), Limits(area_mm2=400), aggregate="mean"),
    "bottleneck": Problem((line("a", 2),), Limits(area_mm2=400), objective="bottleneck"),
    "floor": Problem((line("a", reference_s=50.0),), objective="throughput-per-tdp", floor=2.0),
}


def lp_text(problem: Problem, file: Path, forbidden: Solution | None) -> str:
    """The rows of the Pyomo model as Pyomo's LP writer gives them, without comments and blank lines."""
    model = StageSelectionPyomo()
    built = model.build(problem)
    if forbidden is not None:
        model.separate(forbidden)
    built.write(str(file), io_options={"symbolic_solver_labels": True})
    return "".join(x for x in file.read_text().splitlines(keepends=True) if x.strip() and not x.startswith("\\"))


@pytest.mark.parametrize("family", [*FAMILIES, "cover"])
def test_golden_lp(family: str, tmp_path: Path) -> None:
    golden = GOLDEN / f"stage_selection_{family}.lp"
    over = Solution(((1, 1),)) if family == "cover" else None
    text = lp_text(FAMILIES["area" if over else family], tmp_path / "model.lp", over)
    if os.environ.get("ACCMINE_UPDATE_GOLDEN"):
        golden.write_text(text)
    assert text == golden.read_text()


@pytest.mark.parametrize("family", FAMILIES)
def test_golden_problems_are_decided_alike(family: str) -> None:
    assert agree(FAMILIES[family], "highs", "cp-sat", "brute-force") is Status.OPTIMAL


def test_separation_adds_each_row_once_and_makes_the_step_exact() -> None:
    problem = FAMILIES["chain"]
    model = StageSelectionPyomo()
    built = model.build(problem)
    solution = Solution(((1, 0, 0),))
    rows = len(built.chain)
    added = model.separate(solution)
    assert len(built.chain) == rows + added
    assert model.separate(solution) == 0
    model.hint(solution)
    slack = min(row.uslack() if row.has_ub() else row.lslack() for row in built.chain.values())
    assert slack == 0  # the longest chain is tight at the simulated step: exact, and valid


def test_cover_rows_forbid_what_passes_a_limit_within_the_tolerance() -> None:
    model = StageSelectionPyomo()
    model.build(Problem((line("a", 2),), Limits(area_mm2=400)))
    over = Solution(((1, 1),))
    assert model.separate(over) >= 1
    (row,) = model.model.cover.values()
    model.hint(over)
    assert row.uslack() < 0
    model.hint(Solution(((1, 0),)))
    assert row.uslack() == 0
    floor = StageSelectionPyomo()
    floor.build(FAMILIES["floor"])
    slow = Solution(((0,),))
    assert floor.separate(slow) >= 1
    floor.hint(slow)
    assert sum(row.uslack() < 0 for row in floor.model.cover.values()) == 1


@pytest.mark.parametrize(("mode", "objective", "aggregate"), COMBINATIONS[::3])
def test_cpsat_hint_is_complete_and_consistent(mode: str, objective: str, aggregate: str) -> None:
    checked = 0
    for seed in range(6):
        problem = tiny(seed, mode, objective, aggregate, most=4)
        solution = greedy(problem)
        if solution is None:
            continue
        model = StageSelectionCpSat()
        built = model.build(problem)
        model.hint(solution)
        assert len(built.proto.solution_hint.vars) == len(built.proto.variables)
        solver = cp_model.CpSolver()
        solver.parameters.catch_sigint_signal = False  # else Ctrl-C kills from then on
        solver.parameters.fix_variables_to_their_hinted_value = True
        solver.parameters.num_workers = 1
        assert solver.solve(built) == cp_model.OPTIMAL
        assert model.read(solver.value) == solution
        assert round(solver.objective_value) == model.numbers.score(solution.choice)
        checked += 1
    assert checked


@pytest.mark.parametrize("make", [StageSelectionPyomo, StageSelectionCpSat])
def test_models_satisfy_the_port_and_bound_the_optimum(make: type[Model]) -> None:
    for objective in OBJECTIVES:
        problem = FAMILIES[{"throughput-per-tdp": "floor", "throughput": "chain"}.get(objective, objective)]
        model = make()
        assert isinstance(model, Model)
        model.build(problem)
        result = solve(problem, "brute-force")
        assert isinstance(model, BaseModel)
        assert result.solution is not None
        assert model.floor_score is not None
        assert 0 < model.floor_score <= score(problem, result.solution)
