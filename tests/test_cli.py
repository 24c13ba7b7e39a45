"""The command line: its commands, and what becomes of errors."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from accmine import __version__, cli
from accmine.errors import CheckError, InfeasibleError, InputError
from accmine.questions import options
from accmine.questions.run import command
from tests.samples.command_sample import caller


@pytest.fixture
def accmine(capsys: pytest.CaptureFixture[str]) -> Any:
    return caller(capsys)


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

    monkeypatch.setattr(command, "_run", fail)
    said = accmine("run", "quickstart")
    assert said.code == code
    assert text in said.err
    assert "Traceback" not in said.err


def test_where_a_defect_came_from(accmine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "_run", lambda *_: {"a": 1}["no"])
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


def test_python_m_accmine() -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "accmine", "--version"], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == f"accmine {__version__}\n"


def test_every_question_with_commands_is_registered(accmine: Any) -> None:
    folders = {file.parent.name for file in Path(options.__file__).parent.glob("*/command.py")}
    assert set(cli.QUESTIONS) == folders
    names = [command.name for command in cli.app.registered_commands]
    assert len(names) == len(set(names))
    for name in names:
        assert f"Usage: accmine {name} " in accmine(name, "--help").out


def test_a_question_goes_with_its_folder_and_its_line() -> None:
    """Nothing else on the way to the other commands imports it."""
    for name in cli.QUESTIONS:
        others = [f"accmine.questions.{other}.command" for other in cli.QUESTIONS if other != name]
        script = (
            f"import sys, importlib; sys.modules['accmine.questions.{name}.command'] = None; "
            f"[importlib.import_module(other) for other in {others!r}]"
        )
        subprocess.run([sys.executable, "-P", "-c", script], timeout=60, check=True)
