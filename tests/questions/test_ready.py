"""Studies in Python: names, files, mappings, and changes as values."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from accmine.errors import InputError
from accmine.questions.ready import load, load_sweep
from accmine.study import load_study
from tests.samples.search_sample import study_text

MINE: dict[str, Any] = {
    "name": "mine",
    "workloads": [{"use": "bert-large", "batch": 32}],
    "accelerator": {"use": "wham"},
    "limits": {"area": "600 mm^2"},
}


def test_names_files_and_mappings_are_the_same_study(tmp_path: Path) -> None:
    text = study_text()
    (tmp_path / "tiny.yaml").write_text(text)
    from_file, from_mapping = load(tmp_path / "tiny.yaml"), load(json.loads(text))
    assert from_file.study == from_mapping.study
    assert load("quickstart").study == load_study("quickstart").study
    assert repr(load("quickstart")) == "<ReadyStudy quickstart: bert-large; throughput>"
    ready = load(MINE)
    assert load(ready) == ready
    with pytest.raises(InputError, match="takes no changes"):
        load(ready, limits={"area": "1 mm^2"})


def test_changes_are_keywords_or_overrides() -> None:
    by_words = load("quickstart", ["limits.area=400 mm^2", "budget.seconds=5", "workloads.0.batch=64"])
    by_mapping = load("quickstart", {"limits.area": "400 mm^2", "budget.seconds": 5, "workloads.0.batch": np.int64(64)})
    mixed = load("quickstart", ["workloads.0.batch=64"], limits={"area": "400 mm^2"}, budget={"seconds": np.float32(5)})
    assert by_words.study == by_mapping.study == mixed.study
    assert mixed.study.limits.tdp == "baseline", "a mapping leaves the keys that it does not name"
    assert mixed.study.budget.workers == 2
    assert load("quickstart", workloads=[{"use": "resnet-18", "batch": 8}]).study.workloads[0].batch == 8
    assert load(MINE, objective={"pareto": ["throughput", "tdp"]}).study.objective != "throughput", "takes its place"
    assert load(MINE, design="tpuv2-like").study.accelerator.mapping() == {"use": "tpuv2-like"}
    assert load(MINE, baseline="tpuv3-like", baselines=("tpuv3-like",)).study.baselines == ("tpuv3-like",)
    assert load(MINE, description="a: b # é 😀").study.description == "a: b # é 😀"
    assert load(MINE, ["limits.area=1 mm^2"], limits={"area": "2 mm^2"}).study.limits.area == "2 mm^2", "the last one"
    assert MINE["limits"] == {"area": "600 mm^2"}, "what is given stays as it is"


@pytest.mark.parametrize("study", ["quickstart", MINE], ids=["name", "mapping"])
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"limits": {"area": "400 parsec"}}, "keywords: limits.area: unknown unit 'parsec'"),
        ({"limits": {"area": 400}}, "keywords: limits.area: 400 has no unit"),
        ({"limts": {"area": "1 mm^2"}}, "keywords: limts: unknown key 'limts'; did you mean 'limits'?"),
        ({"limits": {"area": float("nan")}}, "limits.area: must be a finite number, a text"),
        ({"budget": {"seconds": object()}}, "budget.seconds: must be a finite number"),
        ({"workloads": [{"use": "berty", "batch": 1}]}, "keywords: workloads.0.use: unknown workload 'berty'"),
        ({"overrides": {"limits.area": "400 parsec"}}, "overrides: limits.area: unknown unit 'parsec'"),
        ({"overrides": ["limits.area=400 parsec"]}, "--set limits.area=400 parsec: limits.area: unknown unit"),
        ({"overrides": {"workloads.7.batch": 1}}, "overrides: workloads.7.batch: '7' is not an index"),
        ({"design": "tpuv0"}, "design tpuv0: accelerator.use: unknown accelerator 'tpuv0'"),
    ],
)
def test_what_is_wrong_is_named(study: Any, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        load(study, **changes)
    assert str(caught.value).startswith(message)


def test_a_mapping_that_is_no_study() -> None:
    with pytest.raises(InputError) as caught:
        load({"name": "x", "workloads": []})
    assert str(caught.value).splitlines() == [
        "study: workloads: must have at least 1 item, got []",
        "study: accelerator: is required",
    ]
    with pytest.raises(InputError, match=r"keywords: sweep: asks for more than one run, which is for accmine\.sweep"):
        load(MINE, sweep={"grid": {"limits.area": ["1 mm^2"]}})


def test_sweeps(tmp_path: Path) -> None:
    block = {"grid": {"limits.area": ["500 mm^2", "600 mm^2"], "workloads.0.batch": [8, 16, 32]}}
    by_keyword, whole = load_sweep(MINE, sweep=block), load_sweep({**MINE, "sweep": block})
    assert by_keyword.count == whole.count == 6
    assert by_keyword.point(5).values == whole.point(5).values == {"limits.area": "600 mm^2", "workloads.0.batch": 32}
    file = tmp_path / "s.yaml"
    file.write_text(json.dumps({**MINE, "sweep": block}))
    assert load_sweep(file, ["limits.tdp=300 W"]).study(whole.point(0)).study.limits.tdp == "300 W"
    with pytest.raises(InputError, match=r"unknown key .aria."):
        load_sweep(MINE, sweep={"grid": {"limits.aria": [1]}})
