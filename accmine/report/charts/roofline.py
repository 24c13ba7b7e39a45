"""The roofline of a design with the operators of a step: FLOP/s over FLOP per byte of HBM traffic."""

from __future__ import annotations

from math import isfinite, sqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any

from accmine.cost import OperatorRow, OperatorTable
from accmine.errors import InputError
from accmine.hardware import Roofline
from accmine.report.numbers import number, si

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Point", "draw", "points"]

# Okabe and Ito, "Color Universal Design" (2008): told apart with all common kinds of colour vision.
_COLORS = {"array": "#0072b2", "vector": "#009e73", "port": "#cc79a7", "hbm": "#e69f00", "launch": "#9a9a9a"}
_LARGEST = 2000.0  # area of the point of an operator that takes the whole step, points²
_SMALLEST = 6.0
_LABELLED = 6

Point = tuple[OperatorRow, float, float, float]
"""A row, its FLOP per byte, its FLOP/s, and its share of the time of the step."""


def points(table: OperatorTable) -> list[Point]:
    """What can be drawn on logarithmic axes: rows with arithmetic and traffic, longest first."""
    whole = max(1, table.step.cycles)
    return [
        (row, row.intensity, row.reached_flops_per_s, row.step_cycles / whole)
        for row in table.rows
        if isfinite(row.intensity) and row.intensity > 0 and row.reached_flops_per_s > 0
    ]


def draw(table: OperatorTable, path: Path | None = None, *, title: str = "") -> Figure:
    """The chart: a roof for the arrays and one for the vector lanes, operators as points.

    Products are circles below the roof of the arrays (FLOP of the product); operators without one are squares below
    the roof of the lanes (operations of the lanes). The area of a point is its share of the step, its colour what it
    is bound by; the longest are numbered. A point on a roof uses all cores, or all of the HBM bandwidth; one below may
    still be as fast as its own cores allow.

    Parameters
    ----------
    path
        Where to write the chart as well; the ending chooses the format (png, svg, pdf).
    title
        Heading of the chart.

    Raises
    ------
    InputError
        If matplotlib is missing, no operator can be drawn, or the ending is unknown.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise InputError("charts need matplotlib: pip install 'accmine[plot]'") from error
    found = points(table)
    if not found:
        raise InputError("no operator has arithmetic and HBM traffic: there is nothing to draw")
    figure = Figure(figsize=(12.5, 6), layout="constrained")
    canvas = FigureCanvasAgg(figure)
    known = sorted(canvas.get_supported_filetypes())
    if path is not None and path.suffix.lstrip(".").lower() not in known:
        raise InputError(f"{path}: unknown ending of a chart; allowed: {', '.join(known)}", field="--plot")
    axes = figure.add_subplot()
    axes.set_xscale("log")
    axes.set_yscale("log")
    _roofs(axes, table.roof, found)
    _points(axes, found)
    axes.set_xlabel("FLOP per byte of HBM traffic")
    axes.set_ylabel("FLOP/s")
    axes.grid(visible=True, which="major", alpha=0.3)
    axes.set_title(title or table.design.name)
    if path is not None:
        figure.savefig(path, dpi=120)
    return figure


def _roofs(axes: Axes, roof: Roofline, found: list[Point]) -> None:
    """Both roofs over the span of the points and the ridges."""
    xs = [x for _, x, _, _ in found]
    low, high = min(*xs, roof.vector_ridge) / 3, max(*xs, roof.tensor_ridge) * 3
    for ridge, peak, style, name in (
        (roof.tensor_ridge, roof.tensor_flops_per_s, "-", "arrays"),
        (roof.vector_ridge, roof.vector_flops_per_s, "--", "vector lanes"),
    ):
        label = f"{name}: {si(peak, 'FLOP/s')}, ridge at {number(ridge, 3)} FLOP/byte"
        ys = [low * roof.hbm_bytes_per_s, peak, peak]
        axes.plot([low, ridge, high], ys, style, color="#444444", linewidth=1.2, label=label)
    axes.set_xlim(low, high)


def _points(axes: Axes, found: list[Point]) -> None:
    levels = list(dict.fromkeys(row.bound_by for row, *_ in found))
    for level in levels:
        for product, marker in ((True, "o"), (False, "s")):
            own = [p for p in found if p[0].bound_by == level and p[0].work.uses_tensor is product]
            if own:
                axes.scatter(
                    [x for _, x, _, _ in own],
                    [y for _, _, y, _ in own],
                    s=[max(_SMALLEST, _LARGEST * share) for *_, share in own],
                    marker=marker,
                    color=_COLORS[level],
                    alpha=0.65,
                    linewidths=0.5,
                    edgecolors="white",
                )
    for i, (_, x, y, share) in enumerate(found[:_LABELLED]):
        axes.annotate(  # below, as nothing is above the roof; one lower than the other, as the longest are often alike
            str(i + 1),
            (x, y),
            xytext=(0.0, -8.0 - sqrt(_LARGEST * share) / 2 - 10.0 * i),
            textcoords="offset points",
            ha="center",
            va="top",
            fontsize=8,
            arrowprops={"arrowstyle": "-", "linewidth": 0.5, "color": "#444444", "shrinkA": 0, "shrinkB": 0},
        )
    axes.legend(
        handles=[*axes.lines, *_legend(levels, found)], fontsize=7.5, loc="center left", bbox_to_anchor=(1.01, 0.5)
    )


def _legend(levels: list[str], found: list[Point]) -> list[Any]:
    from matplotlib.lines import Line2D

    bound = [Line2D([], [], marker="o", ls="", color=_COLORS[level], label=f"bound by {level}") for level in levels]
    kinds = [
        Line2D([], [], marker=marker, ls="", color="#444444", label=label)
        for marker, label in (("o", "product: FLOP of the arrays"), ("s", "no product: operations of the lanes"))
    ]
    longest = [
        Line2D([], [], ls="", label=f"{i + 1}  {row.name}, {100 * share:.1f} %")
        for i, (row, _, _, share) in enumerate(found[:_LABELLED])
    ]
    return [*bound, *kinds, *longest]
