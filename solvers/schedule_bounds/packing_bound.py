"""Operations are not cut in pieces: rounds of equal work, and the packing of few kinds of work on cores.

At most m = ⌊C / u⌋ of some operations run at once when each holds u or more of a resource with capacity C. Whatever
their order, each of the m places takes whole operations, so the least makespan of P_m||C_max bounds the time they need.
Energy counts 6.25 rounds for 25 equal attention heads on 4 cores; there are 7.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from accmine.problems.operator_schedule import Problem

__all__ = ["packed_makespan", "packing_bound", "rounds_bound"]

IntArray = npt.NDArray[np.int64]

_MACHINES = 16
"""On more places than this, packing hardly matters and is hard to prove."""

_WINDOWS = 3
"""Pairs of head and tail whose operations are packed."""

_EXACT_TIME = 1 << 40
"""Largest sum of durations that is given to CP-SAT."""


def rounds_bound(durations: Sequence[int], machines: int) -> int:
    """Bound of P_m||C_max: the largest, the mean load, and of the first k·m + 1 largest the k + 1 smallest.

    k + 1 of the k·m + 1 longest operations share a machine (Coffman, Garey and Johnson, SIAM J. Comput. 7 (1978)
    1-17; Dell'Amico and Martello, ORSA J. Comput. 7 (1995) 191-200).
    """
    longest = sorted((d for d in durations if d > 0), reverse=True)
    if not longest:
        return 0
    best = max(longest[0], -(-sum(longest) // machines))
    for k in range(1, (len(longest) - 1) // machines + 1):
        last = k * machines
        best = max(best, sum(longest[last - k : last + 1]))
    return best


def packed_makespan(durations: Sequence[int], machines: int, *, work: float = 0.2, seconds: float = 1.0) -> int:
    """A bound of P_m||C_max that is exact where few distinct durations let CP-SAT prove it.

    Machines are alike, operations of equal duration too: the program counts how many of each kind a machine takes.

    Parameters
    ----------
    durations
        Time units.
    machines
        m, at least 1.
    work, seconds
        Limits of CP-SAT (deterministic time, wall clock); with the deterministic one alone a call is repeatable.
    """
    least = rounds_bound(durations, machines)
    kinds = Counter(d for d in durations if d > 0)
    if machines == 1 or machines > _MACHINES or len(kinds) > 2 * _MACHINES or sum(durations) > _EXACT_TIME:
        return least
    if least >= _greedy(durations, machines):
        return least
    from ortools.sat.python import cp_model

    model = cp_model.CpModel()
    most = _greedy(durations, machines)
    makespan = model.new_int_var(least, most, "makespan")
    lengths = list(kinds)
    table = [[model.new_int_var(0, kinds[d], "") for d in lengths] for _ in range(machines)]
    loads = [cp_model.LinearExpr.weighted_sum(row, lengths) for row in table]
    for column, d in zip(zip(*table, strict=True), lengths, strict=True):
        model.add(sum(column) == kinds[d])
    for load in loads:
        model.add(load <= makespan)
    for one, other in pairwise(loads):
        model.add(one >= other)
    model.minimize(makespan)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.catch_sigint_signal = False
    solver.parameters.max_deterministic_time = work
    if seconds < float("inf"):
        solver.parameters.max_time_in_seconds = seconds
    status = solver.solve(model)
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return least  # without a solution an unset bound reads as 0; "infeasible" would be wrong
    return max(least, int(solver.response_proto.inner_objective_lower_bound))


def _greedy(durations: Sequence[int], machines: int) -> int:
    """Makespan of the longest first on the machine that is free first."""
    from heapq import heapreplace

    loads = [0] * machines
    for d in sorted(durations, reverse=True):
        heapreplace(loads, loads[0] + d)
    return max(loads)


def packing_bound(
    problem: Problem, head: IntArray, tail: IntArray, *, work: float = 0.2, seconds: float = float("inf")
) -> int:
    """Bound of the makespan: whole operations packed between the heads and tails where energy is tightest.

    For small problems (the pairs of heads and tails are enumerated).

    Parameters
    ----------
    head, tail
        Of every operation; shape (operations,).
    work, seconds
        Limits of each packing; see ``packed_makespan``.
    """
    if not len(problem):
        return 0
    shortest = problem.shortest[problem.mode_set]
    least, best = _least_demand(problem), 0
    for r, capacity in enumerate(problem.capacity.tolist()):
        demand = least[:, r]
        held = np.flatnonzero((demand > 0) & (shortest > 0))
        if not len(held):
            continue
        # Half a core or more each: those can be counted as if they held it alone.
        for floor in sorted({int(x) for x in demand[held]}):
            own = held[demand[held] >= floor]
            best = max(best, _windows(shortest[own], head[own], tail[own], capacity // floor, work, seconds))
    return best


def _windows(durations: IntArray, head: IntArray, tail: IntArray, machines: int, work: float, seconds: float) -> int:
    """The best packing among the pairs (a, b) of most energy."""
    found: list[tuple[int, int, int]] = []
    tails = np.unique(tail)
    for a in np.unique(head).tolist():
        late = head >= a
        for b in tails.tolist():
            total = int(durations[late & (tail >= b)].sum())
            if total:
                found.append((a - (-total // machines) + b, a, b))
    found.sort(reverse=True)
    best = 0
    for _, a, b in found[:_WINDOWS]:
        chosen = durations[(head >= a) & (tail >= b)].tolist()
        best = max(best, a + packed_makespan(chosen, machines, work=work, seconds=seconds) + b)
    return best


def _least_demand(problem: Problem) -> IntArray:
    """Least amount of every resource that an operation holds in any mode that fits; shape (operations, resources)."""
    rows = []
    for index, modes in enumerate(problem.mode_sets):
        first = int(problem.first_mode[index])
        fits = problem.fits[first : first + len(modes.duration)]
        uses = modes.uses[fits]  # a set of which no mode fits is nobody's
        rows.append(uses.min(axis=0) if len(uses) else np.zeros(len(problem.resources), dtype=np.int64))
    return np.array(rows, dtype=np.int64).reshape(len(rows), len(problem.resources))[problem.mode_set]
