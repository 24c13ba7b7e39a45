"""The JSON form: round trips, and complaints with their place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from accmine.errors import InputError
from accmine.problems.device_placement import (
    problem_from_json,
    problem_to_json,
    score,
    solution_from_json,
    solution_to_json,
)
from accmine.solving import load_problem, solve
from tests.samples.device_placement_sample import random_placement

TEXT: dict[str, Any] = {
    "kind": "device-placement",
    "devices": 8,
    "microbatches": 16,
    "memory_bytes": 17179869184,
    "levels": [{"devices": 8, "bytes_per_s": 3e11, "latency_s": 1e-6}],
    "layers": [
        {"name": "l0", "class": "block", "options": [{"forward_s": 0.011, "backward_s": 0.023, "update_s": 0.002}]},
        {"name": "l1", "class": "block"},
    ],
    "edges": [{"from": "l0", "to": "l1", "bytes": 25165824}],
}


@pytest.mark.parametrize("seed", range(12))
def test_round_trips(seed: int) -> None:
    problem = random_placement(seed)
    again = problem_from_json(json.loads(json.dumps(problem_to_json(problem))))
    assert again == problem
    result = solve(problem, "chain")
    if result.solution is not None:
        back = solution_from_json(problem, json.loads(json.dumps(solution_to_json(problem, result.solution))))
        assert back == result.solution
        assert score(problem, back) == score(problem, result.solution)


def test_layers_of_a_class_share_options() -> None:
    problem = problem_from_json(TEXT)
    assert problem.layers[0].options == problem.layers[1].options
    assert problem_to_json(problem)["layers"][1] == {"name": "l1", "class": "block"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"device": 8}, r"p.json:\d+:\d+: device: unknown key; did you mean 'devices'\?"),
        ({"layers": [{"name": "l0", "optins": []}]}, r"p.json:\d+:\d+: layers\[0\].optins: unknown key"),
        ({"edges": [{"from": "l0", "to": "l9", "bytes": 1}]}, r"p.json:\d+:\d+: edges\[0\].to: 'l9' is no layer"),
        ({"microbatches": 2.5}, r"p.json:\d+:\d+: microbatches: 2.5 is not allowed; a whole number"),
        ({"levels": [{"bytes_per_s": 0, "latency_s": 0}]}, r"levels\[0\].bytes_per_s: 0.0 bytes/s; more than 0"),
        ({"levels": [{"latency_s": 0}]}, r"levels\[0\].bytes_per_s: missing"),
        ({"pipelinings": [{"schedule": "1f1b", "chunk": 2}]}, r"pipelinings\[0\].chunk: unknown key"),
        ({"layers": [{"name": "l0", "class": "block"}]}, r"layers\[0\].options: missing: this is the first layer"),
    ],
)
def test_complaints_have_their_place(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    file = tmp_path / "p.json"
    file.write_text(json.dumps(TEXT | change, indent=1), encoding="utf-8")
    with pytest.raises(InputError, match=message):
        load_problem(file)


def test_a_degree_that_does_not_divide_the_devices() -> None:
    options = [{"tensor": 3, "forward_s": 1, "backward_s": 1}]
    with pytest.raises(InputError, match=r"layers\[0\].options\[0\].tensor: degree 3 does not divide 8 devices"):
        problem_from_json(TEXT | {"layers": [{"name": "l0", "options": options}], "edges": []})


def test_solutions_are_read_strictly() -> None:
    problem = problem_from_json(TEXT)
    with pytest.raises(InputError, match=r"stages\[0\].layers\[1\]: 'l7' is no layer"):
        solution_from_json(problem, {"stages": [{"layers": ["l0", "l7"]}]})
    with pytest.raises(InputError, match="replicas: unknown key"):
        solution_from_json(problem, {"stages": [{"layers": ["l0"]}], "replicas": 2})
    with pytest.raises(InputError, match="at least one stage"):
        solution_from_json(problem, {"stages": []})
