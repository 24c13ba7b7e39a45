"""A schedule that cannot be: which capacity is short, by how much, and that the amount named is the least."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from accmine import cli
from accmine.problems import operator_schedule as osp
from accmine.problems.operator_schedule import ModeSet, Problem
from accmine.result import Status, StopReason
from accmine.solving import load_problem, rate, solve

USES = st.tuples(*(st.integers(0, 4) for _ in range(3)))


@st.composite
def schedules(draw: st.DrawFn) -> Problem:
    sets = draw(st.lists(st.lists(USES, min_size=1, max_size=3), min_size=1, max_size=4))
    count = draw(st.integers(1, 6))
    return Problem(
        resources=("a", "b.c", "d"),
        capacity=np.array(draw(USES), dtype=np.int64),
        names=tuple(f"op{i}" for i in range(count)),
        mode_sets=tuple(
            ModeSet(np.ones(len(modes), dtype=np.int64), np.array(modes, dtype=np.int64)) for modes in sets
        ),
        mode_set=np.array([draw(st.integers(0, len(sets) - 1)) for _ in range(count)], dtype=np.int64),
        edges=np.zeros((0, 2), dtype=np.int64),
    )


def possible(problem: Problem) -> bool:
    fits = [bool((modes.uses <= problem.capacity).all(axis=1).any()) for modes in problem.mode_sets]
    return all(fits[i] for i in problem.mode_set.tolist())


def with_capacity(problem: Problem, amounts: dict[str, int]) -> Problem:
    capacity = problem.capacity.copy()
    for name, amount in amounts.items():
        capacity[problem.resources.index(name.removeprefix("resources."))] = amount
    return replace(problem, capacity=capacity)


@settings(max_examples=300, deadline=None)
@given(schedules())
def test_the_capacities_in_conflict(problem: Problem) -> None:
    conflict, remedy = osp.impossible(problem)
    assert bool(conflict) == (not possible(problem))
    assert len(conflict) == len(remedy)
    assert possible(with_capacity(problem, dict.fromkeys(conflict, 99)))
    rest = {f"resources.{name}" for name in problem.resources} - set(conflict)
    assert not conflict or not possible(with_capacity(problem, dict.fromkeys(rest, 99)))
    for name, text in zip(conflict, remedy, strict=True):
        if "must change as well" in text or "no amount" in text:
            assert not possible(with_capacity(problem, {name: 99}))
            continue
        amount = int(text.removeprefix(f"{name}: at least ").split(",")[0])
        missing = int(text.split(", ")[1].split()[0])
        here = int(problem.capacity[problem.resources.index(name.removeprefix("resources."))])
        assert amount == here + missing
        assert possible(with_capacity(problem, {name: amount}))
        assert not possible(with_capacity(problem, {name: amount - 1}))


@settings(max_examples=30, deadline=None)
@given(schedules())
def test_no_solver_is_asked(problem: Problem) -> None:
    assume(not possible(problem))
    for solver in ("critical-path", "cp-sat"):
        result = solve(problem, solver)
        assert (result.status, result.stop, result.bound) == (Status.INFEASIBLE, StopReason.PROVED, None)
        assert result.conflict
        assert result.solver == solver


EXAMPLE = """{"kind": "operator-schedule",
 "resources": {"tensor": 4,
               "vector": 2},
 "operations": [
   {"name": "qkv", "duration": 12, "uses": {"tensor": 9}},
   {"name": "mask", "duration": 1, "uses": {"vector": 1}}]}
"""


def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, output = tmp_path / "p.json", tmp_path / "r.json"
    path.write_text(EXAMPLE)
    with pytest.raises(SystemExit) as caught:
        cli.main(["solve", str(path), "-o", str(output)])
    assert caught.value.code == 1
    table = json.loads(output.read_text())
    assert table["status"] == "infeasible"
    assert table["conflict"] == ["resources.tensor"]
    assert table["remedy"] == ["resources.tensor: at least 9, 5 more: 'qkv' needs as many"]
    assert table["where"] == [f"{path}:2:26"]
    shown = capsys.readouterr().out
    assert f"conflict  resources.tensor ({path}:2:26)" in shown
    path.write_text(EXAMPLE.replace('"tensor": 4', '"tensor": 9'))
    assert solve(load_problem(path)).status is Status.OPTIMAL


def test_a_solution_of_a_problem_without_one_is_rated(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    path.write_text(EXAMPLE)
    rating = rate(load_problem(path), {"start": {"qkv": 0, "mask": 0}, "mode": {}})
    assert not rating["valid"]
    assert rating["bound"] is None
    assert "9 of tensor" in rating["violations"][0]
