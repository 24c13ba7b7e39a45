"""The JSON form of a partition: exact decimals, and complaints."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from accmine.errors import InputError
from accmine.problems.device_partition import (
    problem_from_json,
    problem_to_json,
    shown,
    solution_from_json,
    solution_to_json,
)
from accmine.problems.device_partition.json import decimals_of, ticks
from accmine.solving import load_problem, solve
from tests.samples.partition_sample import random_partition

TEXT: dict[str, Any] = {
    "kind": "device-partition",
    "devices": 2,
    "nodes": [{"name": "a", "time": 0.1, "send": 0.25}, {"name": "b", "time": 0.2}],
    "edges": [["a", "b"]],
}


def test_decimals_are_exact() -> None:
    problem = load_problem(json.dumps(TEXT))
    assert problem.decimals == 2
    assert [node.time for node in problem.nodes] == [10, 20]
    assert shown(problem, 30) == 0.3
    assert not problem.rounded


def test_more_digits_than_there_is_room_for_are_rounded_up() -> None:
    values = [Decimal("123456.123456789012345678"), Decimal(1)]
    digits, rounded = decimals_of(values)
    assert rounded
    assert ticks(values[0], digits) >= values[0].scaleb(digits)
    assert ticks(values[0], digits) - values[0].scaleb(digits) < 1
    assert decimals_of([Decimal("0.5")]) == (1, False)


@pytest.mark.parametrize("seed", range(10))
def test_round_trips(seed: int) -> None:
    problem = random_partition(seed)
    assert problem_from_json(json.loads(json.dumps(problem_to_json(problem)))) == problem
    solution = solve(problem).solution
    if solution is not None:
        again = solution_from_json(problem, json.loads(json.dumps(solution_to_json(problem, solution))))
        assert again == solution


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"device": 2}, r":\d+:\d+: device: unknown key; did you mean 'devices'\?"),
        ({"edges": [["a", "c"]]}, r"edges\[0\]: c is no node"),
        ({"nodes": [{"name": "a"}], "edges": []}, r"nodes\[0\].time: missing"),
        ({"memory_bytes": 1.5}, "memory_bytes: 1.5 is not allowed; a whole number"),
        ({"contiguous": "yes"}, "contiguous: 'yes' is not allowed"),
    ],
)
def test_complaints(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_problem(json.dumps(TEXT | change))


def test_a_solution_names_every_node() -> None:
    problem = problem_from_json(TEXT)
    with pytest.raises(InputError, match=r"devices\.b: missing"):
        solution_from_json(problem, {"devices": {"a": 0}})
