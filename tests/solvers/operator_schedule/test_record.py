"""What a search knows: incumbent, bound, limits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from accmine.errors import CheckError, InputError
from accmine.ports import Stop
from accmine.problems.operator_schedule import Solution
from accmine.result import Status, StopReason
from accmine.solvers.operator_schedule.record import Record
from tests.samples.graph_sample import problem_of

PROBLEM = problem_of([(f"o{i}", [(10, [1, 0])], []) for i in range(3)], [2, 1])
"""Bound 15, optimum 20."""


def solution(*start: int) -> Solution:
    return Solution(np.array(start), np.zeros(len(start), dtype=np.int64))


def record(stop: Stop = Stop(), seen: list[Any] | None = None) -> Record:  # noqa: B008 - Stop is frozen
    return Record("test", PROBLEM, stop, 7, None if seen is None else lambda *row: seen.append(row))


def test_only_better_and_valid_schedules_are_kept() -> None:
    seen: list[Any] = []
    one = record(seen=seen)
    assert one.offer(solution(0, 10, 20))
    assert not one.offer(solution(0, 10, 20))
    assert one.offer(solution(0, 0, 10))
    assert not one.offer(solution(10, 10, 20))
    with pytest.raises(CheckError, match="test: at 0: 3 of t held"):
        one.offer(solution(0, 0, 0))
    assert [row[1:] for row in seen] == [(30, 15), (20, 15)]
    assert one.value == 20


def test_bounds_only_rise_and_close_the_search() -> None:
    one = record()
    assert one.reason() is None
    one.offer(solution(0, 0, 10))
    one.tighten(12, "weaker")
    assert (one.bound, one.bound_method) == (15, "work of t over its capacity")
    assert one.closed() is None
    one.tighten(20, "stronger")
    assert one.closed() is StopReason.PROVED
    result = one.result(StopReason.PROVED)
    assert (result.status, result.objective, result.bound, result.bound_method) == (Status.OPTIMAL, 20, 20, "stronger")
    assert result.seed == 7


def test_limits() -> None:
    for stop, reason in (
        (Stop(), None),
        (Stop(seconds=0), StopReason.TIME),
        (Stop(work=1), StopReason.TIME),
        (Stop(work=2), None),
        (Stop(gap=0.25), StopReason.GAP),
        (Stop(gap=0.24), None),
    ):
        one = record(stop)
        one.work = 1.0
        assert one.reason() is None  # not before there is a schedule
        one.offer(solution(0, 0, 10))
        assert one.reason() is reason
    assert record(Stop(seconds=0)).spent() == 1.0
    assert record(Stop(work=0)).spent() == 1.0
    assert record().spent() == 0.0


def test_hints_are_checked() -> None:
    one = record()
    one.take_hint(None)
    assert one.value is None
    with pytest.raises(InputError, match="the hint is not a solution"):
        one.take_hint(solution(0, 0, 0))
    one.take_hint(solution(0, 10, 20))
    assert one.value == 30


def test_progress_of_another_solver_is_never_worse_than_what_is_known() -> None:
    seen: list[Any] = []
    one = record(seen=seen)
    one.offer(solution(0, 0, 10))
    one.hear(0.0, 30, 12)
    one.hear(0.0, None, None)
    assert len(seen) == 1
    one.hear(0.0, 20, 18)
    assert seen[-1][1:] == (20, 18)
    assert one.bound == 15  # to be confirmed by the result
