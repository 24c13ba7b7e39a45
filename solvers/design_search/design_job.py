"""What a best-first search does to one design: schedules on the one side, bounds on the other, in levels of effort.

====== ========================================================================================
level  what is done to every phase that is not settled yet
====== ========================================================================================
0      resource-aware heads and tails
1      the program of ``spine_bound``, then a few list schedules if the design is still in question
2      the portfolio of list schedules, schedules around the spine with a local search, ``strong_bound``
3      the same for longer, and CP-SAT where the graph is small
====== ========================================================================================
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from accmine.hardware import Design
from accmine.ports import NEVER, Clock, Solver, Stop
from accmine.problems import operator_schedule
from accmine.problems.design_search import Problem, Schedules
from accmine.problems.design_search.lowering import lower
from accmine.problems.operator_schedule import Solution
from accmine.problems.operator_schedule.cone_bound import METHOD, cones
from accmine.record import Record
from accmine.registry import make_solver
from accmine.workload import OperatorGraph

from ..operator_schedule.critical_path import CriticalPath, quick
from ..operator_schedule.spine_schedule import spine_schedule
from ..schedule_bounds.spine_bound import spine_bound
from ..schedule_bounds.strong_bound import tighten
from .evaluator import PASSES

__all__ = ["FIRST_LOOK", "LEVELS", "Outcome", "Part", "work_on"]

LEVELS = 4
"""Levels of effort."""

FIRST_LOOK = -1
"""The level below: heads and tails and a few list schedules, for a value to compare with."""

_SMALL = 400
"""Operations of a graph that CP-SAT is tried on."""

_TINY = 60
"""Operations of a graph that CP-SAT decides in no time."""

_TRIES = {2: 30.0, 3: 60.0}
"""List schedules of the portfolio, by level."""

_MOVES, _MOST_MOVES = {2: 5e4, 3: 2e5}, {2: 300, 3: 1000}
"""Moves of the local search on spine schedules times operations, and the most moves, by level."""

_SPINE_SECONDS = {2: 2.0, 3: 8.0}

_SECONDS = {2: 0.5, 3: 4.0}
"""Of a bound or of CP-SAT, by level; with a limit in work as many units of deterministic time."""


@dataclass(frozen=True, eq=False)
class Part:
    """What is known of one phase on one design.

    Attributes
    ----------
    cycles, solution
        Makespan of the best schedule and the schedule; ``None`` before there is one.
    bound, method
        No schedule is shorter; how that was proved.
    """

    cycles: int | None
    solution: Solution | None
    bound: int
    method: str


@dataclass(frozen=True, eq=False)
class Outcome:
    """What is known of every phase of every task on a design.

    Attributes
    ----------
    made
        List schedules that took.
    """

    parts: tuple[tuple[Part, ...], ...]
    made: int = 0

    def schedules(self) -> Schedules | None:
        """By task and phase; ``None`` while one is missing."""
        rows = tuple(tuple(p.solution for p in row if p.solution is not None) for row in self.parts)
        return rows if all(len(row) == len(own) for row, own in zip(rows, self.parts, strict=True)) else None


def work_on(
    problem: Problem,
    design: Design,
    level: int,
    known: Outcome | None,
    targets: Sequence[Sequence[float]],
    seconds: float | None,
    seed: int,
) -> Outcome:
    """One level of effort on every phase of every task.

    Parameters
    ----------
    known
        Outcome of the level before.
    targets
        Of each phase: the cycles above which its bound proves the whole design no better than the best known.
    seconds
        Time left; ``None``: no decision looks at the clock.
    """
    clock = Clock.after(seconds)
    first: dict[object, int] = {}
    rows: list[tuple[Part, ...]] = []
    schedules = 0
    for t, task in enumerate(problem.tasks):
        twin = first.setdefault(task.signature, t)
        if twin != t:
            rows.append(rows[twin])
            continue
        row = []
        for p, phase in enumerate(task.phases):
            part = None if known is None else known.parts[t][p]
            if part is not None and part.cycles is not None and part.cycles <= part.bound:
                row.append(part)
                continue
            schedule = lower(phase.graph, problem.library, design).problem
            found, made = _effort(schedule, phase.graph, level, part, targets[t][p], clock, seed)
            schedules += made
            row.append(found)
        rows.append(tuple(row))
    return Outcome(tuple(rows), schedules)


def _effort(
    problem: operator_schedule.Problem,
    graph: OperatorGraph,
    level: int,
    known: Part | None,
    target: float,
    clock: Clock,
    seed: int,
) -> tuple[Part, int]:
    """A better schedule and a better bound of one phase, and the list schedules made."""
    if known is None:
        value, method = operator_schedule.bound(problem)
        known = Part(None, None, value, method)
    if level == FIRST_LOOK:
        return _listed(problem, known), len(PASSES)
    if level == 0:
        return known, 0
    part = _bounded(problem, graph, level, known, target, clock, seed)
    if part.bound >= target:
        return part, 0
    made = 0
    if part.cycles is None:
        part, made = _listed(problem, part), len(PASSES)
    if level >= 2 and _open(part):
        part = _searched(problem, part, CriticalPath(), clock.stop(_TRIES[level]), seed)
        made += int(_TRIES[level])
    if level >= 2 and _open(part):
        found, tries = spine_schedule(
            problem,
            graph,
            tries=min(_MOST_MOVES[level], int(_MOVES[level] / max(1, len(problem)))),
            start=part.solution,
            clock=clock.part(most_s=_SPINE_SECONDS[level]),
            seed=seed,
            bound=part.bound,
        )
        made += tries
        if found is not None:
            part = _joined(part, operator_schedule.objective(problem, found), found, None)
    if _open(part) and len(problem) <= _SMALL and (level >= 3 or (level == 2 and len(problem) <= _TINY)):
        part = _cp_sat(problem, level, part, clock, seed)
    return part, made


def _open(part: Part) -> bool:
    return part.cycles is None or part.bound < part.cycles


def _listed(problem: operator_schedule.Problem, part: Part) -> Part:
    solution = quick(problem, PASSES)
    return _joined(part, operator_schedule.objective(problem, solution), solution, None)


def _searched(problem: operator_schedule.Problem, part: Part, solver: Solver, stop: Stop, seed: int) -> Part:
    """The part after a solver, which starts from its schedule."""
    record = Record[Solution](problem, stop, seed=seed, hint=part.solution, solver=solver.name)
    solver.search(record)
    return _joined(part, record.score, record.best, record.bound, record.bound_method)


def _bounded(
    problem: operator_schedule.Problem,
    graph: OperatorGraph,
    level: int,
    part: Part,
    target: float,
    clock: Clock,
    seed: int,
) -> Part:
    """The part with a better bound, unless it already proves enough."""
    upper = min(target, inf if part.cycles is None else part.cycles)
    if part.bound >= upper:
        return part
    if level <= 1:
        return _joined(part, None, None, *spine_bound(problem, graph))
    own = _SECONDS[level]
    tight = tighten(
        problem,
        cones(problem),
        upper=int(min(upper, operator_schedule.MAX_TIME)),
        clock=clock.part(most_s=own),
        work=own if clock == NEVER else None,
        seed=seed,
    )
    return _joined(part, None, None, tight.bound, tight.method)


def _cp_sat(problem: operator_schedule.Problem, level: int, part: Part, clock: Clock, seed: int) -> Part:
    """CP-SAT on the whole graph, from the best schedule."""
    own = _SECONDS[level]
    stop = Stop(work=own) if clock == NEVER else clock.part(most_s=own).stop()
    return _searched(problem, part, make_solver(operator_schedule.KIND, "cp-sat"), stop, seed)


def _joined(
    part: Part, cycles: float | None, solution: Solution | None, bound: float | None, method: str = METHOD
) -> Part:
    """The shorter schedule and the higher bound."""
    if cycles is not None and solution is not None and (part.cycles is None or cycles < part.cycles):
        part = Part(int(cycles), solution, part.bound, part.method)
    if bound is not None and bound > part.bound:
        part = Part(part.cycles, part.solution, int(bound), method)
    return part
