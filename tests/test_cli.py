"""The command line: its commands, and what becomes of errors."""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from accmine import __version__, cli
from accmine.errors import CheckError, InfeasibleError, InputError
from accmine.questions import options
from accmine.questions.run import command
from accmine.study import KINDS
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
    handed_on = set(KINDS.values())  # what `accmine run` does with studies of other kinds, which has no command
    assert set(cli.QUESTIONS) == folders - handed_on
    assert handed_on < folders
    tables = [import_module(f"accmine.questions.{name}.command").COMMANDS for name in cli.QUESTIONS]
    names = [name for table in tables for name in table]
    assert {"run", "sweep", "compare", "gap", "list"} < set(names)
    assert len(names) == len(set(names))
    for name in names:
        said = accmine(name, "--help").out
        assert f"Usage: accmine {name} " in said
        assert accmine(name, "-h").out == said


def test_a_command_that_is_nearly_one(accmine: Any) -> None:
    said = accmine("rum")
    assert said.code == 2
    assert "No such command 'rum'" in said.err


def test_help_takes_little_more_than_its_library() -> None:
    """CPU seconds of the help page beside those of importing what reads options: 0.2 s on a quick machine."""

    def cpu(code: str) -> float:
        script = f"import resource, sys; sys.argv = ['accmine', '--help']\ntry:\n {code}\nexcept SystemExit: pass\n"
        script += "sys.stderr.write(str(resource.getrusage(resource.RUSAGE_SELF).ru_utime))"
        done = [
            subprocess.run([sys.executable, "-P", "-c", script], capture_output=True, text=True, timeout=60, check=True)
            for _ in range(3)
        ]
        return min(float(one.stderr) for one in done)

    library, whole = cpu("import typer"), cpu("from accmine.cli import main; main()")
    assert whole < 2.5 * library + 0.05


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("run quick", ["quickstart"]),
        ("validate gpt3", ["gpt3-1024"]),
        ("cost bert", ["bert-base", "bert-large"]),
        ("cost bert-large --design tpuv4", ["tpuv4", "tpuv4-like", "tpuv4i-like"]),
        ("cost bert-large --technology phaze", ["phaze-22nm"]),
        ("gap --suite wh", ["wham"]),
        ("gap --models bert-large,gpt2", ["bert-large,gpt2-xl"]),
        ("gap --method best-f", ["best-first"]),
        ("solve problem.json --solver brute", ["brute-force"]),
        ("list technol", ["technologies"]),
        ("schema clu", ["cluster"]),
        ("show mine-", ["mine-1234"]),
        ("sensi", ["sensitivity"]),
    ],
)
def test_what_a_shell_completes(
    words: str, offered: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "runs/mine-1234").mkdir(parents=True)
    (tmp_path / "runs/mine-1234/state.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("_ACCMINE_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", f"accmine {words}")
    monkeypatch.setenv("COMP_CWORD", str(len(words.split())))
    out = io.StringIO()
    with contextlib.redirect_stdout(out), pytest.raises(SystemExit) as ended:
        cli.main([])
    assert ended.value.code in (0, None)
    assert out.getvalue().split() == offered


def test_completion_imports_nothing_slow() -> None:
    # older typer imports rich by itself
    script = (
        "import sys, os\nos.environ |= {'_ACCMINE_COMPLETE': 'complete_bash', 'COMP_WORDS': 'accmine run q'}\n"
        "os.environ['COMP_CWORD'] = '2'\n"
        "from accmine.cli import main\ntry:\n main([])\nexcept SystemExit: pass\n"
        "print([name for name in ('numpy', 'ortools', 'numba', 'yaml', 'networkx') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-P", "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["quickstart", "[]"]


@pytest.mark.parametrize(
    "what",
    ["workloads", "accelerators", "technologies", "clusters", "kernels", "devices", "engines", "studies", "solvers"],
)
def test_lists_fit_a_narrow_terminal(accmine: Any, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = accmine("list", what).out.splitlines()
    assert max(map(len, lines)) <= 80
    monkeypatch.delenv("COLUMNS")
    whole = accmine("list", what).out.splitlines()
    assert len(whole) <= len(lines), "in a pipe a row is a line"


def test_the_ledger_fits_a_narrow_terminal(accmine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("ACCMINE_DATA", raising=False)
    for arguments in (["ledger", "--suite", "anchors"], ["ledger", "--suite", "chips"]):
        assert max(map(len, accmine(*arguments).out.splitlines())) <= 80


def test_where_the_catalogue_is(accmine: Any) -> None:
    rows = accmine("list", "clusters", "--paths", "--json").json
    assert "dgx-a100" in [row["name"] for row in rows]
    assert all(Path(row["file"]).name == f"{row['name']}.yaml" and Path(row["file"]).is_file() for row in rows)
    assert accmine("list", "solvers", "--paths").code == 2


def test_a_question_goes_with_its_folder_and_its_line() -> None:
    """Nothing else on the way to the other commands imports it."""
    for name in cli.QUESTIONS:
        others = [f"accmine.questions.{other}.command" for other in cli.QUESTIONS if other != name]
        script = (
            f"import sys, importlib; sys.modules['accmine.questions.{name}.command'] = None; "
            f"[importlib.import_module(other) for other in {others!r}]"
        )
        subprocess.run([sys.executable, "-P", "-c", script], timeout=60, check=True)
