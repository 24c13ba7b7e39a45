"""What a user runs: shipped studies, the commands of the README, problem files, Ctrl-C, two runs in one folder."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "examples"
SMALL = ("--set", "search.refine=none", "--set", "budget.seconds=5")


def accmine(*arguments: str | Path, cwd: Path, seconds: float = 900) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "accmine", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=seconds, check=False)


def ran(*arguments: str | Path, cwd: Path) -> Any:
    """The JSON that a command prints; it must end with exit code 0."""
    done = accmine(*arguments, "--json", cwd=cwd)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def told(outcome: Any) -> bool:
    """Whether every limit that leaves no room for the least step is called active.

    Others may be: which choices a run knows, and so which limit would improve it, depends on how far it came.
    """
    return all(row["active"] for row in outcome["limits"] if row["limit"] - row["used"] < row["least_step"])


def nearly_used(outcome: dict[str, Any], name: str) -> bool:
    """Whether nine tenths of a limit are used: how much fits into the rest depends on how far the search came."""
    (row,) = (row for row in outcome["limits"] if row["name"] == name)
    return bool(row["used"] >= 0.9 * row["limit"])


def counted(work: int) -> tuple[str, ...]:
    """Limits by work: the answer is the same however busy the machine is."""
    return ("--set", "budget.deterministic=true", "--set", f"budget.work={work}")


def within(outcome: Any) -> bool:
    return all(row["used"] <= row["limit"] * (1 + 1e-9) for row in outcome["limits"])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("elsewhere")


@pytest.fixture(scope="module")
def outcomes(place: Path) -> dict[str, Any]:
    """The studies on one workload, each run once with less than its work."""
    names = ("quickstart", "constrained", "perf-per-watt")
    return {name: ran("run", name, *counted(3), cwd=place) for name in names}


@pytest.mark.full
def test_quickstart(outcomes: dict[str, Any]) -> None:
    outcome = outcomes["quickstart"]
    assert told(outcome)
    assert nearly_used(outcome, "limits.tdp")
    assert within(outcome)
    assert {(b["name"], b["operator_split"]) for b in outcome["baselines"]} == {
        (name, split) for name in ("tpuv2-like", "nvdla-like") for split in ("even", "none")
    }
    assert next(b["ratio"] for b in outcome["baselines"] if b["operator_split"] == "even") > 1.0
    assert outcome["workloads"][0]["mfu"] < 0.8
    certificate = outcome["certificate"]
    assert 0 < certificate["heuristic"] <= certificate["objective"] * (1 + 1e-9) <= certificate["bound"] * (1 + 2e-9)
    assert certificate["gap"] < 0.3


@pytest.mark.full
def test_an_area_limit_changes_the_answer(outcomes: dict[str, Any]) -> None:
    free, limited = outcomes["quickstart"], outcomes["constrained"]
    assert nearly_used(limited, "limits.area")
    assert within(limited)
    assert free["area_mm2"] > limited["limits"][0]["limit"]
    assert [d["name"] for d in free["designs"]] != [d["name"] for d in limited["designs"]]
    assert limited["workloads"][0]["samples_per_s"] < free["workloads"][0]["samples_per_s"]


@pytest.mark.full
def test_performance_per_watt_is_not_performance(outcomes: dict[str, Any]) -> None:
    fast, cool = outcomes["quickstart"], outcomes["perf-per-watt"]
    assert nearly_used(cool, "limits.tdp")
    assert within(cool)
    baseline = next(b for b in cool["baselines"] if (b["name"], b["operator_split"]) == ("tpuv2-like", "even"))
    assert baseline["ratio"] >= 1.0
    assert [d["name"] for d in fast["designs"]] != [d["name"] for d in cool["designs"]]
    assert cool["tdp_w"] < fast["tdp_w"]


@pytest.mark.full
def test_common_design(place: Path) -> None:
    outcome = ran("run", "common-design", *counted(4), cwd=place)
    assert told(outcome)
    assert nearly_used(outcome, "limits.tdp")
    assert within(outcome)
    assert len(outcome["designs"]) == 1
    assert [row["name"] for row in outcome["workloads"]] == ["bert-base", "resnet-50", "gnmt-4"]
    assert all(row["mfu"] < 0.8 for row in outcome["workloads"])
    assert outcome["value"] < 1.0


@pytest.mark.full
def test_gpt2_xl_pipeline(place: Path) -> None:
    outcome = ran("run", "gpt2-xl-pipeline", *counted(5), cwd=place)
    assert told(outcome)
    assert within(outcome)
    assert len(outcome["stages"]) == 4
    modes = {row["mode"]: row for row in outcome["modes"]}
    assert list(modes) == ["common", "homogeneous", "heterogeneous"]
    assert modes["heterogeneous"]["relative"] <= modes["homogeneous"]["relative"] * (1 + 1e-3)
    assert len(set(modes["homogeneous"]["designs"])) == 1
    text = accmine("show", "gpt2-xl-pipeline", cwd=place).stdout
    assert all(mode in text for mode in modes)


@pytest.mark.full
def test_the_report_in_every_form(outcomes: dict[str, Any], place: Path) -> None:
    assert outcomes
    assert ran("show", "quickstart", cwd=place) == outcomes["quickstart"]
    done = accmine("show", "quickstart", "--gantt", "gantt.png", cwd=place)
    assert done.returncode == 0
    assert (place / "gantt.png").read_bytes().startswith(b"\x89PNG")
    assert "Certificate" in done.stdout


def console_commands(text: str) -> list[list[str]]:
    """Commands of ``console`` and ``sh`` blocks that start with accmine, also behind a prompt."""
    blocks = re.findall(r"^```(?:console|sh|bash)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    lines = [
        line.strip().removeprefix("$ ") for block in blocks for row in block.splitlines() for line in row.split("&&")
    ]
    return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("accmine ")]


CHEAP = {"list", "validate", "schema", "solve", "check", "--version", "--help"}


@pytest.mark.full
def test_commands_of_the_readme(tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(EXAMPLES)
    for arguments in console_commands((ROOT / "README.md").read_text(encoding="utf-8")):
        if arguments[0] in CHEAP:
            done = accmine(*arguments, cwd=tmp_path)
            assert done.returncode == 0, (arguments, done.stderr)


def test_commands_are_found_in_a_text() -> None:
    text = (
        "```console\n$ accmine list workloads  # all\nname\n```\n\n```sh\naccmine solve a.json -o 'b c'\npip x\n```\n"
    )
    assert console_commands(text) == [["list", "workloads"], ["solve", "a.json", "-o", "b c"]]


@pytest.mark.parametrize("kind", ["operator-schedule", "stage-selection"])
def test_solve_and_check_a_problem_written_by_hand(kind: str, tmp_path: Path) -> None:
    problem, result = EXAMPLES / f"{kind}.json", tmp_path / "result.json"
    table = ran("solve", problem, "-o", result, cwd=tmp_path)
    assert (table["status"], table["gap"], table["verified"]) == ("optimal", 0.0, True)
    assert json.loads(result.read_text()) == table
    rating = ran("check", problem, result, cwd=tmp_path)
    assert rating["valid"]
    assert rating["objective"] == pytest.approx(table["objective"])
    assert rating["bound"] <= rating["objective"]


@pytest.mark.full
@pytest.mark.parametrize(
    ("kind", "solvers"),
    [("operator-schedule", ["cp-sat", "critical-path"]), ("stage-selection", ["highs", "cp-sat", "brute-force"])],
)
def test_solvers_agree_on_the_problems_written_by_hand(kind: str, solvers: list[str], tmp_path: Path) -> None:
    results = {s: ran("solve", EXAMPLES / f"{kind}.json", "--solver", s, cwd=tmp_path) for s in solvers}
    best = min(table["objective"] for table in results.values())
    for table in results.values():
        assert table["bound"] <= best * (1 + 1e-9)
        if table["status"] == "optimal":
            assert table["objective"] == pytest.approx(best)


def test_a_study_with_a_model_of_its_own(tmp_path: Path) -> None:
    outcome = ran("run", EXAMPLES / "study.yaml", *SMALL, cwd=tmp_path)
    assert [row["name"] for row in outcome["workloads"]] == ["my-model"]
    assert told(outcome)
    assert within(outcome)
    (folder,) = (tmp_path / "runs").iterdir()
    design = folder / "design.yaml"
    again = ran("run", EXAMPLES / "study.yaml", *SMALL, "--design", design, cwd=tmp_path)
    assert again["certificate"]["feasible_designs"] == 1
    assert again["designs"][0]["name"] == outcome["designs"][0]["name"]


START = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from accmine.cli import main; main()"
"""Ctrl-C as a terminal leaves it: what a background shell starts ignores it."""


def started(*arguments: str | Path, cwd: Path) -> subprocess.Popen[str]:
    """A command in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-P", "-c", START, *map(str, arguments)],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_for(pattern: str, folder: Path, process: subprocess.Popen[str], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not list(folder.glob(pattern)):
        assert process.poll() is None, f"ended before it could be interrupted: {process.communicate()[1]}"
        assert time.monotonic() < end, f"no {pattern}"
        time.sleep(0.05)


