"""Made-up levels: their densities against samples, what they lose, and that they say what they are."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from accmine.errors import InputError
from accmine.sparse.layer import PARTS, POINT, Layer, Level, binomial
from accmine.sparse.levels import ALL_ENERGY_POINTS, MOST_PRUNED, SYNTHETIC, meaning, sources_of, synthetic_levels
from accmine.sparse.levels.synthetic import WEIGHTS

DENSE = Level("dense", (binomial(9, Fraction(1)),))
LAYERS = (
    Layer("first", 4, 8, (3, 3), (8, 8), (8, 8), levels=(DENSE,)),
    Layer("second", 8, 24, (3, 3), (8, 8), (8, 8), levels=(DENSE,), zeros=Fraction(1, 2)),
)


def test_densities_are_those_of_samples() -> None:
    rng = np.random.default_rng(1)
    weights = rng.laplace(0, 1 / np.sqrt(2), 400_000)
    inputs = np.maximum(rng.normal(size=400_000), 0)
    first, second = synthetic_levels(LAYERS)
    for own, other in zip(first.levels, second.levels, strict=True):
        t = float(own.name.removesuffix("-sigma"))
        kept = np.abs(weights) >= t
        assert float(own.density) == pytest.approx(kept.mean(), abs=0.005), "the image is not pruned"
        both = kept & (inputs > 0) & (inputs >= t)
        assert float(other.density) == pytest.approx(both.mean(), abs=0.005)


@pytest.mark.parametrize("weights", sorted(WEIGHTS))
def test_shares_of_values_and_energy_are_those_of_samples(weights: str) -> None:
    rng = np.random.default_rng(2)
    drawn = {"laplace": rng.laplace(0, 1 / np.sqrt(2), 10**6), "gaussian": rng.normal(size=10**6)}[weights]
    for t in (0.0, 0.3, 1.0, 2.0):
        kept = np.abs(drawn) >= t
        share, energy = WEIGHTS[weights](t)
        assert share == pytest.approx(kept.mean(), abs=0.003)
        assert energy == pytest.approx((drawn[kept] ** 2).sum() / (drawn**2).sum(), abs=0.005)


@pytest.mark.parametrize("weights", sorted(WEIGHTS))
def test_the_first_level_prunes_nothing_and_the_last_what_was_asked_for(weights: str) -> None:
    for layer in synthetic_levels(LAYERS, 5, weights=weights, most_pruned=0.8):
        assert len(layer.levels) == 5
        assert layer.levels[0].loss == 0
        assert float(layer.levels[0].density) == pytest.approx(float(1 - layer.zeros), abs=1e-6)
        densities, losses = [own.density for own in layer.levels], [own.loss for own in layer.levels]
        assert densities == sorted(densities, reverse=True)
        assert losses == sorted(losses)
        assert len(set(losses)) == 5
    last = synthetic_levels(LAYERS, 5, weights=weights, most_pruned=0.8)[0].levels[-1]
    assert float(last.density) == pytest.approx(0.2, abs=1e-5)
    assert synthetic_levels(LAYERS, 1)[0].levels[0].loss == 0


def test_losses_are_shares_of_all_energy() -> None:
    first, _ = synthetic_levels(LAYERS)
    x = -np.log(1 - MOST_PRUNED)
    removed = 1 - (1 - MOST_PRUNED) * (1 + x + x**2 / 2)
    assert first.levels[-1].loss == pytest.approx(ALL_ENERGY_POINTS * POINT * 8 / 32 * removed, rel=1e-6)


def test_only_the_levels_of_a_layer_change() -> None:
    for before, after in zip(LAYERS, synthetic_levels(LAYERS), strict=True):
        assert (after.name, after.macs, after.parameters, after.zeros) == (
            before.name,
            before.macs,
            before.parameters,
            before.zeros,
        )
        assert all(sum(own.histograms[0]) == PARTS for own in after.levels)


def test_they_say_what_they_are() -> None:
    assert sources_of(LAYERS) == ()
    assert sources_of(synthetic_levels(LAYERS)) == (SYNTHETIC,)
    assert "made up" in meaning(SYNTHETIC)
    assert meaning("measured") == "measured"


@pytest.mark.parametrize(
    ("count", "options", "message"),
    [
        (0, {}, "0 levels are not allowed; 1 to 64"),
        (65, {}, "65 levels are not allowed"),
        (4, {"weights": "cauchy"}, "unknown distribution 'cauchy'; allowed: laplace, gaussian"),
        (4, {"most_pruned": 1.0}, "1.0 is not allowed; above 0 and below 1"),
        (4, {"most_pruned": float("nan")}, "nan is not allowed"),
    ],
)
def test_options_are_checked(count: int, options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        synthetic_levels(LAYERS, count, **options)  # type: ignore[arg-type]
