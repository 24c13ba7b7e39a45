"""The content of a report, shared by text and HTML so that nothing is written twice."""

from __future__ import annotations

from accmine.questions.run.record import Outcome
from accmine.questions.run.report import answer, proof, why
from accmine.report.section import Column, Section

__all__ = ["Column", "Section", "sections"]


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
