"""Figures: arithmetic on traces, by hand."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import pytest

from accmine.questions.compare.figures import (
    CHARGES,
    best_black_box,
    reached,
    searches,
    summaries,
    value_at,
    versus,
)
from accmine.questions.compare.record import CHIP, CompareRow, Moment


def run(method: str, *trace: Moment, seed: int = 0, study: str = "s", **more: object) -> CompareRow:
    """A run whose last moment is its end, unless ``more`` says otherwise."""
    last = trace[-1] if trace else (10.0, 5.0, inf)
    row = CompareRow(
        study,
        "throughput",
        method,
        seed=seed,
        value=last[2] if trace else None,
        bound=1.0,
        baseline=4.0,
        evaluations=last[0],
        seconds=last[1],
        finished=True,
        trace=tuple(trace),
    )
    return replace(row, **more)  # type: ignore[arg-type]


FAST = run("wham-like", (1, 0.5, 3.0), (4, 2.0, 2.0))
SLOW = run("gp-features", (2, 4.0, 3.0), (10, 30.0, 2.5))
LUCKY = run("gp-features", (1, 1.0, 2.0), seed=1)


def test_the_moment_a_quality_is_reached() -> None:
    assert reached(FAST, 3.0) == (1, 0.5)
    assert reached(FAST, 2.5) == (4, 2.0)
    assert reached(FAST, 2.5, 60.0) == (4, 242.0)
    assert reached(FAST, 1.9) is None


def test_the_value_at_a_moment() -> None:
    assert value_at(FAST, 0.4, 0.0) == inf
    assert value_at(FAST, 1.9, 0.0) == 3.0
    assert value_at(FAST, 2.0, 0.0) == 2.0
    assert value_at(FAST, 2.0, 1.0) == 3.0, "1.5 s with one evaluation charged"


def test_a_summary_by_hand() -> None:
    found = {own.method: own for own in summaries([FAST, SLOW, LUCKY])}
    ours, theirs = found["wham-like"], found["gp-features"]
    assert (theirs.runs, theirs.found, theirs.value, theirs.least, theirs.most) == (2, 2, 2.25, 2.0, 2.5)
    assert ours.quality == 1.0
    assert theirs.quality == pytest.approx(2.0 / 2.25)
    assert (theirs.gap, theirs.gap_least, theirs.gap_most) == pytest.approx((1 - 1 / 2.25, 0.5, 0.6))
    assert (ours.target, ours.target_by, ours.hits, ours.to_evaluations) == (2.25, "gp-features", 1, 4)
    assert ours.to_seconds == (2.0, 6.0, 242.0)
    assert (theirs.target, theirs.hits) == (2.0, 1)
    assert theirs.to_evaluations is None, "half of the runs never reached it"
    assert theirs.to_seconds == (None, None, None)
    assert (theirs.evaluations, theirs.seconds) == (5.5, 15.5)


def test_a_method_that_finds_nothing_is_a_loss_not_a_gap_in_the_table() -> None:
    found = {own.method: own for own in summaries([FAST, run("random"), run("random", seed=1)])}
    nothing = found["random"]
    assert (nothing.found, nothing.value, nothing.quality, nothing.gap, nothing.hits) == (0, None, None, None, 0)
    assert found["wham-like"].target is None


def test_the_ratio_of_seconds_by_hand() -> None:
    native, one, sixty, *_ = versus([FAST, SLOW], "wham-like", "gp-features")
    assert [own.charge for own in (native, one, sixty)] == list(CHARGES)
    assert native.studies == {("s", "throughput"): pytest.approx(30.0 / 2.0)}
    assert one.middle == pytest.approx(40.0 / 6.0)
    assert sixty.middle == pytest.approx(630.0 / 242.0)
    assert (native.lost, native.silent) == (0, 0)


def test_a_quality_that_ours_never_reaches_is_a_ratio_of_nothing() -> None:
    worse = run("wham-like", (1, 0.5, 2.2))
    native = versus([worse, run("gp-features", (1, 1.0, 2.0))], "wham-like", "gp-features")[0]
    assert native.middle == 0.0
    assert native.lost == 1


def test_the_median_is_over_pairs_of_seeds_then_over_studies() -> None:
    rows = [
        FAST,
        SLOW,
        LUCKY,
        replace(LUCKY, seed=2),
        replace(FAST, study="t"),
        run("gp-features", (9, 8.0, 2.0), study="t"),
    ]
    native = versus(rows, "wham-like", "gp-features")[0]
    assert native.studies == {("s", "throughput"): pytest.approx(0.5), ("t", "throughput"): pytest.approx(4.0)}
    assert native.middle == pytest.approx(2.25)
    assert native.lost == 1


def test_values_are_compared_when_a_limit_ended_the_first() -> None:
    cut = run("gp-features", (2, 4.0, 3.0), (10, 30.0, 2.5), finished=False, seconds=40.0, evaluations=12.0)
    early = run("wham-like", (1, 0.5, 3.0), (4, 2.0, 2.0), finished=False, seconds=3.0, evaluations=5.0)
    found = {(own.what, own.charge): own.middle for own in versus([early, cut], "wham-like", "gp-features")}
    assert found["throughput", 0.0] == inf, "in 3 s the other had nothing yet"
    assert found["throughput", 60.0] == pytest.approx(3.0 / 2.0), "in 303 s it had made two evaluations"
    assert found["throughput at the end", 0.0] == pytest.approx(2.5 / 2.0)


def test_who_finished_keeps_its_value() -> None:
    cut = run("gp-features", (10, 30.0, 2.5), finished=False, seconds=40.0)
    found = {(own.what, own.charge): own.middle for own in versus([FAST, cut], "wham-like", "gp-features")}
    assert found["throughput", 0.0] == pytest.approx(1.25)


def test_the_best_black_box_of_a_study() -> None:
    table = searches([FAST, SLOW, run("ga", (5, 5.0, 2.1)), run("random"), replace(FAST, kind=CHIP, method="chip")])
    assert best_black_box(table["s", "throughput"]) == "ga"
    assert best_black_box({"random": [run("random")]}) is None
    rows = [FAST, SLOW, run("ga", (5, 5.0, 2.1))]
    assert versus(rows, "wham-like", None)[0].middle == pytest.approx(5.0 / 2.0)


def test_a_study_on_which_the_other_found_nothing_is_counted_apart() -> None:
    native = versus([FAST, run("gp-features")], "wham-like", "gp-features")[0]
    assert (native.studies, native.silent, native.middle) == ({}, 1, None)
