"""``accmine validate``, ``accmine schema`` and ``accmine list``: studies, their keys and the catalogue."""

from __future__ import annotations

from typing import Annotated

import typer

from accmine.errors import InputError
from accmine.questions.completion import of_catalogue, of_words
from accmine.questions.options import RUNS, Json, Runs, Set, echo_json

__all__ = ["COMMANDS", "list_entries", "schema", "validate"]


def validate(
    study: Annotated[
        str,
        typer.Argument(
            help="Name of a shipped study, or a YAML file; or a described architecture.",
            autocompletion=of_catalogue("studies"),
        ),
    ],
    kernel: Annotated[str | None, typer.Argument(help="Check this kernel on the described architecture.")] = None,
    overrides: Set = None,
    as_json: Json = False,
) -> None:
    """Check a study or a described architecture, and print it with every default written out: a valid file again."""
    from accmine.files import dump
    from accmine.plan import placement_of, plan_of
    from accmine.questions.study.described import checked_description, checked_study, is_described
    from accmine.study import as_mapping, effective, kind_of, load_study, read_document

    described = kernel is not None or is_described(study)
    if described or kind_of(read_document(study, overrides or [])[0]):
        keys = checked_description(study, kernel, overrides or []) if described else checked_study(study, overrides)
        if as_json:
            echo_json(keys)
        else:
            typer.echo(dump(keys, flow=None), nl=False)
        return
    loaded = load_study(study, overrides or [])
    plan = placement_of(loaded) if loaded.study.placed else plan_of(loaded.one_run)
    for line in plan.inputs.left_out:  # what is wrong in the files a study names is wrong with the study
        typer.echo(f"note: {line}", err=True)
    if as_json:
        echo_json(as_mapping(loaded.study))
    else:
        typer.echo(effective(loaded.study), nl=False)


def schema(
    what: Annotated[
        str,
        typer.Argument(
            help="study (default) of training, or sparse-dataflow, a study of that kind; workload, technology, "
            "cluster, device, engine, design, which is that of templates too; architecture or kernel, as accmine "
            "kernel takes them.",
            autocompletion=of_words(
                *("study", "sparse-dataflow", "workload", "technology", "cluster", "device", "engine", "design"),
                *("architecture", "kernel"),
            ),
        ),
    ] = "study",
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the reference of all keys of a study, architecture or kernel.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON; the default.")] = False,
) -> None:
    """Print the JSON Schema of a kind of file, for editors."""
    from accmine.questions.study.schemas import reference_of, schema_of

    if markdown and as_json:
        raise InputError("--markdown and --json exclude each other")
    if markdown:
        typer.echo(reference_of(what), nl=False)
    else:
        echo_json(schema_of(what))


def list_entries(
    what: Annotated[
        str,
        typer.Argument(
            help="workloads, accelerators, technologies, clusters, stacks, kernels, devices, engines, studies, suites, "
            "solvers, runs.",
            autocompletion=of_words(
                *("workloads", "accelerators", "technologies", "clusters", "stacks", "kernels", "devices", "engines"),
                *("studies", "suites", "solvers", "runs"),
            ),
        ),
    ],
    runs: Runs = RUNS,
    paths: Annotated[bool, typer.Option("--paths", help="Print the file of each entry instead.")] = False,
    as_json: Json = False,
) -> None:
    """List the catalogue, or the runs below --runs with the newest last."""
    from accmine.questions.study.listing import file_rows, rows

    if what != "runs" and runs != RUNS:
        raise InputError("has no effect but on runs", f"list {what}", "--runs")
    entries = file_rows(what) if paths else rows(what, runs)
    if as_json:
        echo_json(entries)
    elif entries:
        from accmine.report import asked_width, of_records, table

        typer.echo(table(of_records(what, what, entries), asked_width()))
    elif what == "runs":
        typer.echo(f"no runs in {runs}", err=True)


COMMANDS = {"validate": validate, "schema": schema, "list": list_entries}
"""Commands by name."""
