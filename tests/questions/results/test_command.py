"""``accmine results``, ``accmine list runs``, and the note of an earlier run."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import Any

import pytest

from tests.samples.command_sample import caller
from tests.samples.runs_sample import every_state


@pytest.fixture
def accmine(capsys: pytest.CaptureFixture[str]) -> Any:
    return caller(capsys)


def test_results(accmine: Any, tmp_path: Path) -> None:
    names = every_state(tmp_path)
    said = accmine("results", "--runs", tmp_path)
    assert said.code == 0
    lines = said.out.splitlines()
    assert lines[0].split() == ["run", "state", "status", "best", "unit", "gap", "area_mm2", "tdp_w", "designs"]
    assert [line.split()[0] for line in lines[1:]] == names
    found = accmine("results", "--runs", tmp_path, "--where", "gap > 1", "--json").json
    assert [row["run"] for row in found] == ["quickstart-1"]
    assert len(found[0]) == 25
    picked = accmine("results", tmp_path / "odd-3", "--columns", "run, message", "--sort=-run")
    assert picked.out == "run    message\nodd-3  nothing in time\n"
    wide = accmine("results", "--runs", tmp_path, "--columns", "all").out.splitlines()[0]
    assert wide.split()[-1] == "placement"


def test_files(accmine: Any, tmp_path: Path) -> None:
    every_state(tmp_path / "runs")
    files = ("--csv", tmp_path / "r.csv", "--parquet", tmp_path / "r.parquet")
    said = accmine("results", "--runs", tmp_path / "runs", *files, "--where", "state = 'failed'")
    assert (said.code, said.out) == (0, "")
    with (tmp_path / "r.csv").open() as file:
        assert [row["run"] for row in csv.DictReader(file)] == ["odd-3", "crash-4"]
    assert (tmp_path / "r.parquet").read_bytes()[:4] == b"PAR1"
    bad = accmine("results", "--csv", tmp_path / "no" / "r.csv")
    assert bad.code == 2
    assert "--csv" in bad.err


def test_nothing_to_show(accmine: Any, tmp_path: Path) -> None:
    said = accmine("results", "--runs", tmp_path)
    assert (said.code, said.out) == (0, f"no rows in {tmp_path}\n")
    other = tmp_path / "other"
    other.mkdir()
    assert accmine("results", other, "--runs", tmp_path).out == f"no rows in {other}\n"
    every_state(tmp_path)
    assert accmine("results", "--runs", tmp_path, "--where", "gap > 99").out == "no rows of 9\n"
    assert accmine("results", "--runs", tmp_path, "--where", "gap > 99", "--json").json == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--where", "gap > 1; drop table rows"], "is no condition on the columns"),
        (["--columns", "run,,gap"], "an empty name in 'run,,gap'"),
        (["--columns", "runn"], "no column 'runn'; did you mean 'run'? columns: run, state"),
        (["--sort", "nothing"], "no column 'nothing'"),
        (["nowhere"], "no such folder: nowhere"),
    ],
)
def test_bad_input(accmine: Any, tmp_path: Path, arguments: list[str], message: str) -> None:
    every_state(tmp_path)
    said = accmine("results", "--runs", tmp_path, *arguments)
    assert said.code == 2
    assert message in said.err
    assert said.out == ""


def test_list_runs(accmine: Any, tmp_path: Path) -> None:
    none = accmine("list", "runs", "--runs", tmp_path)
    assert (none.code, none.out, none.err) == (0, "", f"no runs in {tmp_path}\n")
    names = every_state(tmp_path)
    lines = accmine("list", "runs", "--runs", tmp_path).out.splitlines()
    assert lines[0].split() == ["name", "study", "state", "when", "best", "gap", "percent", "message"]
    assert [line.split()[0] for line in lines[1:]] == names
    assert [row["name"] for row in accmine("list", "runs", "--runs", tmp_path, "--json").json] == names
    said = accmine("list", "studies", "--runs", tmp_path)
    assert said.code == 2
    assert "--runs: has no effect but on runs" in said.err


def test_show_of_several_asks(accmine: Any, tmp_path: Path) -> None:
    every_state(tmp_path)
    (tmp_path / "small-2").rename(tmp_path / "quickstart-0")
    os.utime(tmp_path / "quickstart-0" / "state.json", (2000, 2000))
    said = accmine("show", "quick", "--runs", tmp_path)
    assert said.code == 2
    assert "'quick' is the start of 2 runs, oldest first: quickstart-1 (1970" in said.err
    assert said.err.endswith("give more of the name, or --latest\n")
    assert accmine("show", "quick", "--latest", "--runs", tmp_path).out.startswith("infeasible: no design")


def test_keys_are_those_of_the_page(accmine: Any) -> None:
    page = Path(__file__).resolve().parents[3] / "docs" / "results.md"
    assert page.read_text(encoding="utf-8").endswith("\n\n" + accmine("results", "--keys").out)
