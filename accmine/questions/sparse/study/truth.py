"""The fastest design whose loss holds on the real network: the loop over true losses, as a part of a run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from accmine.errors import InfeasibleError, NothingFoundError
from accmine.problems.conflict import ConflictingLimit, infeasible, located
from accmine.problems.sparse_dataflow import Problem, Solution, solution_from_json
from accmine.questions.sparse.study.parts import Parts
from accmine.questions.sparse.study.record import AccuracyRow, RoundRow
from accmine.questions.sparse.truth.digits import Digits, digits_problem
from accmine.questions.sparse.truth.loop import Settings, true_loss_loop
from accmine.questions.sparse.truth.rounds import End, Outcome, Round
from accmine.result import Result, Sense, Status, StopReason
from accmine.solving import verify
from accmine.sparse.layer import Layer
from accmine.study.sparse import LoadedSparse, SparseInputs

__all__ = ["Held", "held", "with_digits"]

_SOLVE_S = 30.0
_DECIDED = (End.PROVED.value, End.NOTHING.value)


@dataclass(frozen=True)
class _Kept:
    """What a run keeps of a loop; the solution of the best round in its JSON form."""

    row: AccuracyRow
    bound: int | None
    best: int | None
    solution: dict[str, Any] | None


@dataclass(frozen=True)
class Held:
    """A design that holds.

    Attributes
    ----------
    problem
        With the levels of the design alone, without a limit of their losses: what is asked further keeps them.
    result
        Its interval with the bound of the loop.
    true_loss
        Points.
    """

    problem: Problem
    result: Result[Solution]
    row: AccuracyRow
    true_loss: float


def with_digits(inputs: SparseInputs, problem: Problem) -> tuple[SparseInputs, Problem, Digits]:
    """The network that is trained as the run begins, in the place of none.

    Raises
    ------
    InputError
        If scikit-learn is not installed.
    """
    made, digits = digits_problem(problem.budget, name=problem.name)
    problem = replace(problem, layers=made.layers, edges=made.edges)
    return replace(inputs, layers=made.layers, edges=made.edges, unpruned=_unpruned(made)), problem, digits


def _unpruned(problem: Problem) -> tuple[Layer, ...]:
    return tuple(replace(layer, levels=(layer.levels[0],)) for layer in problem.layers)


def held(loaded: LoadedSparse, problem: Problem, digits: Digits | None, parts: Parts, share: float) -> Held:
    """Rounds of solving and evaluating until a design holds and none that may hold is faster, or time is up.

    Raises
    ------
    InfeasibleError
        If it is proven that no design holds.
    NothingFoundError
        If none was found, or that none holds rests on an assumption.
    EvaluationError
        If the callback fails; ``rounds.json`` has those before it.
    KeyboardInterrupt
        If one came before any design held.
    """
    kept = parts.rows("rounds", _Kept, lambda: _asked(loaded, problem, digits, parts, share))
    if kept.solution is None:
        raise _none(loaded, kept)
    solution = solution_from_json(problem, kept.solution)
    best = next(own for own in kept.row.rounds if own.number == kept.best)
    bound = min(kept.bound or 1, best.cycles)
    proved = bound == best.cycles and not kept.row.assumes_monotone
    result = Result(
        kind=problem.kind,
        solver="bisection, in rounds with the real network",
        status=Status.OPTIMAL if proved else Status.FEASIBLE,
        stop=_stop(kept.row.end, proved),
        objective=best.cycles,
        bound=bound,
        bound_method="the fastest design that is not known to lose too much"
        + (", if a network loses no less where every layer is at least as sparse" if kept.row.assumes_monotone else ""),
        solution=Solution(tuple(replace(own, level=0) for own in solution.choices)),
        sense=Sense.MINIMIZE,
        trace=tuple(
            (sum(r.solve_s + r.evaluate_s for r in kept.row.rounds[: r.number]), r.cycles, None)
            for r in kept.row.rounds
            if r.holds
        ),
    )
    fixed = replace(problem, budget=replace(problem.budget, loss=None), layers=_chosen(problem, solution))
    return Held(fixed, verify(fixed, result), kept.row, best.true_loss)


def _chosen(problem: Problem, solution: Solution) -> tuple[Layer, ...]:
    """The layers with the level that a solution gives each."""
    pairs = zip(problem.layers, solution.choices, strict=True)
    return tuple(replace(layer, levels=(layer.levels[own.level],)) for layer, own in pairs)


def _stop(end: str, proved: bool) -> StopReason:
    if end == End.INTERRUPTED.value:
        return StopReason.INTERRUPTED
    return StopReason.PROVED if proved else StopReason.TIME if end == End.TIME.value else StopReason.FINISHED


def _asked(
    loaded: LoadedSparse, problem: Problem, digits: Digits | None, parts: Parts, share: float
) -> tuple[_Kept, bool]:
    own, left = loaded.study.accuracy, parts.stop(share).seconds
    assert own is not None
    reference = own.reference if digits is None else digits.dense["validation"]
    settings = Settings(
        rounds=own.rounds,
        monotone=own.monotone,
        reference=reference,
        solve_s=_SOLVE_S if left is None else max(0.1, min(_SOLVE_S, left / 2)),
        evaluate_s=own.seconds,
        seconds=left,
        workers=parts.budget.workers,
        seed=parts.budget.seed,
        folders=(str(loaded.path.parent), str(Path.cwd())),
        where=loaded.document.locate(("accuracy", "callback")),
        field="accuracy.callback",
    )
    seen: list[Round] = []

    def told(found: Round) -> None:
        seen.append(found)
        parts.watch.step(f"round {found.number + 1}: a design for the real network")
        parts.folder.write_json("rounds.json", {"rounds": [own.to_json(problem) for own in seen]})

    target: Any = own.callback if digits is None else digits
    outcome = true_loss_loop(problem, target, settings, on_round=told)
    if outcome.end is End.INTERRUPTED and outcome.best is None:
        raise KeyboardInterrupt
    by = own.callback or f"{own.use}: accuracy on validation images that neither trained it nor made its levels"
    return _kept(outcome, by, reference), outcome.end.value in _DECIDED


def _kept(outcome: Outcome, by: str, reference: float | None) -> _Kept:
    rounds = tuple(
        RoundRow(
            own.number,
            own.interval,
            own.proxy_loss,
            own.corrected_loss,
            own.true_loss,
            own.accuracy,
            dict(own.others),
            own.holds,
            own.solves,
            own.solve_s,
            own.evaluate_s,
        )
        for own in outcome.rounds
    )
    best = outcome.best
    row = AccuracyRow(by, reference, outcome.end.value, outcome.assumes, rounds, outcome.claims())
    solution = None if best is None else best.to_json(outcome.problem)["solution"]
    return _Kept(row, outcome.bound, None if best is None else best.number, solution)


def _none(loaded: LoadedSparse, kept: _Kept) -> InfeasibleError | NothingFoundError:
    """The error of a loop in which nothing held."""
    study, name = loaded.study, f"{loaded.study.name}: no design holds on the real network"
    least = min((own.true_loss for own in kept.row.rounds), default=None)
    if kept.row.end != End.NOTHING.value or kept.row.assumes_monotone or least is None:
        return NothingFoundError(f"{name}: {' '.join(kept.row.claims)}")
    remedy = f"at least {least:g} points, the least that was measured"
    return located(
        infeasible(name, [ConflictingLimit("loss", f"{study.loss:g} points", remedy, ("loss",))]), loaded.document
    )
