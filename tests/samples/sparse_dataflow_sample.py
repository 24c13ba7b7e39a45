"""Small random sparse dataflows of every kind, whose designs can all be looked at."""

from __future__ import annotations

import random
from fractions import Fraction
from math import prod
from typing import Any

from accmine.problems.sparse_dataflow import Budget, Problem, tabulate
from accmine.sparse.folding import MEMORIES
from accmine.sparse.layer import Layer, Level, binomial
from accmine.sparse.resources import RESOURCES

__all__ = ["random_dataflow"]

_MOST = 30_000
"""Designs of a problem."""


def random_dataflow(seed: int, *, edges: bool = True) -> Problem:
    """Up to three layers and two levels; budgets near what some design takes, so that several bind."""
    draw = random.Random(f"dataflow {seed}")
    while True:
        layers = tuple(_layer(draw, f"l{i}") for i in range(draw.randint(1, 3)))
        pairs = [(i, j) for j in range(len(layers)) for i in range(j) if draw.random() < 0.7] if edges else []
        engines = draw.choice([("sparse",), ("dense",), ("dense", "sparse")])
        memories = tuple(own for own in MEMORIES if draw.random() < 0.4) or ("bram",)
        problem = Problem(layers, tuple(pairs), Budget(), engines=engines, memories=memories, slacks=(1,))
        tables = tabulate(problem)
        if prod(own.cycles.size for own in tables) > _MOST:
            continue
        limits: dict[str, Any] = {}
        for i, name in enumerate(RESOURCES):
            if draw.random() < 0.6:
                total = sum(int(own.use[draw.randrange(len(own.use)), i]) for own in tables)
                limits[name] = int(total * draw.choice([0.5, 0.8, 1.0, 1.0, 1.3]))
        if (bits := limits.pop("bits", None)) is not None:
            slow = draw.choice(sorted({own for table in tables for own in table.cycles.ravel().tolist()}))
            limits["bits_per_cycle"] = Fraction(draw.choice([bits, bits + 1, 0]), draw.choice([slow, 2 * slow + 1]))
        if draw.random() < 0.6:
            limits["loss"] = sum(draw.choice(own.loss.tolist()) for own in tables)
        return Problem(layers, tuple(pairs), Budget(**limits), engines=engines, memories=memories, slacks=(1,))


def _layer(draw: random.Random, name: str) -> Layer:
    kernel = draw.choice([(1, 1), (1, 1), (1, 2), (2, 2)])
    cluster, groups = draw.choice([1, 1, 2]), draw.choice([1, 1, 2])
    window = kernel[0] * kernel[1] * cluster
    densities = [Fraction(1), Fraction(draw.randint(3, 8), 10)][: draw.randint(1, 2)]
    levels = tuple(Level(str(i), (binomial(window, own),), i * draw.randint(0, 40)) for i, own in enumerate(densities))
    sizes = draw.randint(1, 9), draw.randint(1, 9)
    channels = groups * cluster * draw.choice([1, 2, 4]), groups * draw.choice([1, 2, 3])
    return Layer(name, *channels, kernel, sizes, sizes, groups, cluster, levels)
