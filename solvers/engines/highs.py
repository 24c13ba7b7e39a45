"""HiGHS for every problem with a declared Pyomo model: build, solve, add the rows a choice asks for, keep every bound.

Beside the port ``accmine.ports.Model`` (``bounds`` in the problem's own unit) a model for the engine ``mip`` offers

``score(solution) -> int``
    Exact integer objective, minimised; HiGHS's own floating-point objective is never reported.
``unit: float``
    Integer score per unit of the Pyomo objective (for a product objective: of its first factor).
``to_objective(score: int) -> float``
    The problem's objective, or a bound of it, from an integer score.
``floor_score: int | None``
    Lower bound of the score that needs no search.
``separate(solution) -> int``, optional
    Adds rows that the solution violates although the model accepts it; returns how many are new.
``factors()``, optional
    Not ``None`` for a product objective: see ``interval_product``.
``warm_start(problem, stop, seed)``, ``bound_method``, optional
    As for ``cp-sat``.

Exactness: relative and absolute gap 0, tolerances of 1e-9, and a floating-point bound b proves the integer bound
ceil(b - 1e-8·|b|): ten times the tolerance, since a binary may be off by it in every row.
"""

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

from accmine.errors import AccmineError, InputError
from accmine.ports import Incumbent, Stop
from accmine.registry import make_model
from accmine.result import Result, Sense, Status, StopReason, gap
from accmine.solving import module_of, problem_kind, sense_of

from .interval_product import minimise_product

__all__ = ["Highs", "Search"]

TOLERANCE = 1e-9
"""Feasibility and integrality tolerance asked of HiGHS."""

MARGIN = 1e-8
"""Relative distance by which a floating-point bound is moved to the safe side."""

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


class Highs:
    """Generic HiGHS driver; see the module.

    ``stop.seconds`` limits the whole call except building the model, ``stop.work`` the nodes of each branch and
    bound. With no time left the hint or the model's warm start is returned, with the bound that needs no search.
    Ctrl-C keeps the best solution and bound (stop reason ``interrupted``).

    Parameters
    ----------
    model
        Unbuilt model to solve in place of the registered one, for callers that restrict it.
    """

    name = "highs"

    def __init__(self, model: Any | None = None) -> None:
        self._model = model

    def solve(
        self,
        problem: Any,
        *,
        stop: Stop,
        seed: int = 0,
        hint: Any | None = None,
        on_progress: Incumbent | None = None,
    ) -> Result[Any]:
        """Decide ``problem``; see ``accmine.ports.Solver``.

        Raises
        ------
        InputError
            If the hint is not a solution, or the problem does not fit the engine.
        """
        kind, module = problem_kind(problem), module_of(problem)
        model: Any = make_model(kind, self.name) if self._model is None else self._model
        if model.engine != "mip":
            raise InputError(f"the model of {kind} for {self.name} is for the engine {model.engine!r}")
        deadline = stop.deadline()
        built = model.build(problem)
        search = Search(problem, module, model, built, stop, deadline, seed, sense_of(problem), on_progress)
        if model.floor_score is not None:
            search.raise_bound(model.floor_score, getattr(model, "bound_method", "limits of the model"))
        self._start(search, hint)
        try:
            if not search.finished():
                self._decide(search)
        except KeyboardInterrupt:
            search.ended = StopReason.INTERRUPTED
        return self._result(search, kind)

    @staticmethod
    def _start(search: Search, hint: Any | None) -> None:
        """Take over the caller's hint, or the model's warm start."""
        if hint is not None:
            wrong = search.module.check(search.problem, hint)
            if wrong:
                raise InputError(f"the hint is not a solution: {'; '.join(wrong)}")
        elif hasattr(search.model, "warm_start"):
            hint = search.model.warm_start(search.problem, search.stop, search.seed).solution
        if hint is not None and search.offer(hint):
            search.model.hint(hint)
            if hasattr(search.model, "separate"):
                search.model.separate(hint)

    @staticmethod
    def _decide(search: Search) -> None:
        factors = search.model.factors() if hasattr(search.model, "factors") else None
        if factors is not None:
            minimise_product(search, factors)
            return
        unit = search.model.unit
        limit, _ = search.settle(lambda bound: search.raise_bound(math.ceil(bound * unit)))
        search.infeasible = limit == math.inf and search.best is None

    def _result(self, search: Search, kind: str) -> Result[Any]:
        reason, status = search.ended, Status.UNKNOWN
        conflict: tuple[str, ...] = ()
        remedy: tuple[str, ...] = ()
        if search.infeasible:
            status, reason = Status.INFEASIBLE, StopReason.PROVED
            if hasattr(search.module, "explain"):
                conflict, remedy = search.module.explain(search.problem)
        elif search.best is not None:
            status = Status.OPTIMAL if search.bound is not None and search.bound >= search.best else Status.FEASIBLE
        return Result(
            kind=kind,
            solver=self.name,
            status=status,
            stop=reason or StopReason.FINISHED,  # finished: nothing left to do within the tolerances
            objective=search.objective(search.best),
            bound=None if search.infeasible else search.objective(search.bound),
            bound_method=search.bound_method,
            solution=search.solution,
            seconds=time.monotonic() - search.begin,
            seed=search.seed,
            sense=search.sense,
            trace=tuple(search.trace),
            conflict=tuple(conflict),
            remedy=tuple(remedy),
        )
