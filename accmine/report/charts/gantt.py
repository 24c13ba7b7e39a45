"""Gantt charts of schedules, drawn from the same trace that the Perfetto UI opens."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from accmine.errors import InputError
from accmine.report.charts.trace import CORES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["COLOUR_BY", "draw"]

COLOUR_BY = ("phase", "kind")
"""What the colour of a slice can stand for."""

# Okabe and Ito, "Color Universal Design" (2008): told apart with all common kinds of colour vision.
_PALETTE = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#5e4fa2", "#8c6d31")
_PHASES = {"forward": _PALETTE[0], "backward": _PALETTE[1], "update": _PALETTE[2]}
_OTHER = "#9a9a9a"
_OTHER_LABEL = "other"

_UNITS = ((1e6, "s"), (1e3, "ms"), (1.0, "µs"), (1e-3, "ns"))
_EDGES_UP_TO = 400  # slices of a chart whose borders do not hide the colours
_LABELLED_ROWS = 64
_COUNTER_STEPS = 800  # about two pixels each


@dataclass
class _Row:
    process: str
    name: str
    slices: list[tuple[float, float, str]]  # start, duration in µs, colour key


@dataclass
class _Counter:
    process: str
    name: str
    points: list[tuple[float, float]]  # time in µs, value


def draw(trace: Mapping[str, Any], path: Path | None = None, *, by: str = "phase", title: str = "") -> Figure:
    """A Gantt chart: one row per core, time to the right, counters such as the HBM rate below their device.

    Timelines of pipelines have a time axis of their own below those of devices: a step is much longer than a graph.

    Parameters
    ----------
    trace
        Of ``accmine.report.charts.trace.perfetto``.
    path
        Where to write the chart as well; the ending chooses the format (png, svg, pdf).
    by
        ``phase`` or ``kind``: what colours stand for; a slice without it takes the other one.
    title
        Heading of the chart.

    Raises
    ------
    InputError
        If matplotlib is missing, the trace holds no slice, or ``by`` or the ending is unknown.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise InputError("charts need matplotlib: pip install 'accmine[plot]'") from error
    if by not in COLOUR_BY:
        raise InputError(f"unknown colouring {by!r}; allowed: {', '.join(COLOUR_BY)}", field="by")
    rows, counters = _read(trace, by)
    if not any(row.slices for row in rows):
        raise InputError("the trace holds no slice to draw")
    figure = Figure(figsize=(14, 1), layout="constrained")
    FigureCanvasAgg(figure)
    groups = _groups(rows, counters)
    heights = [[min(0.28, 18 / len(rows)) * len(own), *(0.7 for _ in below)] for own, below in groups]
    figure.set_size_inches(14, sum(map(sum, heights)) + 1.6 * len(groups))
    grid = figure.add_gridspec(sum(map(len, heights)), 1, height_ratios=[one for own in heights for one in own])
    for place, (own, below) in enumerate(groups):
        _draw_group(figure, grid, sum(map(len, heights[:place])), own, below, by)
    if title:
        figure.suptitle(title)
    if path is not None:
        _write(figure, Path(path))
    return figure


def _groups(rows: list[_Row], counters: list[_Counter]) -> list[tuple[list[_Row], list[_Counter]]]:
    """Devices and timelines apart, each with a time axis of its own: a graph takes a small part of a step."""
    devices = {row.process for row in rows if row.name.split(" ")[0] in CORES}
    found = [
        (
            [row for row in rows if (row.process in devices) is own],
            [c for c in counters if (c.process in devices) is own],
        )
        for own in (True, False)
    ]
    return [(own, below) for own, below in found if any(row.slices for row in own)]


def _draw_group(figure: Figure, grid: Any, first: int, rows: list[_Row], counters: list[_Counter], by: str) -> None:
    """Rows with their counters below, on one time axis, from a place of the grid on."""
    end = max(start + length for row in rows for start, length, _ in row.slices)
    scale, unit = next(((s, u) for s, u in _UNITS if end >= s), _UNITS[-1])
    axes = figure.add_subplot(grid[first])
    _draw_rows(axes, rows, scale, by)
    below = [figure.add_subplot(grid[first + i + 1], sharex=axes) for i in range(len(counters))]
    for plot, counter in zip(below, counters, strict=True):
        _draw_counter(plot, counter, scale, end, several=len({c.process for c in counters}) > 1)
    for plot in [axes, *below][:-1]:
        plot.tick_params(labelbottom=False)
    [axes, *below][-1].set_xlabel(f"time, {unit}")
    axes.set_xlim(0, end / scale or 1)


def _write(figure: Figure, path: Path) -> None:
    known = sorted(figure.canvas.get_supported_filetypes())
    if path.suffix.lstrip(".").lower() not in known:
        raise InputError(f"{path}: unknown ending of a chart; allowed: {', '.join(known)}")
    figure.savefig(path, dpi=120)


