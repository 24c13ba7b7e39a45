"""Our proven gap beside that of PyJobShop (https://pyjobshop.org, CP-SAT) at equal time, on training graphs.

Each gets ``--seconds`` of solving on ``--workers`` and is judged by its own bound; gap = (value - bound) / value, at
least 0.01 %. PyJobShop's time does not count building its model; ours counts everything. A third column is
PyJobShop started from our first list schedule. Its solutions pass our check. ``--repeats`` runs with another seed
each, of which the median gap is taken; the geometric mean is over instances that both solve.

    pip install -e '.[baselines]'
    python benchmarks/peers.py [--instances REGEX] [--cores 1x1 2x2 4x4] [--seconds 30] [--repeats 3]
"""

from __future__ import annotations

import argparse
import json
import math
import re
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyjobshop
from instances import problem

from accmine.ports import Stop
from accmine.problems.operator_schedule import Problem, Solution, check, objective
from accmine.registry import make_solver
from accmine.solving import solve

__all__ = ["NAMES", "Row", "Run", "build", "ours", "theirs"]

NAMES = (
    "gpt2-200",
    "gpt2-1000",
    "gpt2-2000",
    "gpt2-5000",
    "resnet-18",
    "resnet-50",
    "resnet-50-2mb",
    "inception-v3",
    "inception-v3-5mb",
)
LEAST_GAP = 1e-4
TARGET = 5.0


@dataclass(frozen=True)
class Run:
    """One solver on one instance, the median of its repeats by gap; ``value`` is None where nothing was found."""

    value: int | None
    bound: int
    seconds: float
    solved: int
    repeats: int

    @property
    def gap(self) -> float | None:
        """(value - bound) / value, at least ``LEAST_GAP``; ``None`` without a solution."""
        if self.value is None:
            return None
        return max(LEAST_GAP, (self.value - self.bound) / self.value)


@dataclass(frozen=True)
class Row:
    """Ours, PyJobShop's, and PyJobShop's from our first list schedule (``None`` if not asked for)."""

    instance: str
    cores: str
    operations: int
    ours: Run
    theirs: Run
    warm: Run | None

    def ratio(self, other: Run | None) -> float | None:
        """Gap of ``other`` over ours; ``None`` unless both found a solution."""
        if other is None or other.gap is None or self.ours.gap is None:
            return None
        return other.gap / self.ours.gap


def build(own: Problem) -> pyjobshop.Model:
    """The problem in PyJobShop: a renewable resource per kind of core, a mode per mode, an arc per edge."""
    model = pyjobshop.Model()
    resources = [model.add_renewable(int(c), name=n) for n, c in zip(own.resources, own.capacity, strict=True)]
    tasks = [model.add_task(name=name) for name in own.names]
    for task, group in zip(tasks, own.mode_set.tolist(), strict=True):
        modes = own.mode_sets[group]
        for duration, uses in zip(modes.duration.tolist(), modes.uses.tolist(), strict=True):
            held = [(r, u) for r, u in zip(resources, uses, strict=True) if u]
            model.add_mode(task, [r for r, _ in held], duration, [u for _, u in held])
    for a, b in own.edges.tolist():
        model.add_end_before_start(tasks[a], tasks[b])
    return model


def _started(own: Problem, data: pyjobshop.ProblemData, solution: Solution) -> pyjobshop.Solution:
    """Our schedule as a start for PyJobShop."""
    first = np.cumsum([0, *own.mode_count[own.mode_set].tolist()])
    tasks = []
    for i, (start, k) in enumerate(zip(solution.start.tolist(), solution.mode.tolist(), strict=True)):
        mode = int(first[i]) + k
        chosen = data.modes[mode]
        tasks.append(pyjobshop.ScheduledTask(mode, chosen.resources, start, start + chosen.duration))
    return pyjobshop.Solution(data, tasks)


def theirs(own: Problem, seconds: float, workers: int, seed: int, *, warm: bool) -> Run:
    """One run of PyJobShop, its solution checked by our rules."""
    data = build(own).data()
    options: dict[str, Any] = {"random_seed": seed}
    if warm:
        list_schedule = solve(own, make_solver("operator-schedule", "critical-path"), stop=Stop(work=1))
        options["initial_solution"] = _started(own, data, list_schedule.solution)
    result = pyjobshop.solve(data, time_limit=seconds, num_workers=workers, **options)
    tasks = result.best.tasks
    if not tasks:
        return Run(None, 0, result.runtime, 0, 1)
    first = np.cumsum([0, *own.mode_count[own.mode_set].tolist()])
    found = Solution(
        np.array([task.start for task in tasks], dtype=np.int64),
        np.array([task.mode for task in tasks], dtype=np.int64) - first[:-1],
    )
    wrong = check(own, found)
    if wrong:
        raise AssertionError(f"PyJobShop's solution is none: {wrong[0]}")
    # its bound is a rounded floating-point number: floor it, in its own disfavour by less than one time unit
    return Run(objective(own, found), math.floor(result.lower_bound), result.runtime, 1, 1)


