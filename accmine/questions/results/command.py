"""``accmine results``: what all runs found, as one table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from accmine.errors import InputError
from accmine.questions.options import RUNS, Json, Runs, echo_json, writable

__all__ = ["COMMANDS", "results"]


def results(
    folders: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[FOLDER]...", help="Runs, sweeps or folders of them; default: --runs."),
    ] = None,
    runs: Runs = RUNS,
    where: Annotated[
        str, typer.Option(metavar="CONDITION", help="Only rows for which this holds, e.g. 'gap > 1'; SQL of DuckDB.")
    ] = "",
    columns: Annotated[str, typer.Option(metavar="C,C", help="Only these; 'all' for all of them.")] = "",
    sort: Annotated[
        str, typer.Option(metavar="C,C", help="By these; -C from large to small. Default: oldest first.")
    ] = "",
    csv_file: Annotated[Path | None, typer.Option("--csv", metavar="FILE", help="Write CSV.")] = None,
    parquet: Annotated[Path | None, typer.Option(metavar="FILE", help="Write Parquet.")] = None,
    keys: Annotated[
        bool, typer.Option("--keys", help="Print what columns and keys of result.json mean, as Markdown.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Print what all runs found as one table: a row per run, and per point of a sweep.

    Files and --json hold all columns, unless --columns names some.
    """
    from accmine.files import write_atomic
    from accmine.questions.results.query import select, write_parquet
    from accmine.questions.results.table import RESULT_COLUMNS, SHORT
    from accmine.questions.results.table import results as all_rows

    if keys:
        _keys()
        return
    for path, option in ((csv_file, "--csv"), (parquet, "--parquet")):
        writable(path, option)
    found = all_rows(folders or [], runs)
    names = [] if columns.strip() == "all" else _words(columns)
    chosen = select(found, where, names, _words(sort))
    if csv_file is not None:
        write_atomic(csv_file, chosen.to_csv())
    if parquet is not None:
        write_parquet(chosen, parquet)
    if as_json:
        echo_json(chosen.to_json())
    elif csv_file is None and parquet is None:
        swept = chosen.columns[len(RESULT_COLUMNS) :]
        short = chosen if columns else select(chosen, columns=[SHORT[0], *swept, *SHORT[1:]])
        where_none = f"of {len(found)}" if len(found) else f"in {', '.join(map(str, folders or [runs]))}"
        typer.echo(str(short) if len(short) else f"no rows {where_none}")


def _words(text: str) -> list[str]:
    words = [word.strip() for word in text.split(",")] if text.strip() else []
    if "" in words:
        raise InputError(f"an empty name in {text!r}; separate names by commas")
    return words


def _keys() -> None:
    from accmine.questions.results.reference import results_reference

    typer.echo(results_reference(), nl=False)


COMMANDS = {"results": results}
"""Commands by name."""
