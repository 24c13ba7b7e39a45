"""``accmine gap --schedule`` on the command line: tables, files, exit codes, and options that would have no effect."""

from __future__ import annotations

import csv
import json
from io import StringIO
from pathlib import Path

import pytest

from accmine import cli
from tests.samples.gap_sample import write
from tests.samples.plugin_sample import install


def call(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as caught:
        cli.main(["gap", *(str(argument) for argument in arguments)])
    return int(caught.value.code or 0)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a study and the solvers of another package."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path)
    Path("plugin").mkdir()
    install(tmp_path / "plugin", monkeypatch)
    return tmp_path


def test_all_files_and_seeds_of_a_study(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = ("--csv", "o.csv", "--markdown", "o.md", "--latex", "o.tex", "--runs", "runs")
    asked = ("tiny.yaml", "--schedule", "row,critical-path", "--seeds", "0,1", "--seconds", "2", *files)
    assert call(*asked) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "tiny row 2/2" in shown
    assert "Problem by problem" in shown
    rows = list(csv.DictReader(StringIO(Path("o.csv").read_text())))
    assert [(row["phase"], row["method"], row["seed"]) for row in rows] == [
        (phase, method, seed) for phase in ("step", "update") for method in ("row", "critical-path") for seed in "01"
    ]
    assert "| tiny | row | 2/2 |" in Path("o.md").read_text()
    assert r"tiny & row & 2/2" in Path("o.tex").read_text()
    assert call(*asked, "--json") == 0
    table = json.loads(capsys.readouterr().out)
    assert all(row["reused"] for row in table["rows"])
    assert [row["gap"] for row in table["rows"]] == [float(row["gap"]) for row in rows]


def test_failures_are_told_and_end_with_3(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("tiny.yaml", "--schedule", "raises,row", "--seconds", "1") == 3
    shown = " ".join(capsys.readouterr().out.split())
    assert "tiny raises 0/1 –" in shown
    assert "raises, seed 0: ZeroDivisionError: no way" in shown
    assert "tiny row 1/1" in shown


def test_ctrl_c_prints_what_is_done(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("tiny.yaml", "--schedule", "row,stopped", "--seconds", "1") == 130
    said = capsys.readouterr()
    assert "interrupted: 1 rows are done" in said.err
    assert "row" in said.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("tiny.yaml", "--schedule", "nobody"), "unknown solver 'nobody'"),
        (("--schedule", "row"), "needs at least one study"),
        (("tiny.yaml", "--suite", "wham", "--schedule", "row"), "takes no studies"),
        (("tiny.yaml", "--schedule", "row", "--models", "gpt"), "--models"),
        (("tiny.yaml", "--schedule", "row", "--plot", "x.svg"), "--plot: has no effect here"),
        (("tiny.yaml", "--schedule", "row", "--option", "top_k=1"), "--option: has no effect here"),
        (("tiny.yaml", "--schedule", "row", "--method", "wham-like"), "--method: has no effect here"),
        (("tiny.yaml", "--schedule", "row", "--solution", "x"), "exclude each other"),
        (("tiny.yaml", "--schedule", "row", "--design", "a", "--design", "b"), "takes one value here"),
        (("tiny.yaml", "--schedule", "row", "--again"), "has no effect without --runs"),
        (("tiny.yaml", "--latex", "x.tex"), "--latex: has no effect here"),
        (("--suite", "wham", "--schedule", "row", "--models", "resnet-81"), "unknown model 'resnet-81'"),
        (("tiny.yaml", "--schedule", "row", "--csv", "no/such/folder.csv"), "cannot write"),
    ],
)
def test_what_would_have_no_effect_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], words: str
) -> None:
    assert call(*arguments) == 2
    assert words in " ".join(capsys.readouterr().err.split())
