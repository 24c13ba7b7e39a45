"""``accmine calibrate``: constants of the time model from measured operators, scored on others they have not seen."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from accmine.errors import InputError
from accmine.questions.options import Json, echo_json, writable

__all__ = ["calibrate"]


def calibrate(
    table: Annotated[
        Path, typer.Argument(metavar="CSV", help="Measured operators; docs/measurements.md has the columns.")
    ],
    accelerator: Annotated[str, typer.Option(help="Name or file of the chip they were measured on.")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Write the accelerator with its calibration to this file.")
    ] = None,
    holdout: Annotated[float, typer.Option(help="Share of the rows that are scored on and not fitted on.")] = 0.5,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the draw of these rows.")] = 0,
    fit: Annotated[
        str | None,
        typer.Option(
            help="Constants to fit, separated by commas: launch, array_efficiency, vector_efficiency, hbm_efficiency. "
            "Default: those that operators of the kinds measured can tell."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Fit launch time and efficiencies on one part of measured operators, and score them on the other."""
    from accmine.files import write_atomic
    from accmine.hardware import load_accelerator, read_accelerator
    from accmine.questions.accuracy.calibrate import calibrate as fit_and_score
    from accmine.questions.accuracy.calibrate import calibrated_text, default_constants
    from accmine.questions.accuracy.report import calibration_text, source_text
    from accmine.questions.accuracy.samples import read_samples
    from accmine.questions.accuracy.score import drawn
    from accmine.report import to_json

    writable(output, "--output")
    document, design = read_accelerator(accelerator), load_accelerator(accelerator)
    samples = read_samples(table, design)
    named = default_constants(samples) if fit is None else fit.split(",")
    constants = tuple(name.strip() for name in named if name.strip())
    found = fit_and_score(samples, design, drawn([sample.seconds for sample in samples], holdout, seed), constants)
    if found.part.held_out.mape > _WRONG:
        raise InputError(
            f"the fit is {100 * found.part.held_out.mape:.0f} % off on the rows held out: they are of another chip "
            f"than {accelerator}, or their times are in another unit than seconds",
            where=str(table),
        )
    source = source_text(found, table.name, len(samples), constants, seed)
    if output is not None:
        write_atomic(output, calibrated_text(document, found.part.calibration, source, output.stem))
    if as_json:
        values = {"table": str(table), "accelerator": accelerator, "rows": len(samples), "constants": list(constants)}
        values |= {**to_json(found), "source": source, "output": None if output is None else str(output)}
        echo_json(values)
        return
    typer.echo(calibration_text(found, constants))
    typer.echo(f"\nwritten: {output}" if output is not None else "\nnothing is written without -o FILE")


_WRONG = 0.5
"""Mean error on rows held out from which on a fit describes nothing."""
