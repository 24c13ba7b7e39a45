"""Bisection on the interval: at a given one only options that are fast enough count, and only whether any fit.

Options change where the interval passes the cycles of one, and between two such values only the off-chip bits grow. So
the search is over these segments, from which on there is a design:

1. Without adapters, which is a relaxation, by the prices of a linear program (``relaxation``): the least segment that
   they do not refute, and on the way designs by rounding.
2. Still without adapters by CP-SAT: the least one with any. What it refutes is a bound.
3. With adapters from there on: the design found if it fits, else CP-SAT with the streams.
4. In the segment with a design the least off-chip bits, where these are what takes longest.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from fractions import Fraction
from typing import Any, cast

import numpy as np
from ortools.sat.python import cp_model

from accmine.problems.sparse_dataflow import (
    KIND,
    Candidates,
    LayerOptions,
    Least,
    Solution,
    bound,
    budget_at,
    place_of,
    tabulate,
)
from accmine.record import Record
from accmine.registry import make_model
from accmine.result import StopReason

from ..engines.crew import Crew
from .pruning import at_interval
from .relaxation import Relaxed, relaxed

__all__ = ["Bisection", "bisect"]

_LP = "prices of a linear program over the budgets"
_CP = "CP-SAT at fixed intervals"
_BITS = 5
"""Place of off-chip bits among ``RESOURCES``."""


class Bisection:
    """Exact, for several budgets. ``stop.work`` is deterministic time of CP-SAT."""

    name = "bisection"

    def search(self, record: Record[Solution]) -> StopReason:
        """Narrow the interval from below by proofs and from above by designs."""
        record.raise_bound(*bound(record.problem))
        return record.over() or bisect(record, tabulate(record.problem))


def bisect(record: Record[Solution], tables: Sequence[LayerOptions]) -> StopReason:
    """The search on tables that may lack options without which some best design is left; the record has a bound."""
    return _Search(record, tables).run()


class _Search:
    """One search; ``values`` are the intervals at which segments begin."""

    def __init__(self, record: Record[Solution], tables: Sequence[LayerOptions]) -> None:
        self.record, self.problem, self.tables = record, record.problem, tables
        slowest = max(int(own.cycles.min()) for own in self.tables)
        every = np.unique(np.concatenate([np.unique(own.cycles) for own in self.tables]))
        self.values: list[int] = every[every >= slowest].tolist()

    def run(self) -> StopReason:
        record = self.record
        if self.problem.least is not None:
            return self._cheapest(self.problem.least)
        at = self._first(self._priced, max(0, bisect_right(self.values, record.bound) - 1), _LP)
        if at is not None:
            at = self._first(self._decided, at, _CP)
        if at is not None and self.problem.edges:
            at = self._first(self._joined, at, _CP)
        if at is not None:
            self._least_bits(at)
        return record.over() or StopReason.TIME

    def _cheapest(self, least: Least) -> StopReason:
        """The interval is given, and something else is minimised."""
        at = bisect_right(self.values, least.interval) - 1
        for adapters in sorted({False, bool(self.problem.edges)}):  # without them first: a relaxation, and often enough
            candidates = at_interval(self.problem, self.tables, least.interval, adapters=adapters)
            if self._asked(candidates, at, adapters=adapters, least=place_of(least)) is False:
                self.record.no_solution("CP-SAT at a fixed interval")
            if (reason := self.record.over()) is not None:
                return reason
        return StopReason.TIME

    def _first(self, fits: Any, low: int, method: str) -> int | None:
        """The first segment from ``low`` on that fits; ``None``: none, or not decided.

        It is looked for in steps from ``low`` that double, and then between the last two.
        """
        high, step = len(self.values), 1
        while low < high:
            answer = None if self.record.over() is StopReason.TIME else fits(at := min(low + step - 1, high - 1))
            if answer is None:
                return None
            if answer:
                high, step = at, max(1, (at - low + 1) // 2)
            else:
                low, step = at + 1, 2 * step if high == len(self.values) else max(1, (high - at) // 2)
                if low < len(self.values):
                    self.record.raise_bound(self.values[low], method)
        if low == len(self.values):
            self.record.no_solution(method)
            return None
        return low

    def _limits(self, at: int) -> tuple[int | None, ...]:
        """Of resources and of the loss, in a segment: those of its last cycle."""
        if (least := self.problem.least) is not None:
            return *budget_at(self.problem, least.interval), self.problem.budget.loss
        if at + 1 < len(self.values):
            return *budget_at(self.problem, self.values[at + 1] - 1), self.problem.budget.loss
        limits = budget_at(self.problem, 0)
        rate = self.problem.budget.bits_per_cycle
        return *limits[:_BITS], (None if rate else limits[_BITS]), self.problem.budget.loss

    def _relaxed(self, at: int) -> Relaxed:
        candidates = at_interval(self.problem, self.tables, self.values[at], adapters=False)
        found = relaxed(candidates, self._limits(at))
        if found.picks is not None:
            self._offer(found.candidates, found.picks)
        return found

    def _priced(self, at: int) -> bool:
        """Whether prices do not refute a segment without adapters."""
        return self._relaxed(at).possible

    def _decided(self, at: int) -> bool | None:
        """Whether there is a design without adapters in a segment; ``None``: not decided."""
        found = self._relaxed(at)
        if not found.possible or found.picks is not None:
            return found.possible
        return self._asked(found.candidates, at, adapters=False)

    def _joined(self, at: int) -> bool | None:
        """Whether there is a design with its adapters in a segment; ``None``: not decided."""
        record = self.record
        if record.best is not None and at + 1 < len(self.values) and record.score < self.values[at + 1]:
            return True
        return self._asked(at_interval(self.problem, self.tables, self.values[at]), at, adapters=True)

    def _least_bits(self, at: int) -> None:
        """The shortest interval of the segment with the first design: what its off-chip weights take."""
        record = self.record
        record.raise_bound(self.values[at], record.bound_method)
        if record.over() is None:
            adapters = bool(self.problem.edges)
            candidates = at_interval(self.problem, self.tables, self.values[at], adapters=adapters)
            self._asked(candidates, at, adapters=adapters, least=_BITS)

    def _asked(
        self, candidates: Sequence[Candidates], at: int, *, adapters: bool, least: int | None = None
    ) -> bool | None:
        """Whether CP-SAT finds a design, which is offered; ``None``: not decided."""
        record = self.record
        model = cast(Any, make_model(KIND, "cp-sat"))
        limits = self._limits(at)[:-1]
        built = model.among(self.problem, self.tables, candidates, limits, adapters=adapters, least=least)
        solver = cp_model.CpSolver()
        solver.parameters.num_workers = max(1, record.stop.workers)
        solver.parameters.random_seed = record.seed & 0x7FFFFFFF
        solver.parameters.catch_sigint_signal = False  # Ctrl-C belongs to the caller
        if (seconds := record.left()) < float("inf"):
            solver.parameters.max_time_in_seconds = max(0.0, seconds)
        if record.stop.work is not None:
            solver.parameters.max_deterministic_time = max(1e-3, record.stop.work - record.work)
        crew = Crew(lambda *_: False, solver=solver, built=built)
        crew.run()
        record.work += solver.response_proto.deterministic_time
        if crew.outcome in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            self._offer(candidates, model.picks(solver.value))
        if least is not None and crew.outcome not in (None, cp_model.INFEASIBLE, cp_model.MODEL_INVALID):
            known = int(solver.response_proto.inner_objective_lower_bound)
            rate = self.problem.budget.bits_per_cycle if self.problem.least is None else Fraction(1)
            record.raise_bound(-int(-known / rate // 1), _CP)
        if crew.outcome in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            return True
        return False if crew.outcome == cp_model.INFEASIBLE else None

    def _offer(self, candidates: Sequence[Candidates], picks: Sequence[int]) -> bool:
        """Take a choice as a design if it fits with its adapters."""
        rows = zip(self.tables, candidates, picks, strict=True)
        solution = Solution(tuple(t.choice(int(own.level[o]), int(own.folding[o])) for t, own, o in rows))
        return self.record.offer(solution, doubtful=bool(self.problem.edges))
