"""Functions that measure, solve and write, beside the commands of their names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import accmine
from accmine.errors import InputError
from accmine.problems.operator_schedule import Problem
from tests.samples.command_sample import caller
from tests.samples.runs_sample import finished

PROBLEM = Path(__file__).resolve().parents[2] / "examples" / "operator-schedule.json"


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Any:
    return caller(capsys)


def test_solve_and_check(tmp_path: Path, command: Any) -> None:
    found = accmine.solve(PROBLEM, "critical-path", output=tmp_path / "result.json")
    assert found.verified
    assert repr(found).startswith("<Result operator-schedule: ")
    assert len(repr(found)) < 200
    assert str(found.objective) in found._repr_html_()
    rating = accmine.check(PROBLEM, tmp_path / "result.json")
    assert rating["valid"]
    assert rating == command("check", PROBLEM, tmp_path / "result.json", "--json").json
    table = json.loads((tmp_path / "result.json").read_text())
    assert table["objective"] == found.objective
    with pytest.raises(InputError, match="semantics: belongs to device-placement"):
        accmine.solve(PROBLEM, semantics="phaze")


def test_a_solver_of_ones_own_needs_no_registration() -> None:
    from accmine.solving import load_problem

    problem = load_problem(PROBLEM)
    assert isinstance(problem, Problem)
    known = accmine.solve(PROBLEM, "critical-path").solution

    class Parrot:
        name = "parrot"

        def search(self, record: Any) -> Any:
            from accmine.result import StopReason

            record.offer(known)
            return StopReason.FINISHED

    assert accmine.solve(problem, Parrot()).solver == "parrot"


def test_rows_are_those_of_the_commands(tmp_path: Path, command: Any) -> None:
    assert accmine.ledger(suite="anchors").to_json() == command("ledger", "--suite", "anchors", "--json").json
    rows = command("cost", "resnet-18", "--design", "tpuv2-like", "--batch", "8", "--json").json["rows"]
    assert accmine.cost("resnet-18", "tpuv2-like", batch=8).to_json() == rows  # type: ignore[operator]
    accmine.solve(PROBLEM, "critical-path", output=tmp_path / "mine.json")
    (row,) = accmine.gap(PROBLEM, solution=tmp_path / "mine.json", seconds=[0])
    assert row["heuristic"] == accmine.solve(PROBLEM, "critical-path").objective


def test_options_that_are_wrong() -> None:
    with pytest.raises(InputError, match="percent: must be above 0"):
        accmine.sensitivity("quickstart", percent=0)
    with pytest.raises(InputError, match="draws"):
        accmine.stability("quickstart", draws=0)
    with pytest.raises(InputError, match="ledger has no such option"):
        accmine.ledger(suit="anchors")
    with pytest.raises(InputError, match="unknown accelerator"):
        accmine.calibrate("x.csv", accelerator="nothing")


def test_pages_and_exports(tmp_path: Path) -> None:
    finished(tmp_path, "one")
    said = accmine.report("one", runs=tmp_path, output=tmp_path / "page.html")  # type: ignore[operator]
    assert said.startswith(str(tmp_path / "page.html"))
    assert (tmp_path / "page.html").read_text().startswith("<!DOCTYPE html>")
    with pytest.raises(InputError, match="no run 'two'"):
        accmine.export("two", to="scalesim", output=tmp_path / "out", runs=tmp_path)
