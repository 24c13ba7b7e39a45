"""The ports of accmine: a kind of problem, a declared model of a problem, and a way of deciding it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf
from typing import Any, ClassVar, Protocol, runtime_checkable

from accmine.result import Sense, StopReason

__all__ = ["NEVER", "BaseModel", "Clock", "Incumbent", "Kind", "Model", "Problem", "Score", "Solver", "Stop"]

Incumbent = Callable[[float, float | int | None, float | int | None], None]
"""Called with (seconds, objective, bound) whenever one of the two values moves."""

Score = Any
"""Exact value of a solution that is minimised, whatever the direction and unit of its kind: an integer, or a float."""


@dataclass(frozen=True, slots=True)
class Clock:
    """A moment at which something has to end, for parts of a search that have no record of their own.

    Attributes
    ----------
    at
        Value of ``time.monotonic()``, which the processes of a machine share; infinite: never.
    """

    at: float = inf

    @classmethod
    def after(cls, seconds: float | None) -> Clock:
        """So many seconds from now; ``None``: never."""
        return NEVER if seconds is None else cls(time.monotonic() + seconds)

    def part(self, share: float = 1.0, most_s: float = inf) -> Clock:
        """After a share of what is left, and after ``most_s`` seconds at the latest.

        Never where this one never comes: what has to repeat must not look at the clock.
        """
        now = time.monotonic()
        return self if self.at == inf else Clock(now + min(share * max(0.0, self.at - now), most_s))

    def left(self) -> float:
        """Seconds until then; infinite for never, below 0 when it is over."""
        return self.at - time.monotonic()

    def over(self) -> bool:
        """Whether the moment has come."""
        return self.at != inf and self.at <= time.monotonic()

    def seconds(self) -> float | None:
        """Seconds until then for those who start a clock of their own: at least 0, ``None`` for never."""
        return None if self.at == inf else max(0.0, self.left())

    def stop(self, work: float | None = None) -> Stop:
        """Limits for a solver that has to end by then."""
        return Stop(self.seconds(), work)


NEVER = Clock()
"""No limit in time."""


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
        return self.clock().at

    def clock(self) -> Clock:
        """The wall-clock limit, counted from now."""
        return Clock.after(self.seconds)


@runtime_checkable
class Problem(Protocol):
    """Anything that names the kind of problem it is."""

    kind: str


class Kind(Protocol):
    """A kind of problem: the module ``accmine.problems.<kind>``, which shares nothing with any solver.

    Attributes
    ----------
    KIND
        Its name.
    EXACT_DECIMALS
        Whether ``problem_from_json`` wants decimals as ``decimal.Decimal``.
    """

    KIND: str
    EXACT_DECIMALS: bool

    def sense(self, problem: Any) -> Sense:
        """Direction of the values that are shown."""
        ...

    def score(self, problem: Any, solution: Any) -> Score:
        """What a solution is worth, exactly, whether or not it is valid; less is better."""
        ...

    def shown(self, problem: Any, score: Score) -> float | int:
        """A score in the problem's own unit and direction."""
        ...

    def shown_bound(self, problem: Any, score: Score) -> float | int:
        """A bound of all scores likewise, as one of the numbers that were given where they were rounded to scores."""
        ...

    def check(self, problem: Any, solution: Any) -> tuple[str, ...]:
        """Everything wrong with a solution, in words; empty when it is valid."""
        ...

    def bound(self, problem: Any) -> tuple[Score | None, str]:
        """(score that no solution is below, how it is proved) without search; ``None`` where there is none."""
        ...

    def impossible(self, problem: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """(limits in conflict, least change of each that helps) without search; both empty where it is not known."""
        ...

    def problem_from_json(self, obj: Any, where: str = "") -> Any:
        """The problem of a JSON object; ``where`` names it in complaints.

        Raises ``InputError`` for what is no such problem, or where problems of this kind have no file.
        """
        ...

    def problem_to_json(self, problem: Any) -> dict[str, Any]:
        """The JSON object of a problem; raises ``InputError`` where problems of this kind have no file."""
        ...

    def solution_from_json(self, problem: Any, obj: Any, where: str = "") -> Any:
        """The solution of a JSON object."""
        ...

    def solution_to_json(self, problem: Any, solution: Any) -> dict[str, Any]:
        """The JSON object of a solution."""
        ...


@runtime_checkable
class Solver(Protocol):
    """One way of deciding a problem."""

    name: str

    def search(self, record: Any) -> StopReason:
        """Offer solutions and raise the bound of an ``accmine.record.Record`` until it is over; say why it ended.

        Never drops a bound. Ctrl-C goes through: whoever made the record keeps what it holds.
        """
        ...


@runtime_checkable
class Model(Protocol):
    """A declared model of a problem for one engine: what must hold, apart from how it is decided.

    ``engine`` is ``"cp-sat"`` (``build`` returns an ``ortools`` ``CpModel``) or ``"mip"``
    (``build`` returns a Pyomo ``ConcreteModel``). What else an engine asks for has defaults in ``BaseModel``.
    """

    engine: str

    def build(self, problem: Any) -> Any:
        """Variables, constraints and objective of ``problem`` in the engine's own model object."""
        ...

    def hint(self, solution: Any) -> None:
        """Give every variable of the built model its value in ``solution`` as a starting point."""
        ...

    def read(self, value: Callable[[Any], float | int]) -> Any:
        """The problem's solution, from the value of each engine variable."""
        ...


class BaseModel:
    """What a model may offer beside the port, with what holds where it does not.

    Attributes
    ----------
    floor_score
        Once built: a score that no solution is below; ``None`` where there is none.
    bound_method
        How it was obtained, in words.
    parameters, proof_parameters
        CP-SAT parameters by name that suit the built model, and the one of ``below``.
    provable
        Whether a search for proofs on ``below`` is worth its time.
    unit
        Score per unit of the engine's objective, or of the first factor of it. Of ``cp-sat`` with more than 1 the
        objective is a lower bound of the score.
    """

    floor_score: Score | None = None
    bound_method: str = "limits of the model"
    parameters: Mapping[str, Any] = {}
    proof_parameters: ClassVar[Mapping[str, Any]] = {}
    provable: bool = False
    unit: int = 1

    def warm_start(self, record: Any) -> None:
        """Offer a quick solution and bound to a record without solution; before or after ``build``."""

    def below(self, score: int) -> Any:
        """For a ``provable`` model: a built one of all solutions of a lower score, with ``model`` and ``read``."""
        raise NotImplementedError

    def separate(self, solution: Any) -> int:
        """Add the rows that a solution violates although the model accepts it; returns how many are new."""
        del solution
        return 0

    def factors(self) -> Any | None:
        """For an objective that is a product, its two factors (see ``interval_product``); else ``None``."""
        return None

    def closing(self) -> Any | None:
        """The same rows in integers, for what lies between the tolerances of an engine and the exact score.

        An object with ``better_than(score, seconds, interval) -> (whether there is, solution)`` and
        ``separate(solution)``; for a product also ``left(solution, interval)`` (see ``interval_product``).
        """
        return None
