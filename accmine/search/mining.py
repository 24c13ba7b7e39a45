"""Mining as a step of a run: what is proposed for every group of devices, kept in the run folder, and confirmed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from accmine.hardware.design import Design
from accmine.ports import Stop
from accmine.problems import design_search
from accmine.problems.design_search import Evaluation, Mined
from accmine.problems.design_search.space_bound import promising
from accmine.search.candidates import GroupCandidates, confirm, mine, proposed, search_problem
from accmine.search.proof import provable
from accmine.search.session import Context, Store

__all__ = ["NOTHING", "candidates_of", "promising_designs"]

PROMISING = 6
"""Designs of the least bound that the search for all stages of a pipeline begins with."""

MINING, CONFIRMING = 0.3, 0.1
"""Shares of the time budget."""

NOTHING = Mined((), (), 0, 0, 0, False, True)
"""What an interrupted search leaves: the designs it was to begin with are scheduled all the same."""


def candidates_of(
    context: Context, mode: str, folder: Store, first: Sequence[Design], modes: int
) -> list[GroupCandidates]:
    """Candidates of every group of a mode, ``first`` among them; the time is shared by so many ``modes``."""
    plan, search = context.plan, context.plan.study.search
    groups = plan.groups(mode)
    mined = _mine(context, mode, folder, first, modes)
    found = []
    for group, own in zip(groups, mined, strict=True):
        problem = search_problem(plan, group, len(groups), context.library)
        designs = proposed(own, bool(problem.shares), first, search.top_k)
        confirmed: tuple[Evaluation, ...] = ()
        stop = context.part(CONFIRMING / modes / len(groups))
        with context.interruptible():
            confirmed = confirm(problem, designs, context.cycles, context.executor, stop)
        if not confirmed:  # interrupted: the first design alone is quick
            confirmed = confirm(problem, designs, context.cycles, None, Stop(seconds=0))
        found.append(GroupCandidates(group, problem, own, confirmed))
    return found


def promising_designs(context: Context, mode: str) -> list[Design]:
    """Designs of the least bounds for all stages of a pipeline: a search of few, slow evaluations needs them early."""
    plan = context.plan
    groups = plan.groups(mode)
    if len(groups) > 1 or len(plan.tasks) == 1 or context.interrupted:
        return []
    return promising(search_problem(plan, groups[0], 1, context.library, sketch=True), PROMISING)


def _mine(context: Context, mode: str, folder: Store, first: Sequence[Design], modes: int) -> list[Mined]:
    """What the miner finds for every group of a mode; a finished search is read from the folder."""
    plan, search = context.plan, context.plan.study.search
    groups = plan.groups(mode)
    problems = [search_problem(plan, group, len(groups), context.library, sketch=True) for group in groups]
    known = folder.get(f"mine-{mode}")
    if known is not None:
        return [_mined_from_json(problem, row) for problem, row in zip(problems, known["groups"], strict=True)]
    heard = context.mined if mode == plan.study.mode and provable(plan, mode) else None
    stop = context.part(MINING / modes)
    mined = [NOTHING] * len(problems)
    if context.interrupted:
        return mined
    with context.interruptible():
        mined = mine(
            problems,
            search.method,
            search.options(),
            stop,
            heard,
            first=first,
            executor=context.executor,
            seed=context.seed,
        )
        if any(own.interrupted for own in mined):
            context.interrupt()
    if all(own.finished for own in mined):
        folder.put(f"mine-{mode}", {"groups": [_mined_to_json(own) for own in mined]})
    return mined


def _mined_to_json(mined: Mined) -> dict[str, Any]:
    ranked = {evaluation: i for i, evaluation in enumerate(mined.pool)}
    return {
        "pool": [{"design": asdict(e.design), "cycles": e.cycles} for e in mined.pool],
        "ranked": [ranked[e] for e in mined.ranked],
        "effort": [mined.visited, mined.pruned, mined.schedules],
    }


def _mined_from_json(problem: design_search.Problem, row: dict[str, Any]) -> Mined:
    pool = []
    for entry in row["pool"]:
        pool.append(design_search.evaluate(problem, Design.from_table(entry["design"]), entry["cycles"]))
    visited, pruned, schedules = row["effort"]
    return Mined(tuple(pool[i] for i in row["ranked"]), tuple(pool), visited, pruned, schedules, True, False)
