"""The JSON form of operator schedules: exact, complete, and refused with every place at once."""

from __future__ import annotations

import random
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.errors import InputError
from accmine.problems.operator_schedule import (
    MAX_TIME,
    Solution,
    problem_from_json,
    problem_to_json,
    solution_from_json,
    solution_to_json,
)
from tests.samples.graph_sample import general
from tests.samples.json_sample import JSON, plain, read, replaced
from tests.samples.raw_schedule import modes_of, random_schedule


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 10**6))
def test_what_is_read_is_what_is_written_there(seed: int) -> None:
    raw = random_schedule(random.Random(seed))
    problem = problem_from_json(raw)
    assert dict(zip(problem.resources, problem.capacity.tolist(), strict=True)) == raw["resources"]
    for i, operation in enumerate(raw["operations"]):
        own = problem.mode_sets[problem.mode_set[i]]
        assert problem.names[i] == operation["name"]
        assert own.duration.tolist() == [m["duration"] for m in modes_of(operation)]
        uses = [[m["uses"].get(r, 0) if m["duration"] else 0 for r in problem.resources] for m in modes_of(operation)]
        assert own.uses.tolist() == uses
    pairs = [(b, o["name"]) for o in raw["operations"] for b in o["after"]]
    assert sorted((problem.names[a], problem.names[b]) for a, b in problem.edges.tolist()) == sorted(pairs)
    written = plain(problem_to_json(problem))
    assert problem_to_json(problem_from_json(written)) == written


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 10**15), min_size=1, max_size=5), st.integers(-15, 3), st.integers(1, 999))
def test_seconds_come_back_exactly(ticks: list[int], exponent: int, digits: int) -> None:
    unit = Decimal(digits).scaleb(exponent)
    operations = [{"name": f"o{i}", "duration": str(unit * n)} for i, n in enumerate(ticks)]
    problem = problem_from_json({"resources": {}, "time_unit": str(unit), "operations": operations})
    lengths = [int(problem.mode_sets[g].duration[0]) for g in problem.mode_set]
    assert lengths == [Fraction(unit * n) / Fraction(unit) for n in ticks]
    again = problem_from_json(plain(problem_to_json(problem)))
    assert [int(again.mode_sets[g].duration[0]) for g in again.mode_set] == lengths
    assert again.time_unit == problem.time_unit


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 8))
def test_solutions_come_back(seed: int, n: int) -> None:
    problem, rng = general(seed, n), random.Random(seed)
    counts = [len(problem.mode_sets[g].duration) for g in problem.mode_set]
    solution = Solution(
        np.array([rng.randrange(-3, 10**12) for _ in counts]), np.array([rng.randrange(k) for k in counts])
    )
    written = plain(solution_to_json(problem, solution))
    again = solution_from_json(problem, written)
    assert (again.start.tolist(), again.mode.tolist()) == (solution.start.tolist(), solution.mode.tolist())
    assert set(written["mode"]) == {name for name, k in zip(problem.names, counts, strict=True) if k > 1}


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 10**6), JSON)
def test_any_value_at_any_place_is_read_or_refused(seed: int, value: Any) -> None:
    data = replaced(random_schedule(random.Random(seed)), seed, value)
    problem = read(problem_from_json, data, "f.json")
    if problem is not None:
        assert problem_to_json(problem_from_json(problem_to_json(problem))) == problem_to_json(problem)


@settings(max_examples=60, deadline=None)
@given(JSON)
def test_any_solution_is_read_or_refused(value: Any) -> None:
    problem = general(1, 3)
    for given_value in (value, {"start": value}, {"start": dict.fromkeys(problem.names, 0), "mode": value}):
        found = read(solution_from_json, problem, given_value)
        assert found is None or len(found.start) == len(found.mode) == len(problem)


@pytest.mark.parametrize("value", [MAX_TIME + 1, -1, 0.5, "3", True, None, float("nan"), [1]])
def test_amounts_are_whole_and_not_too_large(value: Any) -> None:
    with pytest.raises(InputError) as error:
        problem_from_json({"resources": {"t": value}, "operations": []})
    assert [c.field for c in error.value.complaints] == ["resources.t"]
    assert problem_from_json({"resources": {"t": MAX_TIME}, "operations": []}).capacity.tolist() == [MAX_TIME]
