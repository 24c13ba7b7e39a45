"""``accmine calibrate``: constants of the time model from measured operators, scored on others they have not seen."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from accmine.errors import InputError
from accmine.questions.accuracy.training.command import NO_RUNS, calibrate_stack
from accmine.questions.completion import of_catalogue
from accmine.questions.options import Json, echo_json, echo_text, writable

__all__ = ["calibrate"]

_HALF, _KERNEL = 0.5, "kernel"

_Chip = Annotated[
    str,
    typer.Option(help="Name or file of the chip they were measured on.", autocompletion=of_catalogue("accelerators")),
]
_Cluster = Annotated[
    str | None,
    typer.Option(
        help="With --runs: name or file of what connects the chips. Default: dgx-a100.",
        autocompletion=of_catalogue("clusters"),
    ),
]
_Fit = Annotated[
    str | None,
    typer.Option(
        help="Constants to fit, separated by commas: launch, array_efficiency, vector_efficiency, hbm_efficiency, "
        "hbm_ramp, sustained, host_launch; of tiles fill, edge, split_launch, split_traffic. "
        "Default: those that a kind of operator can tell."
    ),
]


def calibrate(
    accelerator: _Chip,
    tables: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[CSV…]", help="Measured operators; docs/measurements.md has the columns."),
    ] = None,
    runs: Annotated[
        Path | None,
        typer.Option(help="Measured training steps (docs/measurements.md): makes a stack of software from 20 of them."),
    ] = None,
    cluster: _Cluster = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Write the accelerator with its calibration to this file.")
    ] = None,
    holdout: Annotated[float, typer.Option(help="Share of the rows that are scored on and not fitted on.")] = _HALF,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the draw of these rows.")] = 0,
    fit: _Fit = None,
    kind: Annotated[
        list[str] | None, typer.Option(help="Kind of operator to calibrate; may be repeated. Default: all measured.")
    ] = None,
    clock: Annotated[
        str,
        typer.Option(help="Clock of rows that do not say it: kernel (of the device) or host (launch and wait in it)."),
    ] = _KERNEL,
    as_json: Json = False,
) -> None:
    """Fit the constants of each kind of operator on one part of measured ones, and score them on the other.

    With --runs: the factor of a stack of software and its band, on 20 measured training steps, scored on the others.
    """
    writable(output, "--output", (*(tables or ()), *([runs] if runs else ())))
    if runs is not None:
        operators = {"CSV": tables, "--fit": fit, "--kind": kind}
        given = {**operators, "--holdout": holdout != _HALF, "--clock": clock != _KERNEL}
        if option := next((name for name, value in given.items() if value), ""):
            raise InputError("is about measured operators; leave it out with --runs", field=option)
        calibrate_stack(runs, accelerator, cluster, output, seed, as_json)
        return
    if not tables:
        raise InputError(NO_RUNS)
    if cluster is not None:
        raise InputError("is about measured training steps; give --runs, or leave it out", field="--cluster")
    _operators(accelerator, tables, output, (holdout, seed), fit, kind, clock, as_json)


def _operators(
    accelerator: str,
    tables: list[Path],
    output: Path | None,
    draw: tuple[float, int],
    fit: str | None,
    kind: list[str] | None,
    clock: str,
    as_json: bool,
) -> None:
    """Constants of operators; ``draw`` is the share held out and the seed."""
    from accmine.files import write_atomic
    from accmine.hardware import load_accelerator, read_accelerator
    from accmine.questions.accuracy.calibrate import calibrate as fit_and_score
    from accmine.questions.accuracy.calibrate import calibrated_text, parts_of
    from accmine.questions.accuracy.fit import Predictor
    from accmine.questions.accuracy.report import calibration_text, source_text
    from accmine.questions.accuracy.samples import chosen, read_samples
    from accmine.report import asked_width, to_json

    document, design = read_accelerator(accelerator), load_accelerator(accelerator)
    samples = chosen([sample for table in tables for sample in read_samples(table, design, clock)], kind)
    constants = None if fit is None else tuple(name.strip() for name in fit.split(",") if name.strip())
    predictor = Predictor(samples, design)
    found = fit_and_score(samples, design, parts_of(samples, predictor, *draw), constants, predictor)
    if found.part.held_out.mape > _WRONG:
        raise InputError(
            f"the fit is {100 * found.part.held_out.mape:.0f} % off on the rows held out: they are of another chip "
            f"than {accelerator}, or their times are in another unit than seconds",
            where=str(tables[0]),
        )
    before = document.data.get("calibration", {}).get("source", "") if design.calibration.kinds else ""
    source = source_text(found, [table.name for table in tables], len(samples), draw[1], before)
    if output is not None:
        write_atomic(output, calibrated_text(document, found.part.written, source, output.stem))
    if as_json:
        said = None if output is None else str(output)
        values = {"tables": list(map(str, tables)), "accelerator": accelerator, "rows": len(samples)}
        echo_json(values | {**to_json(found), "source": source, "output": said})
        return
    echo_text(calibration_text(found, asked_width()))
    typer.echo(f"\nwritten: {output}" if output is not None else "\nnothing is written without -o FILE")


_WRONG = 0.5
"""Mean error on rows held out from which on a fit describes nothing."""
