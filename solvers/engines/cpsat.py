"""CP-SAT for every problem with a declared model: build, hint, solve, keep every bound.

The engine's objective is the score of the kind (maximised: minus the score) in the model's unit, linear with integer
coefficients. A
model whose class is ``accmine.ports.BaseModel`` may offer more: a warm start, parameters, and a model for proofs.
That has one worker for the first third of the limits (``prover.py``), the other workers search beside it; then all of
them search from the best.
"""

from __future__ import annotations

from typing import Any

from ortools.sat.python import cp_model

from accmine.errors import AccmineError, InputError
from accmine.record import Record
from accmine.registry import make_model
from accmine.result import StopReason

from .crew import Crew
from .prover import Prover

__all__ = ["CpSat"]

_METHOD = "CP-SAT"
_PROOF_METHOD = "CP-SAT, objective from below"
_PROOF_SHARE = 1 / 3  # of the limits
_PROOF_WORK = 5.0  # deterministic time without limits
_EXACT = 1 << 53  # floating-point numbers hold every integer below


class _Objective:
    """Scores of a CP-SAT objective: scale · (offset + Σ a·x) with integers only, minimised with scale 1.

    With more than 1 score per ``unit`` of it they are lower bounds of scores.
    """

    def __init__(self, model: cp_model.CpModel, unit: int) -> None:
        if model.proto.has_floating_point_objective():  # reading the field itself would create it
            raise TypeError("a model for cp-sat needs an integer objective")
        proto = model.proto.objective
        scale = proto.scaling_factor or 1.0
        if scale not in (1.0, -1.0) or proto.offset != int(proto.offset):
            raise TypeError("a model for cp-sat needs an objective with integer coefficients")
        self.scale, self.offset, self.unit = int(scale), int(proto.offset), unit
        # What the domains alone say; holds whatever the search did.
        least = 0
        for var, coeff in zip(proto.vars, proto.coeffs, strict=True):
            index, sign = (var, 1) if var >= 0 else (-var - 1, -1)
            domain = list(model.proto.variables[index].domain)  # a negative index of the original reads 0
            low, high = sorted((sign * coeff * domain[0], sign * coeff * domain[len(domain) - 1]))
            least += min(low, high)
        self.least = least

    def score(self, inner: int) -> int:
        """Of a value of the minimised integer expression."""
        return (inner + self.offset) * self.unit

    def shown(self, value: float) -> int | None:
        """Of what a callback shows, in the direction of the model; ``None`` where that is rounded."""
        return self.scale * round(value) * self.unit if abs(value) < _EXACT else None


class CpSat:
    """Generic CP-SAT driver.

    ``stop.seconds`` limits the whole call (CP-SAT looks at the clock seldom while it presolves models of
    more than ten thousand operations), ``stop.work`` is CP-SAT's deterministic time; with one worker and a
    work limit alone a run is repeatable. With no time left the hint or the model's warm start is returned,
    with the bound that needs no search.
    """

    name = "cp-sat"

    def search(self, record: Record[Any]) -> StopReason:
        """Decide the problem.

        Raises
        ------
        InputError
            If the problem does not fit the engine.
        """
        kind = record.kind.KIND
        model: Any = make_model(kind, self.name)
        if model.engine != "cp-sat":
            raise InputError(f"the model of {kind} for {self.name} is for the engine {model.engine!r}")
        if record.best is None:
            model.warm_start(record)
        if record.bound is None:
            record.raise_bound(*record.kind.bound(record.problem))
        reason = record.closed() or (StopReason.TIME if record.left() <= 0 else None)
        if reason is not None and not (reason is StopReason.TIME and record.bound is None):
            return reason
        built = model.build(record.problem)
        record.raise_bound(model.floor_score, model.bound_method)
        reason = record.closed() or (StopReason.TIME if record.left() <= 0 else None)
        if reason is not None:
            return reason
        if record.best is not None:
            model.hint(record.best)
        _Search(record, model, built).run()
        return record.closed() or StopReason.TIME


