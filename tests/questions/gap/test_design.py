"""Designs from anywhere: the same design has the same gap, and every violated limit is a number."""

from __future__ import annotations

import re
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from accmine.errors import InputError
from accmine.hardware import Calibration, dump_design
from accmine.plan import under_limits
from accmine.questions.gap.design import rate_design, violations
from accmine.questions.gap.record import WHOLE
from tests.samples.gap_sample import KEYS, ground, measured, rows, study, without_prover  # noqa: F401 — for every test
from tests.samples.search_sample import design


def save(folder: Path, name: str, **values: int) -> str:
    path = folder / f"{name}.yaml"
    path.write_text(dump_design(design(**values)))
    return str(path)


@pytest.mark.parametrize("case", ["pipeline per TDP", "common"])
def test_our_own_design_has_our_gap(case: str, tmp_path: Path) -> None:
    refined = measured(case).refined
    assert refined is not None
    own = [schedule.design for _, schedule in sorted(refined.final.items())]
    names = []
    for i, each in enumerate(own if case.startswith("pipeline") else own[:1]):
        (tmp_path / f"{i}.yaml").write_text(dump_design(each))
        names.append(str(tmp_path / f"{i}.yaml"))
    theirs = rate_design(study(**KEYS[case]), names)
    count = len(theirs) // 2
    for row, known in zip(theirs[:count], rows(case), strict=True):
        assert row.violations == ()
        assert row.gap_refined == known.gap_refined
        assert (row.refined, row.bound, row.best) == (known.refined, known.bound, known.best)
    assert [row.gap_after for row in theirs[count:]] == [row.gap_after for row in rows(case)]
    assert theirs[0].method == ", ".join(Path(name).name for name in names)


def test_a_worse_design_has_a_larger_gap(tmp_path: Path) -> None:
    theirs, own = rate_design(study(), [save(tmp_path, "small", tensor_cores=1)])
    assert theirs.gap_refined is not None
    assert own.gap_refined is not None
    assert theirs.gap_refined > own.gap_refined
    assert theirs.gap_after == own.gap_after
    assert theirs.best == own.best


@pytest.mark.parametrize(
    ("changes", "values", "message"),
    [
        ({}, {"tensor_cores": 64}, "tensor_cores 64 is not in the template; allowed: 1, 2"),
        ({}, {"gbps": 90}, "hbm_bytes_per_s 90000000000 is not in the template; allowed: 70000000000"),
        ({"limits.area": 300.0}, {}, r"^limits\.area: 415\.\d+ mm\^2 used, 300 mm\^2 allowed, 115 mm\^2 too much"),
        ({"limits.tdp": 10.0}, {}, r"^limits\.tdp: .* W used, 10 W allowed, .* W too much"),
        ({"device_limits.area": 300.0}, {}, r"^device_limits\.area: .* 300 mm\^2 allowed"),
        ({"device_limits.tdp": 10.0}, {}, r"^device_limits\.tdp: .* 10 W allowed"),
    ],
)
def test_violations_are_numbers(changes: dict[str, Any], values: dict[str, int], message: str) -> None:
    base = copy(ground("one device"))
    assert violations(base, {(0, 0): design()}) == []
    base.session = base.session.under(under_limits(base.plan, changes))
    found = violations(base, {(0, 0): design(**values)})
    assert any(re.search(message, text) for text in found), found


def test_rates_and_calibration_are_those_of_the_template() -> None:
    own = design()
    rates, vector = (("fp32", 0.5), ("int8", 4.0)), (("bf16", 2.0),)
    other = replace(
        own,
        tensor=replace(own.tensor, rates=rates),
        vector=replace(own.vector, rates=vector),
        calibration=Calibration(array_efficiency=0.5),
    )
    found = [text.removeprefix(f"{other.name}: ") for text in violations(ground("one device"), {(0, 0): other})[:3]]
    assert re.match(r"calibration Calibration\(.*array_efficiency=0\.5.*\) is not that of the template, ", found[0])
    assert found[1:] == [
        "tensor_rates fp32 0.5, int8 4 is not that of the template, none",
        "vector_rates bf16 2 is not that of the template, none",
    ]


def test_memory_is_a_limit() -> None:
    base = copy(ground("one device"))
    (pipeline,) = base.plan.pipelines
    tasks = tuple(replace(task, memory_bytes=17 << 30) for task in pipeline.tasks)
    base.session = base.session.under(replace(base.plan, pipelines=(replace(pipeline, tasks=tasks),)))
    (found,) = violations(base, {(0, 0): design()})
    assert found.startswith("mlp: needs 17.00 GiB of HBM, ")
    assert found.endswith(" has 16.00 GiB")


@pytest.mark.parametrize(
    ("keys", "values", "message"),
    [
        ({}, {"tensor_cores": 64}, "limits.area"),
        (
            {"objective": "throughput-per-tdp", "floor": 1.02},
            {"tensor_cores": 1},
            r"^floor: 0\.\d+ of the baseline's throughput, at least 1\.02 needed",
        ),
    ],
)
def test_what_violates_has_no_gap(keys: dict[str, Any], values: dict[str, int], message: str, tmp_path: Path) -> None:
    theirs, own = rate_design(study(**keys), [save(tmp_path, "mine", **values)])
    assert any(re.search(message, text) for text in theirs.violations), theirs.violations
    assert theirs.gap_before is None
    assert theirs.gap_refined is None
    assert theirs.best == own.best  # it is not the best, however fast
    assert own.violations == ()


def test_one_design_per_device_or_one_for_all(tmp_path: Path) -> None:
    a, b = save(tmp_path, "a"), save(tmp_path, "b", tensor_cores=1)
    with pytest.raises(InputError, match="3 designs; allowed: 1, or 2, one per device"):
        rate_design(study(**KEYS["pipeline"]), [a, a, b])
    with pytest.raises(InputError, match="mode: common gives all devices one design"):
        rate_design(study(**KEYS["common"]), [a, b])
    found = rate_design(study(**KEYS["pipeline"]), [a, b])
    assert [row.part for row in found[:3]] == [WHOLE, "gpt/stage0", "gpt/stage1"]


def test_a_template_is_no_design(tmp_path: Path) -> None:
    (tmp_path / "open.yaml").write_text(dump_design(design()).replace("tensor_cores: 2", "tensor_cores: [1, 2]"))
    with pytest.raises(InputError, match="one value"):
        rate_design(study(), [str(tmp_path / "open.yaml")])
