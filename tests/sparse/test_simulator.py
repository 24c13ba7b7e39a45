"""H6: intervals by formula against pipelines that are simulated window by window, with FIFOs of finite depth."""

from __future__ import annotations

import random
from fractions import Fraction

import pytest

from accmine.errors import InputError
from accmine.problems.sparse_dataflow import Choice, Problem, Solution, score
from accmine.sparse.folding import DENSE, SLACKS, SPARSE, Folding, divisors
from accmine.sparse.layer import PARTS, Histogram, Layer, Level, binomial, in_parts
from accmine.sparse.rate import cycles, mean_cycles, slowest_stream, stream_cycles
from accmine.sparse.simulator import DEPTH, Measured, Stage, simulate
from tests.samples.sparse_sample import random_histogram

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


def enough(stages: list[Stage]) -> int:
    """Images for some thousand windows an engine."""
    return max(10, 4000 // max(layer.windows // folding.engines for layer, _, folding in stages))


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
    found = simulate(stages, edges, images=enough(stages), seed=seed)
    assert found.interval >= without_waiting(stages) - 4 * found.error - 1e-6
    assert 0.99 * priced - 4 * found.error <= found.interval <= 1.02 * priced + 4 * found.error


@pytest.mark.parametrize("slack", SLACKS)
def test_one_layer(slack: int) -> None:
    """With slack 1 the price is exact, so that the simulation must meet it from both sides."""
    folding = Folding(SPARSE, 4, 4, 1, 1, slack=slack)
    found, priced = simulate([(SQUARE, HALF, folding)], images=60), cycles(SQUARE, HALF, folding)
    assert found.interval == pytest.approx(priced, abs=4 * found.error + (0 if slack == 1 else 0.005 * priced) + 1)


def test_dense_layers_are_exact() -> None:
    """Nothing is random: the slowest layer, and no cycle more, however small the FIFOs."""
    fast, slow = Folding(DENSE, 4, 4, 1, 9), Folding(DENSE, 2, 4, 1, 3)
    stages = [(SQUARE, HALF, own) for own in (fast, slow, fast)]
    found = simulate(stages, [(0, 1), (1, 2)], depth=1)
    assert (found.interval, found.error) == (8 * 8 * 8 * 4 * 3, 0)
    assert found == Measured(6144.0, 0.0, (6144.0,) * 3)


def test_streams_bind() -> None:
    """A layer that reads sixteen words for each that it writes waits for them."""
    layer = Layer("strided", 4, 4, (3, 3), (32, 32), (8, 8), levels=(HALF,))
    folding = Folding(SPARSE, 1, 4, 1, 9)
    assert simulate([(layer, HALF, folding)]).interval == pytest.approx(stream_cycles(layer, folding)) == 4096


@pytest.mark.parametrize("seed", range(12))
def test_channels_that_differ(seed: int) -> None:
    """Between the mean of the slowest stream and the price, which counts all engines as slow as that."""
    draw = random.Random(seed)
    groups = draw.choice([1, 2, 4])
    own = tuple(drawn_histogram(draw, 9) for _ in range(16))
    level = Level("channels", own)
    layer = Layer("l", 16, 16, (3, 3), (8, 8), (8, 8), groups, levels=(level,))
    coarse_in, coarse_out = (draw.choice(divisors(16 // groups)) for _ in range(2))
    folding = Folding(
        SPARSE, coarse_in, coarse_out, draw.choice(divisors(groups)), draw.randint(1, 5), slack=draw.choice(SLACKS)
    )
    found = simulate([(layer, level, folding)], images=max(20, 8000 * folding.engines // layer.windows), seed=seed)
    worst = slowest_stream(own, groups, folding.coarse_in, folding.coarse_group, folding.fine)
    alone = max(
        stream_cycles(layer, folding), layer.windows // folding.engines * mean_cycles(worst, folding.fine) / PARTS
    )
    assert alone - 4 * found.error - 1 <= found.interval <= 1.01 * cycles(layer, level, folding) + 4 * found.error


@pytest.mark.parametrize("slack", [1, 64])
def test_what_small_fifos_cost(slack: int) -> None:
    """Six layers of one speed and few slow windows, no rows of a kernel between them: the worst case that is known."""
    stages = [(POINTS, RARE, Folding(SPARSE, 1, 4, 1, 1, slack=slack))] * 6
    edges = [(i, i + 1) for i in range(5)]
    alone = simulate(stages[:1], images=40).interval
    lost = {depth: simulate(stages, edges, images=40, depth=depth).interval / alone - 1 for depth in (2, 8, DEPTH, 512)}
    assert lost[2] > lost[8] + 0.02 > 0.06
    assert lost[DEPTH] < 0.03
    assert lost[DEPTH] - lost[512] < 0.01


def test_a_seed_is_a_simulation() -> None:
    stages = [(SQUARE, HALF, Folding(SPARSE, 4, 4, 1, 1, slack=4))]
    assert simulate(stages, seed=1) == simulate(stages, seed=1) != simulate(stages, seed=2)


@pytest.mark.parametrize(
    ("edges", "images", "depth", "message"),
    [
        ([], 3, 64, "3 images are not allowed; at least 4"),
        ([(1, 0)], 10, 64, r"edge \(1, 0\) is not allowed; from a stage to a later one of 2"),
        ([(0, 2)], 10, 64, r"edge \(0, 2\) is not allowed"),
        ([(0, 1)], 10, 0, "FIFOs of 0 words per stream hold less than a step of the layer behind them"),
    ],
)
def test_bad_input(edges: list[tuple[int, int]], images: int, depth: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        simulate([(POINTS, RARE, Folding(SPARSE, 1, 4, 1, 1))] * 2, edges, images=images, depth=depth)
