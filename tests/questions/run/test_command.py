"""``accmine run`` and ``accmine show``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from accmine.questions.run import command
from accmine.questions.run.folder import RunFolder, RunState
from accmine.report import Watch
from accmine.study import LoadedStudy
from tests.samples.command_sample import caller
from tests.samples.search_sample import study_text


@pytest.fixture
def accmine(capsys: pytest.CaptureFixture[str]) -> Any:
    return caller(capsys)


def test_run_hands_everything_on(accmine: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen: list[tuple[LoadedStudy, Path, bool]] = []
    report = SimpleNamespace(status="feasible", stop="time", to_json=lambda: {"value": 1})

    def pretend(loaded: LoadedStudy, runs: Path, again: bool, shown: Any) -> Any:
        shown(0.1, 2.0, 1.0)
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


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    file = tmp_path / "tiny.yaml"
    budget, search = {"work": 40, "deterministic": True}, {"refine": "none", "top_k": 2, "shares": 2}
    file.write_text(study_text(space={"tensor_cores": [1, 2]}, budget=budget, search=search))
    return file


def test_verbose_names_every_step(accmine: Any, tiny: Path, tmp_path: Path) -> None:
    arguments = ["run", tiny, "--runs", tmp_path / "runs", "--again"]
    said = accmine(*arguments, "-v")
    steps = [line.split()[-1] for line in said.err.splitlines() if line.strip()[0].isdigit() and " s  " in line]
    assert steps == ["baseline", "bound", "propose", "confirm", "select", "refine", "prove", "compare"]
    assert accmine(*arguments, "--quiet").err == ""
    assert accmine(*arguments, "--json").err == ""
    both = accmine(*arguments, "--quiet", "-v")
    assert (both.code, both.out) == (2, "")
    assert "exclude each other" in both.err


def test_progress_is_in_the_unit_of_the_study(tiny: Path, tmp_path: Path) -> None:
    from accmine.questions.run.run import run
    from accmine.study import load_study

    seen: list[tuple[str, Callable[[float], float]]] = []
    values: list[float | None] = []

    class Seen(Watch):
        def unit(self, unit: str, shown: Callable[[float], float]) -> None:
            assert not any(values), "values are shown in the unit from the first one on"
            seen.append((unit, shown))

    outcome = run(load_study(tiny), runs_dir=tmp_path, on_progress=lambda *row: values.append(row[1]), watch=Seen())
    ((unit, shown),) = seen
    assert unit == outcome.certificate.unit == "samples/s"
    assert values[-1] is not None
    assert shown(values[-1]) == pytest.approx(outcome.certificate.objective)
