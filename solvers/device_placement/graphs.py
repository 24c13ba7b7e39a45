"""Any layer graph: the ways by a cheap bound, and of each the least step by CP-SAT with rows added as they are needed.

A way (degrees, order of ranks, schedule, ZeRO stage, kind of options) is a problem of its own, whose model knows chains
of the timeline. The engine looks for a placement below the best step; the critical chain of what it finds becomes a
row where the simulation is longer than the rows say, until nothing is below. Ways come by ascending bound, so that of
the next one holds for all that are left.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ortools.sat.python import cp_model

from accmine.errors import InputError
from accmine.problems.device_placement import Pipelining, Problem, Solution, bound
from accmine.record import Record
from accmine.registry import make_model
from accmine.result import StopReason

from .ways import Layers, Ways, all_ways

__all__ = ["Graphs"]

_METHOD = "CP-SAT, way by way"


class Graphs:
    """CP-SAT on every way that may be better than the best; see the module.

    ``stop.work`` is deterministic time of CP-SAT.
    """

    name = "cp-sat"

    def search(self, record: Record[Solution]) -> StopReason:
        """Way by way, until the bound of the next one reaches the best step.

        Raises
        ------
        InputError
            For the semantics ``phaze``, which is one of chains, and for schedules with several chunks.
        """
        problem: Problem = record.problem
        if problem.semantics == "phaze":
            raise InputError("cp-sat: semantics phaze needs a chain; take chain")
        if any(own.chunks > 1 for own in problem.pipelinings):
            raise InputError("cp-sat: several chunks on a device have no model; take brute-force")
        record.raise_bound(*bound(problem))
        ways = heapq.merge(*(_in_order(own) for own in all_ways(Layers(problem))), key=lambda entry: entry[0])
        for least, own, row in ways:
            record.raise_bound(least if record.score is None else min(least, record.score), _METHOD)
            if (reason := record.over()) is not None:
                return reason
            if not self._way(record, own, row):
                return StopReason.TIME
        if record.best is None:
            record.no_solution(f"{_METHOD}: no placement fits")
        record.raise_bound(record.score, _METHOD)
        return StopReason.PROVED

    def _way(self, record: Record[Solution], own: Ways, row: int) -> bool:
        """Find the least step of a way below the best; whether it is known that nothing is left."""
        sub = replace(
            record.problem,
            pipeline=(int(own.pipeline[row]),),
            data=(int(own.data[row]),),
            orders=(own.order,),
            zero=(own.zero,),
            pipelinings=(Pipelining(own.pipelining.schedule, own.pipelining.chunks),),
        )
        model: Any = make_model(sub.kind, self.name)
        model.restrict(own.kinds)
        built = model.build(sub)
        while True:
            if record.score is not None:
                built.add(model.longest <= record.score - 1)
            engine = self._engine(record)
            outcome = engine.solve(built)
            record.work += engine.response_proto.deterministic_time
            if outcome == cp_model.INFEASIBLE:
                return True
            if outcome not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
                return False
            solution = model.read(engine.value)
            record.offer(solution)
            model.separate(solution)
            if record.over() is not None:
                return record.closed() is not None

    def _engine(self, record: Record[Solution]) -> cp_model.CpSolver:
        engine = cp_model.CpSolver()
        engine.parameters.num_workers = max(1, record.stop.workers)
        engine.parameters.random_seed = record.seed & 0x7FFFFFFF
        engine.parameters.catch_sigint_signal = False
        if record.left() < float("inf"):
            engine.parameters.max_time_in_seconds = max(0.0, record.left())
        if record.stop.work is not None:
            engine.parameters.max_deterministic_time = max(1e-3, record.stop.work - record.work)
        return engine


def _in_order(own: Ways) -> Iterator[tuple[int, Ways, int]]:
    for row, least in enumerate(own.bound.tolist()):
        yield least, own, row
