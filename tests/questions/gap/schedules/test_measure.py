"""Measuring solvers side by side: every seed, every failure with its reason, workers, and run folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from accmine.errors import InputError
from accmine.problems.operator_schedule import lower_bound
from accmine.questions.gap.schedules.measure import Measurement, _code_of, check_methods, measure
from accmine.questions.gap.schedules.problems import phase_problems
from accmine.questions.gap.schedules.record import Found, ScheduleRow
from tests.samples.gap_sample import study
from tests.samples.plugin_sample import install
from tests.samples.search_sample import pipeline

FAILURES = {
    "raises": "ZeroDivisionError: no way",
    "silent": "no schedule (finished)",
    "nothing": "AttributeError: 'NoneType' object has no attribute 'solution'",
    "quits": "SystemExit: 7",
}


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "plugin").mkdir()
    return install(tmp_path / "plugin", monkeypatch)


def rows_of(*methods: str, seeds: tuple[int, ...] = (0,), workers: int = 1, runs: Path | None = None) -> Found:
    found = Found()
    measure(found, [("tiny", study())], Measurement(methods, seeds, (2.0,), workers, runs))
    return found


def values(found: Found) -> list[tuple[object, ...]]:
    return [(r.problem, r.method, r.seed, r.makespan, r.bound, r.gap, r.failure) for r in found.rows()]


def test_every_solver_on_every_problem_with_every_seed(plugin: Path) -> None:
    rows = rows_of("row", "old", "critical-path", seeds=(0, 2)).rows()
    problems = phase_problems("tiny", study())
    assert [(r.problem, r.method, r.seed) for r in rows] == [
        (own.name, method, seed) for own in problems for method in ("row", "old", "critical-path") for seed in (0, 2)
    ]
    for own in problems:
        of = {(r.method, r.seed): r for r in rows if r.problem == own.name}
        first = of["row", 0].makespan
        assert first is not None
        assert of["row", 2].makespan == first + 20  # the seed is handed on
        assert of["old", 0].makespan == first
        assert {r.bound for r in of.values()} == {of["critical-path", 0].bound}
        assert (of["row", 0].bound or 0) >= lower_bound(own.problem)[0]
        assert of["row", 0].gap == pytest.approx(1 - (of["row", 0].bound or 0) / first)
        assert all(not r.failure and r.seconds is not None for r in of.values())


def test_failures_are_rows_with_their_reasons_and_the_others_go_on(plugin: Path) -> None:
    rows = rows_of(*FAILURES, "overlap", "row").rows()
    for method, reason in FAILURES.items():
        assert {r.failure for r in rows if r.method == method} == {reason}
        assert all(r.makespan is None and r.gap is None for r in rows if r.method == method)
    assert all(r.failure.startswith("CheckError: overlap: ") for r in rows if r.method == "overlap")
    assert all(not r.failure and r.makespan for r in rows if r.method == "row")


def test_a_claimed_bound_is_not_believed(plugin: Path) -> None:
    rows = rows_of("liar", "critical-path").rows()
    step = {r.method: r for r in rows if r.phase == "step"}
    assert step["liar"].own_bound == step["liar"].makespan
    assert step["liar"].note.startswith("claims a bound of ")
    assert (step["critical-path"].makespan or 0) < (step["liar"].makespan or 0)
    assert step["critical-path"].note == ""
    assert (step["liar"].bound or 0) <= (step["critical-path"].makespan or 0)


def test_workers_give_the_same_rows_and_a_crash_is_one(plugin: Path) -> None:
    alone = rows_of("row", "sometimes", seeds=(0, 1))
    together = rows_of("row", "sometimes", "dies", seeds=(0, 1), workers=2)
    lost = [r for r in together.rows() if r.method == "dies"]
    assert len(lost) == 4
    assert all("exit code 9" in r.failure for r in lost)
    assert [row for row in values(together) if row[1] != "dies"] == values(alone)


def test_an_interrupt_leaves_what_is_done(plugin: Path) -> None:
    found = Found()
    with pytest.raises(KeyboardInterrupt):
        measure(found, [("tiny", study())], Measurement(["row", "stopped", "old"], (0,), (1.0,)))
    assert [r.method for r in found.rows()] == ["row"]


def test_run_folders_keep_rows_but_no_failures_and_know_the_code(plugin: Path, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    first = rows_of("row", "raises", runs=runs).rows()
    again = rows_of("row", "raises", "old", runs=runs).rows()
    assert [r.reused for r in again] == [r.method == "row" for r in again]
    assert [r.makespan for r in again if r.method == "row"] == [r.makespan for r in first if r.method == "row"]
    assert [r.gap for r in again if r.method == "row"] == [r.gap for r in first if r.method == "row"]
    _code_of.cache_clear()  # as in a new process
    plugin.write_text(plugin.read_text().replace("VERSION = 1", "VERSION = 2"))
    assert not any(r.reused for r in rows_of("row", runs=runs).rows())
    found = Found()
    measure(found, [("tiny", study())], Measurement(["row"], (0,), (2.0,), 1, runs, True))
    assert not any(r.reused for r in found.rows())


def test_a_pipeline_on_several_studies(plugin: Path) -> None:
    found = Found()
    studies = [("one", study()), ("two", study(models=("gpt",), **pipeline(2)))]
    measure(found, studies, Measurement(["row"], (0,), (1.0,)))
    rows: list[ScheduleRow] = found.rows()
    assert [(r.study, r.stages, r.phase) for r in rows[2:]] == [
        ("two", (stage,), phase) for stage in (0, 1) for phase in ("forward", "backward", "update")
    ]
    assert all(r.gap is not None for r in rows)


def test_unknown_solvers_are_refused() -> None:
    with pytest.raises(InputError, match="unknown solver 'critical-paht'; did you mean 'critical-path'"):
        check_methods(["critical-paht"])
    with pytest.raises(InputError, match="auto is given twice"):
        check_methods(["auto", "auto"])
