"""Suites of training steps: rows, groups of plans and the lines of the summary."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from accmine.hardware.stack import UNCALIBRATED
from accmine.questions.accuracy.suites import rows, summary
from accmine.questions.accuracy.training.suites import FILES, TRAINING, training_rows

SAMPLES = Path(__file__).parents[3] / "data" / "training"


@pytest.fixture(scope="module", params=TRAINING)
def suite(request: pytest.FixtureRequest) -> tuple[str, list[dict[str, Any]], list[dict[str, Any]]]:
    lines = summary(SAMPLES, [request.param]) if request.param != "fsdp" else []
    return request.param, rows(request.param, SAMPLES), lines


def test_rows_compare_model_and_measurement(suite: tuple[str, list[dict[str, Any]], list[dict[str, Any]]]) -> None:
    name, found, _ = suite
    steps = [row for row in found if "per step" in row["quantity"]]
    assert len(steps) == {"training": 7, "vtrain": 22, "fsdp": 3}[name]
    for row in found:
        assert row["ratio"] == row["model"] / row["published"]
        assert row["source"]


def test_means_and_ranks_are_judged(suite: tuple[str, list[dict[str, Any]], list[dict[str, Any]]]) -> None:
    name, _, lines = suite
    if name == "training":
        found = [(line["rows"], line["mape_at_most"], line["ok"]) for line in lines]
        assert found == [(3, 0.08, True), (4, 0.06, True), (4, None, True)]
    if name == "vtrain":
        assert lines[0]["ok"] is None  # no limit of the mean
        ranks = [line for line in lines if line["quantity"].startswith("rank of the plans")]
        losses = [line for line in lines if line["quantity"].startswith("loss by the plan")]
        assert [line["rows"] for line in (*ranks, *losses)] == [2] * 4
        for line, least in zip(ranks, (0.9, 0.8), strict=True):
            assert line["ok"] == (line["rank"] >= least)
        for line, most in zip(losses, (0.05, 0.2), strict=True):
            assert line["ok"] == (line["mape"] <= most)


def test_every_group_of_plans_is_listed_with_its_rank_and_the_plan_taken() -> None:
    found = rows("vtrain", SAMPLES)
    groups = [row for row in found if row["quantity"].startswith("ms of the plan taken")]
    assert [row["name"].partition(":")[0] for row in groups] == [
        f"12 layers of {width}, 16 heads, 1024 tokens, batch 16, 2 devices" for width in (2048, 1024)
    ]
    plans = [row for row in found if row["quantity"] == "ms per step" and " of 1024, " in row["name"]]
    measured, model = ([row[key] for row in plans] for key in ("published", "model"))
    assert groups[1]["published"] == min(measured)
    assert groups[1]["model"] == measured[int(np.argmin(model))]
    assert f"{len(plans)} plans, rank " in groups[1]["name"]


def test_the_memory_of_what_ran_fits() -> None:
    fits = [row for row in training_rows("fsdp", SAMPLES) if row["quantity"].startswith("GB of a device")]
    assert [row["ok"] for row in fits] == [True] * 3
    assert {row["published"] for row in fits} == {40.0, 80.0}


full = pytest.mark.full
data = pytest.mark.skipif(not os.environ.get("ACCMINE_DATA"), reason="needs ACCMINE_DATA")


@full
@data
@pytest.mark.parametrize("name", TRAINING)
def test_the_targets_are_met(name: str) -> None:
    lines = summary(Path(os.environ["ACCMINE_DATA"]), [name])
    assert all(line["ok"] is not False for line in lines)
    assert len(FILES[name]) >= 1


@full
@data
def test_what_is_said_without_a_stack_is_the_spread_of_the_suites() -> None:
    folder = Path(os.environ["ACCMINE_DATA"])
    for name, (_, low, high) in zip(TRAINING, UNCALIBRATED, strict=True):
        steps = [row for row in rows(name, folder) if "per step" in row["quantity"]]
        spread = np.percentile([1.0 / row["ratio"] for row in steps], (5, 95))
        assert [round(value, 2) for value in spread.tolist()] == [low, high]
