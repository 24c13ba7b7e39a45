"""``accmine report``: pages of runs, and their data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from accmine.questions.run.folder import RunFolder, RunState
from accmine.questions.sensitivity.measure import Row, Sensitivity
from accmine.report import to_json
from tests.samples.command_sample import caller
from tests.samples.page_sample import Page
from tests.samples.pictures_sample import pictured, trace
from tests.samples.report_sample import pipeline


@pytest.fixture
def accmine(capsys: pytest.CaptureFixture[str]) -> Any:
    return caller(capsys)


def kept(runs: Path, name: str, outcome: Any, study: str = "name: x\nlimits: {area: 3 mm^2}\n") -> RunFolder:
    folder = RunFolder(runs / name)
    folder.write_json("result.json", outcome.to_json())
    folder.write_text("schedule.json", json.dumps(trace()))
    folder.write_text("study.yaml", study)
    folder.end(RunState.FINISHED)
    return folder


def test_a_run_has_its_page_in_its_folder(accmine: Any, tmp_path: Path) -> None:
    folder = kept(tmp_path / "runs", "quickstart-01", pictured())
    said = accmine("report", "quick", "--runs", tmp_path / "runs", "--csv", tmp_path / "data")
    assert said.code == 0
    assert said.out.startswith(f"{folder.path / 'report.html'}  0.")
    found = Page((folder.path / "report.html").read_text())
    assert {"fig-evaluated", "fig-gantt-0", "fig-timeline-0", "study"} <= set(found.ids)
    assert "name: x\nlimits: {area: 3 mm^2}\n" in found.text
    names = {path.stem for path in (tmp_path / "data").iterdir()}
    assert names == {name.removeprefix("fig-") for name in found.ids if name.startswith("fig-")}
    assert (tmp_path / "data" / "evaluated.csv").read_text().startswith("name,what,devices,relative,samples_per_s,")


def test_several_runs_stand_side_by_side(accmine: Any, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    kept(runs, "one-01", pictured())
    kept(runs, "two-02", pipeline(), "name: y\nlimits: {area: 4 mm^2}\n")
    said = accmine("report", "one", "two", "--runs", runs, "-o", tmp_path / "both.html", "--csv", tmp_path / "data")
    assert said.code == 0
    found = Page((tmp_path / "both.html").read_text())
    assert {"fig-certificate-A", "fig-certificate-B", "fig-area", "fig-progress-B"} <= set(found.ids)
    assert len(set(found.ids)) == len(found.ids)
    assert {"limits.area", "3 mm^2", "4 mm^2", f"A = {runs / 'one-01'}"} <= set(found.text)
    assert "28.07 (-36.2 %)" in found.text  # throughput against that of the first
    assert {path.name for path in (tmp_path / "data").iterdir()} == {"one-01", "two-02"}


def test_sensitivities_are_shown_where_they_were_computed(accmine: Any, tmp_path: Path) -> None:
    folder = kept(tmp_path / "runs", "one-01", pictured())
    row = Row("limits.tdp", "280 W", "282.8 W", 45.0, 48.0, 1.0, 0.02, 0.0, 0.03, ("d",), "between 0 and 3 %")
    own = Sensitivity("quickstart", 1.0, "throughput", "samples/s", "maximize", 44.0, 47.0, ("d",), (row,))
    folder.write_json("sensitivity.json", to_json(own))
    assert accmine("report", folder.path).code == 0
    found = Page((folder.path / "report.html").read_text())
    assert "sensitivity" in found.ids
    assert {"280 W → 282.8 W", "between 0 and 3 %"} <= set(found.text)
    folder.write_json("sensitivity.json", {"study": 3})
    said = accmine("report", folder.path)
    assert said.code == 2
    assert "sensitivity.json" in said.err


@pytest.mark.parametrize(
    ("result", "told"),
    [
        (None, "has no result to report; its state is: finished"),
        ({"status": "infeasible"}, "has no answer to report: it is infeasible"),
        ({"status": "feasible", "value": "x"}, "result.json"),
    ],
)
def test_what_has_no_answer_has_no_page(accmine: Any, tmp_path: Path, result: Any, told: str) -> None:
    folder = RunFolder(tmp_path / "one-01")
    folder.end(RunState.FINISHED)
    if result is not None:
        folder.write_json("result.json", result)
    said = accmine("report", folder.path)
    assert said.code == 2
    assert told in said.err
    assert not (folder.path / "report.html").exists()


def test_wrong_targets_are_refused(accmine: Any, tmp_path: Path) -> None:
    folder = kept(tmp_path / "runs", "one-01", pictured())
    (tmp_path / "file").write_text("")
    for arguments, told in (
        (("nothing", "--runs", tmp_path / "runs"), "no run 'nothing'"),
        ((folder.path, folder.path), "named twice"),
        ((folder.path, "-o", tmp_path), "must be a file in an existing folder"),
        ((folder.path, "--csv", tmp_path / "file"), "is a file; a folder is needed"),
    ):
        said = accmine("report", *arguments)
        assert (said.code, told in said.err) == (2, True), said.err
