"""Bisection on the interval: at a given one only options that are fast enough count, and only whether any fit.

Options change where the interval passes the cycles of one, and between two such values only the off-chip bits grow. So
the search is over these segments, from which on there is a design:

1. Without adapters, which is a relaxation, by the prices of a linear program (``relaxation``): the least segment that
   they do not refute.
2. From there on with adapters: prices that know of them (``joint``) refute a segment, or leave few options and perhaps
   a design; what they leave open is asked of partial designs (``beam``), few at first, then of CP-SAT without adapters,
   and at last of more partial designs and of CP-SAT with them. What is refuted is a bound, once for all below. Options
   that are too dear where there is a design are so below.
3. Within the segment with a design the same once more, where off-chip bits are what takes longest.

Where no adapters are paid, CP-SAT is asked in the second step, for as long as that is brief.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from ortools.sat.python import cp_model

from accmine.ports import Stop
from accmine.problems.sparse_dataflow import (
    KIND,
    Candidates,
    LayerOptions,
    Problem,
    Solution,
    bound,
    budget_at,
    place_of,
    tabulate,
    within,
)
from accmine.record import Record
from accmine.registry import make_model
from accmine.result import StopReason
from accmine.sparse.resources import RESOURCES

from ..engines.crew import Crew
from .beam import beam
from .joint import Joined, Repair, joined
from .pruning import Affordable
from .relaxation import Relaxed, relaxed
from .streams import adapters

__all__ = ["Bisection", "bisect", "fits"]

Ints = npt.NDArray[np.int64]

_LP = "prices of a linear program over the budgets"
_CP = "prices, partial designs and CP-SAT at fixed intervals"
_EFFORT = 0.25  # deterministic time of CP-SAT, of the first questions
_WIDTH = 128  # partial designs that are kept at first
_WIDTHS = 4  # each eight times as many: two of the first questions, more of later ones
_LATE = 16 * _EFFORT  # from here on CP-SAT is asked even where few options are left
_PARTIAL = 1e-6  # deterministic time of a partial design
_GROWTH = 0.002  # of the interval, until there is a design
_LONGEST = 1 << 62  # range of intervals
_LOGIC = RESOURCES.index("lut"), RESOURCES.index("ff")  # what adapters take
_BITS = 5
"""Place of off-chip bits among ``RESOURCES``."""


class Bisection:
    """Exact, for several budgets. ``stop.work`` is deterministic time of CP-SAT, and of a million partial designs 1."""

    name = "bisection"

    def search(self, record: Record[Solution]) -> StopReason:
        """Narrow the interval from below by proofs and from above by designs."""
        record.raise_bound(*bound(record.problem))
        return record.over() or bisect(record, tabulate(record.problem))


def bisect(record: Record[Solution], tables: Sequence[LayerOptions]) -> StopReason:
    """The search on tables that may lack options without which some best design is left; the record has a bound."""
    return _Search(record, tables).run()


def fits(problem: Problem, stop: Stop) -> bool | None:
    """Whether there is any design, however long its interval; ``None``: not decided."""
    record: Record[Solution] = Record(problem, stop, solver=Bisection.name)
    search = _Search(record, tabulate(problem))
    return False if not search.values else search.decided(len(search.values) - 1, float("inf"))


def _all_of(problem: Problem, tables: Sequence[LayerOptions], place: int) -> int:
    """What no design takes more of."""
    most = sum(int(own.loss.max() if place == len(RESOURCES) else own.use[:, place].max()) for own in tables)
    for i, j in problem.edges if place in _LOGIC else ():
        both = tables[i].streams[:, 1].max(keepdims=True) + tables[j].streams[:, 0].max()
        most += int(adapters(both, 0 * both, problem.model)[0, _LOGIC.index(place)])
    return most


class _Search:
    """One search.

    Attributes
    ----------
    values
        Scores, ascending: the intervals at which segments begin, or budgets of what is minimised in place of them.
    segment
        Where there is a design, at last: ``values`` are its intervals, which differ by their off-chip bits.
    prices, trial
        The last ones without and with adapters.
    searched
        Whether prices alone did not decide the last question.
    """

    def __init__(self, record: Record[Solution], tables: Sequence[LayerOptions]) -> None:
        self.record, self.problem, self.tables = record, record.problem, tables
        least = self.problem.least
        own, most = self.problem, 0
        if least is not None:
            own_limits = *budget_at(own, least.interval), own.budget.loss
            most, limit = _all_of(own, tables, place_of(least)), own_limits[place_of(least)]
            most = most if limit is None else min(limit, most)
            own = within(own, most)
        self.options = Affordable(own, self.tables)
        self.values: Sequence[int] = []
        if least is not None:
            self.values = range(max(0, record.bound), most + 1)
        elif (slowest := self.options.slowest) is not None:
            every = self.options.values()
            self.values = every[every >= slowest].tolist()
        self.prices: Ints = np.zeros(len(RESOURCES) + 1, dtype=np.int64)
        self.trial: Ints | None = None
        self.segment: int | None = None
        self.searched = False

    def run(self) -> StopReason:
        record = self.record
        if not self.values:
            record.no_solution("the least of each resource that a layer takes by itself")
        at = self._solved(bisect_right(self.values, record.bound) - 1 if self.values else 0)
        if at is not None:
            record.raise_bound(self.values[at], record.bound_method)
            if record.over() is None and self.problem.least is None:  # off-chip weights take longest
                self.segment = self.values[at]
                self.values = range(self.segment, min(record.score, self.segment + _LONGEST) + 1)
                self._solved(0)
        return record.over() or StopReason.TIME

    def _solved(self, low: int) -> int | None:
        """The first segment with a design; ``None``: none, or time is up."""
        at, effort = low if self.segment is not None else self._priced(max(0, low)), _EFFORT
        if at is not None and self.segment is not None and self.problem.edges:
            at = self._narrowed(at, effort, self._apart)
        while at is not None and at < self._known():
            at = self._below(at, effort)
            if at is not None and (effort == _EFFORT or effort >= _LATE or self.record.best is None):
                at = self._narrowed(at, effort, self.decided)
            if at is not None and effort == _EFFORT and self.problem.edges and at < self._known():
                at = self._narrowed(at, effort, self._apart)
            effort *= 4
        return at

    def _below(self, low: int, effort: float) -> int | None:
        """The same, downwards from the best design in doubling steps: where it is the best, one question is enough."""
        step = 1
        while low < (high := self._known()) < len(self.values):
            if self.record.over() is not None:
                return None
            at = max(low, high - step)
            if (answer := self.decided(at, effort)) is None:
                break
            step = 2 * step if answer else 1
            if answer:
                self.options.keep()
            else:
                low = at + 1
                self._refuted(low, _CP)
        return low

    def _known(self) -> int:
        """The segment of the best design, behind the last one without a design."""
        best = self.record.best
        return len(self.values) if best is None else bisect_right(self.values, self.record.score) - 1

    def _narrowed(self, low: int, effort: float, decide: Callable[[int, float], bool | None]) -> int | None:
        """The first segment that is not refuted, after questions of some effort; ``None``: none, or time is up.

        They go upwards in doubling steps until there is a design, then between. What is not decided counts as no
        design until there is one, and stays open.
        """
        begin, growth, found, hard = low, 0.0, len(self.values), decide == self._apart
        while begin < (high := min(found, self._known())):
            if self.record.over() is not None:
                return None
            at = (begin + high) // 2
            if high == len(self.values):
                beyond = bisect_left(self.values, int(self.values[begin] * (1 + growth)))
                at = min(high - 1, max(begin + int(growth / _GROWTH), beyond))
                growth = max(_GROWTH, 2 * growth)
            elif hard:  # where prices alone decide little, the last one may be enough
                at = high - 1
            self.searched = False
            answer = decide(at, effort)
            hard = self.searched and not answer
            if answer:
                found = at
                if decide == self.decided:
                    self.options.keep()
            else:
                begin = at + 1
            if answer is None and high < len(self.values) and decide == self.decided:
                break
            if answer is False:
                low = begin
                self._refuted(low, _CP)
        return low if low < len(self.values) else None

    def _refuted(self, low: int, method: str) -> None:
        """There is no design in the segments before ``low``."""
        if low < len(self.values):
            self.record.raise_bound(self.values[low], method)
        else:
            self.record.no_solution(method)

    def _within(self, at: int) -> tuple[int, tuple[int | None, ...]]:
        """(interval at which options are asked, limits of resources and of the loss): a segment's of its last cycle."""
        problem, own = self.problem, self.problem.budget
        if problem.least is not None:
            limits = [*budget_at(problem, problem.least.interval), own.loss]
            limits[place_of(problem.least)] = self.values[at]
            return problem.least.interval, tuple(limits)
        if self.segment is not None:
            return self.segment, (*budget_at(problem, self.values[at]), own.loss)
        if at + 1 < len(self.values):
            return self.values[at], (*budget_at(problem, self.values[at + 1] - 1), own.loss)
        limits = [*budget_at(problem, 0), own.loss]
        if own.bits_per_cycle:
            limits[_BITS] = None
        return self.values[at], tuple(limits)

    def _relaxed(self, at: int) -> Relaxed:
        interval, limits = self._within(at)
        found = relaxed(self.options.at(interval, limits, adapters=False, prices=self.prices), limits)
        if found.prices is not None:
            self.prices = found.prices
        if found.picks is not None:
            self._offer(found.candidates, found.picks)
        return found

    def _priced(self, low: int) -> int | None:
        """The first segment that the linear program does not refute without adapters; ``None``: none, or time is up.

        Prices that refute a segment mostly refute many after it, which costs nothing to find out. Where they do not,
        since they refute it only together with earlier ones, which left options out, the program is asked further on,
        in doubling steps: what it refutes there is refuted before.
        """
        top, ahead = len(self.values), 1
        while low < top:
            if self.record.over() is not None:
                return None
            at = min(low + ahead, top) - 1
            if self._relaxed(at).possible:
                top, ahead = at, max(1, (at - low) // 2)
                continue
            low = self._refuted_from(at + 1, top)
            self._refuted(low, _LP)
            more = 2 * ahead if low - at <= ahead else 1
            ahead = more if top == len(self.values) else max(1, (top - low) // 2)
        return low if low < len(self.values) else None

    def _refuted_from(self, low: int, top: int) -> int:
        """The first segment from ``low`` on, before ``top``, that the last prices do not refute."""
        high, step = top, 1
        while low < high:
            at = min(low + step - 1, high - 1)
            if self.options.refuted(*self._within(at), self.prices):
                low, step = at + 1, 2 * step if high == top else max(1, (high - at - 1) // 2)
            else:
                high, step = at, max(1, (at - low) // 2)
        return low

    def _apart(self, at: int, effort: float) -> bool | None:
        """Whether there is a design without adapters in a segment; ``None``: not decided."""
        found = self._relaxed(at)
        if not found.possible or found.picks is not None:
            return found.possible
        return self._asked(found.candidates, at, effort, replace(self.problem, edges=()))

    def decided(self, at: int, effort: float) -> bool | None:
        """Whether there is a design in a segment, which is offered; ``None``: not decided."""
        if not self.problem.edges:
            return self._apart(at, effort)
        interval, limits = self._within(at)
        joint = self.prices if self.trial is None else self.trial
        candidates = self.options.at(interval, limits, adapters=True, prices=self.prices, joint=joint)
        own = joined(self.problem, candidates, limits, joint if joint.any() else None, self.record.clock)
        self.trial = self.trial if own.prices is None else own.prices
        if own.picks is not None:
            self._offer(own.candidates, own.picks)
        if not own.possible or own.picks is not None:
            return own.possible
        few = own.promising is None
        if (found := self._beam(own, limits, effort)) is not None or effort < (_LATE if few else 4 * _EFFORT):
            return found
        return self._asked(own.candidates, at, effort / 4)

    def _beam(self, own: Joined, limits: Sequence[int | None], effort: float) -> bool | None:
        """Whether partial designs, as many as the effort allows, lead to one, which is offered."""
        assert own.prices is not None
        self.searched = True
        for i in range(_WIDTHS):
            if 4 ** (i - 1) * _EFFORT > effort or self.record.over() is not None:
                break
            few = own.promising if i < _WIDTHS - 1 else None
            candidates = own.candidates if few is None else few
            found = beam(self.problem, candidates, limits, own.prices, _WIDTH << 3 * i, self.record.clock)
            self.record.work += found.made * _PARTIAL
            if found.possible:
                repair = Repair(self.problem, candidates, limits)  # of edges that no price knew of
                if (picks := repair.repaired(found.picks, own.prices)) is not None:
                    self._offer(candidates, picks)
                    return True
            elif found.possible is False and few is None:
                return False
        return None

    def _asked(
        self,
        candidates: Sequence[Candidates],
        at: int,
        effort: float,
        problem: Problem | None = None,
    ) -> bool | None:
        """Whether CP-SAT finds a design, which is offered; ``None``: not decided."""
        record = self.record
        if record.over() is not None:  # to declare a model takes time as well
            return None
        model = cast(Any, make_model(KIND, "cp-sat"))
        limits = self._within(at)[1]
        built = model.among(problem or self.problem, self.tables, candidates, limits)
        solver = cp_model.CpSolver()
        solver.parameters.num_workers = max(1, record.stop.workers)
        solver.parameters.random_seed = record.seed & 0x7FFFFFFF
        solver.parameters.catch_sigint_signal = False  # Ctrl-C belongs to the caller
        if (seconds := record.left()) < float("inf"):
            solver.parameters.max_time_in_seconds = max(0.0, seconds)
        if record.stop.work is not None:
            effort = min(effort, max(1e-3, record.stop.work - record.work))
        if effort < float("inf"):
            solver.parameters.max_deterministic_time = effort
        crew = Crew(lambda *_: False, solver=solver, built=built)
        crew.run()
        record.work += solver.response_proto.deterministic_time
        if crew.outcome in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            self._offer(candidates, model.picks(solver.value))
            return True
        return False if crew.outcome == cp_model.INFEASIBLE else None

    def _offer(self, candidates: Sequence[Candidates], picks: Sequence[int]) -> bool:
        """Take a choice as a design if it fits with its adapters."""
        rows = zip(self.tables, candidates, picks, strict=True)
        solution = Solution(tuple(t.choice(int(own.level[o]), int(own.folding[o])) for t, own, o in rows))
        return self.record.offer(solution, doubtful=bool(self.problem.edges))
