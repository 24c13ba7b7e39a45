"""Layers and levels: shapes against loops, pair sparsity over the slots of a window, rounding, what is refused."""

from __future__ import annotations

import random
from collections import Counter
from fractions import Fraction
from itertools import accumulate, pairwise, product
from math import comb
from typing import Any

import pytest

from accmine.errors import InputError
from accmine.sparse.layer import PARTS, Layer, Level, averaged, binomial, in_parts

KERNELS = [(1, 1), (1, 3), (2, 2), (3, 3)]


def zero_products(weights: list[int], data: list[int]) -> int:
    return sum(w == 0 or x == 0 for w, x in zip(weights, data, strict=True))


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("cluster", [1, 2])
def test_pair_sparsity_counts_the_slots_of_a_window(kernel: tuple[int, int], cluster: int) -> None:
    """Zero products of windows that are written out, over k² of them: k² + 1 would halve that of a 1x1 kernel."""
    draw, window, windows = random.Random(7), kernel[0] * kernel[1] * cluster, 64
    drawn = [
        ([draw.choice([0, 1, 2]) for _ in range(window)], [draw.choice([0, 0, 3]) for _ in range(window)])
        for _ in range(windows)
    ]
    found = Counter(zero_products(*own) for own in drawn)
    histogram = in_parts([Fraction(found[z], windows) for z in range(window + 1)])
    alive = sum(w * x != 0 for weights, data in drawn for w, x in zip(weights, data, strict=True))
    assert Level("drawn", (histogram,)).density == Fraction(alive, windows * window)


def test_the_density_of_several_channels_is_their_mean() -> None:
    one, none = binomial(1, Fraction(1)), binomial(1, Fraction(0))
    assert Level("x", (one, none, none, none)).density == Fraction(1, 4)


@pytest.mark.parametrize("seed", range(20))
def test_sizes_against_loops(seed: int) -> None:
    draw = random.Random(seed)
    groups, cluster = draw.choice([1, 2, 4]), draw.choice([1, 2])
    channels_in, channels_out = groups * cluster * draw.randint(1, 3), groups * draw.randint(1, 3)
    kernel, size_in, size_out = draw.choice(KERNELS), (draw.randint(3, 5), 4), (draw.randint(1, 3), 2)
    none = Level("0", (binomial(kernel[0] * kernel[1] * cluster, Fraction(1)),))
    layer = Layer("l", channels_in, channels_out, kernel, size_in, size_out, groups, cluster, (none,))
    weights = {
        (out, come, *at)
        for out in range(channels_out)
        for come in range(channels_in)
        for at in product(range(kernel[0]), range(kernel[1]))
        if out * groups // channels_out == come * groups // channels_in
    }
    positions = size_out[0] * size_out[1]
    assert layer.parameters == len(weights)
    assert layer.macs == positions * len(weights)
    assert layer.windows == positions * len({(out, come // cluster) for out, come, *_ in weights})
    assert layer.words == (channels_in * size_in[0] * size_in[1], channels_out * positions)


@pytest.mark.parametrize("seed", range(50))
def test_rounding_moves_windows_to_fewer_zeros_and_by_less_than_a_part(seed: int) -> None:
    draw = random.Random(seed)
    counts = [draw.choice([0, draw.randint(0, 1000)]) for _ in range(draw.randint(1, 17))] + [draw.randint(1, 9)]
    shares = [Fraction(count, sum(counts)) for count in counts]
    rounded = in_parts(shares)
    assert sum(rounded) == PARTS
    assert min(rounded) >= 0
    for exact, own in zip(accumulate(shares), accumulate(rounded), strict=True):
        assert 0 <= own - exact * PARTS < 1
    assert in_parts([Fraction(count, PARTS) for count in rounded]) == rounded


def test_means_round_the_same_way() -> None:
    assert averaged([(PARTS, 0, 0), (PARTS - 1, 1, 0), (PARTS - 1, 0, 1)]) == (PARTS, 0, 0)
    assert averaged([(0, 0, PARTS), (0, 1, PARTS - 1)]) == (0, 1, PARTS - 1)


@pytest.mark.parametrize("window", [1, 4, 9, 16, 25])
def test_independent_products(window: int) -> None:
    half = binomial(window, Fraction(1, 2))
    assert all(abs(half[z] - Fraction(PARTS * comb(window, z), 2**window)) <= 1 for z in range(window + 1))
    assert binomial(window, Fraction(1)) == (PARTS, *(0,) * window)
    assert binomial(window, Fraction(0)) == (*(0,) * window, PARTS)
    by_density = [list(accumulate(binomial(window, Fraction(i, 40)))) for i in range(41)]
    for sparse, dense in pairwise(by_density):
        assert all(a <= b for a, b in zip(sparse, dense, strict=True)), "a denser level never has more zeros"


NONE = (Level("none", ((PARTS, *(0,) * 9),)),)
GOOD: dict[str, Any] = {"channels_in": 4, "channels_out": 8, "kernel": (3, 3), "levels": NONE}


@pytest.mark.parametrize(
    ("change", "field", "said"),
    [
        ({"channels_in": 0}, "channels_in", "at least 1"),
        ({"kernel": (3, 0)}, "kernel", "at least 1"),
        ({"size_in": (0, 3)}, "size_in", "at least 1"),
        ({"size_out": (3, -1)}, "size_out", "at least 1"),
        ({"groups": 3}, "groups", "does not divide channels_in: 4"),
        ({"channels_out": 6, "groups": 4}, "groups", "does not divide channels_out: 6"),
        ({"cluster": 3}, "cluster", "does not divide 4 channels"),
        ({"groups": 2, "cluster": 4}, "cluster", "does not divide 2 channels"),
        ({"levels": ()}, "levels", "at least one"),
        ({"levels": NONE * 2}, "levels[1].name", "there twice"),
        ({"levels": (Level("x", NONE[0].histograms, -1),)}, "levels[0].loss", "0 to 1,000,000,000"),
        ({"levels": (Level("x", NONE[0].histograms, 10**16),)}, "levels[0].loss", "0 to 1,000,000,000"),
        ({"levels": (Level("x", NONE[0].histograms * 3),)}, "levels[0].histograms", "1 or one per channel"),
        ({"levels": (Level("x", ()),)}, "levels[0].histograms", "0 histograms"),
        ({"levels": (Level("x", ((PARTS, 0),)),)}, "levels[0].histograms", "10 are needed"),
        ({"levels": (Level("x", ((PARTS - 1, *(0,) * 9),)),)}, "levels[0].histograms", "sum to 1"),
        ({"levels": (Level("x", ((PARTS + 1, -1, *(0,) * 8),)),)}, "levels[0].histograms", "at least 0"),
    ],
)
def test_what_is_refused(change: dict[str, Any], field: str, said: str) -> None:
    Layer("good", **GOOD)
    with pytest.raises(InputError) as caught:
        Layer("bad", **GOOD | change)
    found = [item.message for item in caught.value.complaints if item.field == field]
    assert any(said in message for message in found), caught.value
