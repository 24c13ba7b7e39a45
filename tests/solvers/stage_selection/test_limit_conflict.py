"""Which limits conflict: minimal sets, against every choice under every part of the limits."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.ports import Stop
from accmine.problems.stage_selection import MODES, Problem, check
from accmine.result import Status, StopReason
from accmine.solvers.stage_selection.limit_conflict import LimitConflict
from accmine.solving import solve
from tests.samples.selection_sample import best_score, limited_to, tiny


def hard(seed: int, mode: str) -> Problem:
    return tiny(seed, mode, "throughput-per-tdp", "worst", most=3)


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(MODES))
def test_conflicts_are_minimal(seed: int, mode: str) -> None:
    problem = hard(seed, mode)
    result = solve(problem, "limit-conflict")
    if best_score(problem) is not None:
        assert result.status in (Status.FEASIBLE, Status.OPTIMAL)
        assert result.solution is not None
        assert check(problem, result.solution) == ()
        return
    assert result.status is Status.INFEASIBLE
    assert best_score(limited_to(problem, result.conflict)) is None
    for part in combinations(result.conflict, len(result.conflict) - 1):
        assert best_score(limited_to(problem, part)) is not None, "each of them is needed"


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 10**6))
def test_questions_about_any_limits_are_answered_rightly(seed: int) -> None:
    problem = hard(seed, "heterogeneous")
    questions = LimitConflict().questions(problem, Stop())
    for count in range(len(questions.names) + 1):
        for names in combinations(sorted(questions.names), count):
            answer, solution = questions.ask(names)
            own = limited_to(problem, names)
            assert answer == (best_score(own) is not None)
            assert (solution is None) == (answer is False)
            if solution is not None:
                assert check(own, solution) == ()
            else:
                assert questions.core <= set(names)
                assert best_score(limited_to(problem, questions.core)) is None


@pytest.mark.parametrize("seed", range(2))
def test_a_solution_that_is_known_ends_it(seed: int) -> None:
    problem = hard(seed, "heterogeneous")
    known = solve(problem, "brute-force").solution
    if known is None:
        assert solve(problem, "limit-conflict").status is Status.INFEASIBLE
        return
    result = solve(problem, "limit-conflict", hint=known)
    assert (result.solution, result.stop) in ((known, StopReason.FINISHED), (known, StopReason.PROVED))
