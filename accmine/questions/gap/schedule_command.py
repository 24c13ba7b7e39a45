"""``accmine gap --schedule``: what is measured, and the tables that are printed and written."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from accmine.errors import InputError
from accmine.questions.export.problems import studies_of
from accmine.questions.gap import schedule_report
from accmine.questions.gap.schedule_record import Found
from accmine.questions.gap.schedules import Measurement, check_methods, measure
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

    methods: Sequence[str]
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
        from accmine.report import render, terminal_width
        from accmine.report.tables import latex, markdown

        rows = self.found.rows()
        sections = schedule_report.sections(rows, self.needs, by_problem=self.by_problem) if rows else []
        if self.csv_file is not None and rows:
            write_atomic(self.csv_file, schedule_report.as_csv(rows))
        if self.markdown is not None and rows:
            write_atomic(self.markdown, markdown(sections))
        if self.latex is not None and rows:
            write_atomic(self.latex, latex(sections))
        if self.as_json:
            echo_json(schedule_report.as_json(rows))
        elif rows:
            typer.echo(render(sections, width=terminal_width(), color=sys.stdout.isatty()), nl=False)

    def code(self) -> int:
        """Of the exit."""
        return FAILED if any(row.failure for row in self.found.rows()) else 0


def measure_schedules(
    tables: Tables,
    studies: Sequence[str],
    suite: str | None,
    models: Sequence[str],
    overrides: Sequence[str],
    designs: Sequence[str],
    shown: Progress,
    *,
    seeds: Sequence[int],
    limits_s: Sequence[float],
    workers: int | None,
    runs: Path | None,
    again: bool,
) -> int:
    """Measure everything into ``tables``; the exit code if it was interrupted, else 0.

    Raises
    ------
    InputError
        For an unknown solver, model or design, or more than one design.
    """
    check_methods(tables.methods)
    if len(designs) > 1:
        raise InputError(f"takes one design here, got {len(designs)}", field="--design")
    found = studies_of(studies, suite, models, overrides)
    tables.needs, tables.by_problem = {name: needs for name, _, needs in found if needs}, suite is None
    measurement = Measurement(
        methods=tables.methods,
        seeds=seeds or (0,),
        limits_s=limits_s or (LIMIT_S,),
        workers=workers or 1,
        runs=runs,
        again=again,
    )
    count = tables.found.answers
    try:
        measure(
            tables.found,
            [(name, study) for name, study, _ in found],
            measurement,
            designs[0] if designs else None,
            on_step=lambda what: shown.step(f"{len(count)} rows; {what}"),
        )
    except KeyboardInterrupt:
        typer.echo(f"interrupted: {len(count)} rows are done", err=True)
        return INTERRUPTED
    return 0
