"""Enumeration against enumeration: choices written out in Python, judged by the problem alone."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.errors import InputError
from accmine.ports import Stop
from accmine.problems.stage_selection import score
from accmine.result import Status, StopReason
from accmine.solvers.stage_selection import brute_force
from accmine.solving import solve
from tests.samples.selection_sample import COMBINATIONS, best_score, line, tiny


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(COMBINATIONS))
def test_the_answer_is_the_least_of_all_valid_choices(seed: int, words: tuple[str, str, str]) -> None:
    problem = tiny(seed, *words, most=3)
    best = best_score(problem)
    result = solve(problem, "brute-force")
    assert result.stop is StopReason.PROVED
    if best is None:
        assert (result.status, result.solution) == (Status.INFEASIBLE, None)
        return
    assert result.status is Status.OPTIMAL
    assert result.verified
    assert result.solution is not None
    assert score(problem, result.solution) == best


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    problems = [tiny(seed, "heterogeneous", "throughput", "mean", most=3) for seed in range(4)]
    whole = [solve(problem, "brute-force") for problem in problems]
    assert any(r.status is Status.OPTIMAL for r in whole)
    monkeypatch.setattr(brute_force, "_CHUNK", 7)
    for problem, one in zip(problems, whole, strict=True):
        again = solve(problem, "brute-force")
        assert (again.status, again.objective) == (one.status, one.objective)


def test_limits_cut_the_enumeration_and_claim_nothing_beyond() -> None:
    problem = line(1, 3, 40)
    full = solve(problem, "brute-force")
    cut = solve(problem, "brute-force", stop=Stop(work=1000))
    assert cut.stop is StopReason.TIME
    assert cut.status in (Status.FEASIBLE, Status.UNKNOWN)
    assert cut.bound is not None
    assert full.objective is not None
    assert cut.bound <= full.objective
    assert cut.objective is None or cut.objective >= full.objective
    assert solve(problem, "brute-force", stop=Stop(seconds=0)).stop is StopReason.TIME
    enough = solve(problem, "brute-force", stop=Stop(work=40**3))
    assert (enough.status, enough.objective) == (Status.OPTIMAL, full.objective)


def test_too_many_choices_are_refused() -> None:
    with pytest.raises(InputError, match="at most 2000000 are enumerated; take highs or cp-sat"):
        solve(line(1, 24, 40), "brute-force")
