"""``accmine stability``: whether the chosen design survives the error bands of the constants."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

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
    patience,
    progress,
)

__all__ = ["COMMANDS", "stability"]


def stability(
    study: StudyName,
    overrides: Set = None,
    draws: Annotated[int, typer.Option(help="How often all constants are drawn from their bands.")] = 200,
    seed: Annotated[int, typer.Option(help="Seed of the draws; that of the study's searches is budget.seed.")] = 0,
    tolerance: Annotated[
        float, typer.Option(help="How near to the best of a draw is near enough: 0.02 is 2 %.")
    ] = 0.02,
    seconds: Annotated[
        float | None, typer.Option(min=0, help="Wall-clock limit of the run that is looked at; the draws come on top.")
    ] = None,
    runs: Runs = RUNS,
    quiet: Quiet = False,
    verbose: Verbose = False,
    as_json: Json = False,
) -> None:
    """Print how often the answer stays near the best when technology and timing constants move in their bands.

    The study is run first, or its finished run is read from its folder; stability.json is written there.
    """
    from accmine.plan import plan_of
    from accmine.questions.run.folder import RunFolder
    from accmine.questions.run.run import run
    from accmine.questions.stability.draws import constants_of
    from accmine.questions.stability.measure import require
    from accmine.questions.stability.measure import stability as measure
    from accmine.questions.stability.report import render
    from accmine.report import asked_width
    from accmine.study import load_study

    require(draws, seed, tolerance)
    loaded = load_study(study, patience(overrides, seconds))
    plan = plan_of(loaded)
    constants_of(plan.technology, plan.template.calibration)  # what is wrong there is said before an hour is spent
    budget = loaded.study.budget
    limit = None if budget.deterministic else budget.seconds
    with progress(quiet, verbose, as_json, seconds=limit) as shown:
        outcome = run(loaded, runs_dir=runs, on_progress=shown, watch=shown)
    if outcome.stop == "interrupted":
        typer.echo(f"interrupted: nothing was drawn; the run so far is in {outcome.folder}", err=True)
        raise typer.Exit(INTERRUPTED)
    folder = RunFolder(Path(outcome.folder))
    with progress(quiet, verbose, as_json, "what is drawn by now") as shown:
        found = measure(plan, outcome, folder, draws=draws, seed=seed, tolerance=tolerance, on_step=shown.step)
    found = replace(found, folder=outcome.folder)
    folder.write_json("stability.json", found.to_json())
    if as_json:
        echo_json(found.to_json())
    else:
        echo_text(render(found, asked_width()))
    raise typer.Exit(INTERRUPTED if found.interrupted else 0)


COMMANDS = {"stability": stability}
"""Commands by name."""
