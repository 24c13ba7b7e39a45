"""The fit of Gemmini's constants: its closed form, what it finds in made-up cycles, and what cross-validation sees.

tests/data/gemmini_sample.csv: 12 of the 1,567 rows of ucb-bar/dosa @a7a3239 (BSD-2-Clause), drawn at random.
"""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from accmine.cost.kernel.firesim import DIMENSIONS, Layer, array_of, layer_kernel
from accmine.cost.kernel.firesim_fit import FIXED, ROUND, Work, closed_form, cross_validated, fit, work_of
from accmine.errors import InputError
from accmine.kernel.described.architecture_file import load_architecture
from accmine.kernel.described.resolve import resolve
from accmine.kernel.latency import latency

SAMPLE = Path(__file__).parents[2] / "data" / "gemmini_sample.csv"
IN_CYCLES = {"start", "conv_issue", "ws_issue"}


@cache
def layers() -> list[Layer]:
    with SAMPLE.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [Layer({name: int(row[name]) for name in DIMENSIONS}, int(row["Hstride"]), row["mapping"]) for row in rows]


def described() -> dict[str, float]:
    """Constants of the description in cycles."""
    parameters = load_architecture("gemmini-like").parameters
    return {name: parameters[name] / (1 if name in IN_CYCLES else 1000) for name in (*ROUND, *FIXED)}


def test_the_closed_form_is_near_the_exact_latency_of_the_description() -> None:
    modelled = closed_form(described(), work_of(layers()))
    for layer, cycles in zip(layers(), modelled.tolist(), strict=True):
        architecture = load_architecture("gemmini-like", parameters={"dim": array_of(layer)})
        assert cycles == pytest.approx(latency(resolve(architecture, layer_kernel(layer))), rel=0.02)


def test_what_is_not_fitted_is_what_the_description_says() -> None:
    assert {name: described()[name] for name in FIXED} == pytest.approx(FIXED, rel=0.01)


def made_up() -> Work:
    """50 layers, each bound by something else."""
    draw = np.random.default_rng(1)
    names = ("requests", "bytes", "lines", "pages", "walks", "blocks", "rows", "out_requests", "out_bytes")
    values = {name: np.exp(draw.uniform(0, 6, 50)) for name in names}
    values["calls"] = np.exp(draw.uniform(0, 9, 50))
    return Work({**values, "finished": np.ones(50), "conv": (np.arange(50) % 2).astype(float)})


def test_the_fit_finds_the_constants_behind_made_up_cycles() -> None:
    truth = {name: value * factor for (name, value), factor in zip(ROUND.items(), [1.5, 0.7] * 5, strict=True)}
    work = made_up()
    found = fit(work, closed_form(truth, work), 1e-4, 0.1)
    for name in ("conv_issue", "ws_issue", "conv_request", "conv_byte", "line_miss", "page", "page_walk"):
        assert found[name] == pytest.approx(truth[name], rel=0.02), name


def test_a_strong_pull_keeps_the_round_values() -> None:
    work = made_up()
    assert fit(work, 3 * closed_form(ROUND, work), 1e3, 0.1) == pytest.approx(ROUND, rel=1e-3)


def test_one_wild_row_moves_the_fit_little() -> None:
    work = made_up()
    cycles = closed_form(ROUND, work)
    cycles[7] *= 50
    others = np.delete(np.arange(50), 7)

    def off(scale: float) -> float:
        modelled = closed_form(fit(work, cycles, 0.1, scale), work.take(others))
        return float(np.abs(modelled / cycles[others] - 1).mean())

    assert off(0.1) < 0.02 < off(10.0)


def test_cross_validation_sees_noise_and_finds_none_without() -> None:
    work = made_up()
    cycles = closed_form(ROUND, work)
    noise = np.exp(np.random.default_rng(2).normal(0, 0.2, 50))
    assert cross_validated(work, cycles, 0.1, 0.1) < 1e-6
    assert 0.1 < cross_validated(work, cycles * noise, 0.1, 0.1) < 0.3


def test_a_fit_needs_rows() -> None:
    with pytest.raises(InputError, match="at least two"):
        fit(made_up().take([0]), np.array([1.0]), 0.1, 0.1)
