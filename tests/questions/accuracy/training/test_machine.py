"""The machine of measured runs: constants frozen from operators, kernels one after another, the host's limit."""

from __future__ import annotations

import os
from dataclasses import fields, replace
from pathlib import Path

import pytest

from accmine.cost import read_lines
from accmine.errors import InputError
from accmine.hardware import load_accelerator
from accmine.questions.accuracy.fit import Predictor
from accmine.questions.accuracy.samples import Sample
from accmine.questions.accuracy.training.layers import Pass, Shape, run_layers
from accmine.questions.accuracy.training.machine import ALL, CHIP, SUSTAINED, Machine, Terms, machine_of

SHAPE = Shape(2048, 16, 1024, 51_200, 2, 2, "full", False, "fp32")


@pytest.fixture(scope="module")
def machine() -> Machine:
    return machine_of()


def test_a_phase_takes_the_sum_of_its_kernels_on_a_whole_chip(machine: Machine) -> None:
    phase = run_layers(SHAPE)["layer"].forward
    samples = [Sample(kernel.work, 1.0, "") for kernel in phase.kernels]
    each = Predictor(samples, machine.design).seconds(machine.design.calibration)  # every number of cores
    assert replace(machine, host_s=0.0).seconds(phase) == pytest.approx(each.sum(), rel=1e-3)


def test_the_host_is_a_lower_limit(machine: Machine) -> None:
    phase = run_layers(SHAPE)["layer"].forward
    busy = replace(machine, host_s=0.0).seconds(phase)
    slow = replace(machine, host_s=2 * busy / phase.calls)
    assert slow.seconds(phase) == pytest.approx(2 * busy)
    assert replace(slow, terms=replace(ALL, host=False)).seconds(phase) == busy
    assert replace(machine, host_s=0.5 * busy / phase.calls).seconds(phase) == busy


def test_an_empty_phase_takes_no_time(machine: Machine) -> None:
    assert machine.seconds(Pass((), 0)) == 0.0


def test_every_term_left_out_makes_a_phase_no_longer() -> None:
    phase = run_layers(SHAPE)["layer"].backward
    whole = machine_of(replace(ALL, host=False)).seconds(phase)
    for name in ("vector", "core", "sustained", "bandwidth", "tiles"):
        without = machine_of(replace(ALL, host=False, **{name: False})).seconds(phase)
        assert without < whole, name


def test_products_keep_the_sustained_share_of_their_rate() -> None:
    burst, kept = machine_of(replace(ALL, sustained=False)).design, machine_of().design
    before, after = (design.calibration.of("product").array_efficiency for design in (burst, kept))
    assert after == pytest.approx(SUSTAINED * before)
    assert burst.calibration == load_accelerator(CHIP).calibration


def test_an_anchor_has_no_times() -> None:

    with pytest.raises(InputError, match="anchor of a published peak only"):
        machine_of(chip="a100-like")


def test_terms_are_all_on_by_default() -> None:
    assert all(getattr(Terms(), item.name) for item in fields(Terms))


@pytest.mark.full
@pytest.mark.skipif(not os.environ.get("ACCMINE_DATA"), reason="needs ACCMINE_DATA")
def test_the_sustained_share_is_that_of_the_data() -> None:
    (row,) = [
        cells
        for _, cells in read_lines(Path(os.environ["ACCMINE_DATA"]) / "matmul_sustained.csv")
        if cells["device"] == "A100 SXM"
    ]
    m, n, k = map(int, row["best_shape_MxNxK"].split("x"))
    sample = Sample.product(m, k, n, 1, "bf16", 2e-12 * m * k * n / float(row["sustained_tflops"]), "")
    design = load_accelerator(CHIP)
    modelled = float(Predictor([sample], design).seconds(design.calibration)[0])
    assert round(modelled / sample.seconds, 3) == SUSTAINED
