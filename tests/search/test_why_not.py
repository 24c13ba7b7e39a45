"""What an infeasible study says on the command line, word for word, and that what it says is true."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from accmine import cli
from tests.samples.search_sample import folder

GOLDEN = Path(__file__).parents[1] / "golden" / "infeasible_study.txt"

STUDY = """# A template too large for its limits.
name: too large
workloads:
  - {use: gpt.yaml, batch: 8, microbatch: 4}
accelerator:
  use: base.yaml
  tensor_cores: [40, 64]
  vector_lanes: 8
limits:
  area: 430 mm^2
  tdp: 75 W
baseline: base.yaml
baselines: [base.yaml]
search: {refine: none}
budget: {work: 1, deterministic: true}
"""


def call(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as caught:
        cli.main([str(argument) for argument in arguments])
    return int(caught.value.code or 0)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("gpt.yaml", "base.yaml"):
        (tmp_path / name).write_text((folder() / name).read_text())
    (tmp_path / "study.yaml").write_text(STUDY)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_words_of_an_infeasible_study(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("run", "study.yaml") == 1
    first = capsys.readouterr()
    assert first.out == ""
    assert first.err == GOLDEN.read_text()
    assert call("run", "study.yaml") == 1, "the finished run says the same"
    note, _, again = capsys.readouterr().err.partition("\n")
    assert note.startswith("the answer of an earlier run, which ended ")
    assert again == first.err
    (result,) = here.glob("runs/*/result.json")
    table = json.loads(result.read_text())
    assert table["status"] == "infeasible"
    assert len(table["conflict"]) == len(table["where"])
    assert table["where"][1] == "study.yaml:10:9"
    assert call("run", "study.yaml", "--json") == 1
    assert json.loads(capsys.readouterr().out) == table


def test_places_follow_the_file(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A comment changes no result, but the lines that are named."""
    assert call("run", "study.yaml") == 1
    capsys.readouterr()
    (here / "study.yaml").write_text("# one more line\n" + STUDY)
    assert call("run", "study.yaml") == 1
    assert "study.yaml:11:9" in capsys.readouterr().err


def test_every_change_alone_is_enough_where_it_says_so(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = GOLDEN.read_text()
    found = re.findall(r"^(\S+): .* -> at (?:least|most) ([\d.]+(?: mm\^2| W)?), which is enough alone$", text, re.M)
    assert found
    for key, value in found:
        assert call("run", "study.yaml", "--set", f"{key}={value}") == 0
        number, _, unit = value.partition(" ")
        worse = f"{float(number) - 2e-4} {unit}" if unit else str(int(number) + 1)
        assert call("run", "study.yaml", "--set", f"{key}={worse}") == 1
    capsys.readouterr()


def test_more_stages_than_layers(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change = ["--set", "parallel.pipeline=9", "--set", "system.cluster=point-to-point"]
    assert call("run", "study.yaml", *change) == 1
    shown = capsys.readouterr().err
    most = re.search(r"parallel\.pipeline: 9 \(--set parallel\.pipeline=9\) -> at most (\d+), the layers of gpt", shown)
    assert most
    assert list(here.glob("runs/*/result.json")), "the result is written"
    deepest = ["--set", f"parallel.pipeline={most[1]}", "--set", "system.cluster=point-to-point"]
    assert call("validate", "study.yaml", *deepest) == 0
    assert call("validate", "study.yaml", *change) == 1


def test_the_example_of_the_documentation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "why-not.md").read_text(encoding="utf-8")
    example = re.search(r"^\$ accmine run quickstart --set limits\.area=\"400 mm\^2\"\n(.*?)^```$", page, re.M | re.S)
    assert example
    monkeypatch.chdir(tmp_path)
    assert call("run", "quickstart", "--set", "limits.area=400 mm^2") == 1
    assert capsys.readouterr().err == example[1]
