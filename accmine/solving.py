"""Solve and check problems of any kind: the one door between files or scripts and the solvers.

A solver is never believed: every solution passes through the ``check`` and ``score`` of its problem's own kind
before it leaves here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from accmine.errors import CheckError, InputError
from accmine.files import Document
from accmine.ports import NEVER, Clock, Incumbent, Solver, Stop
from accmine.problems.files import load_problem, load_source, located
from accmine.record import Record
from accmine.registry import DEFAULT_SOLVER, explainer, kind_of, make_solver, solvers_of
from accmine.result import Result, Sense, Status, StopReason, gap

__all__ = [
    "bound_of",
    "explain",
    "load_problem",
    "load_solution",
    "problem_kind",
    "rate",
    "result_to_json",
    "sense_of",
    "solve",
    "verify",
    "versions",
]

_PACKAGES = ("accmine", "numpy", "ortools", "pyomo", "highspy")
_NO_LIMIT = Stop()
_WHY_S = 10.0  # for the reasons of an infeasible problem, where less is left
_TOLERANCE = 1e-9  # of objectives that are floating-point numbers; integers must be equal


def problem_kind(problem: Any) -> str:
    """Kind of a problem, e.g. ``operator-schedule``."""
    return kind_of(problem).KIND


def sense_of(problem: Any) -> Sense:
    """Direction of the objective of ``problem``."""
    return kind_of(problem).sense(problem)


def bound_of(problem: Any) -> tuple[float | int | None, str]:
    """The bound that needs no search, and how it is obtained; (None, "") if the kind has none."""
    kind = kind_of(problem)
    if kind.impossible(problem)[0]:
        return None, "no solution exists"
    score, method = kind.bound(problem)
    return (None if score is None else kind.shown_bound(problem, score)), method


def explain(problem: Any, clock: Clock = NEVER) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(limits in conflict, least change of each that helps) of a problem without solution; both empty otherwise.

    What ``clock`` leaves undecided is said to be so: more limits are named than needed, or a change that is enough and
    not the least.
    """
    kind = kind_of(problem)
    own = explainer(kind.KIND)
    return kind.impossible(problem) if own is None else own(problem, clock)


def _value(problem: Any, solution: Any) -> float | int:
    kind = kind_of(problem)
    return kind.shown(problem, kind.score(problem, solution))


@cache
def versions() -> Mapping[str, str]:
    """Versions of accmine and of what decides or computes, as installed."""
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:  # an engine that is not installed solved nothing
            continue
    return found


def solve(
    problem: Any,
    solver: str | Solver | None = None,
    *,
    stop: Stop = _NO_LIMIT,
    seed: int = 0,
    hint: Any | None = None,
    on_progress: Incumbent | None = None,
) -> Result[Any]:
    """Decide ``problem`` and verify the answer.

    Ctrl-C ends the search and keeps the best solution and bound: the stop reason is ``interrupted``.

    Parameters
    ----------
    solver
        Name of a solver of this kind, or one that was made; default: ``registry.DEFAULT_SOLVER``. One with
        ``solve(problem, *, stop, seed, hint, on_progress) -> Result`` in place of ``search`` is asked for that.
    stop, seed, on_progress
        See ``accmine.ports``.
    hint
        A solution to start from.

    Raises
    ------
    InputError
        If the solver is unknown, or the problem or the hint is not valid.
    CheckError
        If the solution fails its check, or solution, objective, bound and status contradict each other.
    """
    kind = problem_kind(problem)
    chosen: Any = solver
    if solver is None or isinstance(solver, str):
        chosen = make_solver(kind, solver or DEFAULT_SOLVER.get(kind) or next(iter(solvers_of(kind)), ""))
    impossible = kind_of(problem).impossible
    if not isinstance(chosen, Solver) and not impossible(problem)[0]:  # of another package, from before records
        result = chosen.solve(problem, stop=stop, seed=seed, hint=hint, on_progress=on_progress)
        return replace(verify(problem, result), versions=versions())
    record = Record[Any](problem, stop, seed=seed, hint=hint, on_progress=on_progress, solver=chosen.name)
    conflict = impossible(problem)  # within the limit of time: it may need tables
    try:
        if conflict[0]:
            record.no_solution("the limits themselves, before any search")
        reason = record.closed() or chosen.search(record)
    except KeyboardInterrupt:
        reason = StopReason.INTERRUPTED
    if record.infeasible and not record.conflict:
        try:
            record.blame(*explain(problem, max(record.clock, Clock.after(_WHY_S), key=Clock.left)))
        except KeyboardInterrupt:  # that there is no solution is proven all the same
            record.blame((), ("interrupted before the limits in conflict were told apart",))
    return replace(verify(problem, record.result(reason)), versions=versions())