class _Search:
    """The engine on one built model; what it finds goes into the record."""

    def __init__(self, record: Record[Any], model: Any, built: cp_model.CpModel) -> None:
        self.record, self.model, self.built = record, model, built
        self.objective = _Objective(built, model.unit)
        record.raise_bound(self.objective.score(self.objective.least), "limits of the model")

    def run(self) -> None:
        """The search for proofs with the others beside it, then all of them."""
        record, work, before = self.record, self.record.stop.work, self.record.score
        prover = self._prover() if self.model.provable and record.best is not None else None
        if prover is not None:
            beside = None
            if record.stop.workers > 1:
                rest = prover.work if prover.work < float("inf") else None
                beside = self._engine(record.stop.workers - 1, record.left() * _PROOF_SHARE, rest)
            if self._crew(prover, beside) or record.closed() is not None or record.left() <= 0:
                return
            work = None if work is None else max(work - prover.used, 1e-3)
            if record.score != before:
                self.model.hint(record.best)
        solver = self._engine(record.stop.workers, record.left(), work)
        # With one worker neighbourhoods take turns with the search, which repeats; else they have their own.
        solver.parameters.interleave_search = prover is not None and record.stop.workers <= 1
        self._crew(None, solver)

    def _prover(self) -> Prover:
        """The search for proofs of this call; its limits are a share of the caller's."""
        record, stop = self.record, self.record.stop
        work = float("inf") if stop.work is None else stop.work * _PROOF_SHARE
        if stop.work is None and stop.seconds is None:
            work = _PROOF_WORK
        return Prover(
            provable=self.model.below(record.score),
            upper=record.score,
            parameters=self.model.proof_parameters,
            gap=stop.gap,
            seed=record.seed,
            clock=record.clock.part(_PROOF_SHARE),
            work=work,
        )

    def _crew(self, prover: Prover | None, solver: cp_model.CpSolver | None) -> bool:
        """Search, prover or both, until one of them has proved it, or both have ended; whether the engine is done."""
        crew = Crew(self._hear, prover=prover, solver=solver, built=self.built)
        done = False
        try:
            crew.run()
        finally:  # after Ctrl-C as well
            if crew.outcome is not None and solver is not None:
                done = self._take(crew.outcome, solver)
            self.record.retract()  # callbacks show rounded values
        return done

    def _hear(self, what: str, content: Any) -> bool:
        """Take over what a thread of the search found (see ``crew.Crew``); whether that ends everything."""
        record = self.record
        if what == "proof":
            bound, solution = content
            record.raise_bound(bound, _PROOF_METHOD)
            if solution is not None:
                record.offer(solution)
        elif (score := self.objective.shown(content)) is not None:
            if what == "bound":
                record.raise_bound(score, _METHOD)
            elif self.objective.unit == 1:  # the solution itself follows at the end
                record.announce(score)
        reason = record.closed()
        # When the news of a gap arrives is up to the clock; a proof leaves nothing to find.
        return reason is StopReason.PROVED or (reason is not None and record.stop.work is None)

    def _take(self, outcome: Any, solver: cp_model.CpSolver) -> bool:
        """Take over how the engine ended; whether it leaves nothing to find."""
        record = self.record
        if outcome == cp_model.MODEL_INVALID:
            raise AccmineError(f"CP-SAT refuses the model of {record.kind.KIND}: {self.built.validate()}")
        inner = int(solver.response_proto.inner_objective_lower_bound)
        if outcome in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            record.offer(self.model.read(solver.value))
            # The engine's integer bound, not its floating-point one.
            record.raise_bound(self.objective.score(inner), _METHOD)
        elif outcome == cp_model.INFEASIBLE and record.best is None:
            record.no_solution(_METHOD)
        elif outcome == cp_model.UNKNOWN and inner != 0:
            # Without a solution an unset bound reads as 0: only another value says something.
            record.raise_bound(self.objective.score(inner), _METHOD)
        # "Infeasible" with a checked solution at hand is wrong, and nothing of it is used.
        return record.infeasible

    def _engine(self, workers: int, seconds: float, work: float | None) -> cp_model.CpSolver:
        """CP-SAT with the limits of a call and what suits the built model."""
        solver = cp_model.CpSolver()
        for name, value in self.model.parameters.items():
            setattr(solver.parameters, name, value)
        solver.parameters.num_workers = max(1, workers)
        solver.parameters.random_seed = self.record.seed & 0x7FFFFFFF
        solver.parameters.relative_gap_limit = max(0.0, self.record.stop.gap)
        solver.parameters.catch_sigint_signal = False  # Ctrl-C belongs to the caller; see crew.Crew
        if seconds < float("inf"):
            solver.parameters.max_time_in_seconds = max(0.0, seconds)
        if work is not None:
            solver.parameters.max_deterministic_time = work
        return solver
