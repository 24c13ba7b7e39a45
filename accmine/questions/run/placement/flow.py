"""The flow of a run that decides design and placement together: search, the references under the same rules, report."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from accmine.errors import InfeasibleError, NothingFoundError
from accmine.hardware import Design, template_of
from accmine.interrupts import held
from accmine.plan.placement import PlacementPlan
from accmine.ports import Incumbent, Stop
from accmine.problems.design_placement.problem import Problem, Solution
from accmine.questions.run.placement.record import PlacementOutcome
from accmine.questions.run.placement.summary import Found, summarize, trace_lanes
from accmine.questions.run.placement.why_not import hopeless, why_not
from accmine.report import Watch
from accmine.result import Result, Status
from accmine.search import PLACEMENT, Budget
from accmine.solving import solve

__all__ = ["solve_placement"]


def solve_placement(
    plan: PlacementPlan,
    on_progress: Incumbent,
    *,
    first: Sequence[Design] = (),
    began: float | None = None,
    watch: Watch | None = None,
) -> tuple[PlacementOutcome, list[Any]]:
    """Everything between the plan and the files: the outcome and the lanes of its timeline.

    Ctrl-C ends the search; what is verified by then is reported with stop ``interrupted``, without references.

    Parameters
    ----------
    first
        Designs to look at before all others, such as that of an earlier try.
    began
        Value of ``time.monotonic()`` from which the budget counts; default: now.
    watch
        Told each step as it begins, and the unit of the values.

    Raises
    ------
    InfeasibleError
        If no design and placement fits, proven.
    NothingFoundError
        If none was found in time.
    """
    run = _Run(plan, Budget.of(plan.study.budget, PLACEMENT, began=began), watch or Watch(), on_progress, {})
    run.watch.unit("samples/s", lambda seconds: plan.problem.batch / seconds)
    problem = replace(plan.problem, first=tuple(dict.fromkeys((*first, *plan.problem.first))))
    if hopeless(problem):
        raise why_not(plan)
    known = _begun(run, problem)
    result = run.solved("search", problem, run.stop("search"), hint=known)
    if result.solution is None:
        raise _nothing(plan, result)
    found = Found(plan, result, seconds=run.seconds)
    if not result.interrupted:
        stop = run.stop("compare")
        for number, (name, reference) in enumerate(plan.references):
            own = _share(stop, len(plan.references) - number, run.budget)
            other = run.solved("compare", reference, own, quiet=True)
            found = replace(found, references=(*found.references, (name, reference, other)))
            if other.interrupted:
                found = replace(found, interrupted=True)
                break
    with held():  # everything is known: a Ctrl-C here has nothing to end
        return summarize(found), trace_lanes(found)


def _begun(run: _Run, problem: Problem) -> Solution | None:
    """The best placement of the first design: what is beyond it is out of question before all designs are looked at."""
    if not problem.first or problem.template.size == 1:
        return None
    stop = run.stop("begin")
    alone = replace(problem, template=template_of(problem.first[0]), first=problem.first[:1])
    begun = run.solved("begin", alone, stop, quiet=True)
    if begun.interrupted:
        raise KeyboardInterrupt
    return begun.solution


@dataclass(frozen=True, eq=False)
class _Run:
    """What the steps share."""

    plan: PlacementPlan
    budget: Budget
    watch: Watch
    on_progress: Incumbent
    seconds: dict[str, float]

    def stop(self, step: str) -> Stop:
        """The limits of a step that begins."""
        self.watch.step(step)
        self.budget.begin(step)
        return self.budget.part()

    def solved(
        self, step: str, problem: Problem, stop: Stop, *, hint: Solution | None = None, quiet: bool = False
    ) -> Result[Solution]:
        """A problem decided, and its time counted."""
        start = time.monotonic()
        told = None if quiet else self.on_progress
        seed = self.plan.study.budget.seed
        result: Result[Solution] = solve(problem, stop=stop, seed=seed, hint=hint, on_progress=told)
        self.seconds[step] = self.seconds.get(step, 0.0) + time.monotonic() - start
        self.budget.spend(stop.work)
        return result


def _share(stop: Stop, left: int, budget: Budget) -> Stop:
    """What one of the references that are left may take."""
    now = budget.part(1 / left)
    return replace(stop, seconds=now.seconds, work=now.work)


def _nothing(plan: PlacementPlan, result: Result[Solution]) -> InfeasibleError | NothingFoundError | KeyboardInterrupt:
    if result.status is Status.INFEASIBLE:
        return why_not(plan)
    if result.interrupted:
        return KeyboardInterrupt()
    proven = "" if result.bound is None else f"; proven is only that a step takes at least {result.bound:.4g} s"
    return NothingFoundError(
        f"no design with a placement was found in time{proven}; a longer budget may help", result.bound
    )
