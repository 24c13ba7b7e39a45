"""Dies to scale of area."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest

from accmine.report.charts.die import KINDS, draw_die, kinds_of
from tests.samples.pictures_sample import AREA


def areas(chart: str) -> dict[str, float]:
    """Pixels² of every kind of part that is drawn."""
    found = {}
    for path in ET.fromstring(chart).iter("path"):
        kind = path.get("class", "")
        if kind.startswith("d-"):
            boxes = re.findall(r"h([\d.]+)v([\d.]+)h-", path.get("d", ""))
            found[kind[2:]] = sum(float(w) * float(h) for w, h in boxes)
    return found


@pytest.mark.parametrize(("tensor", "vector"), [(4, 4), (1, 1), (7, 3), (256, 16)])
def test_parts_are_drawn_to_scale(tensor: int, vector: int) -> None:
    drawn, asked = areas(draw_die(AREA, tensor, vector, pixels_per_mm=40.0)), kinds_of(AREA)
    for kind in ("hbm", "shared", "uncore"):
        assert drawn[kind] / 1600 == pytest.approx(asked[kind], rel=0.01)
    # Cores leave a rim, the same share of each of their parts.
    cores = [drawn[kind] / asked[kind] for kind in ("array", "sram", "lanes", "edge")]
    assert max(cores) / min(cores) < 1.25
    assert 0.8 < min(cores) / 1600 <= 1.0


def test_kinds_add_up_to_the_die() -> None:
    assert sum(kinds_of(AREA).values()) == pytest.approx(sum(AREA.values()))
    assert set(kinds_of(AREA)) == {kind for kind, _ in KINDS}
    assert kinds_of({"something": 3.0})["uncore"] == 3.0  # of another area law


def test_it_is_said_in_words() -> None:
    chart = ET.fromstring(draw_die(AREA, 4, 4))
    said = chart.get("aria-label") or ""
    assert "die of 331.2 mm²" in said
    assert "HBM interface 60 mm²" in said
    assert "4 tensor cores" in {text.text for text in chart.iter("text")}
    assert draw_die({}, 1, 1) == ""


def test_a_die_of_interfaces_alone_is_drawn() -> None:
    assert areas(draw_die({"hbm_interface": 10.0}, 0, 0)).keys() == {"hbm"}