def ours(own: Problem, seconds: float, workers: int, seed: int, solver: str) -> Run:
    """One run of our solver."""
    result = solve(own, solver, stop=Stop(seconds=seconds, workers=workers), seed=seed)
    value = None if result.objective is None else int(result.objective)
    return Run(value, int(result.bound or 0), result.seconds, int(value is not None), 1)


def _median(runs: Sequence[Run]) -> Run:
    """The run of median gap, with none at all as the largest; and how many found a solution."""
    ranked = sorted(runs, key=lambda run: math.inf if run.gap is None else run.gap)
    middle = ranked[len(ranked) // 2]
    return Run(middle.value, middle.bound, middle.seconds, sum(run.solved for run in runs), len(runs))


def measure(name: str, cores: str, given: argparse.Namespace) -> Row:
    """All repeats of one instance on one machine."""
    tensor, vector = (int(count) for count in cores.split("x"))
    own = problem(name, tensor, vector)
    seeds = range(given.repeats)
    warm = None
    if not given.cold:
        warm = _median([theirs(own, given.seconds, given.workers, seed, warm=True) for seed in seeds])
    return Row(
        name,
        cores,
        len(own),
        _median([ours(own, given.seconds, given.workers, seed, given.solver) for seed in seeds]),
        _median([theirs(own, given.seconds, given.workers, seed, warm=False) for seed in seeds]),
        warm,
    )


def _cell(run: Run | None) -> str:
    if run is None:
        return "-"
    return "none" if run.gap is None else f"{100 * run.gap:.2f} %"


def _print_row(row: Row) -> None:
    ratio, warm = row.ratio(row.theirs), row.ratio(row.warm)
    lost = "  LOST" if any(r is not None and r < 1 for r in (ratio, warm)) else ""
    print(
        f"{row.instance:<18}{row.cores:>5}{row.operations:>6}{_cell(row.ours):>10}{_cell(row.theirs):>10}"
        f"{_cell(row.warm):>10}{'' if ratio is None else f'{ratio:.1f}':>8}{'' if warm is None else f'{warm:.1f}':>8}"
        f"{row.ours.seconds:>7.1f} s{row.theirs.seconds:>7.1f} s{lost}",
        flush=True,
    )


def _summary(rows: list[Row]) -> None:
    for name, other in (("PyJobShop", "theirs"), ("PyJobShop from our list schedule", "warm")):
        runs = [getattr(row, other) for row in rows]
        ratios = [r for row, run in zip(rows, runs, strict=True) if (r := row.ratio(run)) is not None]
        if not any(run is not None for run in runs):
            continue
        mean = math.exp(statistics.mean(map(math.log, ratios))) if ratios else None
        told = "no instance solved by both" if mean is None else f"geometric mean {mean:.1f} over {len(ratios)}"
        solved = sum(run.solved for run in runs if run is not None)
        every = sum(run.repeats for run in runs if run is not None)
        losses = [
            f"{row.instance} {row.cores}" for row, run in zip(rows, runs, strict=True) if (row.ratio(run) or 1) < 1
        ]
        print(
            f"gap of {name} over ours: {told} (target {TARGET:g}); it solved {solved} of {every} runs, "
            f"ours {sum(row.ours.solved for row in rows)} of {sum(row.ours.repeats for row in rows)}; "
            f"lost: {', '.join(losses) or 'none'}"
        )


def main() -> None:
    """Run both and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--instances", default="", help="regular expression that the instance's name must hold")
    parser.add_argument("--cores", nargs="*", default=["1x1", "2x2", "4x4"], help="tensor x vector cores")
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--solver", default="auto")
    parser.add_argument("--cold", action="store_true", help="leave out PyJobShop from our list schedule")
    parser.add_argument("--json", type=Path, help="write the rows to this file")
    given = parser.parse_args()
    print("instance          cores   ops      ours PyJobShop      warm   ratio    warm   ours    theirs")
    rows: list[Row] = []
    for name in NAMES:
        for cores in given.cores if re.search(given.instances, name) else []:
            rows.append(measure(name, cores, given))
            _print_row(rows[-1])
    _summary(rows)
    if given.json is not None:
        given.json.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
