"""CP-SAT for every problem with a declared model: build, hint, solve, keep every bound.

Beside the port ``accmine.ports.Model`` (``bounds`` in the problem's own unit) a model may offer

``to_objective(value: int) -> int | float``
    The problem's objective or bound from the integer objective or bound of the engine; it must round a
    bound to the safe side. Default: the integer itself.
``warm_start(problem, stop, seed) -> Result``
    Called before ``build`` when the caller gives no hint: a quick result whose solution is the hint and
    whose bound is kept.
``bound_method``
    How the bound of ``bounds()`` was obtained, in words.
``parameters``
    CP-SAT parameters by name that suit the model, once it is built.
``provable``, ``below(value) -> Provable`` and ``proof_parameters``
    For a minimum in the engine's own integers: whether a search for proofs is worth its time, its model, and
    CP-SAT parameters that suit it. It has one worker for the first third of the limits (``prover.py``), the
    other workers search beside it; then all of them search from the best.

and the problem's module ``bound(problem) -> (value, method)``, a bound without search, and
``explain(problem) -> (conflict, remedy)`` for a problem without solution. The engine's objective must be
linear with integer coefficients.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from ortools.sat.python import cp_model

from accmine.errors import AccmineError, CheckError, InputError
from accmine.ports import Incumbent, Model, Stop
from accmine.registry import make_model
from accmine.result import Result, Sense, Status, StopReason, gap
from accmine.solving import bound_of, explain, module_of, problem_kind, sense_of

from .crew import Crew
from .prover import Prover

__all__ = ["CpSat"]

Number = float | int
_METHOD = "CP-SAT"
_PROOF_METHOD = "CP-SAT, objective from below"
_PROOF_SHARE = 1 / 3  # of the limits
_PROOF_WORK = 5.0  # deterministic time without limits


@dataclass
class _State:
    """What is known so far, in the problem's own unit."""

    problem: Any
    module: ModuleType
    sense: Sense
    begin: float
    on_progress: Incumbent | None
    objective: Number | None = None
    bound: Number | None = None
    bound_method: str = ""
    solution: Any = None
    trace: list[tuple[float, Number | None, Number | None]] = field(default_factory=list)

    def seconds(self) -> float:
        """Since the start of the call."""
        return time.monotonic() - self.begin

    def better(self, value: Number, than: Number | None) -> bool:
        """Whether an objective improves on another."""
        return than is None or (value < than if self.sense is Sense.MINIMIZE else value > than)

    def note(self, objective: Number | None, bound: Number | None, method: str) -> None:
        """Take over what is better than before; tell the caller if anything moved."""
        moved = False
        if objective is not None and self.better(objective, self.objective):
            self.objective, moved = objective, True
        # A bound is better when it is worse as an objective.
        if bound is not None and (self.bound is None or (bound != self.bound and not self.better(bound, self.bound))):
            self.bound, self.bound_method, moved = bound, method, True
        if moved:
            row = (round(self.seconds(), 6), self.objective, self.bound)
            self.trace.append(row)
            if self.on_progress is not None:
                self.on_progress(*row)

    def take(self, solution: Any) -> None:
        """Keep a solution if it is better than the one at hand."""
        value = self.module.objective(self.problem, solution)
        if self.solution is None or self.better(value, self.module.objective(self.problem, self.solution)):
            self.solution = solution
            self.note(value, None, "")

    def hear(self, what: str, content: Any, objective: _Objective) -> None:
        """Take over what a thread of the search found; see ``crew.Crew``."""
        if what == "proof":
            bound, solution = content
            if solution is None:
                self.note(None, bound, _PROOF_METHOD)
            else:
                self.take(solution)
        elif what == "bound":
            self.note(None, objective.from_float(content), _METHOD)
        else:  # the solution itself follows at the end
            self.note(objective.from_float(content), None, "")

    def limits(self, model: Model) -> None:
        """Take over the bound of the built model."""
        lower, upper = model.bounds()
        bound = lower if self.sense is Sense.MINIMIZE else upper
        self.note(None, bound, getattr(model, "bound_method", "limits of the model"))

    def finished(self, stop: Stop) -> StopReason | None:
        """``proved`` or ``gap`` if incumbent and bound say so."""
        if self.solution is None:
            return None
        distance = gap(self.objective, self.bound, self.sense)
        if distance is None:
            return None
        if distance == 0:
            return StopReason.PROVED
        return StopReason.GAP if distance <= stop.gap else None

    def result(self, kind: str, solver: str, status: Status, reason: StopReason, seed: int) -> Result[Any]:
        """Everything that is known, for the caller."""
        conflict: Sequence[str] = ()
        remedy: Sequence[str] = ()
        if status is Status.INFEASIBLE:
            conflict, remedy = explain(self.problem)
        return Result(
            kind=kind,
            solver=solver,
            status=status,
            stop=reason,
            objective=self.objective,
            bound=None if status is Status.INFEASIBLE else self.bound,
            bound_method=_METHOD if status is Status.INFEASIBLE else self.bound_method,
            solution=self.solution,
            seconds=self.seconds(),
            seed=seed,
            sense=self.sense,
            trace=tuple(self.trace),
            conflict=tuple(conflict),
            remedy=tuple(remedy),
        )


