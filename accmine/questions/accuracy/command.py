"""``accmine ledger``, and with it ``accmine calibrate``: the models beside published and measured values."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from accmine.errors import CheckError, InputError
from accmine.questions.accuracy.calibrate_command import calibrate
from accmine.questions.options import Json, echo_json, echo_text

__all__ = ["COMMANDS", "ledger"]


def ledger(
    suite: Annotated[
        str | None,
        typer.Option(
            help="Print the rows of a suite: anchors, scalesim, chips, a100-matmul, a100-products, h100-products, "
            "a100-vectors, relatives, sustained, training, vtrain, fsdp. Default: a summary of all."
        ),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(envvar="ACCMINE_DATA", help="Folder of data files; default: $ACCMINE_DATA.")
    ] = None,
    without: Annotated[
        bool,
        typer.Option("--ablation", help="What each term of a predicted training step is worth, on suite training."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Compare the models with published and measured values; exit code 3 if one is out of its band."""
    from accmine.questions.accuracy.report import rows_text, summary_text
    from accmine.questions.accuracy.suites import rows, summary
    from accmine.report import asked_width

    if without:
        _ablation(suite, data, as_json)
        return
    entries = summary(data) if suite is None else rows(suite, data)
    if as_json:
        echo_json(entries)
    else:
        echo_text((summary_text if suite is None else rows_text)(entries, asked_width()))
    raise typer.Exit(CheckError.exit_code if any(entry["ok"] is False for entry in entries) else 0)


def _ablation(suite: str | None, data: Path | None, as_json: bool) -> None:
    from accmine.questions.accuracy.training.ablation import ablation, ablation_text
    from accmine.report import asked_width, to_json

    if suite not in (None, "training"):
        raise InputError(f"is about the suite training, not {suite}", field="--ablation")
    if data is None:
        raise InputError("reads the files of the suite training: name their folder by --data or ACCMINE_DATA")
    found = ablation(data)
    if as_json:
        echo_json([to_json(item) for item in found])
    else:
        typer.echo(ablation_text(found, asked_width()))


COMMANDS = {"ledger": ledger, "calibrate": calibrate}
"""Commands by name."""
