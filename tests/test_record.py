"""What a search knows: incumbent, bound, limits, parts, trace."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from accmine.errors import CheckError, InputError
from accmine.ports import Stop
from accmine.problems import schedule_window
from accmine.problems.operator_schedule import Solution, lower_bound
from accmine.record import Record
from accmine.result import Sense, Status, StopReason
from tests.samples.graph_sample import problem_of

PROBLEM = problem_of([(f"o{i}", [(10, [1, 0])], []) for i in range(3)], [2, 1])
"""Bound 15, optimum 20."""


def solution(*start: int) -> Solution:
    return Solution(np.array(start), np.zeros(len(start), dtype=np.int64))


def record(stop: Stop = Stop(), seen: list[Any] | None = None) -> Record[Solution]:  # noqa: B008 - Stop is frozen
    told = None if seen is None else lambda *row: seen.append(row)
    one = Record[Solution](PROBLEM, stop, seed=7, on_progress=told, solver="test")
    one.raise_bound(*lower_bound(PROBLEM))
    return one


def test_only_better_and_valid_schedules_are_kept() -> None:
    seen: list[Any] = []
    one = record(seen=seen)
    assert one.offer(solution(0, 10, 20))
    assert not one.offer(solution(0, 10, 20))
    assert one.offer(solution(0, 0, 10))
    assert not one.offer(solution(10, 10, 20))
    with pytest.raises(CheckError, match="test: at 0: 3 of t held"):
        one.offer(solution(0, 0, 0))
    assert not one.offer(solution(0, 0, 0), doubtful=True)
    assert [row[1:] for row in seen] == [(None, 15), (30, 15), (20, 15)]
    assert one.score == 20


def test_bounds_only_rise_and_close_the_search() -> None:
    one = record()
    assert one.over() is None
    one.offer(solution(0, 0, 10))
    one.raise_bound(12, "weaker")
    one.raise_bound(None, "none")
    assert (one.bound, one.bound_method) == (15, "work of t over its capacity")
    assert one.closed() is None
    one.raise_bound(20, "stronger")
    assert one.closed() is StopReason.PROVED
    one.remark("without this")
    one.remark("without this")
    result = one.result(StopReason.TIME)
    assert (result.status, result.stop, result.objective, result.bound) == (
        Status.OPTIMAL,
        StopReason.PROVED,
        20,
        20,
    )
    assert result.bound_method == "stronger; without this"
    assert (result.seed, result.sense, result.solver) == (7, Sense.MINIMIZE, "test")


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
        one.offer(solution(0, 0, 10))
        assert one.over() is reason
    assert record(Stop(seconds=0)).spent() == 1.0
    assert record(Stop(work=0)).spent() == 1.0
    assert record().spent() == 0.0


def test_hints_are_checked() -> None:
    with pytest.raises(InputError, match="the hint is not a solution"):
        Record(PROBLEM, hint=solution(0, 0, 0))
    assert Record(PROBLEM, hint=solution(0, 10, 20)).score == 30
    with pytest.raises(InputError, match="is not a problem"):
        Record(Stop())


def test_a_part_shares_what_is_known_and_has_limits_of_its_own() -> None:
    seen: list[Any] = []
    one = record(Stop(seconds=100, work=8, gap=0.5, workers=2), seen)
    one.work = 2
    part = one.part("inner", 0.25, work=3)
    assert (part.stop.work, part.stop.gap, part.stop.workers, part.seed) == (3, 0.5, 2, 7)
    assert part.stop.seconds is not None
    assert 20 < part.stop.seconds <= 25
    assert part.clock.at <= one.clock.at
    assert one.part("rest").stop.work == 6
    assert record().part("inner", work=3).stop == Stop(), "no limit where the whole has none"
    with pytest.raises(CheckError, match="inner: at 0"):
        part.offer(solution(0, 0, 0))
    part.work += 1
    part.within = "half of it: "
    part.offer(solution(0, 0, 10))
    part.raise_bound(18, "by hand")
    assert (one.score, one.bound, one.bound_method, one.work) == (20, 18, "half of it: by hand", 2)
    assert [row[1:] for row in seen] == [(None, 15), (20, 15), (20, 18)]
    assert one.result(StopReason.TIME).trace == tuple(seen)


def test_what_is_announced_is_told_once_and_counts_only_when_it_comes() -> None:
    seen: list[Any] = []
    one = record(seen=seen)
    one.offer(solution(0, 10, 20))
    one.announce(40)
    one.announce(20)
    one.raise_bound(20, "by hand")
    assert one.closed() is StopReason.PROVED
    one.offer(solution(0, 0, 10))
    assert [row[1:] for row in seen] == [(None, 15), (30, 15), (20, 15), (20, 20)]
    other = record()
    other.offer(solution(0, 10, 20))
    other.announce(20)
    other.retract()
    assert other.result(StopReason.TIME).objective == 30


def test_the_trace_never_runs_backwards_and_stops_at_the_deadline() -> None:
    one = record(Stop(seconds=0.01))
    one.offer(solution(0, 10, 20))
    time.sleep(0.02)
    one.offer(solution(0, 0, 10))
    result = one.result(StopReason.TIME)
    assert result.seconds > 0.02
    assert [row[1:] for row in result.trace] == [(None, 15), (30, 15), (20, 15)]
    assert result.trace[-1][0] == 0.01
    assert all(a[0] <= b[0] for a, b in pairwise(result.trace))


def test_no_solution() -> None:
    one = record()
    one.no_solution("by hand")
    one.blame(("resources.t",), ("more",))
    assert one.over() is StopReason.PROVED
    result = one.result(StopReason.FINISHED)
    assert (result.status, result.stop, result.bound) == (Status.INFEASIBLE, StopReason.PROVED, None)
    assert (result.bound_method, result.conflict, result.remedy) == ("by hand", ("resources.t",), ("more",))


def test_scores_are_minimised_and_values_shown_as_the_kind_has_them() -> None:
    empty = np.zeros(0, dtype=np.int64)
    window = schedule_window.Problem(problem_of([], [1, 1]), empty, empty, empty, 9)
    one = Record[schedule_window.Solution](window)
    one.raise_bound(-9, "most gain")
    one.offer(schedule_window.Solution(empty, empty, 4))
    assert one.offer(schedule_window.Solution(empty, empty, 7))
    assert (one.score, one.bound) == (-7, -9)
    result = one.result(StopReason.TIME)
    assert (result.objective, result.bound, result.sense) == (7, 9, Sense.MAXIMIZE)
    assert result.trace[-1][1:] == (7, 9)