class _Objective:
    """Exact values of a CP-SAT objective: offset + scale · Σ a·x with integers only."""

    def __init__(self, model: cp_model.CpModel, convert: Callable[[int], Number]) -> None:
        if model.proto.has_floating_point_objective():  # reading the field itself would create it
            raise TypeError("a model for cp-sat needs an integer objective")
        proto = model.proto.objective
        scale = proto.scaling_factor or 1.0
        if scale not in (1.0, -1.0) or proto.offset != int(proto.offset):
            raise TypeError("a model for cp-sat needs an objective with integer coefficients")
        self.scale, self.offset = int(scale), int(proto.offset)
        self.convert = convert
        # What the domains alone say; holds whatever the search did.
        least = 0
        for var, coeff in zip(proto.vars, proto.coeffs, strict=True):
            index, sign = (var, 1) if var >= 0 else (-var - 1, -1)
            domain = list(model.proto.variables[index].domain)  # a negative index of the original reads 0
            low, high = sorted((sign * coeff * domain[0], sign * coeff * domain[len(domain) - 1]))
            least += min(low, high)
        self.least = least

    def value(self, inner: int) -> Number:
        """In the problem's unit, from the value of the minimised integer expression."""
        return self.convert(self.scale * (inner + self.offset))

    def from_float(self, value: float) -> Number:
        """In the problem's unit, from what a callback shows of an integer value."""
        return self.convert(round(value))


