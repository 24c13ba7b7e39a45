"""The choice of the first look as an answer: where solvers start."""

from __future__ import annotations

from accmine.problems.stage_selection.integers import integers
from accmine.problems.stage_selection.problem import Problem, Solution

__all__ = ["greedy"]


def greedy(problem: Problem) -> Solution | None:
    """A choice within all limits, always the same one; ``None`` when none was found."""
    numbers = integers(problem)
    picked = numbers.start
    if picked is None:
        return None
    choice = numbers.choice(picked)
    meets_floor = numbers.step_limit is None or numbers.steps(choice) <= numbers.step_limit
    return Solution(choice) if meets_floor and numbers.fits(picked) else None
