"""Solve and check problems of any kind: the one door between files or scripts and the solvers.

A solver is never believed: every solution passes through the ``check`` and ``objective`` of its problem's
own module before it leaves here.

A problem module offers ``KIND``, ``SENSE`` or ``sense(problem)``, ``objective``, ``check`` and the four JSON
functions; optionally ``bound(problem) -> (value, method)``, a valid bound that needs no search, and
``explain(problem) -> (conflict, remedy)`` of a problem without solution, with ``EXPLAINED_FIRST`` if it is so quick
and complete that no solver need be asked (where it takes solvers, ``registry.WHY_NOT`` names it); and
``EXACT_DECIMALS`` if ``problem_from_json`` wants decimals as ``decimal.Decimal``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType
from typing import Any

from accmine.errors import CheckError, InputError
from accmine.ports import Incumbent, Stop
from accmine.problems.files import load_problem, located, parse, read_text
from accmine.registry import DEFAULT_SOLVER, explainer, make_solver, problem_module, solvers_of
from accmine.result import Result, Sense, Status, StopReason, gap

__all__ = [
    "bound_of",
    "explain",
    "load_problem",
    "load_solution",
    "module_of",
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
_TOLERANCE = 1e-9  # of objectives that are floating-point numbers; integers must be equal


def module_of(problem: Any) -> ModuleType:
    """The module of the kind of ``problem``.

    Raises
    ------
    InputError
        If it is no problem, or of a kind that is not registered.
    """
    kind = getattr(problem, "kind", None)
    if not isinstance(kind, str):
        raise InputError(f"{type(problem).__module__}.{type(problem).__qualname__} is not a problem")
    return problem_module(kind)


def problem_kind(problem: Any) -> str:
    """Kind of a problem, e.g. ``operator-schedule``."""
    return str(module_of(problem).KIND)


def sense_of(problem: Any) -> Sense:
    """Direction of the objective of ``problem``."""
    module = module_of(problem)
    own = getattr(module, "sense", None)
    return Sense(own(problem) if own is not None else module.SENSE)


def bound_of(problem: Any) -> tuple[float | int | None, str]:
    """The bound that needs no search, and how it is obtained; (None, "") if the kind has none."""
    module = module_of(problem)
    own = getattr(module, "bound", None)
    if own is not None and getattr(module, "EXPLAINED_FIRST", False) and module.explain(problem)[0]:
        return None, "no solution exists"
    return (None, "") if own is None else own(problem)


def explain(problem: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(limits in conflict, least change of each that helps) of a problem without solution; both empty otherwise."""
    own = getattr(module_of(problem), "explain", None) or explainer(problem_kind(problem))
    return ((), ()) if own is None else own(problem)


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
    solver: str | None = None,
    *,
    stop: Stop = _NO_LIMIT,
    seed: int = 0,
    hint: Any | None = None,
    on_progress: Incumbent | None = None,
) -> Result[Any]:
    """Decide ``problem`` and verify the answer.

    Parameters
    ----------
    solver
        Name of a solver of this kind; default: ``registry.DEFAULT_SOLVER``.
    stop, seed, hint, on_progress
        See ``accmine.ports``.

    Raises
    ------
    InputError
        If the solver is unknown, or the problem or the hint is not valid.
    CheckError
        If the solution fails its check, or solution, objective, bound and status contradict each other.
    """
    kind = problem_kind(problem)
    name = solver or DEFAULT_SOLVER.get(kind) or next(iter(solvers_of(kind)), "")
    chosen = make_solver(kind, name)
    refused = _without_solution(problem, name, seed)
    if refused is not None:
        return refused
    module = module_of(problem)

    def heard(seconds: float, objective: float | int | None, bound: float | int | None) -> None:
        assert on_progress is not None
        on_progress(seconds, objective, _real(module, problem, bound))

    told = None if on_progress is None else heard
    result = chosen.solve(problem, stop=stop, seed=seed, hint=hint, on_progress=told)
    return replace(verify(problem, result), versions=versions())


