"""``accmine kernel``: the exact latency of a kernel or a network on a described architecture, and what limits it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from accmine.errors import InputError
from accmine.questions.completion import of_catalogue
from accmine.questions.options import Json, echo_json, exit_code, writable

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


_Free = Annotated[
    list[str] | None,
    typer.Option(
        "--free",
        metavar="NAME[=COUNTS]",
        help="With --target: what may have another count, e.g. spad.A=1..4. Default: all, from 1 to twice what stands.",
    ),
]
_Sizes = Annotated[
    list[str] | None,
    typer.Option(
        "--size", metavar="NAME=SIZE", help="With --target: what one is, e.g. spad.A='4 KiB' or array='256 macs'."
    ),
]
_Target = Annotated[
    str | None,
    typer.Option(
        metavar="CYCLES|SHARE%",
        help="Find the cheapest counts with which a loop takes so many cycles per iteration, or is so much faster.",
    ),
]
_TechnologyName = Annotated[
    str | None,
    typer.Option(
        help="With --target: whose areas are the prices. Default: tpu-16nm.",
        autocompletion=of_catalogue("technologies"),
    ),
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
    target: _Target = None,
    free: _Free = None,
    size: _Sizes = None,
    technology: _TechnologyName = None,
    loop: Annotated[
        str | None, typer.Option(help="With --target: innermost loop. Default: the one with most cycles.")
    ] = None,
    export: Annotated[
        Path | None, typer.Option(help="With --target: write the problem to this file, for accmine solve.")
    ] = None,
    seconds: Annotated[float | None, typer.Option(min=0, help="With --target: wall-clock limit. Default: 60.")] = None,
    as_json: Json = False,
) -> None:
    """Print the exact cycles of a kernel on a described architecture, what limits it, and what would have to change."""
    from accmine.questions.kernel.measure import is_workload, parameters_of

    writable(trace, "--trace", (architecture, kernel))
    numbers, model = parameters_of(parameters or []), is_workload(kernel)
    of_model = {"batch": batch, "sequence": sequence, "image": image, "dtype": dtype}
    given: dict[str, Any] = {key: value for key, value in of_model.items() if value is not None}
    wrong = [f"--{key}" for key in given] + ["--training"] * training + ["--all"] * everything
    if wrong and not model:
        raise InputError("has no effect on a kernel: it is for a model", field=wrong[0])
    if training:
        given["training"] = True
    sizing: dict[str, Any] = {
        "--free": free, "--size": size, "--technology": technology, "--loop": loop, "--export": export,
        "--seconds": seconds,
    }  # fmt: skip
    if target is not None:
        if trace is not None or everything:
            raise InputError("has no effect with --target", field="--all" if everything else "--trace")
        _size(architecture, kernel, numbers, target, sizing, given if model else None, as_json)
    elif unused := [key for key, value in sizing.items() if value is not None]:
        raise InputError("has no effect without --target", field=unused[0])
    elif model:
        _network(architecture, kernel, numbers, trace, given, everything, as_json)
    else:
        _kernel_alone(architecture, kernel, numbers, trace, as_json)


def _kernel_alone(architecture: str, kernel: str, numbers: dict[str, int], trace: Path | None, as_json: bool) -> None:
    from accmine.questions.kernel.measure import kernel_report
    from accmine.questions.kernel.report import render_kernel, to_json
    from accmine.report import asked_width
    from accmine.report.charts.kernel_trace import write_kernel_trace

    found = kernel_report(architecture, kernel, numbers)
    if trace is not None:
        write_kernel_trace(trace, found.program)
    if as_json:
        echo_json(to_json(found))
    else:
        typer.echo(render_kernel(found, asked_width()))


def _network(
    architecture: str,
    workload: str,
    numbers: dict[str, int],
    trace: Path | None,
    given: dict[str, Any],
    everything: bool,
    as_json: bool,
) -> None:
    from accmine.questions.kernel.network import network_report
    from accmine.questions.kernel.report import network_json, render_network
    from accmine.report import asked_width

    if trace is not None:
        raise InputError("has no effect on a model: it is for a kernel", field="--trace")
    network = network_report(architecture, workload, numbers, **given)
    if as_json:
        echo_json(network_json(network))
    else:
        typer.echo(render_network(network, asked_width(), everything=everything))


def _size(
    architecture: str,
    kernel: str,
    numbers: dict[str, int],
    target: str,
    options: dict[str, Any],
    of_model: dict[str, Any] | None,
    as_json: bool,
) -> None:
    import json

    from accmine.files import write_atomic
    from accmine.problems.kernel_sizing import problem_to_json
    from accmine.questions.kernel.sizing import TECHNOLOGY, SizingQuestion, sizing_of, sizing_problem
    from accmine.questions.kernel.sizing_report import render_sizing, sizing_json
    from accmine.report import asked_width

    writable(options["--export"], "--export")
    asked = SizingQuestion(
        target,
        tuple(options["--free"] or ()),
        tuple(options["--size"] or ()),
        options["--technology"] or TECHNOLOGY,
        options["--loop"] or "",
    )
    posed = sizing_problem(architecture, kernel, numbers, asked, of_model)
    if options["--export"] is not None:
        write_atomic(options["--export"], json.dumps(problem_to_json(posed.problem), indent=1) + "\n")
    found = sizing_of(posed, 60.0 if options["--seconds"] is None else options["--seconds"])
    if as_json:
        echo_json(sizing_json(found))
    else:
        typer.echo(render_sizing(found, asked_width()))
    raise typer.Exit(exit_code(found.result.status.value, found.result.stop.value))


COMMANDS = {"kernel": kernel}
"""Commands by name."""
