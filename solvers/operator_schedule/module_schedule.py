"""Schedules module by module: the critical part of a graph is cut at its barriers, equal modules decided once.

A training graph is mostly a chain of modules (attention, feed-forward, their backward passes) between
*barriers*, operations that are comparable with every other. What has slack (weight gradients, updates)
hides this structure. So the operations are taken whose slack is small, closed under nothing; their barriers
cut them into modules; each distinct module is scheduled by a small portfolio of its own; and the starts so
found are targets: all operations are inserted (``insertion``) critical ones by target, the others behind
them by least slack, into the gaps.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from accmine.problems.operator_schedule import Problem, Solution, objective, order

from .class_descent import ClassDescent
from .insertion import Inserter
from .list_schedule import ListScheduler

__all__ = ["Module", "Modules", "modules", "schedule_module"]

IntArray = npt.NDArray[np.int64]

_SLACKS = (0.0, 0.0003, 0.001, 0.003, 0.01, 0.03)
"""Slack of critical operations, as part of the critical path; the one with most operations in modules is taken."""

_DESCENT = 40
"""Steps of the descent over rules in a module."""

_LEAST, _MOST = 3, 600
"""Operations of a module that is worth scheduling on its own."""


@dataclass(frozen=True, eq=False)
class Module:
    """What lies between two barriers.

    Attributes
    ----------
    operations
        Indices, in the order of time; shape (operations of the module,).
    problem
        The module alone.
    key
        Equal for modules that are equal but for their names.
    """

    operations: IntArray
    problem: Problem
    key: bytes


@dataclass(frozen=True, eq=False)
class Modules:
    """The critical part of a problem as a chain.

    Attributes
    ----------
    chain
        Barriers (as one index) and modules, in the order of time.
    critical
        Which operations are in the chain; shape (operations,).
    """

    chain: tuple[int | Module, ...]
    critical: npt.NDArray[np.bool_]

    @property
    def distinct(self) -> int:
        """Number of different modules."""
        return len({part.key for part in self.chain if isinstance(part, Module)})


def modules(problem: Problem, head: IntArray, tail: IntArray) -> Modules | None:
    """The chain of barriers and modules; ``None`` where there is no structure worth it.

    Parameters
    ----------
    head, tail
        Longest paths before and behind each operation; shapes (operations,).
    """
    n = len(problem)
    if n <= _LEAST:
        return None
    shortest = problem.shortest[problem.mode_set]
    length = int((head + shortest + tail).max())
    slack = length - head - tail - shortest
    sequence = np.array(order(problem).sequence, dtype=np.int64)
    best: tuple[int, IntArray, IntArray] | None = None
    for part in _SLACKS:
        line = sequence[slack[sequence] <= part * length]
        barriers = _barriers(n, line, problem.edges)
        sizes = np.diff(np.concatenate(([-1], barriers, [len(line)]))) - 1
        inside = int(sizes[(sizes >= _LEAST) & (sizes <= _MOST)].sum())
        if sizes.max(initial=0) <= _MOST and inside and (best is None or inside > best[0]):
            best = inside, line, barriers
    if best is None:
        return None
    return _chain(problem, best[1], best[2])


def _barriers(n: int, line: IntArray, edges: IntArray) -> IntArray:
    """Positions in ``line`` (a topological order of some operations) of those comparable with all others in it.

    Everything before v precedes it exactly if each has a successor no later than v; likewise behind it.
    """
    m = len(line)
    position = np.full(n, -1, dtype=np.int64)
    position[line] = np.arange(m)
    pairs = position[edges.reshape(-1, 2)]
    pairs = pairs[(pairs >= 0).all(axis=1)]
    next_one, last_one = np.full(m, m, dtype=np.int64), np.full(m, -1, dtype=np.int64)
    np.minimum.at(next_one, pairs[:, 0], pairs[:, 1])
    np.maximum.at(last_one, pairs[:, 1], pairs[:, 0])
    place = np.arange(m)
    reach = np.concatenate(([0], np.maximum.accumulate(next_one)[:-1])) if m else place
    back = np.concatenate((np.minimum.accumulate(last_one[::-1])[::-1][1:], [m])) if m else place
    return np.flatnonzero((reach <= place) & (back >= place))


def _chain(problem: Problem, line: IntArray, barriers: IntArray) -> Modules:
    critical = np.zeros(len(problem), dtype=bool)
    critical[line] = True
    edges = problem.edges.reshape(-1, 2)
    position = np.full(len(problem), -1, dtype=np.int64)
    position[line] = np.arange(len(line))
    pairs = position[edges]
    pairs = pairs[(pairs >= 0).all(axis=1)]
    pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
    chain: list[int | Module] = []
    begin = 0
    for stop in [*barriers.tolist(), len(line)]:
        if stop > begin:
            own = pairs[np.searchsorted(pairs[:, 0], begin) : np.searchsorted(pairs[:, 0], stop)]
            chain.append(_module(problem, line[begin:stop], own[own[:, 1] < stop] - begin))
        if stop < len(line):
            chain.append(int(line[stop]))
        begin = stop + 1
    return Modules(tuple(chain), critical)


def _module(problem: Problem, operations: IntArray, edges: IntArray) -> Module:
    groups = problem.mode_set[operations]
    used, local = np.unique(groups, return_inverse=True)
    part = Problem(
        problem.resources,
        problem.capacity,
        tuple(problem.names[i] for i in operations.tolist()),
        tuple(problem.mode_sets[g] for g in used.tolist()),
        local.reshape(-1).astype(np.int64),
        np.ascontiguousarray(edges),
    )
    key = groups.tobytes() + b"/" + np.ascontiguousarray(edges).tobytes()
    return Module(operations, part, key)


def schedule_module(problem: Problem, rounds: int = 3) -> Solution:
    """The best of the list and insertion schedules of a module, each with forward-backward rounds.

    Where there are modes to choose from, a descent over rules comes first.
    """
    lists, inserter = ListScheduler(problem), Inserter(problem)
    best: Solution | None = None
    value = 0
    firsts = [make(reverse=reverse) for reverse in (False, True) for make in (lists.run, inserter.run)]
    if not inserter.single:
        descent = ClassDescent(problem, 0)
        for _ in range(_DESCENT):
            descent.step()
        assert descent.best is not None
        firsts.append(descent.best)
    for first in firsts:
        found = first
        for _ in range(rounds):
            for candidate in _both_ways(inserter, found):
                if best is None or objective(problem, candidate) < value:
                    best, value = candidate, objective(problem, candidate)
                found = candidate
    assert best is not None
    return best


def _both_ways(inserter: Inserter, solution: Solution) -> tuple[Solution, Solution, Solution]:
    """A schedule, the same shifted to the end, and that shifted to the start."""
    length = inserter.problem.modes.duration[inserter.problem.first_mode[inserter.problem.mode_set] + solution.mode]
    late = inserter.run(solution.start + length, reverse=True, mode=solution.mode)
    return solution, late, inserter.run(-late.start, mode=late.mode)


def targets(found: Modules, problem: Problem, decide: Callable[[Module], Solution]) -> tuple[IntArray, IntArray]:
    """Start and mode of every critical operation when the modules run one after the other.

    Parameters
    ----------
    decide
        The schedule of a module; called once for each.

    Returns
    -------
    tuple[IntArray, IntArray]
        Starts, and modes (-1: not in a module); shapes (operations,).
    """
    start = np.zeros(len(problem), dtype=np.int64)
    mode = np.full(len(problem), -1, dtype=np.int64)
    now = 0
    for part in found.chain:
        if isinstance(part, Module):
            own = decide(part)
            start[part.operations] = now + own.start
            mode[part.operations] = own.mode
            now += objective(part.problem, own)
        else:
            start[part] = now
            now += int(problem.shortest[problem.mode_set[part]])
    return start, mode
