"""A finished run with all that its page shows: outcome, schedule, study, and what was asked about it later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from accmine.errors import InputError
from accmine.questions.run.folder import RunFolder, find_run
from accmine.questions.run.placement.record import AnyOutcome
from accmine.questions.run.reading import AnySparse, answer_of, drawings, headline, page
from accmine.questions.run.row import Row, row_of
from accmine.questions.sensitivity.measure import Sensitivity
from accmine.questions.stability.record import Stability
from accmine.questions.stability.report import render as stability_text
from accmine.report import Figure, Section, figures, from_json, number, percent, texts

__all__ = ["LoadedRun", "load_run"]


@dataclass(frozen=True)
class LoadedRun:
    """What a page of a run is made of.

    Attributes
    ----------
    trace
        ``None`` where the run kept no schedule.
    study
        Text of the effective study.
    more
        Sections of sensitivities and stability, where they were computed.
    """

    path: Path
    outcome: AnyOutcome | AnySparse
    trace: Mapping[str, Any] | None
    study: str
    more: tuple[Section, ...]

    @property
    def name(self) -> str:
        """Name of its folder."""
        return self.path.name

    @property
    def row(self) -> Row:
        """Its flat row."""
        return row_of(self.outcome.to_json())

    @property
    def trained(self) -> AnyOutcome:
        """The outcome, of a study of training.

        Raises
        ------
        InputError
            If it is of another kind, whose answer is no design that others have.
        """
        if isinstance(self.outcome, AnySparse):
            message = f"is of kind {self.outcome.kind}, which has a page of its own; accmine compare shows several"
            raise InputError(message, str(self.path))
        return self.outcome

    @property
    def headline(self) -> str:
        """Its answer in a sentence."""
        return headline(self.outcome)

    def page(self) -> str:
        """Its page."""
        return page(self.outcome, self.trace, self.study, self.more)

    def figures(self) -> list[Figure]:
        """All figures of its page."""
        return drawings(self.outcome, self.trace)


def load_run(runs: Path, name: str) -> LoadedRun:
    """The run that ``name`` means, as of ``accmine.questions.run.folder.find_run``.

    Raises
    ------
    InputError
        If there is none, it has no answer, or a file of it is not what a run writes.
    """
    folder = find_run(runs, name)
    result = folder.read_json("result.json")
    if result is None:
        raise InputError(f"{folder.path} has no result to report; its state is: {folder.state}")
    if result.get("status") in ("infeasible", "unknown"):
        raise InputError(f"{folder.path} has no answer to report: it is {result['status']}; accmine show says why")
    with folder.using("result.json"):
        outcome = answer_of(result)
    trace, study = folder.read_json("schedule.json"), folder.text_of("study.yaml")
    return LoadedRun(folder.path, outcome, trace, study, tuple(_more(folder)))


def _more(folder: RunFolder) -> Sequence[Section]:
    found = []
    table = folder.read_json("sensitivity.json")
    if table is not None:
        with folder.using("sensitivity.json"):
            found.append(_sensitivity(from_json(Sensitivity, table)))
    table = folder.read_json("stability.json")
    if table is not None:
        with folder.using("stability.json"):
            own = from_json(Stability, table)
        note = f"Within {percent(own.tolerance)} of the best in {own.within:,} of {own.draws:,} draws of the constants."
        found.append(Section("stability", "Stability", notes=(note,), files=(("stability", stability_text(own)),)))
    return found


def _sensitivity(found: Sensitivity) -> Section:
    unit = f" {found.unit}" if found.unit else ""
    rows = [
        (
            row.key,
            f"{row.before} → {row.after}",
            number(row.objective),
            number(row.difference),
            row.verdict,
            row.next_size,
        )
        for row in found.rows
    ]
    return Section(
        "sensitivity",
        f"Sensitivity: what {found.percent:g} % more buys",
        (*texts("what", "change"), *figures(f"{found.metric}{unit}", "difference"), *texts("proven", "next size")),
        tuple(rows),
        (f"Against {number(found.objective)}{unit}, bound {number(found.bound)}{unit}.",),
    )
