"""``accmine validate``, ``accmine schema`` and ``accmine list``: studies, their keys and the catalogue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from accmine.errors import InputError
from accmine.questions.options import RUNS, Json, Runs, Set, StudyName, echo_json

if TYPE_CHECKING:
    pass

__all__ = ["COMMANDS", "list_entries", "schema", "validate"]


def validate(
    study: StudyName,
    overrides: Set = None,
    as_json: Json = False,
) -> None:
    """Check a study and print it with every default written out: a valid study again."""
    from accmine.plan import placement_of, plan_of
    from accmine.study import as_mapping, effective, load_study

    loaded = load_study(study, overrides or [])
    plan = placement_of(loaded) if loaded.study.placed else plan_of(loaded)
    for line in plan.inputs.left_out:  # what is wrong in the files a study names is wrong with the study
        typer.echo(f"note: {line}", err=True)
    if as_json:
        echo_json(as_mapping(loaded.study))
    else:
        typer.echo(effective(loaded.study), nl=False)


def schema(
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the reference of all keys instead.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON; the default.")] = False,
) -> None:
    """Print the JSON Schema of a study, for editors."""
    if markdown and as_json:
        raise InputError("--markdown and --json exclude each other")
    if markdown:
        from accmine.study import study_reference

        typer.echo(study_reference(), nl=False)
    else:
        from accmine.study import schema as study_schema

        echo_json(study_schema())


def list_entries(
    what: Annotated[
        str,
        typer.Argument(help="workloads, accelerators, technologies, clusters, stacks, studies, suites, solvers, runs."),
    ],
    runs: Runs = RUNS,
    as_json: Json = False,
) -> None:
    """List the catalogue, or the runs below --runs with the newest last."""
    from accmine.questions.study.listing import rows

    if what != "runs" and runs != RUNS:
        raise InputError("has no effect but on runs", f"list {what}", "--runs")
    entries = rows(what, runs)
    if as_json:
        echo_json(entries)
    elif entries:
        from accmine.report import of_records, table

        typer.echo(table(of_records(what, what, entries)))
    elif what == "runs":
        typer.echo(f"no runs in {runs}", err=True)


COMMANDS = {"validate": validate, "schema": schema, "list": list_entries}
"""Commands by name."""
