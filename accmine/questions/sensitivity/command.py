"""``accmine sensitivity``: what a little more of a limit, of bandwidth or of SRAM buys."""

from __future__ import annotations

from typing import Annotated

import typer

from accmine.errors import InfeasibleError, InputError
from accmine.questions.options import (
    INTERRUPTED,
    RUNS,
    Json,
    Quiet,
    Runs,
    Set,
    StudyName,
    Verbose,
    echo_json,
    echo_text,
    progress,
)

__all__ = ["COMMANDS", "sensitivity"]


def sensitivity(
    study: StudyName,
    overrides: Set = None,
    percent: Annotated[float, typer.Option(help="By how much each limit, bandwidth and SRAM grows.")] = 1.0,
    runs: Runs = RUNS,
    seconds: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="Time limit of all searches together; graphs and bounds come on top. "
            "Default: the study's budget, and half of it per change.",
        ),
    ] = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
    as_json: Json = False,
) -> None:
    """Print what 1 % more area, TDP, HBM bandwidth or SRAM buys, and what is proven about it.

    Where the study was run, it is kept in that folder as well, and accmine report shows it.
    """
    from accmine.plan import plan_of
    from accmine.problems.conflict import located
    from accmine.questions.run.folder import open_run
    from accmine.questions.sensitivity.measure import sensitivity as measure
    from accmine.questions.sensitivity.report import render
    from accmine.study import load_study

    if not 0 < percent <= 100:
        raise InputError(f"--percent must be above 0 and at most 100, got {percent:g}")
    loaded = load_study(study, overrides or [])
    if seconds is not None and loaded.study.budget.deterministic:
        raise InputError("has no effect with budget.deterministic", field="--seconds")
    plan = plan_of(loaded)
    try:
        with progress(quiet, verbose, as_json, "what is solved by now", seconds=seconds) as shown:
            found = measure(plan, percent, seconds, lambda row: shown.say(f"{row.key}: {row.verdict}"))
    except InfeasibleError as error:
        raise located(error, loaded.document) from None
    folder = open_run(runs, loaded.study)
    if folder.state is not None:
        folder.write_json("sensitivity.json", found.to_json())
    if as_json:
        echo_json(found.to_json())
    else:
        echo_text(render(found))
    raise typer.Exit(INTERRUPTED if found.interrupted else 0)


COMMANDS = {"sensitivity": sensitivity}
"""Commands by name."""
