"""What changed between runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from accmine.errors import InputError
from accmine.questions.results.differences import differences, render
from accmine.questions.run.folder import RunFolder, RunState
from tests.samples.report_sample import common, single
from tests.samples.runs_sample import finished

FIRST = "name: quickstart\nlimits: {area: 333 mm^2}\nworkloads:\n- {use: bert-large, batch: 32}\n"
SECOND = FIRST.replace("333", "500").replace("32}", "64, sequence: 128}")


def two(runs: Path) -> list[RunFolder]:
    better = replace(single(), certificate=replace(single().certificate, objective=88.034), area_mm2=496.86)
    return [finished(runs, "one", study=FIRST), finished(runs, "two", better, SECOND)]


def test_keys_with_both_values_and_columns_with_their_ratio(tmp_path: Path) -> None:
    found = differences(two(tmp_path))
    assert [(row.key, row.values) for row in found.study] == [
        ("limits.area", ("333 mm^2", "500 mm^2")),
        ("workloads.0.batch", (32, 64)),
        ("workloads.0.sequence", (None, 128)),
    ]
    answer = {row.name: row for row in found.answer}
    assert answer["best"].values == (44.017, 88.034)
    assert answer["best"].ratios == pytest.approx((2.0,))
    assert answer["best"].unit == "samples/s"
    assert answer["area_mm2"].ratios == pytest.approx((1.5,))
    assert answer["status"].ratios == (None,)
    assert [row.name for row in found.answer if not row.same] == ["best", "area_mm2"]
    assert "folder" not in answer
    table = found.to_json()
    assert table["runs"] == ["one", "two"]
    assert table["study"][0] == {"key": "limits.area", "values": ["333 mm^2", "500 mm^2"]}
    text = render(found, width=150)
    assert "333 mm^2" in text
    assert "2.0000" in text
    assert repr(found) == "<Differences of one, two: 3 keys of the study; best, area_mm2>"


def test_values_of_other_units_have_no_ratio(tmp_path: Path) -> None:
    folders = [finished(tmp_path, "one"), finished(tmp_path, "two", common())]
    answer = {row.name: row for row in differences(folders).answer}
    assert answer["best"].ratios == (None,)
    assert answer["tdp_w"].ratios == (1.0,)


def test_versions_that_decide_are_told(tmp_path: Path) -> None:
    other = replace(single(), versions={"ortools": "9.16.0", "highspy": "1.14.0"})
    found = differences([finished(tmp_path, "one"), finished(tmp_path, "two", other)])
    assert [(row.key, row.values) for row in found.study] == [("versions.ortools", ("9.15.0", "9.16.0"))]


def test_three_runs_and_equal_ones(tmp_path: Path) -> None:
    found = differences([*two(tmp_path), finished(tmp_path, "three", study=FIRST)])
    assert found.study[0].values == ("333 mm^2", "500 mm^2", "333 mm^2")
    assert {row.name: row for row in found.answer}["best"].ratios == pytest.approx((2.0, 1.0))
    assert "three / first" in render(found, width=200)
    same = differences([finished(tmp_path, "three", study=FIRST)] * 2)
    assert same.study == ()
    assert "the studies are the same" in render(same)


def test_what_cannot_be_compared(tmp_path: Path) -> None:
    one = finished(tmp_path, "one")
    with pytest.raises(InputError, match="two runs or more, got 1"):
        differences([one])
    bare = RunFolder(tmp_path / "bare")
    bare.end(RunState.FAILED)
    with pytest.raises(InputError, match="no such file"):
        differences([one, bare])
    bare.write_text("study.yaml", "name: x\n")
    with pytest.raises(InputError, match="has no result; its state is: failed"):
        differences([one, bare])
    bare.write_text("result.json", "{")
    with pytest.raises(InputError, match="not valid JSON"):
        differences([one, bare])
