"""The proof search: where a study is one design search, every design is searched with a bound of the whole."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain
from math import inf
from operator import lt
from typing import Any

from accmine.errors import CheckError
from accmine.hardware import Design
from accmine.ports import Stop
from accmine.problems import design_search, operator_schedule
from accmine.problems.design_search import Evaluation, Mined
from accmine.registry import make_solver, solvers_of
from accmine.result import Result
from accmine.search.bounds import WholeBound, bound_from_json, stronger
from accmine.search.candidates import NOTHING, GroupCandidates
from accmine.search.kept import reference_key, solution_from_json, solution_to_json
from accmine.search.refine import with_schedules
from accmine.search.schedules import TaskSchedule, list_work, schedule_task
from accmine.search.session import Session
from accmine.search.value import FLOAT, is_search, search_chips

__all__ = ["LISTS", "PROVER", "Proof", "joined", "provable", "prove", "proved"]

PROVER = "best-first"
"""Solver of design searches that proves; it is used where it is registered."""


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
        The designs that were looked at.
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

    solver = make_solver(design_search.KIND, PROVER, top_k=session.plan.study.search.top_k)
    result: Result[Mined] = solver.solve(
        problem, stop=replace(stop, work=counted), seed=session.seed, hint=first, on_progress=heard
    )
    session.budget.spend(stop.work)
    bound = -inf if result.bound is None else result.bound * chips * (1 if chips == 1 else 1 - FLOAT)
    if bound > whole.value:
        whole = replace(whole, value=bound, method=result.bound_method)
    return Proof(whole, Mined((), (), 0, 0, 0, False) if result.solution is None else result.solution)


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
    session.keep(key, _to_json(proof), complete=proof.mined.finished)
    return proof


def _to_json(proof: Proof) -> dict[str, Any]:
    """The bound, and the designs that have schedules."""
    cycles = {e.design: e.cycles for e in proof.mined.pool}
    rows = [
        {
            "design": asdict(own.design),
            "cycles": cycles[own.design],
            "schedules": [[solution_to_json(part) for part in parts] for parts in own.schedules],
        }
        for own in proof.mined.solutions
        if own.design in cycles and None not in [part for parts in own.schedules for part in parts]
    ]
    return {"whole": asdict(proof.whole), "designs": rows, "finished": proof.mined.finished}


def _from_json(problem: design_search.Problem, row: Mapping[str, Any]) -> Proof:
    """The proof of ``_to_json``.

    Raises
    ------
    CheckError
        If a design or a schedule fails the check of the problem.
    """
    pool, solutions = [], []
    least: dict[Design, list[int]] = {}  # cycles of each phase: a design may be there with several schedules
    for own in row["designs"]:
        design = Design.from_table(own["design"])
        schedules = tuple(tuple(map(solution_from_json, parts)) for parts in own["schedules"])
        pairs = zip(design_search.lowered(problem, design), schedules, strict=True)
        cycles = [[operator_schedule.objective(p.problem, s) for p, s in zip(*pair, strict=True)] for pair in pairs]
        solutions.append(design_search.Solution(design, schedules))
        wrong = design_search.check(problem, solutions[-1], design_search.evaluate(problem, design, cycles))
        if wrong:
            raise CheckError("; ".join(wrong))
        flat = list(chain(*cycles))
        least[design] = list(map(min, flat, least.get(design, flat)))
        pool.append(design_search.evaluate(problem, design, own["cycles"]))
    for e in pool:
        if any(map(lt, chain(*e.cycles), least[e.design])):
            raise CheckError(f"no schedule of {e.design.name} is as short as {e.cycles} cycles")
    mined = Mined((), tuple(pool), 0, 0, 0, bool(row["finished"]), solutions=tuple(solutions))
    return Proof(bound_from_json(row["whole"]), mined)


def joined(session: Session, g: GroupCandidates, proof: Proof) -> GroupCandidates:
    """The group with what the search found better than it knew, whose schedules join those of the session."""
    known = {e.design: e.value for e in g.candidates}
    value = {e.design: e.value for e in proof.mined.pool}
    better = [x for x in proof.mined.solutions if value.get(x.design, inf) < known.get(x.design, inf)]
    for found in better:
        for (w, s), own in zip(g.group.members, found.schedules, strict=True):
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
    scheduled = {x.design for x in better}
    evaluations = [e for e in proof.mined.pool if e.design in scheduled]
    return with_schedules(session, _with_evaluations(g, evaluations))


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
