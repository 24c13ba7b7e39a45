"""The command line: ``accmine run``, ``solve``, ``cost``, ``gap``, ``stability``, ``ledger`` and the others.

Everything heavy is imported by the command that needs it, so that the rest starts fast.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from accmine.errors import AccmineError, CheckError, InfeasibleError, InputError
from accmine.questions.accuracy.calibrate_command import calibrate as calibrate_command
from accmine.questions.accuracy.command import ledger as ledger_command
from accmine.questions.cost.command import cost as cost_command
from accmine.questions.export.command import export as export_command
from accmine.questions.gap.command import gap as gap_command
from accmine.questions.options import INTERRUPTED, RUNS, Json, Runs, Seconds, Set, StudyName, Workers
from accmine.questions.sensitivity.command import sensitivity as sensitivity_command
from accmine.questions.stability.command import stability as stability_command
from accmine.version import __version__

if TYPE_CHECKING:
    from accmine.ports import Incumbent
    from accmine.questions.run.folder import RunFolder
    from accmine.study.study import LoadedStudy

__all__ = ["app", "exit_code", "main"]

NOTHING_FOUND = 4

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

Format = Annotated[
    str | None, typer.Option("--format", help="Format of the problem file, accmine or psplib; default: recognised.")
]


def exit_code(status: str, stop: str) -> int:
    """Exit code for what is known (``status``) and why it ended (``stop``), in the words of a result."""
    if stop == "interrupted":
        return INTERRUPTED
    return {"optimal": 0, "feasible": 0, "infeasible": InfeasibleError.exit_code}.get(status, NOTHING_FOUND)


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


def _echo_json(value: Any) -> None:
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


def _table(rows: Sequence[dict[str, Any]]) -> None:
    """Print rows as columns; numbers to the right."""
    if not rows:
        return
    from accmine.report.columns import aligned, cell

    keys = list(dict.fromkeys(key for row in rows for key in row))
    lines = [[key.replace("_", " ") for key in keys], *([cell(row.get(key)) for key in keys] for row in rows)]
    right = [all(isinstance(row.get(key), int | float | None) for row in rows) for key in keys]
    for line in aligned(lines, right):
        typer.echo(line)


class _Live:
    """One line on a terminal's stderr that shows time, incumbent, bound and gap; silent elsewhere."""

    def __init__(self, silent: bool) -> None:
        self._on = not silent and sys.stderr.isatty()
        self._last = 0.0

    def __call__(self, seconds: float, objective: float | None, bound: float | None) -> None:
        now = time.monotonic()
        if not self._on or now - self._last < 0.1:  # ten lines a second are enough for the eye
            return
        self._last = now
        known = objective is not None and bound is not None and max(abs(objective), abs(bound)) > 0
        # either sense: the gap is the distance over the larger of the two
        gap = abs(objective - bound) / max(abs(objective), abs(bound)) if known else None  # type: ignore[operator, arg-type]
        parts = [f"{seconds:7.1f} s", f"incumbent {_number(objective)}", f"bound {_number(bound)}"]
        parts.append("gap –" if gap is None else f"gap {100 * gap:.2f} %")
        typer.echo("\r\x1b[2K" + "  ".join(parts), err=True, nl=False)

    def close(self) -> None:
        """Clear the line."""
        if self._on:
            typer.echo("\r\x1b[2K", err=True, nl=False)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:,}" if isinstance(value, int) else f"{value:.6g}"


def _run(loaded: LoadedStudy, runs: Path, again: bool, on_progress: Incumbent) -> Any:
    from accmine.questions.run.run import run as run_study

    return run_study(loaded, runs_dir=runs, again=again, on_progress=on_progress, say=_said)


def _said(sentence: str) -> None:
    typer.echo(sentence, err=True)


def _render(report: Any) -> str:
    import shutil

    from accmine.report.text import MIN_WIDTH, render

    width = max(MIN_WIDTH, shutil.get_terminal_size((110, 24)).columns)
    return render(report, width=width, color=sys.stdout.isatty())


