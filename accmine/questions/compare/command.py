"""``accmine compare``: searches on equal terms, or runs side by side."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from accmine.errors import InfeasibleError, InputError, NothingFoundError
from accmine.questions.completion import of_solvers
from accmine.questions.options import INTERRUPTED, RUNS, Json, Quiet, Runs, Verbose, progress, writable

if TYPE_CHECKING:
    from accmine.questions.compare.gain import Gain
    from accmine.questions.compare.record import CompareRow
    from accmine.study.comparison import LoadedComparison

__all__ = ["COMMANDS", "compare", "compare_document"]

Methods = Annotated[
    str | None,
    typer.Option(metavar="M,M", help="Solvers of design searches.", autocompletion=of_solvers("design-search")),
]


def compare(
    targets: Annotated[
        list[str], typer.Argument(metavar="STUDY|RUN...", help="One study or comparison; or two runs and more.")
    ],
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a key of every study.")
    ] = None,
    methods: Methods = None,
    seeds: Annotated[int | None, typer.Option(min=1, help="Number of seeds: 0, 1, …")] = None,
    seconds: Annotated[float | None, typer.Option(min=0.001, help="Wall-clock limit of every search.")] = None,
    evaluations: Annotated[int | None, typer.Option(min=1, help="Evaluations that every search may make.")] = None,
    fixed: Annotated[str | None, typer.Option(metavar="C,C", help="Chips that are rows beside the searches.")] = None,
    models: Annotated[str | None, typer.Option(metavar="M,M", help="Models of the suite; default: all.")] = None,
    metrics: Annotated[str | None, typer.Option(metavar="M,M", help="Metrics of the suite; default: all.")] = None,
    workers: Annotated[
        int, typer.Option(min=1, help="Runs at a time; they slow each other down, and so their seconds.")
    ] = 1,
    csv_file: Annotated[Path | None, typer.Option("--csv", metavar="FILE", help="Write all columns.")] = None,
    markdown: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the tables as Markdown.")] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE.svg", help="Draw quality over evaluations, seconds.")
    ] = None,
    page: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write the page; default: in --runs, by the name.")
    ] = None,
    runs: Runs = RUNS,
    again: Annotated[bool, typer.Option("--again", help="Measure also what the run folders hold.")] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    as_json: Json = False,
) -> None:
    """Compare searches on the same evaluator, rules and limits; or what changed between runs.

    STUDY: a study, or a document with a compare: block such as wham-table. RUN RUN...: finished runs.
    """
    targets = [targets] if isinstance(targets, str) else targets  # `accmine run` hands on one name
    if len(targets) > 1:
        from accmine.questions.results.differences import show

        show(targets, runs, as_json=as_json)
        return
    given: dict[str, Any] = {
        "methods": _words(methods),
        "models": _words(models),
        "metrics": _words(metrics),
        "fixed": _words(fixed),
    }
    given |= {"seeds": seeds, "seconds": seconds, "evaluations": evaluations}
    files = {"csv": csv_file, "markdown": markdown, "plot": plot, "html": page}
    shown = {"quiet": quiet, "verbose": verbose, "as_json": as_json}
    compare_document(targets[0], overrides or [], given, runs, files, workers=workers, again=again, **shown)


def _words(text: str | None) -> list[str] | None:
    return None if text is None else [word.strip() for word in text.split(",")]


def compare_document(
    name: str,
    overrides: Sequence[str],
    given: dict[str, Any],
    runs: Path,
    files: dict[str, Path | None] | None = None,
    *,
    workers: int = 1,
    again: bool = False,
    quiet: bool = False,
    verbose: bool = False,
    as_json: bool = False,
) -> None:
    """Run a comparison and print it; ends with ``typer.Exit``.

    Parameters
    ----------
    given
        Keys of the block that replace those of the document; ``None`` keeps them.
    files
        ``csv``, ``markdown``, ``plot`` and ``html`` to write; the last in ``runs`` at all events.
    """
    from accmine.questions.compare.gain import Gain
    from accmine.questions.compare.methods import checked
    from accmine.questions.compare.rows import Asked, cases_of, rows_of

    files = dict(files or {})
    _check(files, name)
    loaded = _asked(name, overrides, given)
    block = loaded.compare
    cases = cases_of(loaded, [text for text in overrides if not _of_block(text)])
    asked = Asked(checked(block.methods), tuple(range(block.seeds)), *block.limits, block.fixed)
    rows: list[CompareRow] = []
    gains: list[Gain] = []
    code = 0
    try:
        with progress(quiet, verbose, as_json, "what is measured by now") as shown:

            def told(what: str) -> None:
                shown.step(f"{len(rows)} rows; {what}")

            for row in rows_of(cases, asked, runs=runs, again=again, workers=workers, on_case=told):
                (gains if isinstance(row, Gain) else rows).append(row)  # type: ignore[arg-type]
    except KeyboardInterrupt:
        code = INTERRUPTED
        typer.echo(f"interrupted: {len(rows)} rows are done; the same command goes on there", err=True)
    files["html"] = files.get("html") or runs / f"{loaded.name}-compare.html"
    _output(loaded.name, rows, gains, files, as_json)
    raise typer.Exit(code or _code(rows))


def _asked(name: str, overrides: Sequence[str], given: dict[str, Any]) -> LoadedComparison:
    """The document with what the command line says of its block."""
    from accmine.study.comparison import BLOCK, load_comparison

    for text in overrides:
        if text.strip().startswith("budget."):
            message = "has no effect on a comparison; allowed: compare.seconds, compare.evaluations, --workers"
            raise InputError(message, where=f"--set {text}", field=text.partition("=")[0])
    changes = [f"{BLOCK}.{key}={json.dumps(value)}" for key, value in given.items() if value is not None]
    own = [text for text in overrides if _of_block(text)]
    return load_comparison(name, [*own, *changes], study=[text for text in overrides if not _of_block(text)])


def _of_block(text: str) -> bool:
    """Whether an override is of the block, not of the studies."""
    from accmine.study.comparison import BLOCK

    return text.strip().partition(".")[0] == BLOCK


def _check(files: dict[str, Path | None], study: str) -> None:
    for key, file in files.items():
        writable(file, f"--{key}", (study,))
    plot = files.get("plot")
    if plot is not None and plot.suffix.lower() != ".svg":
        raise InputError(f"draws SVG; give a name that ends in .svg, not {plot.name!r}", field="--plot")


def _output(
    name: str, rows: Sequence[CompareRow], gains: Sequence[Gain], files: dict[str, Path | None], as_json: bool
) -> None:
    """Print the tables, and write the files that were asked for."""
    from accmine.files import write_atomic
    from accmine.questions.compare import chart, report
    from accmine.questions.compare.page import page
    from accmine.report import colored, terminal_width

    if (file := files.get("csv")) is not None and rows:
        write_atomic(file, report.as_csv(rows))
    if (file := files.get("markdown")) is not None and rows:
        write_atomic(file, report.as_markdown(rows, gains))
    if (file := files.get("html")) is not None and rows:
        write_atomic(file, page(name, rows, gains))
        typer.echo(f"page: {file}", err=True)
    if (file := files.get("plot")) is not None:
        drawn = chart.plot(rows)
        if drawn:
            write_atomic(file, drawn)
        else:
            typer.echo(f"{file}: not drawn, no run found a design", err=True)
    if as_json:
        typer.echo(json.dumps(report.as_json(rows, gains), indent=1, ensure_ascii=False, allow_nan=False))
        return
    typer.echo(report.text(rows, gains, width=terminal_width(), color=colored()), nl=False)


def _code(rows: Sequence[CompareRow]) -> int:
    """A proof that there is nothing weighs most, then a study on which no search found anything."""
    from accmine.questions.compare.record import SEARCH

    if any(row.note.startswith("infeasible") for row in rows):
        return InfeasibleError.exit_code
    searches = [row for row in rows if row.kind == SEARCH]
    found = {(row.study, row.metric) for row in searches if row.value is not None or row.note.startswith("needs ")}
    return 0 if all((row.study, row.metric) in found for row in searches) else NothingFoundError.exit_code


COMMANDS: dict[str, Callable[..., Any]] = {"compare": compare}
"""Commands by name."""
