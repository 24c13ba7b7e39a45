"""The proof search: a bound of the whole that no design is below, and what it finds joins what was known."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

import pytest

from accmine.ports import Stop
from accmine.search import GroupCandidates, Session, bound_whole
from accmine.search.proof import joined, provable, prove
from tests.samples.search_sample import brute_groups, pipeline, planned, session

SMALL: dict[str, Any] = {"tensor_cores": [1, 2], "tensor_dim": [8], "vector_cores": [1], "vector_lanes": [4, 8]}
STOP = Stop(work=50)


@lru_cache(maxsize=1)
def everything() -> tuple[Any, Any, GroupCandidates]:
    plan, library = planned(space=SMALL)
    (group,) = brute_groups(plan, library, plan.study.mode)
    return plan, library, group


def begun() -> tuple[Session, GroupCandidates]:
    plan, library, group = everything()
    return session(plan, library, STOP), group


def test_it_is_for_one_design_search_of_the_studys_own_value() -> None:
    own, _ = begun()
    assert provable(own, own.plan.study.mode)
    several, library = planned(models=("gpt",), space=SMALL, **pipeline(2))
    assert not provable(session(several, library), "heterogeneous")


def test_the_bound_rises_and_no_design_is_below_it() -> None:
    own, group = begun()
    whole = bound_whole(own, own.plan.study.mode, [group])
    best = min(e.value for e in group.candidates)
    proof = prove(own, group.problem, whole, [e.design for e in group.candidates[:2]])
    assert whole.value <= proof.whole.value <= best * (1 + 1e-9)
    assert proof.whole.feasible == whole.feasible
    assert (proof.whole.method == whole.method) == (proof.whole.value == whole.value)
    found = min(e.value for e in proof.mined.pool)
    assert proof.whole.value * (1 - 1e-9) <= found
    assert found <= best * (1 + 1e-9), "a tiny space is searched to its end"


def test_a_bound_that_is_better_already_is_kept() -> None:
    own, group = begun()
    whole = replace(bound_whole(own, own.plan.study.mode, [group]), value=1e9, method="known")
    proof = prove(own, group.problem, whole, [])
    assert (proof.whole.value, proof.whole.method) == (1e9, "known")


@pytest.mark.parametrize("kept", [1, 3])
def test_what_is_found_joins_the_candidates_with_its_schedules(kept: int) -> None:
    own, group = begun()
    worst = sorted(group.candidates, key=lambda e: -e.value)[:kept]
    few = replace(group, candidates=tuple(worst))
    proof = prove(own, group.problem, bound_whole(own, own.plan.study.mode, [group]), [])
    more = joined(own, few, proof)
    before = {e.design for e in few.candidates}
    after = {e.design: e.value for e in more.candidates}
    assert before <= set(after)
    least = min(e.value for e in proof.mined.pool)
    assert min(after.values()) <= least * (1 + 1e-9)
    (member,) = group.group.members
    for design in set(after) - before:
        assert (member, design) in own.schedules
