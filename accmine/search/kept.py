"""What a run keeps of its schedules, in JSON, and how it is believed again: as claims, which are checked.

Schedules are integers: a start and a mode for each operation. They are kept under what decides them, so that a schedule
of another problem is not even looked at, and pass the check of their problem again when they are read.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import asdict, replace
from math import inf
from typing import Any

import numpy as np

from accmine.cost import CostLibrary
from accmine.hardware import Design
from accmine.plan import Plan
from accmine.ports import Stop
from accmine.problems.design_search.lowering import Lowered
from accmine.problems.operator_schedule import KIND, Problem, Solution
from accmine.result import Result, Status, StopReason
from accmine.search.schedules import TaskSchedule, better, lowered_of, results_of, task_schedule
from accmine.search.session import Found, Member, Session
from accmine.solving import verify, versions
from accmine.workload import Task

__all__ = [
    "digest_of",
    "reference_key",
    "results_from_json",
    "results_to_json",
    "schedule_key",
    "schedule_tasks",
    "schedules_from_json",
    "schedules_to_json",
    "solution_from_json",
    "solution_to_json",
]

Job = tuple[Task, CostLibrary, Design]
Results = tuple[Result[Solution], ...]
"""Of the phases of a task."""


def digest_of(problem: Problem) -> str:
    """SHA-256 (hex) of all that makes a schedule valid and decides its makespan; names are none of it."""
    found = hashlib.sha256()
    arrays = [problem.capacity, problem.mode_set, problem.edges]
    arrays += [array for modes in problem.mode_sets for array in (modes.duration, modes.uses)]
    for array in arrays:
        found.update(f"{array.shape}".encode())
        found.update(np.ascontiguousarray(array, dtype=np.int64).tobytes())
    return found.hexdigest()


def _key(*values: Any) -> str:
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()[:32]


def reference_key(plan: Plan) -> str:
    """Of the step times that values are relative to: a bound of a value is one of these units only."""
    return _key(plan.reference_s, plan.reference_busy_s, *plan.mixes)


def schedule_key(problems: Sequence[Problem], repeats: Sequence[int], *effort: Any) -> str:
    """Of the schedules of a task's phases, by the problems, what they weigh in a step, and the effort."""
    return _key([digest_of(problem) for problem in problems], list(repeats), effort)


def solution_to_json(solution: Solution | None) -> dict[str, Any]:
    """Start and mode of every operation in the order of the problem."""
    assert solution is not None
    return {"start": solution.start.tolist(), "mode": solution.mode.tolist()}


def solution_from_json(row: Mapping[str, Any]) -> Solution:
    """The solution of ``solution_to_json``; whether it is one is for its problem to check."""
    return Solution(*(np.array(row[name], dtype=np.int64) for name in ("start", "mode")))


def results_to_json(results: Results) -> list[dict[str, Any]]:
    """The schedules of the phases of a task, with what is proven of each."""
    return [
        {
            **solution_to_json(result.solution),
            "cycles": int(result.objective or 0),
            "bound": None if result.bound is None else int(result.bound),
            "bound_method": result.bound_method,
            "solver": result.solver,
            "status": result.status.value,
            "stop": result.stop.value,
        }
        for result in results
    ]


def results_from_json(problems: Sequence[Problem], rows: Sequence[Mapping[str, Any]]) -> Results:
    """The results of ``results_to_json``, each checked against its problem.

    Raises
    ------
    CheckError
        If a schedule is none, or its makespan, bound and status contradict each other.
    """
    return tuple(
        verify(
            problem,
            Result(
                kind=KIND,
                solver=str(row["solver"]),
                status=Status(row["status"]),
                stop=StopReason(row["stop"]),
                objective=row["cycles"],
                bound=row["bound"],
                bound_method=str(row["bound_method"]),
                solution=solution_from_json(row),
                versions=versions(),
            ),
        )
        for problem, row in zip(problems, rows, strict=True)
    )


def schedules_to_json(schedules: Mapping[Member, TaskSchedule]) -> list[dict[str, Any]]:
    """Designs and schedules of devices, equal ones once."""
    rows: dict[Any, dict[str, Any]] = {}
    for member, own in schedules.items():
        key = (own.task.signature, own.design)
        if key not in rows:
            results = tuple(phase.result for phase in own.phases)
            rows[key] = {"members": [], "design": asdict(own.design), "phases": results_to_json(results)}
        rows[key]["members"].append(list(member))
    return list(rows.values())


def schedules_from_json(session: Session, rows: Sequence[Mapping[str, Any]]) -> dict[Member, TaskSchedule]:
    """The schedules of ``schedules_to_json``, checked; more effort may go into each of them.

    Raises
    ------
    CheckError
        As ``results_from_json``.
    """
    found: dict[Member, TaskSchedule] = {}
    for row in rows:
        design = Design.from_table(row["design"])
        for w, s in row["members"]:
            task = session.plan.pipelines[w].tasks[s]
            parts = lowered_of(task, session.library, design)
            results = results_from_json([part.problem for part in parts], row["phases"])
            found[w, s] = task_schedule(task, design, parts, results, settled=False)
    return found


