"""Solvers of operator schedules side by side: every one on every problem of studies, with every seed and limit.

A problem's bound is proven once and shared. A solver that raises, returns nothing, fails the check or loses its process
gives a row with the reason, and the others go on. Rows are kept in run folders without their gaps, which depend on what
else was measured.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass, replace
from functools import cache
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from typing import Any

from accmine.errors import CheckError, InputError, WorkerLostError
from accmine.files import content_hash, did_you_mean
from accmine.ports import Stop
from accmine.problems.operator_schedule import KIND, Problem
from accmine.questions.gap.schedules.problems import PhaseProblem, phase_problems
from accmine.questions.gap.schedules.record import Bound, Found, ScheduleRow
from accmine.questions.run.folder import RunFolder, open_run, task_key
from accmine.registry import make_solver, place_of, solvers_of
from accmine.report import from_json
from accmine.result import StopReason
from accmine.solving import solve
from accmine.study import LoadedStudy, Study
from accmine.workers import workers

__all__ = ["BOUND_S", "Measurement", "check_methods", "measure"]

PROVER = "strong-bound"
BOUND_S = 60.0
"""Seconds that the bound of a problem may take; those of the shipped models take less."""

_OWN = "accmine."
"""Begins the modules whose code every run folder knows."""


@dataclass(frozen=True)
class Measurement:
    """What is measured.

    Attributes
    ----------
    methods
        Registered solvers of operator schedules.
    seeds, limits_s
        Every combination of the two.
    workers
        Processes; each solver has one thread.
    runs, again
        Folder of run folders, ``None`` to keep nothing; whether to measure also what is there.
    """

    methods: Sequence[str]
    seeds: Sequence[int]
    limits_s: Sequence[float]
    workers: int = 1
    runs: Path | None = None
    again: bool = False


def check_methods(methods: Sequence[str]) -> None:
    """Refuse names of no solver of operator schedules, and one given twice.

    Raises
    ------
    InputError
        Names those that there are.
    """
    known = solvers_of(KIND)
    for index, name in enumerate(methods):
        if name not in known:
            near = did_you_mean(name, known)
            raise InputError(f"unknown solver {name!r}; {near}known: {', '.join(known)}", field="--schedule")
        if name in methods[:index]:
            raise InputError(f"{name} is given twice", field="--schedule")


@dataclass(frozen=True)
class _Job:
    """A solver on the problem of a place in the list; with ``bound`` the prover, for the bound of all."""

    at: int
    method: str
    seed: int
    limit_s: float
    bound: bool = False


def measure(
    found: Found,
    studies: Sequence[tuple[str, LoadedStudy | Study]],
    what: Measurement,
    design: str | None = None,
    *,
    on_step: Callable[[str], None] = lambda _: None,
) -> None:
    """Fill ``found``, first with what run folders hold; an interrupt leaves there what is done.

    Parameters
    ----------
    studies
        (name, study) each.
    design
        Name or file; default: as ``phase_problems``.
    on_step
        Told what is built or measured.

    Raises
    ------
    InputError
        For an unknown solver, or what is wrong with a study.
    CheckError
        If accmine's own solvers find no bound.
    """
    check_methods(what.methods)
    problems: list[PhaseProblem] = []
    folders: list[RunFolder | None] = []
    for name, study in studies:
        on_step(f"{name}: problems")
        own = phase_problems(name, study, design)
        plain = study.study if isinstance(study, LoadedStudy) else study
        problems += own
        folders += [None if what.runs is None else open_run(what.runs, plain)] * len(own)
    jobs: list[_Job] = []
    for at in range(len(problems)):  # problem by problem: an interrupt leaves whole ones
        every = product(what.methods, what.limits_s, what.seeds)
        jobs.append(_Job(at, PROVER, 0, BOUND_S, bound=True))
        jobs += [_Job(at, method, seed, limit) for method, limit, seed in every]
    left: list[tuple[int, _Job]] = []
    for place, job in enumerate(jobs):
        kept = None if what.again else _kept(folders[job.at], job, problems[job.at])
        if kept is None:
            left.append((place, job))
        else:
            found.take(place, problems[job.at], kept)
    for place, job, values in _measured(left, problems, what.workers, on_step):
        own_problem, folder = problems[job.at], folders[job.at]
        answer = _answer(own_problem, job, values)
        found.take(place, own_problem, answer)
        if folder is not None and not values["failure"]:  # what failed is tried again
            folder.put(_key(job, own_problem), {"answer": answer.to_json()})


def _measured(
    jobs: Sequence[tuple[int, _Job]],
    problems: Sequence[PhaseProblem],
    count: int,
    on_step: Callable[[str], None],
) -> Iterator[tuple[int, _Job, dict[str, Any]]]:
    """Place, job and values as they are done, here or in workers."""

    def tell(job: _Job) -> None:
        what = "bound" if job.bound else f"{job.method}, seed {job.seed}, {job.limit_s:g} s"
        on_step(f"{problems[job.at].name}: {what}")

    with workers(max(1, min(count, len(jobs))), [own.problem for own in problems]) as pool:
        if pool is None:
            for place, job in jobs:
                tell(job)
                yield place, job, _run(problems[job.at].problem, job)
            return
        waits = {pool.submit(_run, problems[job.at].problem, job): (place, job) for place, job in jobs}
        for future in as_completed(waits):
            place, job = waits[future]
            tell(job)
            try:
                yield place, job, future.result()
            except WorkerLostError as error:
                yield place, job, {"failure": str(error)}


def _run(problem: Problem, job: _Job) -> dict[str, Any]:
    """What a row holds of a result, or why there is none."""
    began = time.monotonic()
    try:
        result = solve(problem, make_solver(KIND, job.method), stop=Stop(seconds=job.limit_s), seed=job.seed)
        if result.stop is StopReason.INTERRUPTED:
            raise KeyboardInterrupt
        found = {
            "makespan": None if result.objective is None else int(result.objective),
            "own_bound": None if result.bound is None else int(result.bound),
            "own_proof": result.bound_method,
            "stop": result.stop.value,
            "failure": "" if result.objective is not None else f"no schedule ({result.stop.value})",
        }
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a solver of another package raises is its row
        found = {"failure": f"{type(error).__name__}: {' '.join(str(error).split())}"}
    return {**found, "seconds": time.monotonic() - began}


def _answer(own: PhaseProblem, job: _Job, values: dict[str, Any]) -> Bound | ScheduleRow:
    if job.bound:
        if values["failure"]:
            raise CheckError(f"{own.name}: no bound: {values['failure']}")
        return Bound(values["own_bound"], values["own_proof"])
    return ScheduleRow(
        study=own.study,
        model=own.model,
        stages=own.stages,
        phase=own.phase,
        design=own.design,
        problem=own.name,
        operations=len(own.problem),
        repeats=own.repeats,
        cycle_s=own.cycle_s,
        method=job.method,
        seed=job.seed,
        limit_s=job.limit_s,
        believed=place_of(KIND, job.method).startswith(_OWN),
        **values,
    )


@cache
def _code_of(method: str) -> str:
    """Of a solver of another package: a digest of all its modules; run folders know the code of accmine."""
    module = place_of(KIND, method).partition(":")[0]
    if module.startswith(_OWN):
        return ""
    spec = find_spec(module.partition(".")[0])
    if spec is None:
        return module
    roots = [Path(root) for root in spec.submodule_search_locations or ()]
    files = [file for root in roots for file in root.rglob("*.py")] or ([Path(spec.origin)] if spec.origin else [])
    return task_key(code=[content_hash(file) for file in sorted(files)])


def _key(job: _Job, own: PhaseProblem) -> str:
    parts = {
        "method": job.method,
        "bound": job.bound,
        "seed": job.seed,
        "limit": job.limit_s,
        "code": _code_of(job.method),
    }
    problem = [
        own.name,
        own.repeats,
        own.problem.capacity.tolist(),
        [m.duration.tolist() for m in own.problem.mode_sets],
    ]
    return f"schedule-{task_key(problem=problem, **parts)[:16]}"


def _kept(folder: RunFolder | None, job: _Job, own: PhaseProblem) -> Bound | ScheduleRow | None:
    found = None if folder is None else folder.get(_key(job, own))
    if found is None:
        return None
    if job.bound:
        return from_json(Bound, found["answer"], "schedule.json")
    return replace(from_json(ScheduleRow, found["answer"], "schedule.json"), study=own.study, reused=True)
