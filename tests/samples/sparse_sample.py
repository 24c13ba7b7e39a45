"""Small networks as sparse dataflows, drawn at random."""

from __future__ import annotations

import random
from dataclasses import replace
from fractions import Fraction
from typing import Any

from accmine.problems.sparse_dataflow import Budget, Choice, Problem, Solution, tabulate
from accmine.sparse.layer import PARTS, Layer, Level, binomial
from accmine.sparse.resources import RESOURCES

__all__ = ["any_solution", "random_dataflow", "random_histogram", "squeezed"]


def random_histogram(rng: random.Random, window: int) -> tuple[int, ...]:
    """Any histogram that sums to ``PARTS``."""
    cuts = sorted(rng.randint(0, PARTS) for _ in range(window))
    return tuple(b - a for a, b in zip([0, *cuts], [*cuts, PARTS], strict=True))


def _layer(rng: random.Random, name: str, channels_in: int, channels_out: int, most_levels: int) -> Layer:
    kernel = rng.choice([(1, 1), (1, 2), (2, 2)])
    groups = rng.choice([1, 1, 2]) if channels_in % 2 == 0 == channels_out % 2 else 1
    inner = channels_in // groups
    cluster = inner if kernel == (1, 1) and rng.random() < 0.5 else 1
    window = kernel[0] * kernel[1] * cluster
    levels, loss = [Level("0", (binomial(window, Fraction(1)),))], 0
    for i in range(1, rng.randint(1, most_levels)):
        loss += rng.randint(1, 400_000)
        parts = channels_in // cluster if rng.random() < 0.3 else 1
        own = tuple(random_histogram(rng, window) for _ in range(parts))
        levels.append(Level(str(i), own, loss))
    size = (rng.randint(1, 6), rng.randint(1, 6))
    return Layer(name, channels_in, channels_out, kernel, size, size, groups, cluster, tuple(levels))


def random_dataflow(
    seed: int, *, most_layers: int = 3, most_levels: int = 3, edges: bool | None = None, tight: float | None = None
) -> Problem:
    """A chain of up to ``most_layers`` small layers, whose foldings brute force can count.

    Parameters
    ----------
    edges
        Whether unequal streams take adapters; default: drawn.
    tight
        Share of what the largest design takes that each budget allows; default: drawn for each.
    """
    rng = random.Random(seed)
    count = rng.randint(1, most_layers)
    channels = [rng.choice([1, 2, 2, 3, 4]) for _ in range(count + 1)]
    layers = tuple(_layer(rng, f"l{i}", channels[i], channels[i + 1], most_levels) for i in range(count))
    engines = rng.choice([("dense", "sparse"), ("sparse",), ("dense", "sparse")])
    memories = rng.choice([("bram",), ("bram", "stream"), ("bram",)])
    slacks = rng.choice([(1,), (4,), (1, 4)])
    joined = rng.random() < 0.5 if edges is None else edges
    pairs = tuple((i, i + 1) for i in range(count - 1)) if joined else ()
    free = Problem(layers, pairs, Budget(), engines=engines, memories=memories, slacks=slacks, name=f"random-{seed}")
    tables = tabulate(free)
    most = [sum(int(own.use[:, r].max()) for own in tables) for r in range(6)]
    least = [sum(int(own.use[:, r].min()) for own in tables) for r in range(6)]
    shares = [rng.random() ** 2 if tight is None else tight for _ in range(7)]
    limits = [int(low + share * (high - low)) for low, high, share in zip(least, most, shares[:6], strict=True)]
    losses = sum(int(own.loss.max()) for own in tables)
    budget = Budget(
        dsp=limits[0] if rng.random() < 0.9 else None,
        lut=limits[1] if rng.random() < 0.5 else None,
        ff=limits[2] if rng.random() < 0.2 else None,
        bram18=limits[3] if rng.random() < 0.3 else None,
        bits_per_cycle=Fraction(rng.randint(1, 64), rng.randint(1, 4)) if "stream" in memories else None,
        loss=int(losses * shares[6]) if rng.random() < 0.8 else None,
    )
    return Problem(layers, pairs, budget, engines=engines, memories=memories, slacks=slacks, name=free.name)


def any_solution(problem: Problem, seed: int = 0) -> Solution:
    """A design without regard to budgets."""
    rng = random.Random(seed)
    choices: list[Choice] = []
    for own in tabulate(problem):
        choices.append(own.choice(rng.randrange(len(own.cycles)), rng.randrange(len(own.rows))))
    return Solution(tuple(choices))


def squeezed(problem: Problem, seed: int = 0) -> Problem:
    """The same layers under budgets near what some design takes: several bind, and often nothing fits them all."""
    rng = random.Random(seed)
    tables = tabulate(problem)
    total = [sum(int(own.use[rng.randrange(len(own.use)), r]) for own in tables) for r in range(6)]
    names = [name for name in ("dsp", "lut", "ff", "bram18") if rng.random() < 0.6]
    shares = {name: rng.choice([0.3, 0.5, 0.8, 1.0]) for name in names}
    limits: dict[str, Any] = {name: int(total[RESOURCES.index(name)] * share) for name, share in shares.items()}
    if "stream" in problem.memories and rng.random() < 0.7:
        slow = rng.choice(sorted({cycles for own in tables for cycles in own.cycles.ravel().tolist()}))
        limits["bits_per_cycle"] = Fraction(total[5], slow) if rng.random() < 0.8 else Fraction(0)
    if rng.random() < 0.7:
        limits["loss"] = sum(rng.choice(own.loss.tolist()) for own in tables)
    return replace(problem, budget=Budget(**limits), name=f"{problem.name}-squeezed")
