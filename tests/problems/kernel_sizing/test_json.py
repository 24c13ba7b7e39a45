"""The JSON form of a sizing: round trips, exact targets, and complaints with their place."""

from __future__ import annotations

import copy
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from accmine.errors import InputError
from accmine.problems.files import where_in_file
from accmine.problems.kernel_sizing import (
    Solution,
    problem_from_json,
    problem_to_json,
    solution_from_json,
    solution_to_json,
)
from accmine.solving import load_problem
from tests.samples.kernel_sizing_sample import random_sizing

EXAMPLE = Path(__file__).parents[3] / "examples/kernel-sizing.json"


def test_the_example() -> None:
    problem = load_problem(EXAMPLE)
    assert problem.target == Fraction(65, 2)
    assert [own.name for own in problem.choices] == ["load queue", "dma", "spad.write", "spad.A", "spad.B"]


@pytest.mark.parametrize("seed", range(20))
def test_round_trips(seed: int) -> None:
    problem = random_sizing(seed)
    assert problem_from_json(json.loads(json.dumps(problem_to_json(problem)))) == problem
    solution = Solution(tuple(own.counts[0] for own in problem.choices))
    written = json.loads(json.dumps(solution_to_json(problem, solution)))
    assert solution_from_json(problem, written) == solution


@pytest.mark.parametrize(
    ("target", "read"), [("32.5", Fraction(65, 2)), ("0.1", Fraction(1, 10)), ('"7/3"', Fraction(7, 3)), ("3", 3)]
)
def test_targets_are_exact(target: str, read: Fraction) -> None:
    text = EXAMPLE.read_text(encoding="utf-8").replace('"65/2"', target)
    assert load_problem(text).target == read


def changed(path: list[str | int], value: Any) -> str:
    data = copy.deepcopy(json.loads(EXAMPLE.read_text(encoding="utf-8")))
    here = data
    for step in path[:-1]:
        here = here[step]
    here[path[-1]] = value
    return json.dumps(data, indent=1)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["targt"], 1, r":\d+:\d+: targt: unknown key; did you mean 'target'\?"),
        (["target"], "1/0", r":\d+:\d+: target: '1/0' is not allowed"),
        (["target"], True, "target: True is not allowed"),
        (["target"], -1, "target: -1 is not allowed; more than 0"),
        (["target"], "1e400000000", "target: '1e400000000' is not allowed"),
        (["stations"], 7, "stations: 7 is not allowed; a list is needed"),
        (["stations", 0, "slots"], 0, r":\d+:\d+: stations\[0\].slots: 0 is not allowed; 1 to"),
        (["stations", 0, "slots"], 1.5, r"stations\[0\].slots: 1\.5 is not allowed; a whole number"),
        (["stations", 1, "name"], "fetch", r"stations\[1\].name: 'fetch' is there twice"),
        (["stations", 1, "slots"], [], r":\d+:\d+: stations\[1\].slots: at least one count"),
        (["stations", 1, "slots", 0, "cost"], -5, r"stations\[1\].slots: count 1 at cost -5"),
        (["stations", 1, "slots", 0], 3, r"stations\[1\].slots\[0\]: 3 is not allowed; an object with count, cost"),
        (["body"], [], "body: at least one instruction"),
        (["body", 0, "unit"], "dmaa", r":\d+:\d+: body\[0\].unit: 'dmaa' is not there; did you mean 'dma'\?"),
        (["body", 0, "unit"], ["dma"], r"body\[0\].unit: \['dma'\] is not allowed; a text"),
        (["body", 0, "steps", 0, "station"], "array", r"body\[0\].steps: instructions end in 'array'"),
        (["body", 0, "writes"], ["spad.Q"], r"body\[0\].writes\[0\]: 'spad.Q' is not there"),
        (["body", 0, "writes"], "spad.A", r"body\[0\].writes: 'spad.A' is not allowed; a list"),
        (["body", 0, "latency"], -3, r"body\[0\]: -3 cycles are not allowed"),
        (["body", 0, "accesses", 0, "hold"], 10**30, "simpler target"),
        (["body", 2, "updates"], ["acc.C", "acc.C"], r"body\[2\].writes: 'acc.C' is there twice"),
    ],
)
def test_complaints(path: list[str | int], value: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_problem(changed(path, value))


@pytest.mark.parametrize("junk", [None, 3, [], {}, {"kind": "kernel-sizing"}, {"target": 1, "stations": {}, "body": 0}])
def test_junk(junk: Any) -> None:
    with pytest.raises(InputError):
        problem_from_json(junk)


def test_a_solution_names_every_choice() -> None:
    with pytest.raises(InputError, match=r"counts\.dma: missing"):
        solution_from_json(load_problem(EXAMPLE), {"counts": {"load queue": 1}})


def test_a_limit_within_a_list_is_located(tmp_path: Path) -> None:
    file = tmp_path / "problem.json"
    file.write_text(EXAMPLE.read_text(encoding="utf-8"), encoding="utf-8")
    names = ["locations[0].slots", "target", "ports[9].count"]
    assert where_in_file(file, names) == [f"{file}:16:31", f"{file}:4:12", "default"]