@app.command()
def run(
    study: StudyName,
    overrides: Set = None,
    seconds: Seconds = None,
    workers: Workers = None,
    design: Annotated[
        str | None, typer.Option(help="Study this design (name or file) instead of searching for one.")
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Compute also what is there already.")] = False,
    runs: Runs = RUNS,
    as_json: Json = False,
) -> None:
    """Find the best design of a study, and print it with its certificate and why it won."""
    from accmine.study.study import load_study

    changes = list(overrides or [])
    changes += [] if seconds is None else [f"budget.seconds={seconds!r}"]
    changes += [] if workers is None else [f"budget.workers={workers}"]
    loaded = load_study(study, changes, design=design)
    live = _Live(silent=as_json)
    try:
        report = _run(loaded, runs, again, live)
    except InfeasibleError as error:
        if not as_json:
            raise
        _echo_json(error.to_json())
        raise typer.Exit(InfeasibleError.exit_code) from None
    finally:
        live.close()
    if as_json:
        _echo_json(report.to_json())
    else:
        typer.echo(_render(report), nl=False)
    raise typer.Exit(exit_code(report.status, report.stop))


@app.command()
def solve(
    problem: Annotated[Path, typer.Argument(help="Problem file: JSON, YAML, or .sm and .mm of PSPLIB.")],
    solver: Annotated[str | None, typer.Option(help="Solver; accmine list solvers names them.")] = None,
    seconds: Seconds = None,
    work: Annotated[float | None, typer.Option(min=0, help="Deterministic limit, in the solver's unit.")] = None,
    gap: Annotated[float, typer.Option(min=0, max=1, help="Relative gap that is good enough.")] = 0.0,
    seed: Annotated[int, typer.Option(min=0, help="Seed of everything random.")] = 0,
    workers: Workers = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Write the result to this file.")] = None,
    file_format: Format = None,
    as_json: Json = False,
) -> None:
    """Solve a problem file. Without --seconds and --work, the limit is 60 seconds."""
    from accmine.ports import Stop
    from accmine.solving import load_problem, result_to_json
    from accmine.solving import solve as solve_problem

    _writable(output)
    loaded = load_problem(problem, file_format)
    limit = 60.0 if seconds is None and work is None else seconds
    stop = Stop(seconds=limit, work=work, gap=gap, workers=workers or 1)
    live = _Live(silent=as_json)
    try:
        result = solve_problem(loaded, solver, stop=stop, seed=seed, on_progress=live)
    finally:
        live.close()
    table = result_to_json(loaded, result)
    if table["conflict"]:
        from accmine.problems.files import where_in_file

        table["where"] = where_in_file(problem, table["conflict"])
    if output is not None:
        from accmine.files.writing import write_atomic

        write_atomic(output, json.dumps(table, indent=1, ensure_ascii=False) + "\n")
    if as_json:
        _echo_json(table)
    else:
        _summary(table)
    raise typer.Exit(exit_code(table["status"], table["stop"]))


def _summary(table: dict[str, Any]) -> None:
    gap = table.get("gap")
    lines = {
        "status": f"{table['status']} ({table['stop']})",
        "objective": _number(table["objective"]),
        "bound": f"{_number(table['bound'])} ({table['bound_method']})",
        "gap": "–" if gap is None else f"{100 * gap:.3g} %",
        "solver": f"{table['solver']}, {table['seconds']:.2f} s",
        "verified": "yes" if table["verified"] else "no solution to verify",
    }
    for key, text in lines.items():
        typer.echo(f"{key:<10}{text}")
    for line, where in zip(table.get("conflict", []), table.get("where", []), strict=True):
        typer.echo(f"conflict  {line} ({where})")
    for line in table.get("remedy", []):
        typer.echo(f"remedy    {line}")


def _writable(output: Path | None) -> None:
    """Refuse an output file that cannot be written before an hour is spent on its content."""
    if output is not None and (output.is_dir() or not output.resolve().parent.is_dir()):
        raise InputError(f"cannot write {output}: it must be a file in an existing folder")


@app.command()
def check(
    problem: Annotated[Path, typer.Argument(help="Problem file.")],
    solution: Annotated[Path, typer.Argument(help="Solution or result file, from anywhere.")],
    file_format: Format = None,
    as_json: Json = False,
) -> None:
    """Check a solution: objective, bound, gap, and everything it violates (exit code 3)."""
    from accmine.solving import load_problem, rate

    rating = rate(load_problem(problem, file_format), solution)
    if as_json:
        _echo_json(rating)
    else:
        gap = rating["gap"]
        typer.echo("valid" if rating["valid"] else "not valid")
        typer.echo(f"objective {_number(rating['objective'])}")
        typer.echo(f"bound     {_number(rating['bound'])} ({rating['bound_method']})")
        typer.echo(f"gap       {'–' if gap is None else f'{100 * gap:.3g} %'}")
        for violation in rating["violations"]:
            typer.echo(f"violated  {violation}")
    raise typer.Exit(0 if rating["valid"] else CheckError.exit_code)


@app.command()
def validate(
    study: StudyName,
    overrides: Set = None,
    as_json: Json = False,
) -> None:
    """Check a study and print it with every default written out: a valid study again."""
    from accmine.study.study import as_mapping, effective, load_study

    loaded = load_study(study, overrides or [])
    _check_files(loaded)
    if as_json:
        _echo_json(as_mapping(loaded.study))
    else:
        typer.echo(effective(loaded.study), nl=False)


def _check_files(loaded: LoadedStudy) -> None:
    """Read every file a study names, as a run does: what is wrong in them is wrong with the study."""
    from accmine.files.document import placed
    from accmine.plan.plan import make_plan

    with placed(loaded.document):
        make_plan(loaded.study)


@app.command()
def schema(
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the reference of all keys instead.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON; the default.")] = False,
) -> None:
    """Print the JSON Schema of a study, for editors."""
    if markdown and as_json:
        raise InputError("--markdown and --json exclude each other")
    if markdown:
        from accmine.study.reference import study_reference

        typer.echo(study_reference(), nl=False)
    else:
        from accmine.study.study import schema as study_schema

        _echo_json(study_schema())


app.command("calibrate")(calibrate_command)
app.command("cost")(cost_command)
app.command("export")(export_command)
app.command("gap")(gap_command)
app.command("ledger")(ledger_command)
app.command("sensitivity")(sensitivity_command)
app.command("stability")(stability_command)


@app.command("list")
def list_entries(
    what: Annotated[
        str, typer.Argument(help="workloads, accelerators, technologies, clusters, studies, suites, solvers.")
    ],
    as_json: Json = False,
) -> None:
    """List the catalogue."""
    from accmine.questions.study.listing import rows

    entries = rows(what)
    if as_json:
        _echo_json(entries)
    else:
        _table(entries)


@app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="RUN", help="Run folder, or the start of the name of one.")],
    runs: Runs = RUNS,
    gantt: Annotated[Path | None, typer.Option(help="Draw the schedule into this PNG file.")] = None,
    as_json: Json = False,
) -> None:
    """Print the report of a run again."""
    from accmine.questions.run.folder import find_run

    _writable(gantt)
    folder = find_run(runs, name)
    result = folder.read_json("result.json")
    if result is None:
        raise InputError(f"{folder.path} has no result; its state is: {folder.state}")
    if as_json:
        _echo_json(result)
    elif result.get("status") in ("infeasible", "unknown"):
        known = [result.get(key, ()) for key in ("conflict", "remedy", "places", "where")]
        typer.echo(f"{result['status']}: {InfeasibleError(result['message'], *known)}")
    else:
        from accmine.report.as_json import outcome_from_json

        typer.echo(_render(outcome_from_json(result)), nl=False)
    if gantt is not None:
        _draw(folder, gantt)


def _draw(folder: RunFolder, png: Path) -> None:
    from accmine.report.charts.gantt import draw

    trace = folder.read_json("schedule.json")
    if trace is None:
        raise InputError(f"{folder.path} has no schedule.json to draw")
    draw(trace, png)
