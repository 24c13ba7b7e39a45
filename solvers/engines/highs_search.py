"""One search with HiGHS on a Pyomo model: rows are added until the answer meets them all."""

from __future__ import annotations

import logging
import math
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import highspy
import pyomo.environ as pyo
from pyomo.common import dependencies, tee
from pyomo.contrib.solver.common.factory import SolverFactory
from pyomo.contrib.solver.common.results import SolutionStatus, TerminationCondition

from accmine.errors import AccmineError
from accmine.interrupts import held_in
from accmine.record import Record
from accmine.result import StopReason

from .highs_engine import own_threads

__all__ = ["MARGIN", "TOLERANCE", "Search"]

TOLERANCE = 1e-9
"""Feasibility and integrality tolerance asked of HiGHS."""

MARGIN = 1e-8
"""Relative distance by which a floating-point bound is moved to the safe side."""

_CLOSING_S = 10.0
"""For each question about what lies between the tolerances of HiGHS and the integer objective."""

_METHOD = "HiGHS branch and bound, moved to the safe side by 1e-8 and rounded up to the integer objective"


def _own_lock() -> None:
    """Give a forked process a lock of its own for Pyomo's capture of the output.

    Once anything has imported multiprocessing, Pyomo's is one of all processes that come of a fork: one that is killed
    while it holds it stops all others, for 200 s each time. What is captured are descriptors, which no process shares.
    """
    dependencies.capture_output_lock = threading.Lock()


if os.name == "posix":
    os.register_at_fork(after_in_child=_own_lock)


class Search:
    """A built model, the record that takes what HiGHS finds, and HiGHS.

    Attributes
    ----------
    ended
        Why HiGHS itself ended early, once it has.
    """

    def __init__(self, record: Record[Any], model: Any, built: pyo.ConcreteModel) -> None:
        self.record, self.model, self.built = record, model, built
        self.ended: StopReason | None = None
        self._engine = SolverFactory("highs")
        self._objective = next(built.component_data_objects(pyo.Objective, active=True))

    def raise_bound(self, bound: int) -> None:
        """Take over a better bound; it never passes the best solution."""
        best = self.record.score
        self.record.raise_bound(bound if best is None else min(bound, best), _METHOD)

    def none_left(self) -> None:
        """The model has no solution: nothing is better than the best, or there is none at all."""
        if self.record.best is None:
            self.record.no_solution(_METHOD)

    def finished(self) -> bool:
        """Whether the search has to end: proved, within the gap, or out of time."""
        return self.ended is not None or self.record.closed() is not None or self.record.left() <= 0

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
            self.record.offer(found, doubtful=True)
            if not self.model.separate(found):
                break
        return limit, last

    def near(self) -> bool:
        """Whether no more than the tolerances of HiGHS is left between best and bound."""
        best, bound = self.record.score, self.record.bound
        if best is None or bound is None or self.finished():
            return False
        return bool(0 < best - bound <= 10 * MARGIN * abs(best))

    def close(self, closing: Any) -> None:
        """Ask for something better in integer arithmetic until there is nothing, or the search ends."""
        while self.near():
            answer, found = self.better(closing)
            if answer is False:
                self.nothing_better()
            if not answer:
                return
            self.record.offer(found, doubtful=True)
            closing.separate(found)

    def better(self, closing: Any, interval: tuple[int, int] | None = None) -> tuple[bool | None, Any]:
        """The question about one solution better than the best; ``None`` is also the answer where time is up."""
        if self.finished():
            return None, None
        answer: tuple[bool | None, Any] = closing.better_than(
            self.record.score, min(self.record.left(), _CLOSING_S), interval
        )
        return answer

    def nothing_better(self) -> None:
        """The integers leave nothing below the best."""
        self.record.raise_bound(self.record.score, f"{_METHOD}; within the tolerances: CP-SAT on the same rows")

    def _run(self) -> tuple[float | None, Any]:
        """One call of HiGHS: (safe lower limit of the expression, solution), each ``None`` if there is none."""
        options: dict[str, Any] = {
            "random_seed": self.record.seed & 0x7FFFFFFF,
            "mip_feasibility_tolerance": TOLERANCE,
            "primal_feasibility_tolerance": TOLERANCE,
            "dual_feasibility_tolerance": TOLERANCE,
        }
        stop, left = self.record.stop, max(0.0, self.record.left())
        if stop.work is not None:
            options["mip_max_nodes"] = max(0, int(stop.work))
        own_threads()
        with _quiet():
            results = self._engine.solve(
                self.built,
                load_solutions=False,
                raise_exception_on_nonoptimal_result=False,
                time_limit=left if math.isfinite(left) else None,
                rel_gap=max(0.0, stop.gap),
                abs_gap=0.0,
                threads=max(1, stop.workers),
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
            raise KeyboardInterrupt
        bound = results.objective_bound
        if bound is not None:
            bound = bound - MARGIN * abs(bound) if math.isfinite(bound) else None
        if results.solution_status == SolutionStatus.noSolution:
            return bound, None
        values = results.solution_loader.get_vars()
        return bound, self.model.read(lambda variable: values.get(variable, variable.lb or 0.0))


@contextmanager
def _quiet() -> Iterator[None]:
    """Pyomo warns of HiGHS's status after Ctrl-C, which is handled here; one that comes while it opens or closes its
    capture of the output leaves a pipe open, for whose end it then waits for 100 s.
    """
    logger = logging.getLogger("pyomo.contrib.solver.solvers.highs")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with held_in(tee.__file__):
            yield
    finally:
        logger.setLevel(level)
