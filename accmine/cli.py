"""The command line: ``accmine run``, ``solve``, ``cost``, ``gap``, ``stability``, ``ledger`` and the others.

Everything heavy is imported by the command that needs it, so that the rest starts fast.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated

import typer

from accmine.errors import AccmineError, CheckError, InfeasibleError, InputError
from accmine.questions.options import INTERRUPTED
from accmine.version import __version__

__all__ = ["QUESTIONS", "app", "main"]

QUESTIONS = (
    "run",
    "gap",
    "sensitivity",
    "stability",
    "cost",
    "accuracy",
    "export",
    "problem",
    "study",
)
"""Folders of ``accmine.questions`` with commands; a folder and its line here are all that there is of a question."""

app = typer.Typer(
    name="accmine",
    help="Designs accelerators for distributed DNN training, with certificates.\n\n"
    "Exit codes: 0 solved; 1 proven infeasible; 2 bad input; 3 a solution failed its check; "
    "4 nothing found in time; 130 interrupted.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit; every error that accmine raises on purpose becomes its exit code."""
    try:
        app(args=None if arguments is None else list(arguments), prog_name="accmine")
    except AccmineError as error:
        typer.echo(f"{_KINDS.get(type(error), 'error')}: {error}", err=True)
        sys.exit(error.exit_code)
    except OSError as error:
        typer.echo(f"error: {error.filename or 'file'}: {error.strerror or error}", err=True)
        sys.exit(InputError.exit_code)
    except KeyboardInterrupt:
        typer.echo("interrupted", err=True)
        sys.exit(INTERRUPTED)


_KINDS: dict[type[AccmineError], str] = {
    InfeasibleError: "infeasible",
    CheckError: "a solution failed its check (a defect of accmine; please report it)",
}


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"accmine {__version__}")
        raise typer.Exit()


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


for _question in QUESTIONS:
    for _name, _command in import_module(f"accmine.questions.{_question}.command").COMMANDS.items():
        app.command(_name)(_command)
