"""Everything that was evaluated, as points: throughput over area and over TDP, with the front."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite, nan

from accmine.questions.run.pictures.figures import MOST_DEVICES
from accmine.questions.run.pictures.front import TUNABLES, front, tunables
from accmine.questions.run.pictures.record import EvaluatedDesign
from accmine.questions.run.record import BaselineRow, Outcome
from accmine.report import Figure, Table, number
from accmine.report.charts.scatter import Axis, Dot, Line, scatter

__all__ = ["evaluated_figures"]

_COLUMNS = ("name", "what", "devices", "relative", "samples_per_s", "area_mm2", "tdp_w", "fits", "front", *TUNABLES)


def evaluated_figures(outcome: Outcome) -> list[Figure]:
    """A figure for each group of devices."""
    groups = list(dict.fromkeys(e.devices for e in outcome.evaluated))
    alone = len(groups) == 1 and (outcome.chips or 1) == 1
    known = [row for row in outcome.baselines if alone and isfinite(row.ratio) and row.ratio > 0]
    rule = known[0].operator_split if known else ""  # that of the study comes first
    return [
        _figure(
            [e for e in outcome.evaluated if e.devices == group],
            [row for row in known if row.operator_split == rule],
            {design.name for design in outcome.designs},
            f"evaluated-{i}" if len(groups) > 1 else "evaluated",
            group,
        )
        for i, group in enumerate(groups[:MOST_DEVICES])
    ]


def _figure(
    rows: Sequence[EvaluatedDesign], baselines: Sequence[BaselineRow], chosen: set[str], key: str, group: str
) -> Figure:
    inside = [e.fits for e in rows]
    best = iter(front([(-e.relative, e.area_mm2, e.tdp_w) for e in rows if e.fits]))
    on_front = [next(best) if fits else False for fits in inside]
    rates = all(isfinite(e.samples_per_s) for e in rows)
    mine = next((e for e in rows if e.name in chosen), rows[0])
    cells: list[tuple[object, ...]] = []
    for e, first in zip(rows, on_front, strict=True):
        what = "chosen" if e.name in chosen else "evaluated"
        more = tunables(e.name)
        own = (e.name, what, e.devices, e.relative, e.samples_per_s, e.area_mm2, e.tdp_w, e.fits, first)
        cells.append((*own, *(more.get(name) for name in TUNABLES)))
    for row in baselines:
        rate = row.samples_per_s[0] if len(row.samples_per_s) == 1 else nan
        own = (
            row.name,
            "baseline",
            group,
            mine.relative / row.ratio,
            rate,
            row.area_mm2,
            row.tdp_w,
            not row.note,
            False,
        )
        cells.append((*own, *(None for _ in TUNABLES)))
    column = _COLUMNS.index("samples_per_s" if rates else "relative")
    title = "samples/s" if rates else "throughput relative to the baseline"
    pictures = [
        _panel(cells, column, _COLUMNS.index(name), title, unit)
        for name, unit in (("area_mm2", "area of one device, mm²"), ("tdp_w", "TDP of one device, W"))
    ]
    legend = "".join(
        f'<li><i class="{colour}"></i>{name}</li>'
        for name, colour in (("chosen", "s3"), ("on the front", "s0"), ("other", "s5"), ("baseline", "s2"))
    )
    beyond = inside.count(False)
    text = (
        f"{len(rows):,} designs for {group}, {sum(on_front):,} of them on the front: no other one that fits has "
        "at least its throughput with no more area and TDP, and is better in one of them."
        + (f" {beyond:,} do not fit the limits of a device (rings)." if beyond else "")
    )
    options = {
        "tell": ["name", "what", "samples_per_s" if rates else "relative", "area_mm2", "tdp_w", "fits"],
        "yaml": list(TUNABLES),
    }
    if all(isinstance(row[_COLUMNS.index("port_bandwidth")], type(None)) for row in cells):
        options["yaml"].remove("port_bandwidth")
    picture = f'<ul class="legend">{legend}</ul>{"".join(pictures)}' if all(pictures) else ""
    return Figure(key, f"Designs evaluated for {group}", picture, text, Table(_COLUMNS, cells), "points", options)


def _panel(cells: Sequence[tuple[object, ...]], y: int, x: int, title: str, across: str) -> str:
    """One picture; on top of others stand those of the front, references and the answer."""
    order = {"other": 0, "out": 1, "front": 2, "known": 3, "chosen": 4}
    dots = []
    for i, row in enumerate(cells):
        name, what, _, _, _, area, tdp, fits, first, *_ = row
        kind = "chosen" if what == "chosen" else "known" if what == "baseline" else "front" if first else "other"
        kind = kind if fits or kind == "known" else "out"
        value, place = float(str(row[y])), float(str(row[x]))
        label = f"{name}: {number(value)} {title}, {number(float(str(area)))} mm², {number(float(str(tdp)))} W"
        dots.append(Dot(i, place, value, kind, 6.0 if kind in ("chosen", "known") else 4.0, label if first else ""))
    dots.sort(key=lambda dot: order[dot.kind])
    inside = sorted((dot.x, -dot.y) for dot in dots if dot.kind in ("front", "other", "chosen"))
    line = [(a, -b) for (a, b), kept in zip(inside, front(inside), strict=True) if kept]
    lines = [Line("front", tuple(line))] if len(line) > 1 else []
    return scatter(dots, Axis(across), Axis(title), f"{title} over {across}", lines)
