"""Every placement, one by one: the proof that needs no theory, for small problems."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from accmine.errors import InputError
from accmine.problems.device_placement import Pipelining, Problem, Solution, StagePlan, bound, check
from accmine.record import Record
from accmine.result import StopReason

__all__ = ["MOST_PLACEMENTS", "BruteForce"]

MOST_PLACEMENTS = 500_000
"""Largest number of placements that are looked at."""


class BruteForce:
    """Enumerates all assignments of layers to stages with everything else that is free, and keeps the best.

    ``stop.work`` is the number of placements looked at.
    """

    name = "brute-force"

    def search(self, record: Record[Solution]) -> StopReason:
        """Look at one placement after the other.

        Raises
        ------
        InputError
            If there are more than :data:`MOST_PLACEMENTS`.
        """
        record.raise_bound(*bound(record.problem))
        for solution in _placements(record.problem):
            if (record.stop.work is not None and record.work >= record.stop.work) or record.left() <= 0:
                return StopReason.TIME
            if record.work >= MOST_PLACEMENTS:
                raise InputError(f"brute-force: more than {MOST_PLACEMENTS} placements; take chain or cp-sat")
            record.work += 1
            if not check(record.problem, solution):
                record.offer(solution)
        if record.best is None:
            record.no_solution(f"all {record.work:.0f} placements")
        record.raise_bound(record.score, f"all {record.work:.0f} placements")
        return StopReason.PROVED


def _placements(problem: Problem) -> Iterator[Solution]:
    kinds = sorted({(o.tensor, o.recompute) for layer in problem.layers for o in layer.options})
    devices = range(1, problem.devices + 1)
    for pipelining, stages in product(problem.pipelinings, range(1, len(problem.layers) + 1)):
        pipeline = stages // pipelining.chunks
        if stages % pipelining.chunks or (problem.pipeline and pipeline not in problem.pipeline):
            continue
        for groups in _cuts(problem, stages):
            ways = product(kinds, repeat=stages) if not problem.uniform else ((kind,) * stages for kind in kinds)
            for chosen in ways:
                plans = tuple(StagePlan(g, t, r) for g, (t, r) in zip(groups, chosen, strict=True))
                for data, order, zero in product(problem.data or devices, problem.orders, problem.zero):
                    if data * pipeline <= problem.devices:
                        yield Solution(plans, data, order, Pipelining(pipelining.schedule, pipelining.chunks), zero)


def _cuts(problem: Problem, stages: int) -> Iterator[tuple[tuple[int, ...], ...]]:
    """All ways to give layers to stages such that no stage number falls along an edge and none is empty."""
    before: list[list[int]] = [[] for _ in problem.layers]
    for edge in problem.edges:
        before[edge.target].append(edge.source)
    line = problem.order_of_layers
    stage_of: dict[int, int] = {}

    def place(position: int) -> Iterator[tuple[tuple[int, ...], ...]]:
        if position == len(line):
            groups = tuple(tuple(v for v in line if stage_of[v] == s) for s in range(stages))
            if all(groups):
                yield groups
            return
        layer = line[position]
        for s in range(max((stage_of[u] for u in before[layer]), default=0), stages):
            stage_of[layer] = s
            yield from place(position + 1)

    return place(0)
