"""``accmine solve`` and ``accmine check``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.samples.command_sample import caller

PROBLEM = {
    "kind": "operator-schedule",
    "resources": {"tensor": 2, "vector": 1},
    "operations": [
        {"name": "a", "duration": 3, "uses": {"tensor": 1}, "after": []},
        {"name": "b", "duration": 2, "uses": {"tensor": 1}, "after": []},
        {"name": "c", "duration": 4, "uses": {"vector": 1}, "after": ["b"]},
    ],
}


@pytest.fixture
def accmine(capsys: pytest.CaptureFixture[str]) -> Any:
    return caller(capsys)


@pytest.fixture
def problem(tmp_path: Path) -> Path:
    file = tmp_path / "problem.json"
    file.write_text(json.dumps(PROBLEM))
    return file


@pytest.mark.parametrize("solver", ["cp-sat", "critical-path"])
def test_solve_and_check(accmine: Any, problem: Path, tmp_path: Path, solver: str) -> None:
    result = tmp_path / "result.json"
    said = accmine("solve", problem, "--solver", solver, "--seconds", "10", "-o", result)
    assert (said.code, said.err) == (0, "")
    assert said.out.splitlines()[0].startswith("status    optimal")
    assert json.loads(result.read_text())["objective"] == 6
    checked = accmine("check", problem, result)
    assert (checked.code, checked.out.splitlines()[0]) == (0, "valid")
    assert accmine("check", problem, result, "--json").json["bound"] == 6


def test_check_refuses_a_wrong_solution(accmine: Any, problem: Path, tmp_path: Path) -> None:
    solution = tmp_path / "solution.json"
    solution.write_text(json.dumps({"start": {"a": 0, "b": 0, "c": 1}}))
    said = accmine("check", problem, solution)
    assert said.code == 3
    assert said.out.splitlines()[0] == "not valid"
    assert "violated" in said.out
    assert accmine("check", problem, solution, "--json").json["valid"] is False


def test_solve_prints_the_whole_result_as_json(accmine: Any, problem: Path) -> None:
    table = accmine("solve", problem, "--json", "--work", "100", "--seed", "1").json
    assert table["verified"] is True
    assert table["solution"]["start"]["c"] == 2
    assert table["seed"] == 1


def test_solve_refuses_an_output_it_cannot_write(accmine: Any, problem: Path, tmp_path: Path) -> None:
    for output in (tmp_path, tmp_path / "no" / "r.json"):
        said = accmine("solve", problem, "-o", output)
        assert (said.code, said.out) == (2, "")


PHAZE = Path(__file__).parents[2] / "data" / "phaze" / "chain6_recompute.in.json"


def test_a_placement_under_either_semantics(accmine: Any, tmp_path: Path) -> None:
    result = tmp_path / "result.json"
    as_it_is = accmine("solve", PHAZE, "--semantics", "phaze", "-o", result, "--json").json
    assert as_it_is["status"] == "optimal"
    assert as_it_is["objective"] == pytest.approx(184.19095158576965, rel=1e-9)
    own = accmine("solve", PHAZE, "--json").json
    assert own["status"] == "optimal"
    assert own["objective"] != pytest.approx(as_it_is["objective"], rel=1e-3)
    assert accmine("check", PHAZE, result, "--semantics", "phaze").code == 0
    refused = accmine("check", PHAZE, result)  # claims another objective
    assert (refused.code, "claimed" in refused.out) == (3, True)


def test_semantics_belong_to_placements(accmine: Any, problem: Path) -> None:
    said = accmine("solve", problem, "--semantics", "phaze")
    assert said.code == 2
    assert "--semantics belongs to device-placement" in said.err
    wrong = accmine("solve", PHAZE, "--semantics", "nest")
    assert wrong.code == 2
    assert "'nest' is not allowed; allowed: accmine, phaze" in wrong.err


def test_a_placement_without_solution_says_what_would_help(accmine: Any, tmp_path: Path) -> None:
    data = json.loads(PHAZE.read_text(encoding="utf-8")) | {"maxMemoryPerDevice": 2**32}
    file = tmp_path / "p.json"
    file.write_text(json.dumps(data, indent=1), encoding="utf-8")
    said = accmine("solve", file)
    assert said.code == 1
    assert "remedy    memory_bytes: at least" in said.out
