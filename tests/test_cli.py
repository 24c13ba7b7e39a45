"""The command line: what it prints, and its exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from accmine import __version__, cli
from accmine.errors import CheckError, InfeasibleError, InputError
from accmine.files.catalogue import names
from accmine.files.document import load_yaml, validate
from accmine.questions.accuracy import suites as ledger
from accmine.questions.run.folder import RunFolder, RunState
from accmine.questions.study import listing
from accmine.study.study import LoadedStudy, Study

PROBLEM = {
    "kind": "operator-schedule",
    "resources": {"tensor": 2, "vector": 1},
    "operations": [
        {"name": "a", "duration": 3, "uses": {"tensor": 1}, "after": []},
        {"name": "b", "duration": 2, "uses": {"tensor": 1}, "after": []},
        {"name": "c", "duration": 4, "uses": {"vector": 1}, "after": ["b"]},
    ],
}


@dataclass
class Said:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def accmine(capsys: pytest.CaptureFixture[str]) -> Any:
    def call(*arguments: str | Path) -> Said:
        capsys.readouterr()
        with pytest.raises(SystemExit) as caught:
            cli.main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return Said(int(caught.value.code or 0), said.out, said.err)

    return call


@pytest.fixture
def problem(tmp_path: Path) -> Path:
    file = tmp_path / "problem.json"
    file.write_text(json.dumps(PROBLEM))
    return file


def test_version(accmine: Any) -> None:
    assert accmine("--version").out == f"accmine {__version__}\n"


def test_help_names_every_command_and_exit_code(accmine: Any) -> None:
    text = " ".join(accmine("--help").out.split())
    for word in ("run", "solve", "check", "validate", "schema", "list", "show", "ledger", "130 interrupted"):
        assert word in text


@pytest.mark.parametrize(
    "arguments",
    [
        ["bogus"],
        ["run"],
        ["run", "quickstart", "--bogus"],
        ["run", "quickstart", "--seconds", "-1"],
        ["run", "quickstart", "--workers", "0"],
        ["run", "nope"],
        ["run", "quickstart", "--set", "limits.area=4"],
        ["validate", "./none.yaml"],
        ["list", "model"],
        ["ledger", "--suite", "x"],
        ["show", "nothing"],
        ["schema", "--markdown", "--json"],
        ["solve", "none.json"],
    ],
)
def test_bad_input_is_exit_2_and_writes_nothing(
    accmine: Any, arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = accmine(*arguments)
    assert said.code == 2
    assert said.out == ""
    assert said.err
    assert "Traceback" not in said.err
    assert list(tmp_path.iterdir()) == []


def test_validate_prints_a_valid_study(accmine: Any) -> None:
    said = accmine("validate", "quickstart", "--set", "limits.area=400 mm^2", "--set", "budget.seed=3")
    study = validate(load_yaml(text=said.out), Study)
    assert (said.code, study.limits.area, study.budget.seed) == (0, "400 mm^2", 3)
    assert accmine("validate", "quickstart", "--json").json["limits"]["area"] == "baseline"


def test_validate_complains_at_once(accmine: Any, tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text("name: t\nworkloads: [{use: bert-lrge, batch: 64}]\naccelerator: {use: wham}\nlimits: {area: 4}\n")
    said = accmine("validate", file)
    assert said.code == 2
    assert f"{file}:2:19: workloads.0.use: unknown workload 'bert-lrge'" in said.err
    assert f"{file}:4:16: limits.area: 4 has no unit" in said.err


def test_schema(accmine: Any) -> None:
    assert accmine("schema").json["title"] == "accmine study"
    assert accmine("schema", "--json").json == accmine("schema").json
    assert accmine("schema", "--markdown").out.startswith("# Keys of a study")


@pytest.mark.parametrize("what", listing.LISTS)
def test_list(accmine: Any, what: str) -> None:
    rows = accmine("list", what, "--json").json
    table = accmine("list", what).out.splitlines()
    assert len(table) == 1 + len(rows)
    if what in ("workloads", "accelerators", "technologies", "clusters", "studies"):
        assert tuple(row["name"] for row in rows) == names(what)


def test_list_workloads(accmine: Any) -> None:
    rows = {row["name"]: row for row in accmine("list", "workloads", "--json").json}
    assert rows["resnet-50"]["parameters"] == 25_557_032
    assert abs(rows["resnet-50"]["forward_macs"] / 4.09e9 - 1) < 0.01


def test_list_accelerators(accmine: Any) -> None:
    rows = {row["name"]: row for row in accmine("list", "accelerators", "--json").json}
    assert rows["wham"]["kind"] == "template"
    assert rows["tpuv2-like"]["kind"] == "design"
    assert round(rows["tpuv2-like"]["peak_tflops_per_s"], 1) == 45.9


@pytest.mark.parametrize("solver", ["cp-sat", "critical-path"])
def test_solve_and_check(accmine: Any, problem: Path, tmp_path: Path, solver: str) -> None:
    result = tmp_path / "result.json"
    said = accmine("solve", problem, "--solver", solver, "--seconds", "10", "-o", result)
    assert (said.code, said.err) == (0, "")
    assert said.out.splitlines()[0].startswith("status    optimal")
    assert json.loads(result.read_text())["objective"] == 6
    checked = accmine("check", problem, result)
    assert (checked.code, checked.out.splitlines()[0]) == (0, "valid")
    assert accmine("check", problem, result, "--json").json["bound"] == 6


def test_check_refuses_a_wrong_solution(accmine: Any, problem: Path, tmp_path: Path) -> None:
    solution = tmp_path / "solution.json"
    solution.write_text(json.dumps({"start": {"a": 0, "b": 0, "c": 1}}))
    said = accmine("check", problem, solution)
    assert said.code == 3
    assert said.out.splitlines()[0] == "not valid"
    assert "violated" in said.out
    assert accmine("check", problem, solution, "--json").json["valid"] is False


def test_solve_prints_the_whole_result_as_json(accmine: Any, problem: Path) -> None:
    table = accmine("solve", problem, "--json", "--work", "100", "--seed", "1").json
    assert table["verified"] is True
    assert table["solution"]["start"]["c"] == 2
    assert table["seed"] == 1


def test_solve_refuses_an_output_it_cannot_write(accmine: Any, problem: Path, tmp_path: Path) -> None:
    for output in (tmp_path, tmp_path / "no" / "r.json"):
        said = accmine("solve", problem, "-o", output)
        assert (said.code, said.out) == (2, "")


@pytest.mark.parametrize(
    ("status", "stop", "code"),
    [
        ("optimal", "proved", 0),
        ("feasible", "time", 0),
        ("feasible", "interrupted", 130),
        ("infeasible", "proved", 1),
        ("unknown", "time", 4),
        ("unknown", "interrupted", 130),
    ],
)
def test_exit_codes(status: str, stop: str, code: int) -> None:
    assert cli.exit_code(status, stop) == code


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (InfeasibleError("no design", remedy=["limits.area: 450 mm^2 works"]), 1, "infeasible: no design\nlimits.area"),
        (InputError("bad", where="f:1:2", field="a.b"), 2, "error: f:1:2: a.b: bad"),
        (CheckError("resource over"), 3, "failed its check"),
        (KeyboardInterrupt(), 130, ""),
        (MemoryError(), 70, "a defect of accmine: MemoryError: ; please report it"),
        (RecursionError("too deep"), 70, "a defect of accmine: RecursionError: too deep; please report it\n"),
        (ValueError("a\nb"), 70, "a defect of accmine: ValueError: a b; please report it\n"),
        (BrokenPipeError(32, "Broken pipe"), 141, ""),
        (FileNotFoundError(2, "No such file", "x"), 2, "error: x: No such file"),
    ],
)
def test_errors_become_exit_codes(
    accmine: Any, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, text: str
) -> None:
    def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr(cli, "_run", fail)
    said = accmine("run", "quickstart")
    assert said.code == code
    assert text in said.err
    assert "Traceback" not in said.err


def test_where_a_defect_came_from(accmine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "_run", lambda *_: {"a": 1}["no"])
    monkeypatch.setenv("ACCMINE_TRACEBACK", "1")
    said = accmine("run", "quickstart")
    assert said.code == 70
    assert "Traceback (most recent call last)" in said.err
    assert said.err.endswith("a defect of accmine: KeyError: 'no'; please report it\n")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("result.json", '{"status": "optimal", ', "result.json:1:23: not valid JSON"),
        ("result.json", "[1]", "result.json: needs an object, got [1]"),
        ("result.json", '{"a": ' + "[" * 100_000, "result.json: cannot be read"),
        ("result.json", '{"a": ' + "9" * 5000 + "}", "result.json: cannot be read"),
        ("result.json", '{"status": "optimal"}', "result.json:1:1: missing: "),
        ("result.json", '{"status": "infeasible"}', "result.json:1:1: message: a text is needed"),
        ("result.json", '{"status": "infeasible", "message": "",\n"remedy": 1}', "result.json:2:11: remedy: a list"),
        ("result.json", '{"status": "infeasible", "message": "m", "where": ["a"]}', "needs one remedy"),
        ("schedule.json", '{"traceEvents": [{"ph": "X"}]}', "schedule.json: is not what a run writes"),
        ("schedule.json", '{"traceEvents": 3}', "schedule.json: is not what a run writes"),
        ("state.json", '{"status": "fin', "state.json:1:12: not valid JSON"),
        ("state.json", '{"status": ["running"]}', "state.json: status: must be one of running, finished"),
        ("state.json", "{}", "state.json: status: must be one of running, finished"),
    ],
)
def test_show_of_what_was_damaged(accmine: Any, tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / "state.json").write_text('{"status": "finished"}')
    (tmp_path / name).write_text(content)
    if name == "schedule.json":
        (tmp_path / "result.json").write_text('{"status": "unknown", "message": "m"}')
    said = accmine("show", tmp_path, "--gantt", tmp_path / "g.png")
    assert said.code == 2
    assert message in said.err


def test_run_hands_everything_on(accmine: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen: list[tuple[LoadedStudy, Path, bool]] = []
    report = SimpleNamespace(status="feasible", stop="time", to_json=lambda: {"value": 1})

    def pretend(loaded: LoadedStudy, runs: Path, again: bool, on_progress: Any) -> Any:
        on_progress(0.1, 2.0, 1.0)
        seen.append((loaded, runs, again))
        return report

    monkeypatch.setattr(cli, "_run", pretend)
    monkeypatch.setattr(cli, "_render", lambda _: "the report\n")
    arguments = ["run", "quickstart", "--seconds", "5", "--workers", "1", "--again", "--runs", tmp_path]
    said = accmine(*arguments, "--set", "limits.area=400 mm^2", "--design", "tpuv2-like")
    assert (said.code, said.out) == (0, "the report\n")
    loaded, runs, again = seen[0]
    assert (runs, again) == (tmp_path, True)
    assert loaded.study.budget.seconds == 5
    assert loaded.study.budget.workers == 1
    assert loaded.study.limits.area == "400 mm^2"
    assert loaded.study.accelerator.mapping() == {"use": "tpuv2-like"}
    assert accmine(*arguments, "--json").json == {"value": 1}
    report.stop = "interrupted"
    assert accmine("run", "quickstart").code == 130


def test_show(accmine: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = RunFolder(tmp_path / "runs" / "one-0123")
    folder.end(RunState.INTERRUPTED)
    said = accmine("show", "one", "--runs", tmp_path / "runs")
    assert said.code == 2
    assert "has no result; its state is: interrupted" in said.err
    folder.write_json("result.json", {"value": 3})
    folder.end(RunState.FINISHED)
    assert accmine("show", folder.path, "--json").json == {"value": 3}
    missing = accmine("show", folder.path, "--json", "--gantt", tmp_path / "g.png")
    assert missing.code == 2
    assert "no schedule.json" in missing.err
    trace = {"traceEvents": [], "displayTimeUnit": "ns"}
    folder.write_json("schedule.json", trace)
    drawn: list[Any] = []
    monkeypatch.setattr("accmine.report.charts.gantt.draw", lambda given, png: drawn.append((given, png)))
    assert accmine("show", folder.path, "--json", "--gantt", tmp_path / "g.png").code == 0
    assert drawn == [(trace, tmp_path / "g.png")]


def test_live_line_is_for_terminals_only(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    live = cli._Live(silent=False)
    live(1.0, 2.0, 1.0)
    live.close()
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    live = cli._Live(silent=False)
    live(1.0, 2.0, 1.0)
    live(1.01, 2.0, 1.9)  # too soon after the first
    live.close()
    text = capsys.readouterr().err
    assert "incumbent 2  bound 1  gap 50.00 %" in text
    assert "1.9" not in text
    live = cli._Live(silent=False)
    live(1.0, None, 3)
    assert "incumbent –  bound 3  gap –" in capsys.readouterr().err


def test_anchors(accmine: Any) -> None:
    rows = {row["name"]: row for row in accmine("ledger", "--suite", "anchors", "--json").json}
    assert len(rows) >= 5
    assert all(row["ok"] for row in rows.values())
    assert accmine("ledger").code == 0


SCALESIM = """\
# two runs of SCALE-Sim 3.0.0
dataflow,rows,cols,layer,M,N,K,cycles,utilization
{}
"""


def test_scalesim_ledger(accmine: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from accmine.cost import gemm

    cost = gemm(32, 16, 8, array=(8, 8), dataflow="ws", timing="scalesim3")
    file = tmp_path / "scalesim_cycles.csv"
    file.write_text(SCALESIM.format(f"ws,8,8,L0,32,8,16,{cost.cycles},{100 * cost.utilization}"))
    said = accmine("ledger", "--suite", "scalesim", "--data", tmp_path, "--json")
    assert said.code == 0
    assert said.json[0]["ratio"] == 1.0
    file.write_text(SCALESIM.format(f"ws,8,8,L0,32,8,16,{cost.cycles + 1},50"))
    assert accmine("ledger", "--suite", "scalesim", "--data", tmp_path).code == 3
    monkeypatch.delenv("ACCMINE_DATA", raising=False)
    assert "--data or ACCMINE_DATA" in accmine("ledger", "--suite", "scalesim").err
    with pytest.raises(InputError, match="allowed: anchors, scalesim"):
        ledger.rows("anchor")


def test_python_m_accmine() -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "accmine", "--version"], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == f"accmine {__version__}\n"
