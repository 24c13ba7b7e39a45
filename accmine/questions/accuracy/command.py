"""``accmine ledger``: the models beside published and measured values."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from accmine.errors import CheckError
from accmine.questions.options import Json
from accmine.report.columns import aligned, cell

__all__ = ["ledger", "render_rows", "render_summary"]

_ROW_COLUMNS = ("name", "quantity", "model", "published", "ratio", "at_least", "at_most", "ok", "source")
_SUMMARY_COLUMNS = ("suite", "quantity", "rows", "within", "MAPE", "bias", "worst", "rank", "ok")


def ledger(
    suite: Annotated[
        str | None,
        typer.Option(help="anchors, scalesim, chips or a100-matmul: print its rows. Default: a summary of all."),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(envvar="ACCMINE_DATA", help="Folder of data files; default: $ACCMINE_DATA.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Compare the models with published and measured values; exit code 3 if one is out of its band."""
    from accmine.questions.accuracy.suites import rows, summary

    entries = summary(data) if suite is None else rows(suite, data)
    if as_json:
        typer.echo(json.dumps(entries, indent=2, ensure_ascii=False))
    else:
        typer.echo(render_summary(entries) if suite is None else render_rows(entries))
    raise typer.Exit(CheckError.exit_code if any(entry["ok"] is False for entry in entries) else 0)


def render_rows(entries: Sequence[dict[str, Any]]) -> str:
    """The rows of a suite as a table."""
    return _table(_ROW_COLUMNS, [[cell(entry[key]) for key in _ROW_COLUMNS] for entry in entries], 2, 7)


def render_summary(entries: Sequence[dict[str, Any]]) -> str:
    """One line for each suite and quantity as a table, and what it means."""
    lines = []
    for entry in entries:
        limit = entry["mape_at_most"]
        mape = _percent(entry["mape"]) + ("" if limit is None else f" (at most {100 * limit:g} %)")
        words = (entry["suite"], entry["quantity"], str(entry["rows"]), str(entry["within"]), mape)
        rest = (_percent(entry["bias"], sign=True), _percent(entry["worst"]), cell(entry["rank"]))
        lines.append([*words, *rest, entry["note"] or cell(entry["ok"])])
    notes = (
        "",
        "within: rows inside the band of their quantity; MAPE, bias, worst: mean of |model / published - 1|, mean and",
        "largest of it; rank: Spearman's. The rows and their bands: accmine ledger --suite NAME.",
    )
    return "\n".join([_table(_SUMMARY_COLUMNS, lines, 2, 8), *notes])


def _percent(value: float | None, sign: bool = False) -> str:
    if value is None:
        return ""
    return f"{100 * value:+.1f} %" if sign else f"{100 * value:.1f} %"


def _table(header: Sequence[str], lines: Sequence[Sequence[str]], first: int, last: int) -> str:
    """Columns of text; those from ``first`` to before ``last`` hold numbers and are set to the right."""
    heads = [name.replace("_", " ") for name in header]
    return "\n".join(aligned([heads, *lines], [first <= i < last for i in range(len(heads))]))
