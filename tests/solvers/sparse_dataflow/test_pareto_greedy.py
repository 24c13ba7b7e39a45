"""Greedy: an optimum with one budget and fixed levels; elsewhere no better than one."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from accmine.errors import InputError
from accmine.ports import Stop
from accmine.problems.sparse_dataflow import Budget, Problem, check
from accmine.registry import make_solver
from accmine.result import StopReason
from accmine.solving import solve
from accmine.sparse.layer import Layer
from accmine.sparse.levels import synthetic_levels
from accmine.sparse.network import network_layers
from accmine.workload import forward_graph, load_model
from tests.samples.sparse_sample import random_dataflow


def network(name: str, levels: int = 8) -> tuple[tuple[Layer, ...], tuple[tuple[int, int], ...]]:
    """Layers of a network of the catalogue with made-up levels, and its edges."""
    layers, edges = network_layers(forward_graph(load_model(name), batch=1, dropout=False, loss=False))
    return synthetic_levels(layers, levels), edges


@pytest.mark.parametrize(
    "name",
    ["resnet-18", *(pytest.param(own, marks=pytest.mark.full) for own in ("mobilenet-v2", "vgg-16", "resnet-50"))],
)
@pytest.mark.parametrize("level", [0, 5])
def test_equals_the_optimum_of_a_network_with_one_budget_and_fixed_levels(name: str, level: int) -> None:
    layers, edges = network(name)
    fixed = tuple(replace(layer, levels=(layer.levels[level],)) for layer in layers)
    for dsp in (len(layers) + 200, 2_000, 12_000):
        problem = Problem(fixed, edges, Budget(dsp=dsp), memories=("bram",))
        exact = solve(problem, "dynamic-programming")
        assert exact.objective == exact.bound
        assert solve(problem, "pareto-greedy").objective == exact.objective, dsp


@pytest.mark.parametrize("resource", ["dsp", "lut", "bram18"])
def test_equals_the_optimum_of_small_ones_with_any_one_resource(resource: str) -> None:
    seen = Counter[bool]()
    for seed in range(30):
        drawn = random_dataflow(seed, edges=False)
        fixed = tuple(replace(layer, levels=layer.levels[-1:]) for layer in drawn.layers)
        limit = getattr(drawn.budget, resource)
        problem = replace(drawn, layers=fixed, budget=Budget(**{resource: limit}))
        exact = solve(problem, "bisection")
        assert solve(problem, "pareto-greedy").objective == exact.objective, seed
        seen[limit is None] += 1
    assert seen[False] > 5


def test_given_levels_are_kept_and_otherwise_it_chooses() -> None:
    problem = next(own for own in map(random_dataflow, range(100)) if all(len(one.levels) == 3 for one in own.layers))
    free = replace(problem, budget=Budget(dsp=50))
    for levels in ((2,) * len(free.layers), (0,) * len(free.layers)):
        found = solve(free, make_solver(free.kind, "pareto-greedy", levels=levels)).solution
        assert found is not None
        assert tuple(own.level for own in found.choices) == levels
    assert solve(free, "pareto-greedy").objective == solve(free, "bisection").objective


def test_never_below_the_optimum_and_always_valid() -> None:
    equal = Counter[str]()
    for seed in range(200, 260):
        problem = random_dataflow(seed)
        own, exact = solve(problem, "pareto-greedy"), solve(problem, "bisection")
        if own.objective is None:
            equal["none"] += 1
            continue
        assert own.solution is not None
        assert exact.objective is not None
        assert check(problem, own.solution) == ()
        assert own.objective >= exact.objective
        assert own.bound is None
        equal["same" if own.objective == exact.objective else "worse"] += 1
    assert equal["same"] > 30


def test_what_is_no_level_is_named() -> None:
    problem = random_dataflow(3)
    count = len(problem.layers)
    with pytest.raises(InputError, match=rf"{count + 1} levels for {count} layers"):
        solve(problem, make_solver(problem.kind, "pareto-greedy", levels=[0] * (count + 1)))
    with pytest.raises(InputError, match=r"level 9 is not there; allowed: 0 to \d \(l0\)"):
        solve(problem, make_solver(problem.kind, "pareto-greedy", levels=[9] * count))


def test_steps_are_its_work() -> None:
    layers, edges = network("resnet-18", 1)
    problem = Problem(layers, edges, Budget(dsp=500), memories=("bram",))
    some, whole = solve(problem, "pareto-greedy", stop=Stop(work=5)), solve(problem, "pareto-greedy")
    assert (some.stop, some.work) == (StopReason.TIME, 5)
    assert whole.stop is StopReason.FINISHED
    assert whole.objective is not None
    assert some.objective is not None
    assert whole.objective < some.objective
