"""What a sweep costs beside its points, what sharing saves, and how fast a table of many points is there.

python benchmarks/sweep.py overhead   # 200 points: wall-clock beside the time of the points
python benchmarks/sweep.py sharing    # 3 limits of area x 3 of TDP against one run with the same budget
python benchmarks/sweep.py table      # 10,000 finished points: seconds and memory of listing and of the table
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import accmine
from accmine.questions.run.row import row_of
from accmine.questions.sweep.folder import open_sweep, patience_of
from accmine.questions.sweep.record import PointRecord
from accmine.study import LoadedSweep, load_sweep

POINTS = 200
MANY = (100, 100)

STUDY = """
name: overhead
workloads: [{use: bert-large, sequence: 32, batch: 8, microbatch: 8}]
accelerator: {use: wham}
baselines: [tpuv2-like]
budget: {seconds: SECONDS, workers: 1}
sweep: {share: 1, grid: {limits.area: AREAS}}
"""


def _load() -> str:
    return "load " + " ".join(f"{load:.1f}" for load in os.getloadavg())


def _sweep(folder: Path, text: str) -> LoadedSweep:
    path = folder / "study.yaml"
    path.write_text(text, encoding="utf-8")
    return load_sweep(path)


def overhead(folder: Path, points: int, seconds: float) -> None:
    """Wall-clock of a sweep beside the time that its runs say they took."""
    areas = [f"{500 + i} mm^2" for i in range(points)]
    loaded = _sweep(folder, STUDY.replace("SECONDS", str(seconds)).replace("AREAS", json.dumps(areas)))
    began = time.monotonic()
    result = accmine.sweep(loaded, runs=folder / "runs")
    wall = time.monotonic() - began
    inside = sum(point.seconds for point in result.points)
    steps = sum(float(point.row["seconds"] or 0) for point in result.points)
    print(
        f"{points} points, {wall:.1f} s; in points {inside:.1f} s, in the steps of their runs {steps:.1f} s; {_load()}"
    )
    print(f"beside the points {100 * (wall / inside - 1):.1f} %; beside the steps {100 * (wall / steps - 1):.1f} %")


def sharing(folder: Path, seconds: float) -> None:
    """The shipped sweep against its loosest point alone, with the same budget."""
    began = time.monotonic()
    changes = [f"budget.seconds={seconds}", "limits={area: 750 mm^2, tdp: 350 W}"]
    text = load_sweep("limits-sweep").document.text.partition("sweep:")[0]
    (folder / "one.yaml").write_text(text, encoding="utf-8")
    one = accmine.load(folder / "one.yaml", changes).run(runs_dir=folder / "one")
    alone = time.monotonic() - began
    began = time.monotonic()
    result = accmine.sweep("limits-sweep", [f"budget.seconds={seconds}"], runs=folder / "runs")
    together = time.monotonic() - began
    print(f"one: {alone:.1f} s, {one.certificate.objective:.4g}; gap {100 * one.certificate.gap:.2f} %")
    for row in result.rows:
        print(f"{row['limits.area']:>10} {row['limits.tdp']:>9} {row['best']:.4g}  gap {row['gap']:.2f} %")
    print(f"{len(result.points)} points: {together:.1f} s, {together / alone:.2f} times one; {_load()}")


def table(folder: Path) -> None:
    """Listing, reading and writing a table of 10,000 points that are finished."""
    a, b = MANY
    grid = {"limits.area": [f"{500 + i} mm^2" for i in range(a)], "limits.tdp": [f"{200 + i} W" for i in range(b)]}
    text = STUDY.partition("sweep:")[0].replace("SECONDS", "60") + f"sweep: {json.dumps({'grid': grid})}\n"

    def timed(name: str, function: Callable[[], object]) -> object:
        began, worked = time.monotonic(), time.process_time()
        value = function()
        print(f"{name}: {time.monotonic() - began:.2f} s, {time.process_time() - worked:.2f} s of a core")
        return value

    loaded = timed("read and checked", lambda: _sweep(folder, text))
    assert isinstance(loaded, LoadedSweep)
    timed("listed", lambda: [loaded.point(number).overrides for number in range(loaded.count)])
    sweep = open_sweep(folder / "runs", loaded)
    certificate = {"objective": 100.0, "bound": 110.0, "gap": 0.1, "metric": "throughput", "sense": "maximize"}
    row = row_of({"study": "many", "status": "feasible", "certificate": certificate, "area_mm2": 500.0, "tdp_w": 200.0})
    record = PointRecord(0, {}, row, "like", "graphs", patience=patience_of(loaded.document.data))
    for number in range(loaded.count):
        i, j = divmod(number, b)
        limits = {"limits.area": 500.0 + i, "limits.tdp": 200.0 + j}
        sweep.write(replace(record, number=number, values=dict(loaded.point(number).values), limits=limits))
    result = timed("table", lambda: accmine.sweep(loaded, runs=folder / "runs"))
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{result!r}; {most:.2f} GiB at most; {_load()}")


def main() -> None:
    """Run one of the benchmarks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["overhead", "sharing", "table"])
    parser.add_argument("--seconds", type=float, default=None, help="of a point (default: 0.5 and 30)")
    parser.add_argument("--points", type=int, default=POINTS, help="of overhead")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="accmine-sweep-") as name:
        if options.what == "overhead":
            overhead(Path(name), options.points, options.seconds or 0.5)
        elif options.what == "sharing":
            sharing(Path(name), options.seconds or 30.0)
        else:
            table(Path(name))


if __name__ == "__main__":
    main()
