"""The choice of the first look as an answer: where solvers start."""

from __future__ import annotations

from accmine.problems.stage_selection.integers import SelectionNumbers, integers
from accmine.problems.stage_selection.problem import KIND, Problem, Solution
from accmine.problems.stage_selection.rules import bound, objective, sense
from accmine.result import Result, Status, StopReason

__all__ = ["greedy", "greedy_result"]


def greedy(problem: Problem, numbers: SelectionNumbers) -> tuple[int, ...] | None:
    """Option of every slot of a choice within all limits, or ``None`` when none was found."""
    picked = numbers.start
    if picked is None:
        return None
    meets_floor = numbers.step_limit is None or numbers.steps(numbers.choice(picked)) <= numbers.step_limit
    return picked if meets_floor and numbers.fits(picked) else None


def greedy_result(problem: Problem) -> Result[Solution]:
    """The greedy choice as a result, with the bound that needs no search; always the same one."""
    numbers = integers(problem)
    picked = greedy(problem, numbers)
    solution = None if picked is None else Solution(numbers.choice(picked))
    value, method = bound(problem)
    return Result(
        kind=KIND,
        solver="greedy",
        status=Status.UNKNOWN if solution is None else Status.FEASIBLE,
        stop=StopReason.FINISHED,
        objective=None if solution is None else objective(problem, solution),
        bound=value,
        bound_method=method,
        solution=solution,
        sense=sense(problem),
    )
