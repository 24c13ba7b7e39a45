"""Rows of runs in every state."""

from __future__ import annotations

from pathlib import Path

import pytest

from accmine.errors import InputError
from accmine.files import write_atomic
from accmine.questions.results.table import RESULT_COLUMNS, list_rows, results
from accmine.questions.run.placement.record import PlacementOutcome
from accmine.questions.run.row import COLUMNS, row_of
from accmine.questions.sweep.folder import SweepFolder
from accmine.questions.sweep.record import FAILED, PointRecord
from tests.questions.run.placement.test_report import outcome as placed
from tests.samples.report_sample import common, pipeline, single
from tests.samples.runs_sample import every_state, finished


def test_every_run_is_a_row_and_what_is_wrong_is_its_message(tmp_path: Path) -> None:
    names = every_state(tmp_path)
    table = results(runs=tmp_path)
    assert table.columns == tuple(column.name for column in RESULT_COLUMNS)
    assert table.column("run") == names
    rows = {row["run"]: row for row in table}
    assert all(set(row) == set(table.columns) for row in table)
    states = [(row["state"], row["status"]) for row in table]
    assert states == [
        ("finished", "feasible"),
        ("finished", "infeasible"),
        ("failed", "unknown"),
        ("failed", "failed"),
        ("interrupted", None),
        *[("damaged", None)] * 4,
    ]
    assert rows["quickstart-1"]["folder"] == str(tmp_path / "quickstart-1"), "where it is, not where it was computed"
    assert rows["quickstart-1"]["when"] == "1970-01-01 00:16:40"
    assert rows["small-2"]["message"] == "no design\nmeets it"
    assert rows["odd-3"]["message"] == "nothing in time"
    assert (rows["crash-4"]["study"], rows["crash-4"]["message"]) == ("crash", "out of memory")
    assert "broken-6/result.json: is not what a run writes" in rows["broken-6"]["message"]
    assert "value is 'fast'" in rows["wrong-7"]["message"]
    assert "newer-8/result.json: format: 99 is of a newer accmine" in rows["newer-8"]["message"]
    assert "torn-9/result.json:1:12: not valid JSON" in rows["torn-9"]["message"]


def test_folders_are_runs_or_hold_runs(tmp_path: Path) -> None:
    every_state(tmp_path)
    assert results([tmp_path / "odd-3", tmp_path / "small-2"]).column("run") == ["odd-3", "small-2"]
    assert len(results([tmp_path])) == 9
    assert len(results(runs=tmp_path / "nothing")) == 0
    with pytest.raises(InputError, match="no such folder"):
        results([tmp_path / "nothing"])


def test_points_of_a_sweep_stand_for_their_runs(tmp_path: Path) -> None:
    finished(tmp_path, "alone-1")
    run = finished(tmp_path, "point-2")
    sweep = SweepFolder(tmp_path / "area-sweep-3")
    write_atomic(sweep.path / "sweep.yaml", "name: area\n")
    better = {**row_of(single().to_json()), "best": 50.0, "folder": str(run.path)}  # handed on by another point
    sweep.write(PointRecord(0, {"limits.area": "1 mm^2", "budget": {"seconds": 5}}, better))
    wrong = row_of({"study": "area", "status": FAILED, "message": "unknown unit"})
    sweep.write(PointRecord(1, {"limits.area": "1 parsec", "budget": None}, wrong))
    write_atomic(sweep.path / "points" / "2.json", "{")
    table = results(runs=tmp_path)
    assert table.columns[-4:] == ("sweep", "point", "limits.area", "budget")
    assert sorted(table.column("run")) == ["", "", "alone-1", "point-2"]
    rows = results([sweep.path])
    assert [(row["point"], row["state"], row["status"], row["best"]) for row in rows] == [
        (0, "finished", "feasible", 50.0),
        (1, "failed", "failed", None),
        (2, "damaged", None, None),
    ]
    assert (rows[0]["limits.area"], rows[0]["budget"]) == ("1 mm^2", '{"seconds": 5}')
    assert rows[0]["when"] == run.when
    assert rows[1]["message"] == "unknown unit"
    assert "2.json is not as it was written" in rows[2]["message"]


def test_the_list_of_runs(tmp_path: Path) -> None:
    every_state(tmp_path)
    rows = {row["name"]: row for row in list_rows(tmp_path)}
    assert rows["quickstart-1"] == {
        "name": "quickstart-1",
        "study": "quickstart",
        "state": "finished",
        "when": "1970-01-01 00:16:40",
        "best": "44.017 samples/s",
        "gap_percent": pytest.approx(6.76),
        "message": "",
    }
    assert (rows["small-2"]["best"], rows["small-2"]["message"]) == ("infeasible", "no design meets it")
    assert (rows["killed-5"]["best"], rows["killed-5"]["state"]) == ("", "interrupted")
    assert len(rows["torn-9"]["message"]) <= 60


def test_the_row_of_an_outcome() -> None:
    row = single().to_row()
    assert list(row) == [column.name for column in COLUMNS]
    assert (row["best"], row["unit"]) == (44.017, "samples/s")
    assert row["gap"] == pytest.approx(6.76)
    assert (row["samples_per_s"], row["step_s"], row["placement"]) == (44.017, 0.727, None)
    assert pipeline().to_row()["designs"] == "; ".join(design.name for design in pipeline().designs)
    several = common().to_row()
    assert (several["samples_per_s"], several["step_s"], several["metric"]) == (None, None, "relative step time")


def test_the_row_of_a_placement() -> None:
    found = placed()
    assert isinstance(found, PlacementOutcome)
    row = found.to_row()
    assert list(row) == [column.name for column in COLUMNS]
    assert row["best"] == found.certificate.objective
    assert (row["unit"], row["sense"], row["designs"]) == ("samples/s", "maximize", found.design.name)
    assert row["gap"] == pytest.approx(100 * found.certificate.gap)
    assert row["step_s"] == row["value"] == found.value
    assert row["samples_per_s"] == found.samples_per_s
    assert row["area_mm2"] == pytest.approx(found.devices * found.design.area_mm2)
    assert row["tdp_w"] == pytest.approx(found.devices * found.design.tdp_w)
    assert str(row["placement"]).startswith("tensor 2 × pipeline 2 × data 2 × expert 1, microbatch 1")


def test_the_row_of_what_has_no_answer() -> None:
    row = row_of({"study": "s", "status": "infeasible", "message": "why"})
    assert {key: value for key, value in row.items() if value not in (None, "", 0)} == {
        "study": "s",
        "status": "infeasible",
        "message": "why",
    }
