"""What plans add to layers, and bounds of plans that have it from another one."""

from __future__ import annotations

import numpy as np
import pytest

from accmine.problems.design_placement.plan_bounds import cheap_bounds
from accmine.problems.design_placement.plans import Terms
from accmine.problems.design_placement.times import class_at
from accmine.system import Cluster, Level
from tests.samples.placement_sample import layer_times, placement_problem, simulated

RING = Cluster("ring", (Level("ring", None, 2e9, 1e-6, "ring"),))


@pytest.mark.parametrize(
    ("pipeline", "data"), [((1, 2), (1, 2)), ((2, 1), (1,)), ((1,), (2, 1)), ((2, 1), (2, 1)), ((), ())]
)
def test_what_is_listed_first_does_not_raise_the_bound_of_fewer_devices(
    pipeline: tuple[int, ...], data: tuple[int, ...]
) -> None:
    """Two devices are a whole ring, with twice the bandwidth that two of four have."""
    problem = placement_problem(
        tensor=(2,), microbatch=(1,), recompute=("none",), space={"vector_cores": (1,)},
        cluster=RING, pipeline=pipeline, data=data,
    )  # fmt: skip
    for design, v, times in layer_times(problem):
        variant = problem.variants[v]
        terms, kinds = Terms(problem, variant), class_at(variant)
        plans = terms.plans()
        seconds = np.array([times[kinds.index(k)] for k in range(len(variant.classes))])[:, :, None]
        least = {(int(p), int(d)): np.inf for p, a, b in zip(plans.stages, plans.data, plans.data_most, strict=True)
                 for d in terms.replicas(int(a), int(b))}  # fmt: skip
        for placement, step in simulated(problem, design, v, times):
            key = len(placement.stages), placement.data
            least[key] = min(least[key], step)
        assert min(least.values()) < np.inf
        for several in (plans, terms.members(plans)):
            bounds = cheap_bounds(several, seconds)[:, 0]
            for row, bound in enumerate(bounds.tolist()):
                for d in terms.replicas(int(several.data[row]), int(several.data_most[row])):
                    assert bound <= least[int(several.stages[row]), d] * (1 + 1e-9)
