"""The JSON form of what a design search found. The search itself has none: it is made of a study."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, NoReturn

from accmine.errors import InputError
from accmine.hardware import Design
from accmine.problems import operator_schedule
from accmine.problems.design_search.problem import KIND, Problem, Solution, lowered

__all__ = ["read_problem", "read_solution", "write_problem", "write_solution"]

_NO_FILE = (
    f"a {KIND} has no file of its own: its graphs, template and costs are made of a study, which accmine run and "
    "accmine gap read"
)


def read_problem(obj: Any, where: str = "") -> NoReturn:
    """Refuses with an ``InputError``; see the head of this module."""
    del obj
    raise InputError(_NO_FILE, where, "kind")


def write_problem(problem: Problem) -> NoReturn:
    """Refuses with an ``InputError``; see the head of this module."""
    del problem
    raise InputError(_NO_FILE)


def write_solution(problem: Problem, solution: Solution) -> dict[str, Any]:
    """``{"design": {…}, "schedules": [[{"start": …, "mode": …}, …], …]}``: schedules by task and phase."""
    rows = zip(lowered(problem, solution.design), solution.schedules, strict=True)
    schedules = [
        [operator_schedule.solution_to_json(p.problem, s) for p, s in zip(parts, own, strict=True)]
        for parts, own in rows
    ]
    return {"design": asdict(solution.design), "schedules": schedules}


def read_solution(problem: Problem, obj: Any, where: str = "") -> Solution:
    """The solution of a JSON object; what it says may still violate the problem (see ``check``).

    Raises
    ------
    InputError
        If it is not of the form that ``write_solution`` writes.
    """
    if not isinstance(obj, Mapping) or set(obj) != {"design", "schedules"}:
        raise InputError("needs an object with design and schedules", where)
    try:
        design = Design.from_table(obj["design"])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"is no design: {error}", where, "design") from None
    parts, rows = lowered(problem, design), obj["schedules"]
    if not isinstance(rows, list) or [isinstance(r, list) and len(r) for r in rows] != [len(own) for own in parts]:
        raise InputError("needs a schedule of every phase of every task", where, "schedules")
    read = operator_schedule.solution_from_json
    pairs = (zip(own, found, strict=True) for own, found in zip(parts, rows, strict=True))
    return Solution(design, tuple(tuple(read(part.problem, row, where) for part, row in own) for own in pairs))
