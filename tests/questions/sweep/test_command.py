"""``accmine sweep`` and ``accmine run`` of a document with a sweep, as users call them."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

import accmine
from accmine.questions.run.row import COLUMNS
from tests.samples.command_sample import caller
from tests.samples.sweep_sample import write

GRID = {"grid": {"limits.area": ["1 mm^2", "413 mm^2"]}}


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Any:
    return caller(capsys)


def test_a_sweep_is_run_listed_and_read_again(tmp_path: Path, call: Any) -> None:
    study, runs, file = write(tmp_path, GRID), tmp_path / "runs", tmp_path / "out.csv"
    listed = call("sweep", study, "--list")
    assert listed.code == 0
    assert listed.out.splitlines()[0] == "tiny: 2 points"
    assert not runs.exists()
    said = call("sweep", study, "--runs", runs, "--csv", file)
    assert said.code == 0
    assert "1 feasible, 1 infeasible" in said.out or "1 infeasible, 1 optimal" in said.out
    assert "limits.area" in said.out
    assert "2 of 2 points" in said.out
    rows = list(csv.DictReader(file.read_text().splitlines()))
    assert list(rows[0]) == ["point", "limits.area", *(column.name for column in COLUMNS), "source"]
    assert rows[0]["message"]
    (table,) = runs.glob("tiny-sweep-*/table.csv")
    assert table.read_text() == file.read_text()
    found = call("run", study, "--runs", runs, "--json")
    assert found.code == 0
    assert found.json["rows"][1]["best"] == float(rows[1]["best"])
    assert call("show", rows[1]["folder"], "--runs", runs).code == 0
    result = accmine.sweep(study, runs=runs)
    assert [row["best"] for row in result.rows] == [None, float(rows[1]["best"])]
    assert repr(result).startswith("SweepResult('tiny', 2 of 2 points")


def test_a_billion_points_ask_for_yes(tmp_path: Path, call: Any) -> None:
    grid = {f"budget.{key}": list(range(1, 1001)) for key in ("seed", "seconds", "work")}
    said = call("sweep", write(tmp_path, {"grid": grid}), "--runs", tmp_path / "runs")
    assert said.code == 2
    assert "1,000,000,000 points" in said.err
    assert "--yes" in said.err
    assert "tiny.yaml:" in said.err
    assert "work:" not in said.err, "it asks before values are looked at, which takes long"
    assert not (tmp_path / "runs").exists()


def test_the_folder_of_a_sweep_is_named_where_a_run_is_asked_for(tmp_path: Path, call: Any) -> None:
    folder = tmp_path / "runs" / "tiny-sweep-0"
    folder.mkdir(parents=True)
    (folder / "sweep.yaml").write_text("name: tiny\n")
    for command in ("show", "report"):
        said = call(command, folder, "--runs", tmp_path / "runs")
        assert said.code == 2
        assert f"{folder} is a sweep, not a run; `accmine results {folder}`" in said.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--jobs", "2"), "--jobs"),
        (("--csv", "/nowhere/x.csv"), "--csv"),
        (("--set", "limits.aera=3"), "aera"),
        (("--set", "sweep.grid={}"), "grid"),
    ],
)
def test_bad_input_is_refused_before_anything_is_run(
    tmp_path: Path, call: Any, arguments: tuple[str, ...], said: str
) -> None:
    found = call("sweep", write(tmp_path, GRID), "--runs", tmp_path / "runs", *arguments)
    assert found.code == 2
    assert said in found.err
    assert not (tmp_path / "runs").exists()


def test_other_commands_name_the_one_for_sweeps(tmp_path: Path, call: Any) -> None:
    study = write(tmp_path, GRID)
    for command in ("validate", "sensitivity"):
        found = call(command, study)
        assert found.code == 2
        assert "accmine sweep" in found.err
    found = call("run", study, "--design", "tpuv2-like")
    assert found.code == 2
    assert "--design" in found.err


def test_the_shipped_sweep_is_right() -> None:
    loaded = accmine.load_sweep("limits-sweep")
    assert loaded.count == 9
    assert loaded.columns == ("limits.area", "limits.tdp")
