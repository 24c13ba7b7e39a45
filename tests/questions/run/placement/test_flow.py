"""A study whose placement is decided, from the command line to its folder and back."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from accmine import cli
from accmine.questions.run.folder import find_run
from accmine.questions.run.placement.flow import solve_placement
from accmine.questions.run.placement.record import PlacementOutcome
from accmine.questions.run.reading import outcome_of
from accmine.questions.run.run import place
from tests.samples.placed_study_sample import loaded, placed_text, placement_plan

SMALL: dict[str, Any] = {"budget": {"seconds": 6, "workers": 1}}


def call(*arguments: object) -> int:
    with pytest.raises(SystemExit) as caught:
        cli.main([str(argument) for argument in arguments])
    return int(caught.value.code or 0)


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a study and its run."""
    folder = tmp_path_factory.mktemp("placed")
    (folder / "study.yaml").write_text(placed_text(**SMALL))
    assert call("run", folder / "study.yaml", "--runs", folder / "runs", "--quiet") == 0
    return folder


def test_the_run_folder_holds_the_placement_and_reads_it_back(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder,) = (here / "runs").iterdir()
    names = {path.name for path in folder.iterdir()}
    assert {"result.json", "design.yaml", "placement.yaml", "placement.json", "schedule.json", "report.html"} <= names
    outcome = outcome_of(json.loads((folder / "result.json").read_text()))
    assert isinstance(outcome, PlacementOutcome)
    assert outcome.certificate.bound >= outcome.samples_per_s
    table = yaml.safe_load((folder / "placement.yaml").read_text())
    assert sum(stage["layers"] for stage in table["stages"]) == 6
    assert table["tensor"] * table["pipeline"] * table["data"] == outcome.placement.devices <= 8
    assert call("show", folder) == 0
    assert "Where the step goes" in capsys.readouterr().out
    trace = json.loads((folder / "schedule.json").read_text())["traceEvents"]
    assert "stage 0" in {event["args"]["name"] for event in trace if event["name"] == "thread_name"}


def test_a_finished_run_is_read_and_not_made_again(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder,) = (here / "runs").iterdir()
    before = (folder / "result.json").stat().st_mtime_ns
    assert call("run", here / "study.yaml", "--runs", here / "runs", "--json") == 0
    assert json.loads(capsys.readouterr().out)["kind"] == "design-placement"
    assert (folder / "result.json").stat().st_mtime_ns == before


def test_a_longer_run_goes_on_from_the_answer(here: Path) -> None:
    asked = loaded(placed_text(**SMALL | {"budget": {"seconds": 7, "workers": 1}}))
    known = json.loads((find_run(here / "runs", "tiny").path / "result.json").read_text())
    longer = place(asked, runs_dir=here / "runs")
    assert longer.value <= known["value"] * (1 + 1e-12)


def test_validate_and_export(here: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert call("validate", here / "study.yaml") == 0
    (folder,) = (here / "runs").iterdir()
    assert call("export", folder, "--to", "megatron", "-o", tmp_path / "out") == 0
    text = (tmp_path / "out" / "megatron.txt").read_text()
    assert "--tensor-model-parallel-size" in text
    assert call("export", folder, "--to", "scalesim", "-o", tmp_path / "other") == 2
    assert "megatron" in capsys.readouterr().err


@pytest.mark.parametrize("question", ["gap", "sensitivity", "stability"])
def test_other_questions_say_that_the_placement_is_open(
    question: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(question, here / "study.yaml") == 2
    said = capsys.readouterr().err
    assert re.search(r"study.yaml:\d+:\d+: parallel: the placement of this study is to be decided", said), said


def test_memory_that_nothing_fits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = placed_text(
        accelerator={**json.loads(placed_text())["accelerator"], "hbm": "1 MiB"},
        workload={"batch": 4096, "microbatch": 4096},
        parallel={"tensor": 1, "data": 1, "pipeline": [1, 2]},
    )
    (tmp_path / "study.yaml").write_text(text)
    assert call("run", tmp_path / "study.yaml", "--runs", tmp_path / "runs", "--quiet") == 1
    assert "hbm" in capsys.readouterr().err


def test_every_incumbent_is_told_in_its_own_unit() -> None:
    told: list[tuple[float, Any, Any]] = []
    outcome, lanes = solve_placement(placement_plan(**SMALL), lambda *row: told.append(row))
    assert told[-1][1] == pytest.approx(outcome.value)
    assert lanes
    assert outcome.seconds["search"] > 0
