"""The designs of a decision: distinct, in order, of the space, and within the limits of their draw."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.cost import CostLibrary
from accmine.hardware import Calibration, Design
from accmine.hardware.technology import area_mm2
from accmine.plan import Plan, under_technology
from accmine.problems.design_search.space_bound import promising
from accmine.questions.stability.draws import Constant, constants_of
from accmine.questions.stability.pool import FRONT, PROMISING, joined, promising_under, searched
from accmine.search import search_problem
from tests.samples.search_sample import design, designs, fits, planned

KEYS: dict[str, Any] = {
    "space": {"tensor_cores": [1, 2, 3], "tensor_dim": [4, 8], "vector_cores": [1, 2], "vector_lanes": [4, 8]},
    "limits": {"area": "baseline"},
    "budget": {"work": 0.5, "deterministic": True, "workers": 1},
    "search": {"refine": "none", "top_k": 3, "shares": 1},
}


@lru_cache(maxsize=1)
def tiny() -> tuple[Plan, CostLibrary, tuple[Constant, ...]]:
    plan, library = planned(**KEYS)
    return plan, library, constants_of(plan.technology, plan.template.calibration)


def under(**values: float) -> list[Design]:
    """The promising designs with these constants and all others nominal; dots as ``__``."""
    plan, library, constants = tiny()
    row = [values.get(c.name.replace(".", "__"), c.nominal) for c in constants]
    return promising_under(plan, library, constants, row, plan.groups(plan.study.mode)[0])


POOL = [design(cores, dim=dim) for cores in (1, 2, 3) for dim in (4, 8)]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.sampled_from(POOL), max_size=6), max_size=4))
def test_parts_join_in_order_and_without_repeats(parts: list[list[Design]]) -> None:
    plan, _, _ = tiny()
    found = joined(plan, plan.groups(plan.study.mode)[0], *parts)
    flat = [d for part in parts for d in part]
    assert set(found) == set(flat)
    assert len(set(found)) == len(found)
    assert list(found) == sorted(found, key=flat.index)
    assert joined(plan, plan.groups(plan.study.mode)[0], found, *parts) == found


def test_designs_that_do_not_hold_the_tasks_are_left_out() -> None:
    plan, _, _ = tiny()
    need = max(task.memory_bytes for task in plan.tasks)
    enough, short = design(hbm=need), design(hbm=need - 1)
    assert joined(plan, plan.groups(plan.study.mode)[0], [short, enough], [short]) == (enough,)


def test_under_nominal_constants_they_are_those_of_the_study() -> None:
    plan, library, _ = tiny()
    problem = search_problem(plan, plan.groups(plan.study.mode)[0], 1, library, sketch=True)
    assert under() == promising(problem, PROMISING)
    assert 0 < len(under()) <= PROMISING


@pytest.mark.parametrize("factor", [0.8, 1.25])
def test_they_fit_in_their_draw(factor: float) -> None:
    plan, library, _ = tiny()
    there = under_technology(plan, plan.technology.perturbed({"area.uncore_mm2": factor}))
    problem = search_problem(there, plan.groups(plan.study.mode)[0], 1, library)
    found = under(area__uncore_mm2=factor)
    assert found
    for one in found:
        assert plan.template.contains(one)
        assert fits(replace(problem, area_mm2=problem.area_mm2 * (1 + 1e-9)), one)


def test_cheaper_silicon_admits_more_within_a_fixed_limit() -> None:
    plan, library, constants = tiny()
    least = min(area_mm2(d, plan.technology) for d in designs(plan.template))
    fixed, _ = planned(**KEYS | {"limits": {"area": f"{least * 0.999:.9f} mm^2"}})
    group = fixed.groups(fixed.study.mode)[0]
    assert promising_under(fixed, library, constants, [c.nominal for c in constants], group) == [], "nothing fits"
    row = [0.5 if c.name == "area.uncore_mm2" else c.nominal for c in constants]
    assert promising_under(fixed, library, constants, row, group)


def test_the_time_model_of_a_draw_decides() -> None:
    plan, library, _ = tiny()
    slow = replace(plan, template=replace(plan.template, calibration=Calibration(array_efficiency=0.3)))
    problem = search_problem(slow, plan.groups(plan.study.mode)[0], 1, library, sketch=True)
    found = under(timing__array_efficiency=0.3)
    assert found == [replace(d, calibration=Calibration()) for d in promising(problem, PROMISING)]
    assert found != under(), "slow arrays ask for more of them"


def test_a_drawn_calibration_is_not_that_of_the_design() -> None:
    assert all(d.calibration == Calibration() for d in under(timing__hbm_efficiency=0.75, timing__launch_s=1e-6))


def test_what_a_search_finds() -> None:
    plan, library, _ = tiny()
    (found,) = searched(plan, library, None, [plan.baseline])
    problem = search_problem(plan, plan.groups(plan.study.mode)[0], 1, library)
    assert 0 < len(found) <= 2 * plan.study.search.top_k + FRONT
    assert len(set(found)) == len(found)
    assert all(plan.template.contains(d) and fits(problem, d) for d in found)
    assert searched(plan, library, None, [plan.baseline]) == [found]
