"""The outcome of any kind of study, read back and shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from accmine.errors import InputError
from accmine.files import load_yaml
from accmine.hardware import Design, DesignSpace, template_of
from accmine.questions.run.placement.record import AnyOutcome, PlacementOutcome
from accmine.questions.run.record import Outcome
from accmine.questions.run.row import refuse_newer
from accmine.questions.run.several.front_record import FrontOutcome
from accmine.questions.sparse.study.record import SparseOutcome
from accmine.questions.sparse.study.several.record import SpreadOutcome
from accmine.study.sparse.keys import SPARSE_DATAFLOW

if TYPE_CHECKING:
    from accmine.report import Figure, Section

__all__ = ["AnySparse", "answer_of", "design_in", "drawings", "headline", "outcome_of", "page", "render", "sparse_of"]


AnySparse = SparseOutcome | SpreadOutcome
"""Outcome of a sparse dataflow accelerator, on one device or on several."""


def sparse_of(table: Mapping[str, Any]) -> AnySparse:
    """The outcome of a sparse dataflow accelerator that a ``result.json`` holds.

    Raises
    ------
    InputError
        If it is none.
    """
    from accmine.report import from_json

    return from_json(SpreadOutcome, table) if "devices" in table else from_json(SparseOutcome, table)


def answer_of(table: Mapping[str, Any]) -> AnyOutcome | AnySparse:
    """The outcome of a study of any kind that a ``result.json`` holds.

    Raises
    ------
    InputError
        If it is not one.
    """
    refuse_newer(table)
    return sparse_of(table) if table.get("kind") == SPARSE_DATAFLOW else outcome_of(table)


def outcome_of(table: Mapping[str, Any]) -> AnyOutcome:
    """The outcome of a study of training that a ``result.json`` holds.

    Raises
    ------
    InputError
        If it is not one; one of another kind is refused by its name.
    """
    from accmine.report import from_json

    refuse_newer(table)
    if table.get("kind") == SPARSE_DATAFLOW:
        message = f"{SPARSE_DATAFLOW} has no design of a training accelerator; accmine show and accmine report read it"
        raise InputError(message, field="kind")
    if table.get("kind") == FrontOutcome.kind:
        return from_json(FrontOutcome, table)
    if table.get("kind") == PlacementOutcome.kind:
        return from_json(PlacementOutcome, table)
    return from_json(Outcome, table)


def design_in(text: str) -> Design:
    """The design that a ``design.yaml`` holds."""
    return next(iter(DesignSpace(template_of(load_yaml(text=text)))))


def render(outcome: AnyOutcome | AnySparse, *, width: int | None = 110, color: bool = False) -> str:
    """The report as text."""
    from accmine.report import render as text

    return text(_report(outcome).sections(outcome), width=width, color=color)


def page(
    outcome: AnyOutcome | AnySparse,
    trace: Mapping[str, Any] | None = None,
    study: str = "",
    more: Sequence[Section] = (),
) -> str:
    """The report as an HTML page.

    Parameters
    ----------
    trace
        The schedule, as ``accmine.report.perfetto`` makes it.
    study
        Text of the effective study.
    more
        Further sections, such as sensitivities.
    """
    from accmine.questions.run.pictures.place import in_place
    from accmine.report import html

    own = _report(outcome)
    found = own.drawn(outcome, trace)
    return html.page(
        outcome.study,
        # warnings have a place of their own above all sections
        [s for s in in_place([*own.sections(outcome), *more], found, study) if s.key != "warnings"],
        found,
        lead=f"{own.headline(outcome)}.",
        hero=own.hero(outcome),
        warnings=outcome.warnings,
    )


def headline(outcome: AnyOutcome | AnySparse) -> str:
    """The answer in a sentence."""
    text: str = _report(outcome).headline(outcome)
    return text


def drawings(outcome: AnyOutcome | AnySparse, trace: Mapping[str, Any] | None = None) -> list[Figure]:
    """All figures of the page."""
    own = _report(outcome)
    return [*own.hero(outcome), *(figure for found in own.drawn(outcome, trace).values() for figure in found)]


def _report(outcome: AnyOutcome | AnySparse) -> Any:
    """What reports on this kind of outcome: a module with ``sections``, ``headline``, ``hero`` and ``drawn``."""
    if isinstance(outcome, FrontOutcome):
        from accmine.questions.run.several import front_report as front

        return front
    if isinstance(outcome, PlacementOutcome):
        from accmine.questions.run.placement import report as placed

        return placed
    if isinstance(outcome, SparseOutcome):
        from accmine.questions.sparse.study import report as sparse

        return sparse
    if isinstance(outcome, SpreadOutcome):
        from accmine.questions.sparse.study.several import report as several

        return several
    from accmine.questions.run.report import whole

    return whole
