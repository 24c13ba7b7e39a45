"""The chart of a run: drawn from its schedule, and refused where there is none that a run writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from accmine.errors import InputError
from accmine.questions.run.folder import RunFolder
from accmine.questions.run.pictures.chart import draw_run
from accmine.report import core_lanes, perfetto
from tests.samples.schedule_sample import many


def test_the_schedule_of_a_run_is_drawn(tmp_path: Path) -> None:
    problem, solution = many(20)
    folder = RunFolder(tmp_path)
    folder.write_json("schedule.json", perfetto(core_lanes(problem, solution, process="d", seconds_per_unit=1e-9)))
    draw_run(folder, tmp_path / "chart.png")
    assert (tmp_path / "chart.png").read_bytes().startswith(b"\x89PNG")


def test_without_a_schedule_there_is_nothing_to_draw(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has no schedule\.json to draw"):
        draw_run(RunFolder(tmp_path), tmp_path / "chart.png")


@pytest.mark.parametrize("trace", [{"traceEvents": [3]}, {"traceEvents": 3}, {"a": 1}, {"traceEvents": [{"ph": "X"}]}])
def test_what_no_run_writes_is_refused(trace: Any, tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.write_json("schedule.json", trace)
    with pytest.raises(InputError, match=r"schedule\.json|no slice to draw"):
        draw_run(folder, tmp_path / "chart.png")
    assert not (tmp_path / "chart.png").exists()
