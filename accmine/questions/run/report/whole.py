"""The whole report of a run: all its sections, and these as text and as a page."""

from __future__ import annotations

from accmine.questions.run.record import Outcome
from accmine.questions.run.report import answer, proof, why
from accmine.report import Section, html, stacked_bars, text
from accmine.report.charts.svg import progress

__all__ = ["page", "render", "sections"]


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


def page(outcome: Outcome, *, svg: str | None = None) -> str:
    """The report as an HTML page; ``svg`` is a chart to show as the schedule, from a trusted source.

    Raises
    ------
    InputError
        If ``svg`` holds no ``<svg`` element.
    """
    bars = [(why.stage_name(outcome, stage), why.split_shares(stage)) for stage in outcome.stages]
    charts = {
        "time": stacked_bars(bars, [name for _, name, _ in why.PARTS]),
        # The values of the trace are those of ``Outcome.value``, which is minimised, not of the certificate's metric.
        "certificate": progress(outcome.trace, f"value of the objective {outcome.objective}, lower is better"),
    }
    return html.page(outcome.study, sections(outcome), charts, {} if svg is None else {"Schedule": svg})
