"""The outcome of any kind of study, read back and shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from accmine.questions.run.placement.record import AnyOutcome, PlacementOutcome
from accmine.questions.run.record import Outcome
from accmine.questions.run.several.front_record import FrontOutcome

__all__ = ["outcome_of", "page", "render"]


def outcome_of(table: Mapping[str, Any]) -> AnyOutcome:
    """The outcome that a ``result.json`` holds.

    Raises
    ------
    InputError
        If it is not one.
    """
    from accmine.report import from_json

    if table.get("kind") == FrontOutcome.kind:
        return from_json(FrontOutcome, table)
    if table.get("kind") == PlacementOutcome.kind:
        return from_json(PlacementOutcome, table)
    return from_json(Outcome, table)


def render(outcome: AnyOutcome, *, width: int = 110, color: bool = False) -> str:
    """The report as text."""
    from accmine.questions.run.placement.report import sections as placed
    from accmine.questions.run.report import render as whole
    from accmine.questions.run.several.front_report import sections as front
    from accmine.report import render as text

    if isinstance(outcome, Outcome):
        return whole(outcome, width=width, color=color)
    own = front(outcome) if isinstance(outcome, FrontOutcome) else placed(outcome)
    return text(own, width=width, color=color)


def page(outcome: AnyOutcome) -> str:
    """The report as an HTML page."""
    from accmine.questions.run.placement.report import page as placed
    from accmine.questions.run.report import page as whole
    from accmine.questions.run.several.front_report import page as front

    if isinstance(outcome, Outcome):
        return whole(outcome)
    return front(outcome) if isinstance(outcome, FrontOutcome) else placed(outcome)
