"""The whole report of a run: all its sections, these as text, and the figures of its page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from accmine.questions.run.pictures import figures as pictures
from accmine.questions.run.pictures.evaluated import evaluated_figures
from accmine.questions.run.record import Outcome
from accmine.questions.run.report import answer, proof, why
from accmine.questions.run.report.answer import headline
from accmine.questions.run.report.labels import design_labels
from accmine.report import Figure, Section, Table, stacked_bars, text

__all__ = ["drawn", "headline", "hero", "render", "sections"]


def sections(outcome: Outcome) -> list[Section]:
    """All sections of a report in reading order; those with nothing to say are left out.

    Answer, throughput, limits, baselines, selection modes, why (changes, time, nearest), stages,
    schedules, certificate, technology variant, warnings, seconds.
    """
    found = [
        answer.designs(outcome),
        answer.throughput(outcome),
        answer.limits(outcome),
        answer.baselines(outcome),
        answer.regret(outcome),
        answer.modes(outcome),
        why.changes(outcome),
        why.time_split(outcome),
        why.nearest(outcome),
        proof.devices(outcome),
        proof.schedules(outcome),
        proof.certificate(outcome),
        proof.variant(outcome),
        proof.warnings(outcome),
        proof.run_facts(outcome),
    ]
    return [section for section in found if section]


def render(outcome: Outcome, *, width: int = 110, color: bool = False) -> str:
    """The report as text; ``width`` and ``color`` as ``accmine.report.text.render``."""
    return text.render(sections(outcome), width=width, color=color)


def hero(outcome: Outcome) -> list[Figure]:
    """What stands above the fold: the certificate and the designs."""
    own = outcome.certificate
    metric = own.metric[:1].upper() + own.metric[1:]
    labels = design_labels(outcome)
    return [
        pictures.certificate_figure(metric, own.unit, own.heuristic, own.objective, own.bound, own.gap),
        pictures.design_figure(outcome.designs, [labels[design.name] for design in outcome.designs]),
    ]


def drawn(outcome: Outcome, trace: Mapping[str, Any] | None = None) -> dict[str, list[Figure]]:
    """The figures of the sections, by their keys."""
    labels = design_labels(outcome)
    bars = [(why.stage_name(outcome, stage), why.split_shares(stage)) for stage in outcome.stages]
    names = [name for _, name, _ in why.PARTS]
    table = Table(
        ("device", "busy_s", *(field for field, _, _ in why.PARTS)),
        [
            (
                why.stage_name(outcome, stage),
                stage.busy_s,
                *(float(getattr(stage.time_split, f)) for f, _, _ in why.PARTS),
            )
            for stage in outcome.stages
        ],
    )
    time = Figure("time", "Where the time goes", stacked_bars(bars, names, "busy time"), "Shares of busy time.", table)
    devices, lines = pictures.trace_figures(trace)
    return {
        "time": [time],
        "parts": pictures.part_figures(outcome.designs, [labels[design.name] for design in outcome.designs]),
        "limits": [pictures.limits_figure(outcome.limits)],
        # The values of the trace are those of ``Outcome.value``, which is minimised, not of the certificate's metric.
        "certificate": [
            pictures.progress_figure(outcome.trace, f"value of the objective {outcome.objective}, lower is better")
        ],
        "evaluated": evaluated_figures(outcome),
        "gantt": devices,
        "timeline": lines,
        "roofline": pictures.roof_figures(outcome.roofs),
    }
