"""One owner of HiGHS: its threads are those of each run, and what fails is said."""

from __future__ import annotations

import logging
from typing import Any

import highspy
import numpy as np
import pytest

from accmine.ports import Stop
from accmine.result import Status
from accmine.solvers.engines.highs_engine import failures, run
from accmine.solvers.operator_schedule.auto import Auto
from accmine.solvers.schedule_bounds.strong_bound import tighten
from accmine.solving import solve
from tests.samples.graph_sample import general
from tests.samples.selection_sample import line


def least(low: float) -> Any:
    """min x over x ≥ low."""
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = 1, 1
    lp.col_cost_, lp.col_lower_, lp.col_upper_ = np.ones(1), np.zeros(1), np.full(1, highspy.kHighsInf)
    lp.row_lower_, lp.row_upper_ = np.full(1, low), np.full(1, highspy.kHighsInf)
    lp.a_matrix_.start_, lp.a_matrix_.index_ = np.array([0, 1]), np.array([0])
    lp.a_matrix_.value_ = np.ones(1)
    return lp


def test_a_selection_with_two_workers_leaves_the_programs_of_bounds_alone() -> None:
    problem = line(2, 3, 5)
    for workers in (2, 1, 2):
        assert solve(problem, "highs", stop=Stop(workers=workers)).status is Status.OPTIMAL
        with failures() as failed:
            engine = run(least(3.0), seconds=10)
        assert engine is not None
        assert engine.getInfo().objective_function_value == 3.0
        assert failed == []


def test_a_failed_program_is_named_and_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    problem = general(4, 40)
    assert tighten(problem, upper=10**12).without == ""
    monkeypatch.setattr(highspy.Highs, "run", lambda self: highspy.HighsStatus.kError)
    with caplog.at_level(logging.WARNING), failures() as failed:
        assert run(least(3.0)) is None
    assert failed == ["HiGHS failed on a program of 1 rows and 1 columns"]
    assert failed[0] in caplog.text
    with failures() as outer:
        found = tighten(problem, upper=10**12)
    assert found.without.startswith("without programs that HiGHS failed on: ")
    assert outer == [], "said by the inner one"
    result = solve(problem, Auto(), stop=Stop(work=0.5))
    assert "; without programs that HiGHS failed on: " in result.bound_method
