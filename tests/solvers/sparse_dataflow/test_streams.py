"""Cheapest designs with adapters and what each option costs at least, against all designs."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from accmine.ports import NEVER
from accmine.problems.sparse_dataflow import Candidates, Problem
from accmine.solvers.sparse_dataflow import streams
from accmine.solvers.sparse_dataflow.joint import joined
from accmine.solvers.sparse_dataflow.streams import Network, adapters
from accmine.sparse.layer import Layer, Level, binomial
from accmine.sparse.resources import DEFAULT_MODEL, adapter


def network(seed: int, edges: list[tuple[int, int]], layers: int = 4) -> tuple[Problem, list[Candidates]]:
    """Candidates with streams and uses at random; the layers themselves do not matter."""
    draw = np.random.default_rng(seed)
    level = Level("none", (binomial(1, 1),))  # type: ignore[arg-type]
    own = tuple(Layer(f"l{i}", 8, 8, levels=(level,)) for i in range(layers))
    found = []
    for _ in own:
        n = int(draw.integers(1, 6))
        use, loss = draw.integers(0, 2000, (n, 6)), draw.integers(0, 900, n)
        words = 2 ** draw.integers(0, 3, (n, 2))
        found.append(Candidates(np.zeros(n, int), np.arange(n), np.ones(n, int), loss, use, words))
    return Problem(own, tuple(edges)), found


def total(problem: Problem, candidates: list[Candidates], picks: tuple[int, ...]) -> list[int]:
    """What a design takes, with the loss."""
    rows = [[*own.use[o].tolist(), int(own.loss[o])] for own, o in zip(candidates, picks, strict=True)]
    found = [sum(column) for column in zip(*rows, strict=True)]
    for i, j in problem.edges:
        given, taken = candidates[i].streams[picks[i], 1], candidates[j].streams[picks[j], 0]
        lut, ff = adapter(int(given), int(taken), problem.model)
        found[1] += lut
        found[2] += ff
    return found


GRAPHS: tuple[list[tuple[int, int]], ...] = (
    [(0, 1), (1, 2), (2, 3)],
    [(0, 1), (1, 2), (0, 2), (2, 3), (0, 3)],
    [(1, 0), (2, 1), (3, 1), (2, 3)],
    [(0, 1), (2, 3)],
    [(1, 1), (0, 1), (3, 0)],
    [],
)


@pytest.mark.parametrize("graph", range(len(GRAPHS)))
@pytest.mark.parametrize("seed", range(5))
def test_cheapest_and_marginals_are_those_of_all_designs(seed: int, graph: int) -> None:
    problem, candidates = network(10 * graph + seed, GRAPHS[graph])
    prices = np.random.default_rng(seed).integers(0, 50, 7)
    own = Network(problem, candidates)
    value, picks = own.cheapest(prices)
    cost = {
        design: sum(int(p) * use for p, use in zip(prices, total(problem, candidates, design), strict=True))
        for design in product(*(range(len(one)) for one in candidates))
    }
    assert value == cost[tuple(picks)] == min(cost.values())
    for layer, marginals in enumerate(own.marginals()):
        for option, least in enumerate(marginals.tolist()):
            assert least == min(price for design, price in cost.items() if design[layer] == option)


@pytest.mark.parametrize("per_bit", [(1.5, 2.0), (0.34, 1 / 3), (0.0, 1e-6)])
def test_adapters_of_arrays_are_those_of_the_scalar_formula(per_bit: tuple[float, float]) -> None:
    model = replace(DEFAULT_MODEL, adapter_lut_per_bit=per_bit[0], adapter_ff_per_bit=per_bit[1], data_bits=7)
    words = np.array([1, 2, 3, 7, 8, 640, 4099])
    found = adapters(words[:, None], words, model)
    assert found.tolist() == [[list(adapter(a, b, model)) for b in words.tolist()] for a in words.tolist()]


def test_tables_that_are_too_large_leave_edges_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "_LARGEST", 8)
    problem, candidates = network(1, GRAPHS[1])
    own = Network(problem, candidates)
    assert len(own.edges) < len(problem.edges)
    prices = np.array([1, 2, 3, 4, 5, 6, 7])
    designs = list(product(*(range(len(one)) for one in candidates)))
    least = min(int(prices @ total(problem, candidates, design)) for design in designs)
    assert own.cheapest(prices)[0] <= least


@pytest.mark.parametrize("seed", range(40))
def test_what_is_refuted_or_left_out_is_in_no_design(seed: int) -> None:
    draw = random.Random(seed)
    problem, candidates = network(seed, draw.choice(GRAPHS))
    every = {d: total(problem, candidates, d) for d in product(*(range(len(one)) for one in candidates))}
    typical = every[draw.choice(list(every))]
    limits = [int(use * draw.uniform(0.9, 1.2)) if draw.random() < 0.6 else None for use in typical]
    fitting = [
        design
        for design, use in every.items()
        if all(most is None or own <= most for own, most in zip(use, limits, strict=True))
    ]
    found = joined(problem, candidates, limits, None, NEVER)
    if not found.possible:
        assert not fitting
        return
    if found.picks is not None:
        assert found.picks in fitting
        return
    for layer, own in enumerate(found.candidates):
        assert {design[layer] for design in fitting} <= set(own.folding.tolist())
