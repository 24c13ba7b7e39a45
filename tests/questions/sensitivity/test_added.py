"""What a larger limit adds: bounds of the added designs alone, and sizes at which a better design is known."""

from __future__ import annotations

from functools import lru_cache
from math import inf
from typing import Any

import pytest

from accmine.hardware import Design
from accmine.hardware.technology import area_mm2, tdp_w
from accmine.ports import Stop
from accmine.questions.run.record import LimitRow
from accmine.questions.sensitivity.added import TRIED, bound_of_added, first_designs, next_size
from accmine.questions.sensitivity.changes import Change, changes_of
from accmine.search import list_cycles, on_design, search_problem
from tests.samples.search_sample import designs, fits, pipeline, planned

SPACE = {"tensor_cores": [1, 2, 3, 4], "tensor_dim": [4, 8], "vector_cores": [1, 2], "vector_lanes": [4, 8]}
AREA: dict[str, Any] = {"space": SPACE, "limits": {"area": "baseline"}}
KEYS: dict[str, dict[str, Any]] = {"area": AREA, "tdp": {"space": SPACE, "limits": {"tdp": "baseline"}}}


def change(key: str, percent: float, **keys: Any) -> Change:
    plan, _ = planned(**keys)
    return next(c for c in changes_of(plan, percent) if c.key == key)


@lru_cache(maxsize=128)
def value_of(design: Design, limit: str) -> float:
    """The value of a design with list schedules."""
    plan, library = planned(**KEYS[limit])
    (cycles,) = list_cycles(plan.tasks, library, [design], Stop())
    return on_design(plan, cycles, design, tdp_w(design, plan.technology) * plan.devices)


@lru_cache(maxsize=8)
def best(limit: str) -> float:
    """The least value of the designs within the limit, with list schedules."""
    keys = KEYS[limit]
    plan, library = planned(**keys)
    problem = search_problem(plan, plan.groups(plan.study.mode)[0], 1, library)
    return min(value_of(d, limit) for d in designs(plan.template) if fits(problem, d))


@pytest.mark.parametrize("limit", ["area", "tdp"])
@pytest.mark.parametrize("percent", [3.0, 20.0])
def test_no_added_design_is_below_the_bound(limit: str, percent: float) -> None:
    keys = KEYS[limit]
    plan, library = planned(**keys)
    cost = {"area": area_mm2, "tdp": tdp_w}[limit]
    own = {"area": plan.area_mm2, "tdp": plan.tdp_w}[limit]
    bound = bound_of_added(change(f"limits.{limit}", percent, **keys), library)
    added = [d for d in designs(plan.template) if own < cost(d, plan.technology) <= own * (1 + percent / 100)]
    assert added
    assert 0 < bound <= min(value_of(d, limit) for d in added) * (1 + 1e-9)


def test_more_that_is_added_never_raises_the_bound() -> None:
    _, library = planned(**AREA)
    bounds = [bound_of_added(change("limits.area", percent, **AREA), library) for percent in (1e-7, 1, 5, 20, 100)]
    assert bounds == sorted(bounds, reverse=True)
    assert bounds[0] > bounds[-1]


def test_nothing_added_is_bounded_by_nothing() -> None:
    _, library = planned(**AREA)
    assert bound_of_added(change("device_limits.area", 1.0, **AREA), library) == inf


def test_the_next_size_holds_a_better_design() -> None:
    plan, library = planned(**AREA)
    text = next_size(change("limits.area", 1e-7, **AREA), best("area"), (), library)
    assert text.startswith("from ")
    size, gain = float(text.split()[1]), float(text.partition("that is ")[2].split()[0])
    assert size > plan.area_mm2 * (1 - 1e-5)
    there = [d for d in designs(plan.template) if area_mm2(d, plan.technology) == pytest.approx(size, rel=1e-5)]
    assert min(value_of(d, "area") for d in there) == pytest.approx(best("area") / (1 + gain / 100), rel=0.01)


def test_nothing_is_better_than_no_time_at_all() -> None:
    plan, library = planned(**AREA)
    text = next_size(change("limits.area", 1.0, **AREA), 0.0, (), library)
    assert text == f"no better design was found up to {plan.area_mm2 * 1.5:.6g} mm^2"


def test_a_limit_behind_a_tighter_one_has_no_next_size() -> None:
    _, library = planned(**AREA)
    assert next_size(change("device_limits.area", 1.0, **AREA), best("area"), (), library) == "limits.area is tighter"
    scaled = change("accelerator.hbm_bandwidth", 1.0, **AREA)
    assert next_size(scaled, best("area"), (), library) == "", "no limit"


def test_the_first_designs_fit_and_are_distinct() -> None:
    plan, library = planned(**AREA)
    found = first_designs(plan, library)
    problem = search_problem(plan, plan.groups(plan.study.mode)[0], 1, library)
    assert 0 < len(found) <= TRIED
    assert len(set(found)) == len(found)
    assert all(plan.template.contains(d) and fits(problem, d) for d in found)


def test_of_several_groups_the_next_core_counts() -> None:
    keys: dict[str, Any] = {
        "models": ("gpt",), "space": SPACE | {"tensor_cores": [1, 2]}, "mode": "heterogeneous",
        "workload": {"batch": 4, "microbatch": 1}, "limits": {"area": "baseline"}, **pipeline(2),
    }  # fmt: skip
    plan, library = planned(**keys)
    assert len(plan.groups(plan.study.mode)) > 1
    assert first_designs(plan, library) == []
    grown = change("limits.area", 1.0, **keys)

    def said(used: float, step: float) -> str:
        return next_size(grown, 1.0, [limit_row(grown, used, step)], library)

    limit = plan.area_mm2
    assert said(limit - 1, 3.0).startswith("the next core fits from ")
    assert said(limit - 5, 3.0) == "", "it fits already"
    assert said(limit - 1, inf) == "", "there is none"
    assert next_size(grown, 1.0, (), library) == ""


def limit_row(grown: Change, used: float, step: float) -> LimitRow:
    assert grown.limit is not None
    limit = grown.limit.value
    return LimitRow("AREA", limit, used, "mm^2", limit - used < step, step)
