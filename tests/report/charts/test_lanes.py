"""Gantt charts and timelines of a page."""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree import ElementTree as ET

import pytest

from accmine.report import Figure, perfetto
from accmine.report.charts.lanes import MOST_SLICES, devices_of, gantt
from accmine.report.charts.trace import Lane
from tests.samples.pictures_sample import lanes, trace


def pictures(figure: Figure) -> Sequence[ET.Element]:
    return list(ET.fromstring(f"<div>{figure.picture}</div>").iter("svg"))


def test_devices_and_timelines_are_told_apart() -> None:
    device, pipe = devices_of(trace())
    assert (device.name, device.cores, list(device.rows)) == ("device", True, ["tensor 0", "vector 0"])
    assert (pipe.name, pipe.cores, list(pipe.rows)) == ("pipe", False, ["m/stage0", "m/stage1"])
    assert device.end == pytest.approx(0.02)
    assert pipe.end == pytest.approx(0.05 + 0.25 * 29 + 0.2)


def test_the_table_holds_every_slice() -> None:
    figure = gantt(devices_of(trace())[0], "g", "device")
    rows = [dict(zip(figure.table.columns, row, strict=True)) for row in figure.table.rows]
    assert len(rows) == 25
    assert rows[2]["name"] == "layer2.mm"
    assert rows[2]["start_s"] == pytest.approx(2e-3)
    assert rows[2]["critical"] is True
    assert figure.options["busy"] == pytest.approx([1.0, 0.25])
    assert "Most idle: vector 0, 75 %." in figure.text
    assert "computes for 50 % of the time" in figure.text  # an operation on two rows counts once


def test_a_long_timeline_has_a_second_axis() -> None:
    device, pipe = devices_of(trace())
    assert len(pictures(gantt(device, "g", "d"))) == 1
    figure = gantt(pipe, "t", "pipe")
    assert len(pictures(figure)) == 2
    (whole, begin) = figure.options["views"]
    assert whole == [0.0, pytest.approx(7.5)]
    assert begin == [0.0, pytest.approx(1.4)]
    assert len(pictures(gantt(devices_of(trace(3))[1], "t", "pipe"))) == 1  # a short one has none


def test_the_critical_path_is_drawn_on_top() -> None:
    (picture,) = pictures(gantt(devices_of(trace())[0], "g", "device"))
    kinds = [path.get("class") for path in picture.iter("path")]
    assert kinds == ["s0", "s3", "chain", "s0", "s3", "chain"]


def test_too_many_slices_are_joined_but_no_time_is_lost() -> None:
    count = 2 * MOST_SLICES
    found = [
        Lane("device", f"tensor {i % 4}", f"op{i}", 1e-6 * (i // 4), 1e-6, {"phase": "forward"}) for i in range(count)
    ]
    figure = gantt(devices_of(perfetto(found))[0], "g", "device")
    assert len(figure.table.rows) <= MOST_SLICES
    seconds = figure.table.columns.index("seconds")
    assert sum(row[seconds] for row in figure.table.rows) == pytest.approx(count * 1e-6, rel=1e-3)
    assert any(re.match(r"\d+ from op\d+", row[1]) for row in figure.table.rows)


def test_no_trace_has_no_devices() -> None:
    assert devices_of({}) == []
    assert devices_of(perfetto([])) == []
    assert len(lanes()) == 25 + 120
