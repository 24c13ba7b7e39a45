"""Fully sharded models: parameters, times made of the longer of kernels and collectives, memory."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from accmine.errors import InputError
from accmine.questions.accuracy.training.fsdp import MODELS, FsdpRun, fsdp_bytes, fsdp_s, read_fsdp
from accmine.questions.accuracy.training.machine import Machine, machine_of

SAMPLE = Path(__file__).parents[3] / "data" / "training" / "llm_foundry_a100.csv"


@pytest.fixture(scope="module")
def machine() -> Machine:
    return machine_of()


@pytest.fixture(scope="module")
def run() -> FsdpRun:
    return next(run for run in read_fsdp(SAMPLE) if run.model == "760m")


def test_what_is_read_of_a_row(run: FsdpRun) -> None:
    assert (run.chip, run.devices, run.microbatch, run.microbatches) == ("a100-80gb", 8, 12, 2)
    assert (run.recompute, run.gathered) == ("none", 4)
    assert run.seconds == 192 * 4096 / 218_808
    assert {r.recompute for r in read_fsdp(SAMPLE)} == {"none", "full"}
    assert {r.gathered for r in read_fsdp(SAMPLE)} == {2, 4}  # PURE and DEFAULT


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("763616256", "763616257", "763616257 parameters, the model has 763616256"),
        ("760m", "770m", "unknown or missing: 770m"),
        ("218808", "fast", "is no run"),
    ],
)
def test_rows_that_are_no_runs_are_named(tmp_path: Path, old: str, new: str, says: str) -> None:
    file = tmp_path / "runs.csv"
    file.write_text(SAMPLE.read_text().replace(old, new))
    with pytest.raises(InputError, match=rf"runs\.csv:4.*{says}"):
        read_fsdp(file)


def test_collectives_hide_behind_kernels_but_those_of_the_root(run: FsdpRun, machine: Machine) -> None:
    alone = replace(run, devices=1)
    both = [fsdp_s(own, machine) for own in (run, alone)]
    assert both[0] - both[1] < 0.05 * both[1]
    # Of one sequence the gathers take longer than the kernels: more devices, no less time.
    small = [fsdp_s(replace(run, microbatch=1, sequence=128, devices=n), machine) for n in (1, 8, 64)]
    assert small[0] < small[1] < small[2]


def test_recomputation_takes_time_and_saves_memory(run: FsdpRun, machine: Machine) -> None:
    again = replace(run, recompute="full")
    assert fsdp_s(again, machine) > 1.2 * fsdp_s(run, machine)
    assert fsdp_bytes(again) < 0.5 * fsdp_bytes(run)


def test_states_are_divided_among_the_devices(run: FsdpRun) -> None:
    width, _, layers = MODELS[run.model]
    parameters = (50_368 + run.sequence) * width + layers * (12 * width + 13) * width + 2 * width
    few, many = (fsdp_bytes(replace(run, devices=n)) for n in (1, 16))
    assert few - many == 16 * parameters - 16 * parameters // 16


def test_what_ran_is_said_to_fit() -> None:
    for own in read_fsdp(SAMPLE):
        assert fsdp_bytes(own) <= (40e9 if "40" in own.chip else 80e9)


def test_measured_steps_are_not_faster_than_the_model(machine: Machine) -> None:
    for own in read_fsdp(SAMPLE):
        if own.chip == "a100-80gb":
            assert 0.5 * own.seconds < fsdp_s(own, machine) < own.seconds
