"""A scheduler of one's own beside those of accmine, on the schedule problems of a model; nothing is installed.

Run it as ``python examples/own_heuristic.py``.
"""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

import accmine
from accmine.problems.operator_schedule import Solution, order, tails
from accmine.report.records import records
from accmine.result import StopReason

STUDY = Path(__file__).parent / "study.yaml"


class LongestTail:
    """The textbook rule: of the operations that can start now, the one with the longest way to the end goes first."""

    name = "longest-tail"

    def search(self, record):
        problem = record.problem
        after, tail = order(problem), tails(problem)
        free, now = problem.capacity.copy(), 0
        start, mode = np.zeros(len(problem), dtype=np.int64), np.zeros(len(problem), dtype=np.int64)
        waits = np.array([len(before) for before in after.predecessors])
        ready, running = [int(i) for i in np.flatnonzero(waits == 0)], []
        while ready or running:
            for i in sorted(ready, key=lambda i: -tail[i]):
                modes = problem.mode_sets[problem.mode_set[i]]
                fits = np.flatnonzero((modes.uses <= free).all(axis=1))
                if len(fits):
                    mode[i] = fits[np.argmin(modes.duration[fits])]
                    start[i], uses = now, modes.uses[mode[i]]
                    free -= uses
                    ready.remove(i)
                    running.append((now + int(modes.duration[mode[i]]), i, uses))
            now = min(running, key=lambda row: row[0])[0]
            for row in [row for row in running if row[0] <= now]:
                running.remove(row)
                free += row[2]
                for later in after.successors[row[1]]:
                    waits[later] -= 1
                    ready += [later] if waits[later] == 0 else []
        record.offer(Solution(start, mode))  # checked before it counts
        return StopReason.FINISHED


def main():
    rows, bounds = [], {}
    with TemporaryDirectory() as folder:
        accmine.export(STUDY, problem=folder)  # a file for each phase of the training step
        for entry in json.loads((Path(folder) / "problems.json").read_text())["problems"]:
            problem = Path(folder) / entry["file"]
            for solver in (LongestTail(), "critical-path", "cp-sat"):
                found = accmine.solve(problem, solver, seconds=2)
                rows.append({"phase": entry["phase"], "solver": found.solver, "cycles": found.objective})
                bounds[entry["phase"]] = max(bounds.get(entry["phase"], 0), found.bound or 0)
    for row in rows:  # against the best bound that any of them proved
        row["gap_percent"] = 100 * (1 - bounds[row["phase"]] / row["cycles"])
    table = records(rows)
    print(table)
    return table


if __name__ == "__main__":
    main()
