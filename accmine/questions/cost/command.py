"""``accmine cost``: what every operator of a training step costs on a design."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from accmine.questions.completion import of_catalogue
from accmine.questions.options import echo_text, writable

__all__ = ["COMMANDS", "cost"]

_TECHNOLOGY = "Energies: a name of the catalogue or a file. Default: tpu-16nm, or that of the chip's node."
_OPTIONS = (
    *("batch", "microbatch", "sequence", "image", "masked", "optimizer", "precision", "dtype", "recompute"),
    *("attention", "split", "fusion"),
    *("timing", "operator_split", "residency"),
)

_Masked = Annotated[float | None, typer.Option(help="Share of tokens that a masked-LM head works on. Default: 0.15.")]

_Workload = Annotated[
    str,
    typer.Argument(
        help="Model of the catalogue, a YAML file, or a Hugging Face config.json.",
        autocompletion=of_catalogue("workloads"),
    ),
]
_Design = Annotated[
    str,
    typer.Option(help="Design: a name of the catalogue or a file.", autocompletion=of_catalogue("accelerators")),
]
_Technology = Annotated[str | None, typer.Option(help=_TECHNOLOGY, autocompletion=of_catalogue("technologies"))]
_Operators = Annotated[
    str | None,
    typer.Option(help="even (default): an operator takes as many cores as make it fastest; none: one."),
]
_Residency = Annotated[
    str | None, typer.Option(help="none (default) or shared-sram: tensors stay in half of the shared SRAM.")
]


def cost(
    workload: _Workload,
    design: _Design,
    batch: Annotated[int | None, typer.Option(help="Samples of a step. Default: 32, or 4 microbatches.")] = None,
    microbatch: Annotated[int | None, typer.Option(help="Samples run together. Default: a divisor up to 8.")] = None,
    sequence: Annotated[int | None, typer.Option(help="Sequence length in tokens. Default: the model's own.")] = None,
    image: Annotated[int | None, typer.Option(help="Pixels per side of an image. Default: the model's own.")] = None,
    masked: _Masked = None,
    optimizer: Annotated[str | None, typer.Option(help="adam (default), sgd with momentum, adamw, lamb, ….")] = None,
    precision: Annotated[str | None, typer.Option(help="mixed (default) or pure-bf16.")] = None,
    dtype: Annotated[str | None, typer.Option(help="bf16 (default), fp16, fp32 or fp8.")] = None,
    recompute: Annotated[str | None, typer.Option(help="none (default), selective or full.")] = None,
    attention: Annotated[str | None, typer.Option(help="fused (default): scores are not stored; materialised.")] = None,
    split: Annotated[
        str | None, typer.Option(help="Materialised attention per heads (default), samples, none.")
    ] = None,
    fusion: Annotated[str | None, typer.Option(help="practical (default), elementwise, paired or none.")] = None,
    technology: _Technology = None,
    timing: Annotated[str | None, typer.Option(help="tpu-like (default), rtl-simple, scalesim3, ….")] = None,
    operator_split: _Operators = None,
    residency: _Residency = None,
    everything: Annotated[bool, typer.Option("--all", help="Print all rows, not only the 25 longest.")] = False,
    csv: Annotated[Path | None, typer.Option(help="Write all rows to this CSV file.")] = None,
    graph: Annotated[Path | None, typer.Option(help="Write the operator graph of a step to this GraphML file.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw the roofline into this file (png, svg, pdf).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON: all rows.")] = False,
) -> None:
    """Print what every operator of a training step costs on a design, what it is bound by, and the sums.

    Every operator stands alone, with all of the HBM bandwidth: the sum is not the makespan of a schedule.
    """
    from accmine.files import write_atomic
    from accmine.questions.cost.measure import cost_step
    from accmine.questions.cost.report import csv_text, graphml, render, to_json
    from accmine.report import asked_width

    for path, option in ((csv, "--csv"), (graph, "--graph"), (plot, "--plot")):
        writable(path, option, (workload, design, technology or ""))
    own = (batch, microbatch, sequence, image, masked, optimizer, precision, dtype, recompute, attention, split, fusion)
    options = zip(_OPTIONS, (*own, timing, operator_split, residency), strict=True)
    given = {key: value for key, value in options if value is not None}
    step = cost_step(workload, design, technology, given)
    if plot is not None:
        from accmine.report.charts.roofline import draw

        draw(step.table, plot, title=f"{step.workload} on {step.accelerator}")
    if csv is not None:
        write_atomic(csv, csv_text(step))
    if graph is not None:
        write_atomic(graph, graphml(step.task))
    if as_json:
        typer.echo(json.dumps(to_json(step), indent=2, ensure_ascii=False, allow_nan=False))
    else:
        echo_text(render(step, everything=everything, width=asked_width()))


COMMANDS = {"cost": cost}
"""Commands by name."""