def schedule_tasks(
    session: Session,
    jobs: Sequence[Job],
    effort: str,
    stop: Stop,
    *,
    known: Sequence[TaskSchedule | None] = (),
    once: bool = False,
) -> list[TaskSchedule]:
    """Schedule tasks on designs, equal ones once; ``stop`` limits all of them together.

    Those of more than a few list schedules are kept, each as it is finished, and read back; what an earlier try with a
    shorter budget kept is where they begin. The work is charged to the session as it was granted.

    Parameters
    ----------
    known
        A schedule of each job to start from.
    once
        What is kept is taken as it is, whatever budget it had.
    """
    first: dict[object, int] = {}
    keys = [(task.signature, design, id(library)) for task, library, design in jobs]
    twin = [first.setdefault(key, i) for i, key in enumerate(keys)]
    distinct = sorted(set(twin))
    each = replace(stop, work=None if stop.work is None else stop.work / max(1, len(distinct)))
    parts = [lowered_of(*job) for job in jobs]
    names: dict[int, str] = {}
    if effort != "list":
        names = {i: _name_of(session, jobs[i][0], parts[i], effort, each, once) for i in distinct}
    kept = {i: _kept(session, name, parts[i]) for i, name in names.items()}
    start = {i: _start(kept.get(i), known[i] if i < len(known) else None) for i in distinct}
    done = {i: start[i] for i, found in kept.items() if found is not None and (found.final or once)}
    todo = [i for i in distinct if i not in done]
    for i, results in _scheduled(session, {i: jobs[i] for i in todo}, effort, each, start, names):
        done[i] = results
    if effort != "list":
        session.budget.spend(stop.work if session.repeats or each.work is None else each.work * len(todo))
    open_ = {i for i, found in kept.items() if found is not None and i not in todo and not found.final}
    return [
        task_schedule(task, design, parts[i], done[t] or (), settled=t not in open_)
        for i, (t, (task, _, design)) in enumerate(zip(twin, jobs, strict=True))
    ]


def _name_of(session: Session, task: Task, parts: Sequence[Lowered], effort: str, each: Stop, once: bool) -> str:
    """Under what a schedule is kept; where a run has to repeat, also by what was granted for it."""
    more = (session.seed, each.work) if session.repeats else ()
    problems, repeats = [part.problem for part in parts], [phase.repeats for phase in task.phases]
    return f"{'baseline' if once else 'schedule'}-{schedule_key(problems, repeats, effort, *more)}"


def _kept(session: Session, name: str, parts: Sequence[Lowered]) -> Found[Results] | None:
    problems = [part.problem for part in parts]
    return session.known(name, lambda row: results_from_json(problems, row["phases"]))


def _start(kept: Found[Results] | None, known: TaskSchedule | None) -> Results | None:
    """The better of two schedules of every phase, as far as there are any."""
    own = None if known is None else tuple(phase.result for phase in known.phases)
    if kept is None or own is None:
        return own if kept is None else kept.value
    return tuple(map(better, kept.value, own))


def _scheduled(
    session: Session,
    jobs: Mapping[int, Job],
    effort: str,
    each: Stop,
    start: Mapping[int, Results | None],
    names: Mapping[int, str],
) -> Iterator[tuple[int, Results]]:
    """Results of jobs, kept as each is finished: one after the other, or one for each worker at a time.

    ``each`` limits the seconds of all and the work of each; ``names`` says under what they are kept.
    """
    deadline, executor = each.deadline(), session.executor if len(jobs) > 1 else None
    width = 1 if executor is None else each.workers
    one = each if executor is None else replace(each, workers=1)
    waiting, running = list(jobs), dict[Future[Results], int]()

    def heard(i: int, results: Results) -> tuple[int, Results]:
        if i in names:
            proved = all(result.stop is StopReason.PROVED for result in results)
            session.keep(names[i], {"phases": results_to_json(results)}, complete=proved)
        return i, results

    while waiting or running:
        while waiting and len(running) < width:
            left = max(0.0, deadline - time.monotonic()) / -(-(len(waiting) + len(running)) // width)
            i = waiting.pop(0)
            limited = replace(one, seconds=None if deadline == inf else left)
            if i in names:
                session.begin(names[i])
            if executor is None:
                yield heard(i, results_of(*jobs[i], effort, limited, session.seed, start[i]))
            else:
                running[executor.submit(results_of, *jobs[i], effort, limited, session.seed, start[i])] = i
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            yield heard(running.pop(future), future.result())
