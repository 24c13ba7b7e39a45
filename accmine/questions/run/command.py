"""``accmine run`` and ``accmine show``: the best design of a study with its certificate, and its report again."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from accmine.errors import InfeasibleError, InputError
from accmine.questions.completion import of_catalogue
from accmine.questions.options import (
    RUNS,
    Json,
    Latest,
    Quiet,
    RunName,
    Runs,
    Seconds,
    Set,
    StudyName,
    Verbose,
    Workers,
    echo_json,
    exit_code,
    patience,
    progress,
    writable,
)

if TYPE_CHECKING:
    from accmine.report import Progress
    from accmine.study import LoadedStudy

__all__ = ["COMMANDS", "run", "show"]


def run(
    study: StudyName,
    overrides: Set = None,
    seconds: Seconds = None,
    workers: Workers = None,
    design: Annotated[
        str | None,
        typer.Option(
            help="Study this design (name or file) instead of searching for one.",
            autocompletion=of_catalogue("accelerators"),
        ),
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Compute also what is there already.")] = False,
    runs: Runs = RUNS,
    quiet: Quiet = False,
    verbose: Verbose = False,
    as_json: Json = False,
) -> None:
    """Find the best design of a study, and print it with its certificate and why it won."""
    from accmine.study import KINDS, block_of, kind_of, read_document, study_in

    changes = patience(overrides, seconds, workers)
    document, path = read_document(study, changes, design=design)
    kind, block = kind_of(document), block_of(document)
    if kind or block:
        if design is not None:
            what = f"a study of kind {kind}" if kind else f"a document with a block {block}"
            raise InputError(f"has no effect on {what}", field="--design")
        more = {"again": again, "runs": runs, "quiet": quiet, "verbose": verbose, "as_json": as_json}
        return handed_on(KINDS[kind] if kind else block)(study, changes, **more)
    loaded = study_in(document, path)
    budget = loaded.study.budget
    seconds = None if budget.deterministic else budget.seconds
    try:
        with progress(quiet, verbose, as_json, seconds=seconds) as shown:
            report = _run(loaded, runs, again, shown)
    except InfeasibleError as error:
        if not as_json:
            raise
        from accmine.questions.run.run import none_found

        echo_json(none_found(loaded, error.to_json()))
        raise typer.Exit(InfeasibleError.exit_code) from None
    if as_json:
        echo_json(report.to_json())
    else:
        typer.echo(_render(report), nl=False)
    raise typer.Exit(exit_code(report.status, report.stop))


def handed_on(question: str) -> Callable[..., None]:
    """The command that runs a document of a kind, or with a block, of its own, by the name of its question."""
    found: Callable[..., None] = import_module(f"accmine.questions.{question}.command").COMMANDS[question]
    return found


def _run(loaded: LoadedStudy, runs: Path, again: bool, shown: Progress) -> Any:
    from accmine.questions.run.run import run_study

    return run_study(loaded, runs_dir=runs, again=again, on_progress=shown, watch=shown)


def _render(report: Any) -> str:
    from accmine.questions.run.reading import render
    from accmine.report import colored, terminal_width

    return render(report, width=terminal_width(), color=colored())


def show(
    name: RunName,
    runs: Runs = RUNS,
    gantt: Annotated[Path | None, typer.Option(help="Draw the schedule into this PNG file.")] = None,
    latest: Latest = False,
    as_json: Json = False,
) -> None:
    """Print the report of a run again."""
    from accmine.questions.run.folder import find_run

    writable(gantt)
    folder = find_run(runs, name, latest=latest)
    result = folder.read_json("result.json")
    if result is None:
        raise InputError(f"{folder.path} has no result; its state is: {folder.state}")
    if as_json:
        echo_json(result)
    elif result.get("status") in ("infeasible", "unknown"):
        with folder.using("result.json"):
            refusal = InfeasibleError.from_json(result)
        typer.echo(f"{result['status']}: {refusal}")
    else:
        from accmine.questions.run.reading import answer_of

        with folder.using("result.json"):
            outcome = answer_of(result)
        typer.echo(_render(outcome), nl=False)
    if gantt is not None:
        from accmine.questions.run.pictures.chart import draw_run

        draw_run(folder, gantt)


COMMANDS = {"run": run, "show": show}
"""Commands by name."""
