"""The proof search: where a study is one design search, every design is searched with a bound of the whole."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from math import inf
from typing import Any

from accmine.errors import CheckError
from accmine.hardware import Design
from accmine.ports import Stop
from accmine.problems import design_search, operator_schedule
from accmine.problems.design_search import Evaluation, by_value
from accmine.registry import make_solver, solvers_of
from accmine.result import Status, StopReason
from accmine.search.bounds import WholeBound, bound_from_json, stronger
from accmine.search.candidates import NOTHING, GroupCandidates, Mined
from accmine.search.kept import reference_key, solution_from_json, solution_to_json
from accmine.search.refine import with_schedules
from accmine.search.schedules import TaskSchedule, list_work, schedule_task
from accmine.search.session import Session
from accmine.search.value import FLOAT, is_search, search_chips
from accmine.solving import solve

__all__ = ["KEPT", "LISTS", "PROVER", "Proof", "joined", "provable", "prove", "proved"]

PROVER = "best-first"
"""Solver of design searches that proves; it is used where it is registered."""


KEPT = 5
"""Best designs of the proof search whose schedules join those of the session."""

KEPT_S = 1.0
"""Seconds between two times that the bound of a search under way is kept: it is not lost with the process."""

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


def proved(session: Session, problem: design_search.Problem, whole: WholeBound, first: Sequence[Design]) -> Proof:
    """What ``prove`` finds, or what is kept of it; the bound is never weaker than one that is kept."""
    key = f"prove-{reference_key(session.plan)}"
    known = session.known(key, lambda row: _from_json(problem, row))
    if known is not None:
        whole = stronger(whole, known.value.whole)
        if known.final:
            return replace(known.value, whole=whole)
    session.begin(key)
    written, mined = time.monotonic(), NOTHING if known is None else known.value.mined

    def heard(bound: float) -> None:
        nonlocal written
        if bound > whole.value and time.monotonic() - written >= KEPT_S:
            written = time.monotonic()
            found = replace(whole, value=bound * (1 - FLOAT), method="best-first search, as far as it had come")
            session.keep(key, _to_json(Proof(found, mined)), over=False)

    session.on_bound = heard
    try:
        proof = prove(session, problem, whole, first)
    finally:
        session.on_bound = lambda _: None
    session.interrupted = session.interrupted or proof.mined.interrupted
    if proof.whole.value < inf:  # else there is nothing to go on with
        session.keep(key, _to_json(proof), complete=proof.mined.finished)
    return proof


def _to_json(proof: Proof) -> dict[str, Any]:
    """The bound, and the best designs with their schedules."""
    rows = [
        {
            "design": asdict(own.design),
            "schedules": [[solution_to_json(part) for part in parts] for parts in own.schedules],
        }
        for own in proof.mined.pool[:KEPT]
        if own.schedules is not None
    ]
    return {"whole": asdict(proof.whole), "designs": rows, "finished": proof.mined.finished}


def _from_json(problem: design_search.Problem, row: Mapping[str, Any]) -> Proof:
    """The proof of ``_to_json``.

    Raises
    ------
    CheckError
        If a design or a schedule fails the check of the problem.
    """
    pool = []
    for own in row["designs"]:
        schedules = tuple(tuple(map(solution_from_json, parts)) for parts in own["schedules"])
        solution = design_search.Solution(Design.from_table(own["design"]), schedules)
        if wrong := design_search.check(problem, solution):
            raise CheckError("; ".join(wrong))
        pool.append(replace(design_search.evaluated(problem, solution), schedules=schedules))
    stop = StopReason.FINISHED if row["finished"] else StopReason.TIME
    return Proof(bound_from_json(row["whole"]), replace(NOTHING, stop=stop, pool=tuple(by_value(pool))))


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
