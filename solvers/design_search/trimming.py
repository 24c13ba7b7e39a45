"""Trimming: a design without the cores that its schedules never use at once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from accmine.problems import operator_schedule
from accmine.problems.design_search import Evaluation, Problem, Solution, check, fits, lowered

__all__ = ["trimmed"]

IntArray = npt.NDArray[np.int64]


def trimmed(problem: Problem, evaluation: Evaluation) -> Solution | None:
    """The same schedules on the same core types with only the cores in use, a cheaper chip.

    ``None`` if every core is used at some time, the schedules are not kept, or the template has no such design.
    """
    design, schedules = evaluation.design, evaluation.schedules
    if schedules is None:
        return None
    before = [[part.problem for part in row] for row in lowered(problem, design)]
    most = np.zeros(2, dtype=np.int64)
    for own, row in zip(before, schedules, strict=True):
        for part, schedule in zip(own, row, strict=True):
            most = np.maximum(most, _peak(part, schedule))
    template = problem.template
    counts = [
        min((n for n in allowed if n >= used), default=0)
        for allowed, used in zip((template.tensor_cores, template.vector_cores), most.tolist(), strict=True)
    ]
    found = replace(design, tensor_cores=counts[0], vector_cores=counts[1])
    if found == design or not fits(problem, found):
        return None
    after = [[part.problem for part in row] for row in lowered(problem, found)]
    rows = zip(before, after, schedules, strict=True)
    solution = Solution(found, tuple(tuple(map(_moved, *row)) for row in rows))
    return None if check(problem, solution) else solution  # what takes no time may have held more cores


def _moved(
    old: operator_schedule.Problem, new: operator_schedule.Problem, schedule: operator_schedule.Solution
) -> operator_schedule.Solution:
    """The schedule with its modes as a design with fewer cores numbers them: those of too many cores are gone."""
    first = old.first_mode[old.mode_set]
    kept = (old.modes.uses[:, :2] <= new.capacity[:2]).all(axis=1)
    before: IntArray = np.cumsum(kept) - kept
    return operator_schedule.Solution(schedule.start, before[first + schedule.mode] - before[first])


def _peak(problem: operator_schedule.Problem, solution: operator_schedule.Solution) -> IntArray:
    """The most cores of each kind that a schedule holds at once; shape (2,)."""
    chosen = problem.first_mode[problem.mode_set] + solution.mode
    length = problem.modes.duration[chosen]
    uses = problem.modes.uses[chosen, :2] * (length > 0)[:, None]
    begin, end = solution.start, solution.start + length
    # What ends at a time is free for what starts then.
    order = np.lexsort((np.repeat([1, 0], len(begin)), np.concatenate([begin, end])))
    level = np.cumsum(np.concatenate([uses, -uses])[order], axis=0)
    return np.asarray(level.max(axis=0, initial=0))
