"""A comparison as one page: its tables, and quality over evaluations and seconds with the data behind it."""

from __future__ import annotations

from collections.abc import Sequence

from accmine.questions.compare.chart import plot
from accmine.questions.compare.figures import searches
from accmine.questions.compare.gain import Gain
from accmine.questions.compare.record import CompareRow
from accmine.questions.compare.report import claims, sections
from accmine.report import Figure, Section, Table, html, number

__all__ = ["page"]


def page(name: str, rows: Sequence[CompareRow], gains: Sequence[Gain]) -> str:
    """All tables and the chart as an HTML page that needs nothing else."""
    shown = [Section("quality", "Quality over evaluations and seconds", notes=(_NOTE,)), *sections(rows, gains)]
    drawn = plot(rows)
    figures = {"quality": [_figure(drawn, rows)]} if drawn else {}
    return html.page(name, shown if drawn else shown[1:], figures, lead=_lead(rows))


_NOTE = "Medians over the studies and seeds: at 100 % a method has the best design that any of them found at its end."


def _lead(rows: Sequence[CompareRow]) -> str:
    """What was compared, and how the searches of this project did beside the first of the others."""
    table = searches(rows)
    methods = list(dict.fromkeys(method for own in table.values() for method in own))
    said = f"{len(methods)} methods on {len(table)} studies: {', '.join(methods)}."
    native = next((own for own in claims(rows) if own.what == "seconds" and own.middle is not None), None)
    if native is None or native.middle is None:
        return said
    against, count = native.theirs or "the best of the others", len(native.studies)
    return (
        f"{said} To the final quality of {against} {native.ours} is {number(native.middle, 3)} times as fast (median "
        f"of {count} studies), and slower on {native.lost}."
    )


def _figure(drawn: str, rows: Sequence[CompareRow]) -> Figure:
    table = Table(
        ("study", "metric", "method", "seed", "evaluations", "seconds", "value"),
        [
            (row.study, row.metric, row.method, row.seed, moment[0], moment[1], moment[2])
            for own in searches(rows).values()
            for runs in own.values()
            for row in runs
            for moment in row.trace
        ],
    )
    text = "Best known value over the best value so far, by method; the data: when a run became better."
    return Figure("quality", "Quality", f'<div class="scroll">{drawn}</div>', text, table)
