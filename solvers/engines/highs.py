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
``closing()``, optional
    The same rows in integers, with ``better_than(score, seconds) -> (whether there is, solution)`` and
    ``separate(solution)``: asked for what lies between the tolerances and the integer score.
``warm_start(problem, stop, seed)``, ``bound_method``, optional
    As for ``cp-sat``.

Exactness: relative and absolute gap 0, tolerances of 1e-9, and a floating-point bound b proves the integer bound
ceil(b - 1e-8·|b|): ten times the tolerance, since a binary may be off by it in every row.
"""

from __future__ import annotations

import math
import time
from typing import Any

from accmine.errors import InputError
from accmine.ports import Incumbent, Stop
from accmine.registry import make_model
from accmine.result import Result, Status, StopReason
from accmine.solving import explain, module_of, problem_kind, sense_of

from .highs_search import Search
from .interval_product import minimise_product

__all__ = ["Highs"]


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
        if hasattr(search.model, "closing") and search.near():
            search.close(search.model.closing())

    def _result(self, search: Search, kind: str) -> Result[Any]:
        reason, status = search.ended, Status.UNKNOWN
        conflict: tuple[str, ...] = ()
        remedy: tuple[str, ...] = ()
        if search.infeasible:
            status, reason = Status.INFEASIBLE, StopReason.PROVED
            conflict, remedy = explain(search.problem)
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
