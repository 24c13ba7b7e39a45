"""``accmine calibrate --runs`` and ``accmine ledger --ablation``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from accmine.hardware.stack import load_stack
from tests.samples.command_sample import caller

SAMPLES = Path(__file__).parents[3] / "data" / "training"
RUNS = SAMPLES / "vtrain_single_node.csv"


@pytest.fixture
def accmine(capsys: pytest.CaptureFixture[str]) -> Any:
    return caller(capsys)


def test_a_stack_is_calibrated_scored_and_written(accmine: Any, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    said = accmine("calibrate", "--runs", RUNS, "--accelerator", "a100-80gb", "-o", file)
    assert said.code == 0
    assert "calibrated on 20 of 22 steps, which are not scored" in said.out
    assert "the other 2: mean error" in said.out
    assert f"written: {file}" in said.out
    stack = load_stack(file)
    assert stack.name == "mine"
    assert len(stack.runs) == 20
    assert f"{stack.factor:.4g} times the modelled time" in said.out
    again = accmine("calibrate", "--runs", RUNS, "--accelerator", "a100-80gb", "--json").json
    assert again["stack"]["factor"] == stack.factor
    assert again["stack"]["runs"] == list(stack.runs)
    assert accmine("calibrate", "--runs", RUNS, "--accelerator", "a100-80gb", "--seed", "1", "--json").json != again


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--fit", "launch"), "--fit: is about measured operators"),
        (("--holdout", "0.3"), "--holdout: is about measured operators"),
        (("--clock", "host"), "--clock: is about measured operators"),
        (("--kind", "norm"), "--kind: is about measured operators"),
        (("--cluster", "nowhere"), "unknown cluster 'nowhere'"),
    ],
)
def test_options_that_do_not_fit_are_refused(accmine: Any, options: tuple[str, ...], says: str) -> None:
    said = accmine("calibrate", "--runs", RUNS, "--accelerator", "a100-80gb", *options)
    assert said.code == 2
    assert says in said.err


def test_something_measured_is_needed(accmine: Any) -> None:
    said = accmine("calibrate", "--accelerator", "a100-80gb")
    assert (said.code, "or --runs" in said.err) == (2, True)
    operators = Path(__file__).parents[3] / "data" / "matmul_sample.csv"
    said = accmine("calibrate", operators, "--accelerator", "a100-80gb-like", "--cluster", "dgx-a100")
    assert (said.code, "--cluster: is about measured training steps" in said.err) == (2, True)


def test_the_ablation_is_printed(accmine: Any) -> None:
    assert len(accmine("ledger", "--ablation", "--data", SAMPLES, "--json").json) == 15
    assert accmine("ledger", "--ablation", "--suite", "vtrain", "--data", SAMPLES).code == 2
