"""Deviation from the best known makespans of PSPLIB, and the gap that is proven without knowing them.

Reads ``psplib/<set>/*.sm`` (and ``.mm``) and ``psplib/best_known.csv`` (columns ``set``, ``instance``, ``best_lb``,
``best_ub``) from ``--data`` or ``$ACCMINE_DATA``; sets that are not there are not reported. Every instance gets
``--seconds`` and ``--workers``; the best known values are looked at only afterwards.

    python benchmarks/rcpsp.py [--data DIR] [--sets j30 j60] [--instances REGEX] [--seconds 60] [--json FILE]
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import re
import statistics
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from accmine.ports import Stop
from accmine.solving import load_problem, solve

__all__ = ["TARGETS", "Row", "measure"]

TARGETS = {"j30": 0.0, "j60": 0.0025, "j120": 0.016}
"""Mean deviation from the best known makespan to reach, by set, after 60 s on two workers."""


@dataclass(frozen=True)
class Row:
    """One solved instance.

    Attributes
    ----------
    makespan, bound
        Verified value and proven bound.
    best, best_bound
        Best known ones; ``None`` where the table has none.
    solver
        What was asked for.
    seconds
        Until the proof or the limit.
    method
        How the bound was obtained.
    """

    set: str
    instance: str
    operations: int
    makespan: int
    bound: int
    best: int | None
    best_bound: int | None
    solver: str
    seconds: float
    method: str

    @property
    def deviation(self) -> float | None:
        """Relative to the best known makespan."""
        return None if self.best is None else self.makespan / self.best - 1

    @property
    def gap(self) -> float:
        """(makespan - bound) / makespan: what is known without the table."""
        return (self.makespan - self.bound) / self.makespan if self.makespan else 0.0

    @property
    def impossible(self) -> bool:
        """Whether table and result exclude each other: one of the two is wrong."""
        known = self.best is not None and self.bound > self.best
        return known or (self.best_bound is not None and self.makespan < self.best_bound)


def _best_known(folder: Path) -> dict[tuple[str, str], tuple[int | None, int | None]]:
    file = folder / "best_known.csv"
    if not file.exists():
        return {}
    with file.open(encoding="utf-8", newline="") as lines:
        return {
            (row["set"], row["instance"]): (
                int(row["best_ub"]) if row.get("best_ub") else None,
                int(row["best_lb"]) if row.get("best_lb") else None,
            )
            for row in csv.DictReader(lines)
        }


def _natural(path: Path) -> list[int]:
    return [int(digits) for digits in re.findall(r"\d+", path.stem)]


def files(folder: Path, sets: list[str], pattern: str) -> Iterator[Path]:
    """Instance files of the sets (all if none is named) whose name holds the pattern."""
    for own in sorted((p for p in folder.iterdir() if p.is_dir()), key=lambda p: (_natural(p), p.name)):
        if not sets or own.name in sets:
            found = [p for p in own.iterdir() if p.suffix in (".sm", ".mm") and re.search(pattern, p.name)]
            yield from sorted(found, key=_natural)


def measure(file: Path, best: tuple[int | None, int | None], solver: str, stop: Stop, seed: int) -> Row:
    """Solve one instance; its solution is checked on the way out of ``solve``."""
    problem = load_problem(file)
    result = solve(problem, solver, stop=stop, seed=seed)
    assert result.objective is not None
    assert result.bound is not None
    return Row(
        set=file.parent.name,
        instance=file.name,
        operations=len(problem),
        makespan=int(result.objective),
        bound=int(result.bound),
        best=best[0],
        best_bound=best[1],
        solver=result.solver,
        seconds=result.seconds,
        method=result.bound_method,
    )


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.2f} %"


def _print_row(row: Row) -> None:
    proven = "proven" if row.makespan == row.bound else ""
    wrong = "  IMPOSSIBLE" if row.impossible else ""
    print(
        f"{row.set:<6}{row.instance:<14}{row.operations:>4}{row.makespan:>9}{row.bound:>9}{row.best or '':>8}"
        f"{_percent(row.deviation):>10}{_percent(row.gap):>10}  {proven:<7}{row.seconds:>7.1f} s  {row.method}{wrong}",
        flush=True,
    )


def _summary(rows: list[Row], seconds: float, workers: int) -> None:
    for name in dict.fromkeys(row.set for row in rows):
        own = [row for row in rows if row.set == name]
        deviations = [row.deviation for row in own if row.deviation is not None]
        mean = statistics.mean(deviations) if deviations else None
        target = TARGETS.get(name)
        told = "" if target is None or mean is None else f", target {_percent(target)}: {_met(mean, target)}"
        gap = statistics.mean(row.gap for row in own)
        proven = sum(row.makespan == row.bound for row in own)
        print(
            f"{name}: {len(own)} instances, {seconds:g} s, {workers} workers: mean deviation "
            f"{_percent(mean) or 'unknown'}{told}; mean gap of our own {_percent(gap)}, proven {proven}/{len(own)}"
        )


def _met(mean: float, target: float) -> str:
    return "met" if mean <= target + 1e-12 else "missed"


def main() -> int:
    """Solve and print; 1 if a result contradicts the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=os.environ.get("ACCMINE_DATA"), help="folder that holds psplib/")
    parser.add_argument("--sets", nargs="*", default=[], help="folders below psplib/; default: all")
    parser.add_argument("--instances", default="", help="regular expression that the file's name must hold")
    parser.add_argument("--solver", default="auto")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="write the rows to this file")
    given = parser.parse_args()
    folder = Path(given.data) / "psplib" if given.data else None
    if folder is None or not folder.is_dir():
        print("no instances: give --data DIR or ACCMINE_DATA with a folder psplib/", file=sys.stderr)
        return 2
    best = _best_known(folder)
    stop = Stop(seconds=given.seconds, workers=given.workers)
    rows: list[Row] = []
    print("set   instance       ops makespan    bound    best deviation       gap")
    for file in files(folder, given.sets, given.instances):
        known = best.get((file.parent.name, file.name), (None, None))
        rows.append(measure(file, known, given.solver, stop, given.seed))
        _print_row(rows[-1])
    _summary(rows, given.seconds, given.workers)
    if given.json is not None:
        given.json.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n", encoding="utf-8")
    return 1 if any(row.impossible for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
