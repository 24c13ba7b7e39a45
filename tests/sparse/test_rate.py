"""Cycles of layers: against windows that are written out, the dense formula, bounds, and every way to deal channels."""

from __future__ import annotations

import random
from dataclasses import replace
from fractions import Fraction
from itertools import permutations
from math import ceil, prod

import pytest

from accmine.problems.sparse_dataflow import score, use_of
from accmine.sparse.folding import DENSE, SLACKS, SPARSE, Folding, divisors, fines
from accmine.sparse.layer import PARTS, Histogram, Layer, Level, binomial, in_parts
from accmine.sparse.rate import cycles, dealt, mean_cycles, slowest_stream, stream_cycles, window_cycles
from tests.samples.sparse_sample import any_solution, random_dataflow, random_histogram


def shapes(draw: random.Random) -> Layer:
    """Any sizes, groups, clusters and kernels, without zeros."""
    groups, cluster, kernel = draw.choice([1, 2]), draw.choice([1, 2]), draw.choice([(1, 1), (1, 3), (2, 2), (3, 3)])
    none = Level("none", (binomial(prod(kernel) * cluster, Fraction(1)),))
    size_in, size_out = (draw.randint(1, 9), draw.randint(1, 9)), (draw.randint(1, 9), draw.randint(1, 9))
    return Layer("l", 4 * groups, 6 * groups, kernel, size_in, size_out, groups, cluster, (none,))


