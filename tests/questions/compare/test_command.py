"""``accmine compare`` on the command line."""

from __future__ import annotations

import csv
import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from accmine import cli
from accmine.questions.compare import rows as module
from tests.samples.gap_sample import study_text, write

METHODS = ("--methods", "wham-like,random", "--seeds", "2", "--evaluations", "5", "--fixed", "tpuv2-like")


def call(*arguments: str | Path, command: str = "compare") -> int:
    with pytest.raises(SystemExit) as caught:
        cli.main([command, *(str(argument) for argument in arguments)])
    return int(caught.value.code or 0)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a study and one that has a block."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path)
    table = json.loads(study_text(name="block"))
    table["compare"] = {"methods": ["random"], "seeds": 1, "evaluations": 3, "fixed": []}
    (tmp_path / "block.yaml").write_text(json.dumps(table))
    return tmp_path


def test_a_study_with_all_files(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = ("--csv", "out.csv", "--plot", "out.svg", "--markdown", "out.md")
    assert call("tiny.yaml", *METHODS, *files) == 0
    assert "Searches compared: tiny, throughput" in capsys.readouterr().out
    rows = list(csv.DictReader(StringIO((here / "out.csv").read_text())))
    assert [row["method"] for row in rows] == ["wham-like", "random", "random", "tpuv2-like"]
    assert (here / "out.svg").read_text().startswith("<svg")
    assert (here / "out.md").read_text().startswith("## Searches compared")
    assert (here / "runs" / "tiny-compare.html").is_file(), "a page at all events"
    assert call("tiny.yaml", *METHODS, "--json") == 0
    assert all(row["reused"] for row in json.loads(capsys.readouterr().out)["rows"])


def test_a_document_says_what_is_compared(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("block.yaml", "--json") == 0
    found = json.loads(capsys.readouterr().out)["rows"]
    assert [(row["method"], row["seed"], row["limit_evaluations"]) for row in found] == [("random", 0, 3)]
    assert call("block.yaml", "--json", "--set", "objective=throughput-per-tdp", "--set", "compare.seeds=2") == 0
    found = json.loads(capsys.readouterr().out)["rows"]
    assert [(row["metric"], row["seed"]) for row in found] == [("throughput-per-tdp", s) for s in (0, 1)]


def test_overrides_of_the_block_are_not_those_of_the_studies_of_a_suite(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    few = ["--set", "compare.models=[resnet-18]", "--set", "compare.metrics=[throughput]", "--set", "compare.fixed=[]"]
    few += ["--set", "compare.methods=[random]", "--set", "compare.seeds=1", "--set", "compare.evaluations=1"]
    assert call("wham-table", "--json", *few, command="run") == 0
    assert [row["study"] for row in json.loads(capsys.readouterr().out)["rows"]] == ["resnet-18"]


def test_run_hands_a_document_with_a_block_on(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("block.yaml", "--json", "--set", "compare.seeds=2", command="run") == 0
    assert [row["seed"] for row in json.loads(capsys.readouterr().out)["rows"]] == [0, 1]
    assert call("block.yaml", "--seconds", "3", command="run") == 2
    assert "has no effect on a comparison" in " ".join(capsys.readouterr().err.split())


def test_a_floor_that_nothing_reaches_exits_with_nothing_found(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keys = ("--set", "objective=throughput-per-tdp", "--set")
    assert call("tiny.yaml", *METHODS, *keys, "floor=1e6") == 1
    assert "infeasible: no design reaches the floor: proven" in " ".join(capsys.readouterr().out.split())
    few = ("--methods", "tpu-scaled", "--evaluations", "1", "--fixed", "tpuv2-like")
    assert call("tiny.yaml", *few, *keys, "floor=1.2") == 4
    found = " ".join(capsys.readouterr().out.split())
    assert "tpu-scaled" in found
    assert "nothing found: none of 1 designs reaches the floor of throughput" in found


def test_nothing_fits_exits_with_infeasible(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("tiny.yaml", *METHODS, "--set", "limits.area=1 mm^2") == 1
    assert "infeasible" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("tiny.yaml", "--methods", "annealing"), "unknown method 'annealing'"),
        (("tiny.yaml", "--models", "vgg-16"), "chooses rows of a suite"),
        (("tiny.yaml", "--plot", "out.png"), "give a name that ends in .svg"),
        (("tiny.yaml", "--csv", "no/out.csv"), "cannot write"),
        (("tiny.yaml", "--fixed", "nosuchchip"), "unknown accelerator 'nosuchchip'"),
        (("tiny.yaml", "--methods", "ga,ga"), "'ga' is named twice"),
        (("wham-table", "--models", "alexnet"), "unknown model 'alexnet'"),
        (("nosuchstudy",), "unknown study"),
        (("tiny.yaml", "--set", "compare.seeds=0"), "seeds"),
        (("tiny.yaml", "--set", "compare.colour=red"), "colour"),
        (("tiny.yaml", "--set", "budget.seconds=3"), "has no effect on a comparison; allowed: compare.seconds"),
    ],
)
def test_what_is_wrong_is_said(
    here: Path, arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(*arguments) == 2
    assert message in " ".join(capsys.readouterr().err.split())


def test_an_interrupt_leaves_the_rows_that_are_done(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    true: Any = vars(module)["measure"]
    done: list[object] = []

    def once(*arguments: object) -> object:
        if done:
            raise KeyboardInterrupt
        done.append(arguments)
        return true(*arguments)

    monkeypatch.setattr(module, "measure", once)
    assert call("tiny.yaml", *METHODS, "--json") == 130
    captured = capsys.readouterr()
    assert "interrupted: 1 rows are done; the same command goes on there" in captured.err
    assert len(json.loads(captured.out)["rows"]) == 1
    monkeypatch.setattr(module, "measure", true)
    assert call("tiny.yaml", *METHODS, "--json") == 0
    assert [row["reused"] for row in json.loads(capsys.readouterr().out)["rows"]][:2] == [True, False]
