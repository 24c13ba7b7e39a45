"""``accmine validate``, ``accmine schema`` and ``accmine list``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from accmine.files import load_yaml, names, validate
from accmine.questions.study import listing
from accmine.study import Study
from tests.samples.command_sample import caller


@pytest.fixture
def accmine(capsys: pytest.CaptureFixture[str]) -> Any:
    return caller(capsys)


def test_validate_prints_a_valid_study(accmine: Any) -> None:
    said = accmine("validate", "quickstart", "--set", "limits.area=400 mm^2", "--set", "budget.seed=3")
    study = validate(load_yaml(text=said.out), Study)
    assert (said.code, study.limits.area, study.budget.seed) == (0, "400 mm^2", 3)
    assert accmine("validate", "quickstart", "--json").json["limits"]["area"] == "baseline"


def test_validate_complains_at_once(accmine: Any, tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text("name: t\nworkloads: [{use: bert-lrge, batch: 64}]\naccelerator: {use: wham}\nlimits: {area: 4}\n")
    said = accmine("validate", file)
    assert said.code == 2
    assert f"{file}:2:19: workloads.0.use: unknown workload 'bert-lrge'" in said.err
    assert f"{file}:4:16: limits.area: 4 has no unit" in said.err


def test_schema(accmine: Any) -> None:
    assert accmine("schema").json["title"] == "accmine study"
    assert accmine("schema", "--json").json == accmine("schema").json
    assert accmine("schema", "--markdown").out.startswith("# Keys of a study")


@pytest.mark.parametrize("what", listing.LISTS)
def test_list(accmine: Any, what: str) -> None:
    rows = accmine("list", what, "--json").json
    table = accmine("list", what).out.splitlines()
    assert len(table) == bool(rows) + len(rows)
    if what in ("workloads", "accelerators", "technologies", "clusters", "stacks", "kernels", "devices", "engines", "studies"):
        assert tuple(row["name"] for row in rows) == names(what)
