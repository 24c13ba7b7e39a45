"""Rows of solvers side by side: the shared bound, what seeds come to, failures, wins."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from accmine.errors import CheckError
from accmine.questions.gap.schedules.record import Bound, Found, ScheduleRow, duels, summaries


def row(problem: str = "p", method: str = "a", seed: int = 0, makespan: int | None = 100, **more: Any) -> ScheduleRow:
    known: dict[str, Any] = {"study": "s", "model": "m", "stages": (), "phase": "step", "design": "d"}
    known |= {"operations": 3, "repeats": 2, "cycle_s": 0.5, "limit_s": 5.0, "seconds": 1.0}
    failure = "" if makespan is not None else "raised"
    return ScheduleRow(problem=problem, method=method, seed=seed, makespan=makespan, failure=failure, **(known | more))


def found(*rows: ScheduleRow, **bounds: int) -> Found:
    return Found({("s", name): Bound(value, "proof") for name, value in bounds.items()}, dict(enumerate(rows)))


def test_the_best_proven_bound_is_shared_and_claims_of_others_are_not() -> None:
    ours = row(method="a", own_bound=90, own_proof="search", believed=True)
    (one, other) = found(ours, row(method="b", makespan=120, own_bound=110), p=80).rows()
    assert (one.bound, one.proof) == (other.bound, other.proof) == (90, "search (a)")
    assert one.gap == pytest.approx(0.1)
    assert other.gap == pytest.approx(0.25)
    assert one.note == ""
    assert other.note == "claims a bound of 110, which a schedule of 100 refutes"


def test_a_bound_above_a_schedule_is_an_error() -> None:
    with pytest.raises(CheckError, match="bound 101 excludes a verified schedule of 100"):
        found(row(), p=101).rows()


def test_without_a_bound_there_is_no_gap() -> None:
    (only,) = found(row()).rows()
    assert only.bound is None
    assert only.gap is None
    (own,) = summaries([only], by_problem=False)
    assert (own.mean_s, own.gap, own.bound_s) == (100.0, None, None)


def test_mean_and_spread_over_all_seeds() -> None:
    rows = found(*(row(seed=s, makespan=m) for s, m in enumerate((100, 125, 160))), p=80).rows()
    (own,) = summaries(rows, by_problem=True)
    assert (own.problem, own.runs, own.failures) == ("p", 3, 0)
    assert (own.least_s, own.most_s) == (100.0, 160.0)  # 2 runs of 0.5 s per cycle
    assert own.mean_s == pytest.approx(385 / 3)
    assert own.gap == pytest.approx((0.2 + 0.36 + 0.5) / 3)
    assert (own.gap_least, own.gap_most) == (pytest.approx(0.2), pytest.approx(0.5))
    assert own.gap_deviation == pytest.approx(0.15011, abs=1e-5)
    assert own.seconds == 1.0


def test_a_study_is_the_sum_of_its_problems_and_a_seed_that_fails_on_one_fails() -> None:
    update: dict[str, Any] = {"problem": "u", "repeats": 1}
    rows = [row(), row(seed=1), row(makespan=40, **update), row(seed=1, makespan=None, **update)]
    (own,) = summaries(found(*rows, p=90, u=40).rows(), by_problem=False)
    assert (own.runs, own.failures) == (2, 1)
    assert own.mean_s == 2 * 0.5 * 100 + 0.5 * 40
    assert own.bound_s == 2 * 0.5 * 90 + 0.5 * 40
    assert own.gap == pytest.approx(10 / 120)
    assert own.seconds == 2.0
    assert own.gap_deviation is None


def test_a_study_cut_short_has_no_value() -> None:
    rows = found(row(), row(method="b"), row(problem="u"), p=1, u=1).rows()
    assert [own.failures for own in summaries(rows, by_problem=False)] == [0, 1]


def test_wins_count_failures_before_means() -> None:
    rows = [
        row("p", "a"),
        row("p", "b", makespan=90),
        row("q", "a", makespan=50),
        row("q", "b", makespan=None),
        row("r", "a", makespan=7),
        row("r", "b", makespan=7),
        row("t", "a", makespan=None),
        row("t", "b", makespan=None),
    ]
    (duel,) = duels(summaries(rows, by_problem=True), "problem")
    assert (duel.one, duel.other, duel.wins, duel.ties, duel.losses) == ("a", "b", 1, 2, 1)
    assert duel.lost == ("p",)


def test_limits_are_compared_each_with_itself() -> None:
    rows = [row(method="a", limit_s=1.0, makespan=90), row(method="b", limit_s=1.0), row(method="b", limit_s=9.0)]
    (duel,) = duels(summaries([*rows, replace(rows[0], limit_s=9.0, makespan=101)], by_problem=True), "problem")
    assert (duel.wins, duel.losses) == (1, 1)
