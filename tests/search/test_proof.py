"""The proof search: what it finds joins the candidates with its schedules."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from math import inf
from typing import Any

import pytest

from accmine.ports import Stop
from accmine.problems.design_search import Solution, by_value, check
from accmine.search import GroupCandidates, Session, bound_whole, joined, provable, prove, without_candidates
from tests.samples.search_sample import brute_groups, pipeline, planned, session


@pytest.fixture(scope="module")
def proven() -> tuple[Any, GroupCandidates, Any]:
    """A session, its group with the worst design as the only candidate, and the proof."""
    here = session(*planned(models=("mlp",)))
    (g,) = brute_groups(here.plan, here.library, "heterogeneous", count=3)
    g = replace(g, candidates=tuple(by_value(g.candidates)[-1:]))
    (empty,) = without_candidates(here, "heterogeneous")
    assert provable(here, "heterogeneous")
    whole = bound_whole(here, "heterogeneous", [empty])
    return here, g, prove(here, g.problem, whole, [g.candidates[0].design])


def test_the_bound_and_the_designs_are_those_of_the_search(proven: tuple[Any, GroupCandidates, Any]) -> None:
    _, g, proof = proven
    assert proof.mined.verified
    assert list(proof.mined.pool) == by_value(proof.mined.pool)
    assert g.candidates[0].design in {e.design for e in proof.mined.pool}
    assert 0 < proof.whole.value <= proof.mined.objective * (1 + 1e-12)
    for e in proof.mined.pool:
        assert e.schedules is None or check(g.problem, Solution(e.design, e.schedules)) == ()


def test_better_designs_join_with_their_schedules(proven: tuple[Any, GroupCandidates, Any]) -> None:
    here, g, proof = proven
    more = joined(here, g, proof)
    known = {e.design: e.value for e in g.candidates}
    kept = [e for e in proof.mined.pool if e.schedules is not None][:5]
    better = {e.design for e in kept if e.value < known.get(e.design, inf)}
    assert better
    assert {e.design for e in more.candidates} == better | set(known)
    assert all(e.schedules is None for e in more.candidates), "they are the session's"
    for e in more.candidates:
        if e.design in better:
            assert ((0, 0), e.design) in here.schedules
            assert e.value <= next(x.value for x in kept if x.design == e.design)


def test_limits_that_nothing_meets_are_proven(proven: tuple[Any, GroupCandidates, Any]) -> None:
    here, g, proof = proven
    none = prove(here, replace(g.problem, area_mm2=1.0), proof.whole, [])
    assert none.whole.value == inf
    assert none.mined.pool == ()
    assert none.whole.method.startswith("best-first")


def test_ctrl_c_is_told(proven: tuple[Any, GroupCandidates, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    here, g, proof = proven

    def interrupted(*_: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr("accmine.solvers.design_search.best_first.work_on", interrupted)
    found = prove(here, g.problem, proof.whole, [g.candidates[0].design])
    assert found.mined.interrupted
    assert not found.mined.finished
    assert found.whole == proof.whole


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
