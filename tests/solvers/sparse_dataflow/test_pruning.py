"""What pruning keeps, against every pair of options, one by one."""

from __future__ import annotations

import random
from dataclasses import replace
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import pytest

from accmine.problems.sparse_dataflow import (
    Budget,
    Candidates,
    LayerOptions,
    Problem,
    Solution,
    budget_at,
    check,
    tabulate,
)
from accmine.solvers.sparse_dataflow.pruning import Affordable, at_interval, non_dominated
from accmine.sparse.layer import Layer, Level, binomial
from tests.samples.sparse_sample import random_dataflow


def some_problem(seed: int) -> Problem:
    """Two small layers with levels and an edge, and budgets of some resources."""
    draw = random.Random(seed)
    levels = tuple(
        Level(str(i), (binomial(9, Fraction(10 - 2 * i, 10)),), draw.choice([0, i, 3 * i])) for i in range(3)
    )
    conv = Layer("conv", 2, 4, (3, 3), (8, 8), (8, 8), levels=levels)
    point = Layer("point", 4, 2, (1, 1), (8, 8), (8, 8), levels=(Level("none", (binomial(1, Fraction(1)),)),))
    names = draw.sample(["dsp", "lut", "ff", "bram18", "uram"], draw.randint(1, 5))
    limits: dict[str, Any] = {name: draw.randint(1, 10 ** draw.randint(2, 5)) for name in names}
    budget = Budget(**limits)
    return Problem((conv, point), ((0, 1),), budget, slacks=(1, 4))


def as_tuples(table: LayerOptions, interval: int, problem: Problem, streams: list[int]) -> list[tuple[int, ...]]:
    """(loss, limited resources, streams) of every option that is fast enough and fits by itself."""
    own = problem.budget
    limits = own.dsp, own.lut, own.ff, own.bram18, own.uram
    limited = [i for i, most in enumerate(limits) if most is not None]
    found = []
    for level, loss in enumerate(table.loss.tolist()):
        for folding in range(len(table.rows)):
            if table.cycles[level, folding] <= interval:
                use, words = table.use[folding].tolist(), table.streams[folding].tolist()
                if any(most is not None and use[i] > most for i, most in enumerate(limits)):
                    continue
                found.append((loss, *(use[i] for i in limited), *(words[i] for i in streams)))
    return found


def front(points: list[tuple[int, ...]], streams: int) -> set[tuple[int, ...]]:
    """Those that no other is at most equal to, among those with the same last ``streams`` numbers."""
    distinct = set(points)

    def worse(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
        size = len(a) - streams
        return a != b and a[size:] == b[size:] and all(y <= x for x, y in zip(a[:size], b[:size], strict=True))

    return {a for a in distinct if not any(worse(a, b) for b in distinct)}


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("adapters", [False, True])
def test_keeps_exactly_what_nothing_undercuts(seed: int, adapters: bool) -> None:
    problem = some_problem(seed)
    tables = tabulate(problem)
    draw = random.Random(seed)
    interval = draw.choice(sorted(set(tables[0].cycles.ravel().tolist()))[3:])
    found = at_interval(problem, tables, interval, adapters=adapters)
    for table, own, joined in zip(tables, found, ([1], [0]), strict=True):
        streams = joined if adapters else []
        kept = as_tuples_of(own, problem, streams)
        assert len(kept) == len(set(kept))
        assert set(kept) == front(as_tuples(table, interval, problem, streams), len(streams))
        assert (own.cycles == table.cycles[own.level, own.folding]).all()
        assert own.cycles.max(initial=0) <= interval


def as_tuples_of(own: Candidates, problem: Problem, streams: list[int]) -> list[tuple[int, ...]]:
    given = problem.budget
    limited = [i for i, most in enumerate((given.dsp, given.lut, given.ff, given.bram18, given.uram)) if most]
    columns = np.column_stack([own.loss, own.use[:, limited], own.streams[:, streams]])
    return [tuple(row) for row in columns.tolist()]


def test_nothing_is_left_below_the_fastest() -> None:
    problem = replace(some_problem(0), budget=Budget())
    tables = tabulate(problem)
    fastest = int(tables[0].cycles.min())
    assert len(at_interval(problem, tables, fastest - 1)[0]) == 0
    assert len(at_interval(problem, tables, fastest)[0]) > 0


def test_equal_layers_share_their_candidates() -> None:
    layer = some_problem(0).layers[0]
    problem = Problem((layer, layer), budget=Budget(dsp=9))
    first, second = at_interval(problem, tabulate(problem), 10**6)
    assert first is second


def test_what_designs_with_adapters_do_not_afford_is_left_out_and_nothing_else() -> None:
    """Against all designs, at an interval and, after ``keep``, at a shorter one."""
    fewer = designs = 0
    for seed in range(100):
        draw = random.Random(seed)
        problem = random_dataflow(seed, edges=True, most_layers=2)
        tables = tabulate(problem)
        cycles = sorted({own for table in tables for own in table.cycles.ravel().tolist()})
        options = Affordable(problem, tables)
        prices = np.array([draw.randint(0, 1000) for _ in range(7)])
        for interval in (cycles[2 * len(cycles) // 3], cycles[len(cycles) // 2]):
            limits = (*budget_at(problem, interval), problem.budget.loss)
            limited = [i for i, most in enumerate(limits) if most is not None]
            whole = at_interval(problem, tables, interval)
            if not all(map(len, whole)):
                continue
            left = options.at(interval, limits, adapters=True, joint=prices)
            options.keep()
            fewer += sum(map(len, left)) < sum(map(len, whole))
            for design in product(*(range(len(own)) for own in whole)):
                rows = zip(whole, tables, design, strict=True)
                solution = Solution(tuple(t.choice(int(own.level[o]), int(own.folding[o])) for own, t, o in rows))
                if check(problem, solution):
                    continue
                designs += 1
                for own, kept, o in zip(whole, left, design, strict=True):
                    mine = np.append(own.use[o], own.loss[o])[limited].tolist(), own.streams[o].tolist()
                    rows_left = np.column_stack([kept.use, kept.loss])[:, limited].tolist()
                    assert mine in list(zip(rows_left, kept.streams.tolist(), strict=True)), seed
    assert fewer > 5
    assert designs > 100


@pytest.mark.parametrize("seed", range(20))
def test_non_dominated_of_groups_is_that_of_each(seed: int) -> None:
    draw = np.random.default_rng(seed)
    points, group = draw.integers(0, 6, size=(80, 3)), draw.integers(0, 7, 80)
    found = [which[non_dominated(list(points[which].T))] for which in (np.flatnonzero(group == g) for g in range(7))]
    assert non_dominated(list(points.T), group).tolist() == sorted(np.concatenate(found).tolist())


@pytest.mark.parametrize("seed", range(20))
def test_non_dominated_against_all_pairs(seed: int) -> None:
    draw = np.random.default_rng(seed)
    points = draw.integers(0, 5, size=(40, 3))
    kept = non_dominated(list(points.T))
    for i, own in enumerate(points):
        below = [j for j, other in enumerate(points) if (other <= own).all() and (j < i or (other < own).any())]
        assert (i in kept) == (not below)
