"""Evaluator: schedules the tasks of a design search on a design with the list scheduler, each design once."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

import numpy as np
import numpy.typing as npt

from accmine.hardware import Design
from accmine.problems import operator_schedule
from accmine.problems.design_search import Evaluation, Solution, evaluate, fits
from accmine.problems.design_search.lowering import Lowered, lower
from accmine.problems.design_search.space_bound import Block, phase_bounds, relative_value
from accmine.record import Record
from accmine.workload import OperatorGraph

from ..operator_schedule.critical_path import quick

__all__ = ["PASSES", "Delay", "Evaluator"]

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]


PASSES = ("earliest-finish/reverse", "aside", "patient/reverse")
"""List schedules per graph: on training graphs one of these is nearly always the best of the portfolio."""


@dataclass(frozen=True, slots=True)
class Delay:
    """Cycles that operators lost for want of cores of each kind."""

    tensor: float
    vector: float


class Evaluator:
    """Schedules every task on a design once and leaves what it finds in a record.

    Tasks of equal works, order and repeats share their schedules. The work of the record is the list schedules made.
    """

    # Bounds of all core counts of a choice of core types, whatever the limits; with and without longest paths.
    _values: dict[tuple[Design, bool], FloatArray]

    def __init__(self, record: Record[Solution]) -> None:
        self.record, self.problem = record, record.problem
        self.delays: dict[Design, Delay] = {}
        self._values = {}
        first: dict[object, int] = {}
        self._twin = [first.setdefault(task.signature, i) for i, task in enumerate(self.problem.tasks)]

    def __call__(self, design: Design) -> Evaluation:
        """The evaluation of ``design``, whether or not it meets the limits."""
        pool, best = self.record.pool, self.record.score
        if design not in pool:
            cycles: list[list[int]] = []
            schedules: list[list[operator_schedule.Solution]] = []
            lost = np.zeros(2)
            fastest = self.problem.library.shortest(design)
            for i, task in enumerate(self.problem.tasks):
                if self._twin[i] != i:
                    cycles.append(cycles[self._twin[i]])
                    schedules.append(schedules[self._twin[i]])
                    continue
                cycles.append([])
                schedules.append([])
                for phase in task.phases:
                    part = lower(phase.graph, self.problem.library, design)
                    solution = quick(part.problem, PASSES)
                    self.record.work += 1
                    schedules[-1].append(solution)
                    cycles[-1].append(operator_schedule.objective(part.problem, solution))
                    unlimited = fastest[self.problem.library.index(phase.graph)]
                    lost += phase.repeats * _lost_cycles(phase.graph, part, unlimited, solution)
            self.delays[design] = Delay(float(lost[0]), float(lost[1]))
            found = evaluate(self.problem, design, cycles)
            pool[design] = found
            if found.value < (inf if best is None else best) and fits(self.problem, design):
                self.record.offer(Solution(design, tuple(map(tuple, schedules))))
        known: Evaluation = pool[design]
        return known

    def bounds(self, block: Block, *, paths: bool) -> FloatArray:
        """Bound of the value of every design of a block, computed once; shape (a, b)."""
        key = (block.types, paths)
        if key not in self._values:
            seconds = phase_bounds(self.problem, block, paths=paths)
            self._values[key] = relative_value(self.problem)(seconds, block)
        return self._values[key]


def _lost_cycles(
    graph: OperatorGraph, part: Lowered, unlimited: IntArray, solution: operator_schedule.Solution
) -> FloatArray:
    """Cycles that critical operators lost: waiting for a core, or running on fewer than they could use.

    An operator is critical when nothing separates its end from its first successor, or from the end
    of the schedule: only its delay lengthens the makespan. ``unlimited`` is the shortest duration of
    each work with any number of cores. Returns [tensor, vector].
    """
    problem, modes = part.problem, part.problem.mode_set
    duration = np.zeros(len(problem), dtype=np.int64)
    holds = np.zeros((len(problem), 2), dtype=bool)
    for index, mode_set in enumerate(problem.mode_sets):
        own = modes == index
        duration[own] = mode_set.duration[solution.mode[own]]
        holds[own] = mode_set.uses[solution.mode[own], :2] > 0
    end = solution.start + duration
    makespan = int(end.max(initial=0))
    ready = np.zeros(len(problem), dtype=np.int64)
    latest = np.full(len(problem), makespan, dtype=np.int64)
    np.maximum.at(ready, problem.edges[:, 1], end[problem.edges[:, 0]])
    np.minimum.at(latest, problem.edges[:, 0], solution.start[problem.edges[:, 1]])
    critical = latest - end <= makespan // 1000
    lost = np.where(critical, solution.start - ready + duration - unlimited[graph.work_index], 0)
    return np.array([lost[holds[:, 0]].sum(), lost[holds[:, 1]].sum()], dtype=np.float64)
