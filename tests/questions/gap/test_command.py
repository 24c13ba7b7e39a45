"""``accmine gap`` on the command line: its four forms, exit codes, files, and options that would have no effect."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

import accmine.questions.gap.cases as gap_module
from accmine import cli
from accmine.hardware import dump_design
from accmine.questions.gap.record import GapRow
from tests.questions.gap.test_cases import suite  # noqa: F401 — a fixture
from tests.questions.gap.test_solution import THREE
from tests.samples.gap_sample import rows, without_prover, write  # noqa: F401 — one is used by every test
from tests.samples.search_sample import design


def call(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as caught:
        cli.main(["gap", *(str(argument) for argument in arguments)])
    return int(caught.value.code or 0)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a study, a problem, solutions and designs."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path)
    Path("p.json").write_text(json.dumps(THREE))
    Path("good.json").write_text(json.dumps({"start": {"a": 0, "b": 0, "c": 2}, "mode": {}}))
    Path("bad.json").write_text(json.dumps({"start": {"a": 0, "b": 0, "c": 1}, "mode": {}}))
    Path("mine.yaml").write_text(dump_design(design()))
    Path("huge.yaml").write_text(dump_design(design(tensor_cores=64)))
    return tmp_path


def test_a_study_with_options_and_all_files(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--option", "hysteresis=0,2", "--csv", "out.csv", "--plot", "out.svg", "--runs", "runs")
    assert call("tiny.yaml", *options) == 0
    printed = capsys.readouterr().out
    assert "wham-like, over its options: gap between" in " ".join(printed.split())
    found = list(csv.DictReader(StringIO(Path("out.csv").read_text())))
    assert [row["option.hysteresis"] for row in found] == ["0", "2"]
    assert Path("out.svg").read_text().startswith("<svg")
    assert call("tiny.yaml", *options, "--json") == 0
    table = json.loads(capsys.readouterr().out)
    assert all(row["reused"] for row in table["rows"])
    assert [row["gap_after"] for row in table["rows"]] == [float(row["gap_after"]) for row in found]


def test_seeds_and_settings(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("tiny.yaml", "--seeds", "0,3", "--set", "search.top_k=2", "--workers", "1", "--json") == 0
    table = json.loads(capsys.readouterr().out)
    assert [(row["seed"], row["options"]["top_k"]) for row in table["rows"]] == [(0, 2), (3, 2)]


def test_a_solution(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("p.json", "--solution", "good.json", "--seconds", "5") == 0
    assert "verified    yes" in capsys.readouterr().out
    assert call("p.json", "--solution", "bad.json", "--json") == 3
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert row["violations"]


def test_a_design(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("tiny.yaml", "--design", "mine.yaml", "--json") == 0
    theirs, own = json.loads(capsys.readouterr().out)["rows"]
    assert (theirs["method"], own["method"]) == ("mine.yaml", "wham-like")
    assert call("tiny.yaml", "--design", "huge.yaml") == 3
    assert "mm^2 too much" in " ".join(capsys.readouterr().out.split())


def test_a_suite(folder: Path, suite: None, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: F811
    assert call("--suite", "wham", "--metrics", "throughput", "--csv", "out.csv") == 0
    printed = capsys.readouterr().out
    assert "needs tensor parallel" in printed
    assert "throughput per TDP" not in printed
    assert len(Path("out.csv").read_text().splitlines()) == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "needs at least one study"),
        (("tiny.yaml", "--suite", "wham"), "takes no studies"),
        (("--solution", "good.json"), "needs one problem file, got 0"),
        (("p.json", "p.json", "--solution", "good.json"), "needs one problem file, got 2"),
        (("tiny.yaml", "--design", "mine.yaml", "--solution", "good.json"), "exclude each other"),
        (("tiny.yaml", "--solver", "cp-sat"), "--solver: has no effect here; allowed: --again"),
        (("tiny.yaml", "--models", "bert"), "--models: has no effect"),
        (("p.json", "--solution", "good.json", "--option", "top_k=1"), "--option: has no effect"),
        (("p.json", "--solution", "good.json", "--seconds", "1,2"), "takes one value here, got 2"),
        (("tiny.yaml", "--design", "mine.yaml", "--seeds", "1,2"), "takes one value here, got 2"),
        (("tiny.yaml", "--design", "mine.yaml", "--runs", "runs"), "--runs: has no effect"),
        (("tiny.yaml", "--method", "wham-like", "--option", "top_k=1"), "--option: has no effect with --method"),
        (("tiny.yaml", "--method", "nobody"), "unknown heuristic 'nobody'"),
        (("tiny.yaml", "--design", "mine.yaml", "--method", "wham-like"), "--method: has no effect"),
        (("tiny.yaml", "--again"), "no effect without --runs"),
        (("tiny.yaml", "--seeds", "one"), "needs whole numbers of at least 0, separated by commas; got 'one'"),
        (("tiny.yaml", "--seconds", "-1"), "needs numbers of at least 0"),
        (("tiny.yaml", "--seconds", "1"), "no effect with budget.deterministic"),
        (("tiny.yaml", "--option", "speed=1"), "unknown option"),
        (("tiny.yaml", "--csv", "none/out.csv"), "cannot write none/out.csv"),
        (("none.yaml",), "none.yaml"),
        (("tiny.yaml", "--set", "search.order=random"), "must be one of bound, best, breadth"),
    ],
)
def test_bad_input(folder: Path, arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(*arguments) == 2
    assert message in capsys.readouterr().err


def test_an_interrupt_prints_what_is_there(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: Any, **__: Any) -> Iterator[GapRow]:
        yield rows("one device")[0]
        raise KeyboardInterrupt

    monkeypatch.setattr(gap_module, "sweep", interrupted)
    assert call("tiny.yaml", "--csv", "out.csv") == 130
    assert "whole" in capsys.readouterr().out
    assert len(Path("out.csv").read_text().splitlines()) == 2


def test_what_cannot_be_met_is_said_with_its_exit_code(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("tiny.yaml", "--set", "limits.area=1 mm^2", "--plot", "out.svg") == 1
    printed = capsys.readouterr()
    assert "infeasible" in printed.out
    assert "not drawn" in printed.err
    assert not Path("out.svg").exists()
