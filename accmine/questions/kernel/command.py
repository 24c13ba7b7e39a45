"""``accmine kernel``: the exact latency of a kernel or a network on a described architecture, and what limits it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from accmine.errors import InputError
from accmine.questions.completion import of_catalogue
from accmine.questions.options import Json, echo_json, writable

__all__ = ["COMMANDS", "kernel"]

_Architecture = Annotated[
    str,
    typer.Argument(
        metavar="ARCHITECTURE",
        help="Described architecture: a name of the catalogue or a YAML file.",
        autocompletion=of_catalogue("kernels"),
    ),
]
_Kernel = Annotated[
    str,
    typer.Argument(
        metavar="KERNEL",
        help="Kernel: a YAML file; or a model, whose operators are mapped: a name of the catalogue or a file.",
        autocompletion=of_catalogue("workloads"),
    ),
]
_Parameters = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="Set a parameter of the architecture, e.g. rows=32."),
]


def kernel(
    architecture: _Architecture,
    kernel: _Kernel,
    parameters: _Parameters = None,
    batch: Annotated[int | None, typer.Option(help="Samples, of a model. Default: 1.")] = None,
    sequence: Annotated[int | None, typer.Option(help="Sequence length in tokens. Default: the model's own.")] = None,
    image: Annotated[int | None, typer.Option(help="Pixels per side of an image. Default: the model's own.")] = None,
    dtype: Annotated[str | None, typer.Option(help="Of a model: bf16 (default), fp16 or fp32.")] = None,
    training: Annotated[bool, typer.Option("--training", help="Gradients of a model too.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="All operators of a model, not 25.")] = False,
    trace: Annotated[
        Path | None, typer.Option(help="Write the first instructions of a kernel to this file, for Perfetto.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Print the exact cycles of a kernel on a described architecture, what limits it, and what would have to change."""
    from accmine.questions.kernel.measure import is_workload, kernel_report, parameters_of
    from accmine.questions.kernel.network import network_report
    from accmine.questions.kernel.report import network_json, render_kernel, render_network, to_json
    from accmine.report import asked_width
    from accmine.report.charts.kernel_trace import write_kernel_trace

    writable(trace, "--trace", (architecture, kernel))
    numbers = parameters_of(parameters or [])
    of_model = {"batch": batch, "sequence": sequence, "image": image, "dtype": dtype}
    given: dict[str, Any] = {key: value for key, value in of_model.items() if value is not None}
    if is_workload(kernel):
        if trace is not None:
            raise InputError("has no effect on a model: it is for a kernel", field="--trace")
        network = network_report(architecture, kernel, numbers, training=training, **given)
        if as_json:
            echo_json(network_json(network))
        else:
            typer.echo(render_network(network, asked_width(), everything=everything))
        return
    wrong = [f"--{key}" for key in given] + ["--training"] * training + ["--all"] * everything
    if wrong:
        raise InputError("has no effect on a kernel: it is for a model", field=wrong[0])
    found = kernel_report(architecture, kernel, numbers)
    if trace is not None:
        write_kernel_trace(trace, found.program)
    if as_json:
        echo_json(to_json(found))
    else:
        typer.echo(render_kernel(found, asked_width()))


COMMANDS = {"kernel": kernel}
"""Commands by name."""
