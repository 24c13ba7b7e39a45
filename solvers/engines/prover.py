"""A second CP-SAT search that only raises the bound, from a model made for proofs.

Asked for the best schedule CP-SAT spends its time on schedules, and its bound stays where presolve left it.
Searching the objective from below instead (destructive improvement: Klein and Scholl, EJOR 112 (1999) 322-346),
on a horizon just under the best solution at hand and with constraints that follow from the others, moves the
bound in the first seconds. It cannot see later solutions of others, and need not: a bound holds anyway.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from ortools.sat.python import cp_model

from accmine.ports import NEVER, Clock

__all__ = ["Provable", "Prover"]

_EXACT = 1 << 53  # floating-point numbers hold every integer below


class Provable(Protocol):
    """A built model whose objective is the problem's own, and its solution from the values of the variables."""

    model: cp_model.CpModel

    def read(self, value: Callable[[Any], float | int]) -> Any:
        """The problem's solution."""
        ...


class _Solutions(cp_model.CpSolverSolutionCallback):  # type: ignore[misc]  # ortools is untyped here
    def __init__(self, provable: Provable, found: Callable[[int | None, Any], None]) -> None:
        super().__init__()
        self.provable, self.found = provable, found

    def on_solution_callback(self) -> None:
        """Called by CP-SAT."""
        self.found(None, self.provable.read(self.value))


def _unheard(bound: int | None, solution: Any) -> None:
    """Nobody listens yet."""


@dataclass
class Prover:
    """One search from below, in a thread of the caller's choice.

    Attributes
    ----------
    provable
        The problem restricted to values of at most ``upper`` - 1.
    upper
        Value of the solution at hand: what is proven when nothing better exists.
    parameters
        CP-SAT parameters by name.
    found
        Called with (bound, None) or (None, solution) in the thread of ``run``.
    seed
        Of CP-SAT.
    clock, work
        Moment and deterministic time at which it ends.
    gap
        It ends at upper - bound ≤ gap · upper.
    used
        Deterministic time spent.
    """

    provable: Provable
    upper: int
    parameters: Mapping[str, Any] = field(default_factory=dict)
    found: Callable[[int | None, Any], None] = _unheard
    seed: int = 0
    clock: Clock = NEVER
    work: float = float("inf")
    gap: float = 0.0
    used: float = 0.0
    _solver: cp_model.CpSolver = field(default_factory=cp_model.CpSolver)

    def stop(self) -> None:
        """End soon; may be called from any thread, and again: a search that has not begun does not hear it."""
        self._solver.stop_search()

    def run(self) -> None:
        """Search until the optimum is proven or the limits are reached."""
        left = self.clock.left()
        if left <= 0 or self.work <= 0:
            return
        solver = self._solver
        for name, value in self.parameters.items():
            setattr(solver.parameters, name, value)
        solver.parameters.use_objective_lb_search = True
        solver.parameters.num_workers = 1
        solver.parameters.random_seed = self.seed & 0x7FFFFFFF
        solver.parameters.catch_sigint_signal = False
        if left < float("inf"):
            solver.parameters.max_time_in_seconds = left
        if self.work < float("inf"):
            solver.parameters.max_deterministic_time = self.work
        solver.best_bound_callback = self._raised
        outcome = solver.solve(self.provable.model, _Solutions(self.provable, self.found))
        self.used = solver.response_proto.deterministic_time
        if outcome == cp_model.INFEASIBLE:
            self.found(self.upper, None)
        elif outcome in (cp_model.OPTIMAL, cp_model.FEASIBLE, cp_model.UNKNOWN):
            inner = int(solver.response_proto.inner_objective_lower_bound)
            if inner > 0:  # 0 says nothing, and may mean that presolve was not over
                self.found(min(inner, self.upper), None)

    def _raised(self, bound: float) -> None:
        if 0 < bound < _EXACT:
            self.found(min(int(bound), self.upper), None)
            if self.upper - bound <= self.gap * self.upper:  # CP-SAT knows no solution to measure the gap from
                self._solver.stop_search()
