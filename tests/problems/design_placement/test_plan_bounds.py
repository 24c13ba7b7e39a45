"""Bounds of plans without cuts: never above the step of any cut of any placement."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from accmine.problems.design_placement.layer_bounds import SAFE
from accmine.problems.design_placement.plan_bounds import cheap_bounds, floor_of, least_chain_of_equals
from accmine.problems.design_placement.plans import Terms
from accmine.problems.device_placement import Pipelining
from tests.samples.placement_sample import layer_times, placement_problem, simulated


@pytest.mark.parametrize(("layers", "stages", "microbatches"), list(product((1, 2, 5, 7), (1, 2, 3, 4), (1, 2, 3, 8))))
def test_the_least_chain_of_equal_layers_is_that_of_all_cuts(layers: int, stages: int, microbatches: int) -> None:
    def least(left: int, stages: int, before: int) -> int:
        if stages == 1:
            return before + microbatches * left
        rows = (max(before + microbatches * n, least(left - n, stages - 1, before + n)) for n in range(left + 1))
        return min(rows)

    assert least_chain_of_equals(layers, stages, microbatches) == least(layers, stages, 0)


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"zero": (0, 1), "orders": (("tensor", "data", "pipeline"), ("pipeline", "data", "tensor"))},
        {"pipelinings": (Pipelining("gpipe"), Pipelining("1f1b")), "batch": 7, "microbatch": (1,)},
        {"space": {"hbm_bytes": (1 << 20, 2 << 20)}},
    ],
)
def test_no_placement_is_below_the_bound_of_its_plan(more: dict[str, object]) -> None:
    problem = placement_problem(**more)  # type: ignore[arg-type]
    checked = 0
    terms = [Terms(problem, variant) for variant in problem.variants]
    every = [own.plans() for own in terms]
    for design, v, times in layer_times(problem):
        kinds = dict(zip([k for k, n in terms[v].runs for _ in range(n)], times, strict=True))
        seconds = np.array([kinds[k] for k in sorted(kinds)])[:, :, None]
        fullest = terms[v].fullest(every[v], design.hbm_bytes)
        found = SAFE * cheap_bounds(every[v], seconds, fullest[:, None])[:, 0]
        floor = SAFE * floor_of(every[v], fullest).bounds(seconds)[0]
        apart = terms[v].members(every[v])
        exact = SAFE * cheap_bounds(apart, seconds, terms[v].fullest(apart, design.hbm_bytes)[:, None])[:, 0]
        for placement, step in simulated(problem, design, v, times):
            asked = (
                len(placement.stages),
                problem.orders.index(placement.order),
                problem.pipelinings.index(placement.pipelining),
                problem.zero.index(placement.zero),
            )
            bounds = []
            for plans, values in ((every[v], found), (apart, exact)):
                same = np.array(asked) == np.stack([plans.stages, plans.order, plans.pipelining, plans.zero]).T
                (i,) = np.flatnonzero(
                    same.all(axis=1) & (plans.data <= placement.data) & (placement.data <= plans.data_most)
                )
                bounds.append(float(values[i]))
            assert floor <= min(bounds) * (1 + 1e-12)
            assert max(bounds) <= step
            assert bounds[0] <= bounds[1] * (1 + 1e-12), "what is told apart is bounded better"
            checked += 1
    assert checked > 30
