"""One search with HiGHS: what is known so far in exact integer scores, and the engine that finds out more."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import highspy
import pyomo.environ as pyo
from pyomo.contrib.solver.common.factory import SolverFactory
from pyomo.contrib.solver.common.results import SolutionStatus, TerminationCondition

from accmine.errors import AccmineError
from accmine.ports import Incumbent, Stop
from accmine.result import Sense, StopReason, gap

__all__ = ["MARGIN", "TOLERANCE", "Search"]

TOLERANCE = 1e-9
"""Feasibility and integrality tolerance asked of HiGHS."""

MARGIN = 1e-8
"""Relative distance by which a floating-point bound is moved to the safe side."""

_CLOSING_S = 10.0
"""For each question about what lies between the tolerances of HiGHS and the integer objective."""

_METHOD = "HiGHS branch and bound, moved to the safe side by 1e-8 and rounded up to the integer objective"


@dataclass
class Search:
    """What is known so far, in integer scores, and the engine that finds out more.

    Attributes
    ----------
    best, bound
        Score of the best checked solution, and proven lower limit of every score.
    ended
        Why the search has to end, once it has.
    """

    problem: Any
    module: Any
    model: Any
    built: pyo.ConcreteModel
    stop: Stop
    deadline: float
    seed: int
    sense: Sense
    on_progress: Incumbent | None
    best: int | None = None
    bound: int | None = None
    solution: Any = None
    ended: StopReason | None = None
    infeasible: bool = False
    bound_method: str = ""
    begin: float = field(default_factory=time.monotonic)
    trace: list[tuple[float, float | int | None, float | int | None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        highspy.Highs.resetGlobalScheduler(True)  # else another number of threads than in the last call is an error
        self._engine = SolverFactory("highs")
        self._objective = next(self.built.component_data_objects(pyo.Objective, active=True))

    def objective(self, score: int | None) -> float | int | None:
        """A score in the problem's unit."""
        return None if score is None else self.model.to_objective(score)

    def offer(self, solution: Any) -> bool:
        """Take over a solution if it is valid and better; returns whether it is valid."""
        if self.module.check(self.problem, solution):
            return False
        score = self.model.score(solution)
        if self.best is None or score < self.best:
            self.best, self.solution = score, solution
            self._moved()
        return True

    def raise_bound(self, bound: int, method: str = _METHOD) -> None:
        """Take over a better bound; it never passes the best solution."""
        if self.best is not None:
            bound = min(bound, self.best)
        if self.bound is None or bound > self.bound:
            self.bound, self.bound_method = bound, method
            self._moved()

    def _moved(self) -> None:
        row = (round(time.monotonic() - self.begin, 6), self.objective(self.best), self.objective(self.bound))
        self.trace.append(row)
        if self.on_progress is not None:
            self.on_progress(*row)
        self.finished()

    def finished(self) -> bool:
        """Whether the search has to end: proved, within the gap, or out of time."""
        if self.best is not None and self.bound is not None:
            if self.bound >= self.best:
                self.ended = StopReason.PROVED
            elif (distance := gap(self.objective(self.best), self.objective(self.bound), self.sense)) is not None:
                self.ended = StopReason.GAP if 0 < distance <= self.stop.gap else self.ended
        if self.ended is None and time.monotonic() >= self.deadline:
            self.ended = StopReason.TIME
        return self.ended is not None

    def aim(self, expression: Any) -> None:
        """Minimise another linear expression from here on."""
        self._objective.set_value(expression)

    def settle(self, proven: Callable[[float], None] | None = None) -> tuple[float | None, Any]:
        """Minimise the current expression, adding rows until the answer meets them all or the search ends.

        Parameters
        ----------
        proven
            Called with every lower limit of the expression, already on the safe side.

        Returns
        -------
        (bound, solution)
            Best limit (``None``: none; infinity: no solution) and the last solution read.
        """
        limit: float | None = None
        last = None
        while not self.finished():
            bound, found = self._run()
            if bound is not None:
                limit = bound if limit is None else max(limit, bound)
                if proven is not None and math.isfinite(limit):
                    proven(limit)
            if found is None:
                break
            last = found
            self.offer(found)
            if not (hasattr(self.model, "separate") and self.model.separate(found)):
                break
        return limit, last

    def near(self) -> bool:
        """Whether no more than the tolerances of HiGHS is left between best and bound."""
        if self.best is None or self.bound is None or self.finished():
            return False
        return 0 < self.best - self.bound <= 10 * MARGIN * abs(self.best)

    def close(self, closing: Any) -> None:
        """Ask for something better in integer arithmetic until there is nothing, or the search ends."""
        while self.near() and self.best is not None:
            seconds = self.deadline - time.monotonic()
            answer, found = closing.better_than(self.best, min(seconds, _CLOSING_S))
            if answer is False:
                self.raise_bound(self.best, f"{_METHOD}; what lies within the tolerances: CP-SAT on the same rows")
            if not answer:
                return
            self.offer(found)
            closing.separate(found)

    def _run(self) -> tuple[float | None, Any]:
        """One call of HiGHS: (safe lower limit of the expression, solution), each ``None`` if there is none."""
        options: dict[str, Any] = {
            "random_seed": self.seed & 0x7FFFFFFF,
            "mip_feasibility_tolerance": TOLERANCE,
            "primal_feasibility_tolerance": TOLERANCE,
            "dual_feasibility_tolerance": TOLERANCE,
        }
        if self.stop.work is not None:
            options["mip_max_nodes"] = max(0, int(self.stop.work))
        left = self.deadline - time.monotonic()
        with _quiet():
            results = self._engine.solve(
                self.built,
                load_solutions=False,
                raise_exception_on_nonoptimal_result=False,
                time_limit=left if math.isfinite(left) else None,
                rel_gap=max(0.0, self.stop.gap),
                abs_gap=0.0,
                threads=max(1, self.stop.workers),
                solver_options=options,
            )
        condition = results.termination_condition
        if condition in (TerminationCondition.provenInfeasible, TerminationCondition.infeasibleOrUnbounded):
            return math.inf, None  # every declared model is bounded below
        if condition == TerminationCondition.error:
            raise AccmineError(f"HiGHS failed: {results.solver_log[-400:]}")
        if condition in (TerminationCondition.maxTimeLimit, TerminationCondition.iterationLimit):
            self.ended = StopReason.TIME
        elif condition == TerminationCondition.unknown:
            # Pyomo knows no status for it; HiGHS catches Ctrl-C itself.
            status = self._engine._solver_model.getModelStatus()
            if status != highspy.HighsModelStatus.kInterrupt:
                raise AccmineError(f"HiGHS ended with {status}: {results.solver_log[-400:]}")
            self.ended = StopReason.INTERRUPTED
        bound = results.objective_bound
        if bound is not None:
            bound = bound - MARGIN * abs(bound) if math.isfinite(bound) else None
        if results.solution_status == SolutionStatus.noSolution:
            return bound, None
        values = results.solution_loader.get_vars()
        return bound, self.model.read(lambda variable: values.get(variable, variable.lb or 0.0))


@contextmanager
def _quiet() -> Iterator[None]:
    """Pyomo warns of HiGHS's status after Ctrl-C, which is handled here."""
    logger = logging.getLogger("pyomo.contrib.solver.solvers.highs")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
