"""Whether a stage selection meets its limits, and which of them conflict: CP-SAT with assumptions, no objective.

CP-SAT names a sufficient set of assumptions for a contradiction; it need not be minimal, so the limits of the set
are taken away one by one (``accmine.problems.conflict``). What the time limit leaves undecided counts as conflicting no
further: the set is then reported without the claim that it is minimal.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, cast

from ortools.sat.python import cp_model

from accmine.ports import Stop
from accmine.problems.conflict import minimal_conflict
from accmine.problems.stage_selection import KIND, Problem, Solution, bound
from accmine.record import Record
from accmine.registry import make_model
from accmine.result import StopReason

from ..engines.crew import Crew
from .why_not import explain

__all__ = ["LimitConflict"]


class LimitConflict:
    """Decides whether the limits can be met; the value of the choice it finds is not improved.

    ``stop.seconds`` and ``stop.work`` (deterministic time of CP-SAT) hold for each of the few questions asked.
    """

    name = "limit-conflict"

    def search(self, record: Record[Solution]) -> StopReason:
        """A choice within the limits, or the limits of a minimal conflict."""
        problem = record.problem
        record.raise_bound(*bound(problem))
        if record.best is not None:
            return StopReason.FINISHED
        questions = Questions(problem, record.stop, record.seed)
        answer, solution = questions.ask(questions.names)
        if solution is not None:
            record.offer(solution)
        elif answer is False:
            conflict, _ = questions.conflict()
            record.no_solution("CP-SAT")
            record.blame(conflict, _remedies(problem, conflict))
        return StopReason.TIME if answer is None else StopReason.FINISHED

    def questions(self, problem: Problem, stop: Stop, seed: int = 0) -> Questions:
        """The questions about one problem, for those who ask several."""
        return Questions(problem, stop, seed)


def _remedies(problem: Problem, conflict: tuple[str, ...]) -> tuple[str, ...]:
    """What helps of the limits in conflict."""
    if not conflict:
        return ()
    known = explain(problem)[1]
    return tuple(text for text in known if text.partition(":")[0] in conflict) or known


class Questions:
    """Questions about the limits of one problem to one model.

    Attributes
    ----------
    names
        The limits there are.
    core
        After the answer that limits conflict: a part of them that suffices for it, perhaps not a minimal one.
    """

    def __init__(self, problem: Problem, stop: Stop, seed: int) -> None:
        self.problem, self.stop, self.seed = problem, stop, seed
        self.model = cast(Any, make_model(KIND, LimitConflict.name))  # with the literals of its limits
        self.built: cp_model.CpModel = self.model.build(problem)
        self.names: frozenset[str] = frozenset(self.model.literals)
        self.core = self.names

    def ask(self, limits: Collection[str]) -> tuple[bool | None, Solution | None]:
        """Whether the named limits can be met together, and a choice that does; ``None`` if that is not decided."""
        self.model.assume(limits)
        solver = self._run()
        status = solver.status
        if status in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            return True, self.model.read(solver.value)
        if status != cp_model.INFEASIBLE:
            return None, None
        core = set(solver.core)
        self.core = frozenset(name for name in limits if self.model.literals[name].index in core)
        return False, None

    def conflict(self) -> tuple[tuple[str, ...], bool]:
        """(a set of conflicting limits, whether it is proven minimal), after the answer that all of them conflict.

        The sufficient assumptions are the set to begin with.
        """
        minimal = True

        def feasible(kept: frozenset[str]) -> bool:
            nonlocal minimal
            answer, _ = self.ask(kept)
            minimal &= answer is not None
            return answer is not False

        order = [name for name in self.model.literals if name in self.core]
        if len(order) < 2:
            return tuple(order), True
        return minimal_conflict(order, feasible) or tuple(order), minimal

    def least(self, limit: str, kept: Collection[str]) -> tuple[Solution | None, int]:
        """A choice of low cost, of the kind that a limit caps, while the ``kept`` limits hold; proven lower bound.

        The bound is in integer units. The model answers nothing else afterwards.
        """
        self.model.assume(kept)
        self.model.minimize(limit)
        solver = self._run()
        found = solver.status in (cp_model.OPTIMAL, cp_model.FEASIBLE)
        return (self.model.read(solver.value) if found else None), max(0, solver.bound)

    def _run(self) -> _Answer:
        solver = cp_model.CpSolver()
        solver.parameters.num_workers = 1
        solver.parameters.random_seed = self.seed & 0x7FFFFFFF
        solver.parameters.catch_sigint_signal = False  # Ctrl-C belongs to the caller
        if self.stop.seconds is not None:
            solver.parameters.max_time_in_seconds = max(0.0, self.stop.seconds)
        if self.stop.work is not None:
            solver.parameters.max_deterministic_time = self.stop.work
        crew = Crew(lambda *_: False, solver=solver, built=self.built)
        crew.run()
        return _Answer(solver, crew.outcome)


class _Answer:
    """What CP-SAT says, in exact integers."""

    def __init__(self, solver: cp_model.CpSolver, status: Any) -> None:
        self.status = status
        self.value = solver.value
        self.core: list[int] = []
        if status == cp_model.INFEASIBLE:
            self.core = list(solver.sufficient_assumptions_for_infeasibility())
        self.bound = int(solver.response_proto.inner_objective_lower_bound)
