"""``accmine ledger``, and with it ``accmine calibrate``: the models beside published and measured values."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from accmine.errors import CheckError
from accmine.questions.accuracy.calibrate_command import calibrate
from accmine.questions.options import Json, echo_json

__all__ = ["COMMANDS", "ledger"]


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
    from accmine.questions.accuracy.report import rows_text, summary_text
    from accmine.questions.accuracy.suites import rows, summary

    entries = summary(data) if suite is None else rows(suite, data)
    if as_json:
        echo_json(entries)
    else:
        typer.echo(summary_text(entries) if suite is None else rows_text(entries))
    raise typer.Exit(CheckError.exit_code if any(entry["ok"] is False for entry in entries) else 0)


COMMANDS = {"ledger": ledger, "calibrate": calibrate}
"""Commands by name."""
