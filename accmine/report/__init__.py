"""Reports: what a run found as text, HTML, Gantt chart and Perfetto trace."""

from accmine.report.as_json import from_json, to_json
from accmine.report.charts.bars import stacked_bars
from accmine.report.charts.chain import critical_labels
from accmine.report.charts.kernel_trace import kernel_lanes, write_kernel_trace
from accmine.report.charts.svg import Frame
from accmine.report.charts.trace import core_lanes, link_lanes, operator_labels, perfetto, timeline_lanes
from accmine.report.figure import Figure, Table
from accmine.report.numbers import UNKNOWN, cell, count, each, gibibytes, number, percent, seconds, si
from accmine.report.progress import Progress, Watch
from accmine.report.section import BULLET, Column, Section, figures, of_records, texts
from accmine.report.text import asked_width, colored, escapes, fitted, render, table, terminal_width

__all__ = [
    "BULLET",
    "UNKNOWN",
    "Column",
    "Figure",
    "Frame",
    "Progress",
    "Section",
    "Table",
    "Watch",
    "asked_width",
    "cell",
    "colored",
    "core_lanes",
    "count",
    "critical_labels",
    "each",
    "escapes",
    "figures",
    "fitted",
    "from_json",
    "gibibytes",
    "kernel_lanes",
    "link_lanes",
    "number",
    "of_records",
    "operator_labels",
    "percent",
    "perfetto",
    "render",
    "seconds",
    "si",
    "stacked_bars",
    "table",
    "terminal_width",
    "texts",
    "timeline_lanes",
    "to_json",
    "write_kernel_trace",
]
