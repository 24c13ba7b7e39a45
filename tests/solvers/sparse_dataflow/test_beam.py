"""Partial designs with what they cost at least: exact while all are kept, and never wrong where they are not."""

from __future__ import annotations

import random
from collections import Counter
from itertools import product

import numpy as np
import pytest

from accmine.ports import NEVER, Clock
from accmine.problems.sparse_dataflow import Candidates, Problem
from accmine.solvers.sparse_dataflow.beam import beam
from accmine.solvers.sparse_dataflow.streams import Network
from accmine.sparse.resources import RESOURCES
from tests.solvers.sparse_dataflow.test_streams import GRAPHS, network, total


def case(seed: int) -> tuple[Problem, list[Candidates], list[int | None], set[tuple[int, ...]]]:
    """A small network with limits of which some bind, and its designs that fit."""
    draw = random.Random(seed)
    problem, candidates = network(seed, draw.choice(GRAPHS))
    every = {d: total(problem, candidates, d) for d in product(*(range(len(one)) for one in candidates))}
    typical = every[draw.choice(list(every))]
    limits = [int(use * draw.uniform(0.7, 1.1)) if draw.random() < 0.5 else None for use in typical]
    limits[draw.randrange(len(RESOURCES))] = max(typical)
    fitting = {
        design
        for design, use in every.items()
        if all(most is None or own <= most for own, most in zip(use, limits, strict=True))
    }
    return problem, candidates, limits, fitting


def some_prices(seed: int, limits: list[int | None]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    own = np.random.default_rng(seed).integers(1, 1 << 30, len(limits))
    return np.where([most is None for most in limits], 0, own)


def test_exact_while_all_are_kept() -> None:
    seen = Counter[bool]()
    for seed in range(120):
        problem, candidates, limits, fitting = case(seed)
        found = beam(problem, candidates, limits, some_prices(seed, limits), 1 << 20, NEVER)
        assert found.possible is bool(fitting), seed
        assert not found.possible or found.picks in fitting, seed
        seen[found.possible] += 1
    assert min(seen[True], seen[False]) > 20


@pytest.mark.parametrize("width", [1, 2, 8])
def test_never_wrong_where_few_are_kept(width: int) -> None:
    seen = Counter[bool | None]()
    for seed in range(200, 320):
        problem, candidates, limits, fitting = case(seed)
        found = beam(problem, candidates, limits, some_prices(seed, limits), width, NEVER)
        assert found.possible in (None, bool(fitting)), seed
        assert not found.possible or found.picks in fitting, seed
        seen[found.possible] += 1
    assert min(seen[True], seen[False]) > 10
    assert seen[None] or width > 2


def test_layers_that_are_alike_are_not_told_apart() -> None:
    """Twelve layers of five options each make 5^12 designs, and few sums."""
    problem, candidates = network(1, [], layers=12)
    own = candidates[0].take(np.zeros(5, dtype=np.int64))
    own.use[:] = np.arange(5)[:, None] * np.array([7, 11, 0, 0, 0, 0])
    own.use[:, 1] = 44 - own.use[:, 1]
    own.loss[:] = 0
    limits = [7 * 24, 11 * 24 - 1, None, None, None, None, None]
    found = beam(problem, [own] * 12, limits, np.array([11, 7, 0, 0, 0, 0, 0]), 256, NEVER)
    assert found.possible is False
    limits[1] = 11 * 24
    found = beam(problem, [own] * 12, limits, np.array([11, 7, 0, 0, 0, 0, 0]), 256, NEVER)
    assert found.possible
    assert sum(found.picks) == 24
    assert found.made < 20_000


def test_nothing_is_said_when_time_is_up() -> None:
    problem, candidates, limits, _ = case(3)
    limits = [None if most is None else 10**6 for most in limits]
    assert beam(problem, candidates, limits, some_prices(3, limits), 8, Clock(0.0)).possible is None


@pytest.mark.parametrize("graph", range(len(GRAPHS)))
def test_regrets_of_a_design_add_up_to_its_price(graph: int) -> None:
    problem, candidates = network(graph, GRAPHS[graph])
    own = Network(problem, candidates)
    prices = np.random.default_rng(graph).integers(0, 50, (3, 7))
    least, regrets = own.regrets(prices)
    for design in product(*(range(len(one)) for one in candidates)):
        values = {}
        for layer, option in enumerate(design):
            values[2 * layer], values[2 * layer + 1] = divmod(int(own.group[layer][option]), own.size[2 * layer + 1])
        found = least.copy()
        for step, regret in zip(own.steps, regrets, strict=True):
            others = [v for v in step.variables if v != step.variable]
            shape = tuple(own.size[v] for v in others)
            row = int(np.ravel_multi_index([values[v] for v in others], shape)) if others else 0
            way = values[step.variable] if step.variable % 2 else design[step.variable // 2]
            found += regret[row, way]
        assert found.tolist() == (prices @ np.array(total(problem, candidates, design))).tolist()
