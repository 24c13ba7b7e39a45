"""The example and the claims of docs/placement.md."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path

from accmine.problems.device_placement import Problem, check, problem_from_json
from accmine.result import Status
from accmine.solving import load_problem, solve

TEXT = (Path(__file__).parents[2] / "docs" / "placement.md").read_text(encoding="utf-8")


def test_the_example_is_solved() -> None:
    (example,) = re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)
    problem = problem_from_json(json.loads(example))
    assert isinstance(problem, Problem)
    assert problem.chain
    result = solve(problem)
    assert result.status is Status.OPTIMAL
    assert result.solution is not None
    assert check(problem, result.solution) == ()


def test_the_example_of_a_partition_is_solved() -> None:
    (example,) = re.findall(r'`(\{"kind": "device-partition".*?\})`', TEXT)
    result = solve(load_problem(example))
    assert result.objective == 0.3


def test_every_key_of_the_problem_is_explained() -> None:
    for key in (field.name for field in fields(Problem)):
        assert f"`{key}`" in TEXT or key == "cluster", key
