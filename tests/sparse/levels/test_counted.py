"""Zero products counted in arrays: against loops over single products, for every kind of layer."""

from __future__ import annotations

import random
from fractions import Fraction
from itertools import product

import numpy as np
import numpy.typing as npt
import pytest

from accmine.errors import InputError
from accmine.sparse.layer import PARTS, POINT, Layer, Level, binomial, in_parts
from accmine.sparse.levels import (
    ALL_ENERGY_POINTS,
    ARRAYS,
    ARRAYS_PROXY,
    Thresholds,
    counted_levels,
    default_thresholds,
    sources_of,
    zero_products,
)
from accmine.sparse.levels.counted import _by_pair, _by_pattern

Array = npt.NDArray[np.float64]


def layer(kernel: tuple[int, int] = (1, 1), **options: object) -> Layer:
    cluster = options.get("cluster", 1)
    assert isinstance(cluster, int)
    level = Level("dense", (binomial(kernel[0] * kernel[1] * cluster, Fraction(1)),))
    return Layer("l", kernel=kernel, levels=(level,), **options)  # type: ignore[arg-type]


def looped(own: Layer, weight: Array, values: Array, t: Thresholds) -> list[list[int]]:
    """Windows with 0, 1, … zero products of each group of channels, one product after the other."""
    width, outs = own.channels_in // own.groups, own.channels_out // own.groups
    (top, _, left, _), (down, across) = own.padding, own.stride
    counts = [[0] * (own.window + 1) for _ in range(own.channels_in // own.cluster)]
    for n, out, y, x in product(range(len(values)), range(own.channels_out), *map(range, own.size_out)):
        group = out // outs
        for first in range(0, width, own.cluster):
            zeros = 0
            for c, i, j in product(range(first, first + own.cluster), *map(range, own.kernel)):
                row, column = y * down + i - top, x * across + j - left
                inside = 0 <= row < own.size_in[0] and 0 <= column < own.size_in[1]
                a = values[n, group * width + c, row, column] if inside else 0.0
                w = weight[out, c, i, j]
                zeros += not (w != 0 and abs(w) >= t.weight and abs(a) > t.input)
            counts[(group * width + first) // own.cluster][zeros] += 1
    return counts


CASES = {
    "plain": layer(
        (3, 3), channels_in=2, channels_out=3, size_in=(5, 4), size_out=(5, 4), padding=(1, 1, 1, 1), groups=1
    ),
    "strided": layer(
        (3, 2), channels_in=2, channels_out=2, size_in=(6, 5), size_out=(3, 2), stride=(2, 2), padding=(1, 0, 0, 0)
    ),
    "depthwise": layer((3, 3), channels_in=4, channels_out=4, size_in=(4, 4), size_out=(2, 2), groups=4),
    "grouped": layer((1, 2), channels_in=4, channels_out=6, size_in=(3, 3), size_out=(3, 2), groups=2),
    "pointwise": layer(channels_in=8, channels_out=5, size_in=(3, 3), size_out=(3, 3), cluster=4),
    "grouped-pointwise": layer(channels_in=8, channels_out=4, size_in=(2, 2), size_out=(2, 2), cluster=2, groups=2),
    "linear": layer(channels_in=12, channels_out=3, cluster=6),
}


def arrays(own: Layer, seed: int = 0, samples: int = 2) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    weight = rng.normal(size=(own.channels_out, own.channels_in // own.groups, *own.kernel))
    weight[rng.random(weight.shape) < 0.1] = 0
    return weight, np.maximum(rng.normal(size=(samples, own.channels_in, *own.size_in)), 0)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("t", [Thresholds(0, 0), Thresholds(0.5, 0.3), Thresholds(9, 9)])
def test_every_product_is_counted(name: str, t: Thresholds) -> None:
    own = CASES[name]
    weight, values = arrays(own)
    found = zero_products(own, weight, values, t)
    assert found == tuple(in_parts(counts) for counts in looped(own, weight, values, t))
    assert len(found) == own.channels_in // own.cluster


@pytest.mark.parametrize("window", [1, 3, 9, 12])
def test_both_ways_to_count_agree(window: int) -> None:
    rng = np.random.default_rng(window)
    for share in (0.0, 0.3, 1.0):
        patches, filters = rng.random((300, window)) < share, rng.random((40, window)) < 0.6
        counts = _by_pair(patches, filters)
        assert counts.tolist() == _by_pattern(patches, filters).tolist()
        assert counts.sum() == 300 * 40


def test_a_level_shares_and_losses() -> None:
    own = CASES["plain"]
    weight, values = arrays(own)
    given = {"l": (Thresholds(0, 0), Thresholds(0.7, 0.4))}
    (proxy,) = counted_levels([own], {"l": weight}, {"l": values}, given)
    assert sources_of([proxy]) == (ARRAYS_PROXY,)
    assert proxy.levels[0].loss == 0
    kept = (weight[abs(weight) >= 0.7] ** 2).sum() / (weight**2).sum()
    kept *= (values[values > 0.4] ** 2).sum() / (values**2).sum()
    assert proxy.levels[1].loss == round(ALL_ENERGY_POINTS * POINT * (1 - kept))
    (measured,) = counted_levels([own], {"l": weight}, {"l": values}, given, {"l": (0, 1.25)})
    assert [level.loss for level in measured.levels] == [0, 1_250_000]
    assert [level.histograms for level in measured.levels] == [level.histograms for level in proxy.levels]
    assert sources_of([measured]) == (ARRAYS,)


def test_thresholds_prune_evenly() -> None:
    own = CASES["plain"]
    weight, values = np.random.default_rng(3).normal(size=(3, 2, 3, 3)), arrays(own)[1]
    found = default_thresholds(own, weight, values, 4, 0.9)
    assert [float((abs(weight) < each.weight).mean()) for each in found] == pytest.approx([0, 0.3, 0.6, 0.9], abs=0.02)
    assert {each.input for each in found} == {0}, "no ReLU is said to be in front"
    rectified = layer((3, 3), channels_in=2, channels_out=3, size_in=(5, 4), size_out=(5, 4), zeros=Fraction(1, 2))
    clipped = default_thresholds(rectified, weight, values, 4, 0.9)
    assert [each.weight for each in clipped] == [each.weight for each in found]
    ratio = np.sqrt((values[values > 0] ** 2).mean() / (weight**2).mean())
    assert clipped[2].input == pytest.approx(clipped[2].weight * ratio)
    assert default_thresholds(own, np.zeros((3, 2, 3, 3)), values, 2) == (Thresholds(0, 0), Thresholds(0, 0))


def test_histograms_are_whole() -> None:
    for name, own in CASES.items():
        weight, values = arrays(own, random.Random(name).randrange(99))
        for histogram in zero_products(own, weight, values, Thresholds(0.2, 0.1)):
            assert sum(histogram) == PARTS
            assert len(histogram) == own.window + 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights": {}}, "file: l.weight: missing"),
        ({"inputs": {}}, "file: l.input: missing"),
        ({"weights": {"l": np.ones((3, 2, 3))}}, r"l.weight: has the shape \(3, 2, 3\); \(3, 2, 3, 3\) is needed"),
        ({"inputs": {"l": np.ones((1, 2, 4, 5))}}, r"l.input: has the shape .* \('samples', 2, 5, 4\) is needed"),
        ({"inputs": {"l": np.ones((0, 2, 5, 4))}}, "l.input: holds nothing"),
        ({"thresholds": {}}, "l.thresholds: missing; one level at least"),
        ({"thresholds": {"l": (Thresholds(-1, 0),)}}, r"l.thresholds: \(-1, 0\) is not allowed; at least 0"),
        ({"thresholds": {"l": (Thresholds(float("nan"), 0),)}}, "l.thresholds: .* is not allowed"),
        ({"losses": {"l": (0, 1, 2)}}, "l.losses: 3 losses for 1 levels"),
        ({"losses": {}}, "l.losses: 0 losses for 1 levels"),
        ({"losses": {"l": (-1,)}}, "l.losses: -1 is not allowed; at least 0"),
    ],
)
def test_what_does_not_fit(change: dict[str, object], message: str) -> None:
    weight, values = arrays(CASES["plain"])
    given: dict[str, object] = {"weights": {"l": weight}, "inputs": {"l": values}}
    given |= {"thresholds": {"l": (Thresholds(0, 0),)}, "where": "file"}
    with pytest.raises(InputError, match=message):
        counted_levels([CASES["plain"]], **{**given, **change})  # type: ignore[arg-type]


def test_a_geometry_that_does_not_give_the_maps() -> None:
    own = layer((3, 3), channels_in=2, channels_out=3, size_in=(5, 4), size_out=(5, 4))
    weight, values = arrays(own)
    with pytest.raises(InputError, match=r"l.stride: windows give maps of \(3, 2\), the layer says \(5, 4\)"):
        counted_levels([own], {"l": weight}, {"l": values}, {"l": (Thresholds(0, 0),)})


def test_too_many_products_are_refused_before_any_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("accmine.sparse.levels.counted.MOST_PRODUCTS", 2 * CASES["plain"].macs - 1)
    weight, values = arrays(CASES["plain"])
    with pytest.raises(InputError, match="; give fewer samples, or fewer levels"):
        counted_levels([CASES["plain"]], {"l": weight}, {"l": values}, {"l": (Thresholds(0, 0),)})
