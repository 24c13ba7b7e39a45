"""Gantt charts and timelines of a page: rows of slices with their critical path and idle shares, which a script zooms.

They are drawn from the trace that the Perfetto UI opens, once as a still picture for those without scripts and paper.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from statistics import median
from typing import Any

from accmine.report.charts.svg import svg
from accmine.report.figure import Figure, Table
from accmine.report.numbers import percent, seconds

__all__ = ["COLOURS", "MOST_SLICES", "Device", "devices_of", "gantt"]

COLOURS = {"forward": "s0", "backward": "s3", "weight": "s4", "update": "s2", "": "s5"}
"""CSS class of a slice by its phase; the last one of all others."""

MOST_SLICES = 12_000
"""Slices of a figure; of more, neighbours of a row are shown as one."""

_WIDTH, _LEFT, _ROW, _TOP = 1040.0, 92.0, 22.0, 24.0
_BUSY = 62.0  # room for the shares on the right


@dataclass(frozen=True)
class Slice:
    """Something that takes time on a row; ``start`` and ``length`` in seconds."""

    name: str
    phase: str
    kind: str
    start: float
    length: float
    critical: bool = False

    @property
    def end(self) -> float:
        """End in seconds."""
        return self.start + self.length


@dataclass
class Device:
    """A process of the trace with its rows in order; ``cores``: whether these are cores of a device."""

    name: str
    rows: dict[str, list[Slice]] = field(default_factory=dict)

    @property
    def cores(self) -> bool:
        """Whether it is the schedule of a device, not a timeline of several."""
        return any(name.split(" ")[0] in ("tensor", "vector") for name in self.rows)

    @property
    def end(self) -> float:
        """End of the last slice in seconds."""
        return max((one.end for row in self.rows.values() for one in row), default=0.0)

    @property
    def start(self) -> float:
        """Start of the first slice in seconds."""
        return min((one.start for row in self.rows.values() for one in row), default=0.0)


def devices_of(trace: Mapping[str, Any]) -> list[Device]:
    """Devices, pipelines and links of a trace of ``accmine.report.charts.trace.perfetto``, in its order."""
    found: dict[int, Device] = {}
    names: dict[tuple[int, int], str] = {}
    for event in trace.get("traceEvents", ()):
        pid, args = event["pid"], event.get("args", {})
        if event["ph"] == "M" and event["name"] == "process_name":
            found[pid] = Device(args["name"])
        elif event["ph"] == "M" and event["name"] == "thread_name":
            names[pid, event["tid"]] = args["name"]
            found[pid].rows.setdefault(args["name"], [])
        elif event["ph"] == "X" and event["dur"] > 0:
            phase, kind = str(args.get("phase") or ""), str(args.get("kind") or "")
            one = Slice(event["name"], phase, kind, event["ts"] * 1e-6, event["dur"] * 1e-6, bool(args.get("critical")))
            found[pid].rows[names[pid, event["tid"]]].append(one)
    return [device for device in found.values() if device.end > 0]


def gantt(device: Device, key: str, title: str) -> Figure:
    """A device or timeline as a figure.

    Its table has the row, name, phase and kind of every slice, its start and seconds, and whether it is of the critical
    path. A timeline much longer than its slices has a second axis for its beginning.
    """
    start, end = device.start, device.end
    rows = _merged(device)
    busy = {name: sum(one.length for one in own) / (end - start) for name, own in device.rows.items()}
    table = Table(
        ("row", "name", "phase", "kind", "start_s", "seconds", "critical"),
        [(name, s.name, s.phase, s.kind, s.start, s.length, s.critical) for name, own in rows.items() for s in own],
    )
    window = _beginning(device)
    pictures = [_picture(rows, busy, start, end, title)]
    if window < 0.6 * (end - start):
        pictures.append(_picture(rows, busy, start, start + window, f"the first {seconds(window)} of it"))
    views = [[start, end], *([[start, start + window]] if len(pictures) > 1 else [])]
    kinds = [phase for phase in COLOURS if any(s.phase == phase for own in rows.values() for s in own)]
    least = min(busy, key=lambda name: busy[name])
    text = f"{len(rows)} rows over {seconds(end - start)}; busy: " + _shares(busy) + "."
    if len(rows) > 1:
        text += f" Most idle: {least}, {percent(1 - busy[least])}."
    # An operation on several cores is on several rows.
    critical = {(s.start, s.end) for own in device.rows.values() for s in own if s.critical}
    if (chain := sum(until - since for since, until in critical)) > 0:
        text += f" The critical path, underlined, computes for {percent(min(1.0, chain / (end - start)))} of the time."
    legend = "".join(f'<li><i class="{COLOURS[phase]}"></i>{escape(phase or "other")}</li>' for phase in kinds)
    options = {
        "rows_of": list(rows),
        "short": [_short(name) for name in rows],
        "busy": list(busy.values()),
        "views": views,
        "colours": COLOURS,
        "chain": chain > 0,
    }
    return Figure(key, title, f'<ul class="legend">{legend}</ul>' + "".join(pictures), text, table, "lanes", options)


def _shares(busy: Mapping[str, float]) -> str:
    """Of up to some rows each share; of more their range."""
    if len(busy) <= 8:
        return ", ".join(f"{name} {percent(share)}" for name, share in busy.items())
    return f"{percent(min(busy.values()))} to {percent(max(busy.values()))}"


def _beginning(device: Device) -> float:
    """Seconds in which the first slices of a timeline can be told apart."""
    lengths = [one.length for row in device.rows.values() for one in row]
    return (2 * len(device.rows) + 10) * median(lengths) if not device.cores else device.end - device.start


def _merged(device: Device) -> dict[str, list[Slice]]:
    """The slices of every row, in order; where there are too many, those that lie within a short time as one."""
    rows = {name: sorted(own, key=lambda one: one.start) for name, own in device.rows.items()}
    least = (device.end - device.start) * len(rows) / MOST_SLICES
    found = rows
    while sum(map(len, found.values())) > MOST_SLICES:
        found = {name: _joined(own, least) for name, own in rows.items()}
        least *= 2
    return found


def _joined(row: Sequence[Slice], least: float) -> list[Slice]:
    """Slices that begin and end within ``least`` seconds as one, which looks like the longest of them."""
    groups: list[list[Slice]] = []
    for one in row:
        if groups and one.end - groups[-1][0].start < least:
            groups[-1].append(one)
        else:
            groups.append([one])
    found = []
    for group in groups:
        first, longest = group[0], max(group, key=lambda one: one.length)
        name = first.name if len(group) == 1 else f"{len(group)} from {first.name}"
        length = group[-1].end - first.start
        found.append(Slice(name, longest.phase, longest.kind, first.start, length, any(s.critical for s in group)))
    return found


def _picture(
    rows: Mapping[str, Sequence[Slice]], busy: Mapping[str, float], low: float, high: float, label: str
) -> str:
    right = _WIDTH - _BUSY
    scale = (right - _LEFT) / (high - low)
    bottom = _TOP + _ROW * len(rows)
    parts = []
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        x = _LEFT + share * (right - _LEFT)
        parts.append(f'<line class="axis" x1="{x:.1f}" y1="{_TOP - 4}" x2="{x:.1f}" y2="{bottom}"/>')
        anchor = "start" if share == 0 else "end" if share == 1 else "middle"
        text = seconds(low + share * (high - low))
        parts.append(f'<text x="{x:.1f}" y="{_TOP - 9}" text-anchor="{anchor}">{text}</text>')
    for i, (name, own) in enumerate(rows.items()):
        y = _TOP + i * _ROW
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 15}" text-anchor="end">{escape(_short(name))}</text>')
        parts.append(f'<text x="{right + 6}" y="{y + 15}">{percent(busy[name])}</text>')
        spans: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
        for one in own:
            if one.start < high:
                kinds = [COLOURS.get(one.phase, COLOURS[""]), *(["chain"] if one.critical else [])]
                for kind in kinds:
                    spans[kind].append((one.start, min(one.end, high)))
        for kind, pairs in sorted(spans.items(), key=lambda item: item[0] == "chain"):  # on top of the others
            path = _path(pairs, low, scale, y + (16 if kind == "chain" else 3), 3 if kind == "chain" else 16)
            parts.append(f'<path class="{kind}" d="{path}"/>')
    return svg(_WIDTH, bottom + 6, label, parts, kind="chart lanes")


def _short(name: str) -> str:
    """What fits beside a row: of a stage without its workload."""
    name = name.rsplit("/", maxsplit=1)[-1]
    return name if len(name) <= 13 else f"…{name[-12:]}"


def _path(spans: Sequence[tuple[float, float]], low: float, scale: float, y: float, height: float) -> str:
    """Rectangles as one path; what is less than half a pixel apart is drawn as one."""
    found: list[list[float]] = []
    for start, end in spans:
        a, b = _LEFT + (start - low) * scale, _LEFT + (end - low) * scale
        if found and a - found[-1][1] < 0.5:
            found[-1][1] = max(found[-1][1], b)
        else:
            found.append([a, b])
    return "".join(f"M{a:.1f} {y:.0f}h{max(b - a, 0.4):.1f}v{height}h{-max(b - a, 0.4):.1f}z" for a, b in found)
