"""The proof search: where a study is one design search, every design is searched with a bound of the whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf

from accmine.hardware import Design
from accmine.ports import Stop
from accmine.problems import design_search, operator_schedule
from accmine.problems.design_search import Evaluation, by_value
from accmine.registry import make_solver, solvers_of
from accmine.result import Status
from accmine.search.bounds import WholeBound
from accmine.search.candidates import GroupCandidates, Mined
from accmine.search.refine import with_schedules
from accmine.search.schedules import TaskSchedule, list_work, schedule_task
from accmine.search.session import Session
from accmine.search.value import FLOAT, is_search, search_chips
from accmine.solving import solve

__all__ = ["KEPT", "LISTS", "PROVER", "Proof", "joined", "provable", "prove"]

PROVER = "best-first"
"""Solver of design searches that proves; it is used where it is registered."""


KEPT = 5
"""Best designs of the proof search whose schedules join those of the session."""

LISTS = 8
"""List schedules that the prover's effort on a design is worth for each that it counts: bounds take most of it."""


@dataclass(frozen=True)
class Proof:
    """What the search found and proved.

    Attributes
    ----------
    whole
        The better of the bounds before and after.
    mined
        What the search found; its pool holds the designs that were scheduled, best value first.
    """

    whole: WholeBound
    mined: Mined


def provable(session: Session, mode: str) -> bool:
    """Whether the study is one design search of its own value, and there is a solver that proves."""
    return is_search(session.plan, mode) and PROVER in solvers_of(design_search.KIND)


def prove(session: Session, problem: design_search.Problem, whole: WholeBound, first: Sequence[Design]) -> Proof:
    """Search every design in what the current step has left, the designs ``first`` before all others.

    The bound is one of the study's value; ``inf`` if it is proven that no design meets the limits.
    """
    chips, stop = search_chips(session.plan), session.part()
    sizes = [len(phase.graph) for task in problem.tasks for phase in task.phases]
    counted = None if stop.work is None else stop.work / list_work(sum(sizes) // max(1, len(sizes)), LISTS)

    def heard(_: float, objective: float | None, bound: float | None) -> None:
        del objective  # not the study's until its schedules are verified
        session.progress(None, None if bound is None else max(whole.value, bound * chips))

    result = solve(
        replace(problem, first=tuple(first)),
        make_solver(design_search.KIND, PROVER),
        stop=replace(stop, work=counted),
        seed=session.seed,
        on_progress=heard,
    )
    session.budget.spend(stop.work)
    bound = inf if result.status is Status.INFEASIBLE else -inf
    if result.bound is not None:
        bound = result.bound * chips * (1 if chips == 1 else 1 - FLOAT)
    if bound > whole.value:
        whole = replace(whole, value=bound, method=result.bound_method)
    return Proof(whole, replace(result, pool=tuple(by_value(e for e in result.pool if e.value < inf))))


def joined(session: Session, g: GroupCandidates, proof: Proof) -> GroupCandidates:
    """The group with what the search found better than it knew, whose schedules join those of the session."""
    known = {e.design: e.value for e in g.candidates}
    scheduled = [e for e in proof.mined.pool if e.schedules is not None]
    better = [e for e in scheduled[:KEPT] if e.value < known.get(e.design, inf)]
    for found in better:
        for (w, s), own in zip(g.group.members, found.schedules or (), strict=True):
            start = _shorter(session.schedules.get(((w, s), found.design)), own)
            session.schedules[(w, s), found.design] = schedule_task(
                session.plan.pipelines[w].tasks[s],
                session.library,
                found.design,
                "list",
                Stop(),
                session.seed,
                known=start,
            )
    return with_schedules(session, _with_evaluations(g, [replace(e, schedules=None) for e in better]))


def _shorter(
    before: TaskSchedule | None, found: Sequence[operator_schedule.Solution]
) -> list[operator_schedule.Solution]:
    """The shorter schedule of every phase."""
    if before is None:
        return list(found)
    rows = zip(before.phases, found, strict=True)
    return [
        new
        if old.result.solution is None or operator_schedule.objective(old.lowered.problem, new) < old.cycles
        else old.result.solution
        for old, new in rows
    ]


def _with_evaluations(g: GroupCandidates, found: Sequence[Evaluation]) -> GroupCandidates:
    """The group with further candidates, the better evaluation of each design."""
    table: dict[Design, Evaluation] = {}
    for evaluation in (*g.candidates, *found):
        known = table.get(evaluation.design)
        if known is None or evaluation.value < known.value:
            table[evaluation.design] = evaluation
    return replace(g, candidates=tuple(table.values()))