def _without_solution(problem: Any, solver: str, seed: int) -> Result[Any] | None:
    """The result of a problem that its own module shows to have no solution before anything is searched."""
    module = module_of(problem)
    conflict, remedy = module.explain(problem) if getattr(module, "EXPLAINED_FIRST", False) else ((), ())
    if not conflict:
        return None
    return Result(
        kind=problem_kind(problem),
        solver=solver,
        status=Status.INFEASIBLE,
        stop=StopReason.PROVED,
        objective=None,
        bound=None,
        bound_method="the limits themselves, before any search",
        solution=None,
        seed=seed,
        sense=sense_of(problem),
        versions=versions(),
        conflict=conflict,
        remedy=remedy,
    )


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
    module = module_of(problem)
    if result.solution is None:
        if result.status in (Status.OPTIMAL, Status.FEASIBLE):
            raise CheckError(f"{result.solver}: status {result.status.value} without a solution")
        return _real_bounds(module, problem, result)
    wrong = list(module.check(problem, result.solution))
    value = module.objective(problem, result.solution)
    sense = sense_of(problem)
    if result.objective is None or not _close(result.objective, value):
        wrong.append(f"objective {result.objective} claimed, {value} recomputed")
    if result.bound is not None and not _close(result.bound, value):
        beyond = result.bound > value if sense is Sense.MINIMIZE else result.bound < value
        if beyond:
            wrong.append(f"bound {result.bound} is better than impossible: a solution has {value}")
        elif result.status is Status.OPTIMAL:
            wrong.append(f"status optimal with objective {value} and bound {result.bound}")
    if result.status not in (Status.OPTIMAL, Status.FEASIBLE) or (
        result.status is Status.OPTIMAL and result.bound is None
    ):
        wrong.append(f"status {result.status.value} with a solution and bound {result.bound}")
    if wrong:
        raise CheckError(f"{result.solver} on {result.kind}: {'; '.join(wrong)}")
    return replace(_real_bounds(module, problem, result), objective=value, sense=sense, verified=True)


def _real_bounds(module: ModuleType, problem: Any, result: Result[Any]) -> Result[Any]:
    """The result with its bounds, those on the way included, as of the numbers that were given."""
    trace = tuple((at, value, _real(module, problem, bound)) for at, value, bound in result.trace)
    return replace(result, bound=_real(module, problem, result.bound), trace=trace)


def _real(module: ModuleType, problem: Any, bound: float | int | None) -> float | int | None:
    """A bound of a problem that was rounded to integers, as one of the numbers that were given."""
    own = getattr(module, "real_bound", None)
    return bound if own is None or bound is None else own(problem, bound)


def result_to_json(problem: Any, result: Result[Any]) -> dict[str, Any]:
    """The JSON object of a result, in the form that ``rate`` reads back."""
    solution = None if result.solution is None else module_of(problem).solution_to_json(problem, result.solution)
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
    module = module_of(problem)
    claimed = None
    if isinstance(solution, str | Path | Mapping):
        solution, claimed = load_solution(problem, solution)
    violations = list(module.check(problem, solution))
    try:
        value = module.objective(problem, solution)
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
    if isinstance(source, Mapping):
        data, text, name, path = source, "", "", None
    else:
        text, name, path = read_text(source)
        data = parse(text, name, path, exact=False)
    kind = problem_kind(problem)
    claimed = None
    if isinstance(data, Mapping) and "solution" in data:
        if data.get("kind", kind) != kind:
            raise InputError(f"is a result of {data['kind']}, the problem is {kind}", name, "kind")
        claimed, data = data.get("objective"), data["solution"]
        if data is None:
            raise InputError("the result holds no solution", name, "solution")
        if claimed is not None and not isinstance(claimed, int | float):
            raise InputError(f"needs a number, got {claimed!r}", name, "objective")
    try:
        return module_of(problem).solution_from_json(problem, data, name), claimed
    except InputError as error:
        raise located(error, data, text, name, path) from None
