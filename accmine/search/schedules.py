"""Schedules: the operator schedule of every phase of a task on a design, solved, refined and verified."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace

from accmine.cost.modes import CostLibrary
from accmine.hardware.design import Design
from accmine.ports import Stop
from accmine.problems.design_search.lowering import Lowered, lower
from accmine.problems.operator_schedule import Problem, Solution
from accmine.result import Result, Status, StopReason
from accmine.solving import solve
from accmine.workload.task import Task

__all__ = ["LIST_PASSES", "PhaseSchedule", "TaskSchedule", "list_cycles", "schedule_task", "schedule_tasks"]

LIST_PASSES = 4
"""List schedules that the quick effort makes per graph."""


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
    """The schedules of all phases of a task on a design."""

    task: Task
    design: Design
    phases: tuple[PhaseSchedule, ...]

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
        Limits of the whole task; ``seconds`` and ``work`` are divided by what the phases weigh in a step.
    known
        A schedule of every phase to start from.
    """
    problems = [lower(phase.graph, library, design) for phase in task.phases]
    hints = [None] * len(problems) if known is None else known
    quick = [
        _heard(solve(part.problem, "critical-path", stop=Stop(work=LIST_PASSES), seed=seed, hint=hint))
        for part, hint in zip(problems, hints, strict=True)
    ]
    if refine == "list":
        return TaskSchedule(task, design, tuple(map(PhaseSchedule, problems, quick)))
    weight = [p.repeats * int(r.objective or 0) for p, r in zip(task.phases, quick, strict=True)]
    total = max(1, sum(weight))
    refined = [
        _refine(part.problem, result, refine, _part(stop, w / total), seed)
        for part, result, w in zip(problems, quick, weight, strict=True)
    ]
    return TaskSchedule(task, design, tuple(map(PhaseSchedule, problems, refined)))


def list_cycles(
    tasks: Sequence[Task], library: CostLibrary, designs: Sequence[Design], seconds: float | None = None
) -> list[list[tuple[int, ...]]]:
    """Makespans of a few list schedules of each phase of each task on each design, every one checked.

    After ``seconds`` no further design is begun; the first one always is.
    """
    deadline = Stop(seconds=seconds).deadline()
    first: dict[object, int] = {}
    twin = [first.setdefault(task.signature, i) for i, task in enumerate(tasks)]
    rows: list[list[tuple[int, ...]]] = []
    for design in designs:
        if rows and time.monotonic() > deadline:
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


def _part(stop: Stop, share: float) -> Stop:
    return Stop(
        seconds=None if stop.seconds is None else stop.seconds * share,
        work=None if stop.work is None else max(1.0, stop.work * share),
        gap=stop.gap,
        workers=stop.workers,
    )


def _heard(result: Result[Solution]) -> Result[Solution]:
    """The result, unless its solver was interrupted: solvers keep what they have, a run of them ends."""
    if result.stop is StopReason.INTERRUPTED:
        raise KeyboardInterrupt
    return result


def _refine(problem: Problem, start: Result[Solution], refine: str, stop: Stop, seed: int) -> Result[Solution]:
    """The schedule of more effort, starting from the one there is."""
    if start.stop is StopReason.PROVED:
        return start
    name = "auto" if refine == "cp-sat" else "critical-path"
    return better(start, _heard(solve(problem, name, stop=stop, seed=seed, hint=start.solution)))


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


def schedule_tasks(
    jobs: Sequence[tuple[Task, CostLibrary, Design]],
    refine: str,
    stop: Stop,
    seed: int,
    executor: Executor | None = None,
) -> list[TaskSchedule]:
    """Schedule several tasks; equal tasks on equal designs once, the others in parallel with an executor."""
    first: dict[object, int] = {}
    keys = [(task.signature, design, id(library)) for task, library, design in jobs]
    twin = [first.setdefault(key, i) for i, key in enumerate(keys)]
    distinct = sorted(set(twin))
    # Several run at once with an executor, but none for longer than the whole may take.
    share = _part(stop, min(1.0, (1 if executor is None else stop.workers) / max(1, len(distinct))))
    one = replace(share, workers=1 if executor is not None and len(distinct) > 1 else stop.workers)
    if executor is None or len(distinct) == 1:
        done = {i: _results(*jobs[i], refine, one, seed) for i in distinct}
    else:
        # A chunk per worker ships graphs and costs once; schedules come back without the problems they solve.
        chunks = [distinct[i :: stop.workers] for i in range(stop.workers)]
        futures = {
            tuple(chunk): executor.submit(_results_of, [jobs[i] for i in chunk], refine, one, seed)
            for chunk in chunks
            if chunk
        }
        done = {i: r for chunk, f in futures.items() for i, r in zip(chunk, f.result(), strict=True)}
    return [_put_together(*jobs[i], done[t]) for i, t in enumerate(twin)]


def _results_of(
    jobs: Sequence[tuple[Task, CostLibrary, Design]], refine: str, stop: Stop, seed: int
) -> list[tuple[Result[Solution], ...]]:
    return [_results(*job, refine, stop, seed) for job in jobs]


def _results(
    task: Task, library: CostLibrary, design: Design, refine: str, stop: Stop, seed: int
) -> tuple[Result[Solution], ...]:
    return tuple(phase.result for phase in schedule_task(task, library, design, refine, stop, seed).phases)


def _put_together(
    task: Task, library: CostLibrary, design: Design, results: Sequence[Result[Solution]]
) -> TaskSchedule:
    parts = [lower(phase.graph, library, design) for phase in task.phases]
    return TaskSchedule(task, design, tuple(map(PhaseSchedule, parts, results)))
