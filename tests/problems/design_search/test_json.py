"""The JSON of what a design search found; the search itself has no file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from accmine import cli
from accmine.errors import InputError
from accmine.ports import Stop
from accmine.problems import design_search
from accmine.problems.design_search import Problem, Solution, evaluated, solution_from_json, solution_to_json
from accmine.solving import rate, result_to_json, solve
from tests.samples.search_sample import graph_of, search, task_of

PROBLEM = search([task_of(graph_of([("gemm", 16, ()), ("fused", 64, (0,))]), graph_of([("vector", 5, ())]))])


def found(problem: Problem = PROBLEM) -> dict[str, Any]:
    """A result as it is read from a file."""
    again: dict[str, Any] = json.loads(json.dumps(result_to_json(problem, solve(problem, stop=Stop(work=10)))))
    return again


def test_a_result_is_read_back_and_is_worth_what_it_says() -> None:
    table = found()
    solution: Solution = solution_from_json(PROBLEM, table["solution"])
    assert evaluated(PROBLEM, solution).value == table["objective"]
    assert json.loads(json.dumps(solution_to_json(PROBLEM, solution))) == table["solution"]
    rating = rate(PROBLEM, table)
    assert (rating["valid"], rating["objective"], rating["kind"]) == (True, table["objective"], "design-search")
    assert 0 < rating["bound"] <= table["bound"] <= table["objective"]
    table["solution"]["schedules"][0][0]["start"] = dict.fromkeys(table["solution"]["schedules"][0][0]["start"], 0)
    assert not rate(PROBLEM, table)["valid"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"design": {"tensor_cores": 1}}, "is no design"),
        ({"design": 3}, "is no design"),
        ({"schedules": []}, "every phase of every task"),
        ({"schedules": [3]}, "every phase of every task"),
        ({"more": 1}, "design and schedules"),
    ],
)
def test_what_is_no_solution_is_refused(change: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        solution_from_json(PROBLEM, found()["solution"] | change)


def test_the_problem_has_no_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError, match="made of a study"):
        design_search.problem_to_json(PROBLEM)
    path = tmp_path / "p.json"
    path.write_text('{\n "kind": "design-search"}')
    with pytest.raises(SystemExit) as caught:
        cli.main(["solve", str(path)])
    assert caught.value.code == 2
    error = capsys.readouterr().err
    assert f"{path}:2:10: kind: a design-search has no file of its own" in error
    assert "accmine run" in error
