"""The report of a run of two objectives: sections, the figures of its page, and a table for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from accmine.questions.run.report import proof
from accmine.questions.run.several.front_record import FrontOutcome, FrontPoint
from accmine.report import BULLET, UNKNOWN, Section, figures, number, percent, texts
from accmine.report.charts.front import front_chart
from accmine.report.csv import render as csv
from accmine.report.figure import Figure, Table

__all__ = ["drawn", "front_csv", "headline", "hero", "sections"]


def sections(outcome: FrontOutcome) -> list[Section]:
    """All sections in reading order; those with nothing to say are left out."""
    found = [
        _front(outcome),
        _curve(outcome),
        _certificate(outcome),
        proof.warnings(outcome),
        proof.run_facts(outcome),
    ]
    return [section for section in found if section]


def _unit(outcome: FrontOutcome) -> str:
    known = outcome.certificate
    return known.unit or known.metric


def _front(outcome: FrontOutcome) -> Section:
    rows = tuple(_row(outcome, point) for point in outcome.points)
    return Section(
        "answer",
        f"Front: {outcome.study}",
        (
            *figures("limit " + outcome.cost_unit, _unit(outcome), "bound", "gap", "TDP W", "area mm²"),
            *texts("design", "status"),
        ),
        rows,
        (
            f"{headline(outcome)}.",
            f"A row is the best verified answer under that {outcome.limit}, and what no design under it is better "
            "than; a design number is that of its file.",
            f"Status {outcome.status}, stopped: {outcome.stop}.",
        ),
        tuple(i for i, point in enumerate(outcome.points) if point.on_front),
        tuple((f"design {i}: {design.name}", design.yaml) for i, design in enumerate(outcome.designs)),
    )


def _row(outcome: FrontOutcome, point: FrontPoint) -> tuple[str, ...]:
    status = point.status if point.on_front or not point.designs else f"{point.status}, as a cheaper one"
    return (
        "none" if point.limit is None else number(point.limit),
        number(point.objective),
        number(point.bound),
        percent(point.gap),
        number(point.tdp_w),
        number(point.area_mm2),
        ", ".join(map(str, point.designs)) or UNKNOWN,
        status,
    )


def _curve(outcome: FrontOutcome) -> Section:
    rows = tuple(
        (
            number(step.above),
            "no further limit" if step.most is None else number(step.most),
            number(step.bound),
            number(step.bound_value),
        )
        for step in outcome.curve
    )
    unit = outcome.cost_unit
    return Section(
        "curve",
        f"Bound curve: no design in the range is better [{_unit(outcome)}]",
        figures(f"from {unit}", f"to {unit}", _unit(outcome), "step relative to the baseline"),
        rows,
        (f"Below {number(outcome.least)} {unit} there is no design within the other limits.",),
    )


def _certificate(outcome: FrontOutcome) -> Section:
    """What the bounds of all points hold for."""
    known = outcome.certificate
    notes = [f"Without a further limit: {known.method}."]
    notes += ["The bounds hold for:", *(BULLET + sentence for sentence in known.scope)]
    notes += ["Assumed by answers and bounds alike:", *(BULLET + sentence for sentence in known.assumptions)]
    return Section("certificate", "Certificate", notes=tuple(notes))


def headline(outcome: FrontOutcome) -> str:
    """The answer in a sentence."""
    own = sorted((p.tdp_w, p.area_mm2, p.objective) for p in outcome.points if p.on_front)
    (cool, small, slow), (hot, large, fast) = own[0], own[-1]
    word = "design is" if len(own) == 1 else "designs are"
    return (
        f"{len(own)} {word} on the front of {outcome.objective}: {number(slow)} to {number(fast)} {_unit(outcome)} "
        f"at {number(cool)} to {number(hot)} W and {number(small)} to {number(large)} mm²"
    )


def hero(_: FrontOutcome) -> list[Figure]:
    """What stands above the fold: the front is a figure of the answer."""
    return []


def drawn(outcome: FrontOutcome, _: Mapping[str, Any] | None = None) -> dict[str, list[Figure]]:
    """The figures of the sections, by their keys."""
    return {"answer": [_figure(outcome)]}


def _figure(outcome: FrontOutcome) -> Figure:
    name = "tdp_w" if outcome.cost_unit == "W" else "area_mm2"
    points = [(float(getattr(p, name)), p.objective) for p in outcome.points if p.on_front]
    bounds = [(step.above, step.most, step.bound) for step in outcome.curve]
    cost = f"{'TDP' if outcome.cost_unit == 'W' else 'area'} of all devices, {outcome.cost_unit}"
    more_is_better = outcome.certificate.sense == "maximize"
    chart = front_chart(points, bounds, cost, _unit(outcome), more_is_better=more_is_better)
    side = "above" if more_is_better else "below"
    text = f"Verified designs over {cost}, and the proven bound that no design is {side}."
    rows = [("design", c, c, value) for c, value in points] + [("bound", *step) for step in bounds]
    return Figure("front", "Front", chart, text, Table(("what", f"{name}_from", f"{name}_to", "value"), rows))


def front_csv(outcome: FrontOutcome) -> str:
    """The points as a CSV table, designs by their names."""
    rows = [asdict(point) | {"designs": _names(outcome, point.designs)} for point in outcome.points]
    return csv(rows)


def _names(outcome: FrontOutcome, designs: Sequence[int]) -> str:
    return "; ".join(outcome.designs[i].name for i in designs)
