"""The command line: ``accmine run``, ``solve``, ``cost``, ``gap``, ``stability``, ``ledger`` and the others.

Everything heavy is imported by the command that needs it, so that the rest starts fast.
"""

from __future__ import annotations

import inspect
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from accmine.errors import DEFECT, AccmineError, CheckError, InfeasibleError, InputError
from accmine.interrupts import terminable, whole_imports
from accmine.questions.options import INTERRUPTED
from accmine.version import __version__

__all__ = ["QUESTIONS", "app", "main"]

PIPE_CLOSED = 141

QUESTIONS = (
    "run",
    "sweep",
    "compare",
    "report",
    "results",
    "gap",
    "sensitivity",
    "stability",
    "cost",
    "kernel",
    "accuracy",
    "export",
    "problem",
    "study",
)
"""Folders of ``accmine.questions`` with commands; a folder and its line here are all that there is of a question."""


def _functions() -> dict[str, Callable[..., Any]]:
    """What each command calls, in the order of ``QUESTIONS``."""
    found: dict[str, Callable[..., Any]] = {}
    for question in QUESTIONS:
        found |= import_module(f"accmine.questions.{question}.command").COMMANDS
    return found


class Commands(TyperGroup):
    """Commands that are built when one is called: for the help page, names and first lines are enough."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.functions = _functions()
        self.commands = {name: TyperCommand(name, help=inspect.getdoc(call)) for name, call in self.functions.items()}

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """A command with its options; ``None`` for an unknown one."""
        if cmd_name not in self.functions:
            return None
        one = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
        one.command(cmd_name)(self.functions[cmd_name])
        return typer.main.get_command(one)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Names and first lines."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, one.get_short_help_str(200)) for name, one in self.commands.items()])


app = typer.Typer(
    name="accmine",
    cls=Commands,
    help="Designs accelerators for distributed DNN training, with certificates.\n\n"
    "Exit codes: 0 solved; 1 proven infeasible; 2 bad input; 3 a solution failed its check; "
    "4 nothing found in time; 70 a defect of accmine; 130 interrupted.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: with the code of an error that was raised on purpose, with 70 for any other.

    Nothing but a proof ends with 1. SIGTERM is answered as Ctrl-C is. ``ACCMINE_TRACEBACK=1`` shows where an error came
    from.
    """
    try:
        with whole_imports(), terminable():
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
    except SystemExit as stop:
        # typer ends with 1 when the reader of a pipe has gone; the shell's code for that is 128 + SIGPIPE
        sys.exit(PIPE_CLOSED if isinstance(stop.__context__, BrokenPipeError) else stop.code)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is no proof
        if os.environ.get("ACCMINE_TRACEBACK", "0") not in ("", "0"):
            traceback.print_exc()
        said = " ".join(str(error).split())[:300]
        typer.echo(f"a defect of accmine: {type(error).__name__}: {said}; please report it", err=True)
        sys.exit(DEFECT)


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
