"""``accmine report``: one self-contained page of a run, or of several side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from accmine.errors import InputError
from accmine.questions.options import RUNS, Runs, writable

__all__ = ["COMMANDS", "report"]


def report(
    names: Annotated[list[str], typer.Argument(metavar="RUN...", help="Run folders, or the starts of their names.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="FILE", help="The page. Default: report.html, of one run in its folder."
        ),
    ] = None,
    csv: Annotated[
        Path | None, typer.Option("--csv", metavar="DIR", help="Write the data of every figure there as well.")
    ] = None,
    runs: Runs = RUNS,
) -> None:
    """Write the page of a run, or one that compares several; it needs no network and no other file."""
    from accmine.files import write_atomic
    from accmine.questions.report.loaded import load_run
    from accmine.questions.report.several import page

    writable(output, "--output")
    if csv is not None and csv.exists() and not csv.is_dir():
        raise InputError(f"{csv} is a file; a folder is needed", field="--csv")
    found = [load_run(runs, name) for name in names]
    paths = [run.path.resolve() for run in found]
    if twice := [str(path) for i, path in enumerate(paths) if path in paths[:i]]:
        raise InputError(f"named twice: {', '.join(twice)}; each run once, or one run alone")
    target = output or (found[0].path / "report.html" if len(found) == 1 else Path("report.html"))
    text = found[0].page() if len(found) == 1 else page(found)
    write_atomic(target, text)
    typer.echo(f"{target}  {len(text.encode()) / 1e6:.2f} MB")
    if csv is not None:
        count = 0
        for run in found:
            folder = csv if len(found) == 1 else csv / run.name
            for figure in run.figures():
                write_atomic(folder / f"{figure.key}.csv", figure.table.csv())
                count += 1
        typer.echo(f"{csv}  {count} CSV files")


COMMANDS = {"report": report}
"""Commands by name."""
