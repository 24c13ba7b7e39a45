"""Costs from a technology: linear in the count, in µm²."""

from __future__ import annotations

from fractions import Fraction

import pytest

from accmine.errors import InputError
from accmine.hardware.technology.file import load_technology
from accmine.problems.kernel_sizing import One, priced, um2_of
from accmine.solving import load_problem, solve
from tests.samples.kernel_sizing_sample import least_cost

EXAMPLE = "examples/kernel-sizing.json"


def test_a_mebibyte_of_sram_costs_what_the_technology_says() -> None:
    technology = load_technology("tpu-16nm")
    area = technology.area
    mebibyte = um2_of(One((1,), bytes=1 << 20), technology)
    assert mebibyte == pytest.approx(area.multiplier * area.sram_mm2_per_mib * 1e6)  # type: ignore[union-attr]
    both = um2_of(One((1,), bytes=1 << 20, macs=4, bytes_per_cycle=8), technology)
    assert both == pytest.approx(
        mebibyte + um2_of(One((1,), macs=4), technology) + um2_of(One((1,), bytes_per_cycle=8), technology)
    )


def test_a_priced_program_is_solved() -> None:
    program = load_problem(EXAMPLE).program
    resources = {
        ("location", "spad.A"): One((1, 2, 3), bytes=4096),
        ("location", "spad.B"): One((1, 2, 3), bytes=8192),
        ("port", "spad.write"): One((1, 2), bytes_per_cycle=64),
        ("station", "array"): One((1, 2), macs=256),
    }
    problem = priced(program, Fraction(35), load_technology("tpu-16nm"), resources)
    costs = {own.name: dict(own.costs) for own in problem.choices}
    assert costs["spad.B"][2] == pytest.approx(2 * costs["spad.A"][2], abs=2)
    assert costs["array"][1] > 256 * 100
    result = solve(problem)
    assert result.objective == result.bound == least_cost(problem)


def test_a_law_without_parts_is_refused() -> None:
    with pytest.raises(InputError, match="phaze-22nm has no area of single parts"):
        um2_of(One((1,), bytes=1), load_technology("phaze-22nm"))
