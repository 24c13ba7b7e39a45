"""The die of a design, every part to scale of its area: a drawing, not a floor plan that could be built."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from math import ceil, sqrt

from accmine.report.charts.svg import TEXT, svg
from accmine.report.numbers import number, percent

__all__ = ["ASPECT", "KINDS", "draw_die", "kinds_of"]

_WIDTH, _TOP = 440.0, 4.0

ASPECT = 1.6
"""Width over height of every die that is drawn."""

KINDS: tuple[tuple[str, str], ...] = (
    ("hbm", "HBM interface"),
    ("shared", "shared SRAM"),
    ("array", "arrays"),
    ("sram", "SRAM of cores"),
    ("lanes", "vector lanes"),
    ("edge", "ports and overhead of cores"),
    ("uncore", "uncore and I/O"),
)
"""CSS class and name of what parts of the area are summed to, in the order of a legend."""

_KIND_OF = {
    "hbm_interface": "hbm",
    "shared_sram": "shared",
    "shared_sram_port": "edge",
    "tensor_array": "array",
    "tensor_sram": "sram",
    "vector_sram": "sram",
    "vector_alus": "lanes",
}


def _kind(part: str) -> str:
    return _KIND_OF.get(part) or ("edge" if part.startswith(("tensor_", "vector_")) else "uncore")


def kinds_of(parts: Mapping[str, float]) -> dict[str, float]:
    """mm² of each of ``KINDS``, by its class."""
    found = dict.fromkeys((kind for kind, _ in KINDS), 0.0)
    for part, area in parts.items():
        found[_kind(part)] += area
    return found


@dataclass(frozen=True)
class _Box:
    """A rectangle in mm."""

    x: float
    y: float
    width: float
    height: float


def draw_die(
    parts: Mapping[str, float], tensor_cores: int, vector_cores: int, *, pixels_per_mm: float | None = None
) -> str:
    """A die with HBM interfaces at its left edge, uncore below, shared SRAM and cores in what is left.

    Parameters
    ----------
    parts
        mm² by part, of ``accmine.hardware.technology.area_breakdown``.
    pixels_per_mm
        Scale; default: the die fills the picture. With one scale for several dies they can be compared.
    """
    area = sum(parts.values())
    if area <= 0:
        return ""
    width = sqrt(ASPECT * area)
    height = area / width
    scale = pixels_per_mm or (_WIDTH - 8) / width
    shapes: dict[str, list[_Box]] = {kind: [] for kind, _ in KINDS}
    labels: list[tuple[_Box, str]] = []
    hbm = _Box(0.0, 0.0, _strip(parts, "hbm") / height, height)
    shapes["hbm"].append(hbm)
    labels.append((hbm, "HBM"))
    left, bottom = hbm.width, height
    if width - left > 1e-9 * width:
        deep = _strip(parts, "uncore") / (width - left)
        uncore = _Box(left, height - deep, width - left, deep)
        shared = _Box(left, 0.0, width - left, _strip(parts, "shared") / (width - left))
        shapes["uncore"].append(uncore)
        shapes["shared"].append(shared)
        labels += [(uncore, "uncore and I/O"), (shared, "shared SRAM")]
        bottom = uncore.y
        port = parts.get("shared_sram_port", 0.0) / max(1, tensor_cores + vector_cores)
        high = bottom - shared.height
        for prefix, count in (("tensor", tensor_cores), ("vector", vector_cores)):
            own = {part: mm2 for part, mm2 in parts.items() if part.startswith(f"{prefix}_")}
            own["shared_sram_port"] = count * port
            whole = sum(own.values())
            if not count or whole <= 0 or high <= 0:
                continue
            block = _Box(left, shared.height, whole / high, high)
            for cell in _grid(block, count):
                _core(shapes, cell, {kind: mm2 / whole for kind, mm2 in kinds_of(own).items()})
            labels.append((block, f"{count:,} {prefix} core{'s' if count != 1 else ''}"))
            left += block.width
    return _picture(shapes, labels, parts, scale, width, height)


def _strip(parts: Mapping[str, float], kind: str) -> float:
    return sum(mm2 for part, mm2 in parts.items() if _kind(part) == kind)


def _grid(block: _Box, count: int) -> list[_Box]:
    """Equal shares of a block in rows of nearly equal length, as square as they can be."""
    rows = min(count, max(1, round(sqrt(count * block.height / block.width))))
    cells, y, left = [], block.y, count
    for row in range(rows):
        number_here = ceil(left / (rows - row))
        height = block.height * number_here / count
        cells += [
            _Box(block.x + i * block.width / number_here, y, block.width / number_here, height)
            for i in range(number_here)
        ]
        y, left = y + height, left - number_here
    return cells


def _core(shapes: dict[str, list[_Box]], cell: _Box, shares: Mapping[str, float]) -> None:
    """Cut a core along its longer side by what it is made of; a little of it stays free, as a border."""
    rim = 0.04 * min(cell.width, cell.height)
    inner = _Box(cell.x + rim, cell.y + rim, cell.width - 2 * rim, cell.height - 2 * rim)
    at = 0.0
    for kind, share in shares.items():
        if share > 0:
            if cell.width >= cell.height:
                box = _Box(inner.x + at * inner.width, inner.y, share * inner.width, inner.height)
            else:
                box = _Box(inner.x, inner.y + at * inner.height, inner.width, share * inner.height)
            shapes[kind].append(box)
            at += share


def _picture(
    shapes: Mapping[str, list[_Box]],
    labels: list[tuple[_Box, str]],
    parts: Mapping[str, float],
    scale: float,
    width: float,
    height: float,
) -> str:
    total, mm2, names = sum(parts.values()), kinds_of(parts), dict(KINDS)
    drawn = [f'<rect class="die" x="4" y="{_TOP}" width="{width * scale:.1f}" height="{height * scale:.1f}"/>']
    for kind, boxes in shapes.items():
        path = "".join(
            f"M{4 + b.x * scale:.1f} {_TOP + b.y * scale:.1f}h{b.width * scale:.1f}v{b.height * scale:.1f}"
            f"h{-b.width * scale:.1f}z"
            for b in boxes
            if b.width * scale > 0.05 and b.height * scale > 0.05
        )
        if path:
            told = f"{names[kind]}: {number(mm2[kind])} mm², {percent(mm2[kind] / total)}"
            drawn.append(f'<path class="d-{kind}" d="{path}"><title>{escape(told)}</title></path>')
    for box, text in labels:
        drawn.append(_label(box, text, scale))
    bottom = _TOP + height * scale
    bar = 10.0 if width > 12 else 1.0
    drawn.append(f'<path class="rule" d="M4 {bottom + 9:.1f}v6h{bar * scale:.1f}v-6"/>')
    drawn.append(f'<text x="{12 + bar * scale:.1f}" y="{bottom + 17:.1f}">{bar:g} mm</text>')
    told = ", ".join(f"{names[k]} {number(mm2[k])} mm²" for k in names if mm2[k] > 0)
    return svg(width * scale + 8, bottom + 22, f"die of {number(total)} mm², to scale of area: {told}", drawn)


def _label(box: _Box, text: str, scale: float) -> str:
    width, height = box.width * scale, box.height * scale
    x, y = 4 + box.x * scale + width / 2, _TOP + box.y * scale + height / 2
    long = TEXT * len(text) + 6
    if width > long and height > 16:
        return f'<text class="tag" x="{x:.1f}" y="{y + 4:.1f}" text-anchor="middle">{escape(text)}</text>'
    if height > long and width > 16:
        turn = f"rotate(-90 {x:.1f} {y:.1f})"
        place = f'x="{x:.1f}" y="{y + 4:.1f}" text-anchor="middle" transform="{turn}"'
        return f'<text class="tag" {place}>{escape(text)}</text>'
    return ""
