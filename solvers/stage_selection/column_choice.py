"""One of the known choices for every pipeline, so that both limits hold: a small integer program for HiGHS."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import highspy
import numpy as np

from accmine.problems.stage_selection import Solution
from accmine.record import Record

from ..engines.highs_engine import run
from .pipeline_programs import Program

__all__ = ["Columns", "choose"]

_SECONDS = 0.5
_NODES = 400
_MOST = 150  # columns of a pipeline


@dataclass
class Columns:
    """Choices seen for every pipeline.

    Attributes
    ----------
    options
        Of every pipeline, the option of each of its slots.
    steps
        Relaxed steps, nearly those of the timeline.
    area, tdp
        Costs, in integer units.
    """

    pipelines: int
    options: list[list[tuple[int, ...]]] = field(init=False)
    steps: list[list[int]] = field(init=False)
    area: list[list[int]] = field(init=False)
    tdp: list[list[int]] = field(init=False)
    _seen: list[set[tuple[int, ...]]] = field(init=False)

    def __post_init__(self) -> None:
        self.options = [[] for _ in range(self.pipelines)]
        self.steps = [[] for _ in range(self.pipelines)]
        self.area = [[] for _ in range(self.pipelines)]
        self.tdp = [[] for _ in range(self.pipelines)]
        self._seen = [set() for _ in range(self.pipelines)]

    def add(self, w: int, program: Program, rows: np.ndarray[tuple[int], np.dtype[np.int64]]) -> None:
        """Remember a choice for pipeline ``w``, from the row of each of its slots."""
        stages = program.stages
        at = rows.tolist()
        options = tuple(int(own.option[r]) for own, r in zip(stages, at, strict=True))
        if options in self._seen[w]:
            return
        self._seen[w].add(options)
        self.options[w].append(options)
        self.steps[w].append(program.relaxed(rows))
        self.area[w].append(sum(int(own.area[r]) for own, r in zip(stages, at, strict=True)))
        self.tdp[w].append(sum(int(own.tdp[r]) for own, r in zip(stages, at, strict=True)))


def _useful(columns: Columns, w: int, names: Sequence[str]) -> list[int]:
    """Undominated columns of a pipeline, the fastest 150."""
    order = sorted(range(len(columns.steps[w])), key=lambda i: (columns.steps[w][i], columns.area[w][i]))
    kept: list[int] = []
    for i in order:
        costs = [getattr(columns, name)[w][i] for name in names]
        beaten = any(
            all(getattr(columns, name)[w][k] <= cost for name, cost in zip(names, costs, strict=True)) for k in kept
        )
        if not beaten:
            kept.append(i)
    return kept


def choose(columns: Columns, limits: Mapping[str, int], record: Record[Solution]) -> list[int] | None:
    """Column of each pipeline of a combination within the limits, the best that was found; ``None``: none found."""
    useful = [_useful(columns, w, list(limits)) for w in range(columns.pipelines)]
    if columns.pipelines == 1:
        fitting = [i for i in useful[0] if all(getattr(columns, n)[0][i] <= limit for n, limit in limits.items())]
        return [fitting[0]] if fitting else None
    values = _highs(columns, useful, limits, record)
    if values is None:
        return None
    picked, start = [], 0
    for w in range(columns.pipelines):
        own = values[start : start + len(useful[w])]
        picked.append(useful[w][int(np.argmax(own))])
        start += len(useful[w])
    fits = all(sum(getattr(columns, n)[w][i] for w, i in enumerate(picked)) <= limit for n, limit in limits.items())
    return picked if fits else None


def _highs(
    columns: Columns, useful: list[list[int]], limits: Mapping[str, int], record: Record[Solution]
) -> np.ndarray[tuple[int], np.dtype[np.float64]] | None:
    """Values of the binaries of all useful columns, pipeline after pipeline."""
    count = sum(map(len, useful))
    scale = float(max(max(columns.steps[w][i] for i in own) for w, own in enumerate(useful))) / 1000.0
    cost = np.array([columns.steps[w][i] / scale for w, own in enumerate(useful) for i in own])
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = count, columns.pipelines + len(limits)
    lp.col_cost_ = cost
    lp.col_lower_, lp.col_upper_ = np.zeros(count), np.ones(count)
    lp.integrality_ = [highspy.HighsVarType.kInteger] * count
    lp.row_lower_ = np.array([1.0] * columns.pipelines + [-highspy.kHighsInf] * len(limits))
    lp.row_upper_ = np.array([1.0] * columns.pipelines + [1000.0] * len(limits))
    start, index, value = [0], [], []
    for w, own in enumerate(useful):
        for i in own:
            index += [w, *range(columns.pipelines, columns.pipelines + len(limits))]
            value += [1.0, *(getattr(columns, n)[w][i] / max(limit, 1) * 1000.0 for n, limit in limits.items())]
            start.append(len(index))
    lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    lp.a_matrix_.start_, lp.a_matrix_.index_ = np.array(start), np.array(index)
    lp.a_matrix_.value_ = np.array(value)
    options: dict[str, float] = {"mip_feasibility_tolerance": 1e-9, "primal_feasibility_tolerance": 1e-9}
    seconds = math.inf
    if record.stop.work is None:
        seconds = max(0.05, min(_SECONDS, record.left()))
    else:
        options["mip_max_nodes"] = _NODES
    solver = run(lp, seconds=seconds, **options)
    if solver is None:
        return None
    if solver.getInfo().primal_solution_status != 2:  # none that is feasible
        return None
    return np.array(solver.getSolution().col_value)
