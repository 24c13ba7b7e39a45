"""``accmine sweep``: a study at many points of its keys, in one table."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from accmine.errors import InputError, WorkersGoneError
from accmine.questions.options import (
    INTERRUPTED,
    RUNS,
    Json,
    Quiet,
    Runs,
    Set,
    StudyName,
    Verbose,
    Workers,
    echo_json,
    patience,
    progress,
    writable,
)

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from accmine.questions.sweep.record import SweepResult
    from accmine.questions.sweep.shards import Shard
    from accmine.report import Progress
    from accmine.study import LoadedSweep

__all__ = ["COMMANDS", "sweep"]

MOST_UNASKED = 100_000
"""Points of a sweep that nobody has to confirm."""

MOST_LISTED = 100_000

PartOf = Annotated[
    str | None, typer.Option("--shard", metavar="I/N", help="Run part I of N; all share --runs, then --merge.")
]
Address = Annotated[str | None, typer.Option(metavar="ADDRESS", help="Run the points on a Dask cluster.")]
Name = Annotated[str | None, typer.Option(metavar="NAME", help="Run the points on this executor.")]


def sweep(
    study: StudyName,
    overrides: Set = None,
    seconds: Annotated[float | None, typer.Option(min=0, help="Wall-clock limit of each point.")] = None,
    workers: Workers = None,
    jobs: Annotated[int, typer.Option(min=1, help="Points at a time; they share the workers.")] = 1,
    shard: PartOf = None,
    merge: Annotated[bool, typer.Option("--merge", help="Make the table of what the shards have run.")] = False,
    cluster: Address = None,
    executor: Name = None,
    retry: Annotated[bool, typer.Option("--retry", help="Run points again that failed or found nothing.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Compute also what is there already.")] = False,
    listed: Annotated[bool, typer.Option("--list", help="Print the points; run nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help=f"Run more than {MOST_UNASKED:,} points.")] = False,
    csv_file: Annotated[Path | None, typer.Option("--csv", metavar="FILE", help="Write the table as CSV.")] = None,
    runs: Runs = RUNS,
    quiet: Quiet = False,
    verbose: Verbose = False,
    as_json: Json = False,
) -> None:
    """Run a study at every point of its block `sweep`, and print the table."""
    from accmine.questions.sweep.measure import run_sweep
    from accmine.questions.sweep.report import line_of
    from accmine.study import load_sweep

    loaded = load_sweep(study, patience(overrides, seconds, workers), most=None if yes or listed else MOST_UNASKED)
    if listed:
        _list(loaded, as_json)
        return
    writable(csv_file, "--csv", (study,))
    part = _part(shard, merge)
    with (
        progress(quiet, verbose, as_json, "every finished point") as shown,
        _executor(cluster, executor, shown) as pool,
    ):
        found = run_sweep(
            loaded,
            runs_dir=runs,
            jobs=jobs,
            again=again,
            retry=retry,
            shard=part,
            merge=merge,
            executor=pool,
            watch=shown,
            on_point=lambda record: shown.say(line_of(record)),
        )
    _print(found, csv_file, as_json)
    raise typer.Exit(0 if found.complete else INTERRUPTED)


def _print(found: SweepResult, csv_file: Path | None, as_json: bool) -> None:
    """The table on stdout, and in a file."""
    from accmine.files import write_atomic
    from accmine.questions.sweep.report import render
    from accmine.report import colored, csv, terminal_width

    if csv_file is not None:
        write_atomic(csv_file, csv.render(found.rows))
    if as_json:
        echo_json(found.to_json())
    else:
        typer.echo(render(found, width=terminal_width(), color=colored()), nl=False)


def _part(shard: str | None, merge: bool) -> Shard | None:
    """The part of the points to run; ``None``: all of them."""
    from accmine.questions.sweep.shards import shard_of

    if shard is not None and merge:
        raise InputError("--shard and --merge exclude each other: shards first, then one --merge")
    return None if shard is None else shard_of(shard)


@contextmanager
def _executor(cluster: str | None, name: str | None, shown: Progress) -> Iterator[Executor | None]:
    """What the points run on; ``None``: processes of this machine."""
    from accmine.questions.sweep.executors import opened

    if cluster is not None and name is not None:
        raise InputError("--cluster and --executor exclude each other: --cluster is --executor dask with an address")
    if cluster is None and name is None:
        yield None
        return
    arguments = () if cluster is None else (cluster, shown.say)
    with opened("dask" if name is None else name, *arguments, say=shown.say) as found:
        try:
            yield found
        except WorkersGoneError as error:
            raise WorkersGoneError(f"{error}; what is finished is kept, and the same command goes on") from None


def _list(loaded: LoadedSweep, as_json: bool) -> None:
    """Print the points, as far as anybody reads on."""
    from accmine.questions.sweep.report import value_text

    points = (loaded.point(number) for number in itertools.islice(itertools.count(), min(loaded.count, MOST_LISTED)))
    if as_json:
        rows = [{"point": point.number, **point.values} for point in points]
        echo_json({"sweep": loaded.name, "points": loaded.count, "columns": list(loaded.columns), "rows": rows})
        return
    typer.echo(f"{loaded.name}: {loaded.count:,} points")
    for point in points:
        typer.echo(f"{point.number:>6}  " + "  ".join(f"{key}={value_text(v)}" for key, v in point.values.items()))
    if loaded.count > MOST_LISTED:
        typer.echo(f"… and {loaded.count - MOST_LISTED:,} more")


COMMANDS = {"sweep": sweep}
"""Commands by name."""
