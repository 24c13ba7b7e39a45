"""``accmine gap``: how far a heuristic, a design or a solution is from the best, with proof."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from accmine.errors import CheckError, Complaint, InfeasibleError, InputError, NothingFoundError
from accmine.questions.completion import of_catalogue, of_solvers
from accmine.questions.options import (
    INTERRUPTED,
    Json,
    Quiet,
    Verbose,
    Workers,
    echo_text,
    patience,
    progress,
    writable,
)

if TYPE_CHECKING:
    from accmine.questions.gap.record import GapRow
    from accmine.questions.gap.schedules.command import Tables
    from accmine.report import Progress

__all__ = ["COMMANDS", "gap"]

_SEARCH = frozenset({"set", "seconds", "seeds", "option", "workers", "runs", "again", "method", "plot"})
_FORMS: dict[str, frozenset[str]] = {
    "gap --solution": frozenset({"seconds", "seeds", "workers", "solver", "format", "plot"}),
    "gap --design": frozenset({"set", "seconds", "seeds", "workers", "plot"}),
    "gap --suite": _SEARCH | {"models", "metrics"},
    "gap --schedule": frozenset({"set", "seconds", "seeds", "models", "workers", "runs", "again", "markdown", "latex"}),
    "gap STUDY": _SEARCH,
}
"""Options of each form beside those for output; another one would have no effect and is refused."""


Designs = Annotated[
    list[str] | None,
    typer.Option(
        metavar="DESIGN",
        help="Rate this design, name or file; once, or once per device.",
        autocompletion=of_catalogue("accelerators"),
    ),
]
Numbers = Annotated[str | None, typer.Option(metavar="N,N", help="Seeds; default: the study's, with --schedule 0.")]
Limits = Annotated[
    str | None, typer.Option(metavar="S,S", help="Wall-clock limits; default: the study's, with --schedule 5.")
]
Folders = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Keep rows in run folders here, and read those that are there.")
]
Changes = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a key of every study.")]
Options = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=V,V", help="Values of an option of the heuristic; all combinations are measured."),
]
Method = Annotated[
    str | None,
    typer.Option(
        metavar="SOLVER",
        help="A registered solver of design searches instead of the study's heuristic.",
        autocompletion=of_solvers("design-search"),
    ),
]
Schedule = Annotated[
    str | None,
    typer.Option(
        metavar="SOLVER,…",
        help="Measure these solvers on the operator schedules of studies or a suite.",
        autocompletion=of_solvers("operator-schedule"),
    ),
]
Targets = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[STUDY|PROBLEM]...", help="Studies, or one problem file.", autocompletion=of_catalogue("studies")
    ),
]
Suite = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Measure a shipped suite, such as wham.", autocompletion=of_catalogue("suites")),
]
Models = Annotated[
    str | None,
    typer.Option(metavar="M,M", help="Models of the suite; default: all.", autocompletion=of_catalogue("workloads")),
]
Solver = Annotated[
    str | None,
    typer.Option(help="Solver of the problem file; default: that of its kind.", autocompletion=of_solvers()),
]
Table = Annotated[Path | None, typer.Option(metavar="FILE", help="Write the tables of --schedule.")]


def gap(
    targets: Targets = None,
    solution: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Rate this solution of the problem file.")
    ] = None,
    design: Designs = None,
    suite: Suite = None,
    overrides: Changes = None,
    option: Options = None,
    method: Method = None,
    seeds: Numbers = None,
    seconds: Limits = None,
    workers: Workers = None,
    models: Models = None,
    schedule: Schedule = None,
    metrics: Annotated[str | None, typer.Option(metavar="M,M", help="Metrics of the suite; default: all.")] = None,
    solver: Solver = None,
    file_format: Annotated[
        str | None, typer.Option("--format", help="Format of the problem file; default: recognised.")
    ] = None,
    csv_file: Annotated[Path | None, typer.Option("--csv", metavar="FILE", help="Write all columns.")] = None,
    markdown: Table = None,
    latex: Table = None,
    plot: Annotated[Path | None, typer.Option(metavar="FILE.svg", help="Draw the gap over time of every run.")] = None,
    runs: Folders = None,
    again: Annotated[bool, typer.Option("--again", help="Measure also what the run folders hold.")] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    as_json: Json = False,
) -> None:
    """Measure how far a heuristic is from the best: heuristic, refined, bound, and who proved it.

    STUDY...: the study's heuristic over seeds, time limits and its options. STUDY --design: designs of your own.
    PROBLEM --solution: a solution of your own. --suite NAME: a shipped table of studies. --schedule SOLVER,…: solvers
    of operator schedules on every phase of studies or a suite.
    """
    given: dict[str, Any] = {"set": overrides, "option": option, "seeds": seeds, "seconds": seconds, "method": method}
    given |= {"workers": workers, "models": models, "metrics": metrics, "solver": solver, "format": file_format}
    given |= {"runs": runs, "again": again or None, "plot": plot, "markdown": markdown, "latex": latex}
    form = _form(targets or [], solution, design, suite, given, schedule)
    _check_outputs((*(targets or ()), *(design or ()), solution or ""), plot, csv_file, markdown, latex)
    numbers = [int(word) for word in _numbers("seeds", seeds, int)]
    limits = _numbers("seconds", seconds, float)
    if schedule is not None:
        studies = (targets or [], suite, _words(models), overrides or [], _one("design", design or []))
        files, limited = (csv_file, markdown, latex, as_json), (numbers, limits, workers or 1, runs, again)
        with progress(quiet, verbose, as_json, "what is measured by now") as shown:
            tables, code = _schedules(_words(schedule), studies, limited, files, shown)
        tables.show()
        raise typer.Exit(code or tables.code())
    rows: list[GapRow] = []
    code = 0
    try:
        with progress(quiet, verbose, as_json, "what is measured by now") as shown:
            if form == "gap --solution" and solution is not None:
                rows += _solution(targets or [], solution, file_format, solver, limits, numbers, workers)
            elif form == "gap --design":
                rows += _designs((targets or [])[0], overrides or [], design or [], limits, numbers, workers)
            else:
                how = {"method": method or "", "runs": runs, "again": again}
                what = (targets or [], suite, overrides, option, numbers, limits, workers, models, metrics)
                _sweep(rows, *what, shown, how)
    except KeyboardInterrupt:
        code = INTERRUPTED
        typer.echo(f"interrupted: {len(rows)} rows are done", err=True)
    _output(rows, form, csv_file, plot, as_json)
    raise typer.Exit(code or _code(rows))


def _schedules(
    methods: Sequence[str],
    what: tuple[Sequence[str], str | None, Sequence[str], Sequence[str], str | None],
    how: tuple[Sequence[int], Sequence[float], int, Path | None, bool],
    files: tuple[Path | None, Path | None, Path | None, bool],
    shown: Progress,
) -> tuple[Tables, int]:
    """Solvers of operator schedules on studies, and the exit code if they were interrupted."""
    from accmine.questions.gap.schedules.command import LIMIT_S, Tables, measure_schedules
    from accmine.questions.gap.schedules.measure import Measurement

    seeds, limits, workers, runs, again = how
    tables = Tables(*files)
    measurement = Measurement(methods, seeds or (0,), limits or (LIMIT_S,), workers, runs, again)
    return tables, measure_schedules(tables, measurement, *what, shown)


def _check_outputs(inputs: Iterable[str | Path], plot: Path | None, *others: Path | None) -> None:
    for file in (plot, *others):
        writable(file, inputs=inputs)
    if plot is not None and plot.suffix.lower() != ".svg":
        raise InputError(f"draws SVG; give a name that ends in .svg, not {plot.name!r}", field="--plot")


def _form(
    targets: Sequence[str],
    solution: Path | None,
    design: Sequence[str] | None,
    suite: str | None,
    given: dict[str, Any],
    schedule: str | None = None,
) -> str:
    """Which of the forms is meant.

    Raises
    ------
    InputError
        If it is none, or an option would have no effect on it.
    """
    modes = {"gap --solution": solution, "gap --design": design or None, "gap --suite": suite}
    if schedule is not None:  # on the design, and the models of the suite, that the other options name
        modes = {"gap --schedule": schedule, "gap --solution": solution}
    chosen = [name for name, value in modes.items() if value is not None]
    if len(chosen) > 1:
        raise InputError(f"{' and '.join(name.removeprefix('gap ') for name in chosen)} exclude each other")
    form = chosen[0] if chosen else "gap STUDY"
    wanted = {"gap --solution": "one problem file", "gap --design": "one study"}.get(form)
    if wanted and len(targets) != 1:
        raise InputError(f"needs {wanted}, got {len(targets)}", where=form)
    if form == "gap STUDY" and not targets:
        raise InputError("needs at least one study, or --suite NAME", where=form)
    if suite is not None and targets:
        raise InputError(f"takes no studies, got {', '.join(targets)}", where="gap --suite")
    if form == "gap --schedule" and suite is None and (not targets or given["models"] is not None):
        raise InputError("needs at least one study, or --suite NAME, whose --models may be chosen", where=form)
    wrong = [name for name, value in given.items() if value is not None and name not in _FORMS[form]]
    if wrong:
        allowed = ", ".join(f"--{name}" for name in sorted(_FORMS[form]))
        raise InputError([Complaint(form, f"--{name}", f"has no effect here; allowed: {allowed}") for name in wrong])
    if given["method"] is not None and given["option"] is not None:
        raise InputError("has no effect with --method: only the study's own heuristic has options", form, "--option")
    if given["again"] and given["runs"] is None:
        raise InputError("has no effect without --runs", where=form, field="--again")
    return form


def _numbers(name: str, text: str | None, kind: Any) -> list[Any]:
    """Numbers of a list, each once.

    Raises
    ------
    InputError
        For what is no number of the kind, or below 0.
    """
    if text is None:
        return []
    found: list[Any] = []
    for word in text.split(","):
        try:
            value = kind(word)
        except ValueError:
            value = -1
        if not 0 <= value < float("inf"):
            what = "whole numbers" if kind is int else "numbers"
            raise InputError(f"needs {what} of at least 0, separated by commas; got {word!r}", field=f"--{name}")
        found.append(value)
    return list(dict.fromkeys(found))


def _words(text: str | None) -> list[str]:
    return [] if text is None else [word.strip() for word in text.split(",")]


def _one(name: str, values: Sequence[Any]) -> Any:
    if len(values) > 1:
        raise InputError(f"takes one value here, got {len(values)}", field=f"--{name}")
    return values[0] if values else None


def _solution(
    targets: Sequence[str],
    solution: Path,
    file_format: str | None,
    solver: str | None,
    limits: Sequence[float],
    seeds: Sequence[int],
    workers: int | None,
) -> list[GapRow]:
    from accmine.ports import Stop
    from accmine.questions.gap.solution import rate_solution

    limit, seed = _one("seconds", limits), _one("seeds", seeds)
    stop = Stop(seconds=60.0 if limit is None else limit, workers=workers or 1)
    row = rate_solution(Path(targets[0]), solution, file_format=file_format, solver=solver, stop=stop, seed=seed or 0)
    return [row]


def _designs(
    study: str,
    overrides: Sequence[str],
    designs: Sequence[str],
    limits: Sequence[float],
    seeds: Sequence[int],
    workers: int | None,
) -> list[GapRow]:
    from accmine.plan import given_study
    from accmine.questions.gap.cases import cases
    from accmine.questions.gap.design import rate_design
    from accmine.study import load_study

    loaded = load_study(study, patience(overrides, workers=workers))
    _one("seconds", limits)
    _one("seeds", seeds)
    (case,) = cases([given_study(loaded)], seeds, limits)
    assert case.study is not None
    return rate_design(case.study, designs)


def _sweep(
    rows: list[GapRow],
    studies: Sequence[str],
    suite: str | None,
    overrides: Sequence[str] | None,
    option: Sequence[str] | None,
    seeds: Sequence[int],
    seconds: Sequence[float],
    workers: int | None,
    models: str | None,
    metrics: str | None,
    shown: Progress,
    how: dict[str, Any],
) -> None:
    """Measure every combination; ``rows`` grows as they are done, so that an interrupt leaves them."""
    from accmine.plan import given_study
    from accmine.questions.gap.cases import cases, options_of, suite_cases, sweep
    from accmine.study import load_study

    table = options_of(option or [])
    changes = patience(overrides, workers=workers)
    if suite is not None:
        found = suite_cases(suite, _words(models), _words(metrics), seeds, seconds, table, overrides=changes)
    else:
        loaded = [given_study(load_study(study, changes)) for study in studies]
        found = cases(loaded, seeds, seconds, table)
    for row in sweep(found, on_case=lambda what: shown.step(f"{len(rows)} rows; {what}"), **how):
        rows.append(row)


def _output(rows: Sequence[GapRow], form: str, csv_file: Path | None, plot: Path | None, as_json: bool) -> None:
    """Print the rows, and write the files that were asked for."""
    from accmine.files import write_atomic
    from accmine.questions.gap import chart
    from accmine.questions.gap import report as gap_table
    from accmine.report import asked_width, colored

    if csv_file is not None and rows:
        write_atomic(csv_file, gap_table.as_csv(rows))
    if plot is not None:
        drawn = chart.plot(rows)
        if drawn:
            write_atomic(plot, drawn)
        else:
            typer.echo(f"{plot}: not drawn, no run has a gap", err=True)
    if as_json:
        typer.echo(json.dumps(gap_table.as_json(rows), indent=1, ensure_ascii=False, allow_nan=False))
        return
    width, color = asked_width(), colored()
    if form == "gap --solution":
        text = "".join(gap_table.solution_text(row) for row in rows)
    elif form == "gap --suite":
        text = gap_table.suite_text(rows, width=width, color=color)
    else:
        text = gap_table.study_text(rows, width=width, color=color)
    echo_text(text)


def _code(rows: Sequence[GapRow]) -> int:
    """A failed check weighs most, then a proof that there is nothing, then a search that found nothing."""
    if any(row.note == "interrupted" for row in rows):
        return INTERRUPTED
    if any(row.violations for row in rows):
        return CheckError.exit_code
    if any(row.note.startswith("infeasible") for row in rows):
        return InfeasibleError.exit_code
    return (
        NothingFoundError.exit_code if any(row.note.startswith("nothing found") or _empty(row) for row in rows) else 0
    )


def _empty(row: GapRow) -> bool:
    """Whether a study was searched and no value is known."""
    return row.part == "whole" and row.best is None and not row.note.startswith("needs ")


COMMANDS = {"gap": gap}
"""Commands by name."""
