"""The ways accmine says no: exit codes, texts, and what survives a journey through JSON and processes."""

from __future__ import annotations

import json
import pickle
import signal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accmine.errors import (
    AccmineError,
    CheckError,
    Complaint,
    InfeasibleError,
    InputError,
    NothingFoundError,
    WorkerLostError,
    WorkersGoneError,
)

LINE = st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), min_size=1, max_size=12)
STEP = st.integers(0, 9) | LINE


def test_exit_codes_are_those_that_are_promised() -> None:
    codes = {
        InfeasibleError("x"): 1,
        InputError("x"): 2,
        CheckError("x"): 3,
        NothingFoundError("x"): 4,
        WorkerLostError("job", 1): 4,
        WorkersGoneError("x"): 4,
    }
    assert all(error.exit_code == code and isinstance(error, AccmineError) for error, code in codes.items())


@given(st.lists(st.tuples(LINE, LINE, LINE), min_size=1, max_size=4))
def test_every_complaint_has_a_line(rows: list[tuple[str, str, str]]) -> None:
    error = InputError([Complaint(*row) for row in rows])
    assert str(error).splitlines() == [": ".join(row) for row in rows]
    assert str(Complaint("", "", "x")) == "x"
    assert str(Complaint("f:1:2", "", "x")) == "f:1:2: x"


@st.composite
def conflicts(draw: st.DrawFn) -> InfeasibleError:
    count = draw(st.integers(0, 3))
    limits = draw(st.lists(LINE, min_size=count, max_size=count))
    remedies = [f"{limit}: {draw(LINE)}" for limit in limits] + draw(st.lists(LINE, max_size=2))
    if not draw(st.booleans()):
        return InfeasibleError(draw(LINE), limits, remedies)
    places = [tuple(draw(st.lists(STEP, max_size=3))) for _ in limits]
    where = [draw(st.just("") | st.just("f.yaml:3:4")) for _ in limits]
    return InfeasibleError(draw(LINE), limits, remedies, places, where)


@given(conflicts())
def test_an_infeasibility_comes_back_from_json(error: InfeasibleError) -> None:
    again = InfeasibleError.from_json(json.loads(json.dumps(error.to_json())))
    assert str(again) == str(error)
    assert (again.conflict, again.remedy, again.places, again.where) == (
        error.conflict,
        error.remedy,
        error.places,
        error.where,
    )


def test_the_place_of_a_limit_stands_beside_its_remedy() -> None:
    conflict, remedy = ["limits.area: 5 mm2", "limits.tdp: 3 W"], ["limits.area: 9 mm2", "limits.tdp: 4 W", "or less"]
    places = [("limits", "area"), ("limits", "tdp")]
    error = InfeasibleError("impossible", conflict, remedy, places, ["f.yaml:2:9", ""])
    assert str(error).splitlines() == [
        "impossible",
        "or less",
        "limits.area: 5 mm2 (f.yaml:2:9) -> 9 mm2",
        "limits.tdp: 4 W",
    ]


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"message": 3},
        {"message": "x", "conflict": "a"},
        {"message": "x", "conflict": [3]},
        {"message": "x", "conflict": ["a"], "remedy": ["a: b"], "places": ["limits"], "where": [""]},
        {"message": "x", "conflict": ["a"], "remedy": [], "places": [["limits"]], "where": [""]},
        {"message": "x", "conflict": ["a", "b"], "remedy": ["a: 1", "b: 2"], "places": [["a"]], "where": ["", ""]},
    ],
)
def test_what_is_no_infeasibility_is_refused(data: Any) -> None:
    with pytest.raises(InputError):
        InfeasibleError.from_json(data)


def test_a_lost_worker_comes_through_a_pipe_and_says_how_it_ended() -> None:
    for code, words in (
        (-signal.SIGKILL, "was ended by SIGKILL (memory may be short: fewer workers need less of it)"),
        (-signal.SIGSEGV, "was ended by SIGSEGV"),
        (3, "ended by itself with exit code 3"),
    ):
        error = pickle.loads(pickle.dumps(WorkerLostError("search", code)))
        assert (error.job, error.code) == ("search", code)
        assert words in str(error)


def test_nothing_found_keeps_its_bound() -> None:
    assert NothingFoundError("x", 2.5).bound == 2.5
    assert NothingFoundError("x").bound is None
