"""The rule for ties: within 0.1 % of the best value the least TDP, then the least area."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from math import inf
from typing import Any

import pytest

from accmine.plan import Plan, under_limits
from accmine.ports import Stop
from accmine.problems.design_search import TIE, best
from accmine.search import Selection, chips_of, exchanges, select, study_value
from accmine.search.selection import break_ties
from tests.samples.search_sample import brute_groups, pipeline, planned, session

CASES: list[dict[str, Any]] = [
    {"models": ("mlp",), "objective": "bottleneck", "limits": {"area": "832 mm^2"}, **pipeline(2)},
    {"models": ("gpt",), "limits": {"area": "832 mm^2"}, **pipeline(2)},
    {"models": ("gpt",), "mode": "homogeneous", "objective": "throughput-per-tdp", "floor": 0, **pipeline(2)},
    {"models": ("mlp", "gpt"), "mode": "common", "limits": {"area": "417 mm^2"}},
    {"models": ("mlp", "gpt"), "mode": "common", "deployment": "concurrent", "limits": {"area": "834 mm^2"}},
]


def chosen(mode: str = "heterogeneous", **keys: Any) -> tuple[Plan, Selection]:
    plan, library = planned(mode=mode, **keys)
    return plan, select(session(plan, library), mode, brute_groups(plan, library, mode), Stop())


@pytest.mark.parametrize("case", CASES, ids=str)
def test_exchanges_are_selections_of_their_own(case: dict[str, Any]) -> None:
    plan, found = chosen(**case)
    every = list(exchanges(plan, found))
    assert every
    for e in every:
        own, old = e.evaluation, found.chosen[e.group]
        assert own.design != old.design
        assert own in found.groups[e.group].candidates
        chips = chips_of(plan, found.groups[e.group].group.members)
        assert e.area_mm2 == pytest.approx(found.area_mm2 + chips * (own.area_mm2 - old.area_mm2))
        assert e.area_mm2 <= plan.area_mm2 * (1 + 1e-9)
        assert e.tdp_w <= plan.tdp_w * (1 + 1e-9)
        assert e.value == float(study_value(plan, e.phase_s, e.tdp_w))
        assert e.value >= found.value * (1 - 1e-5), "the selection was optimal but for its rounding"


@pytest.mark.parametrize("case", CASES, ids=str)
def test_nothing_tied_is_cooler_or_smaller(case: dict[str, Any]) -> None:
    plan, first = chosen(**case)
    found = break_ties(plan, first)
    assert found.value <= first.value * (1 + TIE)
    assert (found.tdp_w, found.area_mm2) <= (first.tdp_w + 1e-9, first.area_mm2 + 1e-9)
    assert found.value == float(study_value(plan, found.phase_s, found.tdp_w))
    assert found.step_s == tuple(p.step_s(own) for p, own in zip(plan.pipelines, found.phase_s, strict=True))
    for e in exchanges(plan, found):
        tied = e.value <= first.value * (1 + TIE)
        assert not tied or (e.tdp_w, e.area_mm2) >= (found.tdp_w - 1e-9, found.area_mm2 - 1e-9)
    assert break_ties(plan, found) is found


def test_one_group_follows_the_rule_exactly() -> None:
    for model in ("mlp", "gpt"):
        plan, first = chosen(models=(model,))
        winner = best(first.groups[0].candidates)
        assert winner is not None
        assert break_ties(plan, first).chosen == (winner,)


def test_where_the_link_is_the_bottleneck_the_coolest_designs_win() -> None:
    plan, first = chosen(**CASES[0])
    found = break_ties(plan, first)
    a, b = found.groups
    rows = []
    for x, y in product(a.candidates, b.candidates):
        tdp, area = x.tdp_w + y.tdp_w, x.area_mm2 + y.area_mm2
        value = float(study_value(plan, [[a.phase_s(x, 0), b.phase_s(y, 0)]], tdp))
        if area <= plan.area_mm2 and value <= first.value * (1 + TIE):
            rows.append((tdp, area))
    assert (found.tdp_w, found.area_mm2) == pytest.approx(min(rows))
    assert found.tdp_w < first.tdp_w, "the integer program does not look at TDP"


def test_a_floor_missed_by_rounding_is_met_again() -> None:
    free, least = chosen(models=("gpt",))
    ratios = sorted({e.relative for e in least.groups[0].candidates})
    floor = (1 + 3e-8) / ratios[3]  # the fourth ratio misses it by less than the integer program sees
    plan, first = chosen(models=("gpt",), objective="throughput-per-tdp", floor=floor)
    found = break_ties(plan, first)
    assert found.value < inf
    assert found.chosen[0].relative <= (1 + 1e-9) / floor
    finite = [e.value for e in first.groups[0].candidates if e.value < inf]
    assert found.value <= min(finite) * (1 + TIE)
    lone = replace(first, groups=tuple(replace(g, candidates=first.chosen) for g in first.groups), value=inf)
    assert break_ties(plan, lone) is lone
    assert free.floor == 0.0


def test_no_selection_stays_none() -> None:
    plan, library = planned(models=("gpt",), **pipeline(2))
    none = select(
        session(under_limits(plan, {"limits.area": 700.0}), library),
        "heterogeneous",
        brute_groups(plan, library, "heterogeneous"),
        Stop(),
    )
    assert break_ties(plan, none) is none
