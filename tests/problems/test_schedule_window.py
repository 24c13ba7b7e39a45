"""Windows: the gain is what everything later moves by, and no rearrangement of the window gives more."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.errors import InputError
from accmine.problems import schedule_window
from accmine.problems.schedule_window import (
    Solution,
    bound,
    check,
    objective,
    problem_from_json,
    problem_to_json,
    solution_from_json,
    solution_to_json,
)
from accmine.result import Status
from accmine.solvers.operator_schedule.critical_path import quick
from accmine.solvers.operator_schedule.window_cut import Timeline, cut
from accmine.solving import load_problem, solve
from tests.samples.window_sample import brute_force, make


def one(name: str, modes: list[tuple[int, int]], *after: str) -> dict[str, Any]:
    return {"name": name, "modes": [{"duration": d, "uses": {"t": u}} for d, u in modes], "after": list(after)}


def small() -> dict[str, Any]:
    """Two cores: ``f`` runs until 2, ``a`` then ``b`` are free, ``m`` waits for ``b``."""
    operations = [one("a", [(4, 1), (2, 2)]), one("b", [(3, 1)]), one("f", [(2, 1)]), one("m", [(5, 2)], "b")]
    return {
        "kind": "schedule-window",
        "most_gain": 6,
        "schedule": {"resources": {"t": 2}, "operations": operations},
        "free": {"a": {"earliest": 0, "due": 9}, "b": {"earliest": 0, "due": 9}},
        "fixed": {"f": 0},
        "moving": {"m": 9},
    }


def test_a_small_window_is_decided() -> None:
    problem = problem_from_json(small())
    result = solve(problem, "cp-sat")
    # b runs from 0 beside f, and a from 3 on both cores until 5: m starts four earlier than 9.
    assert (result.status, result.objective) == (Status.OPTIMAL, 4)
    assert result.verified
    assert brute_force(problem) == 4


def test_check_finds_every_kind_of_violation() -> None:
    problem = problem_from_json(small())
    good = Solution(np.array([0, 2, 0, 7]), np.array([0, 0, 0, 0]), 2)
    assert check(problem, good) == ()
    assert objective(problem, good) == 2

    def wrong(**change: Any) -> str:
        return "; ".join(check(problem, replace(good, **change)))

    assert "m: starts at 7, not at 6" in wrong(gain=3)
    assert "the gain is 7, not in 0..6" in wrong(gain=7)
    assert "f: starts at 1, not at 0" in wrong(start=np.array([0, 3, 1, 7]))
    assert "3 of t held" in wrong(start=np.array([0, 0, 0, 7]))
    assert "m: starts at 7 before b ends at 8" in wrong(start=np.array([0, 5, 0, 7]))
    tight = problem_from_json({**small(), "free": {"a": {"earliest": 0, "due": 6}, "b": {"earliest": 0, "due": 9}}})
    assert check(tight, replace(good, start=np.array([3, 0, 0, 7]))) == ("a: ends at 7, after 4",)
    late = problem_from_json({**small(), "free": {"a": {"earliest": 1, "due": 9}, "b": {"earliest": 0, "due": 9}}})
    assert check(late, good) == ("a: starts at 0, before 1",)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 12))
def test_json_round_trip(seed: int, n: int) -> None:
    problem = make(seed, n)
    timeline = Timeline.of(problem, quick(problem))
    piece = cut(timeline, n // 3, n // 3 + max(1, n // 3))
    again = problem_from_json(problem_to_json(piece.problem))
    assert problem_to_json(again) == problem_to_json(piece.problem)
    back = solution_from_json(again, solution_to_json(piece.problem, piece.now))
    assert check(again, back) == ()
    assert bound(again) == bound(piece.problem)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gain": 1}, "unknown key; allowed: kind, schedule"),
        ({"most_gain": -1}, "most_gain: needs an integer in 0"),
        ({"fixed": {"f": 0, "a": 1}}, "fixed.a: has a role already"),
        ({"fixed": {"x": 0}}, "fixed.x: is no operation"),
        ({"fixed": {}}, "f must be free, fixed or moving"),
        ({"free": {"a": 3}}, "free.a: needs earliest and due"),
        ({"free": {"b": {"earliest": 0, "due": 9}}, "moving": {"m": 9, "a": 4}}, "moving.a: needs exactly one mode"),
        ({"moving": [1]}, "moving: needs an object"),
    ],
)
def test_bad_windows_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        problem_from_json({**small(), **change})


def test_the_kind_is_read_from_text() -> None:
    problem = load_problem(json.dumps(small()))
    assert isinstance(problem, schedule_window.Problem)
    with pytest.raises(InputError, match="needs an operator schedule"):
        problem_from_json({"kind": "schedule-window"})
    with pytest.raises(InputError, match="gain: needs an integer"):
        solution_from_json(problem, {"start": {"a": 0, "b": 2, "f": 0, "m": 7}, "mode": {"a": 0}})
