"""Several runs of one session: the same tasks and costs under other limits or weights, each with a share of the budget.

What one has scheduled the others know. Each keeps its parts under a name of its own, so a series that is killed goes on
in the run that was under way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Any

from accmine.hardware import Design
from accmine.plan import Plan
from accmine.ports import Stop
from accmine.problems.design_search import by_value, fits
from accmine.questions.run.flow import find_in, steps_of
from accmine.questions.run.summary import Findings
from accmine.report import Watch
from accmine.search import RUN, Budget, Session, search_problem
from accmine.search.session import Store

__all__ = ["fitting", "run_of_series"]

SHARED = 10
"""Designs known from other runs that one begins with, for each group of devices."""


@dataclass(frozen=True)
class _Within:
    """A store whose keys are those of one run of a series."""

    store: Store
    name: str

    def get(self, key: str) -> dict[str, Any] | None:
        return self.store.get(f"{self.name}-{key}")

    def put(self, key: str, value: Mapping[str, Any]) -> None:
        self.store.put(f"{self.name}-{key}", value)

    def note(self, event: str, key: str) -> None:
        self.store.note(event, f"{self.name}-{key}")


class _Steps(Watch):
    """Tells which run of the series a step belongs to."""

    def __init__(self, watch: Watch, name: str) -> None:
        self._watch, self._name = watch, name

    def step(self, name: str) -> None:
        self._watch.step(f"{self._name}: {name}")

    def say(self, text: str) -> None:
        self._watch.say(text)


def run_of_series(
    session: Session, plan: Plan, name: str, shown: str, share: float, first: Sequence[Design] = ()
) -> Findings:
    """One run, with nothing compared, in a share of what the budget of ``session`` has left.

    Once the baseline is scheduled, the session has its references. Ctrl-C ends the run with what is verified; from then
    on the session is interrupted.

    Parameters
    ----------
    plan
        That of the session under other limits or weights.
    name, shown
        Of the run in the names of its parts, and for who watches.
    first
        Designs that are candidates beside the baseline.

    Raises
    ------
    InfeasibleError, NothingFoundError
        As ``find``.
    """
    whole = session.budget
    left = None if whole.total.seconds is None else max(0.0, share * whole.left)
    work = None if whole.work_left[0] == inf else max(0.0, share * whole.work_left[0])
    stop = Stop(seconds=left, work=work, workers=whole.workers)
    own = replace(
        session,
        plan=plan,
        budget=Budget(RUN, stop, session.seed, steps=steps_of(plan, compare=False)),
        store=_Within(session.store, name),
        first=tuple(dict.fromkeys([*first, *session.first])),
        on_progress=lambda *_: None,
        watch=_Steps(session.watch, shown),
        seconds={},
        trace=[],
        earlier={},
        best=inf,
    )
    try:
        return find_in(own, compare=False)
    finally:
        if work is not None:
            whole.spend(work - own.budget.work_left[0])
        if own.plan.reference_s and not session.plan.reference_s:
            session.plan = replace(
                session.plan, reference_s=own.plan.reference_s, reference_busy_s=own.plan.reference_busy_s
            )
        for step, seconds in own.seconds.items():
            session.seconds[step] = session.seconds.get(step, 0.0) + seconds
        if own.interrupted:
            session.interrupted, session.executor = True, own.executor
            whole.end()


def fitting(session: Session, plan: Plan, found: Sequence[Findings]) -> list[Design]:
    """Designs that earlier runs scheduled and that fit the limits of ``plan``, best first, some of each group."""
    groups = plan.groups(plan.study.mode)
    designs: list[Design] = []
    for i, group in enumerate(groups):
        problem = search_problem(plan, group, len(groups), session.library)
        known = by_value(e for f in found for e in f.chosen.groups[i].candidates if fits(problem, e.design))
        designs += list(dict.fromkeys(e.design for e in known))[:SHARED]
    return list(dict.fromkeys(designs))
