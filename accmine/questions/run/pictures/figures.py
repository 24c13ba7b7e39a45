"""The figures of a run's page, each with the table that it was drawn from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

from accmine.questions.run.pictures.record import DeviceRoof
from accmine.questions.run.record import ChosenDesign, LimitRow
from accmine.report import Figure, Table, number, percent, seconds, si, stacked_bars
from accmine.report.charts.axis import on_one_axis
from accmine.report.charts.die import ASPECT, KINDS, draw_die, kinds_of
from accmine.report.charts.lanes import devices_of, gantt
from accmine.report.charts.scatter import Axis, Dot, Line, scatter
from accmine.report.charts.svg import Trace, progress

__all__ = [
    "POWER_PARTS",
    "certificate_figure",
    "design_figure",
    "limits_figure",
    "part_figures",
    "progress_figure",
    "roof_figures",
    "trace_figures",
]

POWER_PARTS: tuple[tuple[str, str, str], ...] = (
    ("hbm", "HBM traffic at peak", "s3"),
    ("hbm_idle", "HBM idle", "s6"),
    ("leakage", "leakage", "s7"),
    ("uncore", "uncore and I/O", "s5"),
    ("tensor_macs", "arrays", "s0"),
    ("tensor_sram", "SRAM of tensor cores", "s1"),
    ("vector_alus", "vector lanes", "s2"),
    ("vector_sram", "SRAM of vector cores", "s9"),
    ("shared_sram", "shared SRAM", "s8"),
)
"""Part of the TDP, its name, and its colour."""

_AREA_COLOURS = {"hbm": "s3", "shared": "s8", "array": "s0", "sram": "s1", "lanes": "s2", "edge": "s4", "uncore": "s5"}

MOST_DEVICES = 8
"""Devices, or timelines, of a run that are drawn."""


def certificate_figure(
    metric: str,
    unit: str,
    heuristic: float | None,
    best: float,
    bound: float,
    gap: float,
    key: str = "certificate",
    ends: tuple[float, float] | None = None,
) -> Figure:
    """Heuristic, best and bound on one axis, which reaches from one of the ``ends`` to the other if they are given."""
    marks = [("best", "best verified", best), ("bound", "proven bound", bound)]
    if heuristic is not None:
        marks.insert(0, ("first", "critical-path heuristic", heuristic))
    told = f"gap {percent(gap)}"
    picture = on_one_axis(marks, unit, ("best", "bound"), told, ends)
    text = f"{metric}: nothing in this space lies beyond the proven bound; {told}."
    rows = [(name, value, unit) for _, name, value in marks]
    return Figure(key, "Certificate", picture, text, Table(("what", "value", "unit"), rows))


def design_figure(designs: Sequence[ChosenDesign], names: Sequence[str], key: str = "design") -> Figure:
    """Dies of all designs at one scale; no picture of results of older versions, which lack the parts."""
    known = [(name, design) for name, design in zip(names, designs, strict=True) if design.area_parts]
    rows = [
        (name, dict(KINDS)[kind], mm2, mm2 / design.area_mm2)
        for name, design in known
        for kind, mm2 in kinds_of(design.area_parts).items()
    ]
    table = Table(("design", "part", "area_mm2", "share"), rows)
    largest = max((design.area_mm2 for _, design in known), default=1.0)
    scale = (432 if len(known) == 1 else 300) / (ASPECT * largest) ** 0.5
    dies = [
        f'<div class="die-of">{f"<b>{name}</b>" if len(known) > 1 else ""}'
        f"{draw_die(design.area_parts, design.tensor_cores, design.vector_cores, pixels_per_mm=scale)}</div>"
        for name, design in known
    ]
    legend = "".join(
        f'<li><i class="{_AREA_COLOURS[kind]}"></i>{title}</li>'
        for kind, title in KINDS
        if any(kinds_of(design.area_parts)[kind] > 0 for _, design in known)
    )
    picture = f'{"".join(dies)}<ul class="legend">{legend}</ul>' if dies else ""
    cores = "; ".join(
        f"{f'{name}: ' if len(known) > 1 else ''}{design.tensor_cores:,} tensor and {design.vector_cores:,} vector "
        f"cores, {number(design.area_mm2)} mm², {number(design.tdp_w)} W"
        for name, design in known
    )
    title = "The design" if len(known) == 1 else "The designs, to one scale"
    return Figure(key, title, picture, f"{cores}. Drawn to scale; not a floor plan.", table)


def part_figures(designs: Sequence[ChosenDesign], names: Sequence[str]) -> list[Figure]:
    """Where area and power go."""
    area_rows, area_bars, tdp_rows, tdp_bars = [], [], [], []
    for name, design in zip(names, designs, strict=True):
        if design.area_parts:
            kinds = kinds_of(design.area_parts)
            area_bars.append((f"{name}: {number(design.area_mm2)} mm²", [v / design.area_mm2 for v in kinds.values()]))
            area_rows += [(name, part, mm2, mm2 / design.area_mm2) for part, mm2 in design.area_parts.items()]
        if design.tdp_parts:
            shares = [design.tdp_parts.get(part, 0.0) / design.tdp_w for part, _, _ in POWER_PARTS]
            tdp_bars.append((f"{name}: {number(design.tdp_w)} W", shares))
            tdp_rows += [(name, part, watt, watt / design.tdp_w) for part, watt in design.tdp_parts.items()]
    area = stacked_bars(area_bars, [title for _, title in KINDS], "area by part", [_AREA_COLOURS[k] for k, _ in KINDS])
    power = stacked_bars(
        tdp_bars, [title for _, title, _ in POWER_PARTS], "TDP by part", [colour for *_, colour in POWER_PARTS]
    )
    found = []
    if area_bars:
        table = Table(("design", "part", "area_mm2", "share"), area_rows)
        found.append(Figure("area", "Where the area goes", area, "Shares of the die.", table))
    if tdp_bars:
        table = Table(("design", "part", "tdp_w", "share"), tdp_rows)
        text = "Shares of the TDP: everything busy at once, margin included."
        found.append(Figure("power", "Where the power goes", power, text, table))
    return found


def limits_figure(limits: Sequence[LimitRow]) -> Figure:
    """How much of every limit is used."""
    known = [row for row in limits if isfinite(row.limit) and row.limit > 0]
    bars = [
        (f"{row.name}: {number(row.used)} of {number(row.limit)} {row.unit}", (min(1.0, row.used / row.limit),))
        for row in known
    ]
    rows = [(r.name, r.used, r.limit, r.limit - r.used, r.unit, r.active, r.least_step) for r in limits]
    table = Table(("limit", "used", "limit_value", "slack", "unit", "active", "least_step"), rows)
    text = "What is left of a bar is slack."
    return Figure("limits", "Use of each limit", stacked_bars(bars, ["used"], "limits") if bars else "", text, table)


def progress_figure(trace: Trace, label: str, key: str = "progress") -> Figure:
    """Objective and bound over the seconds of the run."""
    rows = [(moment, value, bound) for moment, value, bound in trace]
    table = Table(("seconds", "objective", "bound"), rows)
    return Figure(key, "Gap over time", progress(trace, label), "What was known when.", table)


def trace_figures(trace: Mapping[str, Any] | None) -> tuple[list[Figure], list[Figure]]:
    """Gantt charts of devices, and timelines of pipelines and links, of a trace in the format of ``perfetto``."""
    devices = [] if trace is None else devices_of(trace)
    cores = [d for d in devices if d.cores][:MOST_DEVICES]
    lines = [d for d in devices if not d.cores][:MOST_DEVICES]
    return (
        [gantt(d, f"gantt-{i}", f"{d.name}: one run of each graph") for i, d in enumerate(cores)],
        [gantt(d, f"timeline-{i}", d.name) for i, d in enumerate(lines)],
    )


def roof_figures(roofs: Sequence[DeviceRoof]) -> list[Figure]:
    """The roofline of each device with the operators of a step."""
    return [_roof(roof, f"roofline-{i}") for i, roof in enumerate(roofs[:MOST_DEVICES])]


def _roof(roof: DeviceRoof, key: str) -> Figure:
    columns = ("operator", "kind", "phase", "count", "flop_per_byte", "flops_per_s", "seconds", "bound_by", "product")
    rows = [
        (o.name, o.kind, o.phase, o.count, o.intensity, o.flops_per_s, o.seconds, o.bound_by, o.product)
        for o in roof.operators
    ]
    whole = sum(o.seconds for o in roof.operators) + roof.left_out_s
    dots = [
        Dot(
            row=i,
            x=o.intensity,
            y=o.flops_per_s,
            kind=o.bound_by,
            radius=2.5 + 14.0 * (o.seconds / whole if whole else 0.0) ** 0.5,
            label=f"{o.name}, {percent(o.seconds / whole)} of the time, bound by {o.bound_by}" if i < 12 else "",
        )
        for i, o in enumerate(roof.operators)
    ]
    ends = [dot.x for dot in dots if 0 < dot.x < float("inf")]
    lines = []
    if ends and roof.hbm_bytes_per_s:
        for kind, peak, name in (
            ("", roof.tensor_flops_per_s, "arrays"),
            ("soft", roof.vector_flops_per_s, "vector lanes"),
        ):
            ridge = peak / roof.hbm_bytes_per_s
            low, high = min(*ends, ridge), max(*ends, ridge)
            bend = ((low, low * roof.hbm_bytes_per_s), (ridge, peak), (high, peak))
            lines.append(Line(kind, bend, f"{name}: {si(peak, 'FLOP/s')}"))
    picture = scatter(
        dots,
        Axis("FLOP per byte of HBM traffic", True),
        Axis("FLOP/s", True, lambda v: si(v, "", 3)),
        "roofline",
        lines,
    )
    legend = "".join(
        f'<li><i class="{colour}"></i>bound by {kind}</li>'
        for kind, colour in (("array", "s0"), ("vector", "s2"), ("port", "s4"), ("hbm", "s3"), ("launch", "s5"))
        if any(o.bound_by == kind for o in roof.operators)
    )
    text = (
        f"Arrays {si(roof.tensor_flops_per_s, 'FLOP/s', 3)} (line), vector lanes "
        f"{si(roof.vector_flops_per_s, 'op/s', 3)} (broken line), HBM {si(roof.hbm_bytes_per_s, 'B/s', 3)}. The area "
        f"of a point is its share of {seconds(whole)}, the sum of all operators one after the other."
    )
    options = {"tell": ["operator", "kind", "count", "seconds", "flops_per_s", "bound_by"]}
    whole_picture = f'<ul class="legend">{legend}</ul>{picture}' if picture else ""
    return Figure(key, f"Roofline of {roof.device}", whole_picture, text, Table(columns, rows), "points", options)
