"""The points of a sweep: what a document may say, how points are counted and made, and where complaints point."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from accmine.errors import InputError
from accmine.files import load_yaml
from accmine.study import load_study, load_sweep, sweep_in
from tests.samples.search_sample import folder, study_text
from tests.samples.sweep_sample import loaded


def complaint(tmp_path: Path, sweep: Any, **keys: Any) -> str:
    with pytest.raises(InputError) as caught:
        loaded(tmp_path, sweep, **keys)
    return str(caught.value)


def test_points_are_the_product_of_all_blocks(tmp_path: Path) -> None:
    sweep = {
        "variants": {"plain": {}, "small": {"limits.area": "1 mm^2"}},
        "list": [{"objective": "throughput"}, {"objective": "bottleneck", "budget.seed": 3}],
        "zip": {"workloads[0].batch": [8, 16], "workloads[0].microbatch": [4, 8]},
        "grid": {"limits.tdp": ["80 W", "90 W", "100 W"], "budget.work": [1, 2]},
    }
    found = loaded(tmp_path, sweep)
    assert found.count == 2 * 2 * 2 * 3 * 2
    points = [found.point(number) for number in range(found.count)]
    assert len({json.dumps(point.values, sort_keys=True) for point in points}) == found.count
    assert found.columns == (
        *("variant", "objective", "budget.seed", "workloads.0.batch", "workloads.0.microbatch"),
        *("limits.tdp", "budget.work"),
    )
    assert points[0].values == {
        "variant": "plain",
        "objective": "throughput",
        "workloads.0.batch": 8,
        "workloads.0.microbatch": 4,
        "limits.tdp": "80 W",
        "budget.work": 1,
    }
    assert points[1].values["budget.work"] == 2, "the last key changes first"
    for point in points:
        assert found.number_of(found.indices_of(point.number)) == point.number
    study = found.study(points[-1]).study
    assert (study.objective, study.budget.seed, study.workloads[0].batch) == ("bottleneck", 3, 16)
    assert (study.limits.area, study.limits.tdp) == ("1 mm^2", "100 W")


def test_whole_workloads_and_files_may_be_swept(tmp_path: Path) -> None:
    for name in ("mlp", "gpt"):
        (tmp_path / f"{name}.yaml").write_text((folder() / f"{name}.yaml").read_text())
    grid = {
        "workloads.0.batch": [4, 8],
        "workloads.0": [{"use": "mlp.yaml", "batch": 1}, {"use": "gpt.yaml", "batch": 1, "name": "small"}],
    }
    found = loaded(tmp_path, {"grid": grid})
    studies = [found.study(found.point(number)).study for number in range(4)]
    assert [(s.workloads[0].name, s.workloads[0].batch) for s in studies] == [
        ("mlp", 4),
        ("small", 4),
        ("mlp", 8),
        ("small", 8),
    ], "a key of a workload is set in the workload of the point"
    assert {Path(name).name for name in found.content} >= {"mlp.yaml", "gpt.yaml"}


@pytest.mark.parametrize(
    ("sweep", "said"),
    [
        ({}, "has no points"),
        ({"grid": {}}, "grid"),
        ({"grid": {"limits.area": []}}, "limits.area"),
        ({"grid": {"limits.area": "400 mm^2"}}, "limits.area"),
        ({"grit": {"limits.area": ["400 mm^2"]}}, "grit"),
        ({"grid": {"limits.aera": ["400 mm^2"]}}, "aera"),
        ({"grid": {"limits.area": ["400 mm^2", "400 W"]}}, "limits.area"),
        ({"grid": {"workloads.7.batch": [1]}}, "not an index of workloads"),
        ({"grid": {"sweep.grid": [1]}}, "cannot be swept"),
        ({"grid": {"limits area": [1]}}, "is no dotted key"),
        ({"zip": {"limits.area": ["400 mm^2"], "limits.tdp": ["80 W", "90 W"]}}, "zip needs as many of each"),
        ({"grid": {"budget.seed": [1]}, "variants": {"a": {"budget.seed": 2}}}, "is in variants as well"),
        ({"list": []}, "list"),
        ({"list": [{}]}, "list"),
        ({"share": 0, "grid": {"budget.seed": [1]}}, "share"),
        (["limits.area"], "sweep"),
    ],
)
def test_what_is_wrong_is_refused_with_its_place(tmp_path: Path, sweep: Any, said: str) -> None:
    text = complaint(tmp_path, sweep)
    assert said in text
    assert "tiny.yaml:" in text


def test_a_complaint_names_the_line_of_the_value(tmp_path: Path) -> None:
    path = tmp_path / "tiny.yaml"
    body = study_text(budget={"seconds": 1})
    path.write_text(body[:-1] + ',\n"sweep": {"grid": {"limits.area": ["400 mm^2",\n  "baseline",\n  "400 W"]}}}\n')
    with pytest.raises(InputError) as caught:
        load_sweep(path)
    (found,) = caught.value.complaints
    assert found.where.endswith("tiny.yaml:4:3")
    assert found.field == "limits.area"


def test_a_value_that_is_right_beside_others_is_no_mistake(tmp_path: Path) -> None:
    """Of batch and microbatch some combinations do not divide: those points fail, the sweep does not."""
    found = loaded(tmp_path, {"grid": {"workloads.0.batch": [8, 9], "workloads.0.microbatch": [2, 3]}})
    assert found.count == 4
    with pytest.raises(InputError, match="microbatch"):
        found.study(found.point(1))


def test_a_billion_points_are_counted_and_none_is_made(tmp_path: Path) -> None:
    began = time.process_time()
    found = loaded(tmp_path, {"grid": {f"budget.{key}": list(range(1, 1001)) for key in ("seed", "seconds", "work")}})
    assert found.count == 10**9
    assert found.point(123_456_789).values == {"budget.seed": 124, "budget.seconds": 457, "budget.work": 790}
    assert time.process_time() - began < 20


def test_a_study_command_says_which_command_takes_a_sweep(tmp_path: Path) -> None:
    loaded(tmp_path, {"grid": {"budget.seed": [1, 2]}})
    with pytest.raises(InputError, match=r"tiny\.yaml:\d+:\d+: sweep: .*accmine sweep") as caught:
        load_study(tmp_path / "tiny.yaml")
    assert "accmine run" in str(caught.value)
    (tmp_path / "plain.yaml").write_text(study_text())
    with pytest.raises(InputError, match="has no block `sweep`"):
        load_sweep(tmp_path / "plain.yaml")


def test_overrides_change_every_point_and_the_sweep_itself(tmp_path: Path) -> None:
    loaded(tmp_path, {"grid": {"budget.seed": [1, 2]}})
    found = load_sweep(tmp_path / "tiny.yaml", ["limits.area=450 mm^2", "sweep.grid={budget.seed: [7, 8, 9]}"])
    assert found.count == 3
    study = found.study(found.point(2)).study
    assert (study.limits.area, study.budget.seed) == ("450 mm^2", 9)


def test_a_document_that_was_read_elsewhere_is_checked_alike(tmp_path: Path) -> None:
    path = tmp_path / "tiny.yaml"
    text = study_text()[:-1] + ', "sweep": {"grid": {"limits.aera": [1]}}}'
    with pytest.raises(InputError, match="aera"):
        sweep_in(load_yaml(text=text, name="tiny.yaml"), path)
    assert sweep_in(load_yaml(text=text, name="tiny.yaml"), path, check=False).count == 1


def test_an_unknown_block_is_answered_with_the_names_that_documents_use(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"did you mean 'grid'.* allowed: share, variants, list, zip, grid$"):
        loaded(tmp_path, {"gird": {"limits.area": ["500 mm^2"]}})


def test_of_many_wrong_values_the_first_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("accmine.study.sweep.WRONG", 3)
    with pytest.raises(InputError) as caught:
        loaded(tmp_path, {"grid": {"limits.area": [f"{i} W" for i in range(1, 10)], "budget.seed": [-1]}})
    said = [complaint.field for complaint in caught.value.complaints]
    assert said.count("limits.area") == 3
    assert "budget.seed" in said
