"""Lowering: the operator schedule of a graph on a design, as a problem of its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from accmine.cost import RESOURCES, CostLibrary, ModeTable
from accmine.cost.modes import hbm_capacity
from accmine.errors import InputError
from accmine.hardware import Design
from accmine.problems.operator_schedule import ModeSet, Problem, Solution
from accmine.workload import OperatorGraph

__all__ = ["Lowered", "lower"]


@dataclass(frozen=True, eq=False)
class Lowered:
    """A schedule problem with what its modes stand for.

    Attributes
    ----------
    problem
        One mode set per distinct work of the graph.
    tables
        Traffic and energy of the modes, aligned with ``problem.mode_sets``.
    """

    problem: Problem
    tables: tuple[ModeTable, ...]

    def energy_j(self, solution: Solution) -> float:
        """Dynamic energy of a schedule."""
        tables = [self.tables[m] for m in self.problem.mode_set.tolist()]
        return 1e-12 * sum(float(t.energy_pj[k]) for t, k in zip(tables, solution.mode.tolist(), strict=True))

    def hbm_bytes(self, solution: Solution) -> int:
        """Bytes a schedule moves to and from HBM."""
        tables = [self.tables[m] for m in self.problem.mode_set.tolist()]
        return sum(int(t.hbm_bytes[k]) for t, k in zip(tables, solution.mode.tolist(), strict=True))


def lower(graph: OperatorGraph, library: CostLibrary, design: Design, *, private_hbm: bool = False) -> Lowered:
    """The operator-schedule problem of ``graph`` on ``design``; durations in cycles.

    Parameters
    ----------
    private_hbm
        Give every operator the whole HBM bandwidth for itself, whatever runs beside it: the HBM is no resource, and
        modes at a part of the bandwidth are left out. A relaxation: what sharing costs is measured against it.

    Raises
    ------
    InputError
        If an operator fits the design in no mode (a fused operator needs one core of each kind).
    """
    modes = library.modes(design)
    tables = tuple(modes[position] for position in library.index(graph).tolist())
    for work, table in zip(graph.works, tables, strict=True):
        if len(table.duration) == 0:
            raise InputError(f"{design.name}: no mode of an operator fits its cores: {work}")
    if private_hbm:
        tables = tuple(map(_full_rate, tables))
    resources = len(RESOURCES) - private_hbm  # the HBM is the last one
    capacity = np.array([design.tensor_cores, design.vector_cores, hbm_capacity(design)], dtype=np.int64)
    problem = Problem(
        resources=RESOURCES[:resources],
        capacity=capacity[:resources],
        names=tuple(operator.name for operator in graph.operators),
        mode_sets=tuple(ModeSet(table.duration, table.uses[:, :resources]) for table in tables),
        mode_set=graph.work_index,
        edges=graph.edges,
    )
    return Lowered(problem, tables)


def _full_rate(table: ModeTable) -> ModeTable:
    """The modes that no other one beats in time and cores, whatever they hold of the HBM."""
    kept: list[int] = []
    for i, (tensor, vector, _) in enumerate(table.uses.tolist()):  # fastest first
        if not any(table.uses[k, 0] <= tensor and table.uses[k, 1] <= vector for k in kept):
            kept.append(i)
    return table.take(kept)
