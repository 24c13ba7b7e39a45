"""``accmine solve`` and ``accmine check``: problem files and solutions of them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from accmine.errors import CheckError, InputError
from accmine.questions.completion import of_solvers, of_words
from accmine.questions.options import Json, Seconds, Workers, echo_json, exit_code, progress, writable

__all__ = ["COMMANDS", "check", "solve"]

Format = Annotated[
    str | None,
    typer.Option(
        "--format",
        help="Format of the problem file: accmine, psplib, phaze, dnn-partitioning or pipedream; default: recognised.",
        autocompletion=of_words("accmine", "psplib", "phaze", "dnn-partitioning", "pipedream"),
    ),
]
Semantics = Annotated[
    str | None,
    typer.Option(help="Of a device placement: accmine, or phaze, its objective as it is; default: as the file says."),
]


def solve(
    problem: Annotated[Path, typer.Argument(help="Problem file: JSON, YAML, or .sm and .mm of PSPLIB.")],
    solver: Annotated[
        str | None, typer.Option(help="Solver; accmine list solvers names them.", autocompletion=of_solvers())
    ] = None,
    seconds: Seconds = None,
    work: Annotated[float | None, typer.Option(min=0, help="Deterministic limit, in the solver's unit.")] = None,
    gap: Annotated[float, typer.Option(min=0, max=1, help="Relative gap that is good enough.")] = 0.0,
    seed: Annotated[int, typer.Option(min=0, help="Seed of everything random.")] = 0,
    workers: Workers = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Write the result to this file.")] = None,
    file_format: Format = None,
    semantics: Semantics = None,
    as_json: Json = False,
) -> None:
    """Solve a problem file. Without --seconds and --work, the limit is 60 seconds."""
    from accmine.ports import Stop
    from accmine.solving import load_problem, result_to_json
    from accmine.solving import solve as solve_problem

    writable(output, "--output", (problem,))
    loaded = _under(load_problem(problem, file_format), semantics)
    limit = 60.0 if seconds is None and work is None else seconds
    stop = Stop(seconds=limit, work=work, gap=gap, workers=workers or 1)
    with progress(quiet=False, verbose=False, as_json=as_json, seconds=limit) as shown:
        result = solve_problem(loaded, solver, stop=stop, seed=seed, on_progress=shown)
    table = result_to_json(loaded, result)
    if table["conflict"]:
        from accmine.problems.files import where_in_file

        table["where"] = where_in_file(problem, table["conflict"])
    if output is not None:
        from accmine.files import write_atomic

        write_atomic(output, json.dumps(table, indent=1, ensure_ascii=False) + "\n")
    if as_json:
        echo_json(table)
    else:
        _summary(table)
    raise typer.Exit(exit_code(table["status"], table["stop"]))


def _under(problem: Any, semantics: str | None) -> Any:
    """The problem with another objective, where its kind has several."""
    from accmine.problems import device_placement

    if semantics is None:
        return problem
    if not isinstance(problem, device_placement.Problem):
        raise InputError(f"--semantics belongs to {device_placement.KIND}; this is {problem.kind}")
    return replace(problem, semantics=semantics)


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


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:,}" if isinstance(value, int) else f"{value:.6g}"


def check(
    problem: Annotated[Path, typer.Argument(help="Problem file.")],
    solution: Annotated[Path, typer.Argument(help="Solution or result file, from anywhere.")],
    file_format: Format = None,
    semantics: Semantics = None,
    as_json: Json = False,
) -> None:
    """Check a solution: objective, bound, gap, and everything it violates (exit code 3)."""
    from accmine.solving import load_problem, rate

    rating = rate(_under(load_problem(problem, file_format), semantics), solution)
    if as_json:
        echo_json(rating)
    else:
        gap = rating["gap"]
        typer.echo("valid" if rating["valid"] else "not valid")
        typer.echo(f"objective {_number(rating['objective'])}")
        typer.echo(f"bound     {_number(rating['bound'])} ({rating['bound_method']})")
        typer.echo(f"gap       {'–' if gap is None else f'{100 * gap:.3g} %'}")
        for violation in rating["violations"]:
            typer.echo(f"violated  {violation}")
    raise typer.Exit(0 if rating["valid"] else CheckError.exit_code)


COMMANDS = {"solve": solve, "check": check}
"""Commands by name."""
