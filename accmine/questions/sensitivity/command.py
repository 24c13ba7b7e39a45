"""``accmine sensitivity``: what a little more of a limit, of bandwidth or of SRAM buys."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from accmine.errors import InfeasibleError, InputError
from accmine.questions.options import INTERRUPTED, Json, Set, StudyName

if TYPE_CHECKING:
    from accmine.questions.sensitivity.measure import Row, Sensitivity

__all__ = ["render", "sensitivity"]

_NOTES = (
    "Values are verified; the interval is what bounds prove about the improvement of the optimum.",
    "A larger SRAM or HBM changes every design of the template, and its area and TDP with it.",
)


def sensitivity(
    study: StudyName,
    overrides: Set = None,
    percent: Annotated[float, typer.Option(help="By how much each limit, bandwidth and SRAM grows.")] = 1.0,
    seconds: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="Time limit of all searches together; graphs and bounds come on top. "
            "Default: the study's budget, and half of it per change.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Print what 1 % more area, TDP, HBM bandwidth or SRAM buys, and what is proven about it."""
    from accmine.plan.build import plan_of
    from accmine.problems.conflict import located
    from accmine.questions.sensitivity.measure import sensitivity as measure
    from accmine.study.study import load_study

    if not 0 < percent <= 100:
        raise InputError(f"--percent must be above 0 and at most 100, got {percent:g}")
    loaded = load_study(study, overrides or [])
    if seconds is not None and loaded.study.budget.deterministic:
        raise InputError("has no effect with budget.deterministic", field="--seconds")
    plan = plan_of(loaded)
    try:
        found = measure(plan, percent, seconds, _shown_at_once(as_json))
    except InfeasibleError as error:
        raise located(error, loaded.document) from None
    typer.echo(json.dumps(found.to_json(), indent=2, ensure_ascii=False) if as_json else render(found))
    raise typer.Exit(INTERRUPTED if found.interrupted else 0)


def _shown_at_once(silent: bool) -> Any:
    """Progress for people who wait: one line per solved change on a terminal's stderr."""

    def show(row: Row) -> None:
        if not silent and sys.stderr.isatty():
            typer.echo(f"{row.key}: {row.verdict}", err=True)

    return show


def render(found: Sensitivity) -> str:
    """The report as text."""
    unit = f" {found.unit}" if found.unit else ""
    lines = [
        f"{found.study}: {found.metric} {found.objective:.6g}{unit}, bound {found.bound:.6g}{unit}",
        *(f"  {name}" for name in found.designs),
        "",
        f"{found.percent:g} % more of   {found.metric} [{found.unit or found.sense}]   what it buys",
    ]
    for row in found.rows:
        lines.append(f"{row.key}: {row.before} -> {row.after}")
        if row.objective is not None and row.difference is not None:
            lines.append(f"  {found.objective:.10g} -> {row.objective:.10g} ({row.difference:+.6g}{unit})")
        lines.append(f"  {row.verdict}")
        if row.next_size:
            lines.append(f"  {row.next_size}")
        if row.designs and row.designs != found.designs:
            lines += [f"  now {name}" for name in row.designs]
    for why in dict.fromkeys(found.left_out.values()):
        lines.append(f"{', '.join(key for key, own in found.left_out.items() if own == why)}: {why}")
    if found.interrupted:
        lines.append("interrupted: the changes above were solved, the last one perhaps not to its end")
    return "\n".join([*lines, "", *_NOTES])
