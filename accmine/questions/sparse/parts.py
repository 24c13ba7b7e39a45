"""The parts of a run that solvers decide: each kept in its folder, and the beginning of the next try.

A part is kept as the result of a solver in its JSON form. It is a claim: its solution is checked again before it is
used, and what is damaged or of another run is computed again.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

from accmine.errors import AccmineError
from accmine.ports import Incumbent, Stop
from accmine.problems.sparse_dataflow import Problem, Solution, solution_from_json
from accmine.questions.run.folder import RunFolder
from accmine.questions.sparse.buys import buys
from accmine.questions.sparse.record import BuyRow
from accmine.questions.sparse.worth import BUDGET_OF, buy_row, rows_from_json, rows_to_json, settled
from accmine.report import Watch
from accmine.result import Result, Sense, Status, StopReason
from accmine.solving import result_to_json, solve, verify
from accmine.study.sparse.keys import SparseBudget

__all__ = ["MAIN", "Parts"]

MAIN = "answer"
"""The part whose progress is shown."""

_DECIDED = (Status.OPTIMAL, Status.INFEASIBLE)
_BASELINE = "tpe"
"""A search that is compared with: it begins by itself, or the comparison would be of another one."""


@dataclass
class Parts:
    """What is solved in a run, within its budget.

    Attributes
    ----------
    began
        When the budget began to count, of ``time.monotonic()``.
    seconds
        That each part took.
    """

    folder: RunFolder
    budget: SparseBudget
    began: float
    watch: Watch
    on_progress: Incumbent | None = None
    seconds: dict[str, float] = field(default_factory=dict)

    def left(self) -> float | None:
        """Seconds of the budget; ``None``: no limit."""
        limit = self.budget.seconds
        return None if limit is None else max(0.0, limit - (time.monotonic() - self.began))

    def stop(self, share: float = 1.0, work: float | None = None) -> Stop:
        """Limits of something that may take a share of what is left."""
        left = self.left()
        return Stop(None if left is None else share * left, work, workers=self.budget.workers)

    def solve(
        self,
        key: str,
        problem: Problem,
        solver: str | None = None,
        *,
        share: float = 1.0,
        work: float | None = None,
        hint: Solution | None = None,
    ) -> Result[Solution]:
        """Decide a problem in a share of what is left, from where an earlier try of this part ended, or from a hint.

        Raises
        ------
        CheckError
            If a solution fails its check.
        """
        known, had = self._kept(key, problem)
        if known is not None and (known.status in _DECIDED or self.budget.covered_by({"seconds": had})):
            self.folder.note("read", key)
            self.seconds[key] = 0.0
            return known
        self.folder.note("begun", key)
        begin = time.monotonic()
        if solver == _BASELINE:
            hint = None
        elif known is not None and known.solution is not None:
            hint = known.solution
        told = self.on_progress if key == MAIN else None
        stop = self.stop(share, work)
        result = solve(problem, solver, stop=stop, seed=self.budget.seed, hint=hint, on_progress=told)
        self.seconds[key] = time.monotonic() - begin
        if known is not None and solver != _BASELINE:
            result = _joined(problem, result, known)
        if result.stop is not StopReason.INTERRUPTED:
            had = self.budget.seconds
        elif solver == _BASELINE or result.solution is None:
            return result
        self.folder.put(key, {"had": had, "work": result.work, "result": result_to_json(problem, result)})
        self.folder.note("kept", key)
        return result

    def bought(
        self,
        key: str,
        problem: Problem,
        result: Result[Solution],
        names: Sequence[str],
        frequency_hz: float,
        *,
        share: float,
    ) -> tuple[BuyRow, ...]:
        """What more of some limits of a study buys, in a share of what is left."""
        known = self.folder.get(key)
        if known is not None and (known["settled"] or self.budget.covered_by({"seconds": known["had"]})):
            self.folder.note("read", key)
            self.seconds[key] = 0.0
            return rows_from_json(known["rows"])
        self.folder.note("begun", key)
        begin = time.monotonic()
        asked = {BUDGET_OF.get(name, name): name for name in names}
        stop, seed = self.stop(share), self.budget.seed
        found = buys(problem, result, names=list(asked), steps=1, reach=Fraction(0), stop=stop, seed=seed)
        rows = tuple(buy_row(asked[own.name], own, frequency_hz) for own in found)
        self.seconds[key] = time.monotonic() - begin
        self.folder.put(key, {"had": self.budget.seconds, "settled": settled(rows), "rows": rows_to_json(rows)})
        self.folder.note("kept", key)
        return rows

    def _kept(self, key: str, problem: Problem) -> tuple[Result[Solution] | None, float | None]:
        """(what an earlier try has of a part, verified; the seconds of its run)."""
        found = self.folder.get(key)
        if found is None:
            return None, 0.0
        try:
            return verify(problem, _result(problem, found["result"], found["work"])), found["had"]
        except (AccmineError, LookupError, TypeError, ValueError) as error:
            self.watch.say(f"not used: {self.folder.path}/tasks/{key}.json: {error!s:.80}")
            return None, 0.0


def _result(problem: Problem, table: dict[str, Any], work: float) -> Result[Solution]:
    solution, status = table["solution"], Status(table["status"])
    return Result(
        kind=table["kind"],
        solver=table["solver"],
        status=status,
        stop=StopReason.PROVED if status in _DECIDED else StopReason(table["stop"]),
        objective=table["objective"],
        bound=table["bound"],
        bound_method=table["bound_method"],
        solution=None if solution is None else solution_from_json(problem, solution),
        seconds=table["seconds"],
        seed=table["seed"],
        sense=Sense.MINIMIZE,
        trace=tuple((row[0], row[1], row[2]) for row in table["trace"]),
        conflict=tuple(table["conflict"]),
        remedy=tuple(table["remedy"]),
        work=work,
    )


def _joined(problem: Problem, result: Result[Solution], known: Result[Solution]) -> Result[Solution]:
    """A result with the bound of an earlier try where that is better, which it never gets below."""
    if known.bound is None or (result.bound is not None and result.bound >= known.bound):
        return result
    if result.status is Status.INFEASIBLE:
        return result
    joined = replace(result, bound=known.bound, bound_method=known.bound_method)
    if result.solution is not None and result.objective == known.bound:
        joined = replace(joined, status=Status.OPTIMAL, stop=StopReason.PROVED)
    return verify(problem, joined)
