"""The outcome of either kind of study, read back and shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from accmine.files import load_yaml
from accmine.hardware import Design, DesignSpace, template_of
from accmine.questions.run.placement.record import AnyOutcome, PlacementOutcome
from accmine.questions.run.record import Outcome
from accmine.questions.run.row import refuse_newer

__all__ = ["design_in", "outcome_of", "page", "render"]


def outcome_of(table: Mapping[str, Any]) -> AnyOutcome:
    """The outcome that a ``result.json`` holds.

    Raises
    ------
    InputError
        If it is not one.
    """
    from accmine.report import from_json

    refuse_newer(table)
    if table.get("kind") == PlacementOutcome.kind:
        return from_json(PlacementOutcome, table)
    return from_json(Outcome, table)


def design_in(text: str) -> Design:
    """The design that a ``design.yaml`` holds."""
    return next(iter(DesignSpace(template_of(load_yaml(text=text)))))


def render(outcome: AnyOutcome, *, width: int = 110, color: bool = False) -> str:
    """The report as text."""
    from accmine.questions.run.placement.report import sections
    from accmine.questions.run.report import render as whole
    from accmine.report import render as text

    if isinstance(outcome, Outcome):
        return whole(outcome, width=width, color=color)
    return text(sections(outcome), width=width, color=color)


def page(outcome: AnyOutcome) -> str:
    """The report as an HTML page."""
    from accmine.questions.run.placement.report import page as placed
    from accmine.questions.run.report import page as whole

    return whole(outcome) if isinstance(outcome, Outcome) else placed(outcome)
