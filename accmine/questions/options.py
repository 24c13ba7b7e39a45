"""What several commands share: options, exit codes, and how they print JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from accmine.errors import InfeasibleError, InputError, NothingFoundError
from accmine.questions.completion import of_catalogue, of_runs

if TYPE_CHECKING:
    from accmine.report import Progress

__all__ = [
    "INTERRUPTED",
    "RUNS",
    "Json",
    "Latest",
    "Quiet",
    "RunName",
    "Runs",
    "Seconds",
    "Set",
    "StudyName",
    "Verbose",
    "Workers",
    "echo_json",
    "echo_text",
    "exit_code",
    "patience",
    "progress",
    "writable",
]

INTERRUPTED = 130

StudyName = Annotated[
    str, typer.Argument(help="Name of a shipped study, or a YAML file.", autocompletion=of_catalogue("studies"))
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a key of the study, e.g. limits.area='400 mm^2'."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Seconds = Annotated[float | None, typer.Option(min=0, help="Wall-clock limit.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Processes or threads.")]
Latest = Annotated[bool, typer.Option("--latest", help="Of several runs whose names begin so, the newest.")]
Runs = Annotated[Path, typer.Option("--runs", metavar="DIR", help="Folder of the run folders.")]
RUNS = Path("runs")
RunName = Annotated[
    str,
    typer.Argument(metavar="RUN", help="Run folder, or the start of the name of one.", autocompletion=of_runs(RUNS)),
]
KEPT = "the best verified result of this moment, if there is one,"
Quiet = Annotated[bool, typer.Option("--quiet", help="Nothing on stderr but errors.")]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Each step with its seconds, and log messages.")]


def exit_code(status: str, stop: str) -> int:
    """Exit code for what is known (``status``) and why it ended (``stop``), in the words of a result."""
    if stop == "interrupted":
        return INTERRUPTED
    return {"optimal": 0, "feasible": 0, "infeasible": InfeasibleError.exit_code}.get(
        status, NothingFoundError.exit_code
    )


def patience(overrides: Sequence[str] | None, seconds: float | None = None, workers: int | None = None) -> list[str]:
    """The overrides of a study, then what ``--seconds`` and ``--workers`` say of its budget."""
    given = (("seconds", seconds), ("workers", workers))
    return [*(overrides or []), *(f"budget.{key}={value!r}" for key, value in given if value is not None)]


def echo_json(value: Any) -> None:
    """Print JSON for people and programs: indented, characters as they are."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


def echo_text(text: str) -> None:
    """Print text that fits the terminal: tables in it were made for ``asked_width`` already, sentences are broken."""
    from accmine.report import asked_width, fitted

    typer.echo(fitted(text, asked_width()), nl=not text.endswith("\n"))


def progress(quiet: bool, verbose: bool, as_json: bool, kept: str = KEPT, *, seconds: float | None = None) -> Progress:
    """Progress as the options want it: programs, which read JSON, are told nothing unless they ask for it.

    Raises
    ------
    InputError
        If both are given.
    """
    from accmine.report import Progress

    if quiet and verbose:
        raise InputError("--quiet and --verbose exclude each other")
    return Progress(quiet=quiet or (as_json and not verbose), verbose=verbose, kept=kept, seconds=seconds)


def writable(path: Path | None, option: str = "", inputs: Iterable[str | Path] = ()) -> None:
    """Refuse an output file that cannot be written before an hour is spent on its content.

    Parameters
    ----------
    inputs
        What is read, files or names of something else: none of them may be overwritten.

    Raises
    ------
    InputError
        If it is a folder or in none, or one of the inputs; names ``option``.
    """
    if path is None:
        return
    if path.is_dir() or not path.resolve().parent.is_dir():
        raise InputError(f"cannot write {path}: it must be a file in an existing folder", field=option)
    if path.is_file() and path.resolve() in [Path(name).resolve() for name in inputs if "\0" not in str(name)]:
        raise InputError(f"{path} is read by this command, and would be overwritten; name another file", field=option)
