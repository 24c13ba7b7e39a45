"""Solutions of problem files from anywhere: the same solution has the same gap, and a false bound is found out."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from accmine import solving
from accmine.errors import CheckError, InputError
from accmine.ports import Stop
from accmine.questions.gap import solution as gap_solution
from accmine.questions.gap.record import GapRow
from accmine.questions.gap.solution import rate_solution
from accmine.result import StopReason

THREE: dict[str, Any] = {
    "kind": "operator-schedule",
    "resources": {"tensor": 2},
    "operations": [{"name": n, "duration": 2, "uses": {"tensor": 1}, "after": []} for n in "abc"],
}
SELECT: dict[str, Any] = {
    "kind": "stage-selection",
    "pipelines": [
        {
            "name": "p",
            "microbatches": 2,
            "batch": 2,
            "schedule": "1f1b",
            "reference_s": 1.0,
            "transfer_s": [],
            "stages": [
                {
                    "name": "s0",
                    "candidates": [
                        {"design": d, "forward_s": f, "backward_s": 2 * f, "update_s": 0.1, "area_mm2": a, "tdp_w": a}
                        for d, f, a in (("slow", 0.5, 10.0), ("fast", 0.25, 20.0))
                    ],
                }
            ],
        }
    ],
    "limits": {"area_mm2": 30, "tdp_w": 30},
    "mode": "heterogeneous",
    "objective": "throughput",
    "aggregate": "worst",
}


def write(folder: Path, name: str, table: object) -> Path:
    path = folder / name
    path.write_text(json.dumps(table))
    return path


def rated(folder: Path, problem: object, solution: object, **more: Any) -> GapRow:
    stop = Stop(seconds=10)
    return rate_solution(write(folder, "p.json", problem), write(folder, "mine.json", solution), stop=stop, **more)


def test_a_worse_schedule(tmp_path: Path) -> None:
    row = rated(tmp_path, THREE, {"start": {"a": 0, "b": 2, "c": 4}, "mode": {}})
    assert (row.heuristic, row.best, row.bound) == (6, 4, 4)
    assert row.gap_before == pytest.approx(1 / 3)
    assert row.gap_after == 0.0
    assert row.found_by != "mine.json"
    assert row.violations == ()
    assert row.metric == "makespan"


@pytest.mark.parametrize(("problem", "solver"), [(THREE, "cp-sat"), (THREE, None), (SELECT, "cp-sat"), (SELECT, None)])
def test_our_own_solution_has_our_gap(problem: object, solver: str | None, tmp_path: Path) -> None:
    loaded = solving.load_problem(write(tmp_path, "p.json", problem))
    result = solving.solve(loaded, solver, stop=Stop(seconds=10))
    row = rated(tmp_path, problem, solving.result_to_json(loaded, result), solver=solver)
    assert row.gap_before == row.gap_after == result.gap == 0.0
    assert row.heuristic == row.best == result.objective


def test_a_better_solution_is_the_best_known(tmp_path: Path) -> None:
    chain = {**THREE, "resources": {"tensor": 1}}
    row = rated(tmp_path, chain, {"start": {"a": 0, "b": 2, "c": 4}, "mode": {}}, solver="critical-path")
    assert row.best == row.heuristic == 6
    free = rate_solution(
        tmp_path / "p.json", tmp_path / "mine.json", solver="critical-path", stop=Stop(seconds=10), seed=3
    )
    assert (free.best, free.seed) == (row.best, 3)


def test_what_is_not_valid_has_no_gap_and_is_not_the_best(tmp_path: Path) -> None:
    row = rated(tmp_path, THREE, {"start": {"a": 0, "b": 1, "c": 1}, "mode": {}})
    assert row.violations
    assert row.gap_before is None
    assert (row.best, row.heuristic) == (4, 3)


def test_a_claimed_objective_is_compared(tmp_path: Path) -> None:
    wrong = {"objective": 3, "solution": {"start": {"a": 0, "b": 0, "c": 2}, "mode": {}}}
    assert any("3 claimed" in text for text in rated(tmp_path, THREE, wrong).violations)


def test_a_bound_that_excludes_a_valid_solution_is_a_defect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    solve = solving.solve

    def false(*arguments: Any, **more: Any) -> Any:
        return replace(solve(*arguments, **more), objective=None, solution=None, bound=5)

    monkeypatch.setattr(gap_solution, "solve", false)
    with pytest.raises(CheckError, match="excludes a valid solution"):
        rated(tmp_path, THREE, {"start": {"a": 0, "b": 0, "c": 2}, "mode": {}})


def test_the_stronger_bound_counts_and_an_interrupt_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    solve = solving.solve

    def weak(*arguments: Any, **more: Any) -> Any:
        weaker: dict[str, Any] = {"objective": None, "solution": None, "bound": 1, "stop": StopReason.INTERRUPTED}
        return replace(solve(*arguments, **more), **weaker)

    monkeypatch.setattr(gap_solution, "solve", weak)
    row = rated(tmp_path, THREE, {"start": {"a": 0, "b": 0, "c": 2}, "mode": {}})
    free = solving.bound_of(solving.load_problem(tmp_path / "p.json"))
    assert (row.bound, row.proof) == free
    assert row.best == 4
    assert row.found_by == "mine.json"
    assert row.note == "interrupted"


def test_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        rate_solution(tmp_path / "none.json", tmp_path / "none.json", stop=Stop())
    with pytest.raises(InputError, match="unknown solver"):
        rated(tmp_path, THREE, {"start": {"a": 0, "b": 0, "c": 2}, "mode": {}}, solver="nobody")
