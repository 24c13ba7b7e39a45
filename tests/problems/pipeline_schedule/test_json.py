"""Files of pipeline schedules: round trips, and complaints with their place."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from accmine.cli import main
from accmine.errors import InputError
from accmine.problems.files import load_problem
from accmine.problems.pipeline_schedule import (
    Problem,
    check,
    eager,
    problem_from_json,
    problem_to_json,
    solution_from_json,
    solution_to_json,
)
from tests.samples.pipeline_sample import random_pipeline

STAGE: dict[str, Any] = {"forward": 1, "backward": 2, "weight": 3, "memory": 4}


def test_round_trips() -> None:
    rng = random.Random(4)
    for _ in range(40):
        problem = random_pipeline(rng, rng.randint(1, 4), rng.randint(1, 5), split=rng.random() < 0.5)
        assert problem_from_json(problem_to_json(problem)) == problem
        solution = eager(problem)
        assert check(problem, solution) == ()
        assert solution_from_json(problem, solution_to_json(problem, solution)) == solution


def test_defaults() -> None:
    problem = problem_from_json({"microbatches": 2, "stages": [STAGE, STAGE]})
    assert problem == Problem(problem.stages, ((0, 0),), 2)
    own = problem.stages[1]
    assert (own.name, own.update, own.activation, own.weight_stash) == ("s1", 0, 1, 0)
    longer = problem_from_json({"microbatches": 2, "stages": [STAGE, STAGE], "transfers": [3]})
    assert longer.transfers == ((3, 3),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"kind": "pipeline-schedule"}', "p.json:1:1: microbatches: is missing"),
        ('{"kind": "pipeline-schedule", "microbatches": 1,\n "stages": [3]}', "p.json:2:13: stages[0]: needs an"),
        ('{"kind": "pipeline-schedule", "microbatches": 1,\n "stages": []}', "p.json:2:12: stages: at least one"),
        ('{"kind": "pipeline-schedule", "chunks": 2}', "p.json:1:41: chunks: unknown key"),
        (
            '{"kind": "pipeline-schedule", "microbatches": 1,\n'
            ' "stages": [{"forward": 1.5, "backward": 1, "weight": 1, "memory": 1}]}',
            "p.json:2:25: stages[0].forward: 1.5 is not allowed",
        ),
    ],
)
def test_complaints_have_a_place(text: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "p.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        load_problem(file)
    assert message in str(caught.value).replace(str(tmp_path) + "/", "")


@pytest.mark.parametrize(
    ("order", "message"),
    [
        ({"s0": ["F0", "B0", "X0"]}, r"order.s0\[2\]: needs F, B or W"),
        ({"s0": ["F00"]}, r"order.s0\[0\]"),
        ({"s0": "F0"}, "needs a list"),
        ({"s1": []}, "unknown key; allowed: s0"),
        ({}, "order.s0: is missing"),
    ],
)
def test_wrong_orders(order: Any, message: str) -> None:
    problem = problem_from_json({"microbatches": 1, "stages": [STAGE]})
    with pytest.raises(InputError, match=message):
        solution_from_json(problem, {"order": order})


def exit_code(*arguments: str) -> Any:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return ended.value.code


def test_a_file_is_solved_and_its_answer_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, result = tmp_path / "p.yaml", tmp_path / "r.json"
    file.write_text(
        "kind: pipeline-schedule\nmicrobatches: 3\nstages:\n"
        "  - {forward: 2, backward: 3, weight: 2, memory: 2}\n  - {forward: 2, backward: 2, weight: 2, memory: 2}\n",
        encoding="utf-8",
    )
    assert exit_code("solve", str(file), "--seconds", "20", "-o", str(result)) == 0
    assert exit_code("check", str(file), str(result)) == 0
    file.write_text(file.read_text(encoding="utf-8").replace("memory: 2", "memory: 0"), encoding="utf-8")
    assert exit_code("solve", str(file), "--seconds", "20") == 1
    assert "stages[0].memory: 1" in "".join(capsys.readouterr())
