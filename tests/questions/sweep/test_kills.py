"""Killed sweeps: at any moment, whole ones and shards; no point is lost, none is run twice, the table is the same."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from accmine.questions.run.folder import list_runs
from accmine.questions.sweep.measure import run_sweep
from accmine.questions.sweep.record import SweepResult
from accmine.study import load_sweep
from tests.samples.dask_sample import Nursery as DaskNursery
from tests.samples.dask_sample import cluster
from tests.samples.kill_sample import Nursery, computed_again
from tests.samples.sweep_sample import REPEATS, Inline, write

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc")

GRID = {"limits.area": ["413 mm^2", "450 mm^2"], "limits.tdp": ["73 W", "80 W"]}
TINY: dict[str, Any] = {"models": ("mlp",), "budget": {**REPEATS, "work": 0.005}}
INLINE = "accmine.registry.EXECUTORS['inline'] = 'tests.samples.inline_sample:Inline'; import accmine.study.sweep\n"
INLINE += "import accmine.questions.sweep.measure, accmine.questions.sweep.report, tests.samples.inline_sample"
KILLS, TRIES = 30, 4


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    """Runs points in the process of the sweep, which is killed."""
    made = Nursery(INLINE)
    yield made
    made.end()


def over(end: float) -> bool:
    return time.monotonic() >= end


def table(result: SweepResult) -> list[dict[str, Any]]:
    """Rows without what differs between equal runs."""
    return [{key: value for key, value in row.items() if key not in ("seconds", "folder")} for row in result.rows]


def kept(runs: Path) -> dict[str, tuple[int, int]]:
    """Run folders of the points that are finished -> when they began and when they ended."""
    found = {}
    for path in runs.glob("*-sweep-*/points/*.json"):
        record = json.loads(path.read_text())  # whole, always
        folder = Path(record["row"]["folder"])
        state = json.loads((folder / "state.json").read_text())
        assert state["status"] == "finished"
        found[str(folder)] = (state["started"], (folder / "state.json").stat().st_mtime_ns)
    return found


@pytest.mark.full
def test_no_kill_of_a_sweep_loses_or_repeats_a_point(nursery: Nursery, tmp_path: Path) -> None:
    rng, kills, codes = random.Random("kills of a sweep"), 0, []
    study, runs = write(tmp_path, {"grid": GRID}, **TINY), tmp_path / "runs"
    whole = table(run_sweep(load_sweep(study), runs_dir=tmp_path / "whole", executor=Inline()))
    arguments = ["sweep", str(study), "--runs", str(runs), "--executor", "inline", "--quiet"]
    began = time.monotonic()
    assert nursery.run(arguments, lambda: False, signal.SIGKILL)[1] == 0
    lasts = time.monotonic() - began
    shutil.rmtree(runs)
    while kills < KILLS:
        for attempt in range(TRIES + 1):
            before = kept(runs)
            began = time.monotonic()
            end = began + (rng.uniform(0.0, 1.0) * lasts if attempt < TRIES else 60)
            codes.append(nursery.run(arguments, partial(over, end), signal.SIGKILL)[1])
            after = kept(runs)
            assert before.items() <= after.items(), "what was finished is, and was not begun again"
            assert all(computed_again(run) == [] for run in list_runs(runs))
            if codes[-1] == 0:
                if not before:
                    lasts = min(lasts, time.monotonic() - began)
                break
            kills += 1
        assert codes[-1] == 0
        resumed = run_sweep(load_sweep(study), runs_dir=runs, executor=(idle := Inline()))
        assert table(resumed) == whole
        assert idle.jobs == [], "nothing was left to do"
        assert not list(runs.rglob("*.tmp"))
        assert not list(runs.rglob(".lock-*"))
        shutil.rmtree(runs)
    assert set(codes) == {0, -signal.SIGKILL}


def test_killed_shards_resume_and_merge_to_the_table_of_a_single_run(nursery: Nursery, tmp_path: Path) -> None:
    study, runs = write(tmp_path, {"grid": GRID}, **TINY), tmp_path / "runs"
    whole = table(run_sweep(load_sweep(study), runs_dir=tmp_path / "whole", executor=Inline()))
    common = ["sweep", str(study), "--runs", str(runs), "--executor", "inline", "--quiet"]

    def command(*more: str, until: Callable[[], bool] = lambda: False) -> int:
        return nursery.run([*common, *more], until, signal.SIGKILL)[1]

    assert command("--shard", "1/2", until=lambda: len(kept(runs)) == 1) == -signal.SIGKILL
    first = kept(runs)
    assert command("--merge") == 2, "points are missing"
    assert command("--shard", "2/2") == 0
    assert len(kept(runs)) == 3, "its own points, and no other"
    assert command("--merge") == 2
    assert command("--shard", "1/2") == 0
    assert first.items() <= kept(runs).items(), "the one that was finished was not begun again"
    assert not list(runs.rglob("table.csv")), "of the merge"
    assert command("--merge") == 0
    merged = run_sweep(load_sweep(study), runs_dir=runs, executor=(idle := Inline()))
    assert table(merged) == whole
    assert idle.jobs == []
    assert command("--merge", "--shard", "1/2") == 2


@pytest.mark.full
def test_a_sweep_on_a_cluster_whose_worker_is_killed_is_complete(tmp_path: Path) -> None:
    study, runs = write(tmp_path, {"grid": GRID}, **TINY), tmp_path / "runs"
    whole = table(run_sweep(load_sweep(study), runs_dir=tmp_path / "whole", executor=Inline()))
    dask = DaskNursery(tmp_path)
    try:
        with cluster(dask) as made:
            command = [sys.executable, "-P", "-m", "accmine", "sweep", str(study), "--runs", str(runs), "--json", "-v"]
            with subprocess.Popen(
                [*command, "--cluster", made.address], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            ) as process:
                while process.poll() is None and not list(runs.glob("*-sweep-*/points/*.json")):
                    time.sleep(0.01)
                made.kill(made.workers[0])
                out, err = process.communicate(timeout=120)
            assert process.returncode == 0, err
            assert len(json.loads(out)["rows"]) == 4
    finally:
        dask.end()
    assert table(run_sweep(load_sweep(study), runs_dir=runs, executor=(idle := Inline()))) == whole
    assert idle.jobs == []
    assert all(computed_again(run) == [] for run in list_runs(runs))
