"""Functions of runs and tables, beside the commands of their names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import accmine
from accmine.errors import InfeasibleError, InputError, NothingFoundError
from accmine.questions.results.differences import Differences
from accmine.questions.run.folder import RunFolder, RunState
from accmine.report import Watch
from accmine.report.records import Records
from tests.questions.run.placement.test_report import outcome as placed
from tests.samples.command_sample import caller
from tests.samples.report_sample import single
from tests.samples.runs_sample import INFEASIBLE, every_state, finished
from tests.samples.search_sample import study_text

BRIEF: dict[str, Any] = {"budget": {"work": 40, "deterministic": True}, "search": {"refine": "none", "top_k": 2}}
TINY: dict[str, Any] = json.loads(study_text(space={"tensor_cores": [1, 2]}, **BRIEF))


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Any:
    return caller(capsys)


def test_a_run_and_its_table(tmp_path: Path, command: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = tmp_path / "runs"
    outcome = accmine.run(TINY, runs=runs)
    assert outcome.earlier_run == ""
    said: list[str] = []
    monkeypatch.setattr(Watch, "say", lambda _, text: said.append(text))
    again = accmine.run(TINY, runs=runs)
    assert again.to_json() == outcome.to_json() | {"earlier_run": again.earlier_run}
    assert again.earlier_run == RunFolder(Path(outcome.folder)).when
    assert said[-1].startswith(f"the answer of an earlier run, which ended {again.earlier_run} UTC; --again")
    assert accmine.run(TINY, runs=runs, again=True).earlier_run == ""
    assert accmine.show("tiny", runs=runs).to_json() == command("show", "tiny", "--runs", runs, "--json").json
    table = accmine.results(runs=runs, where="gap >= 0", columns=["study", "best"])
    assert table.to_json() == [{"study": "tiny", "best": outcome.certificate.objective}]
    assert accmine.results(runs).to_json() == command("results", "--runs", runs, "--json").json
    assert accmine.list("runs", runs=runs).to_json() == command("list", "runs", "--runs", runs, "--json").json
    other = accmine.run(TINY, runs=runs, search={"top_k": 1})
    found = accmine.compare(outcome.folder, other.folder)
    assert isinstance(found, Differences)
    assert [(row.key, row.values) for row in found.study] == [("search.top_k", (2, 1))]
    assert found.to_json() == command("compare", outcome.folder, other.folder, "--json").json
    assert "What changed in the study" in command("compare", outcome.folder, other.folder).out


@pytest.mark.full
def test_a_sweep(tmp_path: Path) -> None:
    found = accmine.sweep(TINY, sweep={"grid": {"limits.area": ["none", "1 mm^2"]}}, runs=tmp_path)
    assert [row["status"] for row in found.rows] == ["optimal", "infeasible"]
    assert list(found.to_pandas().columns)[:2] == ["point", "limits.area"]
    assert found._repr_html_().startswith("<table>")
    table = accmine.results(runs=tmp_path)
    assert table.column("point") == [0, 1], "the run of a point is not listed a second time"
    assert table.column("limits.area") == ["none", "1 mm^2"]
    assert table.column("best") == [row["best"] for row in found.rows]


def test_what_is_no_sweep(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no block `sweep`"):
        accmine.sweep(TINY, runs=tmp_path)
    loaded = accmine.load_sweep(TINY, sweep={"grid": {"limits.area": ["none", "1 mm^2"]}})
    with pytest.raises(InputError, match="takes no changes"):
        accmine.sweep(loaded, seconds=1, runs=tmp_path)


def test_show_raises_what_the_run_ended_with(tmp_path: Path) -> None:
    every_state(tmp_path)
    with pytest.raises(InfeasibleError, match="no design"):
        accmine.show("small", runs=tmp_path)
    with pytest.raises(NothingFoundError, match="nothing in time"):
        accmine.show("odd", runs=tmp_path)
    with pytest.raises(InputError, match="has no result; its state is: failed"):
        accmine.show("crash", runs=tmp_path)
    with pytest.raises(InputError, match="is of a newer accmine"):
        accmine.show("newer", runs=tmp_path)
    finished(tmp_path, "quickstart-2")
    with pytest.raises(InputError, match="is the start of 2 runs"):
        accmine.show("quick", runs=tmp_path)
    newest = accmine.show("quickstart-2", runs=tmp_path)
    assert accmine.show("quick", runs=tmp_path, latest=True).to_json() == newest.to_json()


def test_a_result_without_a_format_is_read(tmp_path: Path) -> None:
    folder = finished(tmp_path, "old-1")
    table = {key: value for key, value in single().to_json().items() if key not in ("format", "earlier_run")}
    folder.write_json("result.json", table)
    found = accmine.show("old", runs=tmp_path)
    assert found.format == 1
    assert found.to_json() == single().to_json() | {"folder": found.folder}
    for wrong in (0, "1", None, True):
        folder.write_json("result.json", table | {"format": wrong})
        with pytest.raises(InputError, match="format: must be a whole number"):
            accmine.show("old", runs=tmp_path)
    bare = RunFolder(tmp_path / "bare-1")
    bare.write_json("result.json", {key: value for key, value in INFEASIBLE.items() if key != "format"})
    bare.end(RunState.FINISHED)
    with pytest.raises(InfeasibleError):
        accmine.show("bare", runs=tmp_path)


def test_the_catalogue_and_studies(command: Any) -> None:
    assert accmine.list("solvers").to_json() == command("list", "solvers", "--json").json
    assert (
        accmine.validate("quickstart", limits={"area": "600 mm^2"})
        == command("validate", "quickstart", "--set", "limits.area=600 mm^2", "--json").json
    )
    assert accmine.schema() == command("schema").json
    assert accmine.schema("cluster") == command("schema", "cluster").json
    with pytest.raises(InputError, match="cannot list"):
        accmine.list("solver")


def test_comparisons_take_runs_or_one_study(tmp_path: Path) -> None:
    every_state(tmp_path)
    with pytest.raises(InputError, match="two runs or more, got 0"):
        accmine.compare()
    with pytest.raises(InputError, match="methods: has no effect on runs"):
        accmine.compare("a", "b", methods=["random"])
    with pytest.raises(InputError, match="no run 'nothing'"):
        accmine.compare("quick", "nothing", runs=tmp_path)
    with pytest.raises(InputError, match="method: compare has no such option; did you mean 'methods'"):
        accmine.compare("quickstart", method="random")


def test_answers_show_themselves() -> None:
    assert repr(single()) == (
        "<Outcome quickstart: feasible, 44.017 samples/s (gap 6.76 %), 331.24 mm², 279.6 W, "
        "tc4x128x128ws-4Mi_vc4x128x16-2Mi_sh0_hbm16Gi-700GBps_700MHz>"
    )
    html = single()._repr_html_()
    assert html.count("<tr>") == sum(value not in (None, "") for value in single().to_row().values())
    assert "44.017" in html
    assert "samples/s" in html
    assert repr(placed()).startswith("<PlacementOutcome ")
    assert len(repr(placed())) < 300
    assert "tensor 2" in placed()._repr_html_()


def test_functions_are_those_of_the_commands() -> None:
    from accmine import cli

    commands = {str(command.name) for command in cli.app.registered_commands}
    assert commands - {"completion"} <= set(accmine.__all__)
    for name in commands & set(accmine.__all__):
        assert callable(getattr(accmine, name)), name
    assert isinstance(accmine.cost("resnet-18", "tpuv2-like", batch=8), Records)  # type: ignore[operator]
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        accmine.nothing  # type: ignore[attr-defined]  # noqa: B018
