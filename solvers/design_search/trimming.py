"""Trimming: a design without the cores that its schedules never use at once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from accmine.hardware import Design
from accmine.problems.design_search import Evaluation, Problem, evaluate, fits
from accmine.problems.design_search.lowering import lower
from accmine.problems.operator_schedule import Problem as OperatorSchedule
from accmine.problems.operator_schedule import Solution

from .design_job import Outcome

__all__ = ["trimmed"]

IntArray = npt.NDArray[np.int64]


def trimmed(problem: Problem, design: Design, outcome: Outcome) -> Evaluation | None:
    """The same schedules on the same core types with only the cores in use, a cheaper chip.

    ``None`` if every core is used at some time, a phase has no schedule, or the template has no such design.
    """
    most = np.zeros(2, dtype=np.int64)
    cycles: list[list[int]] = []
    for task, row in zip(problem.tasks, outcome.parts, strict=True):
        cycles.append([])
        for phase, part in zip(task.phases, row, strict=True):
            if part.solution is None or part.cycles is None:
                return None
            most = np.maximum(most, _peak(lower(phase.graph, problem.library, design).problem, part.solution))
            cycles[-1].append(part.cycles)
    template = problem.template
    counts = [
        min((n for n in allowed if n >= used), default=0)
        for allowed, used in zip((template.tensor_cores, template.vector_cores), most.tolist(), strict=True)
    ]
    found = replace(design, tensor_cores=counts[0], vector_cores=counts[1])
    return evaluate(problem, found, cycles) if found != design and fits(problem, found) else None


def _peak(problem: OperatorSchedule, solution: Solution) -> IntArray:
    """The most cores of each kind that a schedule holds at once; shape (2,)."""
    chosen = problem.first_mode[problem.mode_set] + solution.mode
    length = problem.modes.duration[chosen]
    uses = problem.modes.uses[chosen, :2] * (length > 0)[:, None]
    begin, end = solution.start, solution.start + length
    # What ends at a time is free for what starts then.
    order = np.lexsort((np.repeat([1, 0], len(begin)), np.concatenate([begin, end])))
    level = np.cumsum(np.concatenate([uses, -uses])[order], axis=0)
    return np.asarray(level.max(axis=0, initial=0))
