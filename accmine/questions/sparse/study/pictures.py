"""The figures of a run of a sparse dataflow accelerator, each with the table that it was drawn from."""

from __future__ import annotations

from dataclasses import asdict, fields

from accmine.questions.run.pictures.figures import certificate_figure, progress_figure
from accmine.questions.sparse.study.record import SparseOutcome
from accmine.questions.sparse.study.rows import SparseLayerRow
from accmine.report import Figure, Table, percent
from accmine.report.charts.columns import columns, shares_with_bands, steps

__all__ = ["certificate", "gap", "layers", "resources", "tpe"]


def certificate(outcome: SparseOutcome) -> Figure:
    """Best and bound on one axis."""
    own = outcome.certificate
    return certificate_figure(own.metric, own.unit, None, own.objective, own.bound, own.gap)


def resources(outcome: SparseOutcome) -> Figure:
    """What the design takes of the device, with the bands of what is estimated."""
    rows = [
        (row.name, row.used / row.device, row.least / row.device, row.most / row.device, row.allowed / row.device)
        for row in outcome.resources
        if row.device > 0
    ]
    table = Table(
        ("resource", "used", "allowed", "device", "least", "most"),
        [(row.name, row.used, row.allowed, row.device, row.least, row.most) for row in outcome.resources],
    )
    said = "Bars: shares of the device; marks: what the study allows; lines: the bands of LUTs and FFs, which are "
    picture = shares_with_bands(rows, f"resources of {outcome.device}")
    return Figure("resources", f"Resources of {outcome.device}", picture, f"{said}estimates.", table)


def layers(outcome: SparseOutcome) -> Figure:
    """Cycles of every layer."""
    rows = [(row.name, float(row.cycles), float(row.streams), row.name in outcome.binding) for row in outcome.layers]
    names = tuple(field.name for field in fields(SparseLayerRow))
    table = Table(names, [tuple(asdict(row).values()) for row in outcome.layers])
    picture = columns(rows, "cycles between two images", "layers in their order", "by streams alone")
    said = f"Cycles of {len(rows)} layers; the slowest: {', '.join(outcome.binding)}."
    return Figure("layers", "Cycles of each layer", picture, said, table)


def gap(outcome: SparseOutcome) -> list[Figure]:
    """Answer and bound over the seconds of the solver."""
    return [progress_figure(outcome.trace, "cycles between two images")]


def tpe(outcome: SparseOutcome) -> list[Figure]:
    """Quality of TPE over seconds, and over trials where these were counted."""
    if outcome.tpe is None:
        return []
    trace = outcome.tpe.trace
    rows = [(row.seconds, row.evaluations, row.cycles, row.share) for row in trace]
    table = Table(("seconds", "trials", "cycles", "share"), rows)
    end = outcome.tpe.found.seconds
    found = [("seconds", "tpe-seconds", [(row.seconds, row.share) for row in trace], end)]
    counted = [(float(row.evaluations), row.share) for row in trace if row.evaluations is not None]
    found.append(("trials", "tpe-trials", counted, float(outcome.tpe.trials)))
    return [
        Figure(
            key,
            f"TPE over {over}",
            steps([*points, (last, points[-1][1])], over, "images/s of the answer's"),
            f"Images per second of the best design so far over those of the answer: {percent(points[-1][1])} at last.",
            table,
        )
        for over, key, points, last in found
        if points
    ]
