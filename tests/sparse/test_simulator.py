"""H6: intervals by formula against pipelines that are simulated window by window, with FIFOs of finite depth."""

from __future__ import annotations

import random
from fractions import Fraction

import pytest

from accmine.errors import InputError
from accmine.problems.sparse_dataflow import Choice, Problem, Solution, score
from accmine.sparse.folding import DENSE, SLACKS, SPARSE, Folding, divisors
from accmine.sparse.layer import Histogram, Layer, Level, binomial, in_parts
from accmine.sparse.rate import cycles, mean_cycles, stream_cycles
from accmine.sparse.simulator import Measured, Stage, simulate
from tests.samples.sparse_sample import random_histogram
from tests.sparse.test_stalls import any_histogram

PARTS = 1_000_000
HALF = Level("half", (binomial(9, Fraction(1, 2)),))
SQUARE = Layer("square", 16, 16, (3, 3), (8, 8), (8, 8), levels=(HALF,))
RARE = Level("rare", (in_parts([Fraction(1, 10), *[Fraction(0)] * 15, Fraction(9, 10)]),))
POINTS = Layer("points", 16, 16, (1, 1), (16, 16), (16, 16), cluster=16, levels=(RARE,))


def drawn_histogram(draw: random.Random, window: int) -> Histogram:
    """Binomial, a mix of two, or anything."""
    kind, share = draw.random(), Fraction(draw.randint(1, 9), 10)
    if kind < 0.5:
        return binomial(window, Fraction(draw.randint(5, 95), 100))
    if kind < 0.8:
        pair = [binomial(window, Fraction(draw.randint(low, low + 40), 100)) for low in (5, 50)]
        return in_parts([(share * a + (1 - share) * b) / PARTS for a, b in zip(*pair, strict=True)])
    return random_histogram(draw, window)


def network(seed: int, slacks: tuple[int, ...]) -> tuple[list[Stage], list[tuple[int, int]]]:
    """One to four layers in a chain, at times with a shortcut, folded at random; at times all of one speed."""
    draw = random.Random(seed)
    count, equal = draw.randint(1, 4), draw.random() < 0.3
    channels = [draw.choice([4, 8, 16, 32]) for _ in range(count + 1)]
    size, stages = draw.choice([7, 8, 14, 16]), list[Stage]()
    for i in range(count):
        if equal and stages:
            stages.append(stages[0])
            continue
        into, out = channels[i], channels[i] if equal else channels[i + 1]
        kernel = draw.choice([(1, 1), (3, 3), (3, 3), (5, 5)])
        cluster = draw.choice([c for c in (1, 2, 4, 8, 16) if into % c == 0]) if kernel == (1, 1) else 1
        after = size if equal or size < 8 or draw.random() < 0.7 else -(-size // 2)
        window = kernel[0] * kernel[1] * cluster
        level = Level("drawn", (drawn_histogram(draw, window),))
        layer = Layer(f"l{i}", into, out, kernel, (size, size), (after, after), 1, cluster, (level,))
        coarse = draw.choice(divisors(into // cluster)), draw.choice(divisors(out))
        sparse = Folding(SPARSE, *coarse, 1, draw.randint(1, max(1, window // 2)), slack=draw.choice(slacks))
        dense = Folding(DENSE, *coarse, 1, draw.choice(divisors(window)))
        stages.append((layer, level, dense if draw.random() < 0.15 else sparse))
        size = after
    edges = [(i, i + 1) for i in range(count - 1)]
    return stages, edges + [(0, count - 1)] * (count > 2 and draw.random() < 0.5)


def by_formula(stages: list[Stage], edges: list[tuple[int, int]]) -> int:
    problem = Problem(tuple(layer for layer, *_ in stages), tuple(edges))
    return score(problem, Solution(tuple(Choice(0, folding) for *_, folding in stages)))


def without_waiting(stages: list[Stage]) -> float:
    """Interval of engines that never wait for one another, and of streams."""
    found = []
    for layer, level, folding in stages:
        mean = mean_cycles(level.histograms[0], folding.fine) / PARTS
        mean = layer.window / folding.fine if folding.engine == DENSE else mean
        found.append(max(layer.windows // folding.engines * mean, stream_cycles(layer, folding)))
    return max(found)


@pytest.mark.parametrize("seed", range(60))
def test_within_two_percent(seed: int) -> None:
    """Any slack. No faster than without waiting; priced within 1 % from below and 2 % from above; and 4 σ of draws."""
    stages, edges = network(seed, SLACKS)
    priced = by_formula(stages, edges)
    found = simulate(stages, edges, images=10, seed=seed)
    assert found.interval >= without_waiting(stages) - 4 * found.error - 1e-6
    assert 0.99 * priced - 4 * found.error <= found.interval <= 1.02 * priced + 4 * found.error
