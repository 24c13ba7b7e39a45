"""The scripts in examples/ run, and their figures hold."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_own_heuristic(capsys: pytest.CaptureFixture[str]) -> None:
    table = script("own_heuristic").main()
    assert set(table.column("solver")) == {"longest-tail", "critical-path", "cp-sat"}
    assert set(table.column("phase")) == {"step", "update"}
    assert all(0 <= gap < 60 for gap in table.column("gap_percent"))
    assert str(table) in capsys.readouterr().out


@pytest.mark.full
def test_sweep_to_pandas(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frame = script("sweep_to_pandas").main(tmp_path)
    assert len(frame) == 6
    assert set(frame["status"]) <= {"optimal", "feasible"}
    for _, rows in frame.groupby("accelerator.tensor_dim"):
        best = rows.sort_values("limits.area")["samples_per_s"].tolist()
        assert best == sorted(best), "more area is never worse"
    assert "answers are more than 1 % from their bound" in capsys.readouterr().out


@pytest.mark.full
def test_cluster_on_loopback(tmp_path: Path) -> None:
    command = [sys.executable, "-P", str(EXAMPLES / "cluster_on_loopback.py")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=True)
    lines = done.stdout.splitlines()
    assert sum(line.startswith("point ") and ": " in line for line in lines) >= 2
    assert lines[-3].split() == ["limits.area", "status", "samples_per_s", "gap"]
    assert [line.split()[0] for line in lines[-2:]] == ["0", "1"]


@pytest.mark.full
def test_sparse_accuracy(capsys: pytest.CaptureFixture[str]) -> None:
    outcome = script("sparse_accuracy").main()
    assert outcome.best is not None
    assert outcome.best.true_loss <= 1
    printed = capsys.readouterr().out
    assert "proxy loss  corrected  true loss  accuracy %" in printed
    assert "loss on test images, which decided nothing: " in printed
