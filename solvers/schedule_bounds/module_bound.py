"""How long the parts of a graph take by themselves: modules between an operation and the one all its work meets in.

After transitive reduction let d be the immediate dominator of v: every path to v runs through d. All operations M
between them start after d has ended and end before v starts, so v starts at least L(M) after the end of d, with L(M)
any bound of the makespan of M alone. Layers repeat: equal modules are bounded once. The same holds with time reversed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import inf

import numpy as np

from accmine.errors import InputError
from accmine.ports import NEVER, Clock, Stop
from accmine.problems.operator_schedule import KIND, MAX_TIME, Problem, Solution
from accmine.problems.operator_schedule.cone_bound import Gap, with_gaps
from accmine.problems.operator_schedule.precedence import Order
from accmine.problems.operator_schedule.reduction import members, reduced
from accmine.record import Record
from accmine.registry import make_model, make_solver

from .packing_bound import packing_bound

__all__ = ["MODULE_OPERATIONS", "Module", "bounded", "find", "gaps_of", "prove", "subproblem"]

MODULE_OPERATIONS = 256
"""Largest module that is looked at."""

_UPPER_PASSES = 6
"""List schedules of a module, to see how much of its bound is open."""


Key = tuple[tuple[int, ...], tuple[tuple[int, ...], ...]]


@dataclass(eq=False)
class Module:
    """Equal parts of a graph.

    Attributes
    ----------
    problem
        The operations between, by themselves.
    places
        (before, after) of every occurrence; -1 for the begin and the end of everything.
    bound, upper
        Known limits of the makespan of ``problem``.
    """

    problem: Problem
    places: list[tuple[int, int]] = field(default_factory=list)
    bound: int = 0
    upper: int = MAX_TIME

    @property
    def open(self) -> int:
        """What is not known of all occurrences together, in time units."""
        return (self.upper - self.bound) * len(self.places)


def _meet(a: int, b: int, dominator: Sequence[int], depth: Sequence[int]) -> int:
    """The nearest operation that dominates both; -1 if there is none."""
    while a != b:
        if a < 0 or b < 0:
            return -1
        if depth[a] < depth[b]:
            a, b = b, a
        a = dominator[a]
    return a


def _spans(line: Order, most: int) -> Iterable[tuple[int, int, list[int]]]:
    """(dominator, join, operations between) of every join whose module is not too large."""
    n = line.operations
    dominator, depth = [-1] * n, [0] * n
    place = [0] * n
    above = [0] * n
    waiting = [len(after) for after in line.successors]
    known: dict[tuple[int, ...], list[int]] = {}
    for k, v in enumerate(line.sequence):
        place[v] = k
        before = line.predecessors[v]
        if not before:
            continue
        found, d = 0, before[0]
        for u in before:
            found |= above[u] | 1 << place[u]
            d = _meet(d, u, dominator, depth)
        dominator[v], depth[v], above[v] = d, depth[d] + 1 if d >= 0 else 0, found
        for u in before:
            waiting[u] -= 1
            if not waiting[u]:
                above[u] = 0
        if len(before) > 1 and d >= 0:
            own = known.get(key := tuple(before))
            if own is None:
                # Nothing before d in the sequence is behind it; every ancestor of v behind d in the sequence is.
                between = found >> (place[d] + 1)
                own = []
                if between.bit_count() <= most:
                    own = [line.sequence[at + place[d] + 1] for at in members(between).tolist()]
                known[key] = own
            if own:
                yield d, v, own


def subproblem(problem: Problem, operations: Sequence[int]) -> Problem:
    """Some operations by themselves, with the reduced precedences among them."""
    line = reduced(problem)
    index = {v: k for k, v in enumerate(operations)}
    pairs = [(index[u], index[v]) for u in operations for v in line.successors[u] if v in index]
    return Problem(
        problem.resources,
        problem.capacity,
        tuple(problem.names[v] for v in operations),
        problem.mode_sets,
        problem.mode_set[list(operations)],
        np.array(pairs, dtype=np.int64).reshape(-1, 2),
        problem.time_unit,
    )


def _key(problem: Problem, operations: Sequence[int], line: Order) -> Key:
    """Equal for modules that differ in names only (and are listed in the same order)."""
    index = {v: k for k, v in enumerate(operations)}
    own = problem.mode_set.tolist()
    before = tuple(tuple(sorted(index[u] for u in line.predecessors[v] if u in index)) for v in operations)
    return tuple(own[v] for v in operations), before


def find(problem: Problem, most: int = MODULE_OPERATIONS) -> list[Module]:
    """The modules of a problem, small ones first, each with all its places; bounded by heads, tails and packing.

    Raises
    ------
    InputError
        If an operation fits in no mode, or the precedences hold a cycle.
    """
    line = reduced(problem)
    position = {v: k for k, v in enumerate(line.sequence)}
    spans: dict[tuple[int, int], list[int]] = {}
    for d, v, own in _spans(line, most):
        spans[d, v] = own
    for v, d, own in _spans(line.reversed(), most):
        spans.setdefault((d, v), own)
    if 0 < len(problem) <= most:
        spans[-1, -1] = list(line.sequence)
    modules: dict[Key, Module] = {}
    for place, own in sorted(spans.items(), key=lambda item: (len(item[1]), item[0])):
        operations = sorted(own, key=position.__getitem__)
        key = _key(problem, operations, line)
        if key not in modules:
            modules[key] = Module(subproblem(problem, operations))
        modules[key].places.append(place)
    return list(modules.values())


def bounded(module: Module, clock: Clock = NEVER) -> Module:
    """Bound a module from below by heads, tails and packing, from above by a few list schedules.

    Inner modules count as well: what is between a fork and its join is bounded first.
    """
    own = module.problem
    inner = [m for m in find(own) if len(m.problem) < len(own)]
    for m in inner:
        _cheap(m, [], clock)
    _cheap(module, gaps_of(inner), clock)
    if module.bound < module.upper and not clock.over():
        record = Record[Solution](own, Stop(work=_UPPER_PASSES), solver="critical-path")
        make_solver(KIND, "critical-path").search(record)
        if record.best is not None:
            module.upper = int(record.score)
    return module


def _cheap(module: Module, gaps: Sequence[Gap], clock: Clock) -> None:
    own = module.problem
    known = with_gaps(own, gaps)
    module.bound = max(module.bound, known.bound)
    left = clock.left()
    if left > 0:
        module.bound = max(module.bound, packing_bound(own, known.head, known.tail, seconds=left))


def gaps_of(modules: Iterable[Module]) -> list[Gap]:
    """What is known of the modules, at all their places."""
    return [(d, v, module.bound) for module in modules for d, v in module.places]


def _twins(problem: Problem) -> list[list[int]]:
    """First operations of components that are equal, in order: which of them comes first does not matter."""
    line = reduced(problem)
    n = len(problem)
    component = list(range(n))
    for v in line.sequence:
        for u in line.predecessors[v]:
            a, b = _root(component, u), _root(component, v)
            component[max(a, b)] = min(a, b)
    parts: dict[int, list[int]] = {}
    for v in line.sequence:
        parts.setdefault(_root(component, v), []).append(v)
    alike: dict[Key, list[int]] = {}
    for part in parts.values():
        alike.setdefault(_key(problem, part, line), []).append(part[0])
    return [firsts for firsts in alike.values() if len(firsts) > 1]


def _root(component: list[int], v: int) -> int:
    while component[v] != v:
        component[v] = component[component[v]]
        v = component[v]
    return v


def prove(module: Module, *, work: float | None, seconds: float, seed: int = 0, workers: int = 1) -> float:
    """Raise the bound of a module by CP-SAT; returns the deterministic time that was used.

    Equal chains side by side may be put in any order, so their first operations are ordered.
    """
    if module.bound >= module.upper or seconds <= 0 or (work is not None and work <= 0):
        return 0.0
    from ortools.sat.python import cp_model

    declared = make_model(KIND, "cp-sat")
    try:
        built = declared.build(module.problem)
    except InputError:  # capacity × horizon beyond the integers of CP-SAT
        return 0.0
    built.add(declared.makespan >= module.bound)  # type: ignore[attr-defined]
    if module.upper < MAX_TIME:
        built.add(declared.makespan <= module.upper)  # type: ignore[attr-defined]
    for firsts in _twins(module.problem):
        for one, other in pairwise(firsts):
            built.add(declared.start[one] <= declared.start[other])  # type: ignore[attr-defined]
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = max(1, workers)
    solver.parameters.random_seed = seed & 0x7FFFFFFF
    solver.parameters.catch_sigint_signal = False
    if seconds < inf:
        solver.parameters.max_time_in_seconds = seconds
    if work is not None:
        solver.parameters.max_deterministic_time = work
    status = solver.solve(built)
    inner = int(solver.response_proto.inner_objective_lower_bound)
    # A schedule of length ``upper`` exists, so "infeasible" would be wrong and says nothing.
    if status in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        module.upper = min(module.upper, int(solver.value(declared.makespan)))  # type: ignore[attr-defined]
        module.bound = max(module.bound, min(inner, module.upper))
    elif status == cp_model.UNKNOWN:  # an unset bound reads as 0
        module.bound = max(module.bound, min(inner, module.upper))
    return float(solver.response_proto.deterministic_time)
