"""What the README of every export has in common."""

from __future__ import annotations

from collections.abc import Mapping

from accmine.questions.export.operators import RunAnswer, Winner
from accmine.report import Column, Section, table
from accmine.version import __version__

__all__ = ["heading", "operator_table"]


def heading(tool: str, version: str, answer: RunAnswer, winner: Winner) -> str:
    """Which design of which study this is, for which tool."""
    title = f"{answer.plan.study.name}: {winner.name} for {tool} {version}"
    return (
        f"{title}\n{'=' * len(title)}\n\n"
        f"Written by accmine {__version__}. The files are an export: accmine does not read them again.\n\n"
        f"design      {winner.design.name}\n"
        f"runs        {', '.join(winner.devices)}\n"
        f"timing      {answer.timing}\n"
        f"technology  {answer.technology.name}\n\n"
    )


def operator_table(
    winner: Winner, column: str = "", values: Mapping[str, str] | None = None, *, width: int | None = None
) -> str:
    """The exported operators, longest first, and what was left out.

    Parameters
    ----------
    column, values
        A further column by the labels of the operators.
    width
        As of ``accmine.report.table``.
    """
    head = ["label", "operator", "m", "k", "n", "batch", "dtype", "per step", "cores", "cycles", "share of step"]
    head += [column] if values else []
    rows = []
    total = max(1, winner.step_cycles)
    for operator in winner.operators:
        gemm = operator.work.gemm
        assert gemm is not None
        cells = [operator.label, operator.name, *map(str, (gemm.m, gemm.k, gemm.n, gemm.batch)), operator.work.dtype]
        cells += [f"{operator.runs:,}", str(operator.cores), f"{operator.duration_cycles:,}"]
        cells += [f"{100 * operator.step_cycles / total:.1f} %"]
        rows.append(cells + ([values[operator.label]] if values else []))
    words = ("label", "operator", "dtype")
    columns = tuple(Column(name, numeric=name not in words) for name in head)
    text = table(Section("operators", winner.name, columns, tuple(map(tuple, rows))), width) + "\n\n"
    text += (
        f"These take {100 * winner.share:.1f} % of the operator time of a step: cycles of the fastest mode with the\n"
        "whole HBM bandwidth × how often a step runs it. Operators overlap in a schedule, so a step is shorter than\n"
        "their sum.\n"
    )
    if winner.left_out:
        others = ", ".join(f"{o.name} ({100 * o.step_cycles / total:.1f} %)" for o in winner.left_out)
        text += f"Longer than the last of them, but not one matrix product, and so not here: {others}.\n"
        if any(o.work.attention is not None for o in winner.left_out):
            text += (
                "Fused attention is several products with a softmax between them that stores no scores, which these\n"
                "tools cannot express; a study with attention: materialised has the products apart.\n"
            )
    return text
