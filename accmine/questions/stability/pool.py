"""The designs among which a decision is ranked again: what the search found, and what a draw would look for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from accmine.cost.modes import CostLibrary
from accmine.hardware.design import Design
from accmine.plan.plan import Group, Plan
from accmine.plan.under import under_technology
from accmine.ports import Stop
from accmine.problems import design_search
from accmine.problems.design_search.space_bound import promising
from accmine.questions.run.folder import RunFolder
from accmine.questions.stability.draws import Constant, factors, moved
from accmine.search.candidates import mine, pareto, proposed, search_problem

__all__ = ["FRONT", "MINING", "PROMISING_DRAWS", "joined", "promising_under", "searched"]

FRONT = 10
"""Non-dominated designs (time, area, TDP) taken from a search beside its k best, evenly spread."""

MOST, LEAST = 40, 8
"""Designs of a search for several groups: in all, and at least for each. Every one is scheduled for its group."""

PROMISING_DRAWS = 8
"""Draws whose designs of least bound join the pool: the search saw the limits of the nominal constants only, and
cheaper silicon admits designs that it left out. Divided among the groups of a pipeline."""

PROMISING = 2
"""Designs of least bound of each of these draws."""

MINING = 0.3
"""Share of the study's budget for a search whose table the run did not keep."""


def searched(plan: Plan, library: CostLibrary, folder: RunFolder | None, first: Sequence[Design]) -> list[list[Design]]:
    """The k best and the non-dominated designs of the search of every group.

    They are read from the run folder; a search that a time limit ended left none there and is made again.
    """
    search, mode = plan.study.search, plan.study.mode
    groups = plan.groups(mode)
    problems = [search_problem(plan, group, len(groups), library, sketch=True) for group in groups]
    kept = None if folder is None else folder.get(f"mine-{mode}")
    if kept is not None:
        mined = [_read(problem, row) for problem, row in zip(problems, kept["groups"], strict=True)]
    else:
        budget = plan.study.budget
        seconds = None if budget.deterministic or budget.seconds is None else budget.seconds * MINING
        stop = Stop(seconds=seconds, work=budget.work)
        mined = mine(problems, search.method, search.options(), stop, first=first, seed=budget.seed)
    found = []
    for problem, own in zip(problems, mined, strict=True):
        best = proposed(own, bool(problem.shares), (), search.top_k)
        front = [e.design for e in pareto([e for e in own.pool if e.value < float("inf")])]
        if len(groups) == 1:
            found.append(list(dict.fromkeys([*best[: 2 * search.top_k], *_spread(front, FRONT)])))
        else:  # fast and small designs alike: what one group leaves of the limits is another's
            found.append(_spread(best, max(LEAST, MOST // len(groups))))
    return found


def _spread(designs: Sequence[Design], most: int) -> list[Design]:
    if len(designs) <= most:
        return list(designs)
    return [designs[round(i * (len(designs) - 1) / (most - 1))] for i in range(most)]


def _read(problem: design_search.Problem, row: dict[str, Any]) -> design_search.Mined:
    pool = []
    for entry in row["pool"]:
        pool.append(design_search.evaluate(problem, Design.from_table(entry["design"]), entry["cycles"]))
    return design_search.Mined(tuple(pool[i] for i in row["ranked"]), tuple(pool), 0, 0, 0, True)


def promising_under(
    plan: Plan, library: CostLibrary, constants: Sequence[Constant], row: Sequence[float], group: Group
) -> list[Design]:
    """Designs of the least bounds in a draw, of the whole space within the limits there; nothing where none fits."""
    there = under_technology(plan, plan.technology.perturbed(factors(constants, row)))
    own = plan.template.calibration
    there = replace(there, template=replace(plan.template, calibration=moved(own, constants, row)))
    problem = search_problem(there, group, len(plan.groups(plan.study.mode)), library, sketch=True)
    return [replace(design, calibration=own) for design in promising(problem, PROMISING)]


def joined(plan: Plan, group: Group, *parts: Iterable[Design]) -> tuple[Design, ...]:
    """The distinct designs of ``parts``, in order, that hold the tasks of a group."""
    need = max(plan.pipelines[w].tasks[s].memory_bytes for w, s in group.members)
    return tuple(design for design in dict.fromkeys(d for part in parts for d in part) if design.hbm_bytes >= need)
