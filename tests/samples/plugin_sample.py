"""A package of solvers of operator schedules, installed as others are: a module and the entry points that name it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from accmine import registry

SOURCE = '''
import os

import numpy as np

from accmine.problems.operator_schedule import Solution, durations, heads, objective
from accmine.result import Result, Sense, Status, StopReason

VERSION = 1


def in_a_row(problem, modes=None):
    """One operation after the other, those that wait for others behind them."""
    mode = np.zeros(len(problem), dtype=np.int64)
    for i in range(len(problem)):
        fits = (problem.mode_sets[problem.mode_set[i]].uses <= problem.capacity).all(axis=1)
        mode[i] = np.flatnonzero(fits)[0]
    plan = Solution(np.zeros(len(problem), dtype=np.int64), mode)
    rank = np.lexsort((np.arange(len(problem)), heads(problem) + problem.shortest[problem.mode_set]))
    own = durations(problem, plan)
    plan.start[rank] = np.cumsum(own[rank]) - own[rank]
    return plan


class Row:
    name = "row"

    def search(self, record):
        plan = in_a_row(record.problem)
        record.offer(Solution(plan.start + 10 * record.seed, plan.mode))
        return StopReason.FINISHED


class Old:
    """From before there were records."""

    name = "old"

    def solve(self, problem, *, stop, seed, hint, on_progress):
        plan = in_a_row(problem)
        found = objective(problem, plan)
        return Result("operator-schedule", "old", Status.FEASIBLE, StopReason.FINISHED, found, None, "", plan)


class Liar(Old):
    """Its schedule holds; that it is the best does not."""

    name = "liar"

    def solve(self, problem, **more):
        result = super().solve(problem, **more)
        return Result("operator-schedule", "liar", Status.OPTIMAL, StopReason.PROVED, result.objective,
                      result.objective, "believe me", result.solution)


class Raises:
    name = "raises"

    def search(self, record):
        raise ZeroDivisionError("no way")


class Silent:
    name = "silent"

    def search(self, record):
        return StopReason.FINISHED


class Nothing:
    name = "nothing"

    def solve(self, problem, **more):
        return None


class Overlap:
    name = "overlap"

    def search(self, record):
        plan = in_a_row(record.problem)
        record.offer(Solution(0 * plan.start, plan.mode))
        return StopReason.FINISHED


class Sometimes(Row):
    name = "sometimes"

    def search(self, record):
        return Silent().search(record) if record.seed == 1 else super().search(record)


class Quits:
    name = "quits"

    def search(self, record):
        raise SystemExit(7)


class Dies:
    name = "dies"

    def search(self, record):
        os._exit(9)


class Stopped:
    name = "stopped"

    def search(self, record):
        raise KeyboardInterrupt
'''

NAMES = ("Row", "Old", "Liar", "Raises", "Silent", "Nothing", "Overlap", "Sometimes", "Quits", "Dies", "Stopped")


def install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Install the package in a folder, which workers look in as well; returns its module."""
    module = folder / "accmine_plugin_of_tests.py"
    module.write_text(SOURCE)
    info = folder / "accmine_plugin_of_tests-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: accmine-plugin-of-tests\nVersion: 1\n")
    rows = [f"operator-schedule/{name.lower()} = {module.stem}:{name}" for name in NAMES]
    (info / "entry_points.txt").write_text("\n".join(["[accmine.solvers]", *rows]) + "\n")
    monkeypatch.delitem(sys.modules, module.stem, raising=False)  # of an earlier test
    monkeypatch.syspath_prepend(str(folder))
    registry._rows.cache_clear()
    return module
