"""The declared window: its gain is the most of all rearrangements, judged by the text of the window alone."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ortools.sat.python import cp_model

from accmine.errors import InputError
from accmine.models.schedule_window_cpsat import ScheduleWindowCpSat
from accmine.problems.schedule_window import Problem, Solution, check, problem_from_json
from tests.samples.raw_schedule import Raw, most_gain, random_window

SEEDS = st.integers(0, 10**6)


def window(seed: int) -> tuple[Raw, Problem]:
    raw = random_window(random.Random(seed))
    return raw, problem_from_json(raw)


def solved(model: cp_model.CpModel, fixed: bool = False) -> cp_model.CpSolver:
    solver = cp_model.CpSolver()
    solver.parameters.catch_sigint_signal = False  # else Ctrl-C kills from then on
    solver.parameters.num_workers = 1
    solver.parameters.fix_variables_to_their_hinted_value = fixed
    assert solver.solve(model) == cp_model.OPTIMAL
    return solver


@settings(max_examples=40, deadline=None)
@given(SEEDS)
def test_the_gain_is_that_of_every_rearrangement(seed: int) -> None:
    raw, problem = window(seed)
    model = ScheduleWindowCpSat()
    solver = solved(model.build(problem))
    found = model.read(solver.value)
    assert check(problem, found) == ()
    assert found.gain == round(solver.objective_value) == most_gain(raw)
    assert model.floor_score is not None
    assert model.floor_score <= -found.gain


@settings(max_examples=40, deadline=None)
@given(SEEDS)
def test_a_valid_solution_is_a_complete_hint_and_comes_back(seed: int) -> None:
    _, problem = window(seed)
    model = ScheduleWindowCpSat()
    best = model.read(solved(model.build(problem)).value)
    again = ScheduleWindowCpSat()
    built = again.build(problem)
    again.hint(best)
    assert built.validate() == ""
    assert sorted(built.proto.solution_hint.vars) == list(range(len(built.proto.variables)))
    kept = again.read(solved(built, fixed=True).value)
    assert (kept.gain, kept.start.tolist(), kept.mode.tolist()) == (best.gain, best.start.tolist(), best.mode.tolist())


def one(name: str, modes: list[tuple[int, int]], *after: str) -> Raw:
    return {"name": name, "modes": [{"duration": d, "uses": {"t": u}} for d, u in modes], "after": list(after)}


def test_a_dominated_mode_of_a_hint_is_replaced() -> None:
    operations = [one("a", [(4, 2), (3, 2), (5, 1)]), one("m", [(2, 2)], "a")]
    raw = {
        "kind": "schedule-window",
        "most_gain": 9,
        "schedule": {"resources": {"t": 2}, "operations": operations},
        "free": {"a": {"earliest": 0, "due": 6}},
        "fixed": {},
        "moving": {"m": 6},
    }
    problem = problem_from_json(raw)
    model = ScheduleWindowCpSat()
    built = model.build(problem)
    model.hint(Solution(np.array([0, 6]), np.array([0, 0]), 0))  # the first mode is longer than the second
    kept = model.read(solved(built, fixed=True).value)
    assert (kept.mode.tolist(), kept.gain) == ([1, 0], 0)
    assert model.read(solved(built).value).gain == most_gain(raw) == 3


def test_what_cannot_stay_where_it_is_has_no_solution_or_is_refused() -> None:
    operations = [one("f", [(4, 1)]), one("g", [(2, 1)], "f")]
    schedule = {"resources": {"t": 1}, "operations": operations}
    both = problem_from_json({"most_gain": 1, "schedule": schedule, "fixed": {"f": 0, "g": 3}})
    with pytest.raises(InputError, match="g is fixed before what it waits for"):
        ScheduleWindowCpSat().build(both)
    late = problem_from_json(
        {"most_gain": 1, "schedule": schedule, "fixed": {"f": 0}, "free": {"g": {"earliest": 0, "due": 5}}}
    )
    solver = cp_model.CpSolver()
    solver.parameters.catch_sigint_signal = False  # else Ctrl-C kills from then on
    assert solver.solve(ScheduleWindowCpSat().build(late)) == cp_model.INFEASIBLE, "g ends at 6 at the earliest"


def test_capacity_over_the_horizon_must_fit_64_bits() -> None:
    far = 1 << 40
    operations = [
        {"name": n, "modes": [{"duration": 1, "uses": {"t": amount}}], "after": []}
        for n, amount in (("a", (1 << 30) - 1), ("b", 1 << 30), ("c", 1))
    ]
    raw = {
        "most_gain": 1,
        "schedule": {"resources": {"t": (1 << 31) - 1}, "operations": operations},
        "free": {n: {"earliest": 0, "due": far} for n in ("a", "b", "c")},
    }
    with pytest.raises(InputError, match="leaves 64-bit integers; count t or time in larger units"):
        ScheduleWindowCpSat().build(problem_from_json(raw))
