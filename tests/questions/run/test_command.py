"""``accmine run`` and ``accmine show``."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from accmine.questions.run import command
from accmine.questions.run.folder import RunFolder, RunState
from accmine.study.study import LoadedStudy
from tests.samples.command_sample import caller


@pytest.fixture
def accmine(capsys: pytest.CaptureFixture[str]) -> Any:
    return caller(capsys)


def test_run_hands_everything_on(accmine: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen: list[tuple[LoadedStudy, Path, bool]] = []
    report = SimpleNamespace(status="feasible", stop="time", to_json=lambda: {"value": 1})

    def pretend(loaded: LoadedStudy, runs: Path, again: bool, on_progress: Any) -> Any:
        on_progress(0.1, 2.0, 1.0)
        seen.append((loaded, runs, again))
        return report

    monkeypatch.setattr(command, "_run", pretend)
    monkeypatch.setattr(command, "_render", lambda _: "the report\n")
    arguments = ["run", "quickstart", "--seconds", "5", "--workers", "1", "--again", "--runs", tmp_path]
    said = accmine(*arguments, "--set", "limits.area=400 mm^2", "--design", "tpuv2-like")
    assert (said.code, said.out) == (0, "the report\n")
    loaded, runs, again = seen[0]
    assert (runs, again) == (tmp_path, True)
    assert loaded.study.budget.seconds == 5
    assert loaded.study.budget.workers == 1
    assert loaded.study.limits.area == "400 mm^2"
    assert loaded.study.accelerator.mapping() == {"use": "tpuv2-like"}
    assert accmine(*arguments, "--json").json == {"value": 1}
    report.stop = "interrupted"
    assert accmine("run", "quickstart").code == 130


def test_show(accmine: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = RunFolder(tmp_path / "runs" / "one-0123")
    folder.end(RunState.INTERRUPTED)
    said = accmine("show", "one", "--runs", tmp_path / "runs")
    assert said.code == 2
    assert "has no result; its state is: interrupted" in said.err
    folder.write_json("result.json", {"value": 3})
    folder.end(RunState.FINISHED)
    assert accmine("show", folder.path, "--json").json == {"value": 3}
    missing = accmine("show", folder.path, "--json", "--gantt", tmp_path / "g.png")
    assert missing.code == 2
    assert "no schedule.json" in missing.err
    trace = {"traceEvents": [], "displayTimeUnit": "ns"}
    folder.write_json("schedule.json", trace)
    drawn: list[Any] = []
    monkeypatch.setattr("accmine.report.charts.gantt.draw", lambda given, png: drawn.append((given, png)))
    assert accmine("show", folder.path, "--json", "--gantt", tmp_path / "g.png").code == 0
    assert drawn == [(trace, tmp_path / "g.png")]