@pytest.mark.full
@pytest.mark.parametrize(
    ("pattern", "after_s"),
    [
        ("runs/*/state.json", 1.0),  # the baseline is scheduled
        ("runs/*/state.json", 6.0),  # designs are mined
        ("runs/*/tasks/mine-*.json", 1.0),  # mined: selected and refined
        ("runs/*/tasks/mine-*.json", 6.0),
    ],
)
def test_ctrl_c(pattern: str, after_s: float, tmp_path: Path) -> None:
    """Ctrl-C to the whole process group ends a run with 130, soon, without a traceback."""
    change = [
        *("--set", "search.refine=cp-sat", "--set", "accelerator.tensor_dim=128"),
        *("--set", "accelerator.vector_lanes=128", "--set", "budget.seconds=60"),
    ]
    process = started("run", "quickstart", *change, cwd=tmp_path)
    try:
        wait_for(pattern, tmp_path, process, 90)
        time.sleep(after_s)
        assert process.poll() is None, "ended before it could be interrupted"
        os.killpg(process.pid, signal.SIGINT)
        sent = time.monotonic()
        out, err = process.communicate(timeout=60)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    assert process.returncode == 130, err
    assert time.monotonic() - sent < 40
    assert "Traceback" not in err
    (folder,) = (tmp_path / "runs").iterdir()
    state = json.loads((folder / "state.json").read_text())
    assert (state["status"], state["exit_code"]) == ("interrupted", 130)
    assert (folder / "result.json").exists() == bool(out)


def test_two_runs_at_once_in_one_folder(tmp_path: Path) -> None:
    command: list[str | Path] = [
        "run",
        EXAMPLES / "study.yaml",
        "--set",
        "budget={work: 1, deterministic: true}",
        "--json",
    ]
    both = [started(*command, cwd=tmp_path) for _ in range(2)]
    tables = []
    for process in both:
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        tables.append(json.loads(out))
    first, second = ({k: v for k, v in t.items() if k not in ("seconds", "trace")} for t in tables)
    assert first == second
    (folder,) = (tmp_path / "runs").iterdir()
    assert not list(folder.glob(".*.tmp"))
    assert json.loads((folder / "state.json").read_text())["status"] == "finished"
    assert ran("show", "my-study", cwd=tmp_path)["designs"] == tables[0]["designs"]
