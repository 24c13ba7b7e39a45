"""``accmine kernel``: the exact latency of a kernel or a network on a described architecture, and what limits it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

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
    trace: Annotated[
        Path | None, typer.Option(help="Write the first iterations of a kernel to this file, for Perfetto.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Print the exact cycles of a kernel on a described architecture, what limits it, and what would have to change."""
    from accmine.questions.kernel.measure import kernel_report, parameters_of
    from accmine.questions.kernel.report import render_kernel, to_json
    from accmine.report import asked_width

    writable(trace, "--trace")
    found = kernel_report(architecture, kernel, parameters_of(parameters or []))
    if as_json:
        echo_json(to_json(found))
    else:
        typer.echo(render_kernel(found, asked_width()))


COMMANDS = {"kernel": kernel}
"""Commands by name."""
