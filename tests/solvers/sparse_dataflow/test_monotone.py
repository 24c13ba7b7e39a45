"""More of any budget or sparser levels never make the best interval longer; names and order change nothing."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from accmine.problems.sparse_dataflow import Budget, Problem, bound, tabulate
from accmine.solving import solve
from accmine.sparse.layer import Layer, Level, binomial
from accmine.sparse.resources import RESOURCES

BUDGETS = ("dsp", "lut", "ff", "bram18", "bits_per_cycle", "loss")


def case(seed: int) -> Problem:
    """Layers large enough to take every resource, under budgets of which some bind."""
    draw = random.Random(seed)
    channels = [draw.choice([4, 8, 12]) for _ in range(4)]
    layers = tuple(_layer(draw, f"l{i}", channels[i], channels[i + 1]) for i in range(draw.randint(2, 3)))
    edges = tuple((i, i + 1) for i in range(len(layers) - 1)) if draw.random() < 0.3 else ()
    memories = draw.choice([("bram",), ("bram", "stream"), ("stream",)])
    free = Problem(layers, edges, Budget(dsp=draw.choice([20, 60, 150])), memories=memories, slacks=(1, 16))
    tables = tabulate(free)
    limits: dict[str, Any] = {"dsp": free.budget.dsp, "loss": draw.choice([0, 100, 250, None])}
    for name in draw.sample(["lut", "ff", "bram18"], draw.randint(0, 2)):
        limits[name] = (
            sum(int(own.use[:, RESOURCES.index(name)].min()) for own in tables)
            * draw.choice([10, 11, 12, 15, 30])
            // 10
        )
    if "stream" in memories and draw.random() < 0.8:
        limits["bits_per_cycle"] = Fraction(draw.randint(5, 200), 2)
    return replace(free, budget=Budget(**limits))


def _layer(draw: random.Random, name: str, channels_in: int, channels_out: int) -> Layer:
    kernel = draw.choice([(1, 1), (3, 3)])
    cluster = 4 if kernel == (1, 1) else 1
    window, side = kernel[0] * kernel[1] * cluster, draw.choice([7, 14, 28])
    densities = Fraction(1), Fraction(draw.randint(5, 8), 10), Fraction(draw.randint(1, 4), 10)
    levels = [Level(str(i), (binomial(window, own),), i * draw.randint(1, 99)) for i, own in enumerate(densities)]
    return Layer(name, channels_in, channels_out, kernel, (side, 70), (side, 70), 1, cluster, tuple(levels))


def best(problem: Problem) -> int | None:
    """Interval of a best design; ``None``: there is none."""
    found = solve(problem, "bisection")
    assert found.objective == found.bound
    assert found.objective is None or isinstance(found.objective, int)
    return found.objective


def no_longer(less: int | None, more: int | None) -> bool:
    """Whether what has more is as fast or faster; nothing is slower than no design."""
    return less is None or (more is not None and more <= less)


def least(problem: Problem, name: str) -> Any:
    """So little of a budget that designs hardly have it."""
    if name in ("loss", "bits_per_cycle"):
        return 0 if name == "loss" else Fraction(1, 2)
    return sum(int(own.use[:, RESOURCES.index(name)].min()) for own in tabulate(problem))


@pytest.mark.parametrize("name", BUDGETS)
def test_more_of_a_budget_never_takes_longer(name: str) -> None:
    seen = Counter[bool]()
    for seed in range(16):
        problem = replace(case(seed), memories=("stream",) if name == "bits_per_cycle" else ("bram",))
        limit = least(problem, name)
        last: int | None = None
        for more in (limit, limit + 1, limit * 5 // 4 + 2, limit * 2 + 4, limit * 8 + 8, limit + 10**7, None):
            own = best(replace(problem, budget=replace(problem.budget, **{name: more})))
            assert no_longer(last, own), (seed, more)
            seen[own == last] += 1
            last = own
    assert min(seen[True], seen[False]) >= 10


def sparser(layer: Layer, draw: random.Random) -> Layer:
    """Of each level some windows have one more zero product."""

    def thinned(histogram: tuple[int, ...]) -> tuple[int, ...]:
        found = list(histogram)
        for z in range(len(histogram) - 2, -1, -1):
            moved = draw.choice([0, found[z] // 4, found[z]])
            found[z], found[z + 1] = found[z] - moved, found[z + 1] + moved
        return tuple(found)

    levels = [Level(own.name, tuple(map(thinned, own.histograms)), own.loss) for own in layer.levels]
    return replace(layer, levels=tuple(levels))


def test_sparser_levels_never_take_longer() -> None:
    seen = Counter[bool]()
    for seed in range(100, 140):
        problem, draw = case(seed), random.Random(seed)
        thinner = replace(problem, layers=tuple(sparser(layer, draw) for layer in problem.layers))
        before, after = best(problem), best(thinner)
        assert no_longer(before, after), seed
        assert no_longer(bound(problem)[0], bound(thinner)[0]), seed
        seen[before == after] += 1
    assert seen[False] > 10


def test_names_and_order_of_layers_and_levels_change_nothing() -> None:
    found = 0
    for seed in range(200, 225):
        problem, draw = case(seed), random.Random(seed)
        order = list(range(len(problem.layers)))
        draw.shuffle(order)
        place = {old: new for new, old in enumerate(order)}
        layers = []
        for i in order:
            levels = [replace(own, name=f"level {k}") for k, own in enumerate(problem.layers[i].levels)]
            draw.shuffle(levels)
            layers.append(replace(problem.layers[i], name=f"renamed {i}", levels=tuple(levels)))
        edges = tuple((place[i], place[j]) for i, j in problem.edges)
        other: dict[str, Any] = {"layers": tuple(layers), "edges": edges, "name": "other"}
        again = replace(problem, **other)
        assert best(again) == best(problem), seed
        assert bound(again)[0] == bound(problem)[0], seed
        found += best(problem) is not None
    assert found > 10
