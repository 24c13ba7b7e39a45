"""Windows: the gain is what everything later moves by, and no rearrangement of the window gives more."""

from __future__ import annotations

import itertools
import json
import random
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.errors import InputError
from accmine.ports import BaseModel
from accmine.problems import operator_schedule, schedule_window
from accmine.problems.schedule_window import (
    FREE,
    Problem,
    Solution,
    bound,
    check,
    objective,
    problem_from_json,
    problem_to_json,
    solution_from_json,
    solution_to_json,
)
from accmine.registry import make_model
from accmine.result import Status
from accmine.solvers.operator_schedule.critical_path import quick
from accmine.solvers.operator_schedule.list_schedule import ListScheduler
from accmine.solvers.operator_schedule.window_cut import Timeline, borders, cut, put_back
from accmine.solving import load_problem, solve


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


def make(seed: int, n: int, longest: int = 6) -> operator_schedule.Problem:
    rng = random.Random(seed)
    capacity = {"t": rng.randint(1, 3), "hbm": rng.randint(4, 9)}
    operations = []
    for i in range(n):
        modes = [
            {"duration": rng.randint(0, longest), "uses": {r: rng.randint(0, c) for r, c in capacity.items()}}
            for _ in range(rng.randint(1, 2))
        ]
        after = [f"o{j}" for j in rng.sample(range(i), k=min(i, rng.randint(0, 2)))]
        operations.append({"name": f"o{i}", "modes": modes, "after": after})
    return operator_schedule.problem_from_json({"resources": capacity, "operations": operations})


def brute_force(problem: Problem) -> int:
    """Largest gain by trying every start and mode of every free operation."""
    free = np.flatnonzero(problem.role == FREE).tolist()
    inner = problem.schedule
    for gain in range(problem.most_gain, 0, -1):
        choices = []
        for i in free:
            modes = inner.mode_sets[inner.mode_set[i]]
            choices.append(
                [
                    (s, k)
                    for k, d in enumerate(modes.duration.tolist())
                    for s in range(int(problem.place[i]), int(problem.due[i]) - gain - d + 1)
                ]
            )
        for pick in itertools.product(*choices):
            start = np.where(problem.role == 2, problem.place - gain, problem.place)
            mode = np.zeros(len(problem), dtype=np.int64)
            for i, (s, k) in zip(free, pick, strict=True):
                start[i], mode[i] = s, k
            if not check(problem, Solution(start.astype(np.int64), mode, gain)):
                return gain
    return 0


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
@given(st.integers(0, 10**6), st.integers(1, 7), st.integers(1, 3), st.booleans())
def test_cut_solve_and_put_back(seed: int, n: int, most: int, backwards: bool) -> None:
    problem = make(seed, n)
    # A schedule of the plain order: worse than the best, so that windows have something to find.
    solution = ListScheduler(problem).run([-i for i in range(n)], policy="efficient", reverse=backwards)
    timeline = Timeline.of(problem, solution)
    for begin, stop in borders(timeline, 1, most, 0):
        piece = cut(timeline, begin, stop)
        assert check(piece.problem, piece.now) == ()
        result = solve(piece.problem, hint=piece.now)
        assert result.status is Status.OPTIMAL
        assert result.objective == brute_force(piece.problem)
        assert -bound(piece.problem)[0] >= result.objective
        assert result.solution is not None
        better = put_back(timeline, piece, result.solution)
        assert operator_schedule.check(problem, better) == ()
        gain = operator_schedule.objective(problem, solution) - operator_schedule.objective(problem, better)
        assert gain >= result.solution.gain


@given(st.integers(0, 10**6), st.integers(1, 30), st.integers(1, 6), st.integers(0, 6), st.integers(0, 6))
def test_borders_cover_everything_once(seed: int, n: int, least: int, more: int, first: int) -> None:
    timeline = Timeline.of(problem := make(seed, n), quick(problem))
    found = borders(timeline, least, least + more, first)
    assert [0, *(stop for _, stop in found)] == [*(begin for begin, _ in found), n]
    assert all(least <= stop - begin < 2 * least + more for begin, stop in found[1:-1])


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


def test_equal_windows_have_equal_keys_and_others_not() -> None:
    chain = [one(f"o{i}", [(3, 1), (2, 2)], *([f"o{i - 1}"] if i else [])) for i in range(8)]
    problem = operator_schedule.problem_from_json({"resources": {"t": 2}, "operations": chain})
    timeline = Timeline.of(problem, quick(problem))
    assert cut(timeline, 0, 2).problem.schedule.names != cut(timeline, 2, 4).problem.schedule.names
    assert cut(timeline, 0, 2).key == cut(timeline, 2, 4).key == cut(timeline, 4, 6).key
    assert cut(timeline, 2, 4).key != cut(timeline, 2, 5).key


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(3, 10))
def test_the_hint_is_complete(seed: int, n: int) -> None:
    problem = make(seed, n)
    piece = cut(Timeline.of(problem, quick(problem)), n // 4, n // 4 + n // 2)
    model = make_model("schedule-window", "cp-sat")
    built = model.build(piece.problem)
    model.hint(piece.now)
    assert built.validate() == ""
    assert sorted(built.proto.solution_hint.vars) == list(range(len(built.proto.variables)))
    assert isinstance(model, BaseModel)
    assert model.floor_score == bound(piece.problem)[0]


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
