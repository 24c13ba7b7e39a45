"""Schedules made around the spine: first where each operator beside it runs, then everything inserted in that order.

A mixed-integer program (``spine_bound``) says between which barriers each weight gradient finds room; insertion
schedules (``insertion``) make a schedule of it. A local search then moves single operators to other intervals.
List schedules are greedy in time: they start a long weight gradient because a core is free, and the spine waits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from accmine.cost import RESOURCES
from accmine.ports import NEVER, Clock
from accmine.problems.design_search.barriers import Chain, chain
from accmine.problems.operator_schedule import Problem, Solution, durations, objective
from accmine.workload import OperatorGraph

from ..schedule_bounds.spine_bound import SpineProgram
from .insertion import Inserter

__all__ = ["spine_schedule"]

FloatArray = npt.NDArray[np.float64]

_NODES = 20
_BEFORE, _INSIDE, _AFTER = 0.0, 0.5, 0.75
"""Places in the line within an interval: before the operators of the spine, these, and behind them."""
_ROUNDS = 2


@dataclass
class _Best:
    solution: Solution
    value: int
    place: FloatArray


def spine_schedule(
    problem: Problem,
    graph: OperatorGraph,
    *,
    tries: int,
    start: Solution | None = None,
    clock: Clock = NEVER,
    seed: int = 0,
    bound: int = 0,
) -> tuple[Solution | None, int]:
    """The best schedule found and the insertion schedules made; ``None`` where the graph has no spine.

    Parameters
    ----------
    problem
        A lowered schedule of ``graph``.
    tries
        Moves of the local search.
    start
        A schedule to take the places of the operators from, beside those of the programs.
    clock
        When it ends.
    bound
        A makespan that is good enough.
    """
    found = chain(graph)
    if found is None or problem.resources != RESOURCES or len(problem) == 0:
        return None, 0
    inserter = Inserter(problem)
    best: _Best | None = None
    made = 0
    for place in _places(problem, found, start):
        if best is not None and clock.over():
            break
        candidate = _inserted(inserter, place)
        for _ in range(_ROUNDS):
            candidate = min(candidate, _shifted(inserter, candidate), key=lambda c: c.value)
        made += 1 + 2 * _ROUNDS
        if best is None or candidate.value < best.value:
            best = candidate
    if best is None:
        return None, made
    random = np.random.default_rng(seed)
    weight = problem.shortest[problem.mode_set].astype(np.float64)
    members = np.bincount(found.first[found.first == found.last], minlength=int(found.last.max()) + 1)
    weight[(found.first == found.last) & (members[found.first] == 1)] = 0.0  # alone on the spine: no choice
    if weight.sum() <= 0:
        return best.solution, made
    for _ in range(tries):
        if best.value <= bound or clock.over():
            break
        place = best.place.copy()
        for v in random.choice(len(weight), size=int(random.integers(1, 4)), p=weight / weight.sum()).tolist():
            place[v] = _moved(random, float(place[v]), int(found.first[v]), int(found.last[v]))
        candidate = _inserted(inserter, place)
        made += 1
        if candidate.value <= best.value:
            best = candidate
    return best.solution, made


def _moved(random: np.random.Generator, place: float, first: int, last: int) -> float:
    """Another place in the line for an operator that may run from interval ``first`` to ``last``."""
    if first == last:
        return first + _INSIDE + float(random.uniform(-0.2, 0.2))
    near = int(place) + int(random.integers(-4, 5))
    k = min(max(near, first), last) if random.random() < 0.5 else int(random.integers(first, last + 1))
    return k + float(random.choice((_BEFORE, _AFTER)))


def _inserted(inserter: Inserter, place: FloatArray) -> _Best:
    solution = inserter.run(-np.rint(1000 * place).astype(np.int64))
    return _Best(solution, objective(inserter.problem, solution), place)


def _shifted(inserter: Inserter, found: _Best) -> _Best:
    """The schedule shifted to its end and back to its start."""
    end = found.solution.start + durations(inserter.problem, found.solution)
    late = inserter.run(end, reverse=True, mode=found.solution.mode)
    early = inserter.run(-late.start, mode=late.mode)
    return _Best(early, objective(inserter.problem, early), found.place)


def _places(problem: Problem, found: Chain, start: Solution | None) -> list[FloatArray]:
    """Places in the line of every operator, in intervals of the chain, from several sources."""
    inside = found.first == found.last
    rows: list[FloatArray] = []
    if start is not None:
        ends = np.sort((start.start + durations(problem, start))[found.barrier])
        at = np.clip(np.searchsorted(ends, start.start, side="right"), found.first, found.last)
        rows.append(np.asarray(at + np.where(inside, _INSIDE, _BEFORE), dtype=np.float64))
    programs = [None, *(r for r in (0, 1) if problem.capacity[r] == 1)]
    for sealed in programs:
        program = SpineProgram(problem, found, sealed)
        slots = program.assignment(_NODES)
        if slots is None:
            continue
        # The first interval of the chain in each of the program, and the class of each operator.
        begin = np.searchsorted(program.interval, np.arange(program.intervals))
        number = {tuple(row): i for i, row in enumerate(program.classes.tolist())}
        place = found.first.astype(np.float64)
        for v in np.flatnonzero(~inside).tolist():
            first, last = int(program.interval[found.first[v]]), int(program.interval[found.last[v]])
            own = slots.get(number[int(problem.mode_set[v]), first, last], [])
            k = own.pop(0) if own else last
            place[v] = min(max(int(begin[k]), int(found.first[v])), int(found.last[v]))
        rows += [place + np.where(inside, _INSIDE, side) for side in (_BEFORE, _AFTER)]
    return rows or [np.asarray(found.first + _INSIDE, dtype=np.float64)]