def _close(a: float | int, b: float | int) -> bool:
    if isinstance(a, int) and isinstance(b, int):
        return a == b
    return math.isclose(a, b, rel_tol=_TOLERANCE, abs_tol=0.0)


def verify(problem: Any, result: Result[Any]) -> Result[Any]:
    """The result with ``verified=True`` once its solution passed the problem's own check.

    Raises
    ------
    CheckError
        If a constraint is violated, the objective is another one, the bound lies on the wrong side of it,
        or the status says more than is known.
    """
    if result.solution is None:
        if result.status in (Status.OPTIMAL, Status.FEASIBLE):
            raise CheckError(f"{result.solver}: status {result.status.value} without a solution")
        return result
    kind = kind_of(problem)
    wrong = list(kind.check(problem, result.solution))
    score = kind.score(problem, result.solution)
    value, proof = kind.shown(problem, score), kind.shown_bound(problem, score)
    sense = kind.sense(problem)
    if result.objective is None or not _close(result.objective, value):
        wrong.append(f"objective {result.objective} claimed, {value} recomputed")
    if result.bound is not None and not _close(result.bound, value):
        beyond = result.bound > value if sense is Sense.MINIMIZE else result.bound < value
        if beyond:
            wrong.append(f"bound {result.bound} is better than impossible: a solution has {value}")
        elif result.status is Status.OPTIMAL and not _close(result.bound, proof):
            wrong.append(f"status optimal with objective {value} and bound {result.bound}")
    if result.status not in (Status.OPTIMAL, Status.FEASIBLE) or (
        result.status is Status.OPTIMAL and result.bound is None
    ):
        wrong.append(f"status {result.status.value} with a solution and bound {result.bound}")
    if wrong:
        raise CheckError(f"{result.solver} on {result.kind}: {'; '.join(wrong)}")
    return replace(result, objective=value, sense=sense, verified=True)


def result_to_json(problem: Any, result: Result[Any]) -> dict[str, Any]:
    """The JSON object of a result, in the form that ``rate`` reads back."""
    solution = None if result.solution is None else kind_of(problem).solution_to_json(problem, result.solution)
    header = result.header()
    verified = header.pop("verified")
    return {**header, "solution": solution, "verified": verified}


def rate(problem: Any, solution: Any) -> dict[str, Any]:
    """What a solution from anywhere is worth.

    Parameters
    ----------
    solution
        A solution object of the problem's module, a JSON object, or a file with one; a whole result (an
        object with ``solution``) is accepted, and its claimed ``objective`` is compared as well.

    Returns
    -------
    dict
        ``kind``, ``valid``, ``objective`` (of the solution as it is, also when it is not valid; ``None`` if it
        cannot be computed), ``bound`` with ``bound_method`` (without search; ``None`` if the kind has none),
        ``gap`` (``None`` unless valid), ``violations``.

    Raises
    ------
    InputError
        If the solution cannot be read.
    """
    claimed = None
    if isinstance(solution, str | Path | Mapping):
        solution, claimed = load_solution(problem, solution)
    violations = list(kind_of(problem).check(problem, solution))
    try:
        value = _value(problem, solution)
    except (IndexError, ValueError):
        if not violations:
            raise
        value = None  # wrong shape or mode: the violations say so
    if claimed is not None and value is not None and not _close(claimed, value):
        violations.append(f"objective {claimed} claimed, {value} recomputed")
    bound, method = bound_of(problem)
    return {
        "kind": problem_kind(problem),
        "valid": not violations,
        "objective": value,
        "bound": bound,
        "bound_method": method,
        "gap": None if violations else gap(value, bound, sense_of(problem)),
        "violations": violations,
    }


def load_solution(problem: Any, source: str | Path | Mapping[str, Any]) -> tuple[Any, float | int | None]:
    """A solution of ``problem`` from a file, text or JSON object, and the objective a result file claims.

    Raises
    ------
    InputError
        If it cannot be read, belongs to another kind, or is a result without a solution.
    """
    document = Document(source, "", "") if isinstance(source, Mapping) else load_source(source)
    data, name = document.data, document.name
    kind = problem_kind(problem)
    claimed = None
    if isinstance(data, Mapping) and "solution" in data:
        if data.get("kind", kind) != kind:
            raise InputError(f"is a result of {data['kind']}, the problem is {kind}", name, "kind")
        claimed, data = data.get("objective"), data["solution"]
        if data is None:
            raise InputError("the result holds no solution", name, "solution")
        if claimed is not None and (isinstance(claimed, bool) or not isinstance(claimed, int | float)):
            raise InputError(f"needs a number, got {claimed!r}", name, "objective")
    try:
        return kind_of(problem).solution_from_json(problem, data, name), claimed
    except InputError as error:
        inside = "" if data is document.data else "solution"
        found = [replace(c, field=".".join(filter(None, (inside, c.field)))) for c in error.complaints]
        raise located(InputError(found), document) from None
