"""``accmine stability``: what it prints and writes, that it reads a finished run, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from accmine import cli
from accmine.files import resolve
from accmine.hardware.technology import load_technology
from accmine.questions import options as command_options
from accmine.questions.run.folder import list_runs
from accmine.questions.stability import cases as stability_cases
from tests.samples.run_sample import known
from tests.samples.search_sample import study_text

KEYS: dict[str, Any] = {
    "space": {"tensor_cores": [1, 2], "vector_cores": [1, 2], "vector_lanes": [4, 8]},
    "limits": {"area": "baseline", "tdp": "baseline"},
    "budget": {"work": 0.5, "deterministic": True, "workers": 1},
    "search": {"refine": "none", "top_k": 2, "shares": 1},
}


@pytest.fixture(autouse=True)
def few_schedules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stability_cases, "MORE", 1)


def write(folder: Path, **keys: Any) -> Path:
    path = folder / "tiny.yaml"
    path.write_text(study_text(**{**KEYS, **keys}))
    return path


def call(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as caught:
        cli.main([str(argument) for argument in arguments])
    return int(caught.value.code or 0)


def test_it_runs_the_study_and_then_reads_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study, runs = write(tmp_path), tmp_path / "runs"
    assert call("stability", study, "--draws", "5", "--runs", runs) == 0
    text = capsys.readouterr().out
    assert "of 5 draws" in text
    assert "Beside it, and not to be added: the certificate" in text
    (folder,) = list_runs(runs)
    written = known(folder, "stability.json")
    assert written["draws"] == 5
    state = (folder.path / "state.json").read_text()
    assert call("stability", study, "--draws", "5", "--json", "--runs", runs) == 0
    printed = json.loads(capsys.readouterr().out)
    assert (folder.path / "state.json").read_text() == state  # the finished run was not made again
    for table in (written, printed):
        del table["seconds"]
    assert printed == written
    assert printed["nominal"]["gap"] == known(folder, "result.json")["certificate"]["gap"]


def test_the_tolerance_and_the_seed_are_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = write(tmp_path)
    options = ("--draws", "4", "--seed", "3", "--tolerance", "0.1", "--json", "--runs", tmp_path / "runs")
    assert call("stability", study, *options) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["seed"], found["tolerance"], found["asked"]) == (3, 0.1, 4)


def test_bad_options_are_named_before_anything_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study, runs = write(tmp_path), tmp_path / "runs"
    assert call("stability", study, "--draws", "0", "--tolerance", "1", "--runs", runs) == 2
    message = capsys.readouterr().err
    assert "draws" in message
    assert "must be at least 1, got 0" in message
    assert "tolerance" in message
    assert call("stability", study, "--set", "limits.area=-1 mm^2", "--runs", runs) == 2
    assert not runs.exists()


def test_a_technology_that_says_nothing_of_its_errors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = yaml.safe_load(resolve("technologies", "tpu-16nm").read_text())
    for section in (table["area"], table["power"]):
        for constant in section.values():
            if isinstance(constant, dict):
                constant["band"] = 0
    silent = tmp_path / "silent.yaml"
    silent.write_text(yaml.safe_dump({**table, "name": "silent"}))
    assert all(constant.band == 0 for constant in load_technology(silent).constants)
    runs = tmp_path / "runs"
    assert call("stability", write(tmp_path, technology=str(silent)), "--runs", runs) == 2
    assert "technology silent says nothing of its errors" in capsys.readouterr().err
    assert not runs.exists()


def test_an_infeasible_study_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = write(tmp_path, limits={"area": "1 mm^2"})
    assert call("stability", study, "--draws", "2", "--runs", tmp_path / "runs") == 1
    assert "limits.area" in capsys.readouterr().err


def test_ctrl_c_during_the_run_draws_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import accmine.questions.run.run as run_module

    before = run_module.run

    def interrupted(*arguments: Any, **keywords: Any) -> Any:
        from dataclasses import replace

        return replace(before(*arguments, **keywords), stop="interrupted")

    monkeypatch.setattr(run_module, "run", interrupted)
    assert (
        call("stability", write(tmp_path), "--draws", "2", "--runs", tmp_path / "runs") == command_options.INTERRUPTED
    )
    assert "nothing was drawn" in capsys.readouterr().err
