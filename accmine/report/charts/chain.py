"""What a schedule's length comes from: a chain of operations, each of which waits for the one before it."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np

from accmine.problems.operator_schedule import Problem, Solution
from accmine.report.charts.trace import operator_labels
from accmine.workload import OperatorGraph

__all__ = ["critical_chain", "critical_labels"]


def critical_chain(problem: Problem, solution: Solution) -> list[int]:
    """Operations that make the schedule as long as it is, first to last.

    From an operation that ends last, each time to one that ends when it starts: a predecessor, or else one that held a
    resource it needs. Where nothing ends then, the schedule waits for no reason, and the chain goes on with the
    predecessor, or else the holder of a resource, that ends last before.
    """
    if not len(problem):
        return []
    chosen = problem.first_mode[problem.mode_set] + solution.mode
    length, uses = problem.modes.duration[chosen], problem.modes.uses[chosen]
    start, end = solution.start, solution.start + length
    before: defaultdict[int, list[int]] = defaultdict(list)
    for first, then in problem.edges.tolist():
        before[then].append(first)
    by_end = np.argsort(end, kind="stable")
    ends = end[by_end]
    current = int(by_end[-1])
    chain = [current]
    while start[current] > 0:
        moment = int(start[current])
        ready = [i for i in before[current] if end[i] == moment]
        found = max(ready, key=lambda i: int(length[i]), default=-1)
        if found < 0:
            found = _holder(by_end, ends, uses, length, current, moment)
        if found < 0 or (end[found] < moment and before[current]):
            found = max([found, *before[current]], key=lambda i: int(end[i]) if i >= 0 else -1)
        if found < 0:
            break
        chain.append(found)
        current = found
    return chain[::-1]


def _holder(by_end: Any, ends: Any, uses: Any, length: Any, current: int, moment: int) -> int:
    """The operation that ends last by ``moment`` among those that held what ``current`` holds; -1 if there is none."""
    last = int(np.searchsorted(ends, moment, side="right"))
    for i in by_end[:last][::-1].tolist():
        if i != current and length[i] > 0 and bool((uses[i].astype(bool) & uses[current].astype(bool)).any()):
            return int(i)
    return -1


def critical_labels(graph: OperatorGraph, problem: Problem, solution: Solution) -> list[dict[str, Any]]:
    """Kind, phase and layer of every operator, and which are of the critical chain, for labels of a trace."""
    labels = operator_labels(graph)
    for i in critical_chain(problem, solution):
        labels[i]["critical"] = True
    return labels
