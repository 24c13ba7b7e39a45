"""A front from the command to its files, and read back from them."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from accmine import cli, load
from accmine.errors import InputError
from accmine.questions.run.folder import list_runs
from accmine.questions.run.reading import outcome_of, page, render
from accmine.questions.run.record import Outcome
from accmine.questions.run.run import front, run
from accmine.questions.run.several.front_record import FrontOutcome
from accmine.study import load_study
from tests.samples.search_sample import study_text

KEYS: dict[str, Any] = {
    "space": {"tensor_cores": [1, 2], "vector_cores": [1, 2], "vector_lanes": [4, 8]},
    "limits": {"area": "baseline", "tdp": "baseline"},
    "budget": {"work": 2, "deterministic": True},
    "search": {"refine": "none", "top_k": 3, "shares": 1},
}
FRONT: dict[str, Any] = KEYS | {"objective": {"pareto": ["throughput", "tdp"], "points": 3}}
REGRET: dict[str, Any] = KEYS | {"models": ("mlp", "gpt"), "aggregate": "regret"}


def write(folder: Path, **keys: Any) -> Path:
    path = folder / "tiny.yaml"
    path.write_text(study_text(**keys))
    return path


def call(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as caught:
        cli.main([str(argument) for argument in arguments])
    return int(caught.value.code or 0)


def test_a_front_leaves_files_and_is_shown_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study, runs = write(tmp_path, **FRONT), tmp_path / "runs"
    assert call("run", study, "--runs", runs, "--quiet") == 0
    printed = capsys.readouterr().out
    (folder,) = list_runs(runs)
    table = folder.read_json("result.json")
    outcome = outcome_of(table)
    assert isinstance(outcome, FrontOutcome)
    assert outcome.to_json() == table
    assert printed == render(outcome)
    assert call("show", "tiny", "--runs", runs) == 0
    assert capsys.readouterr().out == printed
    assert call("run", study, "--runs", runs, "--json") == 0  # read from its folder
    again = json.loads(capsys.readouterr().out)
    assert again == table | {"earlier_run": again["earlier_run"]}
    count = len(outcome.designs)
    names = [f"design-{i}.yaml" for i in range(count)] if count > 1 else ["design.yaml"]
    assert sorted(path.name for path in folder.path.glob("design*.yaml")) == names
    assert all((folder.path / name).read_text() == d.yaml for name, d in zip(names, outcome.designs, strict=True))
    rows = list(csv.DictReader((folder.path / "front.csv").open()))
    assert [float(row["objective"]) for row in rows] == [point.objective for point in outcome.points]
    assert rows[0]["designs"] == outcome.designs[outcome.points[0].designs[0]].name
    assert json.loads((folder.path / "schedule.json").read_text())["traceEvents"]


def test_text_and_page_say_the_front_and_its_bound(tmp_path: Path) -> None:
    outcome = load(write(tmp_path, **FRONT)).front(runs_dir=tmp_path / "runs")
    text = " ".join(render(outcome).split())
    own = sum(point.on_front for point in outcome.points)
    assert f"{own} designs are on the front of {{pareto: [throughput, tdp]}}" in text
    assert "Bound curve: no design in the range is better [samples/s]" in text
    assert "Below" in text
    html = page(outcome)
    assert html.count("<circle") == own
    assert 'class="bound"' in html
    assert all(design.name in html for design in outcome.designs)


def test_one_of_several_kinds_is_asked_for(tmp_path: Path) -> None:
    study = load_study(write(tmp_path, **FRONT))
    with pytest.raises(InputError, match="is a front, which `accmine run` finds"):
        run(study, runs_dir=tmp_path / "runs")
    single = load_study(write(tmp_path, **KEYS))
    with pytest.raises(InputError, match="has one objective"):
        front(single, runs_dir=tmp_path / "runs")


@pytest.mark.parametrize(
    ("command", "keys"), [("sensitivity", FRONT), ("gap", FRONT), ("gap", REGRET), ("stability", REGRET)]
)
def test_other_questions_refuse_by_name(
    command: str, keys: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = write(tmp_path, **keys)
    assert call(command, study) == InputError.exit_code
    said = capsys.readouterr().err
    assert "tiny.yaml:" in said
    assert ("objective: {pareto: [throughput, tdp]} is a front" in said) == (keys is FRONT)
    assert ("aggregate: the regret over mixes is found by `accmine run`" in said) == (keys is REGRET)


@pytest.mark.parametrize("keys", [FRONT, REGRET])
def test_questions_that_ask_for_no_objective_take_it(keys: dict[str, Any], tmp_path: Path) -> None:
    study = write(tmp_path, **keys)
    assert call("validate", study) == 0
    assert call("export", study, "--problem", tmp_path / "problems") == 0
    assert list((tmp_path / "problems").glob("*.json"))


def test_a_regret_is_a_run_with_a_section_of_its_own(tmp_path: Path) -> None:
    study = load_study(write(tmp_path, **REGRET))
    outcome = run(study, runs_dir=tmp_path / "runs")
    assert isinstance(outcome, Outcome)
    assert outcome.regret is not None
    again = run(study, runs_dir=tmp_path / "runs")  # read from its folder
    assert again.earlier_run
    assert again.to_json() == outcome.to_json() | {"earlier_run": again.earlier_run}
    text = " ".join(render(outcome).split())
    assert "Regret over mixes, in step times relative to the baseline" in text
    assert "In its worst mix the answer loses" in text
    assert "mlp alone" in text
