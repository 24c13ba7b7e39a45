"""Suites: every row is a study that holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from accmine.errors import InputError
from accmine.files import names
from accmine.plan import plan_of
from accmine.study import load_suite

MODELS = "mobilenet-v3-large resnet-18 inception-v3 resnext-101 vgg-16 gnmt-4 bert-base bert-large "
MODELS += "opt-1.3b gpt2-xl gpt-3-175b"


def test_wham_has_eleven_models_under_two_metrics() -> None:
    entries = load_suite("wham")
    assert [e.model for e in entries[::2]] == MODELS.split()
    assert [e.metric for e in entries] == ["throughput", "throughput-per-tdp"] * 11
    assert all(e.study.objective == e.metric and e.study.operator_split == "none" for e in entries)
    assert {e.model: e.needs for e in entries if e.needs} == {"gpt-3-175b": "tensor parallel"}
    assert all((e.tensor > 1) == bool(e.needs) for e in entries)


def test_keys_can_be_replaced_in_every_row() -> None:
    assert {e.study.operator_split for e in load_suite("wham", {"operator_split": "even"})} == {"even"}
    with pytest.raises(InputError, match="operator_split"):
        load_suite("wham", {"operator_split": "odd"})


@pytest.mark.parametrize("model", ["mobilenet-v3-large", "resnet-18", "vgg-16", "bert-base"])
def test_rows_fit_the_memory_of_the_template(model: str) -> None:
    entry = next(e for e in load_suite("wham") if e.model == model)
    plan = plan_of(entry.study)
    assert max(t.memory_bytes for t in plan.tasks) <= max(plan.template.hbm_bytes)


@pytest.mark.full
def test_every_runnable_row_fits_the_memory_of_the_template() -> None:
    for entry in load_suite("wham"):
        if not entry.needs:
            plan = plan_of(entry.study)
            assert max(t.memory_bytes for t in plan.tasks) <= max(plan.template.hbm_bytes), entry.model


def test_unknown_names_and_files_are_named(tmp_path: Path) -> None:
    assert "wham" in names("suites")
    with pytest.raises(InputError, match="did you mean 'wham'"):
        load_suite("whan")
    with pytest.raises(InputError, match="no such file"):
        load_suite(tmp_path / "none.yaml")


def test_a_file_of_the_same_form(tmp_path: Path) -> None:
    text = "name: own\nmetrics: [throughput]\nstudy: {accelerator: {use: wham}}\n"
    path = tmp_path / "own.yaml"
    path.write_text(text + "rows:\n  - {model: vgg-16, workload: {batch: 8, optimizer: sgd}}\n")
    (entry,) = load_suite(path)
    assert (entry.model, entry.study.workloads[0].batch) == ("vgg-16", 8)
    path.write_text(text + "rows:\n  - {model: vgg-16, workload: {batch: 8}, tensors: 2}\n")
    with pytest.raises(InputError, match="tensors"):
        load_suite(path)
