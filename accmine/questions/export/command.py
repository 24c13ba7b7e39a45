"""``accmine export``: a run for other tools: designs and longest operators, or its placement; and what those say."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from accmine.errors import CheckError, InputError
from accmine.questions.options import RUNS, Json, Runs, echo_json

if TYPE_CHECKING:
    from accmine.questions.export.comparison import Comparison
    from accmine.questions.export.operators import RunAnswer
    from accmine.questions.run.folder import RunFolder

__all__ = ["COMMANDS", "Tool", "export"]

_WIDTH = 118


class Tool(StrEnum):
    """What a run can be exported to."""

    SCALESIM = "scalesim"
    ZIGZAG = "zigzag"
    CALCULON = "calculon"
    MEGATRON = "megatron"


def export(
    name: Annotated[str, typer.Argument(metavar="RUN", help="Run folder, or the start of the name of one.")],
    tool: Annotated[Tool, typer.Option("--to", help="The tool whose formats to write.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="Write the files into this folder.")],
    stage: Annotated[
        int | None, typer.Option(min=0, help="Only design-N.yaml of a run that chose several; default: all.")
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Run the tool on what was written, and print both figures.")
    ] = False,
    again: Annotated[bool, typer.Option("--again", help="Replace an earlier export in this folder.")] = False,
    runs: Runs = RUNS,
    as_json: Json = False,
) -> None:
    """Write the designs of a run and their ten longest operators, or its placement, in the formats of another tool.

    With --verify the tool is run, and each figure stands beside accmine's with the reasons why they differ; exit code 3
    if two figures that have to be equal are not.
    """
    from accmine.questions.export.folder import check_export, write_export
    from accmine.questions.export.operators import read_run
    from accmine.questions.run.folder import find_run

    folder = find_run(runs, name)
    if tool is Tool.MEGATRON:
        _placement(folder, output, verify, again, as_json)
        return
    answer = read_run(folder, stage)
    module = _module(tool)
    files = module.files(answer)
    check_export(output, files, again=again)  # before a tool runs for minutes
    comparisons: Sequence[Comparison] | None = module.verify(answer) if verify else None
    written = write_export(output, files, again=again)
    if as_json:
        typer.echo(json.dumps(_table(tool, answer, written, comparisons), indent=2, ensure_ascii=False))
    else:
        _print(tool, answer, output, written, comparisons)
    if comparisons is not None and not all(comparison.ok for comparison in comparisons):
        raise typer.Exit(CheckError.exit_code)


def _placement(folder: RunFolder, output: Path, verify: bool, again: bool, as_json: bool) -> None:
    """The placement of a run as options of Megatron-LM."""
    from accmine.questions.export.folder import write_export
    from accmine.questions.export.megatron import files

    if verify:
        raise InputError("nothing is run with the options of Megatron-LM; leave it out", field="--verify")
    texts = files(folder)
    written = write_export(output, texts, again=again)
    if as_json:
        echo_json({"to": Tool.MEGATRON.value, "run": str(folder.path), "files": [str(path) for path in written]})
    else:
        typer.echo(f"{texts['megatron.txt']}\n{len(written)} files in {output}")


def _module(tool: Tool) -> Any:
    from importlib import import_module

    return import_module(f"accmine.questions.export.{tool.value}")


def _table(
    tool: Tool, answer: RunAnswer, written: Sequence[Path], comparisons: Sequence[Comparison] | None
) -> dict[str, Any]:
    designs = [
        {
            "name": winner.name,
            "design": winner.design.name,
            "devices": list(winner.devices),
            "share_of_operator_time": winner.share,
            "operators": [
                {
                    "label": operator.label,
                    "name": operator.name,
                    **_sizes(operator),
                    "per_step": operator.runs,
                    "cores": operator.cores,
                    "cycles": operator.duration_cycles,
                    "dataflow": operator.dataflow,
                    "share": operator.step_cycles / max(1, winner.step_cycles),
                }
                for operator in winner.operators
            ],
            "left_out": [operator.name for operator in winner.left_out],
        }
        for winner in answer.winners
    ]
    table: dict[str, Any] = {"to": tool.value, "run": str(answer.folder.path), "files": [str(path) for path in written]}
    table["designs"] = designs
    table["verified"] = None if comparisons is None else [comparison.to_json() for comparison in comparisons]
    return table


def _sizes(operator: Any) -> Mapping[str, Any]:
    gemm = operator.work.gemm
    return {"m": gemm.m, "k": gemm.k, "n": gemm.n, "batch": gemm.batch, "dtype": operator.work.dtype}


def _print(
    tool: Tool, answer: RunAnswer, output: Path, written: Sequence[Path], comparisons: Sequence[Comparison] | None
) -> None:
    from accmine.questions.export.readme import operator_table

    for winner in answer.winners:
        typer.echo(f"{winner.name}  {winner.design.name}  ({', '.join(winner.devices)})\n")
        typer.echo(operator_table(winner))
    typer.echo(f"{len(written)} files in {output}; how to run {tool.value}, and what it models differently: README.txt")
    if comparisons is None:
        return
    typer.echo("")
    for comparison in comparisons:
        for line in _lines(comparison):
            typer.echo(line)
    wrong = [comparison for comparison in comparisons if not comparison.ok]
    must = sum(comparison.equal for comparison in comparisons)
    if must:
        typer.echo(f"\n{must - len(wrong)} of {must} figures that have to be equal are")
    for quantity in dict.fromkeys(c.quantity for c in comparisons if not c.equal):
        ratios = [c.ratio for c in comparisons if c.quantity == quantity and c.ratio is not None]
        if ratios:
            typer.echo(f"{tool.value} / accmine, {quantity}: {min(ratios):.3f} to {max(ratios):.3f}")


def _lines(comparison: Comparison) -> list[str]:
    """Both figures, and below them the reasons."""
    theirs, ours = comparison.theirs, comparison.ours
    if theirs is None:
        verdict = "no figure"
    elif theirs == ours:
        verdict = "equal"
    else:
        verdict = f"{theirs - ours:+,.6g} ({comparison.ratio:.3f} of ours)" + (
            "  NOT EQUAL" if comparison.equal else ""
        )
    if comparison.band is not None:
        low, high = comparison.band
        inside = comparison.ratio is not None and low <= comparison.ratio <= high
        verdict += f", {'within' if inside else 'outside'} the measured {low:g} to {high:g}"
    head = f"{comparison.what}  {comparison.quantity}: accmine {_figure(ours)}, tool {_figure(theirs)}: {verdict}"
    wrapped = [
        textwrap.wrap(f"- {reason}", _WIDTH, initial_indent="    ", subsequent_indent="      ")
        for reason in comparison.reasons
    ]
    return [head, *(line for lines in wrapped for line in lines)]


def _figure(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,}" if float(value).is_integer() else f"{value:.6g}"


COMMANDS = {"export": export}
"""Commands by name."""