class CpSat:
    """Generic CP-SAT driver.

    ``stop.seconds`` limits the whole call (CP-SAT looks at the clock seldom while it presolves models of
    more than ten thousand operations), ``stop.work`` is CP-SAT's deterministic time; with one worker and a
    work limit alone a run is repeatable. With no time left the hint or the model's warm start is returned,
    with the bound that needs no search. Ctrl-C keeps the best solution and bound (stop reason
    ``interrupted``).
    """

    name = "cp-sat"

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
        model = make_model(kind, self.name)
        if model.engine != "cp-sat":
            raise InputError(f"the model of {kind} for {self.name} is for the engine {model.engine!r}")
        deadline = stop.deadline()
        state = _State(problem, module, sense_of(problem), time.monotonic(), on_progress)
        status = Status.UNKNOWN
        try:
            reason = self._start(state, model, stop, seed, hint)
            if reason is None or (reason is StopReason.TIME and state.bound is None):
                built = model.build(problem)
                state.limits(model)
                left = deadline - time.monotonic()
                reason = state.finished(stop) or (StopReason.TIME if left <= 0 else None)
                if reason is None:
                    if state.solution is not None:
                        model.hint(state.solution)
                    status, reason = self._search(state, model, built, stop, left, seed)
        except KeyboardInterrupt:
            reason = StopReason.INTERRUPTED
        if state.solution is not None:
            state.objective = state.module.objective(state.problem, state.solution)  # callbacks show rounded values
            status = Status.OPTIMAL if reason is StopReason.PROVED else Status.FEASIBLE
        return state.result(kind, self.name, status, reason, seed)

    @staticmethod
    def _start(state: _State, model: Model, stop: Stop, seed: int, hint: Any | None) -> StopReason | None:
        """What is known before the model is built; why to end here already, if there is a reason."""
        warm: Result[Any] | None = None
        if hint is not None:
            if wrong := state.module.check(state.problem, hint):
                raise InputError(f"the hint is not a solution: {'; '.join(wrong)}")
        elif hasattr(model, "warm_start"):
            warm = model.warm_start(state.problem, stop, seed)
            assert warm is not None
            hint = warm.solution
            if hint is not None and (wrong := state.module.check(state.problem, hint)):
                raise CheckError(f"warm start of {problem_kind(state.problem)}: {'; '.join(wrong)}")
        state.solution = hint  # before the bound: whoever interrupts that keeps the solution
        value, method = bound_of(state.problem) if warm is None else (warm.bound, warm.bound_method)
        state.note(None if hint is None else state.module.objective(state.problem, hint), value, method)
        if (reason := state.finished(stop)) is not None:
            return reason
        if warm is not None and warm.stop is StopReason.INTERRUPTED:
            return StopReason.INTERRUPTED
        return StopReason.TIME if stop.seconds is not None and state.seconds() >= stop.seconds else None

    def _search(
        self, state: _State, model: Model, built: cp_model.CpModel, stop: Stop, left: float, seed: int
    ) -> tuple[Status, StopReason]:
        """Run the engine for ``left`` seconds; what it finds goes into ``state``."""
        objective = _Objective(built, getattr(model, "to_objective", lambda value: value))
        state.note(None, objective.value(objective.least), "limits of the model")
        begin, work, before = time.monotonic(), stop.work, state.objective
        prover = None
        if getattr(model, "provable", False) and state.solution is not None and state.bound is not None:
            prover = self._prover(state, model, stop, left, seed)
        if prover is not None:
            beside = None
            if stop.workers > 1:
                rest = prover.work if prover.work < float("inf") else None
                beside = _engine(model, stop, stop.workers - 1, left * _PROOF_SHARE, rest, seed)
            crew = self._run(state, objective, stop, prover, beside, built)
            ended = self._take(state, model, built, objective, crew, beside)
            reason = state.finished(stop) or (StopReason.INTERRUPTED if crew.interrupted else None)
            left -= time.monotonic() - begin
            if ended is not None or reason is not None or left <= 0:
                return ended or Status.UNKNOWN, reason or StopReason.TIME
            work = None if work is None else max(work - prover.used, 1e-3)
            if state.objective != before:
                model.hint(state.solution)
        solver = _engine(model, stop, stop.workers, left, work, seed)
        # With one worker neighbourhoods take turns with the search, which repeats; else they have their own.
        solver.parameters.interleave_search = prover is not None and stop.workers <= 1
        crew = self._run(state, objective, stop, None, solver, built)
        ended = self._take(state, model, built, objective, crew, solver)
        interrupted = StopReason.INTERRUPTED if crew.interrupted else StopReason.TIME
        if ended is not None:
            return ended, StopReason.PROVED
        return Status.UNKNOWN, state.finished(stop) or interrupted

    @staticmethod
    def _take(
        state: _State,
        model: Model,
        built: cp_model.CpModel,
        objective: _Objective,
        crew: Crew,
        solver: cp_model.CpSolver | None,
    ) -> Status | None:
        """Take over how the engine ended; ``infeasible`` if it says so and no solution contradicts it."""
        engine = crew.outcome
        if engine is None or solver is None:  # there was none, or Ctrl-C came before it began
            return None
        if engine == cp_model.MODEL_INVALID:
            raise AccmineError(f"CP-SAT refuses the model of {problem_kind(state.problem)}: {built.validate()}")
        inner = int(solver.response_proto.inner_objective_lower_bound)
        if engine in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            state.take(model.read(solver.value))
            # The engine's integer bound, not its floating-point one.
            state.note(None, objective.value(inner), _METHOD)
        elif engine == cp_model.INFEASIBLE and state.solution is None:
            return Status.INFEASIBLE
        elif engine == cp_model.UNKNOWN and inner != 0:
            # Without a solution an unset bound reads as 0: only another value says something.
            state.note(None, objective.value(inner), _METHOD)
        # "Infeasible" with a checked solution at hand is wrong, and nothing of it is used.
        if state.solution is not None:
            state.objective = state.module.objective(state.problem, state.solution)
        return None

    @staticmethod
    def _prover(state: _State, model: Any, stop: Stop, left: float, seed: int) -> Prover | None:
        """The search for proofs of this call; its limits are a share of the caller's."""
        work = float("inf") if stop.work is None else stop.work * _PROOF_SHARE
        if stop.work is None and left == float("inf"):
            work = _PROOF_WORK
        if not isinstance(state.bound, int) or not isinstance(state.objective, int):
            return None
        return Prover(
            provable=model.below(state.objective),
            upper=state.objective,
            parameters=model.proof_parameters,
            gap=stop.gap,
            seed=seed,
            deadline=time.monotonic() + left * _PROOF_SHARE,
            work=work,
        )

    @staticmethod
    def _run(
        state: _State,
        objective: _Objective,
        stop: Stop,
        prover: Prover | None,
        solver: cp_model.CpSolver | None = None,
        built: cp_model.CpModel | None = None,
    ) -> Crew:
        """Search, prover or both, until one of them has proved it, or both have ended."""

        def hear(what: str, content: Any) -> bool:
            state.hear(what, content, objective)
            reason = state.finished(stop)
            # When the news of a gap arrives is up to the clock; a proof leaves nothing to find.
            return reason is StopReason.PROVED or (reason is not None and stop.work is None)

        crew = Crew(hear, prover=prover, solver=solver, built=built)
        crew.run()
        return crew


def _engine(model: Model, stop: Stop, workers: int, seconds: float, work: float | None, seed: int) -> cp_model.CpSolver:
    """CP-SAT with the limits of a call and what suits the built model."""
    solver = cp_model.CpSolver()
    for name, value in getattr(model, "parameters", {}).items():
        setattr(solver.parameters, name, value)
    solver.parameters.num_workers = max(1, workers)
    solver.parameters.random_seed = seed & 0x7FFFFFFF
    solver.parameters.relative_gap_limit = max(0.0, stop.gap)
    solver.parameters.catch_sigint_signal = False  # Ctrl-C belongs to the caller; see crew.Crew
    if seconds < float("inf"):
        solver.parameters.max_time_in_seconds = seconds
    if work is not None:
        solver.parameters.max_deterministic_time = work
    return solver
