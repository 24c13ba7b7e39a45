"""The parts of a run that solvers decide: each kept in its folder, and the beginning of the next try.

A part is kept as the result of a solver in its JSON form. It is a claim: its solution is checked again before it is
used, and what is damaged or of another run is computed again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from accmine.errors import AccmineError
from accmine.ports import Incumbent, Stop
from accmine.problems.sparse_dataflow import Problem, Solution, solution_from_json
from accmine.questions.run.folder import RunFolder
from accmine.report import Watch, from_json, to_json
from accmine.result import Result, Sense, Status, StopReason
from accmine.solving import result_to_json, solve, verify
from accmine.study.sparse.keys import SparseBudget

__all__ = ["MAIN", "Parts"]

R = TypeVar("R")

MAIN = "answer"
"""The part whose progress is shown."""

_DECIDED = (Status.OPTIMAL, Status.INFEASIBLE)


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
        """Limits of something that may take a share of what is left.

        Parameters
        ----------
        work
            Limit in its own unit.
        """
        left = self.left()
        return Stop(None if left is None else share * left, work, workers=self.budget.workers)

    def solve(
        self, key: str, problem: Problem, *, share: float = 1.0, hint: Solution | None = None
    ) -> tuple[Result[Solution], float]:
        """Decide a problem in a share of what is left, from where an earlier try of this part ended, or from a hint.

        Returns
        -------
        result, seconds
            That it took, of all tries.

        Raises
        ------
        CheckError
            If a solution fails its check.
        """
        known, had, took = self._kept(key, problem)
        if known is not None and (known.status in _DECIDED or self.budget.covered_by({"seconds": had})):
            self.folder.note("read", key)
            return known, took
        self.folder.note("begun", key)
        begin = time.monotonic()
        hint = hint if known is None or known.solution is None else known.solution
        told = self.on_progress if key == MAIN else None
        result = solve(problem, stop=self.stop(share), seed=self.budget.seed, hint=hint, on_progress=told)
        took += self.took(key, begin)
        result = result if known is None else _joined(problem, result, known)
        if result.stop is not StopReason.INTERRUPTED:
            had = self.budget.seconds
        if result.solution is not None or result.status in _DECIDED:
            self.keep(key, {"had": had, "took": took, "result": result_to_json(problem, result)})
        return result, took

    def rows(self, key: str, kind: type[R], make: Callable[[], tuple[R, bool]]) -> R:
        """A part that is not a solution but a record about some: as it was kept, or made.

        Parameters
        ----------
        make
            Returns the record, and whether no time would change it.
        """
        known = self.folder.get(key)
        if known is not None and (known["settled"] or self.budget.covered_by({"seconds": known["had"]})):
            self.folder.note("read", key)
            return from_json(kind, known["record"])
        self.folder.note("begun", key)
        begin = time.monotonic()
        found, settled = make()
        self.took(key, begin)
        self.keep(key, {"had": self.budget.seconds, "settled": settled, "record": to_json(found)})
        return found

    def took(self, key: str, begin: float) -> float:
        """Note the seconds of a part since it began, of ``time.monotonic()``, and return them."""
        took = time.monotonic() - begin
        name = key.partition("-")[0]
        self.seconds[name] = self.seconds.get(name, 0.0) + took
        return took

    def keep(self, key: str, value: dict[str, Any]) -> None:
        """Keep a part in the folder, as JSON values."""
        self.folder.put(key, value)
        self.folder.note("kept", key)

    def _kept(self, key: str, problem: Problem) -> tuple[Result[Solution] | None, float | None, float]:
        """What an earlier try has of a part, verified; seconds of its budget, and those that it took."""
        found = self.folder.get(key)
        if found is None:
            return None, 0.0, 0.0
        try:
            return verify(problem, _result(problem, found["result"])), found["had"], found["took"]
        except (AccmineError, LookupError, TypeError, ValueError) as error:
            self.watch.say(f"not used: {self.folder.path}/tasks/{key}.json: {error!s:.80}")
            return None, 0.0, 0.0


def _result(problem: Problem, table: dict[str, Any]) -> Result[Solution]:
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
