"""Summary: from the runs under each limit to the record of a front with its bound curve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf, nan

from accmine.errors import CheckError
from accmine.plan import Limit
from accmine.problems.limits import Cost, within
from accmine.questions.run.record import Certificate, ChosenDesign, Outcome
from accmine.questions.run.several.front_record import BoundStep, FrontOutcome, FrontPoint
from accmine.questions.run.summary import Findings
from accmine.questions.run.summary import summarize as summarize_run
from accmine.result import Status
from accmine.search import Metric, Session, metric
from accmine.solving import versions
from accmine.study.front import Front

__all__ = ["Point", "bounds_of", "non_dominated", "summarize"]


@dataclass(frozen=True, eq=False)
class Point:
    """What the run under one limit of the cost came to.

    Attributes
    ----------
    limit
        ``inf`` for none but those of the study.
    findings
        ``None`` where there is no answer; ``note`` says why.
    bound
        That its run proved; ``inf``: no design is within the limit.
    """

    limit: float
    findings: Findings | None
    bound: float
    seconds: float
    note: str = ""

    def reached(self, cost: Cost) -> float:
        """Cost of the answer, or the limit where there is none."""
        return self.limit if self.findings is None else min(self.limit, _cost(self.findings, cost))


def _cost(findings: Findings, cost: Cost) -> float:
    return float(getattr(findings.chosen, cost.name))


def bounds_of(points: Sequence[tuple[float, float]], answers: Sequence[tuple[float, float]]) -> list[float]:
    """The bound under each limit, from those that its own run and the runs under looser limits proved.

    Parameters
    ----------
    points
        (limit, bound that its run proved), from the loosest limit to the tightest.
    answers
        (cost, value) of everything verified.

    Raises
    ------
    CheckError
        If a verified answer within a limit has a lower value than its bound.
    """
    found, highest = [], 0.0
    for limit, bound in points:
        highest = max(highest, bound)
        best = min((value for cost, value in answers if within(cost, limit)), default=inf)
        if not within(highest, best):
            raise CheckError(f"bound {highest} of costs up to {limit} is above a verified value, {best}")
        highest = min(highest, best)
        found.append(highest)
    return found


def non_dominated(answers: Sequence[tuple[float, float]]) -> list[int]:
    """Indices of the (cost, value) that no other one is at least as good as in both, cheapest first; of equals one."""
    kept: list[int] = []
    for i in sorted(range(len(answers)), key=answers.__getitem__):
        if not kept or answers[i][1] < answers[kept[-1]][1]:
            kept.append(i)
    return kept


def summarize(session: Session, front: Front, points: Sequence[Point], least: float) -> FrontOutcome:
    """The outcome of a front; the first point has an answer."""
    limit = Limit.of(front.limit, inf)
    runs = [point.findings for point in points if point.findings is not None]
    outcomes = [summarize_run(findings) for findings in runs]
    answers = [(_cost(findings, limit.cost), findings.chosen.value) for findings in runs]
    bounds = bounds_of([(point.limit, point.bound) for point in points], answers)
    kept, own = set(non_dominated(answers)), metric(session.plan)
    designs: list[ChosenDesign] = []
    rows: list[FrontPoint] = []
    taken: set[int] = set()
    for point, bound in zip(points, bounds, strict=True):
        inside = [i for i, (cost, _) in enumerate(answers) if within(cost, point.limit)]
        best = min(inside, key=lambda i: (answers[i][1], answers[i][0]), default=None)
        if best is None:
            rows.append(_without_answer(point, bound, own))
            continue
        on_front = best in kept and best not in taken
        taken.add(best)
        rows.append(_row(point, bound, own, outcomes[best], _numbered(outcomes[best].designs, designs), on_front))
    whole, first = outcomes[0], min(range(len(answers)), key=lambda i: (answers[i][1], answers[i][0]))
    proven = all(row.status == Status.INFEASIBLE.value or row.gap == 0 for row in rows)
    stop = "interrupted" if session.interrupted else "proved" if proven else _stop(rows)
    return FrontOutcome(
        study=session.plan.study.name,
        status=(Status.OPTIMAL if proven else Status.FEASIBLE).value,
        stop=stop,
        objective=str(front),
        limit=front.limit,
        cost_unit=limit.cost.unit,
        value=rows[0].value,
        points=tuple(rows),
        curve=_curve(points, bounds, own, least),
        least=least,
        designs=tuple(designs),
        area_mm2=rows[0].area_mm2,
        tdp_w=rows[0].tdp_w,
        certificate=_certificate(whole.certificate, rows[0], outcomes[first].certificate),
        warnings=_warnings(front, rows, outcomes, session.interrupted),
        seconds={name: round(value, 3) for name, value in session.seconds.items()},
        versions=dict(versions()),
        area_error=whole.area_error,
        tdp_error=whole.tdp_error,
    )


def _numbered(chosen: Sequence[ChosenDesign], designs: list[ChosenDesign]) -> tuple[int, ...]:
    """Indices of designs in those of the front, which new ones join."""
    names = [design.name for design in designs]
    for design in chosen:
        if design.name not in names:
            designs.append(design)
            names.append(design.name)
    return tuple(names.index(design.name) for design in chosen)


def _row(
    point: Point, bound: float, own: Metric, answer: Outcome, designs: tuple[int, ...], on_front: bool
) -> FrontPoint:
    gap = own.gap(answer.value, bound)
    interrupted = point.findings is not None and point.findings.interrupted
    return FrontPoint(
        limit=None if point.limit == inf else point.limit,
        objective=own.shown(answer.value),
        bound=own.shown(bound),
        gap=gap,
        value=answer.value,
        bound_value=bound,
        area_mm2=answer.area_mm2,
        tdp_w=answer.tdp_w,
        designs=designs,
        on_front=on_front,
        status=(Status.OPTIMAL if gap == 0 else Status.FEASIBLE).value,
        stop="interrupted" if interrupted else "proved" if gap == 0 else answer.stop,
        seconds=round(point.seconds, 3),
    )


def _certificate(own: Certificate, row: FrontPoint, answer: Certificate) -> Certificate:
    """That of the first run, for the answer of the first point, which a later run may have found."""
    tighter = min if own.sense == "maximize" else max
    own_bound = tighter(answer.own_bound, row.bound)
    return replace(own, objective=row.objective, bound=row.bound, gap=row.gap, own_bound=own_bound)


def _without_answer(point: Point, bound: float, own: Metric) -> FrontPoint:
    """A limit under which nothing is known: proven, or only not found."""
    status = Status.INFEASIBLE if bound == inf else Status.UNKNOWN
    stop = "proved" if bound == inf else "time"
    shown = own.shown(bound) if bound > 0 else nan
    costs = {"area_mm2": nan, "tdp_w": nan}
    return FrontPoint(
        limit=point.limit,
        objective=nan,
        bound=shown,
        gap=nan,
        value=nan,
        bound_value=bound,
        **costs,
        designs=(),
        on_front=False,
        status=status.value,
        stop=stop,
        seconds=round(point.seconds, 3),
        note=point.note,
    )


def _stop(rows: Sequence[FrontPoint]) -> str:
    return "time" if any(row.stop == "time" for row in rows) else "finished"


def _curve(points: Sequence[Point], bounds: Sequence[float], own: Metric, least: float) -> tuple[BoundStep, ...]:
    """The bound over the cost: that of a limit holds from it down to the next one; the last one to the least cost."""
    ends = [*(point.limit for point in points[1:]), least]
    return tuple(
        BoundStep(
            above=end,
            most=None if point.limit == inf else point.limit,
            bound=own.shown(bound),
            bound_value=bound,
        )
        for point, end, bound in zip(points, ends, bounds, strict=True)
        if point.limit >= end
    )


def _warnings(
    front: Front, rows: Sequence[FrontPoint], outcomes: Sequence[Outcome], interrupted: bool
) -> tuple[str, ...]:
    found = []
    if interrupted:
        reached = len(rows) if front.most is None else f"{len(rows)} of {front.most}"
        found.append(f"interrupted: {reached} points; the bound of the last one holds for all that is cheaper")
    if any(row.stop == "time" for row in rows):
        found.append("the search for designs ended by its time limit: a longer budget may find better ones")
    found += [f"{front.limit} {row.limit:.6g}: {row.note}" for row in rows if row.note]
    said = [text for outcome in outcomes for text in outcome.warnings]
    return (*found, *dict.fromkeys(text for text in said if not text.startswith(("interrupted:", "the search for"))))
