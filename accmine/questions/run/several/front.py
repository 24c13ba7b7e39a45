"""The flow of a run of two objectives: one certified run after the other, each under a tighter limit of the cost.

The first run has no limit but those of the study. The next limit is below the cost of the answer before it, so no
answer is found twice. A bound that is proven under a limit holds under every tighter one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

from accmine.errors import InfeasibleError, NothingFoundError
from accmine.hardware import Design
from accmine.interrupts import held
from accmine.plan import Limit, Plan, StudyLimits, under_limits
from accmine.ports import Incumbent
from accmine.problems.limits import widened
from accmine.questions.run.several.front_record import FrontOutcome
from accmine.questions.run.several.front_summary import Point, summarize
from accmine.questions.run.several.series import fitting, run_of_series
from accmine.questions.run.summary import Findings, trace_lanes
from accmine.report import Watch, number
from accmine.search import RUN, Budget, Session, Store, metric, opened
from accmine.search.feasibility import least_value, rounded_up
from accmine.study.front import Front

__all__ = ["next_limit", "solve_front"]

BELOW = 1e-6
"""How far a limit is below the cost that it rules out, relative: costs that differ by less are equal."""

SHARE = 0.2
"""Of what the budget has left, for each point where nobody knows how many there are."""


def solve_front(
    plan: Plan,
    front: Front,
    store: Store,
    on_progress: Incumbent,
    *,
    first: Sequence[Design] = (),
    began: float | None = None,
    watch: Watch | None = None,
) -> tuple[FrontOutcome, list[Any]]:
    """Everything between the plan and the files: the outcome, and the lanes of the schedules of its first point.

    Ctrl-C ends the point that is under way with what is verified; points that an earlier try has are read back.

    Parameters
    ----------
    plan
        Of the study with its first objective alone.
    first, began, watch
        As ``accmine.questions.run.flow.find``.

    Raises
    ------
    InfeasibleError, NothingFoundError
        If there is no answer without a further limit; as ``find``.
    """
    budget = Budget.of(plan.study.budget, RUN, began=began)
    more: dict[str, Any] = {"store": store, "first": tuple(first), "on_progress": on_progress}
    with opened(plan, budget, watch=watch or Watch(), limits=plan.study.budget, **more) as session:
        points, least = _points(session, front)
    found = [point.findings for point in points if point.findings is not None]
    with held():  # everything is known: a Ctrl-C here has nothing to end
        return summarize(session, front, points, least), trace_lanes(found[0])


@dataclass(frozen=True)
class _Limits:
    """Limits of the points that an earlier try decided: its points are read back only under the same ones."""

    session: Session
    values: list[float]

    @classmethod
    def of(cls, session: Session) -> _Limits:
        # A run that has to repeat comes to the same limits by itself.
        known = None if session.repeats else session.known("limits", lambda row: [float(x) for x in row["limits"]])
        return cls(session, [] if known is None else known.value)

    def add(self, value: float) -> None:
        self.values.append(value)
        self.session.keep("limits", {"limits": self.values}, complete=True)


def _points(session: Session, front: Front) -> tuple[list[Point], float]:
    """The points from no further limit on, and the least cost of a design."""
    plan, key = session.plan, front.limit
    cost = Limit.of(key, inf).cost
    limits, points = _Limits.of(session), list[Point]()
    least = _least(plan, key)
    while not (points and session.interrupted and len(points) > len(limits.values)):
        if not points:
            limit = inf
        elif len(points) <= len(limits.values):
            limit = limits.values[len(points) - 1]
        else:
            following = next_limit(front.most, len(points), points[-1].reached(cost), least)
            if following is None or (front.most is None and session.budget.late):
                break
            limit = following
            limits.add(limit)
        points.append(_point(session, front, points, limit))
        _tell(session, points[-1], len(points), front.most, cost.unit)
    return points, least


def next_limit(most: int | None, number: int, reached: float, least: float) -> float | None:
    """The limit of the next point; ``None``: there is none.

    Parameters
    ----------
    most
        Points of the front; ``None``: as many as there are.
    number
        Of the points before it.
    reached
        Cost of the answer before it, or the limit where there was none.
    least
        Least cost of a design.
    """
    if reached <= widened(least) or number == most:
        return None
    below = reached * (1 - BELOW)
    if most is not None:
        below = min(below, reached - (reached - least) / (most - number))
    return max(least, below)


def _least(plan: Plan, key: str) -> float:
    """Least cost of designs for all devices within the other limits, rounded up so that it works.

    0 if there are none: the first point says so.
    """
    limits = StudyLimits(plan, plan.groups(plan.study.mode))
    found = least_value(limits, key, frozenset(limits.names))
    return 0.0 if found is None else rounded_up(found)


def _point(session: Session, front: Front, before: Sequence[Point], limit: float) -> Point:
    """The run under a limit; the first one has to find something."""
    base = session.plan
    plan = base if limit == inf else under_limits(base, {front.limit: limit})
    found = [point.findings for point in before if point.findings is not None]
    share = _share(front.most, len(before))
    shown = f"point {len(before) + 1}{'' if front.most is None else f' of {front.most}'}"
    start = session.budget.seconds
    findings: Findings | None = None
    bound, note = 0.0, ""
    try:
        first = fitting(session, plan, found) if found else []
        findings = run_of_series(session, plan, f"point{len(before)}", shown, share, first)
        bound = findings.whole.value
    except (InfeasibleError, NothingFoundError) as error:
        if not before:
            raise
        bound = inf if isinstance(error, InfeasibleError) else error.bound or 0.0
        note = str(error)
    if not before:
        own = metric(session.plan)
        session.watch.unit(own.unit, own.shown)
    return Point(limit, findings, bound, session.budget.seconds - start, note)


def _share(most: int | None, number: int) -> float:
    """Of what the budget has left, for the point behind ``number`` others: the first one schedules the baseline too."""
    if most is None:
        return SHARE
    return 1 / (most - number) if number else 2 / (most + 1)


def _tell(session: Session, point: Point, count: int, most: int | None, unit: str) -> None:
    own, shown = metric(session.plan), f"point {count}{'' if most is None else f' of {most}'}"
    limit = "no further limit" if point.limit == inf else f"at most {number(point.limit)} {unit}"
    if point.findings is None:
        session.watch.say(f"{shown}, {limit}: {point.note}")
        return
    value, bound = point.findings.chosen.value, point.findings.whole.value
    figures = f"{number(own.shown(value))} {own.unit}".rstrip()
    session.watch.say(f"{shown}, {limit}: {figures}, gap {100 * own.gap(value, bound):.2f} %")
