"""The parts of a run that solvers decide: each kept in its folder, and the beginning of the next try.

A part is kept as the result of a solver in its JSON form. It is a claim: its solution is checked again before it is
used, and what is damaged or of another run is computed again.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import Any

from accmine.errors import AccmineError
from accmine.ports import Incumbent, Stop
from accmine.problems.sparse_dataflow import Problem, Solution, solution_from_json
from accmine.questions.run.folder import RunFolder
from accmine.report import Watch
from accmine.result import Result, Sense, Status, StopReason
from accmine.solving import result_to_json, solve, verify
from accmine.study.sparse.keys import SparseBudget

__all__ = ["Parts"]

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

    def solve(
        self, key: str, problem: Problem, solver: str | None = None, *, share: float = 1.0, work: float | None = None
    ) -> Result[Solution]:
        """Decide a problem in a share of what is left, from where an earlier try of this part ended.

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
        left, begin = self.left(), time.monotonic()
        stop = Stop(None if left is None else share * left, work, workers=self.budget.workers)
        hint = None if known is None or solver == _BASELINE else known.solution
        told = self.on_progress if solver != _BASELINE else None
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
