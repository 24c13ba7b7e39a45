"""The two ports of accmine: a declared model of a problem, and a way of deciding it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from accmine.result import Result

__all__ = ["Incumbent", "Model", "Solver", "Stop"]

Incumbent = Callable[[float, float | int | None, float | int | None], None]
"""Called with (seconds, objective, bound) whenever one of the two values moves."""


@dataclass(frozen=True, slots=True)
class Stop:
    """When a solver has to end; every given limit holds.

    Attributes
    ----------
    seconds
        Wall-clock limit; 0 is allowed and leaves time only for what is free.
    work
        Deterministic limit (CP-SAT: deterministic time; heuristics: schedule evaluations).
    gap
        Relative gap, 0 to 1, at which the answer is good enough.
    workers
        Threads a solver may use. One worker and a ``work`` limit make a run repeatable.
    """

    seconds: float | None = None
    work: float | None = None
    gap: float = 0.0
    workers: int = 1

    def deadline(self) -> float:
        """Value of ``time.monotonic()`` at which the wall-clock limit, counted from now, passes."""
        return float("inf") if self.seconds is None else time.monotonic() + self.seconds


@runtime_checkable
class Solver(Protocol):
    """One way of deciding a problem."""

    name: str

    def solve(
        self,
        problem: Any,
        *,
        stop: Stop,
        seed: int = 0,
        hint: Any | None = None,
        on_progress: Incumbent | None = None,
    ) -> Result[Any]:
        """Decide ``problem``; never raises at a time-out, never drops a bound."""
        ...


@runtime_checkable
class Model(Protocol):
    """A declared model of a problem for one engine: what must hold, apart from how it is decided.

    ``engine`` is ``"cp-sat"`` (``build`` returns an ``ortools`` ``CpModel``) or ``"mip"``
    (``build`` returns a Pyomo ``ConcreteModel``).
    """

    engine: str

    def build(self, problem: Any) -> Any:
        """Variables, constraints and objective of ``problem`` in the engine's own model object."""
        ...

    def hint(self, solution: Any) -> None:
        """Give every variable of the built model its value in ``solution`` as a starting point."""
        ...

    def bounds(self) -> tuple[float | int | None, float | int | None]:
        """Valid (lower, upper) limits of the objective known before solving."""
        ...

    def read(self, value: Callable[[Any], float | int]) -> Any:
        """The problem's solution, from the value of each engine variable."""
        ...
