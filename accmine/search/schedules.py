"""Schedules: the operator schedule of every phase of a task on a design, solved, refined and verified."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf

from accmine.cost import CostLibrary
from accmine.hardware import Design
from accmine.ports import Stop
from accmine.problems.design_search.lowering import Lowered, lower
from accmine.problems.operator_schedule import Problem, Solution
from accmine.result import Result, Status, StopReason
from accmine.solving import solve
from accmine.workload import Task

__all__ = [
    "LIST_PASSES",
    "PLACED",
    "PhaseSchedule",
    "TaskSchedule",
    "list_cycles",
    "list_work",
    "lowered_of",
    "results_of",
    "schedule_task",
    "task_schedule",
]

LIST_PASSES, FULL_PASSES = 4, 30
"""Schedules that the quick effort makes per graph, and those of the whole plan of ``critical-path``."""

PLACED, _OVERHEAD = 200_000, 200
"""Operations that list schedules place in a unit of work (the rate of the solver ``auto``), and operations that the
beginning of a list schedule is worth."""

_LEAST_WORK = 1e-3
"""What a refinement is given at least: solvers want a limit above 0."""


@dataclass(frozen=True, eq=False)
class PhaseSchedule:
    """The schedule of one phase, with what is proven of it."""

    lowered: Lowered
    result: Result[Solution]

    @property
    def cycles(self) -> int:
        """Makespan."""
        assert self.result.objective is not None
        return int(self.result.objective)


@dataclass(frozen=True, eq=False)
class TaskSchedule:
    """The schedules of all phases of a task on a design.

    Attributes
    ----------
    settled
        Whether all the effort of this run went into them; those of an earlier try may be refined further.
    """

    task: Task
    design: Design
    phases: tuple[PhaseSchedule, ...]
    settled: bool = True

    @property
    def phase_s(self) -> tuple[float, ...]:
        """Makespans in seconds."""
        return tuple(phase.cycles / self.design.frequency_hz for phase in self.phases)

    @property
    def busy_s(self) -> float:
        """Time the device works in a step."""
        return sum(p.repeats * s for p, s in zip(self.task.phases, self.phase_s, strict=True))

    @property
    def energy_j(self) -> float:
        """Dynamic energy of a step."""
        return sum(
            run.repeats * phase.lowered.energy_j(_solution(phase.result))
            for run, phase in zip(self.task.phases, self.phases, strict=True)
        )


def _solution(result: Result[Solution]) -> Solution:
    assert result.solution is not None
    return result.solution


def list_work(operations: int, passes: int = LIST_PASSES) -> float:
    """Units of work of list schedules of a graph."""
    return passes * (operations + _OVERHEAD) / PLACED


def schedule_task(
    task: Task,
    library: CostLibrary,
    design: Design,
    refine: str,
    stop: Stop,
    seed: int,
    known: Sequence[Solution] | None = None,
) -> TaskSchedule:
    """Schedule every phase of ``task`` on ``design``.

    Parameters
    ----------
    refine
        ``list`` for a few list schedules, ``none`` for the whole portfolio of list schedules, ``cp-sat``
        for everything that the solver ``auto`` knows: CP-SAT, stronger bounds, insertion and windows.
    stop
        Limits of the whole task; the list schedules of each phase are made whatever they are (with ``list``: one). What
        is left behind them is divided by what the phases weigh in a step. ``list`` looks at ``seconds`` only.
    known
        A schedule of every phase to start from.
    """
    deadline = stop.deadline()
    problems = lowered_of(task, library, design)
    hints = [None] * len(problems) if known is None else known
    # Those of a schedule to be refined are not cut: they are what its design was chosen for.
    few = _until(deadline if refine == "list" else inf, LIST_PASSES)
    quick = [
        _heard(solve(part.problem, "critical-path", stop=few, seed=seed, hint=hint))
        for part, hint in zip(problems, hints, strict=True)
    ]
    if refine == "list":
        return TaskSchedule(task, design, tuple(map(PhaseSchedule, problems, quick)))
    weights = [p.repeats * int(r.objective or 0) for p, r in zip(task.phases, quick, strict=True)]
    refined = []
    for i, (part, result, weight) in enumerate(zip(problems, quick, weights, strict=True)):
        # Of the time a phase may have what those before it left; of the work what it weighs, so that it repeats.
        left = None if deadline == inf else (deadline - time.monotonic()) * weight / max(1, sum(weights[i:]))
        work = None if stop.work is None else stop.work * weight / max(1, sum(weights))
        refined.append(_refine(part.problem, result, refine, replace(stop, seconds=left, work=work), seed))
    return TaskSchedule(task, design, tuple(map(PhaseSchedule, problems, refined)))


def _until(deadline: float, work: float) -> Stop:
    return Stop(seconds=None if deadline == inf else max(0.0, deadline - time.monotonic()), work=work)


def list_cycles(
    tasks: Sequence[Task], library: CostLibrary, designs: Sequence[Design], stop: Stop
) -> list[list[tuple[int, ...]]]:
    """Makespans of a few list schedules of each phase of each task on each design, every one checked.

    When ``stop`` is reached no further design is begun; the first one always is.
    """
    deadline = stop.deadline()
    first: dict[object, int] = {}
    twin = [first.setdefault(task.signature, i) for i, task in enumerate(tasks)]
    each = sum(list_work(len(phase.graph)) for i in set(twin) for phase in tasks[i].phases)
    rows: list[list[tuple[int, ...]]] = []
    for design in designs:
        if rows and (time.monotonic() > deadline or (stop.work is not None and (len(rows) + 1) * each > stop.work)):
            break
        row: list[tuple[int, ...]] = []
        for i, task in enumerate(tasks):
            if twin[i] < i:
                row.append(row[twin[i]])
            else:
                done = schedule_task(task, library, design, "list", Stop(), 0)
                row.append(tuple(phase.cycles for phase in done.phases))
        rows.append(row)
    return rows


def _heard(result: Result[Solution]) -> Result[Solution]:
    """The result, unless its solver was interrupted: solvers keep what they have, a run of them ends."""
    if result.stop is StopReason.INTERRUPTED:
        raise KeyboardInterrupt
    return result


def _refine(problem: Problem, start: Result[Solution], refine: str, stop: Stop, seed: int) -> Result[Solution]:
    """The schedule of more effort, starting from the one there is."""
    if start.stop is StopReason.PROVED or (stop.seconds is not None and stop.seconds <= 0):
        return start
    if refine == "cp-sat":
        name, work = "auto", None if stop.work is None else max(_LEAST_WORK, stop.work)
    else:  # its limit is a number of list schedules, and it would use up any
        name = "critical-path"
        work = None if stop.work is None else min(FULL_PASSES, max(1, stop.work // list_work(len(problem), 1)))
    return better(start, _heard(solve(problem, name, stop=replace(stop, work=work), seed=seed, hint=start.solution)))


def better(a: Result[Solution], b: Result[Solution]) -> Result[Solution]:
    """The better solution, with the better bound of the two."""
    assert a.objective is not None
    assert b.objective is not None
    best, other = (b, a) if b.objective < a.objective else (a, b)
    if other.bound is not None and (best.bound is None or other.bound > best.bound):
        best = replace(best, bound=other.bound, bound_method=other.bound_method)
    if best.objective == best.bound:
        best = replace(best, status=Status.OPTIMAL, stop=StopReason.PROVED)
    return best


def results_of(
    task: Task,
    library: CostLibrary,
    design: Design,
    refine: str,
    stop: Stop,
    seed: int,
    known: Sequence[Result[Solution]] | None = None,
) -> tuple[Result[Solution], ...]:
    """Results of the phases of a task as of ``schedule_task``, never worse than ``known`` in makespan or bound."""
    hints = None if known is None else [_solution(result) for result in known]
    more = {} if hints is None else {"known": hints}
    found = tuple(phase.result for phase in schedule_task(task, library, design, refine, stop, seed, **more).phases)
    return found if known is None else tuple(map(better, known, found))


def lowered_of(task: Task, library: CostLibrary, design: Design) -> list[Lowered]:
    """The schedule problems of the phases of a task on a design."""
    return [lower(phase.graph, library, design) for phase in task.phases]


def task_schedule(
    task: Task, design: Design, parts: Sequence[Lowered], results: Sequence[Result[Solution]], *, settled: bool = True
) -> TaskSchedule:
    """The schedule of a task from the results of its phases: they come from workers without their problems."""
    return TaskSchedule(task, design, tuple(map(PhaseSchedule, parts, results)), settled)
