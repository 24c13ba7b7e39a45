"""The proof search: what it finds joins the candidates with its schedules."""

from __future__ import annotations

from dataclasses import replace
from math import inf
from typing import Any

import pytest

from accmine.problems.design_search import Solution, by_value, check
from accmine.search import GroupCandidates, joined, provable, prove, without_candidates
from accmine.search.bounds import bound_whole
from tests.samples.search_sample import brute_groups, planned, session


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
