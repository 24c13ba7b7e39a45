"""``accmine export``: a run for other tools, and what those say; or the operator schedules of a study as files."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from accmine.errors import CheckError, Complaint, InputError
from accmine.questions.options import RUNS, Json, Runs, echo_json, echo_text

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
    context: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(metavar="RUN|STUDY", help="Run folder, or the start of its name; with --problem a study."),
    ] = None,
    tool: Annotated[Tool | None, typer.Option("--to", help="The tool whose formats to write.")] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="DIR", help="Write the files into this folder.")
    ] = None,
    problem: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write the operator-schedule problems of a study into this folder."),
    ] = None,
    design: Annotated[
        str | None, typer.Option(metavar="DESIGN", help="Of the problems, name or file; default: the baseline.")
    ] = None,
    suite: Annotated[str | None, typer.Option(metavar="NAME", help="The problems of all models of a suite.")] = None,
    models: Annotated[str | None, typer.Option(metavar="M,M", help="Models of the suite; default: all.")] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a key of every study.")
    ] = None,
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
    """Write a run in the formats of another tool, or the operator schedules of a study as problem files.

    RUN --to TOOL -o DIR: its designs and their ten longest operators, or its placement. With --verify the tool is run,
    and each figure stands beside accmine's with the reasons why they differ; exit code 3 if two figures that have to be
    equal are not.

    STUDY --problem DIR, or --suite NAME --problem DIR: every phase of every device on one design, for accmine solve.
    """
    given = {key for key in context.params if str(context.get_parameter_source(key)).endswith("COMMANDLINE")}
    _check_form(given)
    if problem is not None:
        _problems(name, suite, models, overrides or [], design, problem, again, as_json)
    elif name is not None and tool is not None and output is not None:
        _run(runs, name, tool, output, stage, verify, again, as_json)


_OF_PROBLEMS = {"design", "suite", "models", "overrides"}
_OF_RUNS = {"tool", "output", "stage", "verify", "runs"}


def _check_form(given: set[str]) -> None:
    """Refuse what would have no effect, and name what is missing."""
    spelled = {"tool": "--to", "overrides": "--set"}
    form, wrong = ("--problem", _OF_RUNS) if "problem" in given else ("--to", _OF_PROBLEMS)
    if unfit := sorted(given & wrong):
        what = "a study" if "problem" in given else "problems of a study"
        told = f"has no effect {'on' if 'problem' in given else 'without --problem, which writes the'} {what}"
        raise InputError([Complaint(form, spelled.get(key, f"--{key}"), told) for key in unfit])
    if "problem" in given:
        if ("name" in given) == ("suite" in given):
            raise InputError("needs one study, or --suite NAME", where=form)
        if "models" in given and "suite" not in given:
            raise InputError("has no effect without --suite", where=form, field="--models")
    elif missing := [text for key, text in _NEEDED.items() if key not in given]:
        raise InputError(f"needs {', '.join(missing)}; or STUDY --problem DIR", where="export")


_NEEDED = {"name": "RUN", "tool": "--to TOOL", "output": "--output DIR"}


def _problems(
    name: str | None,
    suite: str | None,
    models: str | None,
    overrides: Sequence[str],
    design: str | None,
    folder: Path,
    again: bool,
    as_json: bool,
) -> None:
    """The operator schedules of a study or a suite."""
    from accmine.questions.export.folder import check_export, write_export
    from accmine.questions.gap.schedules.problems import INDEX, files, phase_problems, studies_of

    check_export(folder, [], again=again)  # before graphs are built for a minute
    words = [word.strip() for word in models.split(",")] if models else []
    studies = studies_of([name] if name else [], suite, words, overrides)
    texts = files(own for title, study, _ in studies for own in phase_problems(title, study, design))
    written = write_export(folder, texts, again=again)
    rows = json.loads(texts[INDEX])["problems"]
    if as_json:
        echo_json({"problems": rows, "files": [str(path) for path in written]})
        return
    for row in rows:
        typer.echo(f"{row['operations']:>7,} operations  {row['file']}")
    typer.echo(f"{len(rows)} problems in {folder}; what each is: {INDEX}; accmine solve reads them")


def _run(
    runs: Path, name: str, tool: Tool, output: Path, stage: int | None, verify: bool, again: bool, as_json: bool
) -> None:
    """A run in the formats of a tool."""
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
    from accmine.report import asked_width

    for winner in answer.winners:
        echo_text(f"{winner.name}  {winner.design.name}  ({', '.join(winner.devices)})\n")
        echo_text(operator_table(winner, width=asked_width()) + "\n")
    echo_text(f"{len(written)} files in {output}; how to run {tool.value}, and what it models differently: README.txt")
    if comparisons is None:
        return
    typer.echo("")
    for comparison in comparisons:
        for line in _lines(comparison):
            echo_text(line)
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
