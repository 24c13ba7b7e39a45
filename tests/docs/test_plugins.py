"""What docs/extending.md says: a solver and a reader of another package are found once it is installed."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLUGIN = ROOT / "tests/data/plugin"
PAGE = ROOT / "docs/extending.md"
STUDY = """
name: own
workloads: [{use: NET, batch: 8, microbatch: 4, optimizer: sgd}]
accelerator: {use: tpuv2-like, tensor_cores: 1..2}
baselines: []
budget: {deterministic: true, work: 0.5, workers: 1}
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the package was installed into, without network."""
    folder = tmp_path_factory.mktemp("plugin")
    source = shutil.copytree(PLUGIN, folder / "source")  # building writes beside the sources
    target = folder / "site"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--target", str(target), str(source)], check=True, timeout=120)
    return target


def accmine(installed: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "accmine", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_solver_of_another_package(installed: Path, tmp_path: Path) -> None:
    assert "longest-tail" in accmine(installed, tmp_path, "list", "solvers").stdout
    problem = ROOT / "examples/operator-schedule.json"
    done = accmine(installed, tmp_path, "solve", str(problem), "--solver", "longest-tail", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["verified"] is True
    assert found["solver"] == "longest-tail"


def test_a_reader_of_workloads_of_another_package(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "net.mlp").write_text("4\n48  # hidden\n10\n")
    (tmp_path / "own.yaml").write_text(STUDY.replace("NET", "./net.mlp"))
    done = accmine(installed, tmp_path, "run", "own.yaml", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["workloads"][0]["name"] == "net"
    (tmp_path / "net.mlp").write_text("4\nten\n")
    wrong = accmine(installed, tmp_path, "run", "own.yaml")
    assert wrong.returncode == 2
    assert re.search(r"net\.mlp:2:1: must be a whole number, got 'ten'", wrong.stderr)
    bare = accmine(tmp_path, tmp_path, "run", "own.yaml")
    assert bare.returncode == 2, "nothing reads it where the package is not installed"


@pytest.mark.parametrize(
    "name", ["accmine_plugin_sample/longest_tail.py", "accmine_plugin_sample/mlp.py", "pyproject.toml"]
)
def test_the_page_shows_what_was_installed(name: str) -> None:
    blocks = re.findall(r"^```\w+\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    assert (PLUGIN / name).read_text(encoding="utf-8") in blocks