def folding(draw: random.Random, layer: Layer, engine: str) -> Folding:
    return Folding(
        engine,
        draw.choice(divisors(layer.channels_in // (layer.groups * layer.cluster))),
        draw.choice(divisors(layer.channels_out // layer.groups)),
        draw.choice(divisors(layer.groups)),
        draw.choice(fines(layer, engine)),
        slack=1 if engine == DENSE else draw.choice(SLACKS),
    )


@pytest.mark.parametrize("fine", [1, 2, 3, 5, 9])
def test_windows_one_after_the_other(fine: int) -> None:
    """64 windows of drawn weights and data through one engine, counted product by product."""
    draw, total, histogram = random.Random(fine), 0, [0] * 10
    for _ in range(64):
        products = [draw.choice([0, 1]) * draw.choice([0, 1, 1]) for _ in range(9)]
        histogram[products.count(0)] += 1
        waiting = [own for own in products if own]
        taken = 0
        while waiting:
            del waiting[:fine]
            taken += 1
        total += taken or 1  # a window of zeros is looked at
    level = Level("drawn", (in_parts([Fraction(count, 64) for count in histogram]),))
    layer = Layer("l", 1, 1, (3, 3), (8, 8), (8, 8), levels=(level,))
    assert cycles(layer, level, Folding(SPARSE, 1, 1, 1, fine)) == max(64, total)


@pytest.mark.parametrize("seed", range(60))
def test_without_zeros_it_is_the_dense_formula(seed: int) -> None:
    """H5: fine divides the window and nothing is zero: window/fine cycles for each window of an engine, or streams."""
    draw = random.Random(seed)
    layer = shapes(draw)
    own = folding(draw, layer, DENSE)
    (rows, columns), g = layer.size_out, layer.groups
    windows = rows * columns
    windows *= layer.channels_in // g // (own.coarse_in * layer.cluster)
    windows *= layer.channels_out // g // own.coarse_out * (g // own.coarse_group)
    come = ceil(Fraction(prod(layer.size_in) * layer.channels_in, own.coarse_in * own.coarse_group * layer.cluster))
    go = ceil(Fraction(prod(layer.size_out) * layer.channels_out, own.coarse_out * own.coarse_group))
    dense = max(windows * prod(layer.kernel) * layer.cluster // own.fine, come, go)
    assert cycles(layer, layer.levels[0], own) == dense
    sparse = Folding(SPARSE, own.coarse_in, own.coarse_out, own.coarse_group, own.fine, slack=draw.choice(SLACKS))
    assert cycles(layer, layer.levels[0], sparse) == dense


@pytest.mark.parametrize("seed", range(100))
def test_no_layer_is_faster_than_its_products_and_streams(seed: int) -> None:
    """H7 for a layer, with a histogram of its own for each channel, of any shape."""
    draw = random.Random(seed)
    layer = shapes(draw)
    one = draw.random() < 0.3
    own = tuple(random_histogram(draw, layer.window) for _ in range(1 if one else layer.channels_in // layer.cluster))
    level = Level("drawn", own)
    for engine in (DENSE, SPARSE):
        chosen = folding(draw, layer, engine)
        found = cycles(layer, level, chosen)
        assert found >= ceil(layer.macs * level.density / chosen.multipliers)
        assert found >= layer.windows // chosen.engines, "a window takes a cycle at least"
        assert found >= ceil(Fraction(layer.words[0], chosen.streams_in(layer)))
        assert found >= ceil(Fraction(layer.words[1], chosen.streams_out))
        if engine == DENSE:
            assert found == max(layer.macs // chosen.multipliers, stream_cycles(layer, chosen))


@pytest.mark.parametrize("seed", range(60))
def test_no_design_is_faster_than_its_products(seed: int) -> None:
    """H7: T >= ⌈Σ MAC·density / DSP⌉ (16 bits: a DSP is a multiplier), and each stream limit."""
    problem = random_dataflow(seed)
    solution = any_solution(problem, seed)
    work = sum(
        layer.macs * layer.levels[own.level].density
        for layer, own in zip(problem.layers, solution.choices, strict=True)
    )
    interval = score(problem, solution)
    assert interval >= ceil(work / use_of(problem, solution)[0])
    for layer, own in zip(problem.layers, solution.choices, strict=True):
        assert interval >= stream_cycles(layer, own.folding)


def test_rows_and_columns_are_not_squares() -> None:
    """A map of 2 by 100: rows by rows would be 4 words."""
    level = Level("0", (binomial(1, Fraction(1)),))
    layer = Layer("l", 1, 1, size_in=(2, 100), size_out=(1, 1), levels=(level,))
    assert cycles(layer, level, Folding(DENSE, 1, 1, 1, 1)) == 200


@pytest.mark.parametrize("seed", range(30))
def test_more_multipliers_and_more_zeros_never_take_longer(seed: int) -> None:
    draw = random.Random(seed)
    layer = shapes(draw)
    densities = sorted(Fraction(draw.randint(0, 1000), 1000) for _ in range(6))
    levels = [Level(str(d), (binomial(layer.window, d),)) for d in densities]
    one = folding(draw, layer, SPARSE)
    by_density = [mean_cycles(level.histograms[0], one.fine) for level in levels]
    assert by_density == sorted(by_density)
    whole = [cycles(layer, level, one) for level in levels]
    assert whole == sorted(whole), "waiting included"
    finer = [cycles(layer, levels[3], replace(one, fine=fine)) for fine in fines(layer, SPARSE)]
    assert finer == sorted(finer, reverse=True)
    by_fine = [mean_cycles(levels[3].histograms[0], fine) for fine in fines(layer, SPARSE)]
    assert by_fine == sorted(by_fine, reverse=True)
    assert by_fine[-1] == PARTS


@pytest.mark.parametrize("seed", range(40))
def test_dealing_is_even(seed: int) -> None:
    """Every hand has as many; hands differ by no more than the dearest from the cheapest."""
    draw = random.Random(seed)
    hands = draw.randint(1, 5)
    costs = [draw.randint(0, 99) for _ in range(hands * draw.randint(1, 6))]
    found = dealt(costs, hands)
    assert sorted(i for own in found for i in own) == list(range(len(costs)))
    assert {len(own) for own in found} == {len(costs) // hands}
    sums = [sum(costs[i] for i in own) for own in found]
    assert max(sums) - min(sums) <= max(costs) - min(costs)


@pytest.mark.parametrize("seed", range(12))
def test_dealing_against_every_other_way(seed: int) -> None:
    """Six channels to two or three hands: the slowest hand against the best of all orders, and the order they come."""
    draw = random.Random(seed)
    hands, costs = draw.choice([2, 3]), [draw.randint(0, 99) for _ in range(6)]

    def slowest(order: tuple[int, ...]) -> int:
        return max(sum(costs[i] for i in order[hand::hands]) for hand in range(hands))

    own = max(sum(costs[i] for i in hand) for hand in dealt(costs, hands))
    every = [slowest(order) for order in permutations(range(6))]
    assert min(every) <= own <= min(every) + max(costs) - min(costs)
    assert own <= sum(every) / len(every), "better than chance"


def with_zeros(zeros: int) -> Histogram:
    """Windows of four products with so many zeros, all of them."""
    return tuple(PARTS if z == zeros else 0 for z in range(5))


@pytest.mark.parametrize("seed", range(40))
def test_streams_of_groups_are_even_too(seed: int) -> None:
    """The slowest stream is no slower than the mean of its turn of groups, and by the range of one group's channels."""
    draw = random.Random(seed)
    groups, coarse_in, size = draw.choice([1, 2, 4]), draw.choice([1, 2]), 4
    coarse_group = draw.choice(divisors(groups))
    own = tuple(with_zeros(draw.randint(0, 4)) for _ in range(groups * size))
    costs = [mean_cycles(histogram, 1) for histogram in own]
    found = mean_cycles(slowest_stream(own, groups, coarse_in, coarse_group, 1), 1)
    whole = [sum(costs[g * size : (g + 1) * size]) for g in range(groups)]
    turns = [Fraction(sum(whole[g] for g in turn), len(turn) * size) for turn in dealt(whole, coarse_group)]
    inside = max(max(costs[g * size : (g + 1) * size]) - min(costs[g * size : (g + 1) * size]) for g in range(groups))
    assert max(turns) <= found <= max(turns) + Fraction(inside, groups // coarse_group * size // coarse_in)


def test_a_stream_of_several_groups_is_not_always_given_the_dearest_channel() -> None:
    """Two groups of a full and an empty channel on two streams: each stream gets one of each."""
    full, empty = with_zeros(0), with_zeros(4)
    assert mean_cycles(slowest_stream((full, empty, full, empty), 2, 2, 1, 1), 1) == PARTS * 5 // 2
    level = Level("x", (full, empty, full, empty))
    layer = Layer("l", 4, 2, (2, 2), groups=2, levels=(level,))
    assert window_cycles(layer, level, Folding(SPARSE, 1, 1, 1, 1)) == PARTS * 5 // 2
