"""Waiting of parallel engines: exact with slack 1, close to simulations with more, and its laws for any histogram."""

from __future__ import annotations

import random
from collections import Counter
from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from accmine.sparse.folding import SLACKS
from accmine.sparse.layer import PARTS, Histogram, binomial, in_parts
from accmine.sparse.stalls import waiting_cycles, waiting_cycles_of, waiting_table
from accmine.sparse.stalls_table import BOUNDS, ENGINES, LARGEST, WEIGHTS
from tests.samples.sparse_sample import random_histogram

COUNTS = (1, 2, 3, 5, 8, 12, 16, 33, 64, 100, 256, 700, 1024, 3000, 4096)


def any_histogram(draw: random.Random) -> Histogram:
    """Binomial, a mix of two, two points far from each other, or anything."""
    window = draw.choice([1, 2, 4, 9, 16, 25, 49])
    kind = draw.randrange(4)
    if kind == 0:
        return binomial(window, Fraction(draw.randint(1, 99), 100))
    if kind == 1:
        share = Fraction(draw.randint(1, 9), 10)
        pair = [binomial(window, Fraction(draw.randint(low, low + 40), 100)) for low in (5, 50)]
        return in_parts([(share * a + (1 - share) * b) / PARTS for a, b in zip(*pair, strict=True)])
    if kind == 2:
        found = [0] * (window + 1)
        rare = int(PARTS * 10 ** draw.uniform(-3, 0))
        found[draw.randint(0, window // 2)] = rare
        found[window] += PARTS - rare
        return tuple(found)
    return random_histogram(draw, window)


def of_window(histogram: Histogram, fine: int) -> dict[int, int]:
    """Counts by cycles."""
    window, found = len(histogram) - 1, Counter[int]()
    for z, count in enumerate(histogram):
        found[max(1, -(-(window - z) // fine))] += count
    return dict(found)


def simulated(histogram: Histogram, fine: int, engines: int, slack: int, seed: int = 0) -> float:
    """Cycles per window of the recurrence as it is written, many runs side by side; their mean windows taken out."""
    counts = of_window(histogram, fine)
    values, shares = np.array(list(counts)), np.array(list(counts.values())) / PARTS
    draw, runs, steps = np.random.default_rng(seed), max(8, 512 // engines), 2500
    own = np.zeros((runs, engines))
    done: list[np.ndarray[tuple[int], np.dtype[np.float64]]] = [np.zeros(runs)] * slack
    drawn, start = 0.0, np.zeros(runs)
    for i in range(steps):
        if i == steps // 4:
            drawn, start = 0.0, done[-1]
        windows = draw.choice(values, size=own.shape, p=shares)
        drawn += float(windows.mean())
        own = np.maximum(own, done[0][:, None]) + windows
        done.append(own.max(axis=1))
        done = done[-slack:]
    measured = steps - steps // 4
    return float((done[-1] - start).mean() - drawn) / measured + float(values @ shares)


@pytest.mark.parametrize("seed", range(40))
def test_slack_1_is_the_mean_of_the_slowest(seed: int) -> None:
    draw = random.Random(seed)
    histogram, fine, engines = random_histogram(draw, draw.randint(1, 5)), draw.randint(1, 3), draw.randint(1, 4)
    counts = of_window(histogram, fine)
    exact = Fraction(0)
    for drawn in product(counts, repeat=engines):
        share = Fraction(1)
        for own in drawn:
            share *= Fraction(counts[own], PARTS)
        exact += max(drawn) * share
    assert waiting_cycles(histogram, fine, engines, 1) == round(exact * PARTS)


@pytest.mark.parametrize("seed", range(60))
def test_laws(seed: int) -> None:
    """Between the mean and slack 1; no slower with more slack, fewer engines, or more zeros; equal as an array."""
    draw = random.Random(seed)
    histogram = any_histogram(draw)
    fine = draw.randint(1, len(histogram) - 1)
    sparser = list(histogram)
    for z in range(len(sparser) - 1):  # windows get more zeros: the histogram is larger in the stochastic order
        moved = draw.choice([0, draw.randint(0, sparser[z])])
        sparser[z] -= moved
        sparser[draw.randint(z + 1, len(sparser) - 1)] += moved
    mean = sum(cycles * count for cycles, count in of_window(histogram, fine).items())
    before = None
    for slack in SLACKS:
        own = waiting_cycles_of(histogram, fine, np.array(COUNTS), slack)
        assert own.tolist() == [waiting_cycles(histogram, fine, engines, slack) for engines in COUNTS]
        assert own[0] == mean
        assert (np.diff(own) >= 0).all()
        assert before is None or (own <= before).all()
        assert (waiting_cycles_of(tuple(sparser), fine, np.array(COUNTS), slack) <= own).all()
        before = own


def test_windows_that_are_all_alike_never_wait() -> None:
    for window, zeros in ((9, 0), (9, 9), (49, 20)):
        histogram = tuple(PARTS * (z == zeros) for z in range(window + 1))
        for slack in SLACKS:
            found = waiting_cycles_of(histogram, 2, np.array(COUNTS), slack)
            assert found.tolist() == [PARTS * max(1, -(-(window - zeros) // 2))] * len(COUNTS)


def test_more_engines_than_were_simulated_count_as_these() -> None:
    histogram = binomial(9, Fraction(1, 2))
    assert waiting_cycles(histogram, 1, 10**6, 4) == waiting_cycles(histogram, 1, 4096, 4)
    assert waiting_cycles(histogram, 1, 10**6, 1) > waiting_cycles(histogram, 1, 4096, 1)


def test_shape_is_kept() -> None:
    found = waiting_cycles_of(binomial(9, Fraction(1, 2)), 1, np.array([[1, 2], [4, 8]]), 4)
    assert found.shape == (2, 2)
    assert found.ravel().tolist() == [waiting_cycles(binomial(9, Fraction(1, 2)), 1, n, 4) for n in (1, 2, 4, 8)]


def test_weights_are_what_makes_the_laws_hold() -> None:
    """At least 0, for features that are there; one row for each number of engines, of which the first is 1."""
    assert ENGINES[0] == 1
    assert LARGEST[0] == 1
    assert list(ENGINES) == sorted(ENGINES)
    for rows in WEIGHTS.values():
        assert len(rows) == len(ENGINES)
        for feature, weight in (pair for means in rows for mean in means for pair in mean):
            assert weight > 0
            assert 0 <= feature < len(LARGEST) + len(BOUNDS)


@pytest.mark.parametrize("seed", range(8))
def test_a_table_is_its_entries(seed: int) -> None:
    histogram = any_histogram(random.Random(seed))
    found = waiting_table(histogram, 2, np.array(COUNTS), SLACKS)
    assert found.tolist() == [[waiting_cycles(histogram, 2, engines, slack) for engines in COUNTS] for slack in SLACKS]


@pytest.mark.parametrize("slack", [1, 4, 16, 64])
@pytest.mark.parametrize("seed", range(8))
def test_against_the_recurrence(seed: int, slack: int) -> None:
    """Unseen histograms: within 1 % where waiting costs less than 30 %, within 4 % where it costs more."""
    draw = random.Random(100 + seed)
    histogram = any_histogram(draw)
    fine, engines = draw.randint(1, max(1, len(histogram) // 3)), draw.choice([2, 3, 8, 20, 64, 256])
    found = waiting_cycles(histogram, fine, engines, slack) / PARTS
    exact = simulated(histogram, fine, engines, slack, seed)
    alone = sum(cycles * count for cycles, count in of_window(histogram, fine).items()) / PARTS
    assert abs(found / exact - 1) < (0.01 if exact < 1.3 * alone else 0.04)


@pytest.mark.parametrize(
    ("slack", "eight", "many"),
    [
        (1, (1.37, 1.47), (1.63, 1.745)),
        (4, (1.035, 1.055), (1.065, 1.09)),
        (16, (1.005, 1.015), (1.015, 1.025)),
        (64, (1.0, 1.01), (1.0, 1.01)),
    ],
)
def test_table_of_the_reference(slack: int, eight: tuple[float, float], many: tuple[float, float]) -> None:
    """8 and 64 streams into one adder, windows of 9 half of whose products are zero; the more multipliers the less."""
    histogram = binomial(9, Fraction(1, 2))
    for engines, (low, high) in ((8, eight), (64, many)):
        found = waiting_cycles(histogram, 1, engines, slack) / waiting_cycles(histogram, 1, 1, slack)
        assert low <= found <= high
