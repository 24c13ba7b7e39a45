"""What plans add to layers, and bounds of plans that have it from another one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from accmine.problems.design_placement.plan_bounds import cheap_bounds
from accmine.problems.design_placement.plans import Terms, terms_of
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


def test_terms_are_made_once_for_problems_in_which_only_the_chips_differ() -> None:
    problem = placement_problem()
    variant = problem.variants[0]
    assert terms_of(replace(problem, area_mm2=1.0, first=()), variant) is terms_of(problem, variant)
    others: dict[str, Any] = {"batch": 64, "devices": 3, "cluster": RING, "pipeline": (2,), "data": (1,), "zero": (1,)}
    for name, value in {**others, "gradient_overlap": 0.5, "orders": (("data", "tensor", "pipeline"),)}.items():
        assert getattr(problem, name) != value
        assert terms_of(replace(problem, **{name: value}), variant) is not terms_of(problem, variant), name


def test_plans_that_were_asked_about_are_told_the_same_again() -> None:
    problem = placement_problem()
    terms = Terms(problem, problem.variants[0])
    plans = terms.plans()
    for _ in range(2):
        apart, fresh = terms.members(plans), Terms(problem, problem.variants[0]).members(plans)
        for name in ("gradient_s", "shards", "transfer_s"):
            assert getattr(apart, name).tolist() == getattr(fresh, name).tolist()
        again = Terms(problem, problem.variants[0])
        assert terms.static_of(plans).tolist() == again.static_of(plans).tolist()
        assert terms.fullest(plans, 1 << 34).tolist() == again.fullest(plans, 1 << 34).tolist()