def _read(trace: Mapping[str, Any], by: str) -> tuple[list[_Row], list[_Counter]]:
    """Rows in the order in which the trace names its threads, and counters."""
    processes: dict[int, str] = {}
    rows: dict[tuple[int, int], _Row] = {}
    counters: dict[tuple[int, str], _Counter] = {}
    for event in trace.get("traceEvents", ()):
        pid, kind = event["pid"], event["ph"]
        if kind == "M" and event["name"] == "process_name":
            processes[pid] = event["args"]["name"]
        elif kind == "M" and event["name"] == "thread_name":
            rows[pid, event["tid"]] = _Row(processes.get(pid, str(pid)), event["args"]["name"], [])
        elif kind == "X":
            place = (pid, event["tid"])
            row = rows.setdefault(place, _Row(processes.get(pid, str(pid)), str(event["tid"]), []))
            if event["dur"] > 0:  # a core that is never used has an empty row
                row.slices.append((event["ts"], event["dur"], _key(event.get("args", {}), by)))
        elif kind == "C":
            name = event["name"]
            counter = counters.setdefault((pid, name), _Counter(processes.get(pid, str(pid)), name, []))
            counter.points.append((event["ts"], sum(event["args"].values())))
    return sorted(rows.values(), key=lambda row: list(processes.values()).index(row.process)), list(counters.values())


def _key(args: Mapping[str, Any], by: str) -> str:
    other = COLOUR_BY[1 - COLOUR_BY.index(by)]
    return str(args.get(by) or args.get(other) or _OTHER_LABEL)


def _colours(rows: list[_Row], by: str) -> dict[str, str]:
    """A colour for every key: fixed ones for phases, else by share of time; the rest is grey."""
    time: defaultdict[str, float] = defaultdict(float)
    for row in rows:
        for _, length, key in row.slices:
            time[key] += length
    phases = {key: colour for key, colour in _PHASES.items() if key in time}
    if by == "phase" and phases:
        free = [colour for colour in _PALETTE if colour not in phases.values()]
    else:
        phases, free = {}, list(_PALETTE)
    rest = [k for k in sorted(time, key=lambda k: -time[k]) if k not in phases and k != _OTHER_LABEL]
    return phases | dict(zip(rest, free, strict=False))


def _draw_rows(axes: Axes, rows: list[_Row], scale: float, by: str) -> None:
    from matplotlib.patches import Patch

    colours = _colours(rows, by)
    many = sum(len(row.slices) for row in rows) > _EDGES_UP_TO
    used: set[str] = set()
    for y, row in enumerate(rows):
        spans: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
        for start, length, key in row.slices:
            spans[key if key in colours else _OTHER_LABEL].append((start / scale, length / scale))
        for key, xranges in spans.items():
            used.add(key)
            axes.broken_barh(
                xranges,
                (y - 0.42, 0.84),
                facecolors=colours.get(key, _OTHER),
                edgecolors="none" if many else "white",
                linewidth=0 if many else 0.4,
            )
    axes.set_ylim(len(rows) - 0.4, -0.6)
    _name_rows(axes, rows)
    handles = [Patch(color=colours.get(key, _OTHER), label=key) for key in [*colours, _OTHER_LABEL] if key in used]
    axes.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1.0), ncols=6, frameon=False, borderaxespad=0.2)
    axes.grid(axis="x", alpha=0.25, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _name_rows(axes: Axes, rows: list[_Row]) -> None:
    """Label rows, thinned out where there are many, with the process before its first row and a line above."""
    several = len({row.process for row in rows}) > 1
    step = -(-len(rows) // _LABELLED_ROWS)
    places, names = [], []
    for y, row in enumerate(rows):
        first = y == 0 or rows[y - 1].process != row.process
        if first and y:
            axes.axhline(y - 0.5, color="#555555", linewidth=0.8)
        if first or y % step == 0:
            places.append(y)
            names.append(f"{row.process}  {row.name}" if first and several else row.name)
    axes.set_yticks(places, names, fontsize=8 if len(places) <= 40 else 6)
    axes.tick_params(axis="y", length=0)


def _means(points: list[tuple[float, float]], end: float) -> tuple[list[float], list[float]]:
    """Times and values of a step function up to ``end``; of more steps than a chart shows, means over equal spans."""
    times = [time for time, _ in points] + [max(end, points[-1][0])]
    values = [value for _, value in points] + [points[-1][1]]
    if len(points) <= _COUNTER_STEPS:
        return times, values
    area = np.concatenate([[0.0], np.cumsum(np.diff(times) * values[:-1])])
    edges = np.linspace(times[0], times[-1], _COUNTER_STEPS + 1)
    means = np.diff(np.interp(edges, times, area)) / np.diff(edges)
    return edges.tolist(), [*means.tolist(), float(means[-1])]


def _draw_counter(axes: Axes, counter: _Counter, scale: float, end: float, several: bool) -> None:
    times, values = _means(counter.points, end)
    axes.fill_between([time / scale for time in times], values, step="post", color="#5e4fa2", alpha=0.55, linewidth=0)
    axes.set_ylim(0, max(100.0, *values) if "%" in counter.name else max(values) or 1)
    label = f"{counter.process}\n{counter.name}" if several else counter.name
    axes.set_ylabel(label.replace(", ", "\n"), rotation=0, ha="right", va="center", fontsize=8)
    axes.tick_params(axis="y", labelsize=7)
    axes.grid(alpha=0.25, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
