"""Gantt charts, tested by the data on their axes."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from accmine.errors import InputError
from accmine.report import core_lanes, perfetto, timeline_lanes
from accmine.report.charts import gantt
from accmine.report.charts.trace import Lane
from accmine.system import simulate
from tests.samples.schedule_sample import many

PHASES = ("forward", "backward", "update")


def _trace(count: int) -> dict[str, Any]:
    problem, solution = many(count)
    labels = [{"phase": PHASES[3 * i // count], "kind": f"kind-{i % 12}"} for i in range(count)]
    return perfetto(core_lanes(problem, solution, process="device", seconds_per_unit=1 / 700e6, labels=labels))


def _legend(figure: Any) -> list[str]:
    return [text.get_text() for text in figure.axes[0].get_legend().get_texts()]


def test_every_slice_is_on_the_row_of_its_core() -> None:
    trace = _trace(60)
    figure = gantt.draw(trace)
    axes, counter = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        *(f"tensor {i}" for i in range(8)),
        *(f"vector {i}" for i in range(6)),
    ]
    tids = {e["tid"]: e["args"]["name"] for e in trace["traceEvents"] if e["name"] == "thread_name"}
    rows = {name: y for y, name in enumerate(sorted(tids.values()))}
    wanted = sorted(
        (rows[tids[e["tid"]]], e["ts"], e["ts"] + e["dur"])
        for e in trace["traceEvents"]
        if e["ph"] == "X" and e["dur"] > 0
    )
    drawn = []
    for collection in axes.collections:
        for path in collection.get_paths():
            corners = np.asarray(path.vertices)
            (x0, y0), (x1, y1) = corners.min(axis=0), corners.max(axis=0)
            drawn.append((round((y0 + y1) / 2), x0, x1))
    assert np.array(sorted(drawn)) == pytest.approx(np.array(wanted))
    assert _legend(figure) == list(PHASES)
    assert counter.get_ylabel() == "HBM rate\n% of peak"
    assert counter.get_xlabel() == "time, µs"


def test_colours_can_stand_for_kinds() -> None:
    figure = gantt.draw(_trace(60), by="kind", title="all of it")
    assert len(_legend(figure)) == 10  # nine colours, and grey for the rest
    assert _legend(figure)[-1] == "other"
    assert figure.get_suptitle() == "all of it"
    with pytest.raises(InputError, match="unknown colouring 'layer'; allowed: phase, kind"):
        gantt.draw(_trace(6), by="layer")


def test_pipeline_and_devices_have_a_time_axis_each() -> None:
    timeline = simulate("1f1b", [0.01, 0.02], [0.02, 0.03], [0.004, 0.004], [0.001], 4)
    lanes = timeline_lanes(timeline)
    ends = []
    for device in ("s0", "s1"):
        lanes += core_lanes(*many(20), process=device, seconds_per_unit=1e-6)
        ends += [lane.end_s for lane in lanes if lane.process == device]
    figure = gantt.draw(perfetto(lanes))
    devices, first, second, pipeline = figure.axes
    names = [label.get_text() for label in devices.get_yticklabels()]
    assert (names[0], names[14]) == ("s0  tensor 0", "s1  tensor 0")
    assert [label.get_text() for label in pipeline.get_yticklabels()] == ["stage 0", "stage 1"]
    assert set(_legend(figure)) <= {*PHASES, "other"}
    assert [axes.get_ylabel() for axes in (first, second)] == [f"{s}\nHBM rate\n% of peak" for s in ("s0", "s1")]
    assert pipeline.get_xlim()[1] == pytest.approx(timeline.step_s * 1000)
    assert devices.get_xlim()[1] == second.get_xlim()[1] == pytest.approx(max(ends) * 1000)


def test_counter_of_many_steps_keeps_its_mean() -> None:
    random = np.random.default_rng(1)
    values, lengths = random.uniform(0, 100, 5000), random.uniform(0.1, 1, 5000)
    ends = np.cumsum(lengths)
    lanes = [
        Lane("d", "hbm", "rate, %", e - n, n, {"%": v}, counter=True)
        for v, n, e in zip(values.tolist(), lengths.tolist(), ends.tolist(), strict=True)
    ]
    figure = gantt.draw(perfetto([Lane("d", "t", "a", 0.0, float(ends[-1])), *lanes]))
    (area,) = figure.axes[1].collections
    top = np.asarray(area.get_paths()[0].vertices)
    assert len(top) < 4000
    assert 0 < top[:, 1].max() < 100
    edges = np.array(figure.axes[1].get_xlim())
    assert edges[1] == pytest.approx(ends[-1])
    points = [(float(e - n), float(v)) for v, n, e in zip(values, lengths, ends, strict=True)]
    times, means = gantt._means(points, float(ends[-1]))
    assert np.dot(np.diff(times), means[:-1]) == pytest.approx(np.dot(lengths, values))


def test_five_thousand_operators_are_drawn_soon(tmp_path: Path) -> None:
    trace = _trace(5000)
    began = time.perf_counter()
    gantt.draw(trace, tmp_path / "all.png")
    assert time.perf_counter() - began < 15
    data = (tmp_path / "all.png").read_bytes()
    assert data.startswith(b"\x89PNG")
    assert int.from_bytes(data[16:20], "big") == 1680


def test_many_cores_are_thinned_out_in_the_labels_only() -> None:
    lanes = [Lane("d", f"tensor {i:03d}", "a", 0.0, 1.0 + i) for i in range(300)]
    figure = gantt.draw(perfetto(lanes))
    assert len(figure.axes[0].get_yticklabels()) == 60
    assert sum(len(c.get_paths()) for c in figure.axes[0].collections) == 300
    assert figure.get_figheight() < 30


def test_other_endings(tmp_path: Path) -> None:
    gantt.draw(_trace(10), tmp_path / "all.svg")
    assert "<svg" in (tmp_path / "all.svg").read_text()
    with pytest.raises(InputError, match=r"unknown ending of a chart; allowed: .*png"):
        gantt.draw(_trace(10), tmp_path / "all.doc")


def test_nothing_to_draw_is_an_error() -> None:
    empty: dict[str, Any]
    for empty in ({"traceEvents": []}, perfetto([Lane("p", "t", "unused", 0.0, 0.0)])):
        with pytest.raises(InputError, match="no slice"):
            gantt.draw(empty)


def test_missing_matplotlib_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(InputError, match=r"accmine\[plot\]"):
        gantt.draw(_trace(5))
