"""``accmine gap --schedule``: what is measured, and the tables that are printed and written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from accmine.questions.gap.schedules import report
from accmine.questions.gap.schedules.measure import Measurement, check_methods, measure
from accmine.questions.gap.schedules.problems import studies_of
from accmine.questions.gap.schedules.record import Found
from accmine.questions.options import INTERRUPTED, echo_json

if TYPE_CHECKING:
    from accmine.report import Progress

__all__ = ["LIMIT_S", "Tables", "measure_schedules"]

LIMIT_S = 5.0
"""Seconds of a solver on a problem where none are given: a suite has dozens of problems."""

FAILED = 3
"""Exit code where a solver has a row without a verified schedule."""


@dataclass
class Tables:
    """What is measured, and where it is to be shown."""

    csv_file: Path | None = None
    markdown: Path | None = None
    latex: Path | None = None
    as_json: bool = False
    found: Found = field(default_factory=Found)
    needs: dict[str, str] = field(default_factory=dict)
    by_problem: bool = False

    def show(self) -> None:
        """Print the rows, and write the files that were asked for."""
        from accmine.files import write_atomic
        from accmine.report import colored, render, terminal_width
        from accmine.report.tables import latex, markdown

        rows = self.found.rows()
        sections = report.sections(rows, self.needs, by_problem=self.by_problem) if rows else []
        if self.csv_file is not None and rows:
            write_atomic(self.csv_file, report.as_csv(rows))
        if self.markdown is not None and rows:
            write_atomic(self.markdown, markdown(sections))
        if self.latex is not None and rows:
            write_atomic(self.latex, latex(sections))
        if self.as_json:
            echo_json(report.as_json(rows))
        elif rows:
            typer.echo(render(sections, width=terminal_width(), color=colored()), nl=False)

    def code(self) -> int:
        """Of the exit."""
        return FAILED if any(row.failure for row in self.found.rows()) else 0


def measure_schedules(
    tables: Tables,
    measurement: Measurement,
    studies: Sequence[str],
    suite: str | None,
    models: Sequence[str],
    overrides: Sequence[str],
    design: str | None,
    shown: Progress,
) -> int:
    """Measure everything into ``tables``; the exit code if it was interrupted, else 0.

    Raises
    ------
    InputError
        For an unknown solver, model or design.
    """
    check_methods(measurement.methods)
    found = studies_of(studies, suite, models, overrides)
    tables.needs, tables.by_problem = {name: needs for name, _, needs in found if needs}, suite is None
    count = tables.found.answers
    try:
        measure(
            tables.found,
            [(name, study) for name, study, _ in found],
            measurement,
            design,
            on_step=lambda what: shown.step(f"{len(count)} rows; {what}"),
        )
    except KeyboardInterrupt:
        typer.echo(f"interrupted: {len(count)} rows are done", err=True)
        return INTERRUPTED
    return 0
