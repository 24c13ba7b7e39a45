"""What grows, by how much, and what becomes of designs and templates then."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.plan import Plan, plan_of
from accmine.questions.sensitivity.changes import SCALED, changes_of, left_out
from tests.samples.search_sample import designs, study

SPACE = {"tensor_cores": [1, 2], "tensor_dim": [8], "vector_cores": [1, 2], "vector_lanes": [8]}


def plan(**keys: Any) -> Plan:
    given_keys: dict[str, Any] = {"space": SPACE, "limits": {"area": "baseline", "tdp": "baseline"}}
    return plan_of(study(**(given_keys | keys)))


PLAN = plan()


@settings(max_examples=20, deadline=None)
@given(st.floats(0.5, 300))
def test_everything_grows_by_the_same_share(percent: float) -> None:
    changes = {change.key: change for change in changes_of(PLAN, percent)}
    assert list(changes) == [*(limit.key for limit in PLAN.limits), *SCALED]
    factor = 1 + percent / 100
    for limit in PLAN.limits:
        change = changes[limit.key]
        assert change.adds
        assert change.limit == limit
        assert change.plan.limit(limit.key) == pytest.approx(factor * PLAN.limit(limit.key))
        others = [other.key for other in PLAN.limits if other.key != limit.key]
        assert [change.plan.limit(key) for key in others] == [PLAN.limit(key) for key in others]
        assert change.plan.template == PLAN.template
    for key, (field, _) in SCALED.items():
        change = changes[key]
        assert not change.adds
        assert change.limit is None
        grown = getattr(change.plan.template, field)
        assert grown == tuple(round(v * factor) for v in getattr(PLAN.template, field))
        assert replace(change.plan.template, **{field: getattr(PLAN.template, field)}) == PLAN.template


@settings(max_examples=10, deadline=None)
@given(st.floats(0.5, 100))
def test_a_design_moves_into_the_changed_template(percent: float) -> None:
    for change in changes_of(PLAN, percent):
        moved = [change.moved(design) for design in designs(PLAN.template)]
        assert moved == designs(change.plan.template)


def test_what_is_known_to_buy_nothing_says_why() -> None:
    changes = {change.key: change for change in changes_of(PLAN, 1e-6)}
    assert changes["accelerator.hbm"].nothing.startswith("every task fits in the smallest HBM already")
    assert changes["accelerator.hbm_bandwidth"].nothing == ""
    assert changes["limits.area"].nothing == "no design of the template is between the two sizes"
    large = {change.key: change for change in changes_of(plan(limits={"area": "baseline"}), 300.0)}
    assert large["limits.area"].nothing == "", "a larger design is between them"


def test_sizes_are_shown_in_their_unit() -> None:
    changes = {change.key: change for change in changes_of(PLAN, 100.0)}
    assert (changes["accelerator.hbm"].before, changes["accelerator.hbm"].after) == ("16 GiB", "32 GiB")
    assert changes["accelerator.hbm_bandwidth"].before == "70 GB/s"
    assert changes["accelerator.tensor_sram"].before == "64 KiB"


def test_nothing_is_left_out_of_modelled_costs() -> None:
    assert left_out(PLAN) == {}
